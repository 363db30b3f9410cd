import { effect, type ReadonlySignal, signal } from '@preact/signals';
import type { Details } from '../../../api/source';
import { idOf } from '../model';
import type { TraceState } from '../state';

/** What is known about the selected span beyond the skeleton. */
export interface Loaded {
  /** The span that `details` or `failure` is about. */
  spanId: string;
  details: Details | null;
  failure: Error | null;
}

/** Answers that are kept, so that going back and forth asks once. Values may be long, so they are few. */
const KEPT_MAX = 24;

/**
 * Follows the selection with one question at a time: while a key is held down, spans that were passed are not asked for.
 */
export function follow(state: TraceState): ReadonlySignal<Loaded | null> & { stop(): void } {
  const loaded = signal<Loaded | null>(null);
  const kept = new Map<string, Details>();
  let keptOf = '';
  /** The span that is selected: an answer about another one came too late to be shown. */
  let current: string | null = null;
  let wanted: string | null = null;
  let isAsking = false;
  let isStopped = false;

  const ask = async () => {
    if (isAsking) return;
    isAsking = true;
    while (wanted !== null && !isStopped) {
      const spanId = wanted;
      wanted = null;
      const version = keptOf;
      let answer: Loaded;
      try {
        const details = await state.source.details(spanId);
        if (version === keptOf) {
          kept.set(spanId, details);
          if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value!);
        }
        answer = { spanId, details, failure: null };
      } catch (error) {
        answer = { spanId, details: null, failure: error as Error };
      }
      if (spanId === current) loaded.value = answer;
    }
    isAsking = false;
  };
  const stop = effect(() => {
    const model = state.model.value;
    const selected = state.selected.value;
    if (!model || selected < 0 || !state.detailsOpen.value) return;
    const { version, clock } = model.skeleton;
    if (keptOf !== `${version} ${clock}`) {
      keptOf = `${version} ${clock}`;
      kept.clear();
    }
    const spanId = idOf(model, selected);
    current = spanId;
    const known = kept.get(spanId);
    if (known) {
      wanted = null;
      loaded.value = { spanId, details: known, failure: null };
      return;
    }
    wanted = spanId;
    void ask();
  });
  return Object.assign(loaded, {
    stop() {
      isStopped = true;
      stop();
    },
  });
}
