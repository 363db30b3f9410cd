import { address } from '../route';
import { ask, send } from './client';
import type { Resource, Scope, Skeleton, Span, Trace } from './shapes';

/** One span with all that it carries. */
export interface Details {
  span: Span;
  resource: Resource;
  scope: Scope;
}

/** Whoever can show a trace: a server, or a page that carries it. Positions are those of the skeleton's columns. */
export interface TraceSource {
  /** The trace in columns; `null` when it is still the one of `known`'s version. */
  skeleton(known?: Skeleton): Promise<Skeleton | null>;
  /** Everything about one span. */
  details(spanId: string): Promise<Details>;
  /** Positions of the spans in which the text occurs, ascending. */
  find(text: string, signal?: AbortSignal): Promise<number[]>;
  /** Where the trace can be downloaded from; `null` when it can not. */
  download(format: 'otlp' | 'html'): string | null;
  /** Whether the trace may still grow. */
  readonly live: boolean;
}

/** A trace that the server holds. */
export function served(traceId: string, corrected: boolean): TraceSource {
  const path = `v1/traces/${traceId}`;
  const params = (more: Record<string, string>) => {
    const all = new URLSearchParams(more);
    if (corrected) all.set('clock', 'corrected');
    const tenant = address.value.params.get('tenant');
    if (tenant) all.set('tenant', tenant);
    return all;
  };
  return {
    live: true,
    async skeleton(known) {
      const headers: Record<string, string> = known ? { 'If-None-Match': `"${known.version}"` } : {};
      const response = await send(path, params({ shape: 'skeleton' }), { headers });
      return response.status === 304 ? null : ((await response.json()) as Skeleton);
    },
    async details(spanId) {
      return details(await ask<Trace>(path, params({ span: spanId })), spanId);
    },
    async find(text, signal) {
      const found = await ask<{ spans: number[] }>(`${path}/find`, params({ text }), signal ? { signal } : {});
      return found.spans;
    },
    download(format) {
      const url = new URL(path, document.baseURI);
      url.search = params({ format }).toString();
      return url.href;
    },
  };
}

/** A trace that the page carries: a file that was dropped on it, or a page that was downloaded. */
export function carried(skeleton: Skeleton, trace: Trace): TraceSource {
  const texts = new Map<number, string>();
  const text = (at: number) => {
    let known = texts.get(at);
    if (known === undefined) {
      const span = trace.spans[at]!;
      // Keys and values as they are written, numbers too.
      known = JSON.stringify([span, trace.resources[span.resource], trace.scopes[span.scope]]).toLowerCase();
      texts.set(at, known);
    }
    return known;
  };
  return {
    live: false,
    skeleton: async (known) => (known ? null : skeleton),
    details: async (spanId) => details(trace, spanId),
    find: async (wanted) => {
      const needle = JSON.stringify(wanted.toLowerCase()).slice(1, -1);
      return trace.spans.flatMap((_, at) => (text(at).includes(needle) ? [at] : []));
    },
    download: () => null,
  };
}

function details(trace: Trace, spanId: string): Details {
  const span = trace.spans.find((one) => one.spanId === spanId);
  if (!span) throw new Error(`The answer lacks span ${spanId}.`);
  return { span, resource: trace.resources[span.resource]!, scope: trace.scopes[span.scope]! };
}
