import { FAILED, GAP, type Line, type Model, has, nameOf, serviceOf } from '../screens/trace/model';
import type { Colour } from '../screens/trace/state';
import { colourOf } from './bars';
import { type FlameBoxes, firstEndingAfter, ROW } from './flame-boxes';
import { type Palette, paintOf } from './palette';
import type { Scale } from './scale';
import type { Surface } from './surface';

/** What a flame's canvas shows. */
export interface FlameScene {
  model: Model;
  boxes: FlameBoxes;
  scale: Scale;
  palette: Palette;
  colour: Colour;
  /** Pixels of all rows above the canvas. */
  top: number;
  selected: number;
  hover: number;
  /** 1 for spans that were found; `null` while nothing is looked for. */
  found: Uint8Array | null;
}

/** What of a row a box fills. */
const BOX = 18;
/** A box is labelled from this width on. */
const LABEL_WIDTH_MIN = 26;

/** Draws the boxes of all rows that are in view. */
export function drawFlame(surface: Surface, scene: FlameScene): void {
  const { context, height } = surface;
  const { boxes, top } = scene;
  context.font = '11.5px system-ui, sans-serif';
  context.textBaseline = 'middle';
  const last = Math.min(boxes.rows, Math.ceil((top + height) / ROW));
  for (let row = Math.max(0, Math.floor(top / ROW)); row < last; row++) drawRow(surface, scene, row, row * ROW - top);
  drawOutline(surface, scene, scene.hover, scene.palette.text, 1);
  drawOutline(surface, scene, scene.selected, scene.palette.focus, 2);
}

/** A box, or all that lie within one pixel. */
interface Stroke {
  span: number;
  x: number;
  y: number;
  width: number;
  failed: boolean;
  found: boolean;
}

function drawRow({ context, width }: Surface, scene: FlameScene, row: number, y: number): void {
  const { model, boxes, scale, found } = scene;
  const { order } = boxes;
  const end = boxes.first[row + 1]!;
  let at = firstEndingAfter(model, boxes, row, scale.nanos(0));
  while (at < end) {
    const span = order[at]!;
    const left = scale.x(model.starts[span]!);
    if (left > width) return;
    const right = scale.x(model.starts[span]! + model.durations[span]!);
    const x = Math.max(left, -2);
    const stroke: Stroke = { span, x, y, width: Math.min(right, width + 2) - x, failed: has(model, span, FAILED), found: !found || found[span] === 1 };
    let next = at + 1;
    if (right - left < 1) {
      // What lies within a pixel is one stroke: as many strokes as pixels, however many spans there are.
      stroke.width = 1;
      next = Math.max(next, firstEndingAfter(model, boxes, row, scale.nanos(left + 1), next));
      for (let other = at + 1; other < Math.min(next, at + MERGED_MAX); other++) {
        stroke.failed ||= has(model, order[other]!, FAILED);
        stroke.found ||= found?.[order[other]!] === 1;
      }
    }
    drawStroke(context, scene, stroke);
    at = next;
  }
}

/** Spans of one stroke that are asked whether they failed or were found. */
const MERGED_MAX = 64;

function drawStroke(context: CanvasRenderingContext2D, scene: FlameScene, { span, x, y, width, failed, found }: Stroke): void {
  const { model, palette, colour } = scene;
  context.globalAlpha = found ? 1 : 0.22;
  const ground = colourOf(scene, span);
  context.fillStyle = ground;
  // A hair's breadth between neighbours, where there is room for it.
  const drawn = width > 3 ? width - 1 : width;
  context.fillRect(x, y, drawn, BOX);
  if (width > 6 && colour === 'service' && paintOf(serviceOf(model, span)).striped) {
    context.globalAlpha *= 0.4;
    context.fillStyle = palette.bg;
    context.fillRect(x, y + BOX - 5, drawn, 2);
  }
  context.globalAlpha = 1;
  if (failed) {
    context.fillStyle = palette.error;
    context.fillRect(x, y, drawn, 3);
  }
  if (width < LABEL_WIDTH_MIN) return;
  context.globalAlpha = found ? 1 : 0.6;
  context.fillStyle = found ? inkOn(ground, palette) : palette.text;
  const name = nameOf(model, span) || '(no name)';
  context.fillText(fitted(context, failed ? `\u2715 ${name}` : name, width - 9), Math.max(x, 0) + 4, y + BOX / 2 + (failed ? 1.5 : 0.5));
  context.globalAlpha = 1;
}

