import { expect, test } from 'vitest';
import { parseTime, rfc3339 } from './time';
import { offset, parseZoned, writeZoned } from './zoned';

const NOW = parseTime('2026-11-27T12:00:00.000000000Z');
const read = (text: string, zone: string) => {
  const at = parseZoned(text, zone, NOW);
  return at === null ? null : rfc3339(at);
};

test('offsets of zones', () => {
  expect(offset(NOW, 'utc')).toBe(0n);
  expect(offset(NOW, 'Asia/Kolkata')).toBe(19_800_000_000_000n);
});

test('times are read in their zone', () => {
  expect(read('2026-11-27 14:03', 'utc')).toBe('2026-11-27T14:03:00.000000000Z');
  expect(read('2026-11-27 14:03:59.5', 'Asia/Tokyo')).toBe('2026-11-27T05:03:59.500000000Z');
  expect(read('2026-03-29 03:30', 'Europe/Berlin')).toBe('2026-03-29T01:30:00.000000000Z');
  expect(read('08:00', 'Europe/Berlin')).toBe('2026-11-27T07:00:00.000000000Z');
  expect(read('2026-11-26', 'utc')).toBe('2026-11-26T00:00:00.000000000Z');
  expect(read('2026-11-27T14:00:00+02:00', 'utc')).toBe('2026-11-27T12:00:00.000000000Z');
  expect(read('-2h', 'utc')).toBe('2026-11-27T10:00:00.000000000Z');
  expect(read('now', 'utc')).toBe('2026-11-27T12:00:00.000000000Z');
  for (const text of ['', 'soon', '2026-13-01', '2026-02-30 10:00', '25:61']) expect(read(text, 'utc'), text).toBeNull();
});

test('what is written is read as the same', () => {
  const at = NOW + 123_456_789n;
  for (const zone of ['utc', 'Asia/Tokyo', 'America/New_York']) expect(parseZoned(writeZoned(at, zone), zone, NOW)).toBe(at);
});
