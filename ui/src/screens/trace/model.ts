/**
 * A skeleton in typed arrays: what every view of a trace is laid out from. Pure, iterative, a few milliseconds for 100 k
 * spans.
 *
 *   const model = buildModel(skeleton)     once an answer
 *   const rows = buildRows(model, folding) whenever something is folded: see rows.ts
 *
 * A span is its position in the skeleton's columns (0..count); -1 is none. Positions are depth-first: a span comes before
 * its children, and the subtree of `i` is the range `i..ends[i]`. So children are walked without a list of them:
 *
 *   for (let child = i + 1; child < model.ends[i]!; child = model.ends[child]!) ...
 *
 * Times are nanoseconds from the skeleton's start, those of the thread, of gaps and of events too.
 */
import type { Group, Segments, Skeleton } from '../../api/shapes';
import { parseTime } from '../../format/time';

/** Bits of {@link Model.flags}. */
export const FAILED = 1;
/** The thread has a segment in the span. */
export const ON_THREAD = 2;
/** The span, or one below it, is on the thread. */
export const LEADS_TO_THREAD = 4;
/** The parent did not wait for the span. */
export const ASYNC = 8;
/** The parent is not in the trace. */
export const ORPHAN = 16;
/** The failure that others passed on. */
export const ORIGIN = 32;
/** The span has a mark or a note. */
export const NOTED = 64;

/** What a segment's time was. */
export const SELF = 0;
export const GAP = 1;
export const WAIT = 2;
export const TRANSIT = 3;

/** Consecutive pieces of the thread. */
export interface Line {
  count: number;
  from: Float64Array;
  to: Float64Array;
  /** The span of each, -1 between roots. */
  spans: Int32Array;
  /** SELF, GAP, WAIT or TRANSIT. */
  kinds: Uint8Array;
  /** Position in `Model.gaps` of each that is a hole worth naming, -1 of the others. */
  gaps: Int32Array;
}

/** A hole worth naming. */
export interface Hole {
  from: number;
  to: number;
  /** The span it lies in, -1 between roots. */
  span: number;
  /** The child that ended before it and the one that began after it, -1 for none. */
  before: number;
  after: number;
  /** Whether it lies after the root's end. */
  inTail: boolean;
}

/** A trace, ready to be laid out. */
export interface Model {
  skeleton: Skeleton;
  /** How many spans there are. */
  count: number;
  parents: Int32Array;
  /** 0 for a root. */
  depths: Int32Array;
  maxDepth: number;
  /** One past the last span of each subtree. */
  ends: Int32Array;
  childCounts: Int32Array;
  starts: Float64Array;
  durations: Float64Array;
  selfs: Float64Array;
  /** The last end in each subtree. */
  lastEnds: Float64Array;
  /** Positions in `skeleton.services`, `.names` and `.kinds`. */
  services: Int32Array;
  names: Int32Array;
  kinds: Int32Array;
  flags: Uint8Array;
  /** From 0 to the last end of all: what the whole time axis shows. At least 1. */
  total: number;
  /** The part of the axis that is shown at first: without spans whose start is odd, which would make a second vanish. */
  home: { from: number; to: number };
  thread: Line;
  /** What went on after the root's end. */
  tail: Line;
  /** Where the root ended and the tail begins; `null` without a tail. */
  tailStart: number | null;
  gaps: Hole[];
  groups: Group[];
  /** Position in `groups` of each span's own group, -1 for none. */
  groupOf: Int32Array;
  /** Events of span `i` are `eventOrder[eventsFrom[i]..eventsFrom[i + 1]]`: positions in the skeleton's event columns. */
  eventsFrom: Int32Array;
  eventOrder: Int32Array;
  exceptions: Set<number>;
  /** Failed spans, ascending. */
  failed: Int32Array;
}

