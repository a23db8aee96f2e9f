/** Every block of every page is what it seems: a command that exists, with the output that it has; a session; code; or words of the program. */
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, matchesGlob } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { PROGRAM, PROJECT_ROOT } from '../../src/cli/paths.ts';
import { wrongCommand, wrongGdbCommand, wrongOption } from './grammar.ts';
import {
  type Block,
  blocksOf,
  gdbCommands,
  inlineCommands,
  inlineOptions,
  PAGES,
  programsIn,
  type Shown,
  shownIn,
} from './shown.ts';

/** Pages that a test records again and compares. */
const RECORDED: readonly (readonly [page: string, test: string])[] = [
  ['docs/tour.md', 'test/gdb/tour-page.test.ts'],
  ['docs/gdb.md', 'test/gdb/gdb-page.test.ts'],
  ['docs/your-hypervisor.md', 'test/docs/your-hypervisor.test.ts'],
  ['docs/tutorial/sync-exception.md', 'test/gdb/tutorial.test.ts'],
  ['docs/troubleshooting.md', 'test/docs/commands.test.ts'],
  ['docs/library.md', 'test/cli/package.test.ts'],
  ['labs/**', 'test/labs/pages.test.ts'],
];

/** Output without a command above it, and the file whose words it has. */
const OUTPUT: readonly (readonly [page: string, words: string, source: string])[] = [
  ['docs/board.md', 'tlbfill at ', 'src/hv/audit/worldswitch.ts'],
  ['docs/board.md', 'CRMD.DA and CRMD.PG are both 1', 'test/cli/cli.test.ts'],
  ['docs/cli.md', 'bytes of WebAssembly: ', 'test/cli/dump-region.test.ts'],
  ['docs/descriptors.md', 'because there is no debug information with', 'test/hv/awareness.test.ts'],
  ['docs/descriptors.md', 'no CSR register: write a name', 'test/hv/awareness.test.ts'],
  ['docs/descriptors.md', 'which is no symbol of the image', 'src/hv/awareness/recognition.ts'],
  ['docs/linux.md', 'with the code cache', 'scripts/linux-speed.ts'],
  ['docs/lvz.md', 'no mismatch, and the same state twice', 'scripts/soak.ts'],
  ['docs/lvz.md', 'million system calls/s', 'scripts/measure.ts'],
  ['docs/performance.md', 'a watchpoint in the page of the loop’s data', 'scripts/measure-debugger.ts'],
  ['docs/recordings.md', 'a recording takes ', 'scripts/measure-recording.ts'],
  ['docs/security.md', 'indirect table of 4 GiB whose empty descriptor links to itself', 'test/support/hostile.ts'],
  ['docs/web.md', 'loading until a program can be run: ', 'scripts/measure-web.ts'],
];

/** Blocks that are neither commands nor output. */
const CODE = new Set(['diff', 'json', 'yaml', 'lua', 'lisp', 'js', 'ts', 'python', 'c', 'gdb']);

const blocks = PAGES.flatMap(blocksOf);
const at = ({ page, line }: Block): string => `${page}:${line}`;
const recordedBy = (page: string): string | undefined => RECORDED.find(([glob]) => matchesGlob(page, glob))?.[1];

/** What a block is; undefined: nobody knows. */
function kindOf(block: Block): string | undefined {
  if (CODE.has(block.language)) return 'code';
  if (shownIn(block).length > 0) return 'commands';
  if (gdbCommands(block).length > 0) return 'gdb';
  if (recordedBy(block.page) !== undefined) return 'recorded';
  const text = block.lines.join('\n');
  return OUTPUT.some(([page, words]) => page === block.page && text.includes(words)) ? 'output' : undefined;
}

test('every block is known', () => {
  expect(blocks.filter((block) => kindOf(block) === undefined).map((b) => `${at(b)}: ${b.lines[0]}`)).toEqual([]);
});

test.each(RECORDED)('%s is recorded by %s', (_, file) => {
  expect(existsSync(join(PROJECT_ROOT, file))).toBe(true);
});

test.each(OUTPUT)('%s: %s are words of %s', (page, words, source) => {
  expect(blocks.some((block) => block.page === page && block.lines.join('\n').includes(words))).toBe(true);
  expect(readFileSync(join(PROJECT_ROOT, source), 'utf8').includes(words)).toBe(true);
});

