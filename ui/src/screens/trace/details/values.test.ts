import { expect, test } from 'vitest';
import { allOf, filterOf, folded, formatted, pieces, tell } from './values';

const string = (value: string, key = 'k') => ({ key, type: 'string', value });

test('values are told by their type', () => {
  expect(tell(string('hello'))).toMatchObject({ text: 'hello', look: 'text' });
  expect(tell(string(''))).toMatchObject({ look: 'empty', raw: '' });
  expect(tell({ key: 'k', type: 'bool', value: false })).toMatchObject({ text: 'false', look: 'bool' });
  expect(tell({ key: 'k', type: 'int', value: '9007199254740993' })).toMatchObject({ text: '9007199254740993', look: 'number' });
  expect(tell({ key: 'http.response.body.size', type: 'int', value: 2048 }).hint).toBe('2.00 KiB');
  expect(tell({ key: 'k', type: 'bytes', value: 'c0ffee' })).toMatchObject({ look: 'bytes', hint: '3 B' });
  expect(tell({ key: 'k', type: 'empty', value: null })).toMatchObject({ look: 'empty' });
  expect(tell({ key: 'k', type: 'array', value: [1, 'two'] })).toMatchObject({ look: 'json', raw: '[1,"two"]' });
});

test('JSON within text is formatted, anything else is left alone', () => {
  expect(formatted('{"a":1}')).toBe('{"a":1}');
  expect(formatted(JSON.stringify({ items: Array.from({ length: 20 }, (_, at) => at * 1000) }))).toContain('\n  "items": [');
  expect(formatted('{not json}')).toBeNull();
  expect(formatted('42')).toBeNull();
  expect(tell(string('[1, 2]')).raw).toBe('[1, 2]');
});

test('long text is folded, short text is not', () => {
  expect(folded('short')).toBeNull();
  expect(folded('x'.repeat(600))).toBeNull();
  expect(folded('x'.repeat(601))).toBe(`${'x'.repeat(600)} \u2026`);
  expect(folded('line\n'.repeat(13))).toBe(`${'line\n'.repeat(11)}line \u2026`);
});

test('a fold shows what was looked for', () => {
  const text = `${'x'.repeat(5000)}needle${'y'.repeat(5000)}`;
  expect(folded(text, 'NEEDLE')).toContain('needle');
  expect(folded(text, 'absent')).not.toContain('needle');
});

test('a fold does not cut a character in two', () => {
  const text = `${'x'.repeat(599)}\u{1f9f6}${'x'.repeat(50)}`;
  expect(folded(text)).toBe(`${'x'.repeat(599)} \u2026`);
});

test('the button says how much there is', () => {
  expect(allOf('x'.repeat(700))).toBe('show all 700 characters');
  expect(allOf('x'.repeat(64_000))).toBe('show all 64.0 kB');
  expect(allOf('x'.repeat(1_000_000))).toBe('show all 1.0 MB');
});

test('filters are offered for what a search can find', () => {
  expect(filterOf(string('v', 'app.user'))).toEqual(['attr.app.user', 'v']);
  expect(filterOf(string('cart', 'service.name'))).toEqual(['service', 'cart']);
  expect(filterOf({ key: 'n', type: 'int', value: 7 })).toEqual(['attr.n', '7']);
  expect(filterOf({ key: 'l', type: 'array', value: [1] })).toBeNull();
  expect(filterOf(string('x'.repeat(2000)))).toBeNull();
});

test('characters that cannot be seen are named', () => {
  expect(pieces('plain')).toEqual(['plain']);
  expect(pieces('a\u202eb\u200b')).toEqual(['a', { unseen: 'U+202E' }, 'b', { unseen: 'U+200B' }]);
  expect(pieces('tab\tand\nline')).toEqual(['tab\tand\nline']);
});
