import { expect, test } from './harness';
import { ago, id, request, span } from './otlp';

const MS = 1e6;

test('an open trace grows without losing the selection', async ({ page, serve }) => {
  const server = await serve();
  const [trace, origin] = [id(0x117e, 32), ago(1)];
  const child = (number: number) => span(trace, number, 0, `step ${number}`, origin, number * 10 * MS, 8 * MS);
  await server.send(request('grows', [child(1), child(2), child(3)]));
  await server.holds(1);
  await page.goto(`${server.url}/t/${trace}?span=${id(2, 16)}&gaps=0`);
  const grid = page.getByRole('treegrid', { name: 'Spans' });
  const chosen = grid.locator('[aria-selected="true"]');
  await expect(grid).toHaveAttribute('aria-rowcount', '3');
  await expect(page.getByText(/Root not received: no span/)).toBeVisible();
  await expect(page.getByText(/still arriving/i)).toBeVisible();
  const nanos = (await chosen.getAttribute('aria-label'))!;
  await server.send(request('grows', [span(trace, 0, null, 'the root', origin, 0, 100 * MS), child(4)]));
  // Two seconds after it was sent, at the latest; the rest is for the page to show it.
  await expect(grid).toHaveAttribute('aria-rowcount', '5', { timeout: 3_000 });
  await expect(page.getByText(/Root not received: no span/)).toBeHidden();
  await expect(chosen).toHaveAttribute('aria-label', new RegExp(nanos.split(',')[0]!));
  await expect(page.locator('.details')).toContainText(id(2, 16));
});

test('new traces wait behind a button', async ({ page, serve }) => {
  const server = await serve();
  const send = (number: number) => server.send(request('busy', [span(id(number, 32), number, null, `request ${number}`, ago(1), 0, 5 * MS)]));
  await send(1);
  await server.holds(1);
  await page.goto(`${server.url}/?since=1h`);
  await expect(page.locator('.trace-link')).toHaveCount(1);
  await send(2);
  await send(3);
  const button = page.getByRole('button', { name: '2 new' });
  await expect(button).toBeVisible({ timeout: 10_000 });
  await expect(page.locator('.trace-link')).toHaveCount(1);
  await button.click();
  await expect(page.locator('.trace-link')).toHaveCount(3);
});
