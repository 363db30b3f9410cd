/** How far a row is indented, which its name and the marks before it must agree on. */
import type { Rows } from '../rows';

/** Pixels that a level is indented by, at most. */
const STEP_PIXELS = 12;
/** The step where a trace is so deep that its names would leave the column. */
const STEP_PIXELS_MIN = 4;
/** Levels that are indented; deeper ones say how deep they are. */
export const LEVELS_MAX = 24;
/** Pixels between the indent and the name: room for the chevron and the service's swatch. */
export const MARKS_PIXELS = 28;

/** How the rows in view are indented. */
export interface Indent {
  /** Levels that all of them have in common, which need no room. */
  shift: number;
  /** Pixels of a level. */
  step: number;
}

/** The indent of the rows from `first` up to `end`, whose levels may take `room` pixels. */
export function indentOf(rows: Pick<Rows, 'count' | 'levels'>, maxDepth: number, first: number, end: number, room: number): Indent {
  const step = Math.max(STEP_PIXELS_MIN, Math.min(STEP_PIXELS, room / Math.min(Math.max(maxDepth, 1), LEVELS_MAX)));
  let [least, most] = [Infinity, 0];
  for (let row = first; row < Math.min(end, rows.count); row++) {
    least = Math.min(least, rows.levels[row]!);
    most = Math.max(most, rows.levels[row]!);
  }
  // In steps, so that names do not move at every row.
  return { shift: most <= LEVELS_MAX ? 0 : Math.max(0, Math.floor((least - 1) / 8) * 8), step };
}

/** Pixels that a level is indented by. */
export function indentPixels({ shift, step }: Indent, level: number): number {
  return Math.min(Math.max(0, level - shift), LEVELS_MAX) * step;
}

/** Whether a place of a row, in pixels from its left end, is at its chevron. */
export function isAtChevron(indent: Indent, level: number, x: number): boolean {
  const from = indentPixels(indent, level) + 4;
  return x >= from && x < from + 14;
}
