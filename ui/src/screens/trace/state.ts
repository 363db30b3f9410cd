/**
 * What the reader of a trace has before them. One {@link TraceState} belongs to one screen; all its parts are signals.
 *
 *   state.model.value          the trace, null until the first answer: see model.ts
 *   state.rows.value           the rows of the folded tree, null until then: see rows.ts
 *   state.selected.value       the selected span's position, -1 for none. `state.chosen.value` is the row that was chosen,
 *                              which may be a group or a gap (rowGroup, rowGap)
 *   state.hover.value          the span under the pointer in whichever view, -1 for none. Views set it
 *   state.window.value         {from, to}: the part of the time axis that is shown, ns from the skeleton's start
 *   state.found.value          what find found: {text, spans (ascending), ...}, null while nothing is looked for
 *   state.view, .colour, .corrected, .threadOnly, .grouped, .gaps, .detailsOpen
 *
 *   state.select(position)     selects a span, unfolds what hides it, brings it into view
 *   state.choose(code)         the same for a row, which may be a group or a gap
 *   state.show(from, to)       zooms; state.showAll(), state.showSpan(position)
 *   state.toggle(code)         folds or unfolds a row
 *   state.put({view: 'flame'}) changes any parameter of the address
 *   state.source.details(idOf(model, span))
 *
 * All but `hover` is in the address (ahead.ts): `span` or `gap` or `group`, `view`, `z`, `fold`, `open`, `thread`, `clock`,
 * `find`, `color`, `gaps`, `groups`, `details`, `top` (rows above the view).
 */
import { type ReadonlySignal, type Signal, computed, effect, signal } from '@preact/signals';
import type { TraceSource } from '../../api/source';
import { parseTime } from '../../format/time';
import { type Changes, type How, runAhead } from './ahead';
import {
  NOTHING, type TimeWindow, WINDOW_NANOS_MIN, addressOfRow, clamp, guilty, rowOfAddress, spanOfRow, spansOf, toggled, windowOf,
} from './choice';
import { type Found, findIn } from './find';
import { narrow } from './layout';
import { grow } from './live';
import { LEADS_TO_THREAD, type Model, has, idOf, positionOf } from './model';
import { type Rows, buildRows, rowGap, rowGroup } from './rows';

export { NOTHING, type TimeWindow, guilty, spanOfRow } from './choice';

/** The ways to look at a trace. */
export type View = 'waterfall' | 'flame' | 'table';
/** What a bar's colour says. */
export type Colour = 'service' | 'kind' | 'self';
/** See the top of this file. */
export interface TraceState {
  readonly source: TraceSource;
  readonly model: ReadonlySignal<Model | null>;
  readonly rows: ReadonlySignal<Rows | null>;
  /** Why there is no trace, or why it no longer grows. */
  readonly failure: ReadonlySignal<Error | null>;
  /** Whether it is watched for more spans. */
  readonly growing: ReadonlySignal<boolean>;
  readonly selected: ReadonlySignal<number>;
  readonly chosen: ReadonlySignal<number>;
  readonly hover: Signal<number>;
  readonly window: ReadonlySignal<TimeWindow>;
  readonly found: ReadonlySignal<Found | null>;
  /** What was done that nothing else shows, for a moment. */
  readonly told: Signal<string>;
  /** Whether the box for it is shown. */
  readonly findOpen: Signal<boolean>;
  readonly view: ReadonlySignal<View>;
  readonly colour: ReadonlySignal<Colour>;
  readonly corrected: ReadonlySignal<boolean>;
  readonly threadOnly: ReadonlySignal<boolean>;
  readonly grouped: ReadonlySignal<boolean>;
  readonly gaps: ReadonlySignal<boolean>;
  readonly detailsOpen: ReadonlySignal<boolean>;
  readonly collapsed: ReadonlySignal<ReadonlySet<number>>;
  readonly openGroups: ReadonlySignal<ReadonlySet<number>>;
  /** The address's parameters, ahead of it by a moment. */
  readonly params: ReadonlySignal<URLSearchParams>;
  /** The row to bring into view: a new object each time. */
  readonly wanted: ReadonlySignal<{ code: number } | null>;
  select(span: number, how?: How): void;
  choose(code: number, how?: How): void;
  /** Brings a row into view without choosing it. */
  reveal(code: number): void;
  show(from: number, to: number, how?: How): void;
  showAll(): void;
  showSpan(span: number): void;
  toggle(code: number, how?: How): void;
  put(changes: Changes, how?: How): void;
  stop(): void;
}

