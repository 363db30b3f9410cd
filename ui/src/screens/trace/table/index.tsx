import './table.css';
import { computed, type ReadonlySignal, useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { observeSize } from '../../../draw/surface';
import { count, counted } from '../../../format/count';
import { duration, percent } from '../../../format/duration';
import { Dot } from '../../../parts/service';
import { lengthOf } from '../details/share';
import type { Model } from '../model';
import type { TraceState } from '../state';
import { type Column, COLUMNS, flatPathsOf, type Path, type Paths, pathsOf, shownOrder } from './paths';

/** Pixels of a row. */
const ROW = 24;
/** Rows beyond what is seen, so that scrolling shows no emptiness. */
const BEYOND = 12;

const HEADS: Record<Column, [name: string, title: string]> = {
  operation: ['Operation', 'The operation, below the one that called it'],
  service: ['Service', 'Who did it'],
  total: ['Total', 'The lengths of all these spans together'],
  self: ['Self', 'The time in which none of their children ran'],
  count: ['Count', 'How many spans'],
  thread: ['Of the thread', 'For how long the trace waited for them, and not for one below'],
  errors: ['Errors', 'How many failed'],
};
const ORDER: Column[] = ['operation', 'service', 'total', 'self', 'count', 'thread', 'errors'];

/** What is shown, and in which order. */
interface Listing {
  model: Model;
  paths: Paths;
  shown: Int32Array;
  hasChildren: Uint8Array;
  column: Column | null;
  ascending: boolean;
  flat: boolean;
}

/** The trace in figures: spans with the same operations from the root down are one row. The twin in text of the flame. */
export function Table({ state }: { state: TraceState }) {
  const listing = useMemo(() => list(state), [state]);
  return listing.value && <Listed state={state} now={listing.value} />;
}

function Listed({ state, now }: { state: TraceState; now: Listing }) {
  const top = useSignal(0);
  const height = useSignal(600);
  const scroller = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (document.activeElement === document.body) scroller.current!.focus({ preventScroll: true });
    return observeSize(scroller.current!, (_, high) => (height.value = high));
  }, []);
  const selectedRow = rowOfSpan(now, state.selected.value);
  useEffect(() => intoView(scroller.current!, selectedRow), [selectedRow]);
  const { paths, shown, flat } = now;
  const first = Math.max(0, Math.floor(top.value / ROW) - BEYOND);
  const last = Math.min(shown.length, Math.ceil((top.value + height.value) / ROW) + BEYOND);
  return (
    <div class="paths">
      <p class="paths-bar">
        <button type="button" aria-pressed={!flat} onClick={() => state.put({ flat: null })}>
          By call path
        </button>
        <button type="button" aria-pressed={flat} onClick={() => state.put({ flat: '1' })}>
          By operation
        </button>
        <span class="muted">
          {`${counted(shown.length, 'row')} for ${counted(now.model.count, 'span')}`}
        </span>
      </p>
      <div
        class="paths-scroll"
        ref={scroller}
        role="treegrid"
        aria-label="Time by call path"
        aria-rowcount={shown.length + 1}
        aria-activedescendant={selectedRow >= first && selectedRow < last ? `path-${selectedRow}` : undefined}
        tabIndex={0}
        onScroll={(event) => (top.value = event.currentTarget.scrollTop)}
        onKeyDown={(event) => onKey(event, state, now, selectedRow, Math.floor(height.peek() / ROW) - 2)}
      >
        <div class="path heads" role="row" aria-rowindex={1}>
          {ORDER.map((column) => (
            <Head key={column} column={column} listing={now} state={state} />
          ))}
        </div>
        <div class="path-rows" role="rowgroup" style={{ height: `${shown.length * ROW}px` }}>
          {Array.from({ length: Math.max(0, last - first) }, (_, at) => (
            <Row key={first + at} row={first + at} path={paths.paths[shown[first + at]!]!} listing={now} state={state} selected={first + at === selectedRow} />
          ))}
        </div>
      </div>
    </div>
  );
}

function list(state: TraceState): ReadonlySignal<Listing | null> {
  const flat = computed(() => state.params.value.get('flat') === '1');
  const paths = computed(() => state.model.value && (flat.value ? flatPathsOf(state.model.value) : pathsOf(state.model.value)));
  const sort = computed(() => state.params.value.get('sort') ?? (flat.value ? 'thread' : ''));
  return computed(() => {
    const model = state.model.value;
    if (!model || !paths.value) return null;
    const [name, way] = sort.value.split('.');
    const column = COLUMNS.find((one) => one === name) ?? null;
    const ascending = way === 'asc' || (column === 'service' || column === 'operation' ? way !== 'desc' : false);
    const shown = shownOrder(model, paths.value, column, ascending, state.collapsed.value);
    const hasChildren = new Uint8Array(paths.value.paths.length);
    for (const { parent } of paths.value.paths) if (parent >= 0) hasChildren[parent] = 1;
    return { model, paths: paths.value, shown, hasChildren, column, ascending, flat: flat.value };
  });
}

/** The row that shows a span's path, or the one that it is folded into. */
function rowOfSpan({ paths, shown }: Listing, span: number): number {
  if (span < 0) return -1;
  const wanted = new Set<number>();
  for (let at = paths.pathOf[span] ?? -1; at >= 0; at = paths.paths[at]!.parent) wanted.add(at);
  let found = -1;
  for (let row = 0; row < shown.length; row++) {
    const at = shown[row]!;
    if (wanted.has(at) && (found < 0 || paths.paths[at]!.depth > paths.paths[shown[found]!]!.depth)) found = row;
  }
  return found;
}

