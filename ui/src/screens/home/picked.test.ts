import { expect, test } from 'vitest';
import type { Heatmap } from '../../api/shapes';
import { areaOf, boundsOf, narrow, pickedOf, toldPicked, writePicked } from './picked';

const MAP: Heatmap = {
  from: '2026-11-27T11:00:00Z',
  to: '2026-11-27T12:00:00Z',
  columns: 6,
  rows: 3,
  columnNanos: 600e9,
  bounds: [1e6, 1e7, 1e8, 1e9],
  cells: { columns: [], rows: [], counts: [], errors: [] },
  total: 0,
  errors: 0,
  unplaced: 0,
};

test('every cell survives the address', () => {
  for (let column = 0; column < MAP.columns; column++)
    for (let row = 0; row < MAP.rows; row++) {
      const area = { columns: [column, column] as [number, number], rows: [row, row] as [number, number] };
      const picked = boundsOf(MAP, area);
      const read = pickedOf(new URLSearchParams({ cell: writePicked(picked) }));
      expect(read).toEqual(picked);
      const found = areaOf(MAP, read!)!;
      for (const key of ['columns', 'rows'] as const)
        for (const at of [0, 1] as const) expect(found[key][at]).toBeCloseTo(area[key][at], 6);
    }
});

test('a cell keeps its place when the heatmap moves on', () => {
  const picked = boundsOf(MAP, { columns: [3, 3], rows: [1, 1] });
  const moved = { ...MAP, from: '2026-11-27T11:05:00Z', to: '2026-11-27T12:05:00Z' };
  expect(areaOf(moved, picked)!.columns).toEqual([2.5, 2.5]);
  expect(areaOf({ ...MAP, from: '2026-11-27T13:00:00Z', to: '2026-11-27T14:00:00Z' }, picked)).toBeNull();
});

test('cells beside each other share no trace', () => {
  const area = (row: number) => ({ columns: [0, 0] as [number, number], rows: [row, row] as [number, number] });
  expect(boundsOf(MAP, area(0)).max).toBe(1e7 - 1);
  expect(boundsOf(MAP, area(1)).min).toBe(1e7);
  expect(boundsOf(MAP, area(2)).max).toBe(1e9);
});

test('a cell narrows the question, and no filter is widened', () => {
  const question = narrow(
    new URLSearchParams('since=1h&service=a&minDurationMs=20'),
    boundsOf(MAP, { columns: [1, 1], rows: [1, 1] }),
  );
  expect(Object.fromEntries(question)).toEqual({
    service: 'a',
    from: '2026-11-27T11:10:00Z',
    to: '2026-11-27T11:20:00Z',
    minDurationMs: '20',
    maxDurationMs: '99.999999',
  });
});

test('what is no cell is none', () => {
  for (const cell of ['', 'a', '1,2,3', 'x,y,1,2', '2026-11-27T12:00:00Z,2026-11-27T11:00:00Z,1,2'])
    expect(pickedOf(new URLSearchParams({ cell })), cell).toBeNull();
});

test('told', () => {
  expect(toldPicked(boundsOf(MAP, { columns: [1, 1], rows: [1, 1] }), 'utc')).toBe(
    '11:10:00 \u2013 11:20:00, 10.0 ms \u2013 100 ms',
  );
});
