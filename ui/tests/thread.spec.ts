import { expect, test } from './harness';

interface Thread {
  totalNanos: number;
  segments: { fromNanos: number; toNanos: number }[];
}

const sum = ({ segments }: Thread) => segments.reduce((all, one) => all + one.toNanos - one.fromNanos, 0);

test('the thread is as long on the page, in the API and on the command line, in every trace of the demo', async ({ page, shop }) => {
  test.setTimeout(120_000);
  const { server } = shop;
  const ids = await server.traceIds();
  expect(ids).toHaveLength(120);
  await page.goto(`${server.url}/t/${ids[0]}?view=table&flat=1`);
  for (const id of ids) {
    const { thread } = await server.ask<{ thread: Thread }>(`traces/${id}`);
    const cli = (JSON.parse(await server.cli('trace', id, '--json')) as { thread: Thread }).thread;
    expect(Math.abs(sum(thread) - thread.totalNanos), `API, trace ${id}`).toBeLessThanOrEqual(1_000);
    expect(Math.abs(sum(cli) - sum(thread)), `command line, trace ${id}`).toBeLessThanOrEqual(1_000);
    await page.evaluate((path) => {
      history.pushState(null, '', path);
      dispatchEvent(new PopStateEvent('popstate'));
    }, `${new URL(server.url).pathname}t/${id}?view=table&flat=1`);
    // Each row says on hover how many nanoseconds of the thread are its own; time between roots belongs to none.
    await expect
      .poll(async () => {
        const titles = await page.locator('.share-text').evaluateAll((cells) => cells.map((cell) => cell.getAttribute('title') ?? ''));
        return Math.abs(titles.reduce((all, title) => all + Number(title.replace(/[^\d]/g, '')), 0) - sum(thread));
      }, { message: `page, trace ${id}`, intervals: [20, 50, 100] })
      .toBeLessThanOrEqual(1_000);
  }
});
