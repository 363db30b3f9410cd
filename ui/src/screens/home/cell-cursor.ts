import type { Heatmap } from '../../api/shapes';
import type { Cell } from '../../draw/heatmap';

/** Where the cursor begins: at the slowest traces, the fullest cell of them. */
export function startOf(map: Heatmap): Cell {
  const { columns, rows, counts } = map.cells;
  let best = 0;
  rows.forEach((row, at) => {
    if (row > rows[best]! || (row === rows[best]! && counts[at]! > counts[best]!)) best = at;
  });
  return { column: columns[best] ?? 0, row: rows[best] ?? 0 };
}

/** The next cell in a direction that holds a trace: the nearest column that has one, in it the nearest row. */
export function step(map: Heatmap, from: Cell, key: string): Cell {
  const sign = key === 'ArrowLeft' || key === 'ArrowDown' ? -1 : 1;
  const isAcross = key === 'ArrowLeft' || key === 'ArrowRight';
  let best: Cell | null = null;
  let least = Infinity;
  map.cells.columns.forEach((column, at) => {
    const row = map.cells.rows[at]!;
    const [along, aside] = isAcross
      ? [(column - from.column) * sign, Math.abs(row - from.row)]
      : [(row - from.row) * sign, Math.abs(column - from.column)];
    if (along <= 0 || (!isAcross && aside > 0)) return;
    const far = along * 1000 + aside;
    if (far < least) [least, best] = [far, { column, row }];
  });
  return best ?? from;
}