function intoView(scroller: HTMLElement, row: number): void {
  if (row < 0) return;
  // The heads stay at the top and cover what lies there.
  const [from, to] = [row * ROW, (row + 2) * ROW];
  if (from < scroller.scrollTop) scroller.scrollTop = from;
  else if (to > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = to - scroller.clientHeight;
}

function Head({ column, listing, state }: { column: Column; listing: Listing; state: TraceState }) {
  const [name, title] = HEADS[column];
  const isSorted = listing.column === column;
  const isText = column === 'service' || column === 'operation';
  const sort = () => {
    // Once in the usual way, once the other way round, then by time again.
    if (!isSorted) state.put({ sort: column });
    else if (listing.ascending === isText) state.put({ sort: `${column}.${isText ? 'desc' : 'asc'}` });
    else state.put({ sort: null });
  };
  return (
    <div role="columnheader" class={column === 'service' ? 'of' : isText ? column : `${column} number`} aria-sort={isSorted ? (listing.ascending ? 'ascending' : 'descending') : 'none'}>
      <button type="button" class="plain" title={title} onClick={sort}>
        {isSorted && <span aria-hidden="true">{listing.ascending ? '\u25b4 ' : '\u25be '}</span>}
        {name}
      </button>
    </div>
  );
}

function Row({ row, path, listing, state, selected }: { row: number; path: Path; listing: Listing; state: TraceState; selected: boolean }) {
  const { model, paths, shown, hasChildren, flat } = listing;
  const { services, names } = model.skeleton;
  const service = services[path.service] ?? '';
  const isParent = hasChildren[shown[row]!] === 1;
  const isFolded = isParent && state.collapsed.value.has(path.first);
  const share = path.thread / Math.max(lengthOf(model.thread), 1);
  const isHovered = paths.pathOf[state.hover.value] === shown[row];
  return (
    <div
      id={`path-${row}`}
      class="path"
      role="row"
      aria-rowindex={row + 2}
      aria-level={path.depth + 1}
      aria-expanded={isParent ? !isFolded : undefined}
      aria-selected={selected}
      data-hovered={isHovered || undefined}
      style={{ transform: `translateY(${row * ROW}px)` }}
      onClick={() => state.select(path.longest)}
      onDblClick={() => state.showSpan(path.longest)}
      onPointerEnter={() => (state.hover.value = path.longest)}
      onPointerLeave={() => (state.hover.value = -1)}
    >
      <div role="gridcell" class="operation" style={{ '--depth': String(flat ? 0 : Math.min(path.depth, 40)) }}>
        {!flat && (
          <button
            type="button"
            class="plain fold"
            tabIndex={-1}
            aria-hidden="true"
            disabled={!isParent}
            onClick={(event) => {
              event.stopPropagation();
              state.toggle(path.first);
            }}
          >
            {isParent ? (isFolded ? '\u25b8' : '\u25be') : ''}
          </button>
        )}
        <span class="mono foreign" title={names[path.name]}>
          {names[path.name]?.slice(0, 300) || '(no name)'}
        </span>
      </div>
      <div role="gridcell" class="of">
        <Dot service={service} />
        <span class="foreign" title={service}>
          {service.slice(0, 300)}
        </span>
      </div>
      <div role="gridcell" class="number">
        {duration(path.total)}
      </div>
      <div role="gridcell" class="self number">
        {duration(path.self)}
      </div>
      <div role="gridcell" class="count number">
        {count(path.count)}
      </div>
      <div role="gridcell" class="number">
        {path.thread > 0 && (
          <>
            <span class="share" style={{ width: `${Math.max(share * 100, 0.5)}%` }} />
            <span class="share-text" title={`${path.thread.toLocaleString('en-US')} ns`}>
              {percent(share)}
            </span>
          </>
        )}
      </div>
      <div role="gridcell" class="number error-text">
        {path.errors > 0 ? `\u2715 ${count(path.errors)}` : ''}
      </div>
    </div>
  );
}

function onKey(event: KeyboardEvent, state: TraceState, { paths, shown, hasChildren }: Listing, row: number, page: number): void {
  if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
  const choose = (wanted: number) => {
    const at = shown[Math.max(0, Math.min(wanted, shown.length - 1))];
    if (at !== undefined) state.select(paths.paths[at]!.longest, 'soon');
  };
  const at = row >= 0 ? shown[row]! : -1;
  const path = at >= 0 ? paths.paths[at]! : null;
  const isFolded = path !== null && state.collapsed.peek().has(path.first);
  const moves: Record<string, () => void> = {
    ArrowDown: () => choose(row + 1),
    ArrowUp: () => choose(row - 1),
    PageDown: () => choose(row + page),
    PageUp: () => choose(row - page),
    Home: () => choose(0),
    End: () => choose(shown.length - 1),
    ArrowRight() {
      if (!path || hasChildren[at] !== 1) return;
      if (isFolded) state.toggle(path.first);
      else choose(row + 1);
    },
    ArrowLeft() {
      if (!path) return;
      if (hasChildren[at] === 1 && !isFolded) state.toggle(path.first);
      else if (path.parent >= 0) choose(shown.indexOf(path.parent));
    },
  };
  const move = moves[event.key];
  if (!move) return;
  event.preventDefault();
  event.stopPropagation();
  move();
}
