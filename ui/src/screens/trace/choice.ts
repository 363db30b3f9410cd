/**
 * What is chosen, folded and zoomed to, as the address says it and as rows and spans. Pure: state.ts binds it to the address.
 */
import { type Model, idOf, positionOf } from './model';
import { gapRow, groupRow, rowGap, rowGroup } from './rows';

/** Part of the time axis, in nanoseconds from the skeleton's start. */
export interface TimeWindow {
  from: number;
  to: number;
}

/** No row. */
export const NOTHING = Number.MIN_SAFE_INTEGER;
/** Folded spans that an address has room for. */
const FOLDED_MAX = 200;
/** The shortest window: below it, nanoseconds would be told apart that no clock does. */
export const WINDOW_NANOS_MIN = 100;

/** Spans that are named by their ids, with dots between them. */
export function spansOf(model: Model | null, ids: string | null): ReadonlySet<number> {
  if (!model || !ids) return new Set();
  return new Set(ids.split('.').map((id) => positionOf(model, id)).filter((at) => at >= 0));
}

/** The same with one span more, or less. */
export function toggled(model: Model, spans: ReadonlySet<number>, span: number): string | null {
  const changed = new Set(spans);
  if (!changed.delete(span)) changed.add(span);
  // The oldest are forgotten: an address has an end.
  return [...changed].slice(-FOLDED_MAX).map((at) => idOf(model, at)).join('.') || null;
}

/** The row that the address names. */
export function rowOfAddress(model: Model, span: string | null, gap: string | null, group: string | null): number {
  if (gap !== null) {
    const at = model.gaps.findIndex((one) => String(one.from) === gap);
    if (at >= 0) return gapRow(at);
  }
  if (group !== null) {
    const first = positionOf(model, group);
    if (first >= 0 && model.groupOf[first]! >= 0) return groupRow(model.groupOf[first]!);
  }
  const position = span === null ? -1 : positionOf(model, span);
  return position >= 0 ? position : NOTHING;
}

/** How the address names a row. */
export function addressOfRow(model: Model, code: number): Record<string, string | null> {
  const none = { span: null, gap: null, group: null };
  if (code >= 0) return { ...none, span: idOf(model, code) };
  const group = rowGroup(code);
  if (group >= 0) return { ...none, group: idOf(model, model.groups[group]!.spans[0]!) };
  return { ...none, gap: String(model.gaps[rowGap(code)]!.from) };
}

/** The span that a row stands for: of a group the first, of a gap the one that it lies in. -1 for none. */
export function spanOfRow(model: Model, code: number): number {
  if (code === NOTHING) return -1;
  if (code >= 0) return code < model.count ? code : -1;
  const group = rowGroup(code);
  return group >= 0 ? (model.groups[group]?.spans[0] ?? -1) : (model.gaps[rowGap(code)]?.span ?? -1);
}

/** The row that most of the thread went to: a span, its group, or a gap. */
export function guilty(model: Model, grouped: boolean): number {
  const bottleneck = model.skeleton.thread.bottleneck;
  const span = bottleneck?.span ?? -1;
  if (!bottleneck || (span < 0 && bottleneck.kind !== 'gap')) return model.count > 0 ? 0 : NOTHING;
  if (bottleneck.kind === 'gap') {
    let longest = -1;
    model.gaps.forEach((gap, at) => {
      if (gap.inTail || gap.span !== span) return;
      if (longest < 0 || gap.to - gap.from > model.gaps[longest]!.to - model.gaps[longest]!.from) longest = at;
    });
    if (longest >= 0) return gapRow(longest);
  }
  const group = model.groupOf[span] ?? -1;
  return grouped && group >= 0 && bottleneck.spanCount > 1 ? groupRow(group) : span;
}

/** The window that the address names; the whole, where it names none. */
export function windowOf(text: string | null, model: Model): TimeWindow {
  const found = /^(-?\d+),(\d+)$/.exec(text ?? '');
  return found ? clamp(Number(found[1]), Number(found[2]), model.total) : model.home;
}

/** Keeps a window on the axis: one that is too long shows all, one that sticks out is pushed back. */
export function clamp(from: number, to: number, total: number): TimeWindow {
  const length = Math.min(Math.max(to - from, WINDOW_NANOS_MIN), Math.max(total, WINDOW_NANOS_MIN));
  const begin = Math.min(Math.max(from, 0), Math.max(total - length, 0));
  return { from: begin, to: begin + length };
}
