import { useEffect, useRef, useState } from 'preact/hooks';
import { address } from '../route';
import { Problem } from './client';

/** What is known of a question: its last answer, also while the next one is awaited. */
export interface Answer<T> {
  value: T | null;
  error: Problem | null;
  loading: boolean;
}

/**
 * Asks whenever the key changes; `null` asks nothing. The answer before stays until the next is here, so that nothing
 * flickers.
 */
export function useAnswer<T>(key: string | null, load: (signal: AbortSignal) => Promise<T>): Answer<T> {
  const [answer, setAnswer] = useState<Answer<T>>({ value: null, error: null, loading: key !== null });
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    if (key === null) return setAnswer({ value: null, error: null, loading: false });
    const abort = new AbortController();
    setAnswer((before) => (before.loading ? before : { ...before, loading: true }));
    latest.current(abort.signal).then(
      (value) => abort.signal.aborted || setAnswer({ value, error: null, loading: false }),
      (error: unknown) => abort.signal.aborted || setAnswer((before) => ({ ...before, error: asProblem(error), loading: false })),
    );
    return () => abort.abort();
  }, [key]);
  return answer;
}

/** Asks now, and again each time so many milliseconds have passed since the last answer, while the page is seen. */
export function usePoll(millis: number, load: (signal: AbortSignal) => Promise<void>, key = ''): void {
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    const next = () => {
      clearTimeout(timer);
      if (!abort.signal.aborted && !document.hidden) timer = window.setTimeout(run, millis);
    };
    const run = () =>
      void latest
        .current(abort.signal)
        .catch(() => undefined)
        .then(next);
    const seen = () => !document.hidden && run();
    run();
    document.addEventListener('visibilitychange', seen);
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
    };
  }, [millis, key]);
}

/** Any failure as a problem, so that it can be shown. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, 'Something failed here', error instanceof Error ? error.message : String(error), null);
}

/** Adds the tenant of the address to a question. */
export function withTenant(params: URLSearchParams = new URLSearchParams()): URLSearchParams {
  const tenant = address.value.params.get('tenant');
  if (!tenant || params.has('tenant')) return params;
  const all = new URLSearchParams(params);
  all.set('tenant', tenant);
  return all;
}