function drawOutline({ context, width }: Surface, { model, boxes, scale, top }: FlameScene, span: number, colour: string, line: number): void {
  if (span < 0 || span >= model.count) return;
  const left = Math.max(scale.x(model.starts[span]!), -4);
  const right = Math.min(Math.max(scale.x(model.starts[span]! + model.durations[span]!), left + 3), width + 4);
  if (right < left) return;
  context.strokeStyle = colour;
  context.lineWidth = line;
  context.strokeRect(left, boxes.rowOf[span]! * ROW - top, right - left, BOX);
}

const inks = new Map<string, string>();

/** What is legible on a colour: the text of this theme, or of the other. */
function inkOn(ground: string, palette: Palette): string {
  // Mixed colours are of one hue and at most half as bright as it is.
  if (!ground.startsWith('#')) return palette.text;
  const key = `${ground} ${palette.text}`;
  let ink = inks.get(key);
  if (ink === undefined) {
    const light = luminance(ground);
    const contrast = (other: string) => {
      const [high, low] = [Math.max(light, luminance(other)), Math.min(light, luminance(other))];
      return (high + 0.05) / (low + 0.05);
    };
    ink = contrast(palette.text) > contrast(palette.barText) ? palette.text : palette.barText;
    inks.set(key, ink);
  }
  return ink;
}

/** How bright a colour is (WCAG 2). */
function luminance(hex: string): number {
  const channel = (at: number) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

/** Text cut to a width. Characters are about alike, so a guess is mended rather than every length tried. */
function fitted(context: CanvasRenderingContext2D, text: string, room: number): string {
  const shown = text.length > 300 ? text.slice(0, 300) : text;
  const width = context.measureText(shown).width;
  if (width <= room) return shown;
  let length = Math.floor((shown.length * room) / width);
  while (length > 0 && context.measureText(`${shown.slice(0, length)}\u2026`).width > room) length--;
  return length > 0 ? `${shown.slice(0, length)}\u2026` : '';
}

/**
 * Draws the thread: it rides the foot of each box while that span is what is waited for, drops to the next, and is broken
 * where nothing explains the time.
 */
export function drawFlameThread({ context, width, height }: Surface, scene: FlameScene, line: Line): void {
  const { boxes, scale, top, palette } = scene;
  context.fillStyle = palette.thread;
  let [lastX, lastY] = [Number.NEGATIVE_INFINITY, Number.NaN];
  for (let at = firstPiece(line, scale.nanos(0)); at < line.count; at++) {
    const [left, right] = [scale.x(line.from[at]!), scale.x(line.to[at]!)];
    if (left > width) break;
    const span = line.spans[at]!;
    const y = (span < 0 ? 0 : boxes.rowOf[span]!) * ROW - top + BOX - 2;
    // Pieces within a pixel are no more than the line that leads through them.
    if (right - lastX < 0.5) continue;
    if (!Number.isNaN(lastY) && y !== lastY) {
      const [upper, lower] = [Math.max(Math.min(y, lastY), 0), Math.min(Math.max(y, lastY) + 2, height)];
      if (lower > upper) context.fillRect(Math.round(left) - 1, upper, 2, lower - upper);
    }
    const [from, to] = [Math.max(left, -2), Math.min(Math.max(right, left + 1), width + 2)];
    if (y > -2 && y < height) {
      if (line.kinds[at] === GAP) dashes(context, from, to, y);
      else context.fillRect(from, y, to - from, 2);
    }
    [lastX, lastY] = [right, y];
  }
}

/** Counted from a fixed place, so that they stand still while their ends move. */
function dashes(context: CanvasRenderingContext2D, from: number, to: number, y: number): void {
  for (let x = Math.floor(from / 8) * 8; x < to; x += 8) {
    const [left, right] = [Math.max(x, from), Math.min(x + 5, to)];
    if (right > left) context.fillRect(left, y, right - left, 2);
  }
}

function firstPiece(line: Line, nanos: number): number {
  let [low, high] = [0, line.count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (line.to[middle]! <= nanos) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}
