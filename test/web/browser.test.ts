/** The page in a real browser, as a user has it: from a file, with a mouse and with keys. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchChromium, PAGE_URL, WebPage } from '../support/browser.ts';
import { endlessElf } from '../support/endless-elf.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
});

/** Opens the page for a test, which must leave it without errors. */
async function withPage(hash: string, use: (web: WebPage) => Promise<void>): Promise<void> {
  const web = await WebPage.open(browser, hash);
  try {
    await use(web);
    expect(web.errors).toEqual([]);
  } finally {
    await web.page.close();
  }
}

describe('the page', () => {
  test('boots hello, which prints and switches the machine off', () =>
    withPage('', async (web) => {
      await web.choose(/^hello$/);
      await web.run();
      await web.status(/has switched the machine off/);
      await web.console(/Hello/);
    }));

  test('goes over an ertn into the guest by one step, stays outside with the other, and goes back in time', () =>
    withPage('#demo=hello', async (web) => {
      await web.show('Code');
      await web.page.getByLabel('Breakpoint', { exact: false }).first().fill('_run_guest');
      await web.button('Add').click();
      await web.run();
      await web.status(/breakpoint at _run_guest/);
      const here = web.page.locator('tr.here td:last-child');
      for (let n = 0; n < 200 && (await here.textContent()) !== 'ertn'; n++) {
        const before = await web.status(/instruction/);
        await web.page.keyboard.press('s');
        await expect.poll(() => web.status(/instruction/)).not.toBe(before);
      }
      const ertn = await web.status(/^host/);
      await web.page.keyboard.press('s');
      await web.status(/^VM 1/);
      await web.show('Registers');
      await web.panel(/VM 1 ● pc 0x200000/);
      await web.page.keyboard.press('b');
      const back = await web.status(/^host/);
      expect(back.replace(/^.*·/, '')).toBe(ertn.replace(/^.*·/, ''));
      await web.page.keyboard.press('o');
      await expect.poll(() => web.status(/^host.*one step/)).not.toBe(back);
    }));

  test('explains crash', () =>
    withPage('#demo=crash', async (web) => {
      await web.run();
      await web.panel(/cause/);
      await web.panel(/VM exit from VM 1/);
    }));

  test('H1: the solution passes, the skeleton does not and gets a hint, and the slider goes back', () =>
    withPage('', async (web) => {
      await web.page.keyboard.press('c');
      await web.panel(/h1: FAILED.*hint/s);
      await web.page.locator('.toolbar select').selectOption('solution');
      await web.canRun();
      await web.button(/Check/).click();
      await web.panel(/h1: passed/);
      await web.run();
      const end = await web.status(/switched the machine off/);
      await web.console(/h1: end/);
      await web.page.getByRole('slider').fill('3000');
      await web.status(/instruction 3,000$/);
      expect(end).not.toMatch(/3,000/);
      await expect.poll(() => web.page.locator('.xterm-rows').textContent()).not.toMatch(/h1: end/);
    }));

  test('CSRs of both worlds have their fields and their last writer, and a translation shows both stages', () =>
    withPage('#lab=h1&solution&at=4000', async (web) => {
      await web.status(/instruction 4,000$/);
      await web.show('CSRs');
      await web.page.getByLabel('filter by name').fill('gstat');
      await web.page.locator('summary', { hasText: 'GSTAT' }).click();
      await web.panel(/guest status; last written at 0x\w+ <\w+.*GID/s);
      await web.show('Translation');
      await web.page.getByLabel('world').selectOption('VM 1');
      await web.page.getByLabel('address 0x').fill('0x200000');
      await web.page.locator('.panels form button').click();
      await web.panel(/stage 1.*stage 2.*0x200000 -> physical/s);
      await web.show('Events');
      await web.panel(/VM entry -> VM 1/);
    }));

  test('a broken ELF gets one line, and the page goes on', () =>
    withPage('', async (web) => {
      const input = web.page.locator('input[type=file]');
      await input.setInputFiles({ name: 'broken.elf', mimeType: '', buffer: Buffer.from('\x7fELF\x02\x01\x01') });
      await web.page.getByRole('alert').filter({ hasText: 'broken.elf' }).waitFor();
      await web.choose(/^hello$/);
      await web.run();
      await web.console(/Hello/);
    }));

  test('a program without an end leaves the page alive, and can be paused', () =>
    withPage('', async (web) => {
      const buffer = Buffer.from(endlessElf());
      await web.page.locator('input[type=file]').setInputFiles({ name: 'loop.elf', mimeType: '', buffer });
      await web.canRun();
      await web.run();
      await web.status(/running… instruction [1-9]/);
      await web.button('中文').click();
      await web.page.getByText('正在运行').waitFor();
      await web.button('English').click();
      await web.run();
      await web.status(/paused/);
    }));

  test('a machine is saved to a file, and goes on from it', () =>
    withPage('#lab=h1&solution&at=3000', async (web) => {
      await web.status(/instruction 3,000$/);
      const [snapshot] = await Promise.all([web.page.waitForEvent('download'), web.button('Save the machine').click()]);
      const [recording] = await Promise.all([web.page.waitForEvent('download'), web.button('Save the run').click()]);
      expect([snapshot, recording].map((d) => d.suggestedFilename())).toEqual([
        'h1-solution.snapshot',
        'h1-solution.recording',
      ]);
      const input = web.page.locator('input[type=file]');
      await input.setInputFiles(await snapshot.path());
      await web.status(/instruction 3,000$/);
      await web.run();
      await web.status(/switched the machine off/);
      await web.console(/h1: end/);
      await input.setInputFiles(await recording.path());
      await web.status(/instruction 0$/);
      await web.run();
      await web.status(/the end of the recording.*instruction 3,000$/);
    }));

  test('texts are there in both languages', () =>
    withPage('', async (web) => {
      await web.page.getByRole('heading', { name: 'H1: a guest of one instruction' }).waitFor();
      await web.button('中文').click();
      await web.page.locator('article h1', { hasText: /H1：|H1:/ }).waitFor();
      expect(await web.page.locator('article').textContent()).toMatch(/\p{Script=Han}/u);
    }));

  test('a browser without what is needed is told so in one sentence', async () => {
    const page = await browser.newPage();
    await page.addInitScript(() => {
      WebAssembly.validate = () => false;
    });
    await page.goto(PAGE_URL);
    await page.getByText('This browser cannot run loongscope: its WebAssembly has no tail calls.').waitFor();
    await page.close();
  });

  test('works from a static host', async () => {
    const html = readFileSync(fileURLToPath(PAGE_URL));
    const server = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end(html));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const web = await WebPage.open(browser, '', `http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      await web.run();
      await web.status(/switched the machine off|instruction [1-9]/);
      expect(web.errors).toEqual([]);
      await web.page.close();
    } finally {
      server.close();
    }
  });
});
