import { batch, effect, signal } from '@preact/signals';
import { drawAxis, drawGrid } from '../../../draw/axis';
import { type Scene, drawBars } from '../../../draw/bars';
import { type Bands, drawBands } from '../../../draw/bands';
import { drawMarks } from '../../../draw/marks';
import { type Names, drawNames, placeNames } from '../../../draw/names';
import { type Palette, palette } from '../../../draw/palette';
import { type Scale, scaleOf } from '../../../draw/scale';
import { type Surface, observeSize, onceAFrame, prepare, whenChanged } from '../../../draw/surface';
import { drawTail, nameTail } from '../../../draw/tail';
import { drawThread } from '../../../draw/thread';
import { goToRow, keepInWindow, movedCode, rowShowing, chosenRow, timeOf } from '../commands';
import { namesWidth, narrow, shownNames, wantedNames } from '../layout';
import { type Model, idOf } from '../model';
import { type Rows, isParent } from '../rows';
import { NOTHING, type TraceState } from '../state';
import { Grid } from './grid';
import { type Indent, indentOf, isAtChevron } from './indent';
import { attachPointer } from './pointer';
import { type Extent, ratio, scrollTopOf, scrolledHeight, topOf, topThatShows } from './scroll';

/** The elements that a waterfall is made of. */
export interface Parts {
  /** What the width of names is written to, for all that lines up with it. */
  root: HTMLElement;
  axis: HTMLCanvasElement;
  grip: HTMLElement;
  scroller: HTMLElement;
  sizer: HTMLElement;
  stage: HTMLElement;
  grid: HTMLElement;
  names: HTMLCanvasElement;
  bars: HTMLCanvasElement;
  cursor: HTMLElement;
  cursorTime: HTMLElement;
}

/** What the axis shows. */
interface Ticks {
  from: number;
  to: number;
  width: number;
  height: number;
  tailStart: number | null;
  /** Whether there is room to name the second horizon. */
  named: boolean;
  colours: Palette;
}

/** What pointers need to know of a waterfall. */
export interface Frame {
  scale(): Scale;
  /** The row at a height of the stage, -1 for none. */
  rowAt(y: number): number;
  /** Whether text of the rows is marked. */
  isMarked(): boolean;
  unmark(): void;
  /** Whether a row is folded and unfolded at that place, counted from the stage's left end. */
  foldsAt(row: number, x: number): boolean;
  /** Where the time axis begins, in the stage. */
  left(): number;
  scrollBy(pixels: number): void;
  ask(): void;
}

const [WIDE, NARROW] = [
  { rowHeight: 22, nameHeight: 22, barTop: 5, barHeight: 11, labels: true },
  { rowHeight: 40, nameHeight: 24, barTop: 25, barHeight: 8, labels: false },
];
/** How long scrolling may pause before its place is written to the address. */
const PAUSE_MS = 200;
let instances = 0;

