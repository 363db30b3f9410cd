import { GAP, type Line, WAIT } from '../screens/trace/model';
import type { Rows } from '../screens/trace/rows';
import type { Scene } from './bars';
import type { Scale } from './scale';
import type { Surface } from './surface';

/** How thick the thread is. */
const THICK = 2;
const [DASH, PAUSE] = [5, 4];
/** Drops that lead out of the view help the eye while they are few; many are a curtain. */
const PASSING_MAX = 24;
/** So many drops between the same two rows, each nearer to the next than this, are painted as one wash. */
const [DENSE_MIN, DENSE_PIXELS] = [7, 7];
/** A piece as long as this is followed; of shorter ones, the longest in each column of pixels. */
const FOLLOWED_PIXELS = 1.5;

/**
 * Draws the thread: it rides each bar while that span is what is waited for, drops to the next, and is broken where nothing
 * explains the time. A trace may have more pieces than a canvas has pixels, so what is drawn depends on what can be told
 * apart: each row in view shows where it is on the thread, and drops lead along the pieces that are long enough to see.
 */
export function drawThread(surface: Surface, scene: Scene, line: Line, isTail: boolean): void {
  if (line.count === 0) return;
  const { context, width, height } = surface;
  const { rows, scale, rowHeight, top, barTop, barHeight, palette } = scene;
  const thick = isTail ? 1 : THICK;
  const rise = barTop + barHeight + 1.5 - top;
  const { own, from, order } = placesOf(line, rows);
  const [first, last] = [firstIn(line, scale.from), firstIn(line, scale.to)];
  context.fillStyle = palette.thread;
  const upmost = Math.max(0, Math.floor(top / rowHeight));
  const bottom = Math.min(rows.count, Math.ceil((top + height) / rowHeight) + 1);
  for (let row = upmost; row < bottom; row++) ride(row);
  // Where names lie upon the bars, drops give way to them.
  const drops = dropPainter(surface, thick, scene.labels ? 1 : 0.4);
  let before = -1;
  for (const at of followed(line, scale, first, last)) {
    const row = own[at]!;
    if (row < 0) continue;
    // Most drops of a long trace are between rows that are far away.
    if (before >= 0 && before !== row && Math.min(before, row) < bottom && Math.max(before, row) >= upmost - 1) {
      const x = scale.x(line.from[at]!);
      if (x >= -2 && x <= width + 2) drops.add(x, before * rowHeight + rise, row * rowHeight + rise);
    }
    before = row;
  }
  drops.finish();

  /** The pieces of a row. What ends within a pixel that is painted already adds nothing. */
  function ride(row: number): void {
    const y = row * rowHeight + rise - thick / 2;
    const end = from[row + 1]!;
    let paintedTo = -Infinity;
    for (let index = firstOf(order, from[row]!, end, first); index < end; index++) {
      const at = order[index]!;
      if (at > last) break;
      const exact = scale.x(line.to[at]!);
      if (exact < paintedTo) continue;
      const left = Math.max(scale.x(line.from[at]!), -2);
      const right = Math.min(Math.max(exact, left + 1), width + 2);
      if (right <= -2 || left > width) continue;
      const kind = line.kinds[at]!;
      if (kind === GAP || kind === WAIT) dashes(context, left, right, y, thick);
      else context.fillRect(left, y, right - left, thick);
      paintedTo = Math.ceil(right) + 0.5;
    }
  }
}

/** What was followed last of a line, in an array that is used again: at every step of a zoom another would be garbage. */
interface Followed {
  first: number;
  last: number;
  factor: number;
  from: number;
  room: Int32Array;
  count: number;
}

const followedBefore = new WeakMap<Line, Followed>();

/** The pieces that can be told apart, in order: some thousands at most, however many there are. */
function followed(line: Line, { factor, from }: Scale, first: number, last: number): Int32Array {
  const known = followedBefore.get(line);
  const room = known?.room ?? new Int32Array(line.count);
  if (known?.first === first && known.last === last && known.factor === factor && known.from === from) return room.subarray(0, known.count);
  const count = follow(line, factor, from, first, last, room);
  followedBefore.set(line, { first, last, factor, from, room, count });
  return room.subarray(0, count);
}

/**
 * Writes the pieces that can be told apart, and gives how many there are. It passes tens of thousands in a few hundred
 * microseconds, which it would not with closures: numbers that those share are allocated at each change.
 */
export function follow({ from: begins, to: ends }: Pick<Line, 'from' | 'to'>, factor: number, from: number, first: number, last: number, pieces: Int32Array): number {
  let count = 0;
  // The thread begins and ends at the root, however short it was there.
  if (first === 0 && last > 0 && (ends[0]! - begins[0]!) * factor < FOLLOWED_PIXELS) pieces[count++] = 0;
  // A run of short pieces, the longest in its column of pixels, and how many had been followed when it began.
  let [column, best, most, runFrom, kept] = [NaN, -1, 0, 0, 0];
  for (let at = first + count; at <= last; at++) {
    const left = (begins[at]! - from) * factor;
    const length = (ends[at]! - begins[at]!) * factor;
    if (length >= FOLLOWED_PIXELS) {
      // A run that is itself too short to see, as between two calls of one parent, is stepped over.
      if (best >= 0 && left - runFrom < FOLLOWED_PIXELS && kept > 0) count = kept;
      else if (best >= 0) pieces[count++] = best;
      best = -1;
      pieces[count++] = at;
      continue;
    }
    const isNewRun = best < 0;
    const isNewColumn = Math.floor(left) !== column;
    if (isNewRun) {
      runFrom = left;
      kept = count;
    } else if (isNewColumn) pieces[count++] = best;
    if (isNewRun || isNewColumn || length > most) {
      best = at;
      most = length;
      column = Math.floor(left);
    }
  }
  if (best >= 0) pieces[count++] = best;
  if (last === begins.length - 1 && best >= 0 && best !== last) pieces[count++] = last;
  return count;
}

