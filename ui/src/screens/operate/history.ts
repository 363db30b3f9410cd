import { parseTime } from '../../format/time';

/** What came in by a moment. */
export interface Sample {
  /** Unix seconds of the server's clock. */
  at: number;
  received: number;
  turned: number;
}

/** Spans a second between samples, in columns as a chart takes them; `null` where the server started anew. */
export interface Rates {
  at: number[];
  received: (number | null)[];
  turned: (number | null)[];
}

/** Five minutes at a sample each two seconds. */
const MOST = 150;

/** Adds a sample, and drops those that are too old. */
export function withSample(samples: Sample[], now: string, received: number, turned: number): Sample[] {
  const at = Number(parseTime(now) / 1_000_000n) / 1000;
  const last = samples.at(-1);
  if (last && at <= last.at) return samples;
  return [...samples, { at, received, turned }].slice(-MOST - 1);
}

/** How much came in a second, from each sample to the next. */
export function ratesOf(samples: Sample[]): Rates {
  const rates: Rates = { at: [], received: [], turned: [] };
  for (let at = 1; at < samples.length; at++) {
    const [before, after] = [samples[at - 1]!, samples[at]!];
    const seconds = after.at - before.at;
    const rate = (from: number, to: number) => (to < from ? null : (to - from) / seconds);
    rates.at.push(after.at);
    rates.received.push(rate(before.received, after.received));
    rates.turned.push(rate(before.turned, after.turned));
  }
  return rates;
}

/** Three significant digits, as everywhere: `1,240`, `81.4`, `0`. */
export function rate(value: number | null): string {
  if (value === null) return '';
  if (value === 0) return '0';
  if (value >= 99.95) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(value >= 9.995 ? 1 : 2);
}
