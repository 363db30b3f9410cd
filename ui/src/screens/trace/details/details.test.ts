import { expect, test } from 'vitest';
import { parseTime } from '../../../format/time';
import { buildModel } from '../model';
import { segment, segments, skeletonOf } from '../testing';
import { homeParams } from './filter';
import { byKind } from './groups';
import { flagsInWords, oddities } from './sentences';
import { lengthOf, shareOf, shareOfEach } from './share';

test('a span has its pieces of the thread, and those of what it called', () => {
  const start = '2026-11-20T09:00:00.000000000Z';
  const pieces = [segment(0, 0, 2), segment(1, 2, 3, 'transit'), segment(2, 3, 8), segment(1, 8, 9, 'gap'), segment(0, 9, 10)];
  const model = buildModel(
    skeletonOf([[0, 'root', 0, 10], [1, 'call', 2, 7], [2, 'serve', 3, 5], [1, 'other', 2, 1]], {
      thread: { sentence: '', start, totalNanos: 10e6, segments: segments(pieces), gaps: [] },
    }),
  );
  expect(shareOf(model, model.thread, 1)).toEqual({ self: 0, gap: 1e6, wait: 0, transit: 1e6, own: 2e6, withBelow: 7e6 });
  expect(shareOf(model, model.thread, 3).withBelow).toBe(0);
  expect([...shareOfEach(model, model.thread)]).toEqual([3e6, 2e6, 5e6, 0]);
  expect(lengthOf(model.thread)).toBe(10e6);
  expect(lengthOf(model.tail)).toBe(0);
});

test('many attributes are put under their subjects, few are not', () => {
  const attributes = ['app.a', 'http.request.method', 'db.namespace', 'url.full', 'server.port', 'error.type', 'app.b'].map((key) => ({ key, type: 'string', value: '' }));
  const keys = byKind(attributes).map(({ name, attributes }) => [name, attributes.map((one) => one.key)]);
  expect(keys).toEqual([
    ['', ['app.a', 'app.b']],
    ['Error', ['error.type']],
    ['HTTP', ['http.request.method', 'url.full']],
    ['Database', ['db.namespace']],
    ['Network', ['server.port']],
  ]);
  expect(byKind(attributes.slice(0, 3))).toHaveLength(1);
});

test('what is odd is said in sentences', () => {
  expect(oddities({ marks: ['orphan'], notes: ['value_cut'], droppedAttributesCount: 1, droppedEventsCount: 0, droppedLinksCount: 3 })).toEqual([
    'Its parent is named but was not received, so it stands at the top.',
    'A value was longer than this server keeps and was cut (limits.value_bytes).',
    '1 attribute and 3 links were left out, by the sender or here.',
  ]);
  expect(oddities({ droppedEventsCount: 1 })).toEqual(['1 event was left out, by the sender or here.']);
  expect(oddities({ marks: ['of_a_later_version'] })).toEqual(['Marked as of_a_later_version.']);
  expect(oddities({})).toEqual([]);
});

test('flags in words', () => {
  expect(flagsInWords(0x101)).toBe('sampled, parent in the same process');
  expect(flagsInWords(0x302)).toBe('not sampled, random trace id, parent in another process');
});

test('a filter keeps the trace in its time range', () => {
  const start = parseTime('2026-11-20T09:00:00.000000000Z');
  const minute = 60_000_000_000n;
  const range = (minutes: bigint) => homeParams([['attr.k', 'v']], start, start + minutes * minute).toString();
  expect(range(5n)).toBe('attr.k=v&since=1h');
  expect(range(90n)).toBe('attr.k=v&since=3h');
  expect(range(600n)).toBe('attr.k=v&since=24h');
  expect(range(3000n)).toBe('attr.k=v&from=2026-11-20T08%3A00%3A00.000000000Z&to=2026-11-20T10%3A00%3A00.000000000Z');
});
