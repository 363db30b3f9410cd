import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { painted, test, THEMES } from './harness';
import { guiltySpans, screens } from './screens';

const folder = process.env.CLEW_SCREENSHOTS ?? '';
test.skip(!folder, 'npm run screenshots -- FOLDER says where the pictures go');

const SIZES = [
  { suffix: '', width: 1440, height: 900 },
  { suffix: '-phone', width: 360, height: 740 },
];

for (const theme of THEMES) {
  for (const { suffix, width, height } of SIZES) {
    test(`every screen, ${theme}, ${width} px`, async ({ browser, shop, empty }) => {
      test.setTimeout(240_000);
      mkdirSync(folder, { recursive: true });
      const page = await browser.newPage({ colorScheme: theme, viewport: { width, height } });
      for (const shown of screens(shop.planted, await guiltySpans(shop.server, shop.planted))) {
        await page.goto((shown.empty ? empty : shop.server).url + shown.path);
        await page.waitForLoadState('networkidle');
        await painted(page);
        await page.screenshot({ path: join(folder, `${shown.name}-${theme}${suffix}.png`) });
      }
      await page.close();
    });
  }
}
