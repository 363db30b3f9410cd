import { duration } from '../format/duration';
import { ASYNC, FAILED, type Model, ORIGIN, has, serviceOf } from '../screens/trace/model';
import { type Rows, rowGap, rowGroup } from '../screens/trace/rows';
import type { Colour } from '../screens/trace/state';
import { type Palette, paintOf } from './palette';
import type { Scale } from './scale';
import { childTimes, gapsIn } from './self-time';
import type { Surface } from './surface';
import { lettersOf } from './words';

/** What a waterfall's canvas shows. */
export interface Scene {
  model: Model;
  rows: Rows;
  scale: Scale;
  palette: Palette;
  colour: Colour;
  /** Pixels of all rows above the canvas. */
  top: number;
  rowHeight: number;
  /** Where in a row its bar lies, and how high it is. */
  barTop: number;
  barHeight: number;
  /** Whether lengths are written beside bars. */
  labels: boolean;
}

/** How strongly time is painted in which a child ran; time of the span's own is painted in full. */
const COVERED = 0.46;
const FONT_PIXELS = 11;
const LETTERS = lettersOf(`${FONT_PIXELS}px system-ui, sans-serif`);

/** What lies upon bars and thread. */
interface Over {
  /** Words and dots. */
  draws: (() => void)[];
  /** One path for all marks of bars that are out of the window, which may be as many as there are rows. */
  elsewhere: Path2D;
}

/** Draws the bars of all rows that are in view; gives what draws the words and dots that lie upon them and the thread. */
export function drawBars(surface: Surface, scene: Scene): () => void {
  const { context, height } = surface;
  const { rows, rowHeight, top, palette } = scene;
  const over: Over = { draws: [], elsewhere: new Path2D() };
  const last = Math.min(rows.count, Math.ceil((top + height) / rowHeight));
  for (let row = Math.max(0, Math.floor(top / rowHeight)); row < last; row++) {
    const code = rows.codes[row]!;
    const y = row * rowHeight - top;
    if (code >= 0) drawSpan(surface, scene, over, code, y, isFolded(scene, row, code));
    else if (rowGroup(code) >= 0) drawGroup(surface, scene, over, rowGroup(code), y);
    else drawGap(surface, scene, over, rowGap(code), y);
  }
  context.globalAlpha = 1;
  return () => {
    context.font = LETTERS.font;
    context.textBaseline = 'middle';
    for (const draw of over.draws) draw();
    context.fillStyle = palette.lineStrong;
    context.fill(over.elsewhere);
  };
}

function isFolded({ model, rows }: Scene, row: number, span: number): boolean {
  return rows.childCounts[row + 1] === 0 && model.ends[span]! > span + 1;
}

function drawSpan(surface: Surface, scene: Scene, over: Over, span: number, y: number, folded: boolean): void {
  const { context, width } = surface;
  const { model, scale, palette, barTop, barHeight } = scene;
  const [from, to] = [model.starts[span]!, model.starts[span]! + model.durations[span]!];
  const [left, right] = [scale.x(from), scale.x(to)];
  const end = folded ? Math.max(right, scale.x(model.lastEnds[span]!)) : right;
  if (end < 0 || left > width) return addElsewhere(surface, scene, over, y, end < 0);
  const colour = colourOf(scene, span);
  const barY = y + barTop;
  context.fillStyle = colour;
  if (folded && end > right + 1) {
    // What is folded away outlives the span.
    context.globalAlpha = 0.7;
    fill(surface, right, barY + barHeight / 2 - 1.5, end, 3);
  }
  const parent = model.parents[span]!;
  const waitedUntil = has(model, span, ASYNC) && parent >= 0 ? model.starts[parent]! + model.durations[parent]! : Infinity;
  if (waitedUntil < to) {
    // Nobody waited for it any more: a thin tail.
    context.globalAlpha = 1;
    fill(surface, Math.max(scale.x(waitedUntil), left), barY + barHeight / 2 - 2, right, 4);
  }
  const solidEnd = Math.min(right, scale.x(waitedUntil));
  if (solidEnd >= left || waitedUntil === Infinity) drawOwnTime(surface, scene, span, left, solidEnd, barY);
  if (right - left < 2.5) {
    context.globalAlpha = 1;
    context.fillRect(Math.round(left) - 1, barY - 1, 2, barHeight + 2);
  } else if (scene.colour === 'service' && paintOf(serviceOf(model, span)).striped) {
    context.globalAlpha = 0.5;
    context.fillStyle = palette.bg;
    fill(surface, left, barY + barHeight / 2 - 1, solidEnd, 1.5);
  }
  context.globalAlpha = 1;
  over.draws.push(() => {
    drawEvents(surface, scene, span, barY);
    drawLabel(surface, scene, duration(model.durations[span]!), left, Math.max(end, left + 2), y, failure(model, span));
  });
}

