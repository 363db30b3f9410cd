import { badgeOf, gapText, lengthOf, shownName, shownService } from '../screens/trace/labels';
import { FAILED, has } from '../screens/trace/model';
import { rowGap, rowService, shownSpan } from '../screens/trace/rows';
import { MARKS_PIXELS, indentPixels } from '../screens/trace/waterfall/indent';
import { type Marks, inView } from './marks';
import type { Surface } from './surface';
import { type Letters, lettersOf } from './words';

/** The column of names. */
export interface Names extends Marks {
  /** Pixels from the left end that a name may reach. */
  width: number;
  /** Whether lengths of time are written at the right end: where no bar has words beside it. */
  lengths: boolean;
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

/**
 * Draws what each row is called: how many it stands for, its service where that is another than above, its operation.
 * They are drawn and not laid out, since a browser takes many times as long for a row of elements as for one on a canvas;
 * waterfall/grid.ts says the same in elements.
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

/** Draws the badges, and gives where each row's words begin. */
function drawBadges(surface: Surface, names: Names, baseline: number): Map<number, number> {
  const { context } = surface;
  const { model, rows, palette } = names;
  const letters = lettersOf(`${SMALL_PIXELS}px ${palette.font}`);
  const lefts = new Map<number, number>();
  const [frames, warnings] = [new Path2D(), new Path2D()];
  context.font = letters.font;
  for (const { row, y } of inView(surface, names)) {
    const left = indentPixels(names, rows.levels[row]!) + MARKS_PIXELS;
    const badge = badgeOf(model, rows.codes[row]!, rows.levels[row]!);
    lefts.set(row, left);
    if (!badge) continue;
    const width = letters.widthOf(context, badge.words) + 2 * BADGE_PIXELS;
    context.fillStyle = badge.warns ? palette.text : palette.muted;
    context.fillText(badge.words, left + BADGE_PIXELS, y + baseline);
    (badge.warns ? warnings : frames).roundRect(Math.round(left) + 0.5, y + 4.5, Math.round(width) - 1, 14, 2.5);
    lefts.set(row, left + width + GAP_PIXELS);
  }
  context.lineWidth = 1;
  context.strokeStyle = palette.lineStrong;
  context.stroke(frames);
  context.strokeStyle = palette.thread;
  context.stroke(warnings);
  return lefts;
}

function drawName(context: CanvasRenderingContext2D, names: Names, upright: Letters, row: number, left: number, baseline: number): void {
  const { model, rows, palette } = names;
  const code = rows.codes[row]!;
  const span = shownSpan(model, code);
  const end = names.width - (names.lengths ? LENGTH_PIXELS : 0) - END_PIXELS;
  let x = left;
  const write = (letters: Letters, words: string, colour: string) => {
    if (x >= end) return;
    const shown = letters.cutTo(context, words, end - x);
    context.fillStyle = colour;
    context.fillText(shown, x, baseline);
    x = shown === words ? x + letters.widthOf(context, words) + GAP_PIXELS : end;
  };
  if (span < 0) {
    const italic = lettersOf(`italic ${upright.font}`);
    context.font = italic.font;
    write(italic, gapText(model, model.gaps[rowGap(code)]!), palette.muted);
    context.font = upright.font;
    return;
  }
  // The service comes first, as in the sentence: a long operation is what may be cut.
  if (rowService(model, rows, row) >= 0) write(upright, shownService(model, span), palette.muted);
  write(upright, shownName(model, span), code >= 0 && has(model, code, FAILED) ? palette.error : palette.text);
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