/** The first piece that ends after an instant, or the last of all. */
function firstIn(line: Line, instant: number): number {
  let [low, high] = [0, line.count - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (line.to[middle]! <= instant) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first place in a stretch of ascending numbers that is not below `least`. */
function firstOf(numbers: Int32Array, from: number, end: number, least: number): number {
  let [low, high] = [from, end];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where the pieces of a line are; it is made anew when something is folded. */
interface Places {
  /** The row of each piece, -1 for none. */
  own: Int32Array;
  /** The pieces of row `i` are `order[from[i]..from[i + 1]]`, ascending. */
  from: Int32Array;
  order: Int32Array;
}

const places = new WeakMap<Line, WeakMap<Rows, Places>>();

function placesOf(line: Line, rows: Rows): Places {
  let ofLine = places.get(line);
  if (!ofLine) places.set(line, (ofLine = new WeakMap()));
  let known = ofLine.get(rows);
  if (!known) ofLine.set(rows, (known = place(line, rows)));
  return known;
}

function place(line: Line, rows: Rows): Places {
  const own = new Int32Array(line.count);
  const from = new Int32Array(rows.count + 1);
  for (let at = 0; at < line.count; at++) {
    const gap = line.gaps[at]!;
    const gapRow = gap >= 0 ? rows.rowOfGap[gap]! : -1;
    const span = line.spans[at]!;
    const row = gapRow >= 0 ? gapRow : span >= 0 ? rows.rowOf[span]! : -1;
    own[at] = row;
    if (row >= 0) from[row + 1]!++;
  }
  for (let row = 0; row < rows.count; row++) from[row + 1]! += from[row]!;
  const next = from.slice();
  const order = new Int32Array(line.count);
  for (let at = 0; at < line.count; at++) if (own[at]! >= 0) order[next[own[at]!]!++] = at;
  return { own, from, order };
}

interface Drops {
  add(x: number, fromY: number, toY: number): void;
  finish(): void;
}

/** A drop between two rows. */
interface Drop {
  x: number;
  upper: number;
  lower: number;
}

/** Gathers drops and paints them: those that lead out of the view faintly or not at all, those that are too many as a wash. */
function dropPainter({ context, height }: Surface, thick: number, alpha: number): Drops {
  const runs = new Map<number, Drop[]>();
  const passing = new Map<number, Drop>();
  const line = (x: number, { upper, lower }: Drop, width: number) => context.fillRect(x - width / 2, upper, width, lower - upper);
  return {
    add(exact, fromY, toY) {
      const [above, below] = [Math.min(fromY, toY), Math.max(fromY, toY)];
      const [upper, lower] = [Math.max(above, -2), Math.min(below, height + 2)];
      if (lower <= upper) return;
      const drop = { x: Math.round(exact), upper, lower };
      if (above < 0 || below > height) {
        const known = passing.get(drop.x);
        passing.set(drop.x, known ? { x: drop.x, upper: Math.min(known.upper, upper), lower: Math.max(known.lower, lower) } : drop);
        return;
      }
      // Both numbers are below the height of a screen.
      const pair = Math.round(above * 2) * 65_536 + Math.round(below * 2);
      const run = runs.get(pair);
      if (!run) runs.set(pair, [drop]);
      else if (run[run.length - 1]!.x !== drop.x) run.push(drop);
    },
    finish() {
      for (const run of runs.values()) paintRun(run);
      if (passing.size <= PASSING_MAX) {
        context.globalAlpha = 0.4 * alpha;
        for (const drop of passing.values()) line(drop.x, drop, 1);
      }
      context.globalAlpha = 1;
    },
  };

  /** Drops between the same two rows: where they come thick and fast, one cannot be told from the next. */
  function paintRun(run: Drop[]): void {
    run.sort((a, b) => a.x - b.x);
    for (let at = 0; at < run.length; ) {
      let end = at + 1;
      while (end < run.length && run[end]!.x - run[end - 1]!.x < DENSE_PIXELS) end++;
      const [first, last] = [run[at]!, run[end - 1]!];
      context.globalAlpha = alpha;
      if (end - at < DENSE_MIN) for (const drop of run.slice(at, end)) line(drop.x, drop, thick);
      else {
        line(first.x, first, thick);
        line(last.x, last, thick);
        context.globalAlpha = 0.16 * alpha;
        context.fillRect(first.x, first.upper, last.x - first.x, first.lower - first.upper);
      }
      at = end;
    }
  }
}

function dashes(context: CanvasRenderingContext2D, left: number, right: number, y: number, thick: number): void {
  // Counted from a fixed place, as the hatching is.
  for (let x = Math.floor(left / (DASH + PAUSE)) * (DASH + PAUSE); x < right; x += DASH + PAUSE) {
    const [from, to] = [Math.max(x, left), Math.min(x + DASH, right)];
    if (to > from) context.fillRect(from, y, to - from, thick);
  }
}
