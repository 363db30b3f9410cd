/** What keys and buttons do to a trace's state. */
import { type Line, type Model, positionOf } from './model';
import { type Rows, gapRow, isParent, rowGap, rowGroup } from './rows';
import { NOTHING, type TimeWindow } from './choice';
import type { TraceState } from './state';

/** The row that shows what is chosen, -1 for none. */
export function chosenRow(state: TraceState): number {
  const rows = state.rows.peek();
  return rows ? rowShowing(rows, state.chosen.peek(), state.selected.peek()) : -1;
}

/** The row of a code, else the one that its span is folded into. */
export function rowShowing(rows: Rows, code: number, span: number): number {
  if (code === NOTHING) return -1;
  const own = code >= 0 && rows.codes[rows.rowOf[code] ?? -1] === code ? rows.rowOf[code]! : rows.codes.subarray(0, rows.count).indexOf(code);
  return own >= 0 ? own : span >= 0 ? (rows.rowOf[span] ?? -1) : -1;
}

/** Chooses a row by its number; beyond the ends, the last there is. */
export function goToRow(state: TraceState, row: number): void {
  const rows = state.rows.peek();
  if (!rows || rows.count === 0) return;
  state.choose(rows.codes[Math.max(0, Math.min(row, rows.count - 1))]!, 'soon');
}

/** Goes rows down, or up. */
export function step(state: TraceState, by: number): void {
  goToRow(state, chosenRow(state) + by);
}

/** Folds the chosen row; one that is folded or has nothing to fold gives way to its parent. */
export function fold(state: TraceState): void {
  const [rows, model, row] = [state.rows.peek(), state.model.peek(), chosenRow(state)];
  if (!rows || !model || row < 0) return;
  const code = rows.codes[row]!;
  if (isParent(model, code) && isOpen(state, code)) state.toggle(code);
  else if (rows.parents[row]! >= 0) goToRow(state, rows.parents[row]!);
}

/** Unfolds the chosen row; of one that is open it goes to the first below it. */
export function unfold(state: TraceState): void {
  const [rows, model, row] = [state.rows.peek(), state.model.peek(), chosenRow(state)];
  if (!rows || !model || row < 0) return;
  const code = rows.codes[row]!;
  if (!isParent(model, code)) return;
  if (!isOpen(state, code)) state.toggle(code);
  else if (rows.parents[row + 1] === row) goToRow(state, row + 1);
}

function isOpen(state: TraceState, code: number): boolean {
  return code >= 0 ? !state.collapsed.peek().has(code) : state.openGroups.peek().has(rowGroup(code));
}

/** Zooms around a place on the axis; `factor` below 1 comes closer. */
export function zoom(state: TraceState, factor: number, around?: number): void {
  const { from, to } = state.window.peek();
  const still = around ?? (from + to) / 2;
  state.show(still - (still - from) * factor, still + (to - still) * factor);
}

/** Moves the window by a part of its length. */
export function pan(state: TraceState, by: number): void {
  const { from, to } = state.window.peek();
  const move = (to - from) * by;
  state.show(from + move, to + move);
}

/** Zooms to what is chosen: a span, a gap, or all of a group. */
export function fit(state: TraceState): void {
  const model = state.model.peek();
  const time = model && timeOf(model, state.chosen.peek());
  if (time) state.show(time.from - (time.to - time.from) * 0.08, time.to + (time.to - time.from) * 0.16);
}

/** When a row happened; `null` for none. */
export function timeOf(model: Model, code: number): TimeWindow | null {
  if (code === NOTHING) return null;
  if (code >= 0) return { from: model.starts[code]!, to: model.starts[code]! + model.durations[code]! };
  const gap = rowGap(code);
  if (gap >= 0) return { from: model.gaps[gap]!.from, to: model.gaps[gap]!.to };
  let [from, to] = [Infinity, 0];
  for (const span of model.groups[rowGroup(code)]!.spans) {
    from = Math.min(from, model.starts[span]!);
    to = Math.max(to, model.starts[span]! + model.durations[span]!);
  }
  return { from, to };
}

