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
  const tasks = own.filter((event) => event.name === 'RunTask' && event.dur !== undefined).sort((a, b) => a.ts - b.ts);
  const fires = own.filter((event) => event.name === 'FireAnimationFrame').map((event) => event.ts).sort((a, b) => a - b);
  const work: number[] = [];
  let fired = 0;
  for (const task of tasks) {
    // A frame begins with the task that fires its callbacks, however many there are, and lasts until the next.
    const isFrame = fired < fires.length && fires[fired]! < task.ts + task.dur!;
    while (fired < fires.length && fires[fired]! < task.ts + task.dur!) fired++;
    if (isFrame) work.push(0);
    if (work.length > 0) work[work.length - 1]! += (task.tdur ?? task.dur!) / 1_000;
  }
  work.sort((a, b) => a - b);
  return { count: work.length, p95: work[Math.floor(work.length * 0.95)] ?? 0, longest: work.at(-1) ?? 0 };
}
