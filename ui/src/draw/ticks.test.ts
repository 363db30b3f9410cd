import { expect, test } from 'vitest';
import { parseTime } from '../format/time';
import { durationTicks, timeTicks } from './ticks';

const FROM = parseTime('2026-11-27T11:58:30.000000000Z');
const labels = (ticks: { label: string }[]) => ticks.map((tick) => tick.label);

test('times are marked where the clocks of the zone are round', () => {
  expect(labels(timeTicks(FROM, FROM + 900_000_000_000n, 'utc', 4))).toEqual(['12:00', '12:05', '12:10']);
  expect(labels(timeTicks(FROM, FROM + 14_400_000_000_000n, 'Asia/Kolkata', 5))).toEqual(['18:00', '19:00', '20:00', '21:00']);
  expect(labels(timeTicks(FROM, FROM + 10_000_000_000n, 'utc', 3))).toEqual(['11:58:30', '11:58:35', '11:58:40']);
  expect(labels(timeTicks(FROM, FROM + 2_000_000n, 'utc', 3))).toEqual(['11:58:30.000', '11:58:30.001', '11:58:30.002']);
  expect(labels(timeTicks(FROM, FROM + 172_800_000_000_000n, 'utc', 4))).toEqual(['12:00', '11-28', '12:00', '11-29']);
  expect(timeTicks(FROM, FROM, 'utc', 4)).toEqual([]);
});

test('lengths are marked where they are round', () => {
  expect(labels(durationTicks(2.6e6, 1.55e9, 6))).toEqual(['3 ms', '10 ms', '30 ms', '100 ms', '300 ms', '1 s']);
  expect(labels(durationTicks(1e6, 1e9, 3))).toEqual(['1 ms', '100 ms']);
  expect(labels(durationTicks(1.5e8, 3.3e8, 8))).toEqual(['150 ms', '200 ms', '250 ms', '300 ms']);
  expect(labels(durationTicks(1e9, 2.6e9, 4))).toEqual(['1 s', '1.5 s', '2 s']);
  expect(labels(durationTicks(113, 119, 6))).toEqual(['113 ns', '119 ns']);
});
