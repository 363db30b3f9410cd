import { expect, test } from 'vitest';
import { NOTHING } from './choice';
import { badgeOf, gapText, lengthOf, rowLabel, shownName, wholeName } from './labels';
import { buildModel } from './model';
import { gapRow, groupRow } from './rows';
import { group, idAt, segment, segments, skeletonOf } from './testing';

const SHOP = skeletonOf(
  [[0, 'GET', 0, 432], [1, 'SELECT orders', 20, 412], [1, ' ', 0, 1], [1, 'x'.repeat(400), 0, 1]],
  { errorOrigin: 1, marks: { async: [2] }, groups: [{ ...group(0, [1], 'SELECT orders'), totalNanos: 3e6 }] },
);
SHOP.spans.errors = [0, 1];
SHOP.thread.segments = segments([segment(1, 20, 432)]);
SHOP.thread.gaps = [{ span: 0, fromNanos: 5e6, toNanos: 20e6, afterSpanId: idAt(1) }];
const model = buildModel(SHOP);

test('a row is read with all that its bar shows', () => {
  expect(rowLabel(model, 1)).toBe('SELECT orders, shop, 412 ms, starts at 20.0 ms, on the thread, error began here');
  expect(rowLabel(model, 0)).toBe('GET, shop, 432 ms, starts at 0 ns, error');
  expect(rowLabel(model, 2)).toBe('(no name), shop, 1.00 ms, starts at 0 ns, not waited for');
});

test('gaps and groups say what they are', () => {
  expect(gapText(model, model.gaps[0]!)).toBe('15.0 ms unaccounted before SELECT orders');
  expect(rowLabel(model, gapRow(0))).toContain('starts at 5.00 ms');
  expect(rowLabel(model, groupRow(0))).toContain('one query per item (N+1)');
});

test('a name without an end has one', () => {
  expect(shownName(model, 3).length).toBe(301);
});

test('what is copied is the name as it was sent', () => {
  expect([wholeName(model, 3).length, wholeName(model, 2), wholeName(model, groupRow(0))]).toEqual([400, ' ', 'SELECT orders']);
  expect([wholeName(model, gapRow(0)), wholeName(model, NOTHING)]).toEqual(['15.0 ms unaccounted before SELECT orders', '']);
});

test('a badge says how many a row stands for, or how deep it is where indents end', () => {
  expect(badgeOf(model, groupRow(0), 1)).toEqual({ words: '1\u00d7 N+1', warns: true });
  expect(badgeOf(model, 1, 24)).toBeNull();
  expect(badgeOf(model, 1, 25)).toEqual({ words: 'level 25', warns: false });
});

test('every kind of row has a length', () => {
  expect([1, gapRow(0), groupRow(0)].map((code) => lengthOf(model, code))).toEqual(['412 ms', '15.0 ms', '3.00 ms']);
});
