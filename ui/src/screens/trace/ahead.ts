import { type ReadonlySignal, effect, signal } from '@preact/signals';
import { address, setParams } from '../../route';

/** Changes of parameters; `null` removes one. */
export type Changes = Record<string, string | null>;
/** Whether a change is a step that "back" undoes, or one of many that are written together a moment later. */
export type How = 'push' | 'soon';

/**
 * The address's parameters, ahead of the address by a moment. Browsers refuse a page that writes its address at every key
 * and wheel tick, so changes show at once and are written when they pause.
 */
export interface Ahead {
  params: ReadonlySignal<URLSearchParams>;
  put(changes: Changes, how?: How): void;
  stop(): void;
}

/** How long changes may run ahead. */
const PAUSE_MS = 250;

/** Begins to run ahead of the address. */
export function runAhead(): Ahead {
  const params = signal(address.peek().params);
  let pending: Changes = {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  const { screen, traceId } = address.peek();

  const flush = (replace: boolean) => {
    clearTimeout(timer);
    timer = undefined;
    const changes = pending;
    pending = {};
    // The reader has left for another screen: what was on its way to this one's address is void.
    const now = address.peek();
    if (now.screen !== screen || now.traceId !== traceId) return;
    if (differs(now.params, changes)) setParams(changes, replace);
  };
  const stopFollowing = effect(() => {
    params.value = applied(address.value.params, pending);
  });
  return {
    params,
    put(changes, how = 'push') {
      if (!differs(params.peek(), changes)) return;
      if (how === 'push') {
        // What paused belongs to the step before this one.
        if (timer !== undefined) flush(true);
        pending = { ...changes };
        flush(false);
        return;
      }
      pending = { ...pending, ...changes };
      params.value = applied(params.peek(), changes);
      clearTimeout(timer);
      timer = setTimeout(() => flush(true), PAUSE_MS);
    },
    stop() {
      stopFollowing();
      if (timer !== undefined) flush(true);
    },
  };
}

function differs(params: URLSearchParams, changes: Changes): boolean {
  return Object.entries(changes).some(([name, value]) => params.get(name) !== value);
}

function applied(params: URLSearchParams, changes: Changes): URLSearchParams {
  const made = new URLSearchParams(params);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) made.delete(name);
    else made.set(name, value);
  }
  return made;
}
