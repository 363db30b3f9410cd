import type { Heatmap } from '../../api/shapes';
import { type Area, rowOf } from '../../draw/heatmap';
import { duration } from '../../format/duration';
import { clock, type Nanos, parseTime, type Zone } from '../../format/time';
import { iso } from './range';

/** A cell of the heatmap that the list is narrowed to, by its bounds: they hold when the heatmap is drawn anew. */
export interface Picked {
  from: Nanos;
  to: Nanos;
  /** Lengths of traces in nanoseconds, both among them. */
  min: number;
  max: number;
}

/** The cell that an address names: `cell=FROM,TO,MIN_NANOS,MAX_NANOS`. */
export function pickedOf(params: URLSearchParams): Picked | null {
  const parts = params.get('cell')?.split(',');
  if (parts?.length !== 4) return null;
  try {
    const picked = { from: parseTime(parts[0]!), to: parseTime(parts[1]!), min: Number(parts[2]), max: Number(parts[3]) };
    return picked.from < picked.to && picked.min <= picked.max ? picked : null;
  } catch {
    return null;
  }
}

export function writePicked({ from, to, min, max }: Picked): string {
  return [iso(from), iso(to), min, max].join(',');
}

/** The bounds of an area of the heatmap. The outermost rows and columns take what lies on their edge. */
export function boundsOf(map: Heatmap, { columns, rows }: Area): Picked {
  const start = parseTime(map.from);
  const end = parseTime(map.to);
  const at = (column: number) => start + BigInt(Math.round(column * map.columnNanos));
  return {
    from: at(columns[0]),
    to: columns[1] === map.columns - 1 || at(columns[1] + 1) > end ? end : at(columns[1] + 1),
    min: map.bounds[rows[0]]!,
    max: rows[1] === map.rows - 1 ? map.bounds[rows[1] + 1]! : Math.max(map.bounds[rows[0]]!, map.bounds[rows[1] + 1]! - 1),
  };
}

/** The area of the heatmap that has these bounds, in fractions of cells where they are not its own; `null` when it lies outside. */
export function areaOf(map: Heatmap, picked: Picked): Area | null {
  const start = parseTime(map.from);
  const column = (time: Nanos) => Math.min(map.columns, Math.max(0, Number(time - start) / map.columnNanos));
  const columns: Area['columns'] = [column(picked.from), column(picked.to) - 1];
  const rows: Area['rows'] = [rowOf(map, picked.min), rowOf(map, picked.max + 1) - 1];
  return columns[1] > columns[0] - 1 && rows[1] > rows[0] - 1 ? { columns, rows } : null;
}

/** The bounds as parameters of a question; filters on the length that are narrower stay. */
export function narrow(question: URLSearchParams, { from, to, min, max }: Picked): URLSearchParams {
  const params = new URLSearchParams(question);
  params.delete('since');
  params.set('from', iso(from));
  params.set('to', iso(to));
  const [least, most] = [params.get('minDurationMs'), params.get('maxDurationMs')];
  params.set('minDurationMs', String(Math.max(millis(min), Number(least ?? 0))));
  params.set('maxDurationMs', String(Math.min(millis(max), Number(most ?? Infinity))));
  return params;
}

/** Nanoseconds in milliseconds, exact to the nanosecond. */
export function millis(nanos: number): number {
  return Number((nanos / 1e6).toFixed(6));
}

/** The bounds in words. */
export function toldPicked({ from, to, min, max }: Picked, zone: Zone): string {
  const digits = to - from < 10_000_000_000n ? 12 : 8;
  return `${clock(from, zone).slice(0, digits)} \u2013 ${clock(to, zone).slice(0, digits)}, ${duration(min)} \u2013 ${duration(max)}`;
}
