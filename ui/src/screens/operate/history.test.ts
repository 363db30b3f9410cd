import { expect, test } from 'vitest';
import { rate, ratesOf, type Sample, withSample } from './history';

const second = (at: number) => `2026-11-27T11:00:${String(at).padStart(2, '0')}.000000000Z`;

test('rates are differences over time; a restart leaves a hole', () => {
  let samples: Sample[] = [];
  samples = withSample(samples, second(0), 100, 0);
  samples = withSample(samples, second(2), 300, 4);
  samples = withSample(samples, second(2), 999, 9);
  samples = withSample(samples, second(4), 10, 0);
  samples = withSample(samples, second(8), 20, 0);
  const rates = ratesOf(samples);
  expect(rates.received).toEqual([100, null, 2.5]);
  expect(rates.turned).toEqual([2, null, 0]);
});

test('no more than five minutes are kept', () => {
  let samples: Sample[] = [];
  for (let at = 0; at < 400; at++)
    samples = withSample(samples, new Date(1_000_000 + at * 2000).toISOString().replace('Z', '000000Z'), at, 0);
  expect(samples).toHaveLength(151);
  expect(ratesOf(samples).at).toHaveLength(150);
});

test('told in three digits', () => {
  expect([0, 0.5, 12.34, 1240.4, null].map(rate)).toEqual(['0', '0.50', '12.3', '1,240', '']);
});