/** Chooses the next of some spans after the chosen one, round the end; `by` is 1 or -1. Whether there is one. */
export function nextOf(state: TraceState, spans: ArrayLike<number>, by: number): boolean {
  if (spans.length === 0) return false;
  const now = state.selected.peek();
  let at = by > 0 ? 0 : spans.length - 1;
  while (at >= 0 && at < spans.length && (by > 0 ? spans[at]! <= now : spans[at]! >= now)) at += by;
  state.choose(spans[(at + spans.length) % spans.length]!, 'soon');
  return true;
}

/** Goes along the thread to the next piece that belongs to another row. */
export function alongThread(state: TraceState, by: number): void {
  const model = state.model.peek();
  if (!model) return;
  const line = model.thread.count > 0 ? model.thread : model.tail;
  if (line.count === 0) return;
  const now = codeOf(line, pieceOf(state, model, line));
  let at = pieceOf(state, model, line);
  const start = at;
  const shown = state.gaps.peek();
  // The piece at hand may be several in a row of the same span.
  while (at >= 0 && at < line.count && (codeOf(line, at) === now || line.spans[at]! < 0)) at += by;
  if (at < 0 || at >= line.count) return;
  places.set(state, { model, at });
  if (at === start) return;
  const code = codeOf(line, at);
  state.choose(code < 0 && !shown ? line.spans[at]! : code, 'soon');
  keepInWindow(state, { from: line.from[at]!, to: line.to[at]! });
}

const places = new WeakMap<TraceState, { model: Model; at: number }>();

function codeOf(line: Line, at: number): number {
  return line.gaps[at]! >= 0 ? gapRow(line.gaps[at]!) : line.spans[at]!;
}

/** The piece of the thread at which the reader is: where `alongThread` went last, else the longest of what is chosen. */
function pieceOf(state: TraceState, model: Model, line: Line): number {
  const [chosen, selected] = [state.chosen.peek(), state.selected.peek()];
  const place = places.get(state);
  if (place?.model === model && (codeOf(line, place.at) === chosen || line.spans[place.at] === selected)) return place.at;
  let best = 0;
  let length = -1;
  for (let at = 0; at < line.count; at++) {
    const code = codeOf(line, at);
    if ((code === chosen || (line.spans[at] === selected && line.gaps[at]! < 0)) && line.to[at]! - line.from[at]! > length) {
      best = at;
      length = line.to[at]! - line.from[at]!;
    }
  }
  return best;
}

/** Moves the window, keeping its length, where a time lies outside of it. */
export function keepInWindow(state: TraceState, time: TimeWindow): void {
  const { from, to } = state.window.peek();
  if (time.to >= from && time.from <= to) return;
  const length = to - from;
  const middle = time.to - time.from > length ? time.from + length / 2 : (time.from + time.to) / 2;
  state.show(middle - length / 2, middle + length / 2);
}

/** Chooses what a part of the sentence is about; a gap is zoomed to, with what lies around it. */
export function showPart(state: TraceState, code: number): void {
  const model = state.model.peek();
  if (!model) return;
  state.choose(code);
  const time = timeOf(model, code);
  if (!time) return;
  if (rowGap(code) >= 0) {
    const around = (time.to - time.from) * 0.25;
    state.show(time.from - around, time.to + around, 'push');
  } else keepInWindow(state, time);
}

/** Where a row is in a trace that has grown meanwhile. */
export function movedCode(before: Model, now: Model, code: number, idOf: (model: Model, span: number) => string): number {
  if (before === now) return code;
  if (code >= 0) return positionOf(now, idOf(before, code));
  const group = rowGroup(code);
  if (group >= 0) return positionOf(now, idOf(before, before.groups[group]!.spans[0]!));
  const gap = before.gaps[rowGap(code)]!;
  return gap.span >= 0 ? positionOf(now, idOf(before, gap.span)) : -1;
}
