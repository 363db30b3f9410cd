import { readFile } from 'node:fs/promises';
import type { Page } from '@playwright/test';
import { expect, painted, test } from './harness';
import { ago, id, request, span } from './otlp';

/** A small trace that no server has. */
function otlp(): string {
  const [trace, origin] = [id(0xf11e, 32), ago(100)];
  return JSON.stringify(request('from-a-file', [span(trace, 0, null, 'read me', origin, 0, 3e6), span(trace, 1, 0, 'and me', origin, 1e6, 1e6)]));
}

const JAEGER = JSON.stringify({
  data: [
    {
      traceID: 'abc',
      spans: [{ traceID: 'abc', spanID: 'def', operationName: 'from jaeger', references: [], startTime: 1_700_000_000_000_000, duration: 1_500, tags: [], logs: [], processID: 'p1' }],
      processes: { p1: { serviceName: 'old-shop', tags: [] } },
    },
  ],
});

const ZIPKIN = JSON.stringify([{ traceId: '00000000000000aa', id: '00000000000000bb', name: 'from zipkin', timestamp: 1_700_000_000_000_000, duration: 2_500, localEndpoint: { serviceName: 'older-shop' } }]);

/** Drops a file on the page as a hand would: the browser makes the events, the page reads the file. */
async function drop(page: Page, name: string, content: string): Promise<void> {
  const data = await page.evaluateHandle(
    ([name, content]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([content], name, { type: 'application/json' }));
      return transfer;
    },
    [name, content] as const,
  );
  for (const event of ['dragenter', 'dragover', 'drop']) await page.locator('main').dispatchEvent(event, { dataTransfer: data });
}

test('a file that is dropped on any page is shown and not stored', async ({ page, empty }) => {
  for (const [name, content, operation] of [['otlp.json', otlp(), 'read me'], ['jaeger.json', JAEGER, 'from jaeger'], ['zipkin.json', ZIPKIN, 'from zipkin']] as const) {
    await page.goto(`${empty.url}/${name === 'otlp.json' ? '' : 'view'}`);
    await expect(page.locator('main')).toBeVisible();
    await drop(page, name, content);
    await expect(page.getByRole('treegrid', { name: 'Spans' }).getByRole('row').first()).toHaveAttribute('aria-label', new RegExp(operation));
    await expect(page.locator('.details')).toContainText('Duration');
    await expect(page.locator('.details .section').first()).toBeVisible();
  }
  expect(await empty.traceIds()).toEqual([]);
});

test('a file that is no trace is refused in words', async ({ page, empty, guard }) => {
  guard.allow(/status of 4\d\d/);
  await page.goto(`${empty.url}/view`);
  await drop(page, 'notes.txt', 'these are no spans');
  await expect(page.getByRole('alert')).toBeVisible();
  await expect(page.getByRole('alert')).not.toBeEmpty();
});

test('a trace is downloaded as OTLP, and read again', async ({ page, shop, empty }) => {
  const { server, planted } = shop;
  await page.goto(`${server.url}/t/${planted.declinedCard}`);
  await page.getByText('Download', { exact: true }).click();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'OTLP JSON' }).click()]);
  const content = await readFile(await download.path(), 'utf8');
  expect(JSON.parse(content)).toHaveProperty('resourceSpans');
  const rows = await page.getByRole('treegrid', { name: 'Spans' }).getAttribute('aria-rowcount');
  const sentence = await page.locator('#thread-sentence').innerText();
  await page.goto(`${empty.url}/view`);
  await drop(page, 'trace.json', content);
  await expect(page.getByRole('treegrid', { name: 'Spans' })).toHaveAttribute('aria-rowcount', rows!);
  await expect(page.locator('#thread-sentence')).toHaveText(sentence);
});

test('a trace is downloaded as a page that opens without a server', async ({ page, shop, browser, guard }, info) => {
  const { server, planted } = shop;
  await page.goto(`${server.url}/t/${planted.declinedCard}`);
  await page.getByText('Download', { exact: true }).click();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'A page that opens offline' }).click()]);
  const file = info.outputPath('trace.html');
  await download.saveAs(file);
  const sentence = await page.locator('#thread-sentence').innerText();

  const context = await browser.newContext({ offline: true });
  const alone = await context.newPage();
  guard.watch(alone);
  await alone.goto(`file://${file}`);
  await expect(alone.locator('#thread-sentence')).toHaveText(sentence);
  await expect(alone.locator('.details')).toContainText('PaymentDeclinedError');
  // It has no server to ask for other traces.
  await expect(alone.locator('.details [aria-label^="Filter by"]')).toHaveCount(0);
  await alone.keyboard.press('/');
  await alone.keyboard.type('declined');
  await expect(alone.getByRole('status').filter({ hasText: /\d/ }).first()).toBeVisible();
  await alone.keyboard.press('Escape');
  for (const key of ['2', '3', '1']) {
    await alone.keyboard.press(key);
    await painted(alone);
  }
  await expect(alone.getByRole('treegrid', { name: 'Spans' }).getByRole('row').first()).toBeVisible();
  await context.close();
});
