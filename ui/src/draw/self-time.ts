import type { Hole, Model } from '../screens/trace/model';

const times = new WeakMap<Model, Map<number, Float64Array>>();
/** Spans whose children's times are kept; a screen shows some sixty, and few have many children. */
const KEPT_MAX = 5_000;
const NONE = new Float64Array(0);

/** When children of a span ran: begins and ends in turn, ascending, without overlaps, within the span. */
export function childTimes(model: Model, span: number): Float64Array {
  if (model.ends[span] === span + 1) return NONE;
  let kept = times.get(model);
  if (!kept) times.set(model, (kept = new Map()));
  let known = kept.get(span);
  if (!known) {
    if (kept.size >= KEPT_MAX) kept.clear();
    kept.set(span, (known = merged(model, span)));
  }
  return known;
}

function merged(model: Model, span: number): Float64Array {
  const { starts, durations, ends } = model;
  const [from, to] = [starts[span]!, starts[span]! + durations[span]!];
  const children: number[] = [];
  for (let child = span + 1; child < ends[span]!; child = ends[child]!) children.push(child);
  // They come by start, but for clocks that were moved.
  children.sort((a, b) => starts[a]! - starts[b]!);
  const made: number[] = [];
  for (const child of children) {
    const begin = Math.max(starts[child]!, from);
    const end = Math.min(starts[child]! + durations[child]!, to);
    if (end <= begin) continue;
    const last = made.length - 1;
    if (last >= 0 && begin <= made[last]!) made[last] = Math.max(made[last]!, end);
    else made.push(begin, end);
  }
  return Float64Array.from(made);
}

const holes = new WeakMap<Model, Map<number, Hole[]>>();

/** The gaps that lie in a span. */
export function gapsIn(model: Model, span: number): readonly Hole[] {
  let known = holes.get(model);
  if (!known) {
    known = new Map();
    for (const gap of model.gaps) {
      const list = known.get(gap.span);
      if (list) list.push(gap);
      else known.set(gap.span, [gap]);
    }
    holes.set(model, known);
  }
  return known.get(span) ?? [];
}
