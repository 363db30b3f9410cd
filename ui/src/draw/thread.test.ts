import { expect, test } from 'vitest';
import { follow } from './thread';

/** The pieces that are followed of a line whose pieces have these lengths, at a pixel for a nanosecond. */
function followed(...lengths: number[]): number[] {
  let end = 0;
  const to = Float64Array.from(lengths, (length) => (end += length));
  const from = to.map((at, index) => at - lengths[index]!);
  const pieces = new Int32Array(lengths.length);
  return [...pieces.subarray(0, follow({ from, to }, 1, 0, 0, lengths.length - 1, pieces))];
}

test('pieces that are long enough to see are followed', () => {
  expect(followed(10, 2, 30)).toEqual([0, 1, 2]);
});

test('of short pieces, the longest in each column of pixels', () => {
  expect(followed(0.2, 0.5, 0.3, 0.1, 0.2, 0.7, 0.4)).toEqual([0, 1, 5, 6]);
});

test('a run that is too short to see is stepped over, unless the thread begins with it', () => {
  expect(followed(10, 0.5, 0.5, 20)).toEqual([0, 3]);
  expect(followed(0.5, 0.5, 20)).toEqual([0, 2]);
  expect(followed(10, 1.2, 1.2, 20)).toEqual([0, 1, 2, 3]);
});

test('the thread is led from where it begins and to where it ends, though both are too short to see', () => {
  expect(followed(0.2, 0.5, 20, 0.4, 0.1)).toEqual([0, 2, 3, 4]);
  expect(followed(0.1, 0.1, 0.1)).toEqual([0, 1, 2]);
});
