import type { RefObject } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Heatmap } from '../../api/shapes';
import { type Area, type Cell, cellAt, type Plot } from '../../draw/heatmap';
import { startOf, step } from './cell-cursor';
import { boundsOf, type Picked } from './picked';

interface Wanted {
  map: Heatmap | null;
  picked: Picked | null;
  pick: (picked: Picked | null) => void;
  select: (picked: Picked) => void;
  plot: Plot;
  box: RefObject<HTMLDivElement | null>;
}

/** A press that has not ended; a wide one has moved so far that it is no click. */
interface Press {
  from: Cell;
  to: Cell;
  x: number;
  y: number;
  isWide: boolean;
}

/** How far a pointer may stray in a click, in pixels. */
const CLICK_PIXELS = 4;

const AROUND: readonly Cell[] = [
  { column: 0, row: 0 },
  { column: 0, row: 1 },
  { column: 0, row: -1 },
  { column: 1, row: 0 },
  { column: -1, row: 0 },
];

/** Cells of the heatmap by pointer and by keys: a click or Enter picks one, a drag selects an area. */
export function useCellChoice({ map, picked, pick, select, plot, box }: Wanted) {
  const [cursor, setCursor] = useState<Cell | null>(null);
  const [hover, setHover] = useState<Cell | null>(null);
  const [press, setPress] = useState<Press | null>(null);
  const isPointed = useRef(false);
  const filled = useMemo(
    () => new Set(map?.cells.columns.map((column, at) => keyOf({ column, row: map.cells.rows[at]! }))),
    [map],
  );
  useEffect(() => setHover(null), [map]);

  const has = (cell: Cell) => filled.has(keyOf(cell));
  const choose = (cell: Cell) => void (map && has(cell) && pick(boundsOf(map, single(cell))));
  const at = (event: PointerEvent): Cell | null => {
    if (!map || !map.total || !box.current) return null;
    const rect = box.current.getBoundingClientRect();
    const cell = cellAt(plot, map, event.clientX - rect.left, event.clientY - rect.top);
    if (press) return cell;
    // Cells are small: one that is empty stands for the one beside it.
    return AROUND.map((by) => ({ column: cell.column + by.column, row: cell.row + by.row })).find(has) ?? cell;
  };
  const keyed = (event: KeyboardEvent) => {
    if (!map || !map.total) return;
    const present = cursor ?? startOf(map);
    if (event.key === 'Escape' && press) setPress(null);
    else if (event.key === 'Escape' && picked) pick(null);
    else if (event.key === 'Enter' || event.key === ' ') choose(present);
    else if (event.key.startsWith('Arrow')) setCursor(cursor ? step(map, present, event.key) : present);
    else return;
    event.preventDefault();
  };

  const handlers = {
    onPointerDown: (event: PointerEvent) => {
      isPointed.current = true;
      const cell = at(event);
      if (!cell || event.button !== 0) return;
      box.current!.setPointerCapture(event.pointerId);
      setCursor(null);
      setPress({ from: cell, to: cell, x: event.clientX, y: event.clientY, isWide: false });
    },
    onPointerMove: (event: PointerEvent) => {
      const cell = at(event);
      setHover(cell);
      if (!press || !cell) return;
      const isWide = press.isWide || Math.hypot(event.clientX - press.x, event.clientY - press.y) > CLICK_PIXELS;
      setPress({ ...press, to: cell, isWide });
    },
    onPointerUp: () => {
      isPointed.current = false;
      if (!press || !map) return;
      setPress(null);
      if (press.isWide) select(boundsOf(map, spanned(press)));
      else choose(press.from);
    },
    onPointerCancel: () => setPress(null),
    onPointerLeave: () => setHover(null),
    // A press brings the focus, too, and has a place of its own.
    onFocus: () => map?.total && !isPointed.current && setCursor((before) => before ?? startOf(map)),
    onBlur: () => setCursor(null),
    onKeyDown: keyed,
  };
  return { cursor, hover, drag: press?.isWide ? spanned(press) : null, has, handlers };
}

/** The area of one cell. */
export function single({ column, row }: Cell): Area {
  return { columns: [column, column], rows: [row, row] };
}

function spanned({ from, to }: Pick<Press, 'from' | 'to'>): Area {
  const order = (a: number, b: number): [number, number] => (a <= b ? [a, b] : [b, a]);
  return { columns: order(from.column, to.column), rows: order(from.row, to.row) };
}

/** There are no more than a hundred rows. */
function keyOf({ column, row }: Cell): number {
  return column * 1000 + row;
}
