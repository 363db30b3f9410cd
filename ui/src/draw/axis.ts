import type { Palette } from './palette';
import type { Scale } from './scale';
import type { Surface } from './surface';

/** A place on the axis and what is written there. */
export interface Tick {
  at: number;
  label: string;
}

const [US, MS, S, MIN, H] = [1e3, 1e6, 1e9, 6e10, 3.6e12];
/** Beyond seconds, people count in sixties. */
const LONG_STEPS = [10 * S, 20 * S, 30 * S, MIN, 2 * MIN, 5 * MIN, 10 * MIN, 20 * MIN, 30 * MIN, H, 2 * H, 6 * H, 12 * H, 24 * H];

/** Round places between two times, about `wanted` of them. */
export function ticks(from: number, to: number, wanted: number): Tick[] {
  const step = stepOf((to - from) / Math.max(wanted, 1));
  const unit = unitOf(to);
  const made: Tick[] = [];
  // Counted, not added up: sums of fractions drift.
  for (let count = Math.ceil(from / step); count * step <= to && made.length < 1_000; count++) {
    made.push({ at: count * step, label: labelOf(count * step, step, unit) });
  }
  return made;
}

/** The shortest round step that is not below `least`. */
function stepOf(least: number): number {
  if (least > 5 * S) {
    const long = LONG_STEPS.find((step) => step >= least);
    return long ?? Math.ceil(least / (24 * H)) * 24 * H;
  }
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  const found = [1, 2, 5, 10].find((factor) => factor * power >= least * 0.999)!;
  return found * power;
}

function unitOf(nanos: number): [number, string] {
  if (nanos >= 2 * H) return [H, 'h'];
  if (nanos >= 2 * MIN) return [MIN, 'min'];
  if (nanos >= S) return [S, 's'];
  if (nanos >= MS) return [MS, 'ms'];
  return nanos >= US ? [US, '\u00b5s'] : [1, 'ns'];
}

function labelOf(at: number, step: number, [size, unit]: [number, string]): string {
  if (at === 0) return '0';
  if (size >= MIN) return sixties(at, step);
  const digits = Math.min(Math.max(0, Math.ceil(Math.log10(size / step) - 1e-9)), 9);
  return `${(at / size).toFixed(digits)} ${unit}`;
}

/** `2 min`, `2:30`, `1:02:30`; with fractions where steps are shorter than a second. */
function sixties(at: number, step: number): string {
  if (at % MIN === 0 && at < 2 * H) return `${at / MIN} min`;
  if (at % H === 0) return `${at / H} h`;
  const two = (value: number) => String(value).padStart(2, '0');
  const digits = step >= S ? 0 : Math.ceil(Math.log10(S / step) - 1e-9);
  const seconds = ((at % MIN) / S).toFixed(digits).padStart(digits ? digits + 3 : 2, '0');
  const [hours, minutes] = [Math.floor(at / H), Math.floor((at % H) / MIN)];
  return hours > 0 ? `${hours}:${two(minutes)}:${seconds}` : `${minutes}:${seconds}`;
}

/** Pixels between the ticks of an axis, about. */
const TICK_PIXELS = 110;

let last: { from: number; to: number; width: number; ticks: Tick[] } | null = null;

/** The ticks that suit a scale; those of the last one are kept, since a scroll draws its grid again and again. */
export function ticksOf({ from, to, width }: Scale): Tick[] {
  if (last?.from !== from || last.to !== to || last.width !== width) {
    last = { from, to, width, ticks: ticks(from, to, Math.max(2, width / TICK_PIXELS)) };
  }
  return last.ticks;
}

/** Draws the axis: ticks and what is written at them, but for words where others stand already. */
export function drawAxis({ context, width, height }: Surface, scale: Scale, palette: Palette, taken: [from: number, to: number] | null = null): void {
  context.font = '11px system-ui, sans-serif';
  context.textBaseline = 'middle';
  for (const { at, label } of ticksOf(scale)) {
    const x = Math.round(scale.x(at)) + 0.5;
    context.fillStyle = palette.lineStrong;
    context.fillRect(x - 0.5, height - 5, 1, 5);
    const room = context.measureText(label).width + 5;
    context.fillStyle = palette.muted;
    // At the right end a label stands on the other side of its tick.
    const left = x + room > width ? x - room : x + 4;
    if (!taken || left > taken[1] || left + room < taken[0]) context.fillText(label, left, height / 2);
  }
}

/** Draws a faint line down from each tick. */
export function drawGrid({ context, height }: Surface, scale: Scale, palette: Palette): void {
  context.fillStyle = palette.line;
  for (const { at } of ticksOf(scale)) context.fillRect(Math.round(scale.x(at)), 0, 1, height);
}