/** Brings a waterfall to life; gives the way to end it. */
export function mountWaterfall(parts: Parts, state: TraceState): () => void {
  const { scroller, sizer, stage, bars, axis } = parts;
  const size = signal({ width: 0, view: 0, axis: 0 });
  const grid = new Grid(parts.grid, `row-${instances++}-`);
  let top = 0;
  let last: { model: Model; rows: Rows; chosen: number } | null = null;
  let drewBars = false;

  const shape = () => (narrow.peek() ? NARROW : WIDE);
  const names = () => (narrow.peek() ? 0 : namesWidth(size.peek().width, wantedNames.peek()));
  const extent = (): Extent => ({ content: (state.rows.peek()?.count ?? 0) * shape().rowHeight, view: size.peek().view });
  const scale = () => {
    const { from, to } = state.window.peek();
    return scaleOf(from, to, size.peek().width - names());
  };
  let writing: ReturnType<typeof setTimeout> | undefined;
  let written = state.params.peek().get('top');
  /** The place in the rows belongs to the address too, in rows and once it rests. */
  const keepTop = () => {
    clearTimeout(writing);
    writing = setTimeout(() => {
      written = String(Math.round((top / shape().rowHeight) * 100) / 100);
      state.put({ top: written }, 'soon');
    }, PAUSE_MS);
  };
  /** Scrolls the rows, and the bar that stands for them. */
  const scrollTo = (wanted: number) => {
    const now = extent();
    const before = top;
    top = Math.max(0, Math.min(wanted, now.content - now.view));
    if (drewBars && Math.abs(top - before) >= 1) keepTop();
    sizer.style.height = `${scrolledHeight(now)}px`;
    scroller.scrollTop = scrollTopOf(now, top);
    frame.ask();
  };

  const draw = () => {
    const [model, rows] = [state.model.peek(), state.rows.peek()];
    const { width, view } = size.peek();
    if (!model || !rows || width === 0 || view === 0) return;
    const [now, colours, { rowHeight, nameHeight }] = [scale(), palette(), shape()];
    const surface = prepare(bars, now.width, view);
    if (!surface) return;
    const chosen = shownChosen(state, rows);
    const shown = { model, rows, palette: colours, top, rowHeight, collapsed: state.collapsed.peek(), openGroups: state.openGroups.peek() };
    const bands = { ...shown, chosen, focused: parts.grid.matches(':focus-visible'), hovered: state.hover.peek(), found: foundSet(state), across: width };
    drawBands(surface, bands, names());
    drawTimes(surface, { ...shown, ...shape(), scale: now, colour: state.colour.peek() });
    const [first, end] = [Math.floor(top / rowHeight), Math.ceil((top + view) / rowHeight)];
    indent = indentOf(rows, model.maxDepth, first, end, narrow.peek() ? width * 0.3 : names() * 0.45);
    const column = { ...bands, ...indent, nameHeight, width: names() || width, height: view, lengths: narrow.peek() };
    drawColumn(column);
    drawTicks({ from: now.from, to: now.to, width: now.width, height: size.peek().axis, tailStart: model.tailStart, named: !narrow.peek(), colours });
    const place = () => placeNames({ context: parts.names.getContext('2d')!, width: column.width, height: view }, column);
    grid.show({ ...shown, view, chosen, column: column.width, place });
    if (!drewBars) {
      drewBars = true;
      performance.mark('clew:first-bars');
    }
  };
  let indent: Indent = { shift: 0, step: 0 };
  /** Names do not zoom, so they have a canvas of their own. */
  const drawColumn = whenChanged((column: Names & Bands & { height: number }) => {
    const surface = prepare(parts.names, column.width, column.height);
    if (!surface) return;
    // On a phone names lie upon the bars, whose canvas has the bands.
    if (!column.lengths) drawBands(surface, column, 0);
    drawMarks(surface, column);
    drawNames(surface, column);
  });
  /** The axis does not scroll. */
  const drawTicks = whenChanged(({ from, to, width, height, tailStart, named, colours }: Ticks) => {
    const surface = prepare(axis, width, height);
    if (!surface) return;
    const tail = { tailStart, scale: scaleOf(from, to, width), palette: colours };
    drawTail(surface, tail);
    drawAxis(surface, tail.scale, colours, named ? nameTail(surface, tail) : null);
  });
  const frames = onceAFrame(draw);
  const frame: Frame = {
    scale,
    ask: frames.ask,
    isMarked: () => grid.isMarked(),
    unmark: () => grid.unmark(),
    left: names,
    scrollBy: (pixels) => scrollTo(top + pixels),
    foldsAt: (row, x) => {
      const rows = state.rows.peek()!;
      return isParent(state.model.peek()!, rows.codes[row]!) && isAtChevron(indent, rows.levels[row]!, x);
    },
    rowAt: (y) => {
      const row = Math.floor((y + top) / shape().rowHeight);
      return row >= 0 && row < (state.rows.peek()?.count ?? 0) ? row : -1;
    },
  };

  /** Keeps what is looked at in its place when rows come and go. */
  const settle = () => {
    const [model, rows] = [state.model.value, state.rows.value];
    const [chosen, selected] = [state.chosen.value, state.selected.value];
    const { view } = size.value;
    if (!model || !rows || view === 0) return;
    const height = shape().rowHeight;
    if (!last) {
      last = { model, rows, chosen };
      const said = Number(state.params.peek().get('top') ?? NaN);
      scrollTo(said >= 0 ? said * height : topThatShows(extent(), 0, Math.max(0, rowShowing(rows, chosen, selected)), height));
      if (document.activeElement === document.body) parts.grid.focus({ preventScroll: true });
    } else if (last.rows !== rows) {
      const chosenBefore = last.rows.codes.subarray(0, last.rows.count).indexOf(last.chosen);
      const inView = chosenBefore >= 0 && (chosenBefore + 1) * height > top && chosenBefore * height < top + view;
      const anchor = inView ? chosenBefore : Math.min(Math.floor(top / height), last.rows.count - 1);
      const code = movedCode(last.model, model, last.rows.codes[anchor] ?? NOTHING, idOf);
      const row = rowShowing(rows, code, code);
      last = { model, rows, chosen };
      scrollTo(row >= 0 ? top + (row - anchor) * height : top);
    }
    // What was chosen elsewhere, by the address or in another view.
    else if (last.chosen !== chosen) {
      const row = rowShowing(rows, chosen, selected);
      if (row >= 0) scrollTo(topThatShows(extent(), top, row, height));
    }
    last.chosen = chosen;
  };

  const stops = [
    observeSize(scroller, (width, view) => {
      size.value = { width: scroller.clientWidth || width, view, axis: axis.clientHeight };
    }),
    effect(() => {
      const { width, view } = size.value;
      const nameWidth = narrow.value ? width : namesWidth(width, wantedNames.value);
      parts.root.style.setProperty('--names', `${nameWidth}px`);
      parts.grip.ariaValueNow = String(nameWidth);
      shownNames.value = nameWidth;
      stage.style.height = `${view}px`;
      // Beside the scroll bar the axis ends where the bars do: one that is stretched tells wrong times.
      axis.style.width = bars.style.width = `${width - (narrow.value ? 0 : nameWidth)}px`;
      parts.names.style.width = `${nameWidth}px`;
      bars.style.height = parts.names.style.height = `${view}px`;
      const now = extent();
      sizer.style.height = `${scrolledHeight(now)}px`;
      frames.ask();
    }),
    effect(settle),
    effect(() => {
      // All that is painted; a frame comes of it.
      void [state.rows.value, state.window.value, state.chosen.value, state.colour.value, state.found.value, state.hover.value, palette()];
      frames.ask();
    }),
    effect(() => {
      // Back and forward lead to the place where the reader was.
      const said = state.params.value.get('top');
      if (said === written || said === null || !last) return;
      written = said;
      scrollTo(Number(said) * shape().rowHeight);
    }),
    effect(() => {
      const wanted = state.wanted.value;
      const rows = state.rows.peek();
      const model = state.model.peek();
      if (!wanted || !rows || !model || !last) return;
      const row = rowShowing(rows, wanted.code, wanted.code);
      if (row >= 0) scrollTo(topThatShows(extent(), top, row, shape().rowHeight));
      const time = timeOf(model, wanted.code);
      if (time) keepInWindow(state, time);
    }),
    attachPointer(parts, state, frame),
    attachScrolling(),
    frames.stop,
    () => grid.stop(),
    () => clearTimeout(writing),
  ];
  return () => stops.forEach((stop) => stop());

  function attachScrolling(): () => void {
    const scrolled = () => {
      const now = extent();
      // A place of the bar that we set ourselves stands for a finer one of the rows.
      if (Math.abs(scroller.scrollTop - scrollTopOf(now, top)) >= 1) {
        top = topOf(now, scroller.scrollTop);
        keepTop();
      }
      frames.ask();
    };
    const wheel = (event: WheelEvent) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || ratio(extent()) === 1) return;
      event.preventDefault();
      scrollTo(top + event.deltaY * (event.deltaMode === 1 ? 22 : 1));
    };
    const keyed = (event: KeyboardEvent) => {
      const page = Math.max(1, Math.floor(size.peek().view / shape().rowHeight) - 1);
      const jumps: Record<string, () => void> = {
        PageDown: () => goToRow(state, chosenRow(state) + page),
        PageUp: () => goToRow(state, chosenRow(state) - page),
        Home: () => goToRow(state, 0),
        End: () => goToRow(state, Infinity),
      };
      const jump = jumps[event.key];
      if (!jump || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      batch(jump);
    };
    scroller.addEventListener('scroll', scrolled, { passive: true });
    scroller.addEventListener('wheel', wheel, { passive: false });
    parts.grid.addEventListener('keydown', keyed);
    parts.grid.addEventListener('focus', frames.ask);
    parts.grid.addEventListener('blur', frames.ask);
    return () => {
      scroller.removeEventListener('scroll', scrolled);
      scroller.removeEventListener('wheel', wheel);
      parts.grid.removeEventListener('keydown', keyed);
      parts.grid.removeEventListener('focus', frames.ask);
      parts.grid.removeEventListener('blur', frames.ask);
    };
  }
}

/** Draws all that has a place in time; words lie upon the rest. */
function drawTimes(surface: Surface, scene: Scene): void {
  if (!narrow.peek()) drawGrid(surface, scene.scale, scene.palette);
  drawTail(surface, { ...scene, tailStart: scene.model.tailStart });
  const drawOver = drawBars(surface, scene);
  drawThread(surface, scene, scene.model.thread, false);
  drawThread(surface, scene, scene.model.tail, true);
  drawOver();
}

/** The code of the row that shows what is chosen: its own, or that of what it is folded into. */
function shownChosen(state: TraceState, rows: Rows): number {
  const row = rowShowing(rows, state.chosen.peek(), state.selected.peek());
  return row >= 0 ? rows.codes[row]! : NOTHING;
}

const sets = new WeakMap<object, ReadonlySet<number>>();
const NONE: ReadonlySet<number> = new Set();

function foundSet(state: TraceState): ReadonlySet<number> {
  const found = state.found.peek();
  if (!found) return NONE;
  let set = sets.get(found);
  if (!set) sets.set(found, (set = new Set(found.spans)));
  return set;
}
