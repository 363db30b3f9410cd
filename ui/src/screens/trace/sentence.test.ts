import { expect, test } from 'vitest';
import { NOTHING } from './choice';
import { buildModel } from './model';
import { gapRow, groupRow } from './rows';
import { contributors, partsOf } from './sentence';
import { group, idAt, segment, segments, skeletonOf } from './testing';

const SHOP = skeletonOf(
  [
    [0, 'PlaceOrder', 0, 166],
    [1, 'prepare', 5, 20],
    [1, 'charge; now', 120, 46],
    [1, 'process orders', 167, 22],
  ],
  { errorOrigin: 2 },
);
SHOP.spans.errors = [2];
SHOP.thread.totalNanos = 166e6;
SHOP.thread.segments = segments([segment(0, 0, 5), segment(1, 5, 25), segment(0, 25, 120, 'gap'), segment(2, 120, 166)]);
SHOP.thread.gaps = [{ span: 0, fromNanos: 25e6, toNanos: 120e6, beforeSpanId: idAt(1), afterSpanId: idAt(2) }];
SHOP.thread.bottleneck = { kind: 'gap', span: 0, spanId: idAt(0), spanCount: 1, nanos: 95e6, share: 0.57 };
SHOP.thread.asyncTail = {
  start: '2026-11-20T09:00:00.166Z', totalNanos: 23e6, segments: segments([segment(3, 1, 23)]), gaps: [],
  bottleneck: { kind: 'self', span: 3, spanId: idAt(3), spanCount: 1, nanos: 22e6, share: 0.9 },
};
SHOP.thread.sentence =
  '166 ms: 57 % unaccounted in shop "PlaceOrder" between "prepare" and "charge; now" (95.0 ms), then 28 % in shop "charge; now"; work went on for 23.0 ms after the root, most in shop "process orders" (22.0 ms); error in shop "charge; now": card declined: no funds';

const told = (skeleton: typeof SHOP, grouped = true) => partsOf(buildModel(skeleton), grouped);

test('what the sentence names can be pressed, and it stays the sentence', () => {
  const parts = told(SHOP);
  expect(parts.map((part) => part.text).join('')).toBe(SHOP.thread.sentence);
  expect(parts.filter((part) => part.code !== NOTHING)).toEqual([
    { text: '57 % unaccounted in shop "PlaceOrder" between "prepare" and "charge; now" (95.0 ms)', code: gapRow(0) },
    { text: '28 % in shop "charge; now"', code: 2 },
    { text: 'in shop "process orders" (22.0 ms)', code: 3 },
    { text: 'error in shop "charge; now"', code: 2 },
  ]);
});

test('equal siblings are their group, or the longest of them where groups are off', () => {
  const many = skeletonOf([[0, 'GET', 0, 10], [1, 'SELECT', 1, 2], [1, 'SELECT', 4, 4]], { groups: [group(0, [1, 2], 'SELECT')] });
  many.thread.bottleneck = { kind: 'self', span: 2, spanId: idAt(2), spanCount: 2, nanos: 6e6, share: 0.6 };
  many.thread.sentence = '10.0 ms: 60 % in 2x shop "SELECT" (6.00 ms)';
  expect(told(many)[1]).toEqual({ text: '60 % in 2x shop "SELECT" (6.00 ms)', code: groupRow(0) });
  expect(told(many, false)[1]!.code).toBe(2);
});

test('a sentence in other words is only words', () => {
  const odd = skeletonOf([[0, 'GET', 0, 10]]);
  odd.thread.sentence = 'nothing: to "see; error in" here';
  expect(told(odd)).toEqual([{ text: odd.thread.sentence, code: NOTHING }]);
});

test('what the thread went to is summed by operation, holes by themselves', () => {
  const model = buildModel(SHOP);
  expect(contributors(model, model.thread).map(({ code, nanos }) => [code, nanos / 1e6])).toEqual([[gapRow(0), 95], [2, 46], [1, 20], [0, 5]]);
});
