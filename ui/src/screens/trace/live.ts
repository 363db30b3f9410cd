import { type ReadonlySignal, signal } from '@preact/signals';
import type { TraceSource } from '../../api/source';
import { parseTime } from '../../format/time';
import { type Model, buildModel } from './model';

/** How often a trace that may grow is asked for. */
const EVERY_MS = 2_000;
/** A trace whose newest span is older than this has most likely come to its end. */
const YOUNG_MS = 120_000;

/** A trace that is fetched, and fetched again while it is young and looked at. */
export interface Growth {
  model: ReadonlySignal<Model | null>;
  failure: ReadonlySignal<Error | null>;
  growing: ReadonlySignal<boolean>;
  stop(): void;
}

/** Fetches a trace and watches it grow. */
export function grow(source: TraceSource): Growth {
  const model = signal<Model | null>(null);
  const failure = signal<Error | null>(null);
  const growing = signal(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;

  const next = () => {
    clearTimeout(timer);
    growing.value = source.live && model.peek() !== null && isYoung(model.peek()!);
    // A hidden page asks for nothing; it asks at once when it is looked at again.
    if (!stopped && growing.value && !document.hidden) timer = setTimeout(ask, EVERY_MS);
  };
  const ask = async () => {
    try {
      const skeleton = await source.skeleton(model.peek()?.skeleton);
      if (stopped) return;
      if (skeleton && !isSame(model.peek(), skeleton)) model.value = buildModel(skeleton);
      failure.value = null;
    } catch (error) {
      if (stopped) return;
      failure.value = error as Error;
    }
    next();
  };
  const looked = () => {
    if (!document.hidden && growing.peek()) void ask();
  };
  document.addEventListener('visibilitychange', looked);
  void ask();
  return {
    model,
    failure,
    growing,
    stop() {
      stopped = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', looked);
    },
  };
}

function isYoung(model: Model): boolean {
  const last = Number(parseTime(model.skeleton.start) / 1_000_000n) + model.total / 1e6;
  return Math.abs(Date.now() - last) < YOUNG_MS;
}

/** A server that knows no versions sends the same again. */
function isSame(model: Model | null, skeleton: Model['skeleton']): boolean {
  return model !== null && model.skeleton.version !== undefined && model.skeleton.version === skeleton.version;
}
