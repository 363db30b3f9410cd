import { expect, marked, test } from './harness';

test('from Home to the guilty span in three clicks, without typing', async ({ page, shop }) => {
  const { server } = shop;
  await page.goto(`${server.url}/?since=1h`);
  await marked(page, 'clew:heatmap');
  const box = page.getByRole('application', { name: /Traces by start and duration/ });
  // The cell of the slowest traces: where the keyboard's cursor begins is told by the page itself.
  await box.focus();
  const cursor = page.locator('.outline.cursor');
  const { x, y, width, height } = (await cursor.boundingBox())!;
  await page.mouse.click(x + width / 2, y + height / 2);
  await expect(page).toHaveURL(/cell=/);
  await page.locator('.trace-link').first().click();
  await expect(page).toHaveURL(/\/t\/[0-9a-f]{32}/);
  // The third click is not needed: what most of the time went to is selected already.
  await expect(page.locator('[role=row][aria-selected="true"]')).toHaveAttribute('aria-label', /SELECT products.*on the thread/);
  await expect(page.locator('.details')).toContainText('SELECT id, name, description FROM products');
});

test('from Home to the guilty span by keys alone', async ({ page, shop }) => {
  const { server } = shop;
  await page.goto(`${server.url}/?since=1h`);
  await marked(page, 'clew:heatmap');
  await page.keyboard.press('h');
  await expect(page.locator('.outline.cursor')).toBeVisible();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/cell=/);
  await expect(page.locator('.trace-link')).toHaveCount(1);
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/t\/[0-9a-f]{32}/);
  await expect(page.locator('[role=row][aria-selected="true"]')).toHaveAttribute('aria-label', /SELECT products.*on the thread/);
});

test('from the declined card to others like it', async ({ page, shop }) => {
  const { server, planted } = shop;
  await page.goto(`${server.url}/t/${planted.declinedCard}`);
  await page.keyboard.press('e');
  await page.locator('.sentence .part').filter({ hasText: /error/ }).first().click();
  const details = page.locator('.details');
  await expect(details.locator('.exception')).toContainText('PaymentDeclinedError');
  await details.locator('.attribute', { hasText: 'app.payment.charged' }).hover();
  await details.getByRole('link', { name: 'Filter by app.payment.charged' }).click();
  await expect(page).toHaveURL(/attr\.app\.payment\.charged=false/);
  await expect(page.locator('.trace-link').first()).toBeVisible();
});
