import { type ReadonlySignal, effect, signal } from '@preact/signals';
import type { TraceSource } from '../../api/source';
import type { Model } from './model';

/** What was found. */
export interface Found {
  /** What was looked for. */
  text: string;
  /** Positions of the spans in which it occurs, ascending. */
  spans: Int32Array;
  /** Why nothing could be looked for. */
  failure: Error | null;
}

/** How long typing may pause before it is looked for. */
const PAUSE_MS = 80;

/** Looks for what the address's `find` says, whenever it or the trace changes. */
export function findIn(
  source: TraceSource,
  params: ReadonlySignal<URLSearchParams>,
  model: ReadonlySignal<Model | null>,
): ReadonlySignal<Found | null> & { stop(): void } {
  const found = signal<Found | null>(null);
  const stop = effect(() => {
    const text = (params.value.get('find') ?? '').trim();
    if (!model.value) return;
    if (text === '') {
      found.value = null;
      return;
    }
    if (wasFoundIn.get(found) === model.value && found.peek()?.text === text) return;
    const now = model.value;
    const controller = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const spans = Int32Array.from(await source.find(text, controller.signal));
        if (controller.signal.aborted) return;
        wasFoundIn.set(found, now);
        found.value = { text, spans, failure: null };
        performance.mark('clew:find');
      } catch (error) {
        if (controller.signal.aborted) return;
        found.value = { text, spans: new Int32Array(0), failure: error as Error };
      }
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  });
  return Object.assign(found, { stop });
}

/** Which state of the trace an answer is about: a trace that grew is looked through again. */
const wasFoundIn = new WeakMap<object, Model>();
