import type { Model } from '../screens/trace/model';
import type { Scale } from './scale';

/** Height of a row. */
export const ROW = 20;

/** A flame in typed arrays: boxes sorted by row and then by start, none over another of its row. */
export interface FlameBoxes {
  /** How many rows there are. */
  rows: number;
  /** Boxes of row `r` are `order[first[r]..first[r + 1]]`: spans. */
  first: Int32Array;
  order: Int32Array;
  /** The row of each span. */
  rowOf: Int32Array;
}

/** The first box of a row, from `from` on, that ends after an instant: boxes of a row follow one another. */
export function firstEndingAfter({ starts, durations }: Model, { first, order }: FlameBoxes, row: number, nanos: number, from = first[row]!): number {
  let [low, high] = [from, first[row + 1]!];
  while (low < high) {
    const middle = (low + high) >> 1;
    const span = order[middle]!;
    if (starts[span]! + durations[span]! <= nanos) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The box at a place, -1 for none. Boxes that are thinner than a finger's tip are found a little beside them. */
export function boxAt(model: Model, boxes: FlameBoxes, scale: Scale, x: number, y: number): number {
  const row = Math.floor(y / ROW);
  if (row < 0 || row >= boxes.rows) return -1;
  const at = firstEndingAfter(model, boxes, row, scale.nanos(x - 2));
  if (at >= boxes.first[row + 1]!) return -1;
  const span = boxes.order[at]!;
  return scale.x(model.starts[span]!) <= x + 2 ? span : -1;
}