/** A bar: pale where children ran, full where it worked itself, hatched where nobody can say. */
function drawOwnTime(surface: Surface, scene: Scene, span: number, left: number, right: number, barY: number): void {
  const { context } = surface;
  const { model, scale, barHeight } = scene;
  const times = childTimes(model, span);
  if (times.length === 0) {
    context.globalAlpha = 1;
    fill(surface, left, barY, Math.max(right, left + 1), barHeight);
  } else {
    context.globalAlpha = COVERED;
    fill(surface, left, barY, Math.max(right, left + 1), barHeight);
    context.globalAlpha = 1;
    let free = left;
    for (let at = 0; at < times.length && free < surface.width; at += 2) {
      const [begin, end] = [scale.x(times[at]!), scale.x(times[at + 1]!)];
      if (begin > free + 0.4) fill(surface, free, barY, Math.min(begin, right), barHeight);
      if (end > free) free = end;
    }
    if (free < right) fill(surface, free, barY, right, barHeight);
  }
  for (const gap of gapsIn(model, span)) hatch(surface, scene, scale.x(gap.from), scale.x(gap.to), barY, true);
}

function drawGroup(surface: Surface, scene: Scene, over: Over, group: number, y: number): void {
  const { context, width } = surface;
  const { model, scale, barTop, barHeight } = scene;
  const { spans, count, totalNanos, kind } = model.groups[group]!;
  context.fillStyle = colourOf(scene, spans[0]!);
  context.globalAlpha = 1;
  let [drawnTo, first, last] = [-Infinity, Infinity, -Infinity];
  let failed: [string, string] | null = null;
  for (const span of spans) {
    const left = scale.x(model.starts[span]!);
    const right = Math.max(scale.x(model.starts[span]! + model.durations[span]!), left + 1);
    first = Math.min(first, left);
    last = Math.max(last, right);
    failed ??= failure(model, span);
    // Members that share a pixel are drawn once.
    if (right < drawnTo + 0.5 || right < 0 || left > width) continue;
    fill(surface, Math.max(left, drawnTo + 0.5), barY(y), right, barHeight);
    drawnTo = right;
  }
  context.globalAlpha = 0.3;
  fill(surface, first, y + barTop + barHeight / 2 - 0.5, last, 1);
  context.globalAlpha = 1;
  if (last < 0 || first > width) return addElsewhere(surface, scene, over, y, last < 0);
  const name = kind === 'n_plus_one' ? `${duration(totalNanos)} in ${count}, N+1` : `${duration(totalNanos)} in ${count}`;
  over.draws.push(() => drawLabel(surface, scene, name, first, last, y, failed));

  function barY(rowY: number): number {
    return rowY + barTop;
  }
}

function drawGap(surface: Surface, scene: Scene, over: Over, gap: number, y: number): void {
  const { model, scale, barTop } = scene;
  const { from, to } = model.gaps[gap]!;
  const [left, right] = [scale.x(from), scale.x(to)];
  if (right < 0 || left > surface.width) return addElsewhere(surface, scene, over, y, right < 0);
  hatch(surface, scene, left, Math.max(right, left + 2), y + barTop, false);
  over.draws.push(() => drawLabel(surface, scene, duration(to - from), left, right, y, null));
}

