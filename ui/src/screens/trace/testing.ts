/** Traces for unit tests, written as a tree in a few words. */
import type { Group, Segments, Skeleton } from '../../api/shapes';

/** One span of a written tree: its depth, name, start and length in milliseconds. */
export type Written = [depth: number, name: string, start: number, length: number];

const MS = 1e6;

/** The id of the span at a position. */
export const idAt = (at: number): string => (at + 1).toString(16).padStart(16, '0');

/** A skeleton of spans in depth-first order. */
export function skeletonOf(written: readonly Written[], more: Partial<Skeleton> = {}): Skeleton {
  const names = [...new Set(written.map(([, name]) => name))];
  const lastAt: number[] = [];
  const parents = written.map(([depth], at) => {
    lastAt[depth] = at;
    return depth === 0 ? -1 : lastAt[depth - 1]!;
  });
  const total = Math.max(0, ...written.map(([, , start, length]) => (start + length) * MS));
  const start = '2026-11-20T09:00:00.000000000Z';
  const state: Skeleton['state'] = { rootSeen: true, settled: true, lateSpans: 0 };
  return {
    traceId: 'f'.repeat(32),
    version: '1',
    clock: 'sent',
    state,
    start,
    summary: {
      traceId: 'f'.repeat(32), start, durationNanos: total, spanCount: written.length, errorCount: 0, services: ['shop'], state,
      root: { service: 'shop', operation: written[0]?.[1] ?? '', spanId: idAt(0) },
    },
    thread: { sentence: '', start, totalNanos: total, segments: segments([]), gaps: [] },
    services: ['shop'],
    names,
    kinds: ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'],
    spans: {
      ids: written.map((_, at) => idAt(at)).join(''),
      parents,
      starts: written.map(([, , from]) => from * MS),
      durations: written.map(([, , , length]) => length * MS),
      selfs: written.map(([, , , length]) => length * MS),
      services: written.map(() => 0),
      names: written.map(([, name]) => names.indexOf(name)),
      kinds: written.map(() => 1),
      errors: [],
    },
    errorOrigin: null,
    skews: [],
    marks: {},
    notes: {},
    groups: [],
    eventNames: [],
    events: { spans: [], offsets: [], names: [], exceptions: [] },
    eventsLeftOut: 0,
    links: [],
    linksLeftOut: 0,
    ...more,
  };
}

/** A piece of a thread: its span, begin and end in milliseconds, and kind. */
export type Piece = [span: number, from: number, to: number, kind: 'self' | 'gap' | 'wait' | 'transit'];

/** A piece of a thread. */
export function segment(span: number, from: number, to: number, kind: Piece[3] = 'self'): Piece {
  return [span, from, to, kind];
}

/** Pieces in columns. A piece begins where the one before it ends, so a hole before the first is a wait of no span. */
export function segments(pieces: Piece[]): Segments {
  const first = pieces[0]?.[1] ?? 0;
  const all: Piece[] = first > 0 ? [[-1, 0, first, 'wait'], ...pieces] : pieces;
  return {
    spans: all.map(([span]) => span),
    ends: all.map(([, , to]) => to * MS),
    kinds: all.map(([, , , kind]) => ['self', 'gap', 'wait', 'transit'].indexOf(kind)),
  };
}

/** Siblings that repeat. */
export function group(parent: number, spans: number[], name: string): Group {
  const sentence = `${spans.length} x ${name}`;
  return { parent, spans, name, service: 'shop', count: spans.length, totalNanos: 0, kind: 'n_plus_one', sentence };
}

/** A random tree of that many spans, the same for the same seed. */
export function randomSkeleton(count: number, seed = 1): Skeleton {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const written: Written[] = [[0, 'root', 0, count]];
  for (let at = 1; at < count; at++) {
    const depth = 1 + Math.floor(random() * Math.min(written[at - 1]![0] + 1, 40));
    written.push([depth, `name ${at % 50}`, at, random() * 20]);
  }
  return skeletonOf(written);
}
