/**
 * Writes the pages of the labs again with fresh output: `npm run record-labs`. A page is its own source. Blocks whose lines begin
 * with `(gdb) ` are one session on the lab's solution; a block that begins with `$ loongscope ` is a command of the shell. The text
 * between stays. A page in another language shows what the English one shows.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { builtImage } from '../src/cli/labs/folder.ts';
import { debugged } from '../src/cli/labs/lab.ts';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { start } from '../src/cli/run.ts';
import { LABS } from '../src/labs/catalog.ts';
import type { Lab } from '../src/labs/lab.ts';
import { session } from './recorded-page.ts';

const BLOCK = /^```\n([\s\S]*?)\n```$/gm;
const GDB = '(gdb) ';
const SHELL = '$ loongscope ';

/** Pages with output, as paths in the project; each has a twin in Chinese. */
export const RECORDED_PAGES = [
  ...LABS.map((lab) => `labs/${lab.name}/README.md`),
  'labs/README.md',
  'labs/teachers.md',
];
export const chineseOf = (page: string): string => page.replace('.md', '.zh-CN.md');
export const pageText = (page: string): string => readFileSync(join(PROJECT_ROOT, page), 'utf8');

const blocksOf = (text: string): string[] => [...text.matchAll(BLOCK)].map((m) => m[1]!);
const commandsIn = (block: string): string[] =>
  block
    .split('\n')
    .filter((line) => line.startsWith(GDB))
    .map((line) => line.slice(GDB.length));

async function gdbOutputs(lab: Lab, blocks: readonly string[]): Promise<string[]> {
  if (blocks.length === 0) return [];
  const image = builtImage(lab, true);
  const cli = { ...debugged(lab), serial: { kind: 'null' as const }, quiet: true, gdb: { host: '127.0.0.1', port: 0 } };
  const running = await start(image, cli, () => {});
  return session(running, [`file build/labs/${lab.name}-solution.elf`], blocks.map(commandsIn));
}

async function shellOutput(block: string): Promise<string> {
  const [command] = block.split('\n');
  const program = join(PROJECT_ROOT, 'src', 'cli', 'main.ts');
  // The shell's own quotes and pipes work as a reader would type them.
  const line = command!.slice('$ '.length).replace(/^loongscope /, '"$NODE" "$PROGRAM" ');
  const { stdout } = await execa('sh', ['-c', `{ ${line}; } 2>&1`], {
    ...{ cwd: PROJECT_ROOT, reject: false, stdin: 'ignore' },
    env: { NODE: process.execPath, PROGRAM: program },
  });
  return `${command}\n${stdout.trimEnd()}`;
}

/** A page's blocks with fresh output, in their order. */
export async function recordedBlocks(page: string): Promise<string[]> {
  const blocks = blocksOf(pageText(page));
  const lab = LABS.find((l) => page === `labs/${l.name}/README.md`);
  const sessions = lab
    ? await gdbOutputs(
        lab,
        blocks.filter((b) => b.startsWith(GDB)),
      )
    : [];
  const fresh: string[] = [];
  for (const block of blocks) {
    if (block.startsWith(GDB)) fresh.push(sessions.shift()!.trimEnd());
    else fresh.push(block.startsWith(SHELL) ? await shellOutput(block) : block);
  }
  return fresh;
}

/** A text with other blocks. @throws Error when it has not as many */
export function withBlocks(text: string, blocks: readonly string[]): string {
  const left = [...blocks];
  if (blocksOf(text).length !== left.length) throw new Error('the twins have not the same number of blocks');
  return text.replace(BLOCK, () => `\`\`\`\n${left.shift()!}\n\`\`\``);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const page of RECORDED_PAGES) {
    const blocks = await recordedBlocks(page);
    for (const twin of [page, chineseOf(page)])
      writeFileSync(join(PROJECT_ROOT, twin), withBlocks(pageText(twin), blocks));
  }