/** Lays a skeleton out in typed arrays. */
export function buildModel(skeleton: Skeleton): Model {
  const columns = skeleton.spans;
  const count = columns.parents.length;
  const parents = new Int32Array(count);
  const depths = new Int32Array(count);
  const ends = new Int32Array(count);
  const childCounts = new Int32Array(count);
  const starts = Float64Array.from(columns.starts);
  const durations = Float64Array.from(columns.durations);
  const lastEnds = new Float64Array(count);
  let maxDepth = 0;
  for (let at = 0; at < count; at++) {
    const parent = columns.parents[at]!;
    // A parent comes first. What claims otherwise is shown as a root, so that no walk can go round in a circle.
    const known = parent >= 0 && parent < at ? parent : -1;
    parents[at] = known;
    ends[at] = at + 1;
    lastEnds[at] = starts[at]! + durations[at]!;
    if (known < 0) continue;
    depths[at] = depths[known]! + 1;
    childCounts[known]!++;
    if (depths[at]! > maxDepth) maxDepth = depths[at]!;
  }
  let total = 1;
  for (let at = count - 1; at >= 0; at--) {
    const parent = parents[at]!;
    if (lastEnds[at]! > total) total = lastEnds[at]!;
    if (parent < 0) continue;
    if (ends[at]! > ends[parent]!) ends[parent] = ends[at]!;
    if (lastEnds[at]! > lastEnds[parent]!) lastEnds[parent] = lastEnds[at]!;
  }
  const origin = parseTime(skeleton.start);
  const { thread } = skeleton;
  const threadStart = Number(parseTime(thread.start) - origin);
  const tailStart = thread.asyncTail ? Number(parseTime(thread.asyncTail.start) - origin) : null;
  const threadLine = line(thread.segments, threadStart);
  const tailLine = line(thread.asyncTail?.segments ?? { spans: [], ends: [], kinds: [] }, tailStart ?? 0);
  const position = positions(columns.ids);
  const hole = (offset: number, inTail: boolean) => (gap: (typeof thread.gaps)[number]): Hole => {
    const span = gap.span ?? -1;
    const after = gap.afterSpanId ? position(gap.afterSpanId) : -1;
    const before = gap.beforeSpanId ? position(gap.beforeSpanId) : -1;
    return { from: gap.fromNanos + offset, to: gap.toNanos + offset, span, before, after, inTail };
  };
  const gaps = [
    ...thread.gaps.map(hole(threadStart, false)),
    ...(thread.asyncTail?.gaps ?? []).map(hole(tailStart ?? 0, true)),
  ];
  nameHoles(threadLine, gaps);
  nameHoles(tailLine, gaps);
  const groups = skeleton.groups ?? [];
  return {
    skeleton, count, parents, depths, maxDepth, ends, childCounts, starts, durations, lastEnds, total, gaps, groups, tailStart,
    home: home(skeleton, origin, total),
    selfs: Float64Array.from(columns.selfs),
    services: Int32Array.from(columns.services),
    names: Int32Array.from(columns.names),
    kinds: Int32Array.from(columns.kinds),
    flags: flags(skeleton, parents, [threadLine, tailLine]),
    thread: threadLine,
    tail: tailLine,
    groupOf: groupOf(groups, count),
    ...events(skeleton, count),
    failed: Int32Array.from(columns.errors),
  };
}

/** Pieces of a thread, of which each begins where the one before it ended. */
function line(segments: Segments, offset: number): Line {
  const count = segments.spans.length;
  const made: Line = {
    count,
    from: new Float64Array(count),
    to: new Float64Array(count),
    spans: new Int32Array(count),
    kinds: new Uint8Array(count),
    gaps: new Int32Array(count).fill(-1),
  };
  let from = offset;
  for (let at = 0; at < count; at++) {
    made.from[at] = from;
    made.to[at] = from = segments.ends[at]! + offset;
    made.spans[at] = segments.spans[at]!;
    made.kinds[at] = segments.kinds[at]!;
  }
  return made;
}

function nameHoles(line: Line, gaps: readonly Hole[]): void {
  const byStart = new Map(gaps.map((gap, at) => [gap.from, at]));
  for (let at = 0; at < line.count; at++) {
    if (line.kinds[at] === GAP) line.gaps[at] = byStart.get(line.from[at]!) ?? -1;
  }
}

