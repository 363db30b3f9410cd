/** A canvas that is as sharp as the screen: sizes are in CSS pixels, the store behind it in device pixels. */
export interface Surface {
  context: CanvasRenderingContext2D;
  width: number;
  height: number;
}

/** Makes a canvas fit its box and gives a cleared, scaled context; `null` while the box has no size. */
export function prepare(canvas: HTMLCanvasElement, width: number, height: number): Surface | null {
  const ratio = devicePixelRatio || 1;
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (across === 0 || down === 0) return null;
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across;
    canvas.height = down;
  }
  const context = canvas.getContext('2d');
  if (!context) return null;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** Calls back with a box's size, now and whenever it changes; gives the way to stop. */
export function observeSize(element: Element, changed: (width: number, height: number) => void): () => void {
  const observer = new ResizeObserver(([entry]) => {
    if (entry) changed(entry.contentRect.width, entry.contentRect.height);
  });
  observer.observe(element);
  return () => observer.disconnect();
}

/** Draws at most once a frame, however often it is asked. */
export function onceAFrame(draw: () => void): { ask: () => void; stop: () => void } {
  let handle = 0;
  return {
    ask: () => {
      handle ||= requestAnimationFrame(() => {
        handle = 0;
        draw();
      });
    },
    stop: () => cancelAnimationFrame(handle),
  };
}

/** Draws when something of what it is given has changed since it drew. */
export function whenChanged<T extends object>(draw: (wanted: T) => void): (wanted: T) => void {
  let drawn: Partial<T> = {};
  return (wanted) => {
    if ((Object.keys(wanted) as (keyof T)[]).every((name) => drawn[name] === wanted[name])) return;
    drawn = wanted;
    draw(wanted);
  };
}
