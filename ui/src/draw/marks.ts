import { type Model, serviceOf } from '../screens/trace/model';
import { type Folding, type Rows, isOpen, isParent, shownSpan } from '../screens/trace/rows';
import { type Indent, indentPixels } from '../screens/trace/waterfall/indent';
import { type Palette, paintOf } from './palette';
import type { Surface } from './surface';

/** What stands before the names of a waterfall. */
export interface Marks extends Indent, Pick<Folding, 'collapsed' | 'openGroups'> {
  model: Model;
  rows: Rows;
  palette: Palette;
  /** Pixels of all rows above the canvas. */
  top: number;
  rowHeight: number;
  /** How high the line of a name is, at a row's top. */
  nameHeight: number;
}

/** Where the line of the first level stands, and the narrowest step that has room for lines. */
const [GUIDE_PIXELS, GUIDED_STEP_PIXELS] = [10, 7];
/** Where the chevron's middle is, beside the indent, and the swatch. */
const [CHEVRON_PIXELS, SWATCH_PIXELS] = [9.5, 18];
const [SWATCH_WIDTH, SWATCH_HEIGHT, SWATCH_TOP] = [4, 12, 5];

/** The rows that a canvas shows, in part or whole, and where each begins: at whole pixels, so that lines and letters are sharp. */
export function inView({ height }: Surface, { rows, top, rowHeight }: Pick<Marks, 'rows' | 'top' | 'rowHeight'>): { row: number; y: number }[] {
  const first = Math.max(0, Math.floor(top / rowHeight));
  const last = Math.min(rows.count, Math.ceil((top + height) / rowHeight));
  return Array.from({ length: Math.max(0, last - first) }, (_, at) => ({ row: first + at, y: Math.round((first + at) * rowHeight - top) }));
}

/** Draws lines for the levels that each row lies under, a chevron where it can be folded, the swatch of its service. */
export function drawMarks(surface: Surface, marks: Marks): void {
  const { context } = surface;
  const { model, rows, step, palette } = marks;
  const placed = inView(surface, marks).map(({ row, y }) => ({ code: rows.codes[row]!, y, left: Math.round(indentPixels(marks, rows.levels[row]!)) }));
  // One pass for each kind: a canvas is quick as long as its colour stays.
  context.fillStyle = palette.line;
  for (const { y, left } of placed) {
    for (let x = GUIDE_PIXELS; step >= GUIDED_STEP_PIXELS && x < left; x += step) context.fillRect(Math.round(x), y, 1, marks.nameHeight);
  }
  for (const { code, y, left } of placed) drawSwatch(context, marks, shownSpan(model, code), left + SWATCH_PIXELS, y + SWATCH_TOP);
  context.strokeStyle = palette.muted;
  context.lineWidth = 1.25;
  context.beginPath();
  for (const { code, y, left } of placed) {
    if (isParent(model, code)) addChevron(context, isOpen(marks, code), left + CHEVRON_PIXELS, y + marks.nameHeight / 2);
  }
  context.stroke();
}

function drawSwatch(context: CanvasRenderingContext2D, { model, palette }: Marks, span: number, x: number, y: number): void {
  if (span < 0) return;
  const { colour, striped } = paintOf(serviceOf(model, span));
  context.fillStyle = palette.services[colour]!;
  context.fillRect(x, y, SWATCH_WIDTH, SWATCH_HEIGHT);
  if (!striped) return;
  context.fillStyle = palette.bg;
  context.fillRect(x + 1, y, 1, SWATCH_HEIGHT);
}

/** Points down to what is shown, or right to what is folded away. */
function addChevron(context: CanvasRenderingContext2D, open: boolean, x: number, y: number): void {
  const [long, short, tip] = [3.4, -1.2, 1.9];
  const point = (along: number, across: number) => (open ? [x + across, y + along] : [x + along, y + across]) as [number, number];
  context.moveTo(...point(short, -long));
  context.lineTo(...point(tip, 0));
  context.lineTo(...point(short, long));
}
