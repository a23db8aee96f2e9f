/** A real browser for the page of the browser edition. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';

/** The page as a file. */
export const PAGE_URL = pathToFileURL(join(PROJECT_ROOT, 'build', 'web', 'index.html')).href;

/** @throws Error that says how to get one */
function findChromium(): string {
  const folders = [join(PROJECT_ROOT, '.tools', 'bin'), ...(process.env.PATH ?? '').split(delimiter)];
  const found = folders.map((folder) => join(folder, 'chromium')).find((file) => existsSync(file));
  if (found === undefined) throw new Error("no chromium, which tries the page: install Debian's package chromium");
  return found;
}

export const launchChromium = (): Promise<Browser> =>
  // Chromium's own sandbox needs another user than root, and user namespaces.
  chromium.launch({ executablePath: findChromium(), args: ['--no-sandbox', '--disable-dev-shm-usage'] });

/** What a user does on the page, and sees there. */
export class WebPage {
  readonly page: Page;
  /** What has gone wrong in the page. */
  readonly errors: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on('pageerror', (error) => this.errors.push(error.message));
  }

  static async open(browser: Browser, hash = '', url = PAGE_URL): Promise<WebPage> {
    const page = await browser.newPage({ viewport: { width: 1366, height: 768 }, locale: 'en' });
    const own = new WebPage(page);
    await page.goto(url + hash);
    await own.canRun();
    return own;
  }

  button(name: string | RegExp) {
    return this.page.getByRole('button', { name });
  }

  /** Waits until the machine can be run. */
  async canRun(): Promise<void> {
    await this.page.locator('button.primary:enabled', { hasText: 'Run' }).waitFor();
  }

  /** Chooses a program in the list. */
  async choose(name: RegExp): Promise<void> {
    await this.page.getByRole('navigation').getByRole('button', { name }).click();
    await this.canRun();
  }

  async run(): Promise<void> {
    await this.page.locator('button.primary').click();
  }

  /** Waits until the line about the machine has these words. @returns the line */
  async status(words: RegExp): Promise<string> {
    const line = this.page.locator('.time output', { hasText: words });
    await line.waitFor();
    return (await line.textContent())!;
  }

  async show(tab: string): Promise<void> {
    await this.page.getByRole('tab', { name: tab, exact: true }).click();
  }

  /** The text of what is shown below the console. */
  panel(words: RegExp): Promise<void> {
    return this.page.locator('.panels .scroll', { hasText: words }).waitFor();
  }

  /** What the console shows. */
  async console(words: RegExp): Promise<void> {
    await this.page.locator('.xterm-rows', { hasText: words }).waitFor();
  }
}
