import type { Rows } from '../screens/trace/rows';
import { inView } from './marks';
import type { Palette } from './palette';
import type { Surface } from './surface';

/** What distinguishes some rows of a waterfall from the others. */
export interface Bands {
  rows: Rows;
  palette: Palette;
  /** Pixels of all rows above the canvas. */
  top: number;
  rowHeight: number;
  /** The row that is chosen, by its code. */
  chosen: number;
  /** Whether keys go to it, and that must be seen. */
  focused: boolean;
  /** The span that is pointed at, here or in another view; -1 for none. */
  hovered: number;
  /** Spans that find found. */
  found: ReadonlySet<number>;
  /** How wide a row is; a canvas may show a part of it. */
  across: number;
}

/** Draws the ground of rows that are pointed at, found or chosen, on a canvas that begins `left` pixels after they do. */
export function drawBands(surface: Surface, bands: Bands, left: number): void {
  const { context } = surface;
  const { rows, palette, rowHeight, chosen, focused, hovered, found, across } = bands;
  for (const { row, y } of inView(surface, bands)) {
    const code = rows.codes[row]!;
    const isChosen = code === chosen;
    const ground = isChosen || (code >= 0 && found.has(code)) ? palette.select : code >= 0 && code === hovered ? palette.hover : null;
    if (!ground) continue;
    context.fillStyle = ground;
    context.fillRect(-left, y, across, rowHeight);
    if (!isChosen) continue;
    context.fillStyle = focused ? palette.focus : palette.muted;
    context.fillRect(-left, y, 2, rowHeight);
    if (!focused) continue;
    context.strokeStyle = palette.focus;
    context.lineWidth = 1;
    context.strokeRect(0.5 - left, y + 0.5, across - 1, rowHeight - 1);
  }
}
