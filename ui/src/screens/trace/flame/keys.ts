import type { FlameBoxes } from '../../../draw/flame-boxes';
import type { Model } from '../model';

/** Where a key leads from a span: to its parent, its first child, its neighbours in the row. `null` for other keys. */
export function step(model: Model, { first, order, rowOf }: FlameBoxes, from: number, key: string): number | null {
  if (!['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'Home', 'End'].includes(key) || model.count === 0) return null;
  if (from < 0) return 0;
  if (key === 'Home') return 0;
  if (key === 'End') return model.count - 1;
  if (key === 'ArrowUp') return Math.max(model.parents[from]!, -1) >= 0 ? model.parents[from]! : from;
  if (key === 'ArrowDown') return model.ends[from]! > from + 1 ? longestChild(model, from) : from;
  const row = rowOf[from]!;
  const at = placeIn(model, order, first[row]!, first[row + 1]!, from) + (key === 'ArrowLeft' ? -1 : 1);
  return at >= first[row]! && at < first[row + 1]! ? order[at]! : from;
}

/** Of a span's children the one that took most of it. */
function longestChild({ ends, durations }: Model, span: number): number {
  let longest = span + 1;
  for (let child = span + 1; child < ends[span]!; child = ends[child]!) if (durations[child]! > durations[longest]!) longest = child;
  return longest;
}

function placeIn({ starts }: Model, order: Int32Array, from: number, to: number, span: number): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[order[middle]!]! < starts[span]!) low = middle + 1;
    else high = middle;
  }
  // Several of no length can begin at once.
  while (low < to && order[low] !== span) low++;
  return low;
}
