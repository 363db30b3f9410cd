import type { Line, Model } from '../screens/trace/model';
import type { Colour } from '../screens/trace/state';
import { colourOf } from './bars';
import type { Palette } from './palette';
import type { Scale } from './scale';
import type { Surface } from './surface';

/** What a minimap shows. */
export interface Overview {
  model: Model;
  scale: Scale;
  palette: Palette;
  colour: Colour;
  /** What find found, ascending. */
  found: Int32Array | null;
}

/** Pixels at the top for errors and matches. */
const MARGIN = 7;
/** How high a span is drawn at most, where there are few. */
const LANE_PIXELS = 4;

/** Draws every span of a trace into a strip, each pixel once. */
export function paintMinimap(surface: Surface, overview: Overview): void {
  const { context, width, height } = surface;
  const { model, scale, palette, found } = overview;
  if (model.count === 0) return;
  paintSpans(surface, overview);
  paintThread(surface, overview, model.thread);
  paintThread(surface, overview, model.tail);
  paintMarks(context, width, model.failed, model, scale, palette.error, 0);
  if (found) paintMarks(context, width, found, model, scale, palette.focus, 3);
  context.fillStyle = palette.line;
  context.fillRect(0, height - 1, width, 1);
}

/** How many pixels each span has, and where it lies: the order of rows, squeezed into the strip. */
function lanes({ height }: Surface, model: Model) {
  const room = height - MARGIN - 5;
  const pitch = Math.min(room / model.count, LANE_PIXELS + 1);
  return { pitch, thick: Math.max(1, Math.min(LANE_PIXELS, pitch - 1)), y: (span: number) => MARGIN + span * pitch };
}

function paintSpans(surface: Surface, { model, scale, palette, colour }: Overview): void {
  const { context, width } = surface;
  const { pitch, thick, y } = lanes(surface, model);
  context.globalAlpha = 0.8;
  if (pitch >= 2) {
    for (let span = 0; span < model.count; span++) {
      context.fillStyle = colourOf({ model, palette, colour }, span);
      const left = scale.x(model.starts[span]!);
      context.fillRect(left, y(span), Math.max(1, model.durations[span]! * scale.factor), thick);
    }
    context.globalAlpha = 1;
    return;
  }
  // Many spans to a pixel. From the last to the first, and each pixel once: children lie upon their parents.
  const columns = Math.ceil(width);
  const next = new Int32Array(columns + 1);
  let lane = -1;
  for (let span = model.count - 1; span >= 0; span--) {
    const own = Math.floor(y(span));
    if (own !== lane) {
      lane = own;
      for (let at = 0; at <= columns; at++) next[at] = at;
    }
    const from = Math.max(0, Math.floor(scale.x(model.starts[span]!)));
    const to = Math.min(columns, Math.max(from + 1, Math.ceil(scale.x(model.starts[span]! + model.durations[span]!))));
    let begin = -1;
    for (let at = free(next, from); at < to; at = free(next, at + 1)) {
      if (begin < 0) {
        begin = at;
        context.fillStyle = colourOf({ model, palette, colour }, span);
      }
      next[at] = at + 1;
      let end = at + 1;
      while (end < to && next[end] === end) next[end] = ++end;
      context.fillRect(at, own, end - at, 1);
      at = end - 1;
    }
  }
  context.globalAlpha = 1;
}

/** The first column at or after one that nothing is painted in yet; shortens the way for those who ask later. */
function free(next: Int32Array, from: number): number {
  let at = from;
  while (at < next.length - 1 && next[at] !== at) at = next[at]!;
  for (let on = from; on < at; ) {
    const following = next[on]!;
    next[on] = at;
    on = following;
  }
  return at;
}

/** The thread: for each column of pixels, the span in which it was longest. */
function paintThread(surface: Surface, { model, scale, palette }: Overview, line: Line): void {
  const { context, width } = surface;
  const { thick, y } = lanes(surface, model);
  const columns = Math.ceil(width);
  const spans = new Int32Array(columns).fill(-1);
  const most = new Float64Array(columns);
  for (let at = 0; at < line.count; at++) {
    if (line.spans[at]! < 0) continue;
    const [left, right] = [scale.x(line.from[at]!), scale.x(line.to[at]!)];
    for (let column = Math.max(0, Math.floor(left)); column < Math.min(columns, Math.max(Math.ceil(right), Math.floor(left) + 1)); column++) {
      const share = Math.min(right, column + 1) - Math.max(left, column);
      if (share > most[column]!) {
        most[column] = share;
        spans[column] = line.spans[at]!;
      }
    }
  }
  context.strokeStyle = palette.thread;
  context.lineWidth = 1;
  context.globalAlpha = 0.85;
  context.beginPath();
  for (let column = 0; column < columns; column++) {
    if (spans[column]! < 0) continue;
    const height = y(spans[column]!) + thick;
    context.lineTo(column, height);
    context.lineTo(column + 1, height);
  }
  context.stroke();
  context.globalAlpha = 1;
}

function paintMarks(context: CanvasRenderingContext2D, width: number, spans: Int32Array, model: Model, scale: Scale, colour: string, y: number): void {
  const painted = new Uint8Array(Math.ceil(width) + 1);
  context.fillStyle = colour;
  for (const span of spans) {
    const x = Math.floor(scale.x(model.starts[span]!));
    if (x < 0 || x >= painted.length || painted[x]) continue;
    painted[x] = 1;
    context.fillRect(x, y, 2, 4);
  }
}
