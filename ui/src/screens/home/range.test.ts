import { expect, test } from 'vitest';
import { parseTime } from '../../format/time';
import { iso, isOpen, rangeAround, rangeOf, rangeParams, roundBounds, toldRange } from './range';

const NOW = parseTime('2026-11-27T12:00:00.000000000Z');

test('an address without a range means the last hour', () => {
  expect(rangeParams(rangeOf(new URLSearchParams()))).toEqual([['since', '1h']]);
  expect(toldRange(rangeOf(new URLSearchParams('since=15m')))).toBe('the last 15 min');
  expect(rangeParams(rangeOf(new URLSearchParams('since=1h&from=a&to=b')))).toEqual([
    ['from', 'a'],
    ['to', 'b'],
  ]);
});

test('only a range that has not ended gets new traces', () => {
  expect(isOpen({ since: '1h', from: null, to: null }, NOW)).toBe(true);
  expect(isOpen({ since: null, from: null, to: '2026-11-27T11:59:59Z' }, NOW)).toBe(false);
  expect(isOpen({ since: null, from: null, to: 'now' }, NOW)).toBe(true);
});

test('the newest trace is shown in the shortest range that holds it', () => {
  const hour = 3_600_000_000_000n;
  expect(rangeAround(NOW - 8n * hour, NOW)['since']).toBe('24h');
  expect(rangeAround(NOW - 1n, NOW)['since']).toBe('15m');
  const old = rangeAround(NOW - 48n * hour + 1n, NOW);
  expect(old).toEqual({ since: null, from: '2026-11-25T11:00:01Z', to: '2026-11-25T12:00:01Z' });
});

test('short instants', () => {
  expect(iso(NOW + 500_000_000n)).toBe('2026-11-27T12:00:00.5Z');
});

test('bounds are written in whole seconds and lose nothing of what is between them', () => {
  const hour = 3_600_000_000_000n;
  expect(roundBounds(NOW + 5n, NOW + hour + 1n)).toEqual({ from: NOW, to: NOW + hour + 1_000_000_000n });
  expect(roundBounds(NOW, NOW + hour)).toEqual({ from: NOW, to: NOW + hour });
  expect(roundBounds(NOW + 5n, NOW + 9n)).toEqual({ from: NOW + 5n, to: NOW + 9n });
});
