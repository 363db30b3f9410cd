import { expect, marked, painted, pixels, test } from './harness';
import { ago, id, request, span } from './otlp';

test('a theme is chosen, kept, and in no address', async ({ page, shop }) => {
  await page.goto(`${shop.server.url}/t/${shop.planted.slowQuery}`);
  await marked(page, 'clew:first-bars');
  const dark = await pixels(page);
  await page.getByRole('button', { name: /theme/i }).click();
  await page.getByLabel('Light').check();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
  await painted(page);
  expect(await pixels(page), 'canvases follow').not.toEqual(dark);
  expect(page.url()).not.toContain('theme');
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
});

test('times are told in the zone of the address', async ({ page, shop }) => {
  const { root, start } = (await shop.server.ask<{ traces: { root: object; start: string }[] }>('traces/search', { limit: '1' })).traces[0]!;
  expect(root).toBeTruthy();
  const hour = (zone: string) => new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone: zone }).format(new Date(start));
  for (const [zone, name] of [['utc', 'UTC'], ['Asia/Tokyo', 'Asia/Tokyo'], ['local', 'Europe/Berlin']] as const) {
    await page.goto(`${shop.server.url}/?since=1h${zone === 'local' ? '' : `&zone=${zone}`}`);
    await expect(page.locator('.trace-row [title]', { hasText: hour(name) }).first()).toBeVisible();
  }
});

test('a switch appears when there is more than one tenant', async ({ page, serve }) => {
  const server = await serve();
  const send = (tenant: string, number: number) =>
    server.send(request(`service-of-${tenant}`, [span(id(number, 32), number, null, `work of ${tenant}`, ago(2), 0, 1e6)]), { 'X-Scope-OrgID': tenant });
  await send('acme', 1);
  await send('umbrella', 2);
  await server.holds(1, { tenant: 'umbrella' });
  await page.goto(`${server.url}/?tenant=acme&since=1h`);
  await expect(page.getByText('work of acme').first()).toBeVisible();
  await expect(page.getByText('work of umbrella')).toHaveCount(0);
  await page.getByLabel('Tenant').selectOption('umbrella');
  await expect(page).toHaveURL(/tenant=umbrella/);
  await expect(page.getByText('work of umbrella').first()).toBeVisible();
  // It stays with the reader, into the trace and its details.
  await page.locator('.trace-link').first().click();
  await expect(page).toHaveURL(/\/t\/.*tenant=umbrella/);
  await expect(page.locator('.details .section').first()).toBeVisible();
});

test('nothing moves for those who ask for stillness', async ({ page, shop }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  for (const path of ['/?since=1h', `/t/${shop.planted.declinedCard}`, '/start', '/operate']) {
    await page.goto(shop.server.url + path);
    await page.waitForLoadState('networkidle');
    const moving = await page.evaluate(() =>
      [...document.querySelectorAll('*')].filter((one) => {
        const { transitionDuration, animationName, animationDuration } = getComputedStyle(one);
        return transitionDuration.split(', ').some((time) => Number.parseFloat(time) > 0.001) || (animationName !== 'none' && Number.parseFloat(animationDuration) > 0.001);
      }).map((one) => one.className),
    );
    expect(moving, path).toEqual([]);
  }
});

test('it is usable in forced colours and at 200 %', async ({ browser, shop, guard }) => {
  const context = await browser.newContext({ viewport: { width: 720, height: 450 }, deviceScaleFactor: 2, forcedColors: 'active' });
  const page = await context.newPage();
  guard.watch(page);
  for (const path of ['/?since=1h', `/t/${shop.planted.declinedCard}`, `/t/${shop.planted.declinedCard}?view=flame`, `/t/${shop.planted.declinedCard}?view=table`, '/start', '/operate']) {
    await page.goto(shop.server.url + path);
    await page.waitForLoadState('networkidle');
    expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBeLessThanOrEqual(720);
  }
  await page.goto(`${shop.server.url}/t/${shop.planted.declinedCard}`);
  const grid = page.getByRole('treegrid', { name: 'Spans' });
  await expect(grid.locator('[aria-selected="true"]')).toBeInViewport();
  await page.keyboard.press('Home');
  await expect(grid.locator('[aria-selected="true"]')).toHaveAttribute('aria-rowindex', '1');
  await context.close();
});
