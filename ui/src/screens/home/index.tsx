import { signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import type { Figures, Heatmap as Map, SearchAnswer } from '../../api/shapes';
import { useAnswer, withTenant } from '../../api/answer';
import { ask } from '../../api/client';
import { useKeys } from '../../parts/keys';
import { lazy } from '../../parts/lazy';
import { ProblemNote } from '../../parts/problem';
import { address, go, setParams } from '../../route';
import { zone } from '../../settings';
import { FilterBar } from './filter-bar';
import { type Filter, filtersOf, paramsOf } from './filters';
import { Heatmap } from './heatmap';
import './home.css';
import './filters.css';
import './heatmap.css';
import './list.css';
import { useList } from './kept-list';
import { List } from './list';
import { Nothing } from './nothing';
import { narrow, type Picked, pickedOf, toldPicked, writePicked } from './picked';
import { isOpen, rangeOf, rangeParams } from './range';
import { RangePicker } from './range-picker';

const Start = lazy(async () => (await import('../start')).Start);

/** How often everything was asked for anew; it outlives the screen, as the list does. */
const round = signal(0);
const CELLS = { wide: { columns: '120', rows: '24' }, narrow: { columns: '48', rows: '20' } };

/** Home: what was asked for, when it happened and how long it took, and the traces themselves. */
export function Home() {
  const { params } = address.value;
  const hasConditions = filtersOf(params).length > 0 || params.has('from') || params.has('to') || params.has('since');
  const tenant = params.get('tenant') ?? '';
  // A server that holds nothing shows how to send; a question in the address is answered all the same.
  const holdings = useAnswer(hasConditions ? null : `holdings ${tenant}`, async (signal) => {
    const page = await ask<SearchAnswer>('v1/traces/search', withTenant(new URLSearchParams({ limit: '1', total: 'none' })), { signal });
    if (page.traces.length > 0) return true;
    // Another tenant may hold something; the switch leads there.
    const { live, blocks } = await ask<Figures>('v1/figures', undefined, { signal });
    return live.spans + blocks.spans > 0;
  });
  const [seen, setSeen] = useState(false);
  if (holdings.value === false && !hasConditions && !seen) return <Start isHome leave={() => setSeen(true)} />;
  return <Traces />;
}

/** The heatmap of a question, over all that matches. */
function useHeatmap(question: URLSearchParams, key: string) {
  return useAnswer<Map>(key, (signal) => {
    const asked = new URLSearchParams(question);
    for (const [name, value] of Object.entries(innerWidth < 720 ? CELLS.narrow : CELLS.wide)) asked.set(name, value);
    return ask<Map>('v1/traces/heatmap', withTenant(asked), { signal });
  });
}

function Traces() {
  const { params } = address.value;
  const filters = filtersOf(params);
  const range = rangeOf(params);
  const picked = pickedOf(params);
  const sort = params.get('sort') ?? '-start';
  const refresh = () => void round.value++;

  const question = questionOf(filters, rangeParams(range));
  const listed = picked ? narrow(question, picked) : new URLSearchParams(question);
  if (sort !== '-start') listed.set('sort', sort);
  const asked = `tenant=${params.get('tenant') ?? ''}&round=${round.value}`;
  const map = useHeatmap(question, `${question}&${asked}`);
  const list = useList(listed, `${listed}&${asked}`, isOpen(range, BigInt(Date.now()) * 1_000_000n) && !picked);

  const setFilters = (next: Filter[]) => setParams({ ...paramsOf(next, params), cell: null });
  const setRange = (changes: Record<string, string | null>) => setParams({ ...changes, cell: null });
  useKeys({
    name: 'Home',
    bindings: [
      { keys: ['/'], told: 'Go to the filters', run: () => document.getElementById('filter-input')?.focus() },
      { keys: ['r'], told: 'Refresh', run: refresh },
    ],
  });

  return (
    <div class="home">
      <h1 class="visually-hidden">Traces</h1>
      <div class="home-bar">
        <FilterBar
          filters={filters}
          faulty={map.error?.parameter ?? null}
          change={setFilters}
          open={(traceId, spanId) => go(`t/${traceId}`, new URLSearchParams(spanId ? { span: spanId } : {}))}
        />
        <RangePicker range={range} bounds={map.value} change={setRange} refresh={refresh} />
      </div>
      {map.error ? (
        <div class="heatmap">
          <ProblemNote problem={map.error} retry={refresh} />
        </div>
      ) : (
        <Heatmap
          map={map.value}
          isLoading={map.loading}
          picked={picked}
          pick={(cell) => setParams({ cell: cell && writePicked(cell) })}
          select={(area) => setParams(selected(map.value, area, params))}
        />
      )}
      <List
        list={list}
        told={map.error}
        sort={sort}
        changeSort={(next) => setParams({ sort: next === '-start' ? null : next })}
        refresh={refresh}
        picked={picked && { told: toldPicked(picked, zone.value), drop: () => setParams({ cell: null }) }}
        empty={() => (
          <Nothing filters={filters} range={range} isPicked={picked !== null} setRange={setRange} setFilters={setFilters} />
        )}
      />
    </div>
  );
}

function questionOf(filters: Filter[], pairs: [string, string][]): URLSearchParams {
  const params = new URLSearchParams(pairs);
  for (const { param, value } of filters) params.append(param, value);
  return params;
}

/** The changes to an address that narrow everything to an area. One of every length says nothing about lengths. */
function selected(map: Map | null, area: Picked, params: URLSearchParams): Record<string, string | null> {
  const isWhole = map !== null && area.min <= map.bounds[0]! && area.max >= map.bounds[map.rows]!;
  const lengths = { minDurationMs: params.get('minDurationMs'), maxDurationMs: params.get('maxDurationMs') };
  return { ...Object.fromEntries(narrow(new URLSearchParams(), area)), ...(isWhole ? lengths : {}), since: null, cell: null };
}