/** Dots for what happened within a span. */
function drawEvents(surface: Surface, { model, scale, palette, barHeight }: Scene, span: number, barY: number): void {
  const { context, width } = surface;
  const offsets = model.skeleton.events?.offsets ?? [];
  let drawnAt = -Infinity;
  for (let at = model.eventsFrom[span]!; at < model.eventsFrom[span + 1]!; at++) {
    const event = model.eventOrder[at]!;
    const x = scale.x(offsets[event]!);
    const isException = model.exceptions.has(event);
    if (x < -4 || x > width + 4 || (x < drawnAt + 3 && !isException)) continue;
    drawnAt = x;
    context.beginPath();
    context.arc(x, barY + barHeight / 2, 3, 0, 2 * Math.PI);
    context.fillStyle = isException ? palette.error : palette.text;
    context.fill();
    context.lineWidth = 1;
    context.strokeStyle = palette.bg;
    context.stroke();
  }
}

/** Says that a row's bar lies outside of the window, and on which side. */
function addElsewhere({ width }: Surface, { rowHeight }: Scene, { elsewhere }: Over, y: number, before: boolean): void {
  const [x, middle] = [before ? 3 : width - 3, y + rowHeight / 2];
  const tip = before ? -1 : 1;
  elsewhere.moveTo(x + tip * 2, middle);
  elsewhere.lineTo(x - tip * 3, middle - 4);
  elsewhere.lineTo(x - tip * 3, middle + 4);
  elsewhere.closePath();
}

function failure(model: Model, span: number): [mark: string, words: string] | null {
  if (!has(model, span, FAILED)) return null;
  return has(model, span, ORIGIN) ? ['origin', 'error began here'] : ['error', 'error'];
}

const GAP_PIXELS = 6;
/** What is seen of a bar behind words that lie upon it, so that its end shows. */
const END_PIXELS = 12;
const CROSS_PIXELS = 7;
/** Between the cross of an error and its word; the disc of an origin is wider. */
const CROSS_GAP_PIXELS = 6;

/** Writes beside a bar, to its right where there is room, else to its left, else upon it. */
function drawLabel(surface: Surface, scene: Scene, text: string, left: number, right: number, y: number, failed: [string, string] | null): void {
  const { context, width } = surface;
  const { palette, rowHeight, barTop, barHeight } = scene;
  const [shownLeft, shownRight] = [Math.max(left, 0), Math.min(right, width)];
  const middle = scene.labels ? y + rowHeight / 2 : y + barTop + barHeight / 2;
  let x = shownRight + GAP_PIXELS;
  // No letter is wider than it is high: where that leaves room, as nearly everywhere, there is nothing to measure.
  if (scene.labels && !failed && x + text.length * FONT_PIXELS <= width - 2) {
    context.fillStyle = palette.text;
    context.fillText(text, x, middle);
    return;
  }
  const textWidth = scene.labels ? LETTERS.widthOf(context, text) : 0;
  const crossWidth = failed ? (scene.labels ? CROSS_PIXELS + 8 + CROSS_GAP_PIXELS + LETTERS.widthOf(context, failed[1]) : CROSS_PIXELS + 2) : 0;
  const room = textWidth + crossWidth;
  if (room === 0) return;
  if (x + room > width - 2) {
    x = shownLeft - GAP_PIXELS - room;
    if (x < 2) {
      x = Math.max(Math.min(shownRight, width) - room - END_PIXELS, 4);
      context.globalAlpha = 0.82;
      context.fillStyle = palette.bg;
      context.fillRect(x - 4, y + barTop, room + 8, barHeight);
      context.globalAlpha = 1;
    }
  }
  if (scene.labels) {
    context.fillStyle = palette.text;
    context.fillText(text, x, middle);
  }
  if (!failed) return;
  const crossX = scene.labels ? x + textWidth + 8 : x;
  drawCross(context, crossX, middle, failed[0] === 'origin', palette);
  if (!scene.labels) return;
  context.fillStyle = palette.error;
  context.fillText(failed[1], crossX + CROSS_PIXELS + CROSS_GAP_PIXELS, middle);
}

