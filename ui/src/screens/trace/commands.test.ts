import { computed, signal } from '@preact/signals';
import { expect, test } from 'vitest';
import { NOTHING, spanOfRow } from './choice';
import { alongThread, chosenRow, fit, fold, keepInWindow, nextOf, pan, step, unfold, zoom } from './commands';
import { buildModel, nameOf } from './model';
import { buildRows, gapRow, groupRow } from './rows';
import type { TraceState } from './state';
import { group, idAt, segment, segments, skeletonOf } from './testing';

const SHOP = skeletonOf(
  [
    [0, 'checkout', 0, 100],
    [1, 'cart', 5, 20],
    [2, 'HGET', 6, 10],
    [1, 'charge', 70, 25],
    [1, 'mail', 95, 1],
    [1, 'mail', 97, 1],
  ],
  { groups: [group(0, [4, 5], 'mail')] },
);
SHOP.thread.segments = segments([segment(0, 0, 5), segment(1, 5, 6), segment(2, 6, 16), segment(1, 16, 25), segment(0, 25, 70, 'gap'), segment(3, 70, 95), segment(0, 95, 100)]);
SHOP.thread.gaps = [{ span: 0, spanId: idAt(0), fromNanos: 25e6, toNanos: 70e6, beforeSpanId: idAt(1), afterSpanId: idAt(3) }];
const model = buildModel(SHOP);

/** A state that keeps what it is told, without an address. */
function stateAt(code: number) {
  const chosen = signal(code);
  const collapsed = signal<ReadonlySet<number>>(new Set());
  const openGroups = signal<ReadonlySet<number>>(new Set());
  const window = signal({ from: 0, to: 100e6 });
  const rows = computed(() => buildRows(model, { collapsed: collapsed.value, openGroups: openGroups.value, gaps: true, groups: true, threadOnly: false }));
  const state = {
    model: signal(model), rows, chosen, collapsed, openGroups, window,
    gaps: signal(true),
    selected: computed(() => spanOfRow(model, chosen.value)),
    choose: (wanted: number) => {
      chosen.value = wanted;
    },
    toggle: (wanted: number) => {
      const [set, key] = wanted >= 0 ? [collapsed, wanted] : [openGroups, 0];
      const changed = new Set(set.value);
      if (!changed.delete(key)) changed.add(key);
      set.value = changed;
    },
    show: (from: number, to: number) => {
      window.value = { from, to };
    },
  };
  return state as unknown as TraceState & typeof state;
}

test('rows are gone through one by one, and not beyond the ends', () => {
  const state = stateAt(0);
  const seen = [state.chosen.value];
  for (let at = 0; at < 7; at++) {
    step(state, 1);
    seen.push(state.chosen.value);
  }
  expect(seen).toEqual([0, 1, 2, gapRow(0), 3, groupRow(0), groupRow(0), groupRow(0)]);
  step(state, -99);
  expect(state.chosen.value).toBe(0);
});

test('folding hides what lies below, then goes to the parent', () => {
  const state = stateAt(2);
  fold(state);
  expect(state.chosen.value).toBe(1);
  fold(state);
  expect([...state.collapsed.value]).toEqual([1]);
  fold(state);
  expect(state.chosen.value).toBe(0);
  state.choose(1);
  unfold(state);
  expect(state.collapsed.value.size).toBe(0);
  unfold(state);
  expect(state.chosen.value).toBe(2);
});

test('a group opens as a span does', () => {
  const state = stateAt(groupRow(0));
  unfold(state);
  expect(chosenRow(state)).toBe(5);
  unfold(state);
  expect(state.chosen.value).toBe(4);
  fold(state);
  expect(state.chosen.value).toBe(groupRow(0));
});

test('along the thread and back, over a gap', () => {
  const state = stateAt(0);
  // The longest piece of the root that is no gap is where it begins.
  const seen: string[] = [];
  for (let at = 0; at < 8; at++) {
    alongThread(state, 1);
    const code = state.chosen.value;
    seen.push(code === gapRow(0) ? 'gap' : nameOf(model, code));
  }
  expect(seen).toEqual(['cart', 'HGET', 'cart', 'gap', 'charge', 'checkout', 'checkout', 'checkout']);
  alongThread(state, -1);
  expect(state.chosen.value).toBe(3);
});

test('the next of some goes round', () => {
  const state = stateAt(1);
  const seen = [0, 1, 2].map(() => (nextOf(state, [0, 3, 5], 1), state.chosen.value));
  expect(seen).toEqual([3, 5, 0]);
  nextOf(state, [0, 3, 5], -1);
  expect(state.chosen.value).toBe(5);
  expect(nextOf(state, [], 1)).toBe(false);
});

test('zoom keeps what it is around in its place', () => {
  const state = stateAt(3);
  zoom(state, 0.5, 20e6);
  expect(state.window.value).toEqual({ from: 10e6, to: 60e6 });
  pan(state, 0.2);
  expect(state.window.value).toEqual({ from: 20e6, to: 70e6 });
  keepInWindow(state, { from: 80e6, to: 90e6 });
  expect(state.window.value).toEqual({ from: 60e6, to: 110e6 });
  fit(state);
  expect(state.window.value).toEqual({ from: 68e6, to: 99e6 });
});

test('nothing chosen is no row', () => {
  expect(chosenRow(stateAt(NOTHING))).toBe(-1);
});
