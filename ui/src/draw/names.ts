import { type Badge, badgeOf, gapText, lengthOf, shownName, shownService } from '../screens/trace/labels';
import { FAILED, has } from '../screens/trace/model';
import { rowGap, rowService, shownSpan } from '../screens/trace/rows';
import { MARKS_PIXELS, indentPixels } from '../screens/trace/waterfall/indent';
import { type Marks, inView } from './marks';
import type { Surface } from './surface';
import { type Cut, type Letters, lettersOf } from './words';

/** The column of names. */
export interface Names extends Marks {
  /** Pixels from the left end that a name may reach. */
  width: number;
  /** Whether lengths of time are written at the right end: where no bar has words beside it. */
  lengths: boolean;
}

/** What a row is called, in part: a service, an operation, or what is said of a gap. */
export interface Name extends Cut {
  whole: string;
  look: 'service' | 'operation' | 'gap';
  /** Pixels from the left end of the row. */
  x: number;
}

const [NAME_PIXELS, SMALL_PIXELS] = [12.5, 11];
/** Letters stand in a line of this height, whatever room a row has. */
const LINE_PIXELS = 22;
/** Between a badge, a service and a name. */
const GAP_PIXELS = 6;
/** Between a badge's words and its frame. */
const BADGE_PIXELS = 5;
/** Room at the end of the column, and where a length stands in it. */
const [END_PIXELS, LENGTH_PIXELS] = [8, 70];
/** What a service may take of the room that the operation needs as well: one of a usual name is shown whole. */
const SERVICE_SHARE_MAX = 0.6;

/**
 * Draws what each row is called: how many it stands for, its service where that is another than above, its operation.
 * They are drawn and not laid out, since a browser takes many times as long for a row of elements as for one on a canvas;
 * waterfall/grid.ts lays the same upon it in elements.
 */
export function drawNames(surface: Surface, names: Names): void {
  const { context } = surface;
  const letters = lettersOf(`${NAME_PIXELS}px ${names.palette.font}`);
  context.textBaseline = 'alphabetic';
  context.font = letters.font;
  const baseline = letters.baselineIn(context, LINE_PIXELS);
  const lefts = drawBadges(surface, names, baseline);
  context.font = letters.font;
  for (const { row, y } of inView(surface, names)) drawName(context, names, letters, row, lefts.get(row)!, y + baseline);
  if (names.lengths) drawLengths(surface, names);
}

/** The names of all rows in view, where `drawNames` draws them. */
export function placeNames(surface: Surface, names: Names): Map<number, Name[]> {
  const letters = lettersOf(`${NAME_PIXELS}px ${names.palette.font}`);
  const lefts = placeBadges(surface, names, () => undefined);
  surface.context.font = letters.font;
  return new Map(inView(surface, names).map(({ row }) => [row, namesOf(surface.context, names, letters, row, lefts.get(row)!)]));
}

/** Gives where each row's words begin, behind its badge if it has one, and tells of all badges. */
function placeBadges(surface: Surface, names: Names, tell: (badge: Badge, left: number, y: number, width: number) => void): Map<number, number> {
  const { context } = surface;
  const { model, rows, palette } = names;
  const letters = lettersOf(`${SMALL_PIXELS}px ${palette.font}`);
  const lefts = new Map<number, number>();
  context.font = letters.font;
  for (const { row, y } of inView(surface, names)) {
    const left = indentPixels(names, rows.levels[row]!) + MARKS_PIXELS;
    const badge = badgeOf(model, rows.codes[row]!, rows.levels[row]!);
    const width = badge ? letters.widthOf(context, badge.words) + 2 * BADGE_PIXELS : 0;
    if (badge) tell(badge, left, y, width);
    lefts.set(row, badge ? left + width + GAP_PIXELS : left);
  }
  return lefts;
}

/** Draws the badges, and gives where each row's words begin. */
function drawBadges(surface: Surface, names: Names, baseline: number): Map<number, number> {
  const { context } = surface;
  const { palette } = names;
  const [frames, warnings] = [new Path2D(), new Path2D()];
  const lefts = placeBadges(surface, names, ({ words, warns }, left, y, width) => {
    context.fillStyle = warns ? palette.text : palette.muted;
    context.fillText(words, left + BADGE_PIXELS, y + baseline);
    (warns ? warnings : frames).roundRect(Math.round(left) + 0.5, y + 4.5, Math.round(width) - 1, 14, 2.5);
  });
  context.lineWidth = 1;
  context.strokeStyle = palette.lineStrong;
  context.stroke(frames);
  context.strokeStyle = palette.thread;
  context.stroke(warnings);
  return lefts;
}

/** What a row is called, from `left` on. The context has upright letters, before and after. */
function namesOf(context: CanvasRenderingContext2D, names: Names, upright: Letters, row: number, left: number): Name[] {
  const { model, rows } = names;
  const code = rows.codes[row]!;
  const span = shownSpan(model, code);
  const room = names.width - (names.lengths ? LENGTH_PIXELS : 0) - END_PIXELS - left;
  if (room <= 0) return [];
  if (span < 0) {
    const italic = lettersOf(`italic ${upright.font}`);
    const whole = gapText(model, model.gaps[rowGap(code)]!);
    context.font = italic.font;
    const cut = italic.cutTo(context, whole, room, false);
    context.font = upright.font;
    return [{ ...cut, whole, look: 'gap', x: left }];
  }
  const operation = shownName(model, span);
  if (rowService(model, rows, row) < 0) return [{ ...upright.cutTo(context, operation, room), whole: operation, look: 'operation', x: left }];
  // The service comes first, as in the sentence, and leaves room for the operation.
  const service = shownService(model, span);
  const spare = room - GAP_PIXELS - upright.widthOf(context, operation);
  const first = upright.cutTo(context, service, Math.max(room * SERVICE_SHARE_MAX, spare));
  const used = upright.widthOf(context, first.shown) + GAP_PIXELS;
  return [
    { ...first, whole: service, look: 'service', x: left },
    { ...upright.cutTo(context, operation, room - used), whole: operation, look: 'operation', x: left + used },
  ];
}

function drawName(context: CanvasRenderingContext2D, names: Names, upright: Letters, row: number, left: number, baseline: number): void {
  const { model, rows, palette } = names;
  const code = rows.codes[row]!;
  for (const { shown, look, x } of namesOf(context, names, upright, row, left)) {
    if (look === 'gap') context.font = lettersOf(`italic ${upright.font}`).font;
    context.fillStyle = look !== 'operation' ? palette.muted : code >= 0 && has(model, code, FAILED) ? palette.error : palette.text;
    context.fillText(shown, x, baseline);
    if (look === 'gap') context.font = upright.font;
  }
}

function drawLengths(surface: Surface, names: Names): void {
  const { context } = surface;
  const { model, rows, palette } = names;
  const letters = lettersOf(`${SMALL_PIXELS}px ${palette.mono}`);
  context.font = letters.font;
  const baseline = letters.baselineIn(context, LINE_PIXELS);
  context.textAlign = 'right';
  context.fillStyle = palette.text;
  for (const { row, y } of inView(surface, names)) context.fillText(lengthOf(model, rows.codes[row]!), names.width - END_PIXELS, y + baseline);
  context.textAlign = 'left';
}
