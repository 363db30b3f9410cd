import type { SpanLink } from '../../../api/shapes';
import { href } from '../../../route';
import { idOf, type Model, nameOf, positionOf, serviceOf } from '../model';
import type { TraceState } from '../state';
import { Attributes, type Reading } from './attributes';
import { Copy } from './copy';

/** Links of a span: to others, and from others of this trace. */
export interface Ends {
  outgoing: { link: SpanLink; to: number }[];
  incoming: number[];
}

/** Both ends of a span's links. Those from other traces are not known to the skeleton. */
export function endsOf(model: Model, span: number, links: readonly SpanLink[]): Ends {
  const inTrace = new Map<string, number>();
  const incoming = new Set<number>();
  for (const link of model.skeleton.links ?? []) {
    if (link.to === null || link.to === undefined) continue;
    if (link.span === span) inTrace.set(link.spanId, link.to);
    if (link.to === span) incoming.add(link.span);
  }
  const isHere = (link: SpanLink) => link.traceId === model.skeleton.traceId;
  return { outgoing: links.map((link) => ({ link, to: isHere(link) ? (inTrace.get(link.spanId) ?? positionOf(model, link.spanId)) : -1 })), incoming: [...incoming] };
}

/** The links as lists. */
export function Links({ state, model, ends, reading }: { state: TraceState; model: Model; ends: Ends; reading: Reading }) {
  return (
    <ul class="links">
      {ends.outgoing.map(({ link, to }, at) => (
        <li key={at}>
          <p class="linked">
            <span class="muted">to</span>
            {to >= 0 ? <SpanButton state={state} model={model} span={to} /> : <OtherTrace link={link} canOpen={state.source.live} />}
          </p>
          {link.attributes.length > 0 && <Attributes attributes={link.attributes} reading={{ ...reading, filter: null }} />}
        </li>
      ))}
      {ends.incoming.map((span) => (
        <li key={`in ${span}`}>
          <p class="linked">
            <span class="muted">from</span>
            <SpanButton state={state} model={model} span={span} />
          </p>
        </li>
      ))}
    </ul>
  );
}

function OtherTrace({ link, canOpen }: { link: SpanLink; canOpen: boolean }) {
  return (
    <>
      <span class="mono id" title={`trace ${link.traceId}, span ${link.spanId}`}>
        {`${link.traceId.slice(0, 8)}\u2026 / ${link.spanId.slice(0, 8)}\u2026`}
      </span>
      {canOpen && (
        <a class="button" href={href(`t/${link.traceId}`, new URLSearchParams({ span: link.spanId }))}>
          open trace
        </a>
      )}
      <Copy text={() => link.traceId} what="the other trace's id" />
    </>
  );
}

/** A span of this trace, to go to. */
export function SpanButton({ state, model, span }: { state: TraceState; model: Model; span: number }) {
  return (
    <button type="button" class="plain to-span" onClick={() => state.select(span)} title={`Select ${idOf(model, span)}`}>
      <span class="muted">{serviceOf(model, span)}</span> <span class="mono foreign">{nameOf(model, span) || '(no name)'}</span>
    </button>
  );
}
