import './flame.css';
import { computed, effect, useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { drawAxis, drawGrid } from '../../../draw/axis';
import { drawFlame, drawFlameThread, type FlameScene } from '../../../draw/flame';
import { type FlameBoxes, ROW } from '../../../draw/flame-boxes';
import { palette } from '../../../draw/palette';
import { PAD, type Scale, scaleOf } from '../../../draw/scale';
import { observeSize, onceAFrame, prepare } from '../../../draw/surface';
import { duration, percent } from '../../../format/duration';
import { rowLabel, shownName, shownService } from '../labels';
import type { Model } from '../model';
import type { TraceState } from '../state';
import { flameOf } from './layout';
import { step } from './keys';
import { attachPointer } from './pointer';

/** Pixels above the first row. */
const ABOVE = 4;

/** The trace as a flame: every span below its parent, on the window, colours and selection of the waterfall. */
export function Flame({ state }: { state: TraceState }) {
  const boxes = useMemo(() => computed(() => (state.model.value ? flameOf(state.model.value) : null)), [state]);
  const top = useSignal(0);
  const size = useSignal({ width: 0, height: 0 });
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const axis = useRef<HTMLCanvasElement>(null);

  useEffect(() => {
    if (document.activeElement === document.body) scroller.current!.focus({ preventScroll: true });
    return observeSize(scroller.current!, (width, height) => (size.value = { width, height }));
  }, []);
  useEffect(() => painting(state, boxes, top, size, canvas.current!, axis.current!), [state]);
  useEffect(() => scrolling(state, boxes, scroller.current!), [state]);
  useEffect(() => {
    const scale = () => scaleOf(state.window.peek().from, state.window.peek().to, size.peek().width);
    return attachPointer(scroller.current!, state, { boxes: () => boxes.peek(), scale, top: () => top.peek() - ABOVE });
  }, [state]);

  const model = state.model.value;
  const selected = state.selected.value;
  return (
    <div class="flame">
      <canvas class="flame-axis" ref={axis} aria-hidden="true" />
      <div
        class="flame-scroll"
        ref={scroller}
        tabIndex={0}
        role="application"
        aria-label="Flame of the trace: arrow keys go to parent, child and neighbours. The table has the same in text."
        aria-describedby="flame-selected"
        onScroll={(event) => (top.value = event.currentTarget.scrollTop)}
        onKeyDown={(event) => onKey(event, state, boxes.peek())}
      >
        <div class="flame-rows" style={{ height: `${(boxes.value?.rows ?? 0) * ROW + 2 * ABOVE}px` }}>
          <canvas ref={canvas} aria-hidden="true" />
        </div>
      </div>
      <p id="flame-selected" class="visually-hidden" aria-live="polite">
        {model && selected >= 0 ? rowLabel(model, selected) : ''}
      </p>
      <Tip state={state} boxes={boxes.value} top={top.value} scale={scaleOf(state.window.value.from, state.window.value.to, size.value.width)} />
    </div>
  );
}

/** Paints whenever something that is on the canvas changes, once a frame. */
function painting(
  state: TraceState,
  boxes: { value: FlameBoxes | null },
  top: { value: number },
  size: { value: { width: number; height: number } },
  canvas: HTMLCanvasElement,
  axis: HTMLCanvasElement,
): () => void {
  const foundIn = computed(() => mask(state.model.value, state.found.value?.spans ?? null));
  let scene: FlameScene | null = null;
  const frame = onceAFrame(() => {
    if (!scene) return;
    const { width, height } = size.value;
    const surface = prepare(canvas, width, height);
    if (surface) {
      drawGrid(surface, scene.scale, scene.palette);
      drawFlame(surface, scene);
      drawFlameThread(surface, scene, scene.model.thread);
      drawFlameThread(surface, scene, scene.model.tail);
    }
    axis.style.width = `${width}px`;
    const strip = prepare(axis, width, axis.clientHeight);
    if (strip) drawAxis(strip, scene.scale, scene.palette);
  });
  const stop = effect(() => {
    const [model, made] = [state.model.value, boxes.value];
    const { from, to } = state.window.value;
    const { width } = size.value;
    scene = model && made && {
      model,
      boxes: made,
      scale: scaleOf(from, to, width),
      palette: palette(),
      colour: state.colour.value,
      top: top.value - ABOVE,
      selected: state.selected.value,
      hover: state.hover.value,
      found: foundIn.value,
    };
    frame.ask();
  });
  return () => {
    stop();
    frame.stop();
  };
}

function mask(model: Model | null, spans: Int32Array | null): Uint8Array | null {
  if (!model || !spans) return null;
  const made = new Uint8Array(model.count);
  for (const span of spans) made[span] = 1;
  return made;
}

/** Brings what was selected into view, here and from other views. */
function scrolling(state: TraceState, boxes: { value: FlameBoxes | null }, scroller: HTMLElement): () => void {
  return effect(() => {
    const [made, selected] = [boxes.value, state.selected.value];
    if (!made || selected < 0 || !state.model.value) return;
    const y = made.rowOf[selected]! * ROW;
    // The first time, the box may not have its height yet.
    requestAnimationFrame(() => {
      const { scrollTop, clientHeight } = scroller;
      if (y < scrollTop) scroller.scrollTop = Math.max(0, y - ROW);
      else if (y + ROW > scrollTop + clientHeight) scroller.scrollTop = y - clientHeight / 2;
    });
  });
}

function onKey(event: KeyboardEvent, state: TraceState, boxes: FlameBoxes | null): void {
  const model = state.model.peek();
  if (!model || !boxes || event.ctrlKey || event.metaKey || event.altKey) return;
  const next = step(model, boxes, state.selected.peek(), event.key);
  if (next === null) return;
  event.preventDefault();
  event.stopPropagation();
  if (next !== state.selected.peek()) state.select(next, 'soon');
}

/** What is under the pointer, in words. */
function Tip({ state, boxes, top, scale }: { state: TraceState; boxes: FlameBoxes | null; top: number; scale: Scale }) {
  const model = state.model.value;
  const span = state.hover.value;
  if (!model || !boxes || span < 0 || span >= model.count || scale.width === 0) return null;
  const y = boxes.rowOf[span]! * ROW - top + ABOVE;
  const x = Math.min(Math.max(scale.x(model.starts[span]!), PAD), scale.width - 280);
  const [length, self] = [model.durations[span]!, model.selfs[span]!];
  return (
    <div class="flame-tip" style={{ transform: `translate(${Math.max(x, 0)}px, ${y + ROW + 30}px)` }}>
      <p class="mono foreign">{shownName(model, span)}</p>
      <p class="muted">
        <span class="foreign">{shownService(model, span)}</span>
        {` \u00b7 ${duration(length)}`}
        {length > 0 && ` \u00b7 self ${duration(self)}, ${percent(self / length)}`}
      </p>
    </div>
  );
}
