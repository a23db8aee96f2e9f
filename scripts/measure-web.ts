/** How fast the page is: how long it takes to load, and how long the integer kernel takes there and in Node, with the same debugger. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { nodeRuntime } from '../src/cli/node-runtime.ts';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import type { Report } from '../src/web/protocol.ts';
import { Desk } from '../src/web/worker/desk.ts';
import { launchChromium, WebPage } from '../test/support/browser.ts';
import { webContent } from './web-content.ts';

const RUNS = 3;
const KERNEL = join(PROJECT_ROOT, 'build', 'bench', 'integer.elf');
const median = (list: number[]): number => list.sort((a, b) => a - b)[list.length >> 1]!;

/** Milliseconds of the kernel in Node. */
async function inNode(): Promise<number> {
  let hear: (report: Report) => void = () => {};
  const desk = new Desk(nodeRuntime, (report) => hear(report));
  const state = (phase: 'stopped' | 'off'): Promise<void> =>
    new Promise((resolve) => {
      hear = (report) => {
        if (report.kind === 'state' && report.state.phase === phase) resolve();
      };
    });
  desk.receive({ kind: 'begin', content: webContent().machine });
  const ready = state('stopped');
  desk.receive({ kind: 'boot', program: { name: 'integer.elf', bytes: readFileSync(KERNEL) } });
  await ready;
  const begin = performance.now();
  const off = state('off');
  desk.receive({ kind: 'run' });
  await off;
  return performance.now() - begin;
}

/** Milliseconds until the page can be used, and of the kernel there. */
async function inPage(browser: Awaited<ReturnType<typeof launchChromium>>): Promise<{ load: number; kernel: number }> {
  const begin = performance.now();
  const web = await WebPage.open(browser);
  const load = performance.now() - begin;
  const buffer = readFileSync(KERNEL);
  await web.page.locator('input[type=file]').setInputFiles({ name: 'integer.elf', mimeType: '', buffer });
  await web.page.locator('label.file', { hasText: 'integer.elf' }).waitFor();
  await web.canRun();
  const from = performance.now();
  await web.run();
  await web.page.locator('.time output', { hasText: 'switched the machine off' }).waitFor({ timeout: 300_000 });
  const kernel = performance.now() - from;
  await web.page.close();
  return { load, kernel };
}

const file = join(PROJECT_ROOT, 'build', 'web', 'index.html');
console.log(`the page: ${statSync(file).size} bytes, ${gzipSync(readFileSync(file)).length} packed with gzip`);
const browser = await launchChromium();
const [loads, pages, nodes]: number[][] = [[], [], []];
for (let n = 0; n < RUNS; n++) {
  const { load, kernel } = await inPage(browser);
  loads!.push(load);
  pages!.push(kernel);
  nodes!.push(await inNode());
}
await browser.close();
const [load, page, node] = [loads!, pages!, nodes!].map(median) as [number, number, number];
console.log(`loading until a program can be run: ${Math.round(load)} ms`);
console.log(
  `integer kernel: ${Math.round(page)} ms in the page, ${Math.round(node)} ms in Node, ${(page / node).toFixed(2)} times (medians of ${RUNS})`,
);
