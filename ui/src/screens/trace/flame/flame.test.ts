import { expect, test } from 'vitest';
import { boxAt, ROW } from '../../../draw/flame-boxes';
import { scaleOf } from '../../../draw/scale';
import { buildModel } from '../model';
import { randomSkeleton, skeletonOf, type Written } from '../testing';
import { step } from './keys';
import { flameOf } from './layout';

const flame = (written: Written[]) => {
  const model = buildModel(skeletonOf(written));
  return { model, boxes: flameOf(model) };
};

test('spans lie below their parents', () => {
  const { boxes } = flame([[0, 'root', 0, 10], [1, 'a', 0, 4], [2, 'b', 1, 2], [1, 'c', 5, 5]]);
  expect([...boxes.rowOf]).toEqual([0, 1, 2, 1]);
  expect(boxes.rows).toBe(3);
});

test('siblings that overlap lie in lanes of their own, with room for what is below', () => {
  const { boxes } = flame([[0, 'root', 0, 10], [1, 'a', 0, 6], [2, 'a1', 1, 2], [1, 'b', 2, 6], [2, 'b1', 3, 2], [1, 'c', 8, 2]]);
  expect([...boxes.rowOf]).toEqual([0, 1, 2, 3, 4, 1]);
});

test('what outlives its parent keeps its place', () => {
  const { boxes } = flame([[0, 'root', 0, 4], [1, 'a', 0, 2], [2, 'late', 1, 9], [1, 'b', 3, 1], [2, 'b1', 3, 1]]);
  expect(boxes.rowOf[3]).toBe(3);
});

test('no box covers another, in a random trace', () => {
  const model = buildModel(randomSkeleton(3_000, 7));
  const { rows, first, order, rowOf } = flameOf(model);
  for (let row = 0; row < rows; row++) {
    for (let at = first[row]! + 1; at < first[row + 1]!; at++) {
      const [before, span] = [order[at - 1]!, order[at]!];
      expect(model.starts[before]! + model.durations[before]!).toBeLessThanOrEqual(model.starts[span]!);
    }
  }
  for (let span = 0; span < model.count; span++) if (model.parents[span]! >= 0) expect(rowOf[span]).toBeGreaterThan(rowOf[model.parents[span]!]!);
});

test('depth and breadth are no matter', () => {
  const deep: Written[] = Array.from({ length: 20_000 }, (_, at) => [at, 'deep', at, 40_000 - 2 * at]);
  expect(flame(deep).boxes.rows).toBe(20_000);
  const wide: Written[] = [[0, 'root', 0, 100], ...Array.from({ length: 20_000 }, (_, at): Written => [1, 'wide', at % 10, 50])];
  expect(flame(wide).boxes.rows).toBeGreaterThan(20_000);
});

test('a box is found by its place', () => {
  const { model, boxes } = flame([[0, 'root', 0, 10], [1, 'a', 0, 4], [1, 'b', 5, 5]]);
  const scale = scaleOf(0, 10e6, 1016);
  expect(boxAt(model, boxes, scale, 100, ROW / 2)).toBe(0);
  expect(boxAt(model, boxes, scale, 100, ROW * 1.5)).toBe(1);
  expect(boxAt(model, boxes, scale, 450, ROW * 1.5)).toBe(-1);
  expect(boxAt(model, boxes, scale, 700, ROW * 1.5)).toBe(2);
  expect(boxAt(model, boxes, scale, 700, ROW * 2.5)).toBe(-1);
});

test('keys lead to parent, longest child and neighbours', () => {
  const { model, boxes } = flame([[0, 'root', 0, 10], [1, 'a', 0, 4], [2, 'a1', 0, 1], [1, 'b', 5, 5]]);
  expect(step(model, boxes, 0, 'ArrowDown')).toBe(3);
  expect(step(model, boxes, 3, 'ArrowLeft')).toBe(1);
  expect(step(model, boxes, 1, 'ArrowRight')).toBe(3);
  expect(step(model, boxes, 3, 'ArrowRight')).toBe(3);
  expect(step(model, boxes, 2, 'ArrowUp')).toBe(1);
  expect(step(model, boxes, 0, 'ArrowUp')).toBe(0);
  expect(step(model, boxes, 2, 'x')).toBeNull();
});
