import { expect, marked, test } from './harness';
import { send } from './giant';

interface Columns {
  spans: { ids: string; parents: number[]; names: number[] };
  names: string[];
}

test('the waterfall is a treegrid that can be read aloud', async ({ page, shop }) => {
  const { server, planted } = shop;
  const { spans, names } = await server.ask<Columns>(`traces/${planted.slowQuery}`, { shape: 'skeleton' });
  await page.goto(`${server.url}/t/${planted.slowQuery}`);
  const grid = page.getByRole('treegrid', { name: 'Spans' });
  await expect(grid).toHaveAttribute('aria-rowcount', String(spans.parents.length));
  const rows = grid.getByRole('row');
  await expect(rows).toHaveCount(spans.parents.length);
  const first = rows.filter({ has: page.locator(':scope[aria-rowindex="1"]') }).or(grid.locator('[aria-rowindex="1"]'));
  await expect(first).toHaveAttribute('aria-level', '1');
  await expect(first).toHaveAttribute('aria-setsize', '1');
  await expect(first).toHaveAttribute('aria-posinset', '1');
  await expect(first).toHaveAttribute('aria-expanded', 'true');
  const label = await first.getAttribute('aria-label');
  expect(label).toContain(names[spans.names[0]!]);
  expect(label).toMatch(/starts at 0/);
  // The guilty span is chosen without being asked for, and its name says that the trace waited for it.
  const chosen = grid.locator('[aria-selected="true"]');
  await expect(chosen).toHaveAttribute('aria-label', /SELECT products, product-catalog, 1\.\d+ s, starts at .*, on the thread/);
  await expect(grid).toHaveAttribute('aria-activedescendant', (await chosen.getAttribute('id'))!);
});

test('keys lead through the rows, fold and unfold them', async ({ page, shop }) => {
  await page.goto(`${shop.server.url}/t/${shop.planted.slowQuery}`);
  const grid = page.getByRole('treegrid', { name: 'Spans' });
  const chosen = grid.locator('[aria-selected="true"]');
  await grid.focus();
  await page.keyboard.press('Home');
  await expect(chosen).toHaveAttribute('aria-rowindex', '1');
  await page.keyboard.press('j');
  await expect(chosen).toHaveAttribute('aria-rowindex', '2');
  await page.keyboard.press('ArrowLeft');
  await expect(chosen).toHaveAttribute('aria-expanded', 'false');
  await expect(grid).toHaveAttribute('aria-rowcount', '2');
  await page.keyboard.press('ArrowRight');
  await expect(grid).not.toHaveAttribute('aria-rowcount', '2');
  await page.keyboard.press('End');
  await expect(chosen).toHaveAttribute('aria-rowindex', (await grid.getAttribute('aria-rowcount'))!);
  await page.keyboard.press('k');
  await page.keyboard.press('Enter');
  await expect(page.locator('.details')).toBeHidden();
  await page.keyboard.press('Enter');
  await expect(page.locator('.details')).toBeVisible();
});

test('a click before a name folds and unfolds', async ({ page, shop }) => {
  await page.goto(`${shop.server.url}/t/${shop.planted.slowQuery}`);
  const grid = page.getByRole('treegrid', { name: 'Spans' });
  const first = grid.locator('[aria-rowindex="1"]');
  await expect(first).toHaveAttribute('aria-expanded', 'true');
  await first.click({ position: { x: 10, y: 11 } });
  await expect(first).toHaveAttribute('aria-expanded', 'false');
  await expect(grid).toHaveAttribute('aria-rowcount', '1');
  await first.click({ position: { x: 10, y: 11 } });
  await expect(grid).not.toHaveAttribute('aria-rowcount', '1');
  await first.click({ position: { x: 60, y: 11 } });
  await expect(first).toHaveAttribute('aria-selected', 'true');
});

test('the thread alone, and along it', async ({ page, shop }) => {
  await page.goto(`${shop.server.url}/t/${shop.planted.gap}`);
  const grid = page.getByRole('treegrid', { name: 'Spans' });
  await expect(grid.locator('[aria-selected="true"]')).toHaveAttribute('aria-label', /unaccounted/);
  const all = Number(await grid.getAttribute('aria-rowcount'));
  await page.keyboard.press('t');
  await expect.poll(async () => Number(await grid.getAttribute('aria-rowcount'))).toBeLessThan(all);
  await expect(page).toHaveURL(/thread=1/);
  const before = await grid.locator('[aria-selected="true"]').getAttribute('aria-label');
  await page.keyboard.press('.');
  await expect(grid.locator('[aria-selected="true"]')).not.toHaveAttribute('aria-label', before!);
  await page.keyboard.press(',');
  await expect(grid.locator('[aria-selected="true"]')).toHaveAttribute('aria-label', before!);
});

test('repeated siblings are one row that says N+1', async ({ page, shop }) => {
  await page.goto(`${shop.server.url}/t/${shop.planted.nPlusOne}`);
  await expect(page.getByRole('row', { name: /times SELECT products.*N\+1/ })).toBeVisible();
  const rows = Number(await page.getByRole('treegrid', { name: 'Spans' }).getAttribute('aria-rowcount'));
  await page.keyboard.press('g');
  await expect.poll(async () => Number(await page.getByRole('treegrid', { name: 'Spans' }).getAttribute('aria-rowcount'))).toBeGreaterThan(rows);
});

