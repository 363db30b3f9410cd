import type { Scene } from './bars';
import type { Surface } from './surface';

/** Draws the second horizon under the bars: where the root ended, beyond which nobody waited any more. */
export function drawTail({ context, width, height }: Surface, { model, scale, palette }: Scene): void {
  if (model.tailStart === null) return;
  const x = scale.x(model.tailStart);
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

/** Names the second horizon, upon all else. */
export function nameTail({ context, width, height }: Surface, { model, scale, palette, labels }: Scene): void {
  if (model.tailStart === null || !labels) return;
  const x = scale.x(model.tailStart);
  if (x < 0 || x > width) return;
  context.font = '11px system-ui, sans-serif';
  context.textBaseline = 'middle';
  const words = 'after the root';
  const room = context.measureText(words).width;
  const left = x + 6 + room < width ? x + 6 : x - room - 6;
  context.fillStyle = palette.bg;
  context.fillRect(left - 3, height - 19, room + 6, 15);
  context.fillStyle = palette.muted;
  context.fillText(words, left, height - 11);
}
