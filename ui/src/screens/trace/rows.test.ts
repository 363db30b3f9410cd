import { expect, test } from 'vitest';
import { type Model, buildModel, nameOf } from './model';
import { type Folding, type Rows, buildRows, gapRow, groupRow, isOpen, rowGap, rowGroup, rowService, shownSpan } from './rows';
import { group, idAt, randomSkeleton, segment, segments, skeletonOf } from './testing';

const OPEN: Folding = { collapsed: new Set(), groups: true, openGroups: new Set(), gaps: true, threadOnly: false };

/** The rows as text: indentation, then what each is. */
function drawn(model: Model, rows: Rows): string[] {
  return Array.from(rows.codes.subarray(0, rows.count), (code, row) => {
    const what = code >= 0 ? nameOf(model, code) : rowGroup(code) >= 0 ? `group ${rowGroup(code)}` : `gap ${rowGap(code)}`;
    return `${'.'.repeat(rows.levels[row]!)}${what}`;
  });
}

const SHOP = skeletonOf([
  [0, 'checkout', 0, 100],
  [1, 'SELECT', 5, 1],
  [1, 'log', 6, 1],
  [1, 'SELECT', 7, 2],
  [2, 'parse', 7, 1],
  [1, 'SELECT', 9, 1],
  [1, 'charge', 70, 25],
], { groups: [group(0, [1, 3, 5], 'SELECT')] });
SHOP.thread.segments = segments([segment(0, 0, 70), segment(6, 70, 95), segment(0, 95, 100)]);
SHOP.thread.gaps = [
  { span: 0, fromNanos: 10e6, toNanos: 70e6, beforeSpanId: idAt(5), afterSpanId: idAt(6) },
  { span: 6, fromNanos: 80e6, toNanos: 95e6 },
  { span: 0, fromNanos: 95e6, toNanos: 100e6, beforeSpanId: idAt(6) },
];
const model = buildModel(SHOP);

test('repeated siblings are gathered, gaps lie where the time went', () => {
  expect(drawn(model, buildRows(model, OPEN))).toEqual([
    'checkout', '.group 0', '.log', '.gap 0', '.charge', '..gap 1', '.gap 2',
  ]);
});

test('an open group holds its members, one level down, with what lies under them', () => {
  const rows = buildRows(model, { ...OPEN, openGroups: new Set([0]) });
  expect(drawn(model, rows)).toEqual([
    'checkout', '.group 0', '..SELECT', '..SELECT', '...parse', '..SELECT', '.log', '.gap 0', '.charge', '..gap 1', '.gap 2',
  ]);
  expect([...rows.rowOf]).toEqual([0, 2, 6, 3, 4, 5, 8]);
});

test('each can be switched off', () => {
  const rows = buildRows(model, { ...OPEN, groups: false, gaps: false });
  expect(drawn(model, rows)).toEqual(['checkout', '.SELECT', '.log', '.SELECT', '..parse', '.SELECT', '.charge']);
});

test('what is folded away is shown by the row it is folded into', () => {
  expect([...buildRows(model, OPEN).rowOf]).toEqual([0, 1, 2, 1, 1, 1, 4]);
  const rows = buildRows(model, { ...OPEN, collapsed: new Set([0]) });
  expect([rows.count, ...rows.rowOf]).toEqual([1, 0, 0, 0, 0, 0, 0, 0]);
  expect([...rows.rowOfGap]).toEqual([-1, -1, -1]);
});

test('only what leads to the thread', () => {
  expect(drawn(model, buildRows(model, { ...OPEN, threadOnly: true, gaps: false }))).toEqual(['checkout', '.charge']);
});

test('a row knows its parent, which child it is, and of how many', () => {
  const rows = buildRows(model, OPEN);
  expect([...rows.parents.subarray(0, rows.count)]).toEqual([-1, 0, 0, 0, 0, 4, 0]);
  expect([...rows.ordinals.subarray(0, rows.count)]).toEqual([1, 1, 2, 3, 4, 1, 5]);
  expect([rows.childCounts[0], rows.childCounts[1], rows.childCounts[5]]).toEqual([1, 5, 1]);
});

test('groups in groups', () => {
  const nested = buildModel(skeletonOf([
    [0, 'root', 0, 9], [1, 'page', 0, 2], [2, 'row', 0, 1], [2, 'row', 1, 1], [1, 'page', 2, 2], [2, 'row', 2, 1],
  ], { groups: [group(0, [1, 4], 'page'), group(1, [2, 3], 'row')] }));
  expect(drawn(nested, buildRows(nested, OPEN))).toEqual(['root', '.group 0']);
  expect(drawn(nested, buildRows(nested, { ...OPEN, openGroups: new Set([0, 1]) }))).toEqual([
    'root', '.group 0', '..page', '...group 1', '....row', '....row', '..page', '...row',
  ]);
});

test('100 k spans take milliseconds', () => {
  const big = buildModel(randomSkeleton(100_000));
  buildRows(big, OPEN);
  const begin = performance.now();
  expect(buildRows(big, OPEN).count).toBe(100_000);
  expect(performance.now() - begin).toBeLessThan(300);
});

test('a row shows a span: its own, the first of its group, of a gap none', () => {
  expect([4, groupRow(0), gapRow(1)].map((code) => shownSpan(model, code))).toEqual([4, 1, -1]);
});

test('spans are open until they are folded, groups are folded until they are opened', () => {
  expect([0, groupRow(0)].map((code) => isOpen(OPEN, code))).toEqual([true, false]);
  const other = { collapsed: new Set([0]), openGroups: new Set([0]) };
  expect([0, groupRow(0)].map((code) => isOpen(other, code))).toEqual([false, true]);
});

test('a service is named where it is another than above', () => {
  const two = skeletonOf([[0, 'GET', 0, 9], [1, 'SELECT', 1, 2], [1, 'call', 4, 2], [2, 'serve', 4, 1]]);
  two.services = ['shop', 'stock'];
  two.spans.services = [0, 0, 1, 1];
  const made = buildModel(two);
  const rows = buildRows(made, OPEN);
  expect([0, 1, 2, 3].map((row) => rowService(made, rows, row))).toEqual([0, -1, 1, -1]);
});
