import type { Nanos } from '../../format/time';
import { parseTime } from '../../format/time';

/** Ranges that end now. */
export const PRESETS: readonly { since: string; told: string; nanos: Nanos }[] = [
  { since: '15m', told: '15 min', nanos: 900_000_000_000n },
  { since: '1h', told: '1 h', nanos: 3_600_000_000_000n },
  { since: '3h', told: '3 h', nanos: 10_800_000_000_000n },
  { since: '24h', told: '24 h', nanos: 86_400_000_000_000n },
];
const DEFAULT = PRESETS[1]!;

/** Which time is looked at, by start of traces. */
export interface TimeRange {
  /** Until now: how far back. */
  since: string | null;
  from: string | null;
  to: string | null;
}

/** The range that an address asks for. */
export function rangeOf(params: URLSearchParams): TimeRange {
  const [from, to] = [params.get('from'), params.get('to')];
  if (from !== null || to !== null) return { since: null, from, to };
  return { since: params.get('since') ?? DEFAULT.since, from: null, to: null };
}

/** The range as parameters of a question. */
export function rangeParams(range: TimeRange): [string, string][] {
  return Object.entries(range).filter((entry): entry is [string, string] => entry[1] !== null);
}

/** Whether traces that come now can be in it. */
export function isOpen(range: TimeRange, now: Nanos): boolean {
  if (range.to === null || range.to.startsWith('now')) return true;
  try {
    return parseTime(range.to) > now;
  } catch {
    return false;
  }
}

/** The range in words: `the last 15 min`, `this range`. */
export function toldRange(range: TimeRange): string {
  if (range.since === null) return 'this range';
  return `the last ${PRESETS.find((one) => one.since === range.since)?.told ?? range.since}`;
}

/** A range that shows a trace of that start: the shortest one until now that does, else as long as one hour before it. */
export function rangeAround(start: Nanos, now: Nanos): Record<string, string | null> {
  const age = now - start;
  const preset = PRESETS.find((one) => one.nanos > age + 60_000_000_000n);
  if (preset) return { since: preset.since, from: null, to: null };
  const second = 1_000_000_000n;
  const to = (start / second + 1n) * second;
  return { since: null, from: iso(to - DEFAULT.nanos), to: iso(to) };
}

/** Bounds as people write them, in whole seconds, that hold all that is in these; those of a few seconds as they are. */
export function roundBounds(from: Nanos, to: Nanos): { from: Nanos; to: Nanos } {
  const second = 1_000_000_000n;
  if (to - from < 10n * second) return { from, to };
  return { from: (from / second) * second, to: ((to + second - 1n) / second) * second };
}

/** RFC 3339 in UTC without a fraction that is zero, so that addresses stay short. */
export function iso(at: Nanos): string {
  const fraction = (at % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${new Date(Number(at / 1_000_000_000n) * 1000).toISOString().slice(0, 19)}${fraction ? `.${fraction}` : ''}Z`;
}
