const UNITS: readonly [nanos: number, unit: string][] = [
  [3_600_000_000_000, 'h'],
  [60_000_000_000, 'min'],
  [1_000_000_000, 's'],
  [1_000_000, 'ms'],
  [1_000, '\u00b5s'],
];

/**
 * A length of time in three significant digits with its unit: `81.4 ms`, `912 us` (with a micro sign), `1.20 s`.
 * Nothing but zero is shown as zero.
 */
export function duration(nanos: number): string {
  if (nanos < 0) return `-${duration(-nanos)}`;
  if (nanos < 1_000) return `${Math.round(nanos)} ns`;
  for (let at = 0; at < UNITS.length; at++) {
    const [size, unit] = UNITS[at]!;
    // What rounds up to the next unit is told in it: 999.9 ms is 1.00 s.
    if (nanos < size * 0.9995 && at < UNITS.length - 1) continue;
    return `${digits(nanos / size)} ${unit}`;
  }
  return `${nanos} ns`;
}

function digits(value: number): string {
  if (value >= 99.95) return Math.round(value).toString();
  return value.toFixed(value >= 9.995 ? 1 : 2);
}

/** A share as a percentage: `46 %`, `0.3 %`. Nothing but zero is shown as zero, and nothing but all as all: as in the sentence. */
export function percent(share: number): string {
  const value = share * 100;
  if (value > 0 && value < 0.05) return '< 0.1 %';
  if (value > 99 && value < 100) return '99 %';
  return `${value >= 10 || value === 0 ? Math.round(value) : value.toFixed(1)} %`;
}

/** Reads a length as people write one (`300ms`, `1.5 s`, `2m`); a bare number counts milliseconds. `null` when it is none. */
export function parseDuration(text: string): number | null {
  const found = /^\s*(\d+(?:\.\d+)?)\s*(ns|us|\u00b5s|\u03bcs|ms|s|m|min|h)?\s*$/i.exec(text);
  if (!found) return null;
  const sizes: Record<string, number> = { ns: 1, us: 1e3, '\u00b5s': 1e3, '\u03bcs': 1e3, ms: 1e6, s: 1e9, m: 6e10, min: 6e10, h: 3.6e12 };
  return Number(found[1]) * sizes[(found[2] ?? 'ms').toLowerCase()]!;
}
