import AxeBuilder from '@axe-core/playwright';
import { expect, painted, test, THEMES } from './harness';
import { guiltySpans, screens } from './screens';

// The names are known before the server is: Playwright lists tests first.
const names = screens({ nPlusOne: '', slowQuery: '', declinedCard: '', gap: '' }, { declined: '', slow: '' }).map((one) => one.name);

for (const name of names) {
  test(`nothing serious or critical: ${name}`, async ({ page, shop, empty, guard }) => {
    // The screen of a trace that is not there asks for it.
    if (name === 'trace-unknown') guard.allow(/404/);
    const shown = screens(shop.planted, await guiltySpans(shop.server, shop.planted)).find((one) => one.name === name)!;
    await page.goto((shown.empty ? empty : shop.server).url + shown.path);
    await page.waitForLoadState('networkidle');
    const told: string[] = [];
    for (const theme of THEMES) {
      await page.emulateMedia({ colorScheme: theme });
      await painted(page);
      const { violations } = await new AxeBuilder({ page }).analyze();
      for (const { id, help, impact, nodes } of violations) {
        if (impact !== 'serious' && impact !== 'critical') continue;
        told.push(`${theme}: ${id} (${help}): ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 200)).join(' | ')}`);
      }
    }
    expect(told).toEqual([]);
  });
}
