import { expect, test } from 'vitest';
import { bytes, count, counted } from './count';

test('counts', () => {
  expect(count(12431)).toBe('12,431');
  expect(counted(1, 'span')).toBe('1 span');
  expect(counted(44, 'span')).toBe('44 spans');
});

test('bytes', () => {
  expect([bytes(0), bytes(1023), bytes(1024), bytes(189_792_256)]).toEqual(['0 B', '1023 B', '1.00 KiB', '181 MiB']);
});
