import { expect, test } from 'vitest';
import { LEVELS_MAX, indentOf, indentPixels, isAtChevron } from './indent';

const rows = (...levels: number[]) => ({ count: levels.length, levels: Int32Array.from(levels) });

test('a level takes less where a trace is deep', () => {
  expect(indentOf(rows(0, 1, 2), 2, 0, 3, 200)).toEqual({ shift: 0, step: 12 });
  expect(indentOf(rows(0, 1, 2), 20, 0, 3, 200).step).toBe(10);
  expect(indentOf(rows(0, 1, 2), 1_000, 0, 3, 40).step).toBe(4);
});

test('levels that all rows in view have in common take no room, in steps', () => {
  const deep = rows(...Array.from({ length: 100 }, (_, level) => level));
  expect(indentOf(deep, 99, 0, 25, 288).shift).toBe(0);
  expect(indentOf(deep, 99, 40, 70, 288).shift).toBe(32);
  expect(indentOf(deep, 99, 45, 70, 288).shift).toBe(40);
  expect(indentOf(deep, 99, 95, 200, 288).shift).toBe(88);
});

test('a row is indented by its level, up to the last that is indented', () => {
  const indent = { shift: 8, step: 12 };
  expect([7, 8, 9, 10].map((level) => indentPixels(indent, level))).toEqual([0, 0, 12, 24]);
  expect(indentPixels(indent, 500)).toBe(LEVELS_MAX * 12);
});

test('a chevron is behind the indent', () => {
  const indent = { shift: 0, step: 12 };
  expect([27, 28, 41, 42].map((x) => isAtChevron(indent, 2, x))).toEqual([false, true, true, false]);
});