describe.each(PAGES)('%s', (page) => {
  test('its commands exist, with their options and files', () => {
    const wrong = blocksOf(page).flatMap((block) => [
      // A mistake on purpose is followed by its message.
      ...shownIn(block).flatMap(({ text, output }) =>
        output[0]?.startsWith('loongscope: ')
          ? []
          : programsIn(text).flatMap((w) => wrongCommand(w).map((why) => `${at(block)}: ${text}: ${why}`)),
      ),
      ...gdbCommands(block).flatMap((text) => wrongGdbCommand(text).map((why) => `${at(block)}: ${why}`)),
    ]);
    const inline = inlineCommands(page).flatMap((text) =>
      programsIn(text).flatMap((words) => wrongCommand(words).map((why) => `${page}: ${text}: ${why}`)),
    );
    const options = inlineOptions(page).flatMap(wrongOption);
    expect([...wrong, ...inline, ...options]).toEqual([]);
  });
});

/** Commands that run longer than a test may, or that need what the page does not make, and why. */
const LONG: readonly (readonly [words: RegExp, why: string])[] = [
  [/gdb-multiarch/, 'waits for its user'],
  [/--gdb|--wait| debug | web\b/, 'waits for a debugger'],
  [/\.tools\/|vmlinuz/, 'boots Linux'],
  [/--queue|^redis-/, 'needs a server and other computers'],
  [/[…[]| (?:FILE|IMAGE|MOMENT)\b/, 'has a placeholder'],
];
/** Programs that are here and are done soon. Other scripts prepare, build or boot, and other programs are perhaps not installed. */
const SHORT = /^(?:(?:\.\/scripts\/)?loongscope|\.\/scripts\/conformance|cat|ls|echo)$/;
const isLong = (text: string): boolean =>
  LONG.some(([words]) => words.test(text)) || programsIn(text).some(([program]) => !SHORT.test(program!));

const folder = mkdtempSync(join(tmpdir(), 'loongscope-page-'));
for (const name of ['build', 'examples', 'labs', 'guests', 'README.md', 'package.json'])
  symlinkSync(join(PROJECT_ROOT, name), join(folder, name));
afterAll(() => rmSync(folder, { recursive: true }));

/** Files without a folder that a command names: they must be there, or it cannot run. */
const ownFiles = (text: string): string[] =>
  programsIn(text)
    .flat()
    .flatMap((word, n, all) =>
      /^--(?:record|junit|output)$/.test(all[n - 1] ?? '')
        ? []
        : (/^[\w.-]+\.(?:elf|recording|img|bin|machine|json)\b/.exec(word) ?? []),
    );

const numbersOut = (line: string): string =>
  line
    .trimEnd()
    .replace(/0x[0-9a-f]+|\d+(?:[.:]\d+)*/g, '#')
    .replace(/ +/g, ' ');
const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** Shown lines that the output has not, in their order. */
function unseen(shown: readonly string[], output: string): string[] {
  const lines = output.replaceAll('\r', '').split('\n').map(numbersOut);
  let from = 0;
  return shown.filter((line) => {
    if (/^\s*…?$/.test(line)) return false;
    const pattern = new RegExp(`^${escaped(numbersOut(line)).replaceAll('…', '.*')}$`);
    const found = lines.findIndex((l, n) => n >= from && pattern.test(l));
    if (found >= 0) from = found + 1;
    return found < 0;
  });
}

const byPage = new Map<string, Shown[]>();
for (const block of blocks)
  if (recordedBy(block.page) === undefined)
    for (const shown of shownIn(block))
      if (!isLong(shown.text)) byPage.set(block.page, [...(byPage.get(block.page) ?? []), shown]);

test.each([...byPage])('%s shows what its commands say', { timeout: 120_000 }, async (_, all) => {
  for (const { block, text, output } of all) {
    if (ownFiles(text).some((file) => !existsSync(join(folder, file)))) continue;
    const command = text
      .replace(/^(?:\.\/scripts\/)?loongscope\b/, '"$0" "$1"')
      .replace(/^\.\/scripts/, '"$2"/scripts');
    const { stdout, exitCode } = await execa(
      'sh',
      ['-c', `exec 2>&1; ${command}`, process.execPath, PROGRAM, PROJECT_ROOT],
      {
        cwd: folder,
        reject: false,
        stdin: 'ignore',
      },
    );
    expect(unseen(output, stdout), `${at(block)}: ${text}\n${stdout}`).toEqual([]);
    if (output.length === 0) expect(exitCode, `${at(block)}: ${text}\n${stdout}`).toBe(0);
  }
});
