import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Total } from '../../api/shapes';
import type { Problem } from '../../api/client';
import { count, counted } from '../../format/count';
import { useKeys } from '../../parts/keys';
import { ProblemNote } from '../../parts/problem';
import { Row } from './row';
import type { TraceList } from './trace-list';

interface Props {
  list: TraceList;
  /** What is shown above already, and not said twice. */
  told: Problem | null;
  sort: string;
  changeSort: (sort: string) => void;
  /** Loads everything anew. */
  refresh: () => void;
  /** What narrows the list beyond the filters, in words, and the way to let go of it. */
  picked: { told: string; drop: () => void } | null;
  /** What is shown when nothing matches. */
  empty: () => preact.ComponentChildren;
}

/** The traces that match: a table of links that grows as one comes to its end. */
export function List({ list, told, sort, changeSort, refresh, picked, empty }: Props) {
  const rows = list.rows.value;
  const body = useRef<HTMLDivElement>(null);
  const longest = (rows ?? []).reduce((most, one) => Math.max(most, one.durationNanos), 1);

  useLayoutEffect(() => {
    if (rows) performance.mark('clew:list');
  }, [rows]);
  useKeys({
    name: 'List of traces',
    bindings: [
      { keys: ['j'], told: 'Next trace', run: () => focusRow(body.current, 1) },
      { keys: ['k'], told: 'Trace before', run: () => focusRow(body.current, -1) },
      { keys: ['Enter'], told: 'Open the trace' },
      { keys: ['n'], told: 'Show the new ones', run: () => list.fresh.value && refresh() },
    ],
  });

  return (
    <section class="traces" aria-label="Traces" aria-busy={list.isLoading.value}>
      <Head list={list} sort={sort} refresh={refresh} picked={picked} />
      {list.error.value && list.error.value.message !== told?.message && (
        <ProblemNote problem={list.error.value} retry={refresh} />
      )}
      {rows?.length === 0 ? (
        empty()
      ) : list.error.value && !rows ? null : (
        <div
          role="table"
          aria-label="Traces"
          aria-rowcount={list.total.value?.relation === 'eq' ? list.total.value.value + 1 : -1}
          class={rows && list.isLoading.value ? 'trace-table stale' : 'trace-table'}
        >
          <Columns sort={sort} change={changeSort} />
          <div role="rowgroup" ref={body} class="trace-rows">
            {(rows ?? []).map((trace) => (
              <Row key={trace.traceId} trace={trace} longest={longest} />
            ))}
          </div>
        </div>
      )}
      {rows && rows.length > 0 && <More list={list} />}
    </section>
  );
}

/** How many there are, what narrows them, and how many came since. */
function Head({ list, sort, refresh, picked }: Pick<Props, 'list' | 'sort' | 'refresh' | 'picked'>) {
  const [rows, fresh, incomplete] = [list.rows.value, list.fresh.value, list.incomplete.value];
  return (
    <header class="traces-head">
      <h2 aria-live="polite">{rows ? headline(rows.length, list.total.value, sort) : 'Traces'}</h2>
      {picked && (
        <span class="chip">
          <span class="chip-edit">{picked.told}</span>
          <button class="chip-remove" onClick={picked.drop} aria-label="Let go of the cell">
            {'\u2715'}
          </button>
        </span>
      )}
      {incomplete && (
        <span class="error-text incomplete" title={incomplete}>
          {incomplete}
        </span>
      )}
      <span class="spread" />
      <span aria-live="polite">{fresh && <button class="fresh" onClick={refresh}>{`${most(fresh)} new`}</button>}</span>
    </header>
  );
}

function Columns({ sort, change }: { sort: string; change: (sort: string) => void }) {
  return (
    <div role="rowgroup">
      <div role="row" class="trace-row trace-columns">
        {['Shape', 'Root', 'Services', 'Spans', 'Errors'].map((name) => (
          <span key={name} role="columnheader" class={`col-${name.toLowerCase()}`}>
            {name}
          </span>
        ))}
        <SortHeader name="duration" label="Duration" sort={sort} change={change} />
        <SortHeader name="start" label="Start" sort={sort} change={change} />
      </div>
    </div>
  );
}

function SortHeader({
  name,
  label,
  sort,
  change,
}: {
  name: string;
  label: string;
  sort: string;
  change: (sort: string) => void;
}) {
  const isThis = sort.replace('-', '') === name;
  const isDescending = sort.startsWith('-');
  const order = isThis ? (isDescending ? 'descending' : 'ascending') : 'none';
  return (
    <span role="columnheader" class={`col-${name}`} aria-sort={order}>
      <button class="plain small" onClick={() => change(isThis && isDescending ? name : `-${name}`)}>
        {label} <span aria-hidden="true">{isThis ? (isDescending ? '\u2193' : '\u2191') : '\u00a0'}</span>
      </button>
    </span>
  );
}

/** The end of the list: coming near it fetches more, as does the button. */
function More({ list }: { list: TraceList }) {
  const end = useRef<HTMLDivElement>(null);
  const isMore = list.hasMore.value;
  useEffect(() => {
    if (!isMore) return;
    const observer = new IntersectionObserver((entries) => entries.some((one) => one.isIntersecting) && void list.more(), {
      rootMargin: '600px',
    });
    observer.observe(end.current!);
    return () => observer.disconnect();
    // Anew after each page: an end that is still in sight is seen again.
  }, [isMore, list.rows.value]);
  return (
    <div ref={end} class="traces-end muted">
      {isMore ? <button onClick={() => void list.more()}>{list.isLoading.value ? 'Loading' : 'More'}</button> : 'That is all.'}
    </div>
  );
}

/** `Slowest 50 of 12,431 traces`. */
function headline(shown: number, total: Total | null, sort: string): string {
  if (shown === 0) return 'No traces';
  const order = { '-start': 'Newest', start: 'Oldest', '-duration': 'Slowest', duration: 'Fastest' }[sort] ?? '';
  if (!total) return `${order} ${count(shown)}`;
  if (total.relation === 'eq' && total.value <= shown) return counted(shown, 'trace');
  return `${order} ${count(shown)} of ${most(total)} traces`;
}

function most(total: Total): string {
  return `${total.relation === 'gte' ? '\u2265\u00a0' : ''}${count(total.value)}`;
}

/** Moves the focus from row to row; from elsewhere it goes to the first. */
function focusRow(body: HTMLElement | null, by: number): void {
  const links = [...(body?.querySelectorAll<HTMLAnchorElement>('a.trace-link') ?? [])];
  const present = document.activeElement?.closest('.trace-row')?.querySelector<HTMLAnchorElement>('a.trace-link');
  const at = present ? links.indexOf(present) : -1;
  const next = at === -1 ? links[0] : links[Math.min(links.length - 1, Math.max(0, at + by))];
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}
