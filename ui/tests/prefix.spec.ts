import { expect, marked, test } from './harness';
import { Proxy } from './proxy';

test('it works under a path prefix', async ({ page, shop }) => {
  const { server, planted } = shop;
  const proxy = await Proxy.start(server.url, '/tools/clew');
  try {
    await page.goto(`${proxy.url}/`);
    await expect(page.locator('.trace-link').first()).toBeVisible();
    await page.locator('.trace-link').first().click();
    await expect(page).toHaveURL(new RegExp(`^${proxy.url}/t/[0-9a-f]{32}`));
    await marked(page, 'clew:first-bars');
    await expect(page.locator('.details')).toBeVisible();
    await page.getByRole('link', { name: 'Operate' }).click();
    await expect(page).toHaveURL(`${proxy.url}/operate`);
    await page.goto(`${proxy.url}/t/${planted.slowQuery}?view=flame`);
    await expect(page.locator('.details')).toContainText('SELECT products');
    await page.getByRole('link', { name: 'clew: home' }).click();
    await expect(page.locator('.trace-link').first()).toBeVisible();
    expect(proxy.strays).toEqual([]);
  } finally {
    await proxy.stop();
  }
});