test('names are marked with the pointer, where they are painted, and are copied whole', async ({ page, shop }) => {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto(`${shop.server.url}/t/${shop.planted.gap}?top=0`);
  const grid = page.getByRole('treegrid', { name: 'Spans' });
  const chosen = () => grid.getAttribute('aria-activedescendant');
  await expect(grid).toHaveAttribute('aria-activedescendant', /row/);
  const before = await chosen();
  // Its column has no room for all of it.
  const row = grid.getByRole('row', { name: /^oteldemo.CheckoutService.PlaceOrder, checkout/ });
  const box = (await row.locator('.operation').boundingBox())!;
  await page.mouse.move(box.x + 1, box.y + 11);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width, box.y + 11, { steps: 4 });
  await page.mouse.up();
  expect(await page.evaluate(() => getSelection()!.toString())).toBe('oteldemo.CheckoutService/PlaceOrder');
  expect(await chosen(), 'who marks text chooses nothing').toBe(before);
  // Elements end where the painted words do: both are as wide as the font makes them.
  const painted = await row.locator('.operation').evaluate((word) => {
    const [head, cut, tail] = [...word.childNodes].map((part) => part.textContent!);
    const context = document.createElement('canvas').getContext('2d')!;
    context.font = `12.5px ${getComputedStyle(document.documentElement).getPropertyValue('--font')}`;
    return { cut, width: context.measureText(`${head}\u2026${tail}`).width };
  });
  expect(painted.cut).not.toBe('');
  expect(Math.abs(box.width - painted.width)).toBeLessThan(1);
  await page.keyboard.press('Control+c');
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('oteldemo.CheckoutService/PlaceOrder');
  // A press beside the names ends it.
  await page.locator('.bars').click({ position: { x: 300, y: 11 }, force: true });
  expect(await page.evaluate(() => getSelection()!.toString())).toBe('');
  await page.keyboard.press('Home');
  await page.keyboard.press('y');
  await expect(page.getByText('name copied')).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('user checks out');
});

test('nothing that is painted is stretched', async ({ page, shop }) => {
  for (const [width, view] of [[1440, 'waterfall'], [1440, 'flame'], [1440, 'table'], [360, 'waterfall']] as const) {
    await page.setViewportSize({ width, height: 800 });
    await page.goto(`${shop.server.url}/t/${shop.planted.gap}?view=${view}`);
    const stretched = () =>
      page.evaluate(() =>
        [...document.querySelectorAll<HTMLCanvasElement>('.trace-main canvas')]
          .filter((one) => one.clientWidth > 0 && (Math.abs(one.clientWidth - one.width) > 1 || Math.abs(one.clientHeight - one.height) > 1))
          .map((one) => `${one.className}: ${one.width} x ${one.height} on ${one.clientWidth} x ${one.clientHeight}`),
      );
    await expect(page.locator('.trace-main canvas:visible').first()).toBeVisible();
    await expect.poll(stretched, `${view} at ${width}`).toEqual([]);
  }
});

test('an address with a span opens with it selected, in view and in focus', async ({ page, serve }) => {
  const server = await serve();
  const count = 5_000;
  const { traceId: trace } = await send(server.url, 'batch', { spans: count });
  await server.holds(1);
  await expect.poll(async () => (await server.ask<Columns>(`traces/${trace}`, { shape: 'skeleton' })).spans.parents.length).toBe(count);
  const { spans } = await server.ask<Columns>(`traces/${trace}`, { shape: 'skeleton' });
  const last = spans.ids.slice(-16);
  await page.goto(`${server.url}/t/${trace}?span=${last}`);
  await marked(page, 'clew:first-bars');
  await expect(page.getByText(`${count.toLocaleString('en-US')} spans`).first()).toBeVisible();
  const chosen = page.locator('[role=row][aria-selected="true"]');
  await expect(chosen).toBeInViewport();
  await expect(page.getByRole('treegrid', { name: 'Spans' })).toBeFocused();
  await expect(page.locator('.details')).toContainText(last);
  // The rows that can be read follow those that are painted, as soon as a scroll rests.
  const upmost = page.locator('[role=row]').first();
  const before = Number(await upmost.getAttribute('aria-rowindex'));
  await chosen.hover();
  await page.mouse.wheel(0, -2_200);
  await expect(upmost).toHaveAttribute('aria-rowindex', String(before - 100));
  await expect(chosen).toHaveCount(0);
  await expect(upmost).toBeInViewport();
});

test('a chain of a thousand calls, and spans that name each other as parents', async ({ page, serve }) => {
  const server = await serve();
  const { traceId: deep, spanIds } = await send(server.url, 'deep');
  const { traceId: round } = await send(server.url, 'cycle', { seed: 2 });
  await server.holds(2);
  for (const view of ['waterfall', 'flame', 'table']) {
    await page.goto(`${server.url}/t/${deep}?view=${view}&span=${spanIds[999]}`);
    await expect(page.locator('.details h2')).toContainText('level 999');
    await page.goto(`${server.url}/t/${round}?view=${view}`);
    await expect(page.getByText(/circle is cut/)).toBeVisible();
  }
});
