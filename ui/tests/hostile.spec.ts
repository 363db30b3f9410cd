import type { Page } from '@playwright/test';
import { expect, painted, test } from './harness';
import type { KeyValue, OtlpSpan } from './otlp';
import { ago, attributes, id, request, span } from './otlp';
import type { Server } from './server';

const SCRIPT = '<img src=x onerror="window.ran=1"><script>window.ran=1</script>';
const URL = 'javascript:window.ran=1';
/** Turns the writing around, and ends the text in what cannot be seen. */
const RTL = '\u202e\u05d0\u05d1\u05d2 gpj.exe\u200b\u200d\ufeff \u202b\u0634\u0643\u0631\u0627\u202c';
const LONG = 'x'.repeat(1_000_000);
const UNBROKEN = 'W'.repeat(4_000);
const TEMPLATE = '{{constructor.constructor("window.ran=1")()}} ${window.ran=1} %s %n \u0000';

const TRACE = id(0xbad, 32);
const WIDE_TRACE = id(0xbee, 32);

async function send(server: Server): Promise<void> {
  const origin = ago(60);
  const make = (number: number, name: string, more: Partial<OtlpSpan> = {}) => span(TRACE, number, number === 0 ? null : 0, name, origin, number * 1e6, 5e6, more);
  const exception = attributes({ 'exception.type': SCRIPT, 'exception.message': SCRIPT, 'exception.stacktrace': `${SCRIPT}\n  at ${URL}\n${LONG.slice(0, 200_000)}` });
  const spans = [
    { ...make(0, SCRIPT), endTimeUnixNano: (origin + 40_000_000n).toString() },
    make(1, RTL, { attributes: attributes({ [RTL]: RTL, [SCRIPT]: SCRIPT, 'url.full': URL, template: TEMPLATE }) }),
    make(2, 'a megabyte', { attributes: attributes({ [`key.${UNBROKEN}`]: LONG, json: JSON.stringify({ [SCRIPT]: [SCRIPT, URL] }) }) }),
    make(3, 'ten thousand', { attributes: Array.from({ length: 10_000 }, (_, at): KeyValue => ({ key: `attribute.${at}`, value: { intValue: String(at) } })) }),
    make(4, 'it fails', {
      status: { code: 2, message: `${SCRIPT} ${UNBROKEN}` },
      events: [{ timeUnixNano: (origin + 5_000_000n).toString(), name: 'exception', attributes: exception }],
      links: [{ traceId: TRACE, spanId: id(1, 16), attributes: attributes({ [SCRIPT]: RTL }) }],
    }),
    make(5, UNBROKEN),
    make(6, ''),
  ];
  await server.send(request(`${SCRIPT} & "service" ${RTL}`, spans, { 'host.name': SCRIPT }));
  // As wide as a demanding sender makes it: a hundred services with names that want to be wide.
  const wide = Array.from({ length: 40 }, (_, at) => request(`${at} ${UNBROKEN.slice(0, 300)}`, [span(WIDE_TRACE, 100 + at, at === 0 ? null : 100, `${at} ${UNBROKEN}`, origin, at * 1e5, 1e7)]));
  for (const one of wide) await server.send(one);
  await server.holds(2);
}

/** Nothing ran, and nothing is wider than the page. */
async function sound(page: Page): Promise<void> {
  await painted(page);
  expect(await page.evaluate(() => (window as { ran?: number }).ran), 'nothing of a sender runs').toBeUndefined();
  const [wide, high] = await page.evaluate(() => [
    document.documentElement.scrollWidth - innerWidth,
    document.documentElement.scrollHeight - innerHeight,
  ]);
  expect(wide, 'the page is no wider than its window').toBeLessThanOrEqual(0);
  expect(high, 'the page is no higher than its window').toBeLessThanOrEqual(0);
  expect(await page.locator('img, iframe, object, embed').count(), 'no element of a sender').toBe(0);
  expect(await page.locator('a[href^="javascript:"]').count()).toBe(0);
}

test.describe('hostile content', () => {
  let server: Server;

  test.beforeAll(async ({ serve }) => {
    server = await serve('--limits-value-bytes', '2MiB', '--limits-attributes', '20000');
    await send(server);
  });

  for (const [what, width] of [['wide', 1440], ['narrow', 360]] as const) {
    test(`is shown as text in the list and in the trace, ${what}`, async ({ page }) => {
      await page.setViewportSize({ width, height: 800 });
      await page.goto(server.url);
      await expect(page.getByText('onerror').first()).toBeVisible();
      await sound(page);
      for (const view of ['waterfall', 'flame', 'table']) {
        for (const trace of [TRACE, WIDE_TRACE]) {
          await page.goto(`${server.url}/t/${trace}?view=${view}`);
          await expect(page.locator('.trace-main canvas:visible').first()).toBeVisible();
          await sound(page);
        }
      }
    });
  }

  test('is shown as text in the details', async ({ page }) => {
    for (const number of [0, 1, 2, 4, 5, 6]) {
      await page.goto(`${server.url}/t/${TRACE}?span=${id(number, 16)}&details=1`);
      await expect(page.locator('.details .section').first()).toBeVisible();
      await sound(page);
    }
    await page.goto(`${server.url}/t/${TRACE}?span=${id(1, 16)}`);
    await expect(page.locator('.unseen').first()).toHaveText('U+202E');
    await expect(page.locator('.details').getByText(URL)).toBeVisible();
  });

  test('a value of a megabyte is folded, and shown whole when asked', async ({ page }) => {
    await page.goto(`${server.url}/t/${TRACE}?span=${id(2, 16)}`);
    const all = page.getByRole('button', { name: 'show all 1.0 MB' });
    await expect(all).toBeVisible();
    expect(await page.evaluate(() => document.body.innerText.length)).toBeLessThan(20_000);
    await all.click();
    await expect(page.getByRole('button', { name: 'show less' })).toBeVisible();
    expect(await page.evaluate(() => document.body.innerText.length)).toBeGreaterThan(1_000_000);
    await sound(page);
  });

  test('ten thousand attributes are found without all being shown', async ({ page }) => {
    await page.goto(`${server.url}/t/${TRACE}?span=${id(3, 16)}`);
    await expect(page.getByRole('button', { name: 'show 200 more of 9,800' })).toBeVisible();
    expect(await page.evaluate(() => document.querySelectorAll('*').length)).toBeLessThan(4_000);
    await page.getByLabel('Find in this span').fill('attribute.9876');
    await expect(page.locator('.details .attribute').first()).toContainText('9876');
    await sound(page);
  });
});
