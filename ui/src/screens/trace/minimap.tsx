import { effect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { paintMinimap } from '../../draw/minimap';
import { palette } from '../../draw/palette';
import { type Scale, scaleOf } from '../../draw/scale';
import { observeSize, onceAFrame, prepare } from '../../draw/surface';
import type { TraceState } from './state';
import { follow } from './waterfall/pointer';

const DRAG_PIXELS = 4;

/** The whole trace in a strip: drag the window, its ends, or a new one. What it shows is in the rows as text. */
export function Minimap({ state }: { state: TraceState }) {
  const own = useRef<HTMLDivElement>(null);
  useEffect(() => mount(own.current!, state), [state]);
  return (
    <div class="minimap" ref={own} aria-hidden="true">
      <canvas />
      <div class="shade before" />
      <div class="shade after" />
      <div class="pane">
        <div class="end from" />
        <div class="end to" />
      </div>
      <div class="stretch" hidden />
    </div>
  );
}

function mount(box: HTMLElement, state: TraceState): () => void {
  const part = (selector: string) => box.querySelector<HTMLElement>(selector)!;
  const canvas = box.querySelector('canvas')!;
  const [before, after, pane, stretch] = [part('.before'), part('.after'), part('.pane'), part('.stretch')];
  let [width, height] = [0, 0];
  const scale = (): Scale => {
    const model = state.model.peek();
    return scaleOf(model?.home.from ?? 0, model?.home.to ?? 1, width);
  };

  // The trace is painted once, into a bitmap of its own; a window that moves moves elements only.
  const paint = onceAFrame(() => {
    const model = state.model.peek();
    const surface = model && prepare(canvas, width, height);
    if (surface) paintMinimap(surface, { model, scale: scale(), palette: palette(), colour: state.colour.peek(), found: state.found.peek()?.spans ?? null });
  });
  const place = onceAFrame(() => {
    const { from, to } = state.window.peek();
    const now = scale();
    const [left, right] = [Math.max(0, now.x(from)), Math.min(width, now.x(to))];
    const all = left <= now.x(now.from) + 0.5 && right >= now.x(now.to) - 0.5;
    before.style.width = `${all ? 0 : left}px`;
    after.style.width = `${all ? 0 : Math.max(0, width - right)}px`;
    pane.style.transform = `translateX(${left}px)`;
    pane.style.width = `${Math.max(right - left, 2)}px`;
    pane.hidden = all;
  });
  const stops = [
    observeSize(box, (wide, high) => {
      [width, height] = [wide, high];
      paint.ask();
      place.ask();
    }),
    effect(() => {
      void [state.model.value, state.colour.value, state.found.value, palette()];
      paint.ask();
    }),
    effect(() => {
      void [state.window.value, state.model.value];
      place.ask();
    }),
    paint.stop,
    place.stop,
  ];
  const controller = new AbortController();
  const { signal } = controller;
  const x = (event: MouseEvent) => event.clientX - box.getBoundingClientRect().left;
  box.addEventListener(
    'pointerdown',
    (event) => {
      if (event.button !== 0) return;
      const target = event.target as HTMLElement;
      const begin = { x: x(event), window: state.window.peek() };
      const now = scale();
      const moved = (move: PointerEvent) => (x(move) - begin.x) / now.factor;
      if (target === pane) follow(event, (move) => state.show(begin.window.from + moved(move), begin.window.to + moved(move)));
      else if (target.classList.contains('from')) follow(event, (move) => state.show(Math.min(begin.window.from + moved(move), begin.window.to), begin.window.to));
      else if (target.classList.contains('to')) follow(event, (move) => state.show(begin.window.from, Math.max(begin.window.to + moved(move), begin.window.from)));
      else select(event, begin.x, now);
    },
    { signal },
  );
  box.addEventListener('dblclick', () => state.showAll(), { signal });
  return () => {
    controller.abort();
    stops.forEach((stop) => stop());
  };

  function select(event: PointerEvent, begin: number, now: Scale): void {
    let end = begin;
    follow(
      event,
      (move) => {
        end = x(move);
        stretch.hidden = Math.abs(end - begin) < DRAG_PIXELS;
        stretch.style.transform = `translateX(${Math.min(begin, end)}px)`;
        stretch.style.width = `${Math.abs(end - begin)}px`;
      },
      () => {
        stretch.hidden = true;
        if (Math.abs(end - begin) >= DRAG_PIXELS) state.show(now.nanos(Math.min(begin, end)), now.nanos(Math.max(begin, end)), 'push');
      },
    );
  }
}