function home({ summary }: Skeleton, origin: bigint, total: number): Model['home'] {
  const from = Number(parseTime(summary.start) - origin);
  const to = from + summary.durationNanos;
  // Moved clocks move the ends: only what is far off is left out.
  return from > total / 2 || to < total / 2 ? { from: Math.max(from, 0), to: Math.min(Math.max(to, from + 1), total) } : { from: 0, to: total };
}

function flags(skeleton: Skeleton, parents: Int32Array, lines: Line[]): Uint8Array {
  const made = new Uint8Array(parents.length);
  const mark = (positions: readonly number[] | undefined, flag: number) => {
    for (const at of positions ?? []) if (at < made.length) made[at]! |= flag;
  };
  mark(skeleton.spans.errors, FAILED);
  for (const [name, positions] of Object.entries(skeleton.marks ?? {})) {
    mark(positions, name === 'async' ? ASYNC | NOTED : name === 'orphan' ? ORPHAN | NOTED : NOTED);
  }
  for (const positions of Object.values(skeleton.notes ?? {})) mark(positions, NOTED);
  if (typeof skeleton.errorOrigin === 'number') mark([skeleton.errorOrigin], ORIGIN);
  for (const { count, spans } of lines) {
    for (let at = 0; at < count; at++) if (spans[at]! >= 0) made[spans[at]!]! |= ON_THREAD | LEADS_TO_THREAD;
  }
  for (let at = made.length - 1; at >= 0; at--) {
    if (made[at]! & LEADS_TO_THREAD && parents[at]! >= 0) made[parents[at]!]! |= LEADS_TO_THREAD;
  }
  return made;
}

function groupOf(groups: readonly Group[], count: number): Int32Array {
  const made = new Int32Array(count).fill(-1);
  groups.forEach((group, at) => {
    for (const span of group.spans) if (span < count) made[span] = at;
  });
  return made;
}

/** Sorts events by their spans: a counting sort, since there are many and they are in no order that is promised. */
function events(skeleton: Skeleton, count: number): Pick<Model, 'eventsFrom' | 'eventOrder' | 'exceptions'> {
  const spans = skeleton.events?.spans ?? [];
  const eventsFrom = new Int32Array(count + 1);
  for (const span of spans) eventsFrom[span + 1]!++;
  for (let at = 0; at < count; at++) eventsFrom[at + 1]! += eventsFrom[at]!;
  const next = eventsFrom.slice();
  const eventOrder = new Int32Array(spans.length);
  spans.forEach((span, at) => {
    eventOrder[next[span]!++] = at;
  });
  return { eventsFrom, eventOrder, exceptions: new Set(skeleton.events?.exceptions ?? []) };
}

/** Finds spans by their ids: the first few by looking through the text, more by a table. */
function positions(ids: string): (id: string) => number {
  let asked = 0;
  let table: Map<string, number> | undefined;
  return (id) => {
    if (++asked > 8 && !table) {
      table = new Map();
      for (let at = 0; at < ids.length; at += 16) table.set(ids.slice(at, at + 16), at / 16);
    }
    if (table) return table.get(id) ?? -1;
    if (id.length !== 16) return -1;
    let found = ids.indexOf(id);
    // A hit across the border of two ids is none.
    while (found >= 0 && found % 16 !== 0) found = ids.indexOf(id, found + 1);
    return found < 0 ? -1 : found / 16;
  };
}

const finders = new WeakMap<Model, (id: string) => number>();

/** The span with that id, -1 when it is not here. */
export function positionOf(model: Model, id: string): number {
  let find = finders.get(model);
  if (!find) finders.set(model, (find = positions(model.skeleton.spans.ids)));
  return find(id);
}

/** The id of a span. */
export function idOf(model: Model, span: number): string {
  return model.skeleton.spans.ids.slice(span * 16, span * 16 + 16);
}

/** The operation of a span. */
export function nameOf(model: Model, span: number): string {
  return model.skeleton.names[model.names[span]!] ?? '';
}

/** The service of a span. */
export function serviceOf(model: Model, span: number): string {
  return model.skeleton.services[model.services[span]!] ?? '';
}

/** Whether a span has a flag. */
export function has(model: Model, span: number, flag: number): boolean {
  return (model.flags[span]! & flag) !== 0;
}
