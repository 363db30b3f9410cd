import './trace.css';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { Problem } from '../../api/client';
import type { TraceSource } from '../../api/source';
import { served } from '../../api/source';
import { sentence } from '../../format/sentence';
import { address, href } from '../../route';
import { Header } from './header';
import { Help } from './help';
import { hearKeys } from './keys';
import { narrow } from './layout';
import { Legend } from './legend';
import { Minimap } from './minimap';
import { Details, Flame, Table } from './slots';
import { type TraceState, traceState } from './state';
import { ThreadList } from './thread-list';
import { Toolbar } from './toolbar';
import { Waterfall } from './waterfall';

/** The screen of a trace that the server holds. */
export function ServedTrace({ traceId }: { traceId: string }) {
  const { params } = address.value;
  const corrected = params.get('clock') === 'corrected';
  const tenant = params.get('tenant');
  const source = useMemo(() => served(traceId, corrected), [traceId, corrected, tenant]);
  return <TraceScreen source={source} />;
}

/** A trace, from whoever can show it. */
export function TraceScreen({ source }: { source: TraceSource }) {
  const next = useMemo(() => traceState(source), [source]);
  useEffect(() => () => next.stop(), [next]);
  // With the clock corrected it is another answer: the one that is here stays on the screen until that is.
  const shown = useRef<TraceState | null>(null);
  if (next.model.value || next.failure.value) shown.current = next;
  const state = shown.current;
  if (state?.model.value) return <Shown key={keyOf(state)} state={state} />;
  if (state?.failure.value) return <Failed failure={state.failure.value} />;
  return (
    <p class="trace-loading muted" role="status">
      Fetching the trace
    </p>
  );
}

const keys = new WeakMap<TraceState, number>();
let lastKey = 0;

/** Tells states apart: what was computed from one must not be shown for the next. */
function keyOf(state: TraceState): number {
  let key = keys.get(state);
  if (key === undefined) keys.set(state, (key = ++lastKey));
  return key;
}

function Shown({ state }: { state: TraceState }) {
  const root = useRef<HTMLDivElement>(null);
  const dialog = useRef<HTMLDialogElement>(null);
  const help = () => dialog.current?.showModal();
  useEffect(() => hearKeys(state, help), [state]);
  const { summary } = state.model.value!.skeleton;
  useEffect(() => {
    document.title = `${summary.root?.operation || 'trace'} \u00b7 clew`;
    return () => {
      document.title = 'clew';
    };
  }, [summary.root?.operation]);
  const view = state.view.value;
  return (
    <div class="trace" ref={root}>
      <Header state={state} help={help} />
      {narrow.value && <ThreadList state={state} />}
      <div class="trace-body">
        <div class="trace-main">
          <Toolbar state={state} />
          <div class="minimap-row">
            <Legend state={state} />
            <Minimap state={state} />
          </div>
          {view === 'waterfall' && <Waterfall state={state} root={root} />}
          {view === 'flame' && <Flame state={state} />}
          {view === 'table' && <Table state={state} />}
        </div>
        <Details state={state} />
      </div>
      <Help dialog={dialog} />
    </div>
  );
}

function Failed({ failure }: { failure: Error }) {
  const isMissing = failure instanceof Problem && failure.status === 404;
  return (
    <div class="empty" role="alert">
      <h1>{isMissing ? 'No such trace here' : failure instanceof Problem ? failure.title : 'The trace cannot be shown'}</h1>
      <p class="foreign">{sentence(failure.message)}</p>
      {isMissing && <p>It may be older than the retention, of another tenant, or not have arrived yet.</p>}
      <p>
        <button onClick={() => location.reload()}>Try again</button> <a href={href('')}>See the traces</a>
      </p>
    </div>
  );
}
