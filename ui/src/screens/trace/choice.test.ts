import { expect, test } from 'vitest';
import { NOTHING, addressOfRow, clamp, guilty, rowOfAddress, spansOf, toggled, windowOf } from './choice';
import { buildModel } from './model';
import { gapRow, groupRow } from './rows';
import { group, idAt, skeletonOf } from './testing';

const SHOP = skeletonOf([[0, 'GET', 0, 10], [1, 'SELECT', 1, 2], [1, 'SELECT', 4, 4]], { groups: [group(0, [1, 2], 'SELECT')] });
SHOP.thread.gaps = [{ span: 0, fromNanos: 8e6, toNanos: 10e6 }];
const model = buildModel(SHOP);

test('a row survives the address', () => {
  for (const code of [0, 2, gapRow(0), groupRow(0)]) {
    const { span, gap, group: first } = addressOfRow(model, code) as Record<string, string | null>;
    expect(rowOfAddress(model, span!, gap!, first!)).toBe(code);
  }
  expect(rowOfAddress(model, 'e'.repeat(16), '5', 'e'.repeat(16))).toBe(NOTHING);
});

test('folded spans survive the address, and those that are not here are left out', () => {
  expect([...spansOf(model, `${idAt(1)}.${'e'.repeat(16)}.${idAt(2)}`)]).toEqual([1, 2]);
  expect(toggled(model, new Set([1, 2]), 1)).toBe(idAt(2));
  expect(toggled(model, new Set([1]), 1)).toBeNull();
});

test('a window stays on the axis', () => {
  expect(clamp(-5, 20, 100)).toEqual({ from: 0, to: 100 });
  expect(clamp(50e6, 250e6, 100e6)).toEqual({ from: 0, to: 100e6 });
  expect(clamp(90e6, 110e6, 100e6)).toEqual({ from: 80e6, to: 100e6 });
  expect(windowOf('2000000,5000000', model)).toEqual({ from: 2e6, to: 5e6 });
  expect(windowOf('nonsense', model)).toEqual(model.home);
});

test('without a bottleneck the root is chosen', () => {
  expect(guilty(model, true)).toBe(0);
  expect(guilty(buildModel(skeletonOf([])), true)).toBe(NOTHING);
});
