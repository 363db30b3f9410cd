import './details.css';
import { type Signal, signal, useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { count } from '../../../format/count';
import { parseTime } from '../../../format/time';
import { Dot } from '../../../parts/service';
import { href } from '../../../route';
import { zone } from '../../../settings';
import { idOf, type Model, nameOf, positionOf, serviceOf } from '../model';
import { rowGap, rowGroup } from '../rows';
import { NOTHING, type TraceState } from '../state';
import { Attributes, type Reading } from './attributes';
import { Copy, FilterIcon } from './copy';
import { Events } from './events';
import { Figures, Story } from './figures';
import { homeParams } from './filter';
import { endsOf, Links, SpanButton } from './links';
import { follow, type Loaded } from './load';
import { GapDetails, GroupDetails } from './picked';
import { Frame } from './frame';
import { flagsInWords, oddities } from './sentences';
import { exceptionOf } from './stack';

/** What is selected, in full: a pane beside the views, a sheet on a phone. */
export function Details({ state }: { state: TraceState }) {
  const model = state.model.value;
  const chosen = state.chosen.value;
  if (!model || chosen === NOTHING || !state.detailsOpen.value) return null;
  const [gap, group] = [rowGap(chosen), rowGroup(chosen)];
  const isSpan = chosen >= 0;
  const title = isSpan ? nameOf(model, chosen) || '(no name)' : gap >= 0 ? 'A gap' : (model.groups[group]?.name ?? '');
  return (
    <Frame state={state} title={title}>
      {isSpan ? (
        <SpanDetails state={state} model={model} span={chosen} />
      ) : (
        <div class="details-body">
          {gap >= 0 && model.gaps[gap] && <GapDetails state={state} model={model} gap={gap} />}
          {group >= 0 && model.groups[group] && <GroupDetails state={state} model={model} group={group} />}
        </div>
      )}
    </Frame>
  );
}

function SpanDetails({ state, model, span }: { state: TraceState; model: Model; span: number }) {
  const loaded = useMemo(() => follow(state), [state]);
  useEffect(() => () => loaded.stop(), [loaded]);
  const body = useRef<HTMLDivElement>(null);
  const spanId = idOf(model, span);
  // Another span is read from its top.
  useEffect(() => body.current?.scrollTo(0, 0), [spanId]);
  const text = useSignal('');
  const now = loaded.value?.spanId === spanId ? loaded.value : null;
  const service = serviceOf(model, span);
  const filter = state.source.live ? filterFor(model) : null;
  return (
    <div class="details-body" ref={body} tabIndex={-1}>
      <header class="details-head">
        <p class="who">
          <Dot service={service} />
          <span class="foreign">{service}</span>
          <span class="muted">{model.skeleton.kinds[model.kinds[span]!]}</span>
        </p>
        <h2 class="title">
          <span class="mono foreign">{nameOf(model, span) || '(no name)'}</span>
          {filter && (
            <a
              class="button plain tool"
              href={href('', filter([['service', service], ['operation', nameOf(model, span)]]))}
              aria-label="Filter by this operation"
              title="Traces with this operation"
            >
              <FilterIcon />
            </a>
          )}
          <Copy text={() => nameOf(model, span)} what="the operation" />
        </h2>
        <Figures model={model} span={span} zone={zone.value} />
        <Story state={state} model={model} span={span} statusMessage={now?.details?.span.statusMessage ?? ''} />
      </header>
      <input
        type="search"
        class="details-find"
        placeholder="Find in this span"
        aria-label="Find in this span"
        value={text}
        onInput={(event) => (text.value = event.currentTarget.value)}
      />
      {now?.details ? (
        <Body state={state} model={model} span={span} loaded={now} text={text} />
      ) : (
        <p class="muted" role={now?.failure ? 'alert' : undefined}>
          {now?.failure ? `The details could not be had. ${now.failure.message}` : '\u2026'}
        </p>
      )}
    </div>
  );
}

function filterFor(model: Model): (conditions: [string, string][]) => URLSearchParams {
  const now = BigInt(Date.now()) * 1_000_000n;
  return (conditions) => homeParams(conditions, parseTime(model.skeleton.start), now);
}

function Body({ state, model, span, loaded, text }: { state: TraceState; model: Model; span: number; loaded: Loaded; text: Signal<string> }) {
  const { span: full, resource, scope } = loaded.details!;
  const wanted = text.value.trim();
  const filter = state.source.live ? filterFor(model) : null;
  const reading: Reading = {
    wanted,
    // What is looked for in the whole trace is marked, but nothing is left out for it.
    marked: wanted || (state.found.value?.text ?? ''),
    filter: filter && ((name, value) => href('', filter([[name, value]]))),
  };
  const ends = endsOf(model, span, full.links);
  const events = full.events.length > 0 && (
    <Section name="Events" size={full.events.length}>
      <Events events={full.events} start={parseTime(full.start)} zone={zone.value} reading={reading} />
    </Section>
  );
  const hasException = full.events.some((event) => exceptionOf(event) !== null);
  const odd = oddities(full);
  return (
    <div>
      {odd.length > 0 && (
        <ul class="oddities">
          {odd.map((one) => (
            <li key={one}>{one}</li>
          ))}
        </ul>
      )}
      {hasException && events}
      <Section name="Attributes" size={full.attributes.length}>
        <Attributes attributes={full.attributes} reading={reading} grouped />
      </Section>
      {!hasException && events}
      {ends.outgoing.length + ends.incoming.length > 0 && (
        <Section name="Links" size={ends.outgoing.length + ends.incoming.length}>
          <Links state={state} model={model} ends={ends} reading={reading} />
        </Section>
      )}
      <Section name="Resource" size={resource.attributes.length}>
        <Attributes attributes={resource.attributes} reading={reading} />
      </Section>
      <Section name="Instrumentation" size={null}>
        <p>
          <span class="mono foreign">{scope.name || '(no name)'}</span> <span class="muted foreign">{scope.version}</span>
        </p>
        {scope.attributes.length > 0 && <Attributes attributes={scope.attributes} reading={reading} />}
      </Section>
      <Ids state={state} model={model} loaded={loaded} />
    </div>
  );
}

function Ids({ state, model, loaded }: { state: TraceState; model: Model; loaded: Loaded }) {
  const { span } = loaded.details!;
  const parent = span.parentSpanId ? positionOf(model, span.parentSpanId) : -1;
  return (
    <Section name="Ids" size={null}>
      <dl class="attributes">
        <Id name="span" id={span.spanId} />
        <Id name="trace" id={model.skeleton.traceId} />
        {span.parentSpanId && (
          <Id name="parent" id={span.parentSpanId}>
            {parent >= 0 && <SpanButton state={state} model={model} span={parent} />}
          </Id>
        )}
        {span.traceState && <Id name="trace state" id={span.traceState} />}
        {span.flags !== undefined && <Id name="flags" id={`0x${span.flags.toString(16)}`}>{` ${flagsInWords(span.flags)}`}</Id>}
      </dl>
    </Section>
  );
}

function Id({ name, id, children }: { name: string; id: string; children?: ComponentChildren }) {
  return (
    <div class="attribute">
      <dt>{name}</dt>
      <dd>
        <span class="mono foreign">{id}</span>
        <span class="muted">{children}</span>
      </dd>
      <dd class="tools">
        <Copy text={() => id} what={`the ${name}`} />
      </dd>
    </div>
  );
}

/** Sections that the reader folded stay so from span to span. */
const closed = signal<ReadonlySet<string>>(new Set());

function Section({ name, size, children }: { name: string; size: number | null; children: ComponentChildren }) {
  const toggle = (event: Event & { currentTarget: HTMLDetailsElement }) => {
    const now = new Set(closed.peek());
    if (event.currentTarget.open) now.delete(name);
    else now.add(name);
    if (now.size !== closed.peek().size) closed.value = now;
  };
  return (
    <details class="section" open={!closed.value.has(name)} onToggle={toggle}>
      <summary>
        <h3>
          {name} {size !== null && <span class="muted">{count(size)}</span>}
        </h3>
      </summary>
      {children}
    </details>
  );
}
