import type { Palette } from './palette';
import type { Scale } from './scale';
import type { Surface } from './surface';

/** The second horizon: where the root ended, beyond which nobody waited any more. */
export interface Tail {
  /** `null` where nothing went on after the root. */
  tailStart: number | null;
  scale: Scale;
  palette: Palette;
}

/** Draws it, under all else. */
export function drawTail({ context, width, height }: Surface, { tailStart, scale, palette }: Tail): void {
  if (tailStart === null) return;
  const x = scale.x(tailStart);
  if (x > width) return;
  context.fillStyle = palette.hover;
  context.fillRect(Math.max(x, 0), 0, width - Math.max(x, 0), height);
  if (x < 0) return;
  context.strokeStyle = palette.lineStrong;
  context.lineWidth = 1;
  context.setLineDash([2, 3]);
  context.beginPath();
  context.moveTo(Math.round(x) + 0.5, 0);
  context.lineTo(Math.round(x) + 0.5, height);
  context.stroke();
  context.setLineDash([]);
}

/** Names it on the axis, where no row can lie under the words, and gives the room that they take. */
export function nameTail({ context, width, height }: Surface, { tailStart, scale, palette }: Tail): [from: number, to: number] | null {
  const x = tailStart === null ? -1 : scale.x(tailStart);
  if (x < 0 || x > width) return null;
  context.font = '11px system-ui, sans-serif';
  context.textBaseline = 'middle';
  const words = 'after the root';
  const room = context.measureText(words).width;
  const left = x + 6 + room < width ? x + 6 : x - room - 6;
  context.fillStyle = palette.muted;
  context.fillText(words, left, height / 2);
  return [left - 6, left + room + 6];
}
