import { expect, marked, test } from './harness';

test('memory is flat over fifty traces', async ({ page, shop }) => {
  test.setTimeout(120_000);
  const { server } = shop;
  const ids = (await server.traceIds()).slice(0, 50);
  const cdp = await page.context().newCDPSession(page);
  const heap = async () => {
    // Twice, since what the first one finds unreachable may hold what the second one does.
    await cdp.send('HeapProfiler.collectGarbage');
    await cdp.send('HeapProfiler.collectGarbage');
    return (await cdp.send('Runtime.getHeapUsage')).usedSize;
  };
  await page.goto(`${server.url}/t/${ids[0]}`);
  await marked(page, 'clew:first-bars');
  let warm = 0;
  for (const [at, trace] of ids.entries()) {
    for (const view of ['waterfall', 'flame', 'table']) {
      await page.evaluate((path) => {
        history.pushState(null, '', path);
        dispatchEvent(new PopStateEvent('popstate'));
      }, `/t/${trace}?view=${view}`);
      await expect(page.getByRole('button', { name: `${trace.slice(0, 8)} copy id` })).toBeVisible();
    }
    if (at === 9) warm = await heap();
  }
  const end = await heap();
  const nodes = (await cdp.send('Memory.getDOMCounters')).nodes;
  expect(end / warm, `${warm} bytes after ten traces, ${end} after fifty`).toBeLessThan(1.1);
  expect(nodes, 'elements that are kept').toBeLessThan(6_000);
});
