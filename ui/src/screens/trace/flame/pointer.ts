import { boxAt, type FlameBoxes } from '../../../draw/flame-boxes';
import type { Scale } from '../../../draw/scale';
import { zoom } from '../commands';
import type { TraceState } from '../state';
import { follow } from '../waterfall/pointer';

/** How far a pointer must move to drag and not to click. */
const DRAG_PIXELS = 4;
/** How much closer a notch of the wheel comes. */
const WHEEL_FACTOR = 0.0022;

/** What pointers need to know of a flame. */
export interface Ground {
  boxes(): FlameBoxes | null;
  scale(): Scale;
  /** Pixels of the flame above the scroller's edge. */
  top(): number;
}

/** Hears pointers and wheels as the waterfall does: the same movements do the same. Gives the way to stop. */
export function attachPointer(scroller: HTMLElement, state: TraceState, ground: Ground): () => void {
  const controller = new AbortController();
  const on = <K extends keyof HTMLElementEventMap>(name: K, hear: (event: HTMLElementEventMap[K]) => void, options: AddEventListenerOptions = {}) =>
    scroller.addEventListener(name, hear, { ...options, signal: controller.signal });
  let dragged = false;

  const spanUnder = (event: MouseEvent): number => {
    const [model, boxes] = [state.model.peek(), ground.boxes()];
    if (!model || !boxes) return -1;
    const box = scroller.getBoundingClientRect();
    return boxAt(model, boxes, ground.scale(), event.clientX - box.left, event.clientY - box.top + ground.top());
  };
  on('pointermove', (event) => {
    state.hover.value = spanUnder(event);
  });
  on('pointerleave', () => {
    state.hover.value = -1;
  });
  on('click', (event) => {
    const span = spanUnder(event);
    if (!dragged && span >= 0) state.select(span);
  });
  on('dblclick', (event) => state.showSpan(spanUnder(event)));
  on(
    'wheel',
    (event) => {
      const pixels = event.deltaMode === 1 ? 33 : 1;
      const { scale } = ground;
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        zoom(state, Math.exp(event.deltaY * pixels * WHEEL_FACTOR), scale().nanos(event.clientX - scroller.getBoundingClientRect().left));
        return;
      }
      if (!event.shiftKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
      event.preventDefault();
      slide((event.shiftKey ? event.deltaY || event.deltaX : event.deltaX) * pixels);
    },
    { passive: false },
  );
  on('pointerdown', (event) => {
    dragged = false;
    if (event.button !== 0 || event.pointerType === 'touch' || event.offsetX >= scroller.clientWidth) return;
    const begin = { x: event.clientX, y: event.clientY, top: scroller.scrollTop, window: state.window.peek() };
    scroller.focus({ preventScroll: true });
    follow(event, (move) => {
      const [across, down] = [move.clientX - begin.x, move.clientY - begin.y];
      if (!dragged && Math.hypot(across, down) < DRAG_PIXELS) return;
      dragged = true;
      const { factor } = ground.scale();
      state.show(begin.window.from - across / factor, begin.window.to - across / factor);
      scroller.scrollTop = begin.top - down;
    });
  });

  function slide(pixels: number): void {
    const { factor } = ground.scale();
    const { from, to } = state.window.peek();
    state.show(from + pixels / factor, to + pixels / factor);
  }
  return () => controller.abort();
}
