import { signal } from '@preact/signals';
import { expect, test } from 'vitest';
import type { Details, TraceSource } from '../../../api/source';
import { buildModel } from '../model';
import type { TraceState } from '../state';
import { idAt, skeletonOf } from '../testing';
import { follow } from './load';

test('an answer about a span that was left does not take the place of the one that is shown', async () => {
  const answers = new Map<string, (details: Details) => void>();
  const details = (spanId: string) => new Promise<Details>((resolve) => answers.set(spanId, resolve));
  const selected = signal(0);
  const state = {
    model: signal(buildModel(skeletonOf([[0, 'a', 0, 10], [1, 'b', 1, 2]]))),
    selected,
    detailsOpen: signal(true),
    source: { details } as Partial<TraceSource>,
  } as unknown as TraceState;
  const about = (at: number) => ({ span: { spanId: idAt(at) } }) as Details;
  const told = async (at: number) => {
    answers.get(idAt(at))!(about(at));
    await new Promise((resolve) => setTimeout(resolve));
  };
  const loaded = follow(state);
  await told(0);
  selected.value = 1;
  // Back to what is known, before the answer about the other one is there.
  selected.value = 0;
  await told(1);
  expect(loaded.value?.spanId).toBe(idAt(0));
  loaded.stop();
});
