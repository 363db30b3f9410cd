import type { Browser, Page } from '@playwright/test';
import { framesOf } from './frames';
import { send } from './giant';
import { expect, Guard, marked, test } from './harness';
import type { Server } from './server';
import { until } from './server';
import { FIGURE, type Figure } from './table';

/** Notes a figure for the table and holds it to its limit. */
function hold(what: string, value: number, limit: number, unit: string, generosity: number): void {
  const figure: Figure = { what, value, limit: limit * generosity, unit };
  test.info().annotations.push({ type: FIGURE, description: JSON.stringify(figure) });
  expect.soft(value, what).toBeLessThanOrEqual(figure.limit);
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** A page in a browser context of its own, which has nothing cached. */
async function cold<T>(browser: Browser, guard: Guard, use: (page: Page) => Promise<T>): Promise<T> {
  const context = await browser.newContext();
  const page = await context.newPage();
  guard.watch(page);
  const result = await use(page);
  await context.close();
  return result;
}

test.describe('budgets', () => {
  let server: Server;
  let fifty: string;
  let hundred: string;

  test.beforeAll(async ({ serve }) => {
    test.setTimeout(180_000);
    server = await serve();
    const made = async (spans: number) => {
      const { traceId } = await send(server.url, 'batch', { spans, seed: spans });
      await until(`${spans} spans`, async () => {
        const { traces } = await server.ask<{ traces: { traceId: string; spanCount: number }[] }>('traces/search', { limit: '5' });
        return traces.some((one) => one.traceId === traceId && one.spanCount === spans);
      }, 60_000);
      return traceId;
    };
    fifty = await made(50_000);
    hundred = await made(100_000);
  });

  test('first bars of giant traces', async ({ browser, guard, generosity }) => {
    test.setTimeout(120_000);
    const runs = generosity > 1 ? 3 : 7;
    for (const [trace, spans, limit] of [[fifty, 50_000, 1_000], [hundred, 100_000, 1_800]] as const) {
      const times: number[] = [];
      for (let run = 0; run < runs; run++) {
        times.push(
          await cold(browser, guard, async (page) => {
            await page.goto(`${server.url}/t/${trace}`);
            return marked(page, 'clew:first-bars');
          }),
        );
      }
      hold(`${spans / 1_000} k spans, cold, to first bars`, median(times), limit, 'ms', generosity);
    }
  });

  test('scrolling and zooming 50 k spans', async ({ browser, guard, generosity }) => {
    test.setTimeout(120_000);
    const millis = generosity > 1 ? 2_000 : 5_000;
    await cold(browser, guard, async (page) => {
      await page.goto(`${server.url}/t/${fifty}?details=0`);
      await marked(page, 'clew:first-bars');
      const box = (await page.locator('.bars').boundingBox())!;
      await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.5);
      const wheel = (way: (tick: number) => [across: number, down: number]) => async () => {
        const begin = Date.now();
        for (let tick = 0; Date.now() - begin < millis; tick++) await page.mouse.wheel(...way(tick));
      };
      const scroll = await framesOf(browser, page, wheel((tick) => [0, tick % 40 < 30 ? 240 : -480]));
      hold('50 k spans, scroll: work a frame, p95', scroll.p95, 8, 'ms', generosity);
      hold('50 k spans, scroll: longest frame', scroll.longest, 50, 'ms', generosity);
      await page.keyboard.down('Control');
      const zoom = await framesOf(browser, page, wheel((tick) => [0, tick % 60 < 30 ? -120 : 120]));
      await page.keyboard.up('Control');
      hold('50 k spans, zoom: work a frame, p95', zoom.p95, 8, 'ms', generosity);
      hold('50 k spans, zoom: longest frame', zoom.longest, 50, 'ms', generosity);
      expect(scroll.count + zoom.count, 'frames that were painted').toBeGreaterThan(40);

      const cdp = await page.context().newCDPSession(page);
      await cdp.send('HeapProfiler.collectGarbage');
      const { usedSize } = await cdp.send('Runtime.getHeapUsage');
      hold('50 k spans: heap', usedSize / 1e6, 150, 'MB', 1);
      hold('50 k spans: elements', await page.evaluate(() => document.querySelectorAll('*').length), 2_000, '', 1);
    });
  });

  test('flame and table of 50 k spans', async ({ browser, guard, generosity }) => {
    test.setTimeout(90_000);
    await cold(browser, guard, async (page) => {
      await page.goto(`${server.url}/t/${fifty}?view=flame&details=0`);
      const flame = page.locator('.flame-scroll');
      await expect(flame).toBeVisible();
      const box = (await flame.boundingBox())!;
      await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.3);
      await page.keyboard.down('Control');
      const zoom = await framesOf(browser, page, async () => {
        for (let tick = 0; tick < 60; tick++) await page.mouse.wheel(0, tick % 60 < 40 ? -120 : 120);
      });
      await page.keyboard.up('Control');
      hold('50 k spans, flame: work a frame, p95', zoom.p95, 16, 'ms', generosity);
      await page.goto(`${server.url}/t/${fifty}?view=table&details=0`);
      await expect(page.getByRole('treegrid').getByRole('row').nth(5)).toBeVisible();
      hold('50 k spans, table: elements', await page.evaluate(() => document.querySelectorAll('*').length), 2_000, '', 1);
    });
  });

  test('finding in 100 k spans', async ({ browser, guard, generosity }) => {
    await cold(browser, guard, async (page) => {
      await page.goto(`${server.url}/t/${hundred}`);
      await marked(page, 'clew:first-bars');
      const times: number[] = [];
      const input = page.getByPlaceholder(/Find in this trace/);
      for (let run = 0; run < 5; run++) {
        const wanted = `SKU-${run * 17_000 + 20_007}`;
        await page.keyboard.press('/');
        await expect(input).toBeFocused();
        await page.keyboard.insertText(wanted);
        await page.waitForFunction((before) => performance.getEntriesByName('clew:find').length > before, run, { polling: 20, timeout: 10_000 });
        await expect(page.getByRole('status').filter({ hasText: /^(1 found|1 of 1|nothing)$/ })).toBeVisible();
        // What the server and the page take, without the pause that waits for the end of typing.
        times.push(
          await page.evaluate((text) => {
            const asked = performance.getEntriesByType('resource').filter((one) => one.name.includes(`text=${text}`)).at(-1)!;
            return performance.getEntriesByName('clew:find').at(-1)!.startTime - asked.startTime;
          }, wanted),
        );
        await page.keyboard.press('Escape');
        await expect(input).not.toBeFocused();
      }
      hold('find in 100 k spans', median(times), 150, 'ms', generosity);
    });
  });

  test('the first load is small, still and quick', async ({ browser, guard, generosity, shop }) => {
    await cold(browser, guard, async (page) => {
      const bytes: Record<string, number> = {};
      const cdp = await page.context().newCDPSession(page);
      await cdp.send('Network.enable');
      const urls = new Map<string, string>();
      cdp.on('Network.responseReceived', ({ requestId, response }) => urls.set(requestId, response.url));
      cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
        bytes[urls.get(requestId) ?? ''] = encodedDataLength;
      });
      await page.addInitScript(() => {
        const shifts: number[] = ((window as unknown as { shifts: number[] }).shifts = []);
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) shifts.push((entry as PerformanceEntry & { value: number }).value);
        }).observe({ type: 'layout-shift', buffered: true });
      });
      await page.goto(`${shop.server.url}/?since=1h`);
      const ready = await marked(page, 'clew:list');
      await marked(page, 'clew:heatmap');
      await page.waitForLoadState('networkidle');
      const code = Object.entries(bytes).filter(([url]) => /\/assets\/.*\.(js|css)$/.test(url));
      expect(code.length).toBeGreaterThan(0);
      hold('first load, code and styles', code.reduce((all, [, size]) => all + size, 0) / 1_024, 80, 'KiB', 1);
      hold('Home, to the list', ready, 1_000, 'ms', generosity);
      const shifted = await page.evaluate(() => (window as unknown as { shifts: number[] }).shifts.reduce((all, one) => all + one, 0));
      hold('Home, layout shift', shifted, 0.01, '', 1);
    });
  });
});
