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

  test('a file larger than the machine gets one line, too', () =>
    withPage('', async (web) => {
      const input = web.page.locator('input[type=file]');
      // playwright passes no file of this size, so the page makes it.
      await input.evaluate((element: HTMLInputElement) => {
        const files = new DataTransfer();
        files.items.add(new File([new Uint8Array(129 * 2 ** 20)], 'huge.elf'));
        element.files = files.files;
        element.dispatchEvent(new Event('change', { bubbles: true }));
      });
      await web.page.getByRole('alert').filter({ hasText: 'huge.elf is larger than the machine (128 MiB)' }).waitFor();
      await web.page.getByRole('button', { name: 'close' }).click();
      await web.run();
      await web.console(/h1: /);
    }));

  test('a lab with an endless loop ends with its check, and its machine can be paused and left', () =>
    withPage('#lab=h3', async (web) => {
      await web.button(/Check/).click();
      await web.panel(/h3: FAILED/);
      await web.show('guest.S');
      const source = web.page.getByLabel('Source guest.S');
      await source.fill((await source.inputValue()).replace(/^guest:$/m, 'guest:\n  b guest'));
      await web.button('Assemble and run').click();
      await web.status(/running… instruction [1-9]|loop|paused/);
      await web.choose(/^hello$/);
      await web.run();
      await web.console(/Hello/);
    }));

  test('everything can be done with keys, and it shows where the focus is', () =>
    withPage('', async (web) => {
      const { page } = web;
      /** Goes on with Tab until an element has the focus whose text fits. @returns how its focus is shown */
      const tabTo = async (words: RegExp): Promise<string> => {
        for (let n = 0; n < 80; n++) {
          await page.keyboard.press('Tab');
          const [text, outline] = await page.evaluate(() => {
            const at = document.activeElement as HTMLElement;
            const shown = at.closest('label.file') ?? at;
            return [`${at.getAttribute('aria-label') ?? ''} ${at.textContent}`, getComputedStyle(shown).outlineStyle];
          });
          if (words.test(text!)) return outline!;
        }
        throw new Error(`no ${words} by Tab`);
      };
      // In the order in which a student needs them: labs, texts, machine, panels.
      for (const words of [
        /H1/,
        /H6/,
        /hello/,
        /Save the machine/,
        /main\.c/,
        /Run/,
        /Step/,
        /Check/,
        /Why/,
        /Monitor/,
      ])
        expect(await tabTo(words), `${words}`).not.toBe('none');
      await page.keyboard.press('Enter');
      await page.getByRole('tab', { name: 'Monitor', selected: true }).waitFor();
      await page.keyboard.press('s');
      await web.status(/one step · instruction 1$/);
      await page.keyboard.press('s');
      await web.status(/instruction 2$/);
      await page.keyboard.press('b');
      await web.status(/instruction 1$/);
      await page.keyboard.press('o');
      await web.status(/instruction 2$/);
      await page.keyboard.press('e');
      await page.getByRole('tab', { name: 'Why', selected: true }).waitFor();
      await page.keyboard.press('r');
      await web.status(/switched the machine off/);
      await page.keyboard.press('c');
      await web.panel(/h1: FAILED/);
    }));

  test('is all on the screen of a laptop, light and dark', () =>
    withPage('', async (web) => {
      for (const colorScheme of ['light', 'dark'] as const) {
        await web.page.emulateMedia({ colorScheme });
        const { width, height, dark } = await web.page.evaluate(() => ({
          width: document.documentElement.scrollWidth,
          height: document.documentElement.scrollHeight,
          dark: getComputedStyle(document.body).backgroundColor,
        }));
        expect([width, height]).toEqual([1366, 768]);
        expect(dark).toBe(colorScheme === 'dark' ? 'rgb(21, 25, 30)' : 'rgb(255, 255, 255)');
        for (const name of [/^▶ Run/, /Check/, '中文']) expect(await web.button(name).isVisible()).toBe(true);
      }
    }));

  test('is ready soon after it was opened', async () => {
    // The limit is generous: other tests share the processors. scripts/measure --web says what it takes.
    const begin = performance.now();
    await withPage('', async () => {});
    expect(performance.now() - begin).toBeLessThan(10_000);
  });

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

  test('assembly is written, mistakes are told by their lines, and it runs', () =>
    withPage('#lab=h1&mixed', async (web) => {
      await web.show('main.c');
      await web.page.getByText('C comes prebuilt').waitFor();
      await web.show('switch.S');
      const source = web.page.getByLabel('Source switch.S');
      const skeleton = await source.inputValue();
      await source.fill(skeleton.replace('move $t0, $a0', 'mov $t0, $a0'));
      await source.press('Control+Enter');
      const alert = web.page.getByRole('alert');
      await alert.filter({ hasText: 'there is no instruction mov' }).waitFor();
      await alert.getByRole('button').click();
      expect(await source.evaluate((a: HTMLTextAreaElement) => a.value.slice(a.selectionStart, a.selectionEnd))).toBe(
        'mov',
      );
      // The solution, copied from the page itself.
      await web.page.locator('.toolbar select').selectOption('solution');
      const solution = await web.page.getByLabel('Source switch.S').inputValue();
      await web.page.locator('.toolbar select').selectOption('mixed');
      await source.fill(solution);
      await web.button('Assemble and run').click();
      await web.status(/switched the machine off/);
      await web.console(/h1: end/);
      await web.button(/Check/).click();
      await web.panel(/h1: passed: /);
      expect(await web.button('Link to here').isDisabled()).toBe(true);
      // It is there after the page was closed, and can be given up.
      await web.page.reload();
      await web.canRun();
      await web.show('switch.S');
      expect(await source.inputValue()).toBe(solution);
      await web.button('Undo all changes').click();
      expect(await source.inputValue()).toBe(skeleton);
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

  test('without SharedArrayBuffer all works, and without relaxed SIMD too, which is said', async () => {
    const page = await browser.newPage();
    await page.addInitScript(() => {
      Reflect.deleteProperty(globalThis, 'SharedArrayBuffer');
      const { validate } = WebAssembly;
      // The only module with this instruction is the one that asks for it.
      WebAssembly.validate = (bytes) => !new Uint8Array(bytes as ArrayBuffer).includes(0x87) && validate(bytes);
    });
    await page.goto(PAGE_URL);
    const web = new WebPage(page);
    await web.canRun();
    await page.getByText('This browser has no relaxed SIMD: floating point is slower.').waitFor();
    await web.run();
    await web.console(/h1: /);
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
