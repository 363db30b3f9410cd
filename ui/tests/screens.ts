import type { Planted, Server } from './server';

/** A screen in a state that is worth looking at. */
export interface Shown {
  name: string;
  /** Path and query under the server. */
  path: string;
  /** Whether the server is one that holds nothing. */
  empty?: boolean;
}

/** Every screen, and the states that a designer would ask for. */
export function screens(planted: Planted, spans: { declined: string; slow: string }): Shown[] {
  return [
    { name: 'home', path: '/?zone=utc' },
    { name: 'home-filtered', path: '/?status=error&service=checkout&zone=utc' },
    { name: 'home-no-match', path: '/?attr.no.such=thing&zone=utc' },
    { name: 'trace', path: `/t/${planted.slowQuery}?zone=utc` },
    { name: 'trace-details', path: `/t/${planted.slowQuery}?span=${spans.slow}&zone=utc` },
    { name: 'trace-error', path: `/t/${planted.declinedCard}?span=${spans.declined}&zone=utc` },
    { name: 'trace-n-plus-one', path: `/t/${planted.nPlusOne}?zone=utc` },
    { name: 'trace-gap', path: `/t/${planted.gap}?zone=utc` },
    { name: 'trace-thread-only', path: `/t/${planted.gap}?thread=1&zone=utc` },
    { name: 'trace-find', path: `/t/${planted.declinedCard}?find=declined&zone=utc` },
    { name: 'trace-flame', path: `/t/${planted.slowQuery}?view=flame&zone=utc` },
    { name: 'trace-table', path: `/t/${planted.slowQuery}?view=table&zone=utc` },
    { name: 'trace-unknown', path: '/t/00000000000000000000000000000001' },
    { name: 'start', path: '/start?zone=utc' },
    { name: 'operate', path: '/operate?zone=utc' },
    { name: 'view', path: '/view' },
    { name: 'first-minute', path: '/', empty: true },
    { name: 'operate-empty', path: '/operate?zone=utc', empty: true },
  ];
}

/** Ids of the planted traces' guilty spans, as the server's analysis names them. */
export async function guiltySpans(server: Server, planted: Planted): Promise<{ declined: string; slow: string }> {
  const declined = await server.ask<{ spans: { spanId: string }[]; errorOrigin: number }>(`traces/${planted.declinedCard}`);
  const slow = await server.ask<{ thread: { bottleneck: { spanId: string } } }>(`traces/${planted.slowQuery}`);
  return { declined: declined.spans[declined.errorOrigin]!.spanId, slow: slow.thread.bottleneck.spanId };
}