/** The state of a screen, bound to the address. `stop` must be called when the screen is left. */
export function traceState(source: TraceSource): TraceState {
  const ahead = runAhead();
  const { params, put } = ahead;
  const growth = grow(source);
  const model = computed(() => growth.model.value);
  const param = (name: string) => computed(() => params.value.get(name));
  const [span, gap, group, z, fold, open] = [param('span'), param('gap'), param('group'), param('z'), param('fold'), param('open')];
  const is = (name: string, value: string) => computed(() => params.value.get(name) === value);

  const collapsed = computed(() => spansOf(model.value, fold.value));
  const openGroups = computed(() => {
    const now = model.value;
    return new Set([...spansOf(now, open.value)].map((first) => now!.groupOf[first]!).filter((at) => at >= 0));
  });
  const threadOnly = is('thread', '1');
  const gapsHidden = is('gaps', '0');
  const groupsHidden = is('groups', '0');
  const gaps = computed(() => !gapsHidden.value);
  const grouped = computed(() => !groupsHidden.value);
  const rows = computed(() =>
    model.value &&
    buildRows(model.value, {
      collapsed: collapsed.value,
      openGroups: openGroups.value,
      gaps: gaps.value,
      groups: grouped.value,
      threadOnly: threadOnly.value,
    }),
  );
  // What is selected when the address says nothing stays so while the trace grows.
  let opened: string | null = null;
  const chosen = computed(() => {
    const now = model.value;
    if (!now) return NOTHING;
    const said = rowOfAddress(now, span.value, gap.value, group.value);
    if (said !== NOTHING) return said;
    const kept = opened === null ? -1 : positionOf(now, opened);
    const code = kept >= 0 ? kept : guilty(now, grouped.value);
    if (code >= 0) opened = idOf(now, code);
    return code;
  });
  const selected = computed(() => (model.value ? spanOfRow(model.value, chosen.value) : -1));
  const window = computed(() => (model.value ? windowOf(z.value, model.value) : { from: 0, to: 1 }));
  const wanted = signal<{ code: number } | null>(null);

  const found = findIn(source, params, model);
  // Times count from the first start: when an earlier span arrives, the window moves with those it showed.
  let start: bigint | null = null;
  const stopShifting = effect(() => {
    if (!model.value) return;
    const now = parseTime(model.value.skeleton.start);
    const shift = start === null ? 0 : Number(start - now);
    start = now;
    const { from, to } = window.peek();
    if (shift !== 0 && z.peek() !== null) put({ z: `${Math.round(from + shift)},${Math.round(to + shift)}` }, 'soon');
  });
  const state: TraceState = {
    source, model, rows, selected, chosen, window, collapsed, openGroups, threadOnly, gaps, grouped, params, put, wanted,
    failure: growth.failure,
    growing: growth.growing,
    hover: signal(-1),
    found,
    told: signal(''),
    findOpen: signal(false),
    view: computed(() => oneOf(['waterfall', 'flame', 'table'], params.value.get('view'))),
    colour: computed(() => oneOf(['service', 'kind', 'self'], params.value.get('color'))),
    corrected: is('clock', 'corrected'),
    // Beside a waterfall there is room for them; on a phone they are a sheet that is asked for.
    detailsOpen: computed(() => (params.value.has('details') ? params.value.get('details') !== '0' : !narrow.value)),
    select: (position, how = 'push') => state.choose(position, how),
    choose(code, how = 'push') {
      const now = model.peek();
      if (!now || code === NOTHING) return;
      // The rows are not there to follow: they begin anew at what is chosen.
      const top = state.view.peek() === 'waterfall' ? {} : { top: null };
      put({ ...addressOfRow(now, code), ...unfolded(now, state, code), ...top }, how);
      wanted.value = { code };
    },
    reveal(code) {
      wanted.value = { code };
    },
    show(from, to, how = 'soon') {
      const now = model.peek();
      if (!now) return;
      const shown = clamp(from, to, now.total);
      const [begin, end] = [Math.floor(shown.from), Math.ceil(shown.to)];
      const { home } = now;
      put({ z: begin <= home.from && end >= home.to && home.to === now.total ? null : `${begin},${end}` }, how);
    },
    showAll: () => put({ z: null }, 'soon'),
    showSpan(position) {
      const now = model.peek();
      if (!now || position < 0) return;
      const [from, length] = [now.starts[position]!, Math.max(now.durations[position]!, WINDOW_NANOS_MIN)];
      state.show(from - length * 0.05, from + length * 1.1);
    },
    toggle(code, how = 'push') {
      const now = model.peek();
      if (!now) return;
      if (code >= 0) put({ fold: toggled(now, collapsed.peek(), code) }, how);
      const at = rowGroup(code);
      if (at >= 0) {
        const firsts = new Set([...openGroups.peek()].map((one) => now.groups[one]!.spans[0]!));
        put({ open: toggled(now, firsts, now.groups[at]!.spans[0]!) }, how);
      }
    },
    stop() {
      stopShifting();
      growth.stop();
      found.stop();
      ahead.stop();
    },
  };
  return state;
}

function oneOf<T extends string>(known: readonly [T, ...T[]], value: string | null): T {
  return known.find((one) => one === value) ?? known[0];
}

/** What must be unfolded for a row to be seen. */
function unfolded(model: Model, state: TraceState, code: number): Changes {
  const changes: Changes = {};
  const span = spanOfRow(model, code);
  const [folded, opened] = [new Set(state.collapsed.peek()), new Set(state.openGroups.peek())];
  const [foldedBefore, openBefore] = [folded.size, opened.size];
  // A gap lies under its span, so that one must be unfolded as well; a group is shown where its parent is.
  if (rowGap(code) >= 0) folded.delete(span);
  for (let at = span; at >= 0; at = model.parents[at]!) {
    if (at !== span) folded.delete(at);
    const group = model.groupOf[at]!;
    if (group >= 0 && !(at === span && rowGroup(code) >= 0)) opened.add(group);
  }
  const ids = (spans: number[]) => spans.map((at) => idOf(model, at)).join('.') || null;
  if (folded.size !== foldedBefore) changes['fold'] = ids([...folded]);
  if (state.grouped.peek() && opened.size !== openBefore) changes['open'] = ids([...opened].map((at) => model.groups[at]!.spans[0]!));
  if (state.threadOnly.peek() && span >= 0 && !has(model, span, LEADS_TO_THREAD)) changes['thread'] = null;
  return changes;
}
