import { expect, test } from 'vitest';
import { SAFE_PIXELS, ratio, scrollTopOf, scrolledHeight, topOf, topThatShows } from './scroll';

test('what is short scrolls as it is', () => {
  const extent = { content: 22_000, view: 800 };
  expect([scrolledHeight(extent), ratio(extent), topOf(extent, 321), scrollTopOf(extent, 321)]).toEqual([22_000, 1, 321, 321]);
  expect(scrolledHeight({ content: 100, view: 800 })).toBe(800);
  expect(topOf({ content: 100, view: 800 }, 5)).toBe(0);
});

test('millions of rows end where the scroll bar ends', () => {
  const extent = { content: 22 * 2_000_000, view: 800 };
  expect(scrolledHeight(extent)).toBe(SAFE_PIXELS);
  expect(topOf(extent, SAFE_PIXELS - 800)).toBeCloseTo(extent.content - 800, 3);
  expect(topOf(extent, scrollTopOf(extent, 12_345_678))).toBeCloseTo(12_345_678, 3);
});

test('a row is brought into view by the least move, with two neighbours', () => {
  const extent = { content: 22_000, view: 220 };
  expect(topThatShows(extent, 0, 5, 22)).toBe(0);
  expect(topThatShows(extent, 0, 8, 22)).toBe(22);
  expect(topThatShows(extent, 440, 21, 22)).toBe(418);
  expect(topThatShows(extent, 0, 0, 22)).toBe(0);
  expect(topThatShows(extent, 0, 500, 22)).toBe(11_000 - 99);
  expect(topThatShows(extent, 0, 999, 22)).toBe(22_000 - 220);
});
