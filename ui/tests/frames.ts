import type { Browser, Page } from '@playwright/test';

interface Event {
  name: string;
  ph: string;
  ts: number;
  dur?: number;
  /** The time in which the thread had a processor. */
  tdur?: number;
  pid: number;
  tid: number;
  args?: { data?: { type?: string }; name?: string };
}

/** The main thread's work for each frame, in milliseconds: what it computed, not what it waited for others on the machine. */
export interface Frames {
  count: number;
  p95: number;
  longest: number;
}

/** Traces the browser while something is done, and sums up script, style, layout and paint between frames. */
export async function framesOf(browser: Browser, page: Page, act: () => Promise<void>): Promise<Frames> {
  await browser.startTracing(page, { categories: ['devtools.timeline', 'disabled-by-default-devtools.timeline', 'devtools.timeline.frame', '__metadata'] });
  await act();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: Event[] };
  return framesIn(traceEvents);
}

export function framesIn(events: Event[]): Frames {
  // The page's thread is the one that runs its animation frames.
  const main = events.find((event) => event.name === 'FireAnimationFrame');
  if (!main) throw new Error('The page painted nothing.');
  const own = events.filter((event) => event.pid === main.pid && event.tid === main.tid);
  const begins = own.filter((event) => event.name === 'FireAnimationFrame').map((event) => event.ts).sort((a, b) => a - b);
  const tasks = own.filter((event) => event.name === 'RunTask' && event.dur !== undefined).sort((a, b) => a.ts - b.ts);
  const work: number[] = [];
  let at = 0;
  for (const [frame, begin] of begins.entries()) {
    const end = begins[frame + 1] ?? Number.POSITIVE_INFINITY;
    let sum = 0;
    // A task belongs to the frame in which it ends: the one that fires a frame's callbacks began before them.
    while (at < tasks.length && tasks[at]!.ts + tasks[at]!.dur! < begin) at++;
    while (at < tasks.length && tasks[at]!.ts + tasks[at]!.dur! < end) {
      sum += tasks[at]!.tdur ?? tasks[at]!.dur!;
      at++;
    }
    work.push(sum / 1_000);
  }
  work.sort((a, b) => a - b);
  return { count: work.length, p95: work[Math.floor(work.length * 0.95)] ?? 0, longest: work.at(-1) ?? 0 };
}
