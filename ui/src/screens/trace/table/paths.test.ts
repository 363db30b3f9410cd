import { expect, test } from 'vitest';
import { buildModel } from '../model';
import { segment, segments, skeletonOf } from '../testing';
import { type Column, flatPathsOf, pathsOf, shownOrder } from './paths';

const start = '2026-11-20T09:00:00.000000000Z';
const written = skeletonOf(
  [[0, 'root', 0, 20], [1, 'load', 0, 4], [2, 'query', 1, 1], [2, 'query', 2, 2], [1, 'load', 5, 3], [2, 'query', 6, 1], [1, 'save', 10, 9], [2, 'query', 11, 5]],
  { thread: { sentence: '', start, totalNanos: 20e6, segments: segments([segment(0, 0, 10), segment(6, 10, 20)]), gaps: [] } },
);
written.spans.errors = [3];
const model = buildModel(written);

const names = (column: Column | null, ascending: boolean, folded = new Set<number>(), paths = pathsOf(model)) =>
  [...shownOrder(model, paths, column, ascending, folded)].map((at) => model.skeleton.names[paths.paths[at]!.name]);

test('siblings with one operation are one row, and so are their children', () => {
  const { paths, pathOf } = pathsOf(model);
  expect(paths.map(({ parent, count, total, errors, thread }) => [parent, count, total / 1e6, errors, thread / 1e6])).toEqual([
    [-1, 1, 20, 0, 10],
    [0, 2, 7, 0, 0],
    [1, 3, 4, 1, 0],
    [0, 1, 9, 0, 10],
    [3, 1, 5, 0, 0],
  ]);
  expect([...pathOf]).toEqual([0, 1, 2, 2, 1, 2, 3, 4]);
  expect(paths[2]!.longest).toBe(3);
});

test('by operation, all of one name are one row', () => {
  const { paths } = flatPathsOf(model);
  expect(paths.map(({ count, total }) => [count, total / 1e6])).toEqual([[1, 20], [2, 7], [4, 9], [1, 9]]);
});

test('siblings are sorted among themselves', () => {
  expect(names(null, false)).toEqual(['root', 'load', 'query', 'save', 'query']);
  expect(names('total', false)).toEqual(['root', 'save', 'query', 'load', 'query']);
  expect(names('operation', true)).toEqual(['root', 'load', 'query', 'save', 'query']);
  expect(names('errors', false, new Set(), flatPathsOf(model))).toEqual(['query', 'root', 'load', 'save']);
});

test('what is folded is not shown', () => {
  expect(names(null, false, new Set([1]))).toEqual(['root', 'load', 'save', 'query']);
});
