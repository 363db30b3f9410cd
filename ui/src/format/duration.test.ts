import { expect, test } from 'vitest';
import { duration, parseDuration, percent } from './duration';

test('three significant digits with a unit', () => {
  const told: [number, string][] = [
    [0, '0 ns'],
    [1, '1 ns'],
    [999, '999 ns'],
    [1_000, '1.00 \u00b5s'],
    [81_420_000, '81.4 ms'],
    [912_000, '912 \u00b5s'],
    [999_400, '999 \u00b5s'],
    [999_960, '1.00 ms'],
    [1_200_000_000, '1.20 s'],
    [59_990_000_000, '1.00 min'],
    [7_200_000_000_000, '2.00 h'],
    [-5_000_000, '-5.00 ms'],
  ];
  for (const [nanos, text] of told) expect(duration(nanos), String(nanos)).toBe(text);
});

test('what people write is read', () => {
  expect(parseDuration('300ms')).toBe(300e6);
  expect(parseDuration(' 1.5 s ')).toBe(1.5e9);
  expect(parseDuration('20')).toBe(20e6);
  expect(parseDuration('2 m')).toBe(120e9);
  expect(parseDuration('soon')).toBeNull();
});

test('shares', () => {
  expect([percent(0.456), percent(0.003), percent(0), percent(1)]).toEqual(['46 %', '0.3 %', '0 %', '100 %']);
  expect([percent(0.0003), percent(0.996)], 'neither nothing nor all').toEqual(['< 0.1 %', '99 %']);
});
