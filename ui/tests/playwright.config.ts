import { defineConfig } from '@playwright/test';
import type { Options } from './harness';

// One worker: budgets are measured, and two browsers on two cores would measure each other.
export default defineConfig<object, Options>({
  testDir: '.',
  outputDir: '../node_modules/.playwright',
  workers: 1,
  fullyParallel: false,
  retries: 0,
  forbidOnly: Boolean(process.env.CI),
  timeout: 45_000,
  expect: { timeout: 8_000 },
  // The list comes last, so that its "N passed" is the last line.
  reporter: [['./table.ts'], ['list']],
  use: {
    browserName: 'chromium',
    headless: true,
    viewport: { width: 1440, height: 900 },
    deviceScaleFactor: 1,
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    colorScheme: 'dark',
    actionTimeout: 8_000,
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--font-render-hinting=none'],
    },
  },
  projects: [
    // What every change must pass. Budgets are twice as generous, since other work shares the machine.
    { name: 'browser', testMatch: '*.spec.ts', use: { generosity: 2 } },
    // The budgets as they are promised, each the median of several runs.
    { name: 'bench', testMatch: 'budgets.spec.ts', use: { generosity: 1 } },
    // Every screen in both themes, to be looked at.
    { name: 'screenshots', testMatch: 'screens.shots.ts' },
  ],
});
