import type { FlameBoxes } from '../../../draw/flame-boxes';
import type { Model } from '../model';

/** Lanes that are tried before a new one is begun: with thousands of parallel siblings, each need not try all. */
const LANES_TRIED = 128;

/**
 * Puts each span below its parent on the time axis. Siblings that overlap lie in lanes of their own, each with room for all
 * that is below it, so no box covers another and a subtree stays together. Iterative, since traces are as deep as their
 * senders like.
 */
export function flameOf(model: Model): FlameBoxes {
  const { count, parents, starts } = model;
  const firsts = firstStarts(model);
  const heights = new Int32Array(count).fill(1);
  // Where each span's row lies below its parent's.
  const below = new Int32Array(count);
  const lanes = new Lanes();
  // Children come after their parents, so from the end every span finds its children placed.
  const lists = childLists(model);
  for (let at = count - 1; at >= 0; at--) heights[at] = 1 + place(lists.of(at), firsts, model.lastEnds, heights, below, 1, lanes);
  const rows = place(lists.roots, firsts, model.lastEnds, heights, below, 0, lanes);
  const rowOf = new Int32Array(count);
  for (let at = 0; at < count; at++) rowOf[at] = below[at]! + (parents[at]! >= 0 ? rowOf[parents[at]!]! : 0);
  return { rows, rowOf, ...sorted(rowOf, rows, starts) };
}

/** The first start in each subtree: a child can begin before its parent. */
function firstStarts({ count, parents, starts }: Model): Float64Array {
  const firsts = starts.slice();
  for (let at = count - 1; at >= 0; at--) {
    const parent = parents[at]!;
    if (parent >= 0 && firsts[at]! < firsts[parent]!) firsts[parent] = firsts[at]!;
  }
  return firsts;
}

/** Children of each span in order. */
function childLists({ count, parents, childCounts }: Model): { roots: Int32Array; of(span: number): Int32Array } {
  const from = new Int32Array(count + 1);
  for (let at = 0; at < count; at++) from[at + 1] = from[at]! + childCounts[at]!;
  const all = new Int32Array(from[count]!);
  const roots: number[] = [];
  const next = from.slice();
  for (let at = 0; at < count; at++) {
    const parent = parents[at]!;
    if (parent < 0) roots.push(at);
    else all[next[parent]!++] = at;
  }
  return { roots: Int32Array.from(roots), of: (span) => all.subarray(from[span]!, from[span + 1]!) };
}

/** Lanes of one family, kept to be used again. */
class Lanes {
  freeAt: number[] = [];
  heights: number[] = [];
  tops: number[] = [];
}

/** Puts siblings into lanes, `offset` rows below their parent. Gives how many rows they take. */
function place(
  siblings: Int32Array,
  firsts: Float64Array,
  lastEnds: Float64Array,
  heights: Int32Array,
  below: Int32Array,
  offset: number,
  lanes: Lanes,
): number {
  let used = 0;
  let total = 0;
  const order = byStart(siblings, firsts);
  for (const span of order) {
    const [from, to, height] = [firsts[span]!, lastEnds[span]!, heights[span]!];
    let lane = 0;
    const tried = Math.min(used, LANES_TRIED);
    // Only the last lane has room below it to grow.
    while (lane < tried && !(lanes.freeAt[lane]! <= from && (lanes.heights[lane]! >= height || lane === used - 1))) lane++;
    if (lane === tried) {
      lane = used++;
      lanes.tops[lane] = total;
      lanes.heights[lane] = 0;
    }
    if (height > lanes.heights[lane]!) {
      total += height - lanes.heights[lane]!;
      lanes.heights[lane] = height;
    }
    lanes.freeAt[lane] = to;
    below[span] = offset + lanes.tops[lane]!;
  }
  return total;
}

/** Siblings come by their own start; those with an early child are put where it begins. */
function byStart(siblings: Int32Array, firsts: Float64Array): Int32Array {
  for (let at = 1; at < siblings.length; at++) {
    if (firsts[siblings[at]!]! < firsts[siblings[at - 1]!]!) return siblings.slice().sort((a, b) => firsts[a]! - firsts[b]! || a - b);
  }
  return siblings;
}

/** Spans by row and then by start. */
function sorted(rowOf: Int32Array, rows: number, starts: Float64Array): Pick<FlameBoxes, 'first' | 'order'> {
  const first = new Int32Array(rows + 1);
  for (const row of rowOf) first[row + 1]!++;
  for (let row = 0; row < rows; row++) first[row + 1]! += first[row]!;
  const next = first.slice();
  const order = new Int32Array(rowOf.length);
  for (let at = 0; at < rowOf.length; at++) order[next[rowOf[at]!]!++] = at;
  for (let row = 0; row < rows; row++) {
    const boxes = order.subarray(first[row]!, first[row + 1]!);
    if (boxes.some((span, at) => at > 0 && starts[span]! < starts[boxes[at - 1]!]!)) boxes.sort((a, b) => starts[a]! - starts[b]!);
  }
  return { first, order };
}
