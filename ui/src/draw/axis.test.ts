import { expect, test } from 'vitest';
import { ticks } from './axis';

const labels = (from: number, to: number, wanted = 5) => ticks(from, to, wanted).map((tick) => tick.label);

test('round places in the unit of the whole', () => {
  expect(labels(0, 100e6)).toEqual(['0', '20 ms', '40 ms', '60 ms', '80 ms', '100 ms']);
  expect(labels(0, 1.1e9)).toEqual(['0', '0.5 s', '1.0 s']);
  expect(labels(0, 900)).toEqual(['0', '200 ns', '400 ns', '600 ns', '800 ns']);
});

test('a deep zoom tells neighbours apart', () => {
  expect(labels(1.2e9, 1.200004e9, 4)).toEqual(['1.200000 s', '1.200001 s', '1.200002 s', '1.200003 s', '1.200004 s']);
});

test('minutes and hours are counted in sixties', () => {
  expect(labels(0, 122e9)).toEqual(['0', '0:30', '1 min', '1:30', '2 min']);
  expect(labels(3.6e12 * 2, 3.6e12 * 2 + 6e10 * 3, 3)).toEqual(['2 h', '2:01:00', '2:02:00', '2:03:00']);
});

test('there is an end to ticks', () => {
  expect(ticks(0, 1, 1e9).length).toBeLessThan(1_001);
  expect(ticks(0, 1e18, 5).length).toBeLessThan(10);
});
