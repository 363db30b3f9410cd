import { shareOfEach } from '../details/share';
import { FAILED, has, type Model } from '../model';

/** Spans with the same operations from the root down, taken together. */
export interface Path {
  /** The path above, -1 at the top or in a flat list. */
  parent: number;
  depth: number;
  service: number;
  name: number;
  /** Nanoseconds of all its spans together, and without those of their children. */
  total: number;
  self: number;
  count: number;
  errors: number;
  /** Nanoseconds of the thread. */
  thread: number;
  /** The span that stands for all: the first, whose folding is theirs, and the longest, to be selected. */
  first: number;
  longest: number;
}

/** What can be sorted by. */
export const COLUMNS = ['total', 'self', 'count', 'thread', 'errors', 'service', 'operation'] as const;
export type Column = (typeof COLUMNS)[number];

/** Paths, parents before children, and which of them each span belongs to. */
export interface Paths {
  paths: Path[];
  pathOf: Int32Array;
}

/** Merges siblings with the same service and operation, and their children in turn. */
export function pathsOf(model: Model): Paths {
  return gather(model, (span, pathOf) => {
    const parent = model.parents[span]!;
    return parent < 0 ? -1 : pathOf[parent]!;
  });
}

/** Merges all spans with the same service and operation, wherever they stand. */
export function flatPathsOf(model: Model): Paths {
  return gather(model, () => -1);
}

function gather(model: Model, parentOf: (span: number, pathOf: Int32Array) => number): Paths {
  const { count, services, names, durations, selfs } = model;
  const onThread = shareOfEach(model, model.thread);
  const pathOf = new Int32Array(count);
  const known = new Map<string, number>();
  const found: Path[] = [];
  for (let span = 0; span < count; span++) {
    const parent = parentOf(span, pathOf);
    const key = `${parent} ${services[span]} ${names[span]}`;
    let at = known.get(key);
    if (at === undefined) {
      known.set(key, (at = found.length));
      const depth = parent < 0 ? 0 : found[parent]!.depth + 1;
      found.push({
        parent, depth, service: services[span]!, name: names[span]!, total: 0, self: 0, count: 0, errors: 0, thread: 0, first: span, longest: span,
      });
    }
    pathOf[span] = at;
    const path = found[at]!;
    path.total += durations[span]!;
    path.self += selfs[span]!;
    path.thread += onThread[span]!;
    path.count++;
    if (has(model, span, FAILED)) path.errors++;
    if (durations[span]! > durations[path.longest]!) path.longest = span;
  }
  return { paths: found, pathOf };
}

/** The order in which paths are shown: siblings sorted, each followed by what is below it unless it is folded. */
export function shownOrder(model: Model, { paths }: Paths, column: Column | null, ascending: boolean, folded: ReadonlySet<number>): Int32Array {
  const children: number[][] = [];
  const tops: number[] = [];
  paths.forEach(({ parent }, at) => {
    if (parent < 0) tops.push(at);
    else (children[parent] ??= []).push(at);
  });
  const order = comparing(model, paths, column, ascending);
  const shown: number[] = [];
  // The last is taken first.
  const stack = tops.sort(order).reverse();
  while (stack.length > 0) {
    const at = stack.pop()!;
    shown.push(at);
    const below = children[at];
    if (below && !folded.has(paths[at]!.first)) for (const child of below.sort(order).reverse()) stack.push(child);
  }
  return Int32Array.from(shown);
}

function comparing(model: Model, paths: readonly Path[], column: Column | null, ascending: boolean): (a: number, b: number) => number {
  // Without a column, in the order of time.
  if (column === null) return (a, b) => paths[a]!.first - paths[b]!.first;
  const way = ascending ? 1 : -1;
  const { services, names } = model.skeleton;
  const text = (path: Path) => (column === 'service' ? services[path.service]! : names[path.name]!);
  if (column === 'service' || column === 'operation') {
    return (a, b) => way * text(paths[a]!).localeCompare(text(paths[b]!), 'en') || paths[a]!.first - paths[b]!.first;
  }
  return (a, b) => way * (paths[a]![column] - paths[b]![column]) || paths[a]!.first - paths[b]!.first;
}
