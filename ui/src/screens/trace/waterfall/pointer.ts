import { duration } from '../../../format/duration';
import { fit, zoom } from '../commands';
import { rowLabel } from '../labels';
import { keepNames, narrow } from '../layout';
import type { TraceState } from '../state';
import type { Frame, Parts } from './controller';

/** How far a pointer must move to drag and not to click. */
const DRAG_PIXELS = 4;
/** How much closer a notch of the wheel comes. */
const WHEEL_FACTOR = 0.0022;

/** Hears pointers and wheels on a waterfall; gives the way to stop. */
export function attachPointer(parts: Parts, state: TraceState, frame: Frame): () => void {
  const { stage, scroller, axis, grip, cursor, cursorTime } = parts;
  const controller = new AbortController();
  const on = <K extends keyof HTMLElementEventMap>(element: HTMLElement, name: K, hear: (event: HTMLElementEventMap[K]) => void, options: AddEventListenerOptions = {}) =>
    element.addEventListener(name, hear, { ...options, signal: controller.signal });
  let dragged = false;
  let pressedNames = false;
  let named = -1;

  const place = (event: MouseEvent) => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left - frame.left(), y: event.clientY - box.top };
  };

  on(stage, 'pointermove', (event) => {
    const { x, y } = place(event);
    const row = frame.rowAt(y);
    const cursorShape = row >= 0 && frame.foldsAt(row, x + frame.left()) ? 'pointer' : '';
    if (stage.style.cursor !== cursorShape) stage.style.cursor = cursorShape;
    const code = row >= 0 ? state.rows.peek()!.codes[row]! : -1;
    state.hover.value = code >= 0 ? code : -1;
    if (row !== named) {
      named = row;
      // Names are cut where the column ends.
      parts.grid.title = row >= 0 && x < 0 ? rowLabel(state.model.peek()!, state.rows.peek()!.codes[row]!) : '';
    }
    point(x);
  });
  on(stage, 'pointerleave', () => {
    state.hover.value = -1;
    cursor.hidden = cursorTime.hidden = true;
  });
  on(axis, 'pointermove', (event) => point(place(event).x));
  on(axis, 'pointerleave', () => {
    cursor.hidden = cursorTime.hidden = true;
  });

  /** A line through all rows at the pointer, and its time. */
  function point(x: number): void {
    cursor.hidden = cursorTime.hidden = x < 0 || narrow.peek();
    if (cursor.hidden) return;
    cursor.style.transform = `translateX(${x}px)`;
    cursorTime.textContent = duration(Math.max(0, frame.scale().nanos(x)));
    const right = frame.scale().width - x < 80;
    cursorTime.style.transform = `translateX(${x}px) translateX(${right ? '-100%' : '0'})`;
  }

  on(stage, 'click', (event) => {
    const { x, y } = place(event);
    // Who drags over names marks them.
    if (dragged || (pressedNames && frame.isMarked())) return;
    const row = frame.rowAt(y);
    if (row < 0) return;
    const code = state.rows.peek()!.codes[row]!;
    if (frame.foldsAt(row, x + frame.left())) state.toggle(code);
    else {
      // On a phone a touch asks for the sheet; beside a waterfall the pane is there, unless it was closed.
      if (narrow.peek()) state.put({ details: '1' }, 'soon');
      state.choose(code);
    }
    parts.grid.focus({ preventScroll: true });
  });
  on(stage, 'dblclick', (event) => {
    if (place(event).x >= 0) fit(state);
  });

  const wheel = (event: WheelEvent) => {
    const pixels = event.deltaMode === 1 ? 33 : 1;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      zoom(state, Math.exp(event.deltaY * pixels * WHEEL_FACTOR), frame.scale().nanos(place(event).x));
      return;
    }
    const across = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (!event.shiftKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
    event.preventDefault();
    slide(across * pixels);
  };
  on(scroller, 'wheel', wheel, { passive: false });
  on(axis, 'wheel', wheel, { passive: false });

  function slide(pixels: number): void {
    const { factor } = frame.scale();
    const { from, to } = state.window.peek();
    state.show(from + pixels / factor, to + pixels / factor);
  }

  // Bars are dragged along when there is more than is seen.
  on(stage, 'pointerdown', (event) => {
    dragged = false;
    pressedNames = place(event).x < 0;
    // A press that is heard below marks nothing, and would leave what was marked.
    if (!pressedNames) frame.unmark();
    if (event.button !== 0 || pressedNames || event.pointerType === 'touch') return;
    const begin = { x: event.clientX, y: event.clientY, window: state.window.peek() };
    follow(event, (move) => {
      const [across, down] = [move.clientX - begin.x, move.clientY - begin.y];
      if (!dragged && Math.hypot(across, down) < DRAG_PIXELS) return;
      dragged = true;
      const { factor } = frame.scale();
      state.show(begin.window.from - across / factor, begin.window.to - across / factor);
      frame.scrollBy(-(move.movementY || 0));
    });
  });

  // A stretch of the axis that is dragged over is zoomed to.
  on(axis, 'pointerdown', (event) => {
    if (event.button !== 0) return;
    const begin = place(event).x;
    const scale = frame.scale();
    const stretch = parts.root.querySelector<HTMLElement>('.stretch')!;
    let end = begin;
    follow(
      event,
      (move) => {
        end = place(move).x;
        stretch.hidden = Math.abs(end - begin) < DRAG_PIXELS;
        stretch.style.transform = `translateX(${Math.min(begin, end)}px)`;
        stretch.style.width = `${Math.abs(end - begin)}px`;
      },
      () => {
        stretch.hidden = true;
        if (Math.abs(end - begin) >= DRAG_PIXELS) state.show(scale.nanos(Math.min(begin, end)), scale.nanos(Math.max(begin, end)), 'push');
      },
    );
  });

  on(grip, 'pointerdown', (event) => {
    const left = stage.getBoundingClientRect().left;
    follow(event, (move) => keepNames(move.clientX - left));
  });
  on(grip, 'keydown', (event) => {
    const by = { ArrowLeft: -16, ArrowRight: 16 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    keepNames(frame.left() + by);
  });
  return () => controller.abort();
}

/** Hears a pointer from where it is pressed until it is let go, wherever it goes. */
export function follow(event: PointerEvent, moved: (event: PointerEvent) => void, ended?: () => void): void {
  const controller = new AbortController();
  const { signal } = controller;
  const end = () => {
    controller.abort();
    ended?.();
  };
  event.preventDefault();
  addEventListener('pointermove', moved, { signal });
  addEventListener('pointerup', end, { signal });
  addEventListener('pointercancel', end, { signal });
}
