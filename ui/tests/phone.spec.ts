import { expect, painted, test } from './harness';
import { guiltySpans, screens } from './screens';

test.use({ viewport: { width: 360, height: 740 }, hasTouch: true });

test('no screen is wider than a phone', async ({ page, shop, empty, guard }) => {
  test.setTimeout(90_000);
  guard.allow(/404/);
  for (const shown of screens(shop.planted, await guiltySpans(shop.server, shop.planted))) {
    await page.goto((shown.empty ? empty : shop.server).url + shown.path);
    await page.waitForLoadState('networkidle');
    await painted(page);
    expect(await page.evaluate(() => document.documentElement.scrollWidth), shown.name).toBeLessThanOrEqual(360);
  }
});

test('on a phone, a touch on a span raises the sheet with its details', async ({ page, shop }) => {
  await page.goto(`${shop.server.url}/t/${shop.planted.declinedCard}`);
  const sheet = page.locator('.details');
  const chosen = page.getByRole('treegrid', { name: 'Spans' }).locator('[aria-selected="true"]');
  await expect(chosen).toBeVisible();
  await expect(sheet).toBeHidden();
  await chosen.tap();
  await expect(sheet).toBeVisible();
  const { y, height } = (await sheet.boundingBox())!;
  expect(Math.round(y + height), 'it lies at the foot').toBe(740);
  await expect(sheet.getByText('Duration')).toBeVisible();
  await sheet.getByRole('button', { name: 'Close the details' }).tap();
  await expect(sheet).toBeHidden();
});
