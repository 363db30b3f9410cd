import { expect, test } from 'vitest';
import { ASYNC, FAILED, GAP, LEADS_TO_THREAD, NOTED, ON_THREAD, ORIGIN, buildModel, has, idOf, nameOf, positionOf } from './model';
import { idAt, randomSkeleton, segment, segments, skeletonOf } from './testing';

const SHOP = skeletonOf(
  [
    [0, 'checkout', 0, 100],
    [1, 'cart', 5, 20],
    [2, 'HGET', 6, 10],
    [1, 'charge', 70, 25],
    [1, 'mail', 96, 30],
  ],
  { marks: { async: [4] }, errorOrigin: 3, events: { spans: [3, 0, 3], offsets: [71e6, 1e6, 72e6], names: [0, 0, 0], exceptions: [2] } },
);
SHOP.spans.errors = [0, 3];
SHOP.thread.segments = segments([segment(0, 0, 25), segment(0, 25, 70, 'gap'), segment(3, 70, 95), segment(0, 95, 100)]);
SHOP.thread.gaps = [{ span: 0, spanId: idAt(0), fromNanos: 25e6, toNanos: 70e6, beforeSpanId: idAt(1), afterSpanId: idAt(3) }];
SHOP.thread.asyncTail = { start: '2026-11-20T09:00:00.100Z', totalNanos: 26e6, segments: segments([segment(4, 0, 26)]), gaps: [] };

test('a tree is told by depths and the ends of subtrees', () => {
  const model = buildModel(SHOP);
  expect([...model.depths]).toEqual([0, 1, 2, 1, 1]);
  expect([...model.ends]).toEqual([5, 3, 3, 4, 5]);
  expect([...model.childCounts]).toEqual([3, 1, 0, 0, 0]);
  expect(model.lastEnds[0]).toBe(126e6);
  expect(model.total).toBe(126e6);
});

test('what the analysis says becomes flags', () => {
  const model = buildModel(SHOP);
  expect(has(model, 3, FAILED) && has(model, 3, ORIGIN) && !has(model, 0, ORIGIN)).toBe(true);
  expect(has(model, 4, ASYNC) && has(model, 4, NOTED)).toBe(true);
  expect([0, 1, 2, 3, 4].filter((at) => has(model, at, ON_THREAD))).toEqual([0, 3, 4]);
  expect([0, 1, 2, 3, 4].filter((at) => has(model, at, LEADS_TO_THREAD))).toEqual([0, 3, 4]);
});

test('the thread, its gaps and its tail count from the start of the skeleton', () => {
  const model = buildModel(SHOP);
  expect([...model.thread.kinds]).toEqual([0, GAP, 0, 0]);
  expect([model.tail.from[0], model.tail.to[0], model.tailStart]).toEqual([100e6, 126e6, 100e6]);
  expect(model.gaps).toEqual([{ from: 25e6, to: 70e6, span: 0, before: 1, after: 3, inTail: false }]);
});

test('events are found by their span', () => {
  const model = buildModel(SHOP);
  expect([...model.eventOrder.slice(model.eventsFrom[3], model.eventsFrom[4])]).toEqual([0, 2]);
  expect([...model.eventOrder.slice(model.eventsFrom[0], model.eventsFrom[1])]).toEqual([1]);
});

test('spans are found by id, by few questions and by many', () => {
  const model = buildModel(SHOP);
  for (let round = 0; round < 4; round++) for (let at = 0; at < 5; at++) expect(positionOf(model, idOf(model, at))).toBe(at);
  expect(positionOf(model, 'e'.repeat(16))).toBe(-1);
  expect(nameOf(model, 3)).toBe('charge');
});

test('an answer of an older server, without marks, groups and events, is drawn', () => {
  const { marks, notes, groups, events, links, errorOrigin, ...old } = SHOP;
  void [marks, notes, groups, events, links, errorOrigin];
  expect(buildModel(old as typeof SHOP).count).toBe(5);
});

test('a parent that comes later, as no tree has it, makes a root', () => {
  const odd = skeletonOf([[0, 'a', 0, 1], [0, 'b', 0, 1]]);
  odd.spans.parents = [1, 0];
  const model = buildModel(odd);
  expect([...model.parents]).toEqual([-1, 0]);
  expect([...model.ends]).toEqual([2, 2]);
});

test('a span of 1970 does not make the others vanish', () => {
  const odd = skeletonOf([[0, 'a', 0, 1], [0, 'b', 1e12, 1]]);
  odd.summary.start = '2058-07-29T10:46:40.000Z';
  odd.summary.durationNanos = 1e6;
  const model = buildModel(odd);
  expect(model.home.to - model.home.from).toBeLessThan(1e12);
});

test('100 k spans take milliseconds', () => {
  const skeleton = randomSkeleton(100_000);
  buildModel(skeleton);
  const begin = performance.now();
  const model = buildModel(skeleton);
  // Ten times what it takes on a slow machine: it tells a square from a line.
  expect(performance.now() - begin).toBeLessThan(300);
  expect(model.count).toBe(100_000);
});
