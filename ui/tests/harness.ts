import { test as base, expect } from '@playwright/test';
import type { Page } from '@playwright/test';
import { Server } from './server';
import type { Planted } from './server';

/** What a project sets. */
export interface Options {
  /** How many times a budget may be exceeded. */
  generosity: number;
}

/** Watches that a page behaves: no error, nothing forbidden, nobody else asked. */
export class Guard {
  readonly faults: string[] = [];
  private readonly allowed: RegExp[] = [];

  /** Says that a fault of this kind belongs to the test. */
  allow(fault: RegExp): void {
    this.allowed.push(fault);
  }

  /** Watches another page of the same test. */
  watch(page: Page): void {
    // A refusal by the content security policy is an error on the console, as is an asset that is missing.
    page.on('console', (message) => message.type() === 'error' && this.note(`console: ${message.text()} (${message.location().url})`));
    page.on('pageerror', (error) => this.note(`thrown: ${error.stack ?? error.message}`));
    page.on('request', (request) => {
      const url = new URL(request.url());
      const isOwn = ['data:', 'blob:', 'file:'].includes(url.protocol) || url.hostname === '127.0.0.1';
      if (!isOwn) this.note(`another host is asked: ${request.url()}`);
    });
    page.on('dialog', (dialog) => {
      this.note(`a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
  }

  private note(fault: string): void {
    if (!this.allowed.some((one) => one.test(fault))) this.faults.push(fault);
  }
}

interface WorkerFixtures {
  /** A server with the shop in it, for all tests that change nothing. */
  shop: { server: Server; planted: Planted };
  /** A server that holds nothing, for tests that leave it so. */
  empty: Server;
  /** Starts servers that end with the test run. */
  serve: (...options: string[]) => Promise<Server>;
}

interface TestFixtures {
  guard: Guard;
}

/** The tests' `test`: with servers, and with a guard over every page. */
export const test = base.extend<TestFixtures, WorkerFixtures & Options>({
  generosity: [1, { option: true, scope: 'worker' }],
  serve: [
    async ({}, use) => {
      const servers: Server[] = [];
      await use(async (...options) => {
        const server = await Server.start(...options);
        servers.push(server);
        return server;
      });
      for (const server of servers) await server.stop();
    },
    { scope: 'worker' },
  ],
  shop: [
    async ({ serve }, use) => {
      const server = await serve();
      await use({ server, planted: await server.demo() });
    },
    { scope: 'worker' },
  ],
  empty: [async ({ serve }, use) => use(await serve()), { scope: 'worker' }],
  guard: [
    async ({ page }, use) => {
      const guard = new Guard();
      guard.watch(page);
      await use(guard);
      expect(guard.faults, 'what the page must not do').toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** Both themes, as the system asks for them. */
export const THEMES = ['dark', 'light'] as const;

/** The figures of `performance.mark`, in milliseconds from the navigation; waits until it is set. */
export async function marked(page: Page, name: string, timeout = 20_000): Promise<number> {
  const handle = await page.waitForFunction((mark) => performance.getEntriesByName(mark).at(-1)?.startTime, name, { timeout, polling: 20 });
  return (await handle.jsonValue()) as number;
}

/** Waits until the page has painted what it knows. */
export async function painted(page: Page): Promise<void> {
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** The pixels of all canvases on the page, as one text to compare. */
export async function pixels(page: Page): Promise<string[]> {
  return page.evaluate(() => [...document.querySelectorAll('canvas')].filter((one) => one.width > 0).map((one) => `${one.width}x${one.height} ${one.toDataURL()}`));
}