/** The cross of an error; a full disc around it where the error began. */
function drawCross(context: CanvasRenderingContext2D, x: number, y: number, isOrigin: boolean, palette: Palette): void {
  const half = CROSS_PIXELS / 2;
  if (isOrigin) {
    context.fillStyle = palette.error;
    context.beginPath();
    context.arc(x + half, y, half + 2.5, 0, 2 * Math.PI);
    context.fill();
  }
  const arm = isOrigin ? half - 1 : half;
  context.strokeStyle = isOrigin ? palette.bg : palette.error;
  context.lineWidth = 1.8;
  context.beginPath();
  context.moveTo(x + half - arm, y - arm);
  context.lineTo(x + half + arm, y + arm);
  context.moveTo(x + half + arm, y - arm);
  context.lineTo(x + half - arm, y + arm);
  context.stroke();
}

/** A rectangle, cut at the canvas's sides: a bar that is zoomed into may be millions of pixels long. */
function fill({ context, width }: Surface, left: number, y: number, right: number, height: number): void {
  const [from, to] = [Math.max(left, -2), Math.min(right, width + 2)];
  if (to > from) context.fillRect(from, y, to - from, height);
}

/** Slanted lines for time that no span explains. */
function hatch(surface: Surface, { palette, barHeight }: Scene, left: number, right: number, y: number, within: boolean): void {
  const { context, width } = surface;
  const [from, to] = [Math.max(left, -2), Math.min(right, width + 2)];
  if (to <= from) return;
  context.save();
  context.beginPath();
  context.rect(from, y, to - from, barHeight);
  context.clip();
  context.globalAlpha = 1;
  context.fillStyle = palette.bg;
  context.fillRect(from, y, to - from, barHeight);
  context.globalAlpha = within ? 0.45 : 0.9;
  context.strokeStyle = palette.muted;
  context.lineWidth = 1.2;
  context.beginPath();
  // Counted from a fixed place, so that the pattern stands still while its ends move.
  for (let x = Math.floor((from - barHeight) / 6) * 6; x < to; x += 6) {
    context.moveTo(x, y + barHeight);
    context.lineTo(x + barHeight, y);
  }
  context.stroke();
  context.strokeRect(Math.round(from) + 0.5, y + 0.5, Math.round(to - from) - 1, barHeight - 1);
  context.restore();
}

/** Which of the palette's colours a kind of span has. */
export const KIND_COLOURS = [6, 9, 0, 4, 2, 8];

/** The colour of a span's bar. */
export function colourOf({ model, palette, colour }: Pick<Scene, 'model' | 'palette' | 'colour'>, span: number): string {
  if (colour === 'kind') return palette.services[KIND_COLOURS[model.kinds[span]!] ?? 6]!;
  if (colour === 'self') return shades(palette)[Math.round(Math.sqrt(model.selfs[span]! / Math.max(longestSelf(model), 1)) * 8)]!;
  return palette.services[paintOf(serviceOf(model, span)).colour]!;
}

let known: { palette: Palette; shades: string[] } | null = null;

/** From near the ground to one hue, for little and much: little must still be seen where it is painted pale. */
function shades(palette: Palette): string[] {
  if (known?.palette !== palette) {
    const made = Array.from({ length: 9 }, (_, at) => `color-mix(in oklab, ${palette.services[4]} ${36 + at * 8}%, ${palette.bg})`);
    known = { palette, shades: made };
  }
  return known.shades;
}

const longest = new WeakMap<Model, number>();

function longestSelf(model: Model): number {
  let most = longest.get(model);
  if (most === undefined) {
    most = 0;
    for (let at = 0; at < model.count; at++) most = Math.max(most, model.selfs[at]!);
    longest.set(model, most);
  }
  return most;
}
