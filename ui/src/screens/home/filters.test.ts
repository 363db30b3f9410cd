import { expect, test } from 'vitest';
import { completed, filtersOf, paramsOf, parseDraft, told, withFilter, written } from './filters';

const read = (text: string) => completed(parseDraft(text));

test('what is typed becomes a parameter of the search', () => {
  expect(read('service=checkout')).toEqual({ param: 'service', value: 'checkout' });
  expect(read(' Duration >= 1.5 s ')).toEqual({ param: 'minDurationMs', value: '1500' });
  expect(read('duration < 20')).toEqual({ param: 'maxDurationMs', value: '20' });
  expect(read('span duration > 912us')).toEqual({ param: 'minSpanDurationMs', value: '0.912' });
  expect(read('http.route=/a?b=c d')).toEqual({ param: 'attr.http.route', value: '/a?b=c d' });
  expect(read('attr.status=gone')).toEqual({ param: 'attr.status', value: 'gone' });
});

test('what is no filter says why', () => {
  expect(read('checkout')).toContain('service=checkout');
  expect(read('duration=3s')).toContain('>=');
  expect(read('duration>soon')).toContain('"soon"');
  expect(read('status=bad')).toContain('error, ok, unset');
  expect(read('service>=a')).toContain('=');
  expect(read('service=')).toContain('what?');
});

test('a filter survives being written and read', () => {
  for (const filter of [
    { param: 'service', value: 'a b' },
    { param: 'minDurationMs', value: '1200' },
    { param: 'maxSpanDurationMs', value: '0.5' },
    { param: 'attr.status', value: 'x=y' },
  ])
    expect(read(written(filter))).toEqual(filter);
});

test('filters live in the address', () => {
  const params = new URLSearchParams('since=1h&attr.a=1&service=x&service=y&zone=utc');
  const filters = filtersOf(params);
  expect(filters.map((one) => told(one).name)).toEqual(['service', 'service', 'a']);
  expect(paramsOf(filters.slice(1), params)).toEqual({ service: ['y'], 'attr.a': ['1'] });
  expect(paramsOf([], params)).toEqual({ service: null, 'attr.a': null });
});

test('services add up, anything else is replaced', () => {
  const filters = [
    { param: 'service', value: 'a' },
    { param: 'status', value: 'ok' },
  ];
  expect(withFilter(filters, { param: 'service', value: 'b' })).toHaveLength(3);
  expect(withFilter(filters, { param: 'service', value: 'a' })).toHaveLength(2);
  expect(withFilter(filters, { param: 'status', value: 'error' })).toEqual([filters[0], { param: 'status', value: 'error' }]);
});
