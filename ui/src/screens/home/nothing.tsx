import type { SearchAnswer, Total } from '../../api/shapes';
import { useAnswer, withTenant } from '../../api/answer';
import { ask } from '../../api/client';
import { count } from '../../format/count';
import { ago, exact, parseTime } from '../../format/time';
import { href } from '../../route';
import { zone } from '../../settings';
import { type Filter, told } from './filters';
import { rangeAround, rangeParams, type TimeRange, toldRange } from './range';

interface Props {
  filters: Filter[];
  range: TimeRange;
  /** Whether a cell of the heatmap narrows the list, too. */
  isPicked: boolean;
  setRange: (params: Record<string, string | null>) => void;
  setFilters: (filters: Filter[]) => void;
}

/** How many filters are tried; more would be as many questions. */
const TRIED = 8;

/** Nothing matches: where there is something, and which filter to drop. */
export function Nothing({ filters, range, isPicked, setRange, setFilters }: Props) {
  const drops = filters.slice(0, TRIED);
  const key = JSON.stringify([filters, range]);
  const without = useAnswer(drops.length > 1 ? key : null, (signal) =>
    Promise.all(
      drops.map((one) =>
        total(
          filters.filter((other) => other !== one),
          range,
          signal,
        ),
      ),
    ),
  );
  const unfiltered = useAnswer(filters.length ? key : null, (signal) => total([], range, signal));
  const newest = useAnswer(key, (signal) => newestOf(filters, signal));
  const now = BigInt(Date.now()) * 1_000_000n;
  const start = newest.value ? parseTime(newest.value) : null;
  return (
    <div class="nothing">
      <p>
        {`Nothing ${filters.length ? 'matches ' : ''}in ${isPicked ? 'this cell' : toldRange(range)}${filters.length ? ' with these filters' : ''}. `}
        {start !== null && (
          <>
            {filters.length ? 'The newest match is ' : 'The newest trace is '}
            <span title={exact(start, zone.value)}>{age(ago(start, now))}</span>:{' '}
            <button onClick={() => setRange(rangeAround(start, now))}>show it</button>
          </>
        )}
        {newest.value === null &&
          !newest.loading &&
          !newest.error &&
          (filters.length > 0 ? 'No trace of any time matches them.' : <a href={href('start')}>See how to send spans</a>)}
      </p>
      {filters.length > 0 && (
        <ul>
          {drops.map((filter, at) => {
            const found = drops.length === 1 ? unfiltered.value : (without.value?.[at] ?? null);
            if (!found?.value) return null;
            const { name, operator, value } = told(filter);
            return (
              <li key={`${filter.param}=${filter.value}`}>
                <button onClick={() => setFilters(filters.filter((one) => one !== filter))}>
                  Without{' '}
                  <span class="foreign">
                    {name} {operator} {value}
                  </span>
                </button>{' '}
                <span class="muted">{most(found)}</span>
              </li>
            );
          })}
          {drops.length > 1 && !!unfiltered.value?.value && (
            <li>
              <button onClick={() => setFilters([])}>Without any filter</button>{' '}
              <span class="muted">{most(unfiltered.value)}</span>
            </li>
          )}
        </ul>
      )}
    </div>
  );
}

async function total(filters: Filter[], range: TimeRange, signal: AbortSignal): Promise<Total | null> {
  const page = await search([...rangeParams(range), ['limit', '1']], filters, signal);
  return page.total ?? null;
}

async function newestOf(filters: Filter[], signal: AbortSignal): Promise<string | null> {
  const page = await search(
    [
      ['limit', '1'],
      ['total', 'none'],
    ],
    filters,
    signal,
  );
  return page.traces[0]?.start ?? null;
}

function search(pairs: [string, string][], filters: Filter[], signal: AbortSignal): Promise<SearchAnswer> {
  const params = new URLSearchParams(pairs);
  for (const { param, value } of filters) params.append(param, value);
  return ask<SearchAnswer>('v1/traces/search', withTenant(params), { signal });
}

/** `8 h old`. */
function age(text: string): string {
  return text === 'now' ? 'of this second' : text.replace(' ago', ' old');
}

function most({ value, relation }: Total): string {
  return `${relation === 'gte' ? '\u2265 ' : ''}${count(value)} ${value === 1 ? 'trace' : 'traces'}`;
}
