/** Takes the pictures of docs/web.md in chromium: scripts/record-web. */
import { join } from 'node:path';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { launchChromium, WebPage } from '../test/support/browser.ts';

const picture = (name: string): string => join(PROJECT_ROOT, 'docs', 'images', `${name}.png`);
const browser = await launchChromium();

const lab = await WebPage.open(browser);
await lab.page.keyboard.press('c');
await lab.panel(/h1: FAILED/);
await lab.page.screenshot({ path: picture('web-check') });
await lab.page.close();

const crash = await WebPage.open(browser, '#demo=crash');
await crash.page.emulateMedia({ colorScheme: 'dark' });
await crash.run();
await crash.panel(/VM exit from VM 1/);
await crash.page.screenshot({ path: picture('web-crash') });
await crash.page.close();

const csrs = await WebPage.open(browser, '#lab=h1&solution&at=4000');
await csrs.status(/instruction 4,000$/);
await csrs.show('CSRs');
await csrs.page.getByLabel('filter by name').fill('g');
await csrs.page.locator('summary', { hasText: 'GSTAT' }).click();
await csrs.panel(/GIDBIT/);
await csrs.page.screenshot({ path: picture('web-csrs') });
await csrs.page.close();

const assembly = await WebPage.open(browser, '#lab=h1&mixed');
await assembly.show('switch.S');
const source = assembly.page.getByLabel('Source switch.S');
await source.fill((await source.inputValue()).replace('csrwr $t0, CSR_SAVE1', 'csrwr $t0, CSR_SAVE'));
await assembly.button('Assemble and run').click();
await assembly.page.getByRole('alert').getByRole('button').click();
await assembly.page.screenshot({ path: picture('web-assembly') });
await assembly.page.close();
const chinese = await WebPage.open(browser, '#lab=h2');
await chinese.button('中文').click();
await chinese.page.getByRole('button', { name: /检查/ }).click();
await chinese.page.locator('.hint').waitFor();
await chinese.page.screenshot({ path: picture('web-chinese') });
await browser.close();
