import type { Browser, Page } from '@playwright/test';
import { expect, Guard, painted, pixels, test } from './harness';

/** The hour is frozen, as is the zone (see the configuration): ages and "now" are in the text. */
const HOUR = new Date('2026-11-20T09:00:00Z');

async function fresh(browser: Browser, url: string, guard: Guard): Promise<Page> {
  const context = await browser.newContext();
  const page = await context.newPage();
  guard.watch(page);
  await page.clock.setFixedTime(HOUR);
  await page.goto(url);
  await settled(page);
  return page;
}

/** Waits until nothing is on its way, the last frame is painted, and no pointer or caret changes the picture. */
async function settled(page: Page): Promise<void> {
  await page.mouse.move(0, 0);
  await page.waitForLoadState('networkidle');
  await painted(page);
}

const text = (page: Page) => page.evaluate(() => document.body.innerText);

test('an address shows the same text and the same pixels in a fresh browser', async ({ browser, shop, guard }) => {
  test.setTimeout(90_000);
  const { server, planted } = shop;
  const paths = [
    '/?from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&zone=utc',
    '/?from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z&sort=-duration&status=error&zone=Asia/Tokyo',
    `/t/${planted.slowQuery}?zone=utc`,
    `/t/${planted.gap}?thread=1&color=kind&zone=Asia/Kolkata`,
    `/t/${planted.nPlusOne}?groups=0&gaps=0`,
    `/t/${planted.declinedCard}?find=declined&clock=corrected&color=self`,
    `/t/${planted.declinedCard}?view=flame&z=5000000,30000000`,
    `/t/${planted.nPlusOne}?view=table&sort=self&flat=1&details=0`,
  ];
  for (const path of paths) {
    const [one, other] = [await fresh(browser, server.url + path, guard), await fresh(browser, server.url + path, guard)];
    expect(await text(other), `text of ${path}`).toBe(await text(one));
    const seen = await pixels(one);
    expect(seen.length, `canvases of ${path}`).toBeGreaterThan(path.includes('view=table') ? 0 : 1);
    expect((await pixels(other)).map((canvas, at) => canvas === seen[at]), `pixels of ${path}`).toEqual(seen.map(() => true));
    await one.context().close();
    await other.context().close();
  }
});

test('what a reader did to a trace is in the address', async ({ browser, shop, guard }) => {
  const { server, planted } = shop;
  const page = await fresh(browser, `${server.url}/t/${planted.gap}`, guard);
  const keys = ['Home', 'j', 'j', 'j', 'j', 'j', 'j', 'j', 'ArrowLeft', 'k', 'k', 'w', 'w', 'd', 'c'];
  for (const key of keys) await page.keyboard.press(key);
  await expect(page).toHaveURL(/z=\d+,\d+|z=\d+%2C\d+/);
  await expect(page).toHaveURL(/fold=/);
  await expect(page).toHaveURL(/color=kind/);
  await settled(page);
  // What changes continuously is written when it pauses.
  let before = '';
  await expect.poll(async () => {
    const same = page.url() === before;
    before = page.url();
    return same;
  }, { intervals: [400] }).toBe(true);
  const copy = await fresh(browser, page.url(), guard);
  expect(await text(copy)).toBe(await text(page));
  expect((await pixels(copy)).length).toBeGreaterThan(1);
  expect(await pixels(copy)).toEqual(await pixels(page));
});

test('back and forward go through steps, and pass over zooms', async ({ page, shop }) => {
  const { server, planted } = shop;
  await page.goto(server.url);
  const link = page.locator('.trace-link').first();
  await expect(link).toBeVisible();
  await page.goto(`${server.url}/t/${planted.slowQuery}`);
  const grid = page.getByRole('treegrid', { name: 'Spans' });
  await expect(grid.getByRole('row').first()).toBeVisible();
  await page.keyboard.press('t');
  await expect(page).toHaveURL(/thread=1/);
  await page.keyboard.press('w');
  await expect(page).toHaveURL(/z=/);
  await page.keyboard.press('2');
  await expect(page).toHaveURL(/view=flame/);
  await expect(page.locator('.flame canvas').first()).toBeVisible();
  await page.goBack();
  await expect(grid.getByRole('row').first()).toBeVisible();
  await expect(page).toHaveURL(/thread=1.*z=|z=.*thread=1/);
  await page.goBack();
  await expect(page).not.toHaveURL(/thread=1|z=/);
  await page.goForward();
  await page.goForward();
  await expect(page.locator('.flame canvas').first()).toBeVisible();
  await page.goBack();
  await page.goBack();
  await page.goBack();
  await expect(link).toBeVisible();
});
