import { duration } from '../format/duration';
import { clock, day, minute, type Nanos, type Zone } from '../format/time';
import { offset } from '../format/zoned';

/** A mark on an axis. */
export interface Tick {
  /** Where, as a share of the axis. */
  at: number;
  label: string;
}

const SECOND = 1_000_000_000n;
const STEPS_SECONDS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
];

/** Marks at round times of a zone's clocks, no more than fit. */
export function timeTicks(from: Nanos, to: Nanos, zone: Zone, most: number): Tick[] {
  const span = Number(to - from);
  if (span <= 0 || most < 1) return [];
  const wanted = span / 1e9 / most;
  // What is shorter than a few seconds has marks at round fractions, what is longer than weeks at round weeks.
  const step =
    wanted < 0.5
      ? fraction(wanted)
      : BigInt(STEPS_SECONDS.find((one) => one >= wanted) ?? Math.ceil(wanted / 604_800) * 604_800) * SECOND;
  const shift = offset(from, zone);
  const ticks: Tick[] = [];
  for (let at = ((from + shift + step - 1n) / step) * step - shift; at <= to && ticks.length <= most + 1; at += step) {
    ticks.push({ at: Number(at - from) / span, label: label(at, step, shift, zone) });
  }
  return ticks;
}

function fraction(seconds: number): Nanos {
  const power = 10 ** Math.floor(Math.log10(seconds * 1e9));
  const step = [1, 2, 5, 10].find((one) => one * power >= seconds * 1e9) ?? 10;
  return BigInt(Math.max(1, Math.round(step * power)));
}

function label(at: Nanos, step: Nanos, shift: Nanos, zone: Zone): string {
  if ((at + shift) % (86_400n * SECOND) === 0n) return day(at, zone).slice(5);
  if (step >= 60n * SECOND) return minute(at, zone);
  return step >= SECOND ? clock(at, zone).slice(0, 8) : clock(at, zone);
}

/** Which lengths of a decade are marked, from many to few. */
const MANTISSAS = [[1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8], [1, 1.5, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]];

/** Round lengths of time within two, no more than fit. */
export function durationTicks(low: number, high: number, most: number): { nanos: number; label: string }[] {
  if (!(high > low) || low <= 0 || most < 1) return [];
  const told = (nanos: number) => ({ nanos, label: short(nanos) });
  for (const mantissas of MANTISSAS) {
    const found = roundDurations(low, high, mantissas);
    if (found.length <= most && found.length > 1) return found.map(told);
  }
  const decades = roundDurations(low, high, [1]);
  if (decades.length < 2) return [low, high].map(told);
  const every = Math.ceil(decades.length / most);
  return decades.filter((_, at) => at % every === 0).map(told);
}

/** Round lengths: decades of seconds and below, and the steps of clocks above a minute. */
function roundDurations(low: number, high: number, mantissas: number[]): number[] {
  const decades = Array.from({ length: 11 }, (_, at) => 10 ** at).flatMap((power) =>
    mantissas.map((one) => Math.round(one * power)),
  );
  const long = [6e10, 3e11, 6e11, 3.6e12, 1.8e13, 8.64e13, 8.64e14, 8.64e15].filter(
    (_, at) => mantissas.length > 1 || at % 3 === 0,
  );
  return [...new Set([...decades.filter((one) => one < 6e10), ...long])].filter((one) => one >= low && one <= high);
}

/** `100 ms` rather than `100.0 ms`: the lengths are round. */
function short(nanos: number): string {
  return duration(nanos)
    .replace(/(\.\d*?)0+ /, '$1 ')
    .replace('. ', ' ');
}
