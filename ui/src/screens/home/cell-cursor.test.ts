import { expect, test } from 'vitest';
import type { Heatmap } from '../../api/shapes';
import { startOf, step } from './cell-cursor';

/** Cells as they are drawn: the top line is the slowest row, a digit is a count. */
function drawn(...lines: string[]): Heatmap {
  const cells: Heatmap['cells'] = { columns: [], rows: [], counts: [], errors: [] };
  [...lines].reverse().forEach((line, row) =>
    [...line].forEach((count, column) => {
      if (count === '.') return;
      cells.columns.push(column);
      cells.rows.push(row);
      cells.counts.push(Number(count));
      cells.errors.push(0);
    }),
  );
  return {
    from: '',
    to: '',
    columns: lines[0]!.length,
    rows: lines.length,
    columnNanos: 1,
    bounds: [],
    cells,
    total: 0,
    errors: 0,
    unplaced: 0,
  };
}

const MAP = drawn(
  '1...3', //
  '.....',
  '2.4.1',
);

test('the cursor begins at the slowest traces, in their fullest cell', () => {
  expect(startOf(MAP)).toEqual({ column: 4, row: 2 });
});

test('arrows go to the next cell that holds a trace', () => {
  expect(step(MAP, { column: 4, row: 2 }, 'ArrowLeft')).toEqual({ column: 2, row: 0 });
  expect(step(MAP, { column: 2, row: 0 }, 'ArrowLeft')).toEqual({ column: 0, row: 0 });
  expect(step(MAP, { column: 0, row: 0 }, 'ArrowUp')).toEqual({ column: 0, row: 2 });
  expect(step(MAP, { column: 0, row: 2 }, 'ArrowRight')).toEqual({ column: 2, row: 0 });
  expect(step(MAP, { column: 4, row: 0 }, 'ArrowRight')).toEqual({ column: 4, row: 0 });
  expect(step(MAP, { column: 2, row: 0 }, 'ArrowUp')).toEqual({ column: 2, row: 0 });
});
