import { signal } from '@preact/signals';
import type { SearchAnswer, Summary, Total } from '../../api/shapes';
import { asProblem, withTenant } from '../../api/answer';
import { ask, type Problem } from '../../api/client';
import { parseTime, rfc3339 } from '../../format/time';

const PAGE = 50;

/** The traces that meet a question: pages as far as they were asked for, and how many came since. */
export class TraceList {
  readonly rows = signal<Summary[] | null>(null);
  readonly total = signal<Total | null>(null);
  readonly incomplete = signal<string | null>(null);
  readonly error = signal<Problem | null>(null);
  readonly isLoading = signal(false);
  readonly hasMore = signal(false);
  /** Traces that came after the list was made. */
  readonly fresh = signal<Total | null>(null);

  #question = new URLSearchParams();
  #cursor: string | null = null;
  #newest: string | null = null;
  #abort = new AbortController();

  /** Asks a question from its beginning. The rows before stay until the answer is here. */
  async open(question: URLSearchParams): Promise<void> {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#question = question;
    this.#cursor = null;
    this.fresh.value = null;
    await this.#load([]);
  }

  /** Fetches the next page. */
  async more(): Promise<void> {
    if (this.isLoading.value || this.#cursor === null) return;
    await this.#load(this.rows.value ?? []);
  }

  /** Takes the list up again after it was left. */
  resume(): void {
    this.#abort = new AbortController();
    this.isLoading.value = false;
  }

  /** Leaves the list. */
  close(): void {
    this.#abort.abort();
  }

  async #load(before: Summary[]): Promise<void> {
    const { signal } = this.#abort;
    const params = new URLSearchParams(this.#question);
    params.set('limit', String(PAGE));
    params.set('silhouette', 'true');
    if (this.#cursor !== null) {
      params.set('cursor', this.#cursor);
      params.set('total', 'none');
    }
    this.isLoading.value = true;
    this.error.value = null;
    try {
      const page = await ask<SearchAnswer>('v1/traces/search', withTenant(params), { signal });
      if (before.length === 0) {
        this.total.value = page.total ?? null;
        this.#newest = await this.#newestStart(page, signal);
      }
      // A trace that grew may come again behind the cursor; its row stays where it is.
      const known = new Set(before.map((one) => one.traceId));
      this.rows.value = [...before, ...page.traces.filter((one) => !known.has(one.traceId))];
      this.incomplete.value = page.incomplete?.detail ?? null;
      this.#cursor = page.cursor ?? null;
      this.hasMore.value = this.#cursor !== null;
    } catch (error) {
      if (signal.aborted) return;
      this.error.value = asProblem(error);
      if (before.length === 0) this.#empty();
    }
    this.isLoading.value = false;
  }

  #empty(): void {
    this.rows.value = null;
    this.total.value = null;
    this.hasMore.value = false;
    this.#newest = null;
  }

  /** The newest start of all that matches, whatever the order of the list. */
  async #newestStart(page: SearchAnswer, signal: AbortSignal): Promise<string | null> {
    const sort = this.#question.get('sort') ?? '-start';
    if (page.traces.length === 0 || sort === '-start') return page.traces[0]?.start ?? null;
    const params = new URLSearchParams(this.#question);
    for (const [name, value] of [
      ['sort', '-start'],
      ['limit', '1'],
      ['total', 'none'],
    ] as const)
      params.set(name, value);
    const newest = await ask<SearchAnswer>('v1/traces/search', withTenant(params), { signal });
    return newest.traces[0]?.start ?? null;
  }

  /** Counts what came since; the list itself does not move. */
  async poll(signal: AbortSignal): Promise<void> {
    if (this.rows.value === null || this.isLoading.value) return;
    const params = new URLSearchParams(this.#question);
    params.set('limit', '1');
    if (this.#newest !== null) {
      params.delete('since');
      params.set('from', rfc3339(parseTime(this.#newest) + 1n));
    }
    const asked = this.#question;
    const page = await ask<SearchAnswer>('v1/traces/search', withTenant(params), { signal });
    if (asked === this.#question && !this.isLoading.value)
      this.fresh.value = page.total && page.total.value > 0 ? page.total : null;
  }
}
