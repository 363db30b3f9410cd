import { expect, test } from 'vitest';
import type { Heatmap } from '../api/shapes';
import { boxOf, cellAt, plotIn, rowOf, strength } from './heatmap';
import { lanes } from './silhouette';

const MAP: Heatmap = {
  from: '2026-11-27T11:00:00Z',
  to: '2026-11-27T12:00:00Z',
  columns: 10,
  rows: 4,
  columnNanos: 360e9,
  bounds: [1e6, 1e7, 1e8, 1e9, 1e10],
  cells: { columns: [], rows: [], counts: [], errors: [] },
  total: 0,
  errors: 0,
  unplaced: 0,
};

test('a cell lies where its box is drawn', () => {
  const plot = plotIn(600, 180);
  for (const [column, row] of [
    [0, 0],
    [9, 3],
    [4, 1],
  ] as const) {
    const box = boxOf(plot, MAP, { columns: [column, column], rows: [row, row] });
    expect(cellAt(plot, MAP, box.left + box.width / 2, box.top + box.height / 2)).toEqual({ column, row });
  }
  expect(cellAt(plot, MAP, -50, 9999)).toEqual({ column: 0, row: 0 });
});

test('lengths lie in their rows, also where the axis begins at nothing', () => {
  expect([1e6, 1e7, 1e10, 5e5, 1e11].map((nanos) => rowOf(MAP, nanos))).toEqual([0, 1, 4, 0, 4]);
  expect(rowOf(MAP, Math.sqrt(1e6 * 1e7))).toBeCloseTo(0.5, 9);
  const zero = { ...MAP, bounds: [0, 1e3, 1e4, 1e5, 1e6] };
  expect([0, 500, 1e3].map((nanos) => rowOf(zero, nanos))).toEqual([0, 0.5, 1]);
});

test('one trace is seen, many are not more than full', () => {
  expect(strength(0, 9)).toBe(0);
  expect(strength(1, 1)).toBe(1);
  expect(strength(1, 1000)).toBeGreaterThan(0.2);
  expect(strength(1000, 1000)).toBe(1);
  expect(strength(30, 1000)).toBeCloseTo(0.3 + 0.7 * 0.49, 1);
});

test('spans that run at once lie in lanes of their own', () => {
  const starts = [0, 1, 2, 6];
  expect(lanes({ services: [], errors: [], starts, durations: [10, 4, 3, 2] })).toEqual([0, 1, 2, 1]);
  expect(Math.max(...lanes({ services: [], errors: [], starts: Array(20).fill(0), durations: Array(20).fill(9) }))).toBe(5);
});
