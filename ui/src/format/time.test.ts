import { expect, test } from 'vitest';
import { ago, clock, day, exact, parseTime, rfc3339 } from './time';

const TEXT = '2026-11-20T09:00:00.000000001Z';

test('nine digits survive reading and writing', () => {
  expect(rfc3339(parseTime(TEXT))).toBe(TEXT);
  expect(rfc3339(parseTime('2026-11-20T10:00:00.5+01:00'))).toBe('2026-11-20T09:00:00.500000000Z');
});

test('times are told in the zone asked for', () => {
  const at = parseTime('2026-11-20T23:30:00.123Z');
  expect(clock(at, 'utc')).toBe('23:30:00.123');
  expect(clock(at, 'Asia/Tokyo')).toBe('08:30:00.123');
  expect(day(at, 'Asia/Tokyo')).toBe('2026-11-21');
  expect(exact(at, 'utc')).toBe('2026-11-20 23:30:00.123000000 UTC');
  expect(clock(at, 'Not/AZone')).toBe('23:30:00.123');
});

test('how long ago', () => {
  const now = parseTime(TEXT);
  expect(ago(now - 500_000_000n, now)).toBe('now');
  expect(ago(now - 59_000_000_000n, now)).toBe('59 s ago');
  expect(ago(now - 8n * 3_600_000_000_000n, now)).toBe('8 h ago');
});
