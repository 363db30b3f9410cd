import { GAP, type Line, type Model, SELF, TRANSIT, WAIT } from '../model';

/** How much of a line (the thread, or the tail after the root's end) is a span's. Nanoseconds. */
export interface Share {
  self: number;
  gap: number;
  wait: number;
  transit: number;
  /** The four together. */
  own: number;
  /** The same with all that lies below the span. */
  withBelow: number;
}

/** A span's share of the thread. */
export function shareOf(model: Model, line: Line, span: number): Share {
  const kinds = [0, 0, 0, 0];
  let withBelow = 0;
  const end = model.ends[span] ?? span + 1;
  for (let at = 0; at < line.count; at++) {
    const owner = line.spans[at]!;
    if (owner < span || owner >= end) continue;
    const length = line.to[at]! - line.from[at]!;
    withBelow += length;
    if (owner === span) kinds[line.kinds[at]!]! += length;
  }
  const [self, gap, wait, transit] = [kinds[SELF]!, kinds[GAP]!, kinds[WAIT]!, kinds[TRANSIT]!];
  return { self, gap, wait, transit, own: self + gap + wait + transit, withBelow };
}

/** Nanoseconds of a line that each span has. */
export function shareOfEach(model: Model, line: Line): Float64Array {
  const each = new Float64Array(model.count);
  for (let at = 0; at < line.count; at++) if (line.spans[at]! >= 0) each[line.spans[at]!]! += line.to[at]! - line.from[at]!;
  return each;
}

/** How long a line is. */
export function lengthOf(line: Line): number {
  return line.count === 0 ? 0 : line.to[line.count - 1]! - line.from[0]!;
}
