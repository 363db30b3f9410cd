import type { Heatmap } from '../api/shapes';
import { parseTime, type Zone } from '../format/time';
import type { Palette } from './palette';
import { durationTicks, timeTicks } from './ticks';
import type { Surface } from './surface';

/** Where the cells lie in the canvas; the rest is for the axes. */
export interface Plot {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** A column and a row of the heatmap; row 0 is the shortest. */
export interface Cell {
  column: number;
  row: number;
}

/** Cells from one corner to another, both among them. */
export interface Area {
  columns: [number, number];
  rows: [number, number];
}

const AXIS_LEFT = 54;
const AXIS_BELOW = 20;

/** Where the cells go in a canvas of that size. */
export function plotIn(width: number, height: number): Plot {
  return { left: AXIS_LEFT, top: 4, width: Math.max(0, width - AXIS_LEFT - 1), height: Math.max(0, height - AXIS_BELOW - 4) };
}

/** The cell at a point of the canvas; points beyond the edge belong to the nearest one. */
export function cellAt(plot: Plot, map: Heatmap, x: number, y: number): Cell {
  const clamp = (value: number, most: number) => Math.min(most, Math.max(0, Math.floor(value)));
  const column = clamp(((x - plot.left) / plot.width) * map.columns, map.columns - 1);
  const row = clamp((1 - (y - plot.top) / plot.height) * map.rows, map.rows - 1);
  return { column, row };
}

/** The box of an area in the canvas. */
export function boxOf(plot: Plot, map: Heatmap, area: Area): Plot {
  const [across, down] = [plot.width / map.columns, plot.height / map.rows];
  return {
    left: plot.left + area.columns[0] * across,
    top: plot.top + plot.height - (area.rows[1] + 1) * down,
    width: (area.columns[1] - area.columns[0] + 1) * across,
    height: (area.rows[1] - area.rows[0] + 1) * down,
  };
}

/** Where a length lies among the rows, in fractions of one: each row is logarithmic, but for one that begins at nothing. */
export function rowOf({ bounds, rows }: Heatmap, nanos: number): number {
  const row = bounds.findLastIndex((bound) => bound <= nanos);
  if (row < 0) return 0;
  if (row >= rows) return rows;
  const [low, high] = [bounds[row]!, bounds[row + 1]!];
  return row + (low > 0 ? Math.log(nanos / low) / Math.log(high / low) : nanos / high);
}

/** How strong a count is painted: the logarithm of its share of the most, never so weak that it can not be seen. */
export function strength(count: number, most: number): number {
  if (count <= 0) return 0;
  return 0.3 + 0.7 * (most <= 1 ? 1 : Math.log(count) / Math.log(most));
}

/** Paints counts in one hue, failures as red ticks, and the two axes. */
export function drawHeatmap(surface: Surface, map: Heatmap, palette: Palette, zone: Zone): void {
  const { context } = surface;
  const plot = plotIn(surface.width, surface.height);
  drawAxes(surface, plot, map, palette, zone);
  const [across, down] = [plot.width / map.columns, plot.height / map.rows];
  const { columns, rows, counts, errors } = map.cells;
  const most = counts.reduce((a, b) => Math.max(a, b), 0);
  const edge = (at: number) => [Math.round(plot.left + at * across), Math.round(plot.left + (at + 1) * across)] as const;
  const rise = (at: number) =>
    [Math.round(plot.top + plot.height - (at + 1) * down), Math.round(plot.top + plot.height - at * down)] as const;
  const gap = across >= 4 && down >= 4 ? 1 : 0;
  context.fillStyle = palette.thread;
  counts.forEach((count, at) => {
    const [x0, x1] = edge(columns[at]!);
    const [y0, y1] = rise(rows[at]!);
    context.globalAlpha = strength(count, most);
    context.fillRect(x0, y0, x1 - x0 - gap, y1 - y0 - gap);
  });
  context.globalAlpha = 1;
  // Cells differ by a pixel; their marks do not.
  const size = Math.min(Math.floor(across) - gap, Math.floor(down) - gap, 7);
  errors.forEach((count, at) => {
    if (count > 0) drawFailure(context, palette, edge(columns[at]!), rise(rows[at]!), size);
  });
}

/** A red cross with an edge of the ground's colour, so that it is as plain on amber as beside it; a tick where cells are small. */
function drawFailure(
  context: CanvasRenderingContext2D,
  palette: Palette,
  [x0, x1]: readonly [number, number],
  [y0, y1]: readonly [number, number],
  size: number,
): void {
  if (size < 5) {
    context.fillStyle = palette.error;
    context.fillRect(x0, y0, Math.min(2, x1 - x0), y1 - y0);
    return;
  }
  const [x, y] = [x0 + (x1 - x0 - 1 - size) / 2, y0 + (y1 - y0 - 1 - size) / 2];
  context.beginPath();
  context.moveTo(x + 0.5, y + 0.5);
  context.lineTo(x + size - 0.5, y + size - 0.5);
  context.moveTo(x + size - 0.5, y + 0.5);
  context.lineTo(x + 0.5, y + size - 0.5);
  for (const [colour, wide] of [
    [palette.bg, 4],
    [palette.error, 1.75],
  ] as const) {
    context.strokeStyle = colour;
    context.lineWidth = wide;
    context.stroke();
  }
}

function drawAxes({ context, width }: Surface, plot: Plot, map: Heatmap, palette: Palette, zone: Zone): void {
  context.font = `11px ${palette.font}`;
  context.fillStyle = palette.muted;
  context.strokeStyle = palette.line;
  context.lineWidth = 1;
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  context.beginPath();
  const bottom = Math.round(plot.top + plot.height) + 0.5;
  const lowest = map.bounds[0] || (map.bounds[1] ?? 1);
  for (const tick of durationTicks(lowest, map.bounds[map.rows]!, Math.floor(plot.height / 22))) {
    const y = Math.round(plot.top + plot.height * (1 - rowOf(map, tick.nanos) / map.rows)) + 0.5;
    context.moveTo(plot.left - 3, y);
    context.lineTo(plot.left + plot.width, y);
    context.fillText(tick.label, plot.left - 7, Math.min(Math.max(y, plot.top + 5), bottom - 4));
  }
  context.textBaseline = 'top';
  for (const tick of timeTicks(parseTime(map.from), parseTime(map.to), zone, Math.floor(plot.width / 90))) {
    const x = Math.round(plot.left + plot.width * tick.at) + 0.5;
    context.moveTo(x, plot.top);
    context.lineTo(x, bottom + 3);
    const half = context.measureText(tick.label).width / 2;
    context.textAlign = x + half > width ? 'right' : 'center';
    context.fillText(tick.label, Math.min(x, width), bottom + 5);
  }
  context.moveTo(plot.left, bottom);
  context.lineTo(plot.left + plot.width, bottom);
  context.stroke();
}
