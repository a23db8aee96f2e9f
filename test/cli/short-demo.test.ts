/** The tour without gdb, the places a gdb comes from, and how a gdb of this program finds its machine. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { addressOption, openDebugFolder } from '../../src/cli/debug-folder.ts';
import { gdbSourceLines, gdbSourceOf } from '../../src/cli/gdb-sources.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { runShortTour } from '../../src/cli/short-demo.ts';
import { SHORT_TOUR, SHORT_TOUR_SCREEN } from '../../src/cli/short-tour.ts';

test('the tour without gdb: every step shows what it should, by the packets of gdb', async () => {
  const steps: string[] = [];
  const screen = await runShortTour((step, lines) => {
    const text = lines.join('\n');
    steps.push(text);
    for (const e of step.expect) expect(text, step.title).toMatch(e);
  });
  expect(steps).toHaveLength(SHORT_TOUR.length);
  expect(steps[0]).toMatch(/^break _guest_entry +Z0,[0-9a-f]{16},4 {2}-> {2}OK\ncontinue +vCont;c {2}-> {2}T05$/m);
  expect(steps[1]).toMatch(/^stepi +vCont;s:p1\.1 {2}-> {2}T05$/m);
  for (const line of SHORT_TOUR_SCREEN)
    expect(
      screen.some((l) => line.test(l)),
      `${line}`,
    ).toBe(true);
});

describe('where a gdb comes from', () => {
  test.each([
    [
      'debian',
      /^apt-get install gdb-multiarch \(Debian 13.*; \.\/scripts\/demo in a checkout .*\(Debian 12, Ubuntu 24\.04\)$/,
    ],
    ['arch', /AUR/],
    ['darwin', /^brew install gdb$/],
    ['win32', /^pacman -S /],
    ['fedora', /--target=loongarch64-unknown-elf/],
    ['nixos', /--target=loongarch64-unknown-elf/],
  ])('%s', (system, words) => {
    expect(gdbSourceOf(system)).toMatch(words);
  });

  test('docs/troubleshooting.md has every system, in both languages', () => {
    for (const page of ['docs/troubleshooting.md', 'docs/zh-CN/troubleshooting.md']) {
      const text = readFileSync(join(PROJECT_ROOT, page), 'utf8');
      expect(text, page).toContain(`\`\`\`\n${gdbSourceLines().join('\n')}\n\`\`\``);
    }
  });
});

test('a gdb of this program has a socket that only its user can reach', () => {
  const folder = openDebugFolder();
  const { address } = folder;
  if (!('path' in address)) throw new Error('this system has sockets');
  expect(dirname(address.path)).toBe(folder.path);
  expect(statSync(folder.path).mode & 0o777).toBe(0o700);
  expect(addressOption(address)).toBe(`unix:${address.path}`);
  expect(addressOption({ host: '127.0.0.1', port: 0 })).toBe('127.0.0.1:0');
  folder.remove();
  expect(existsSync(folder.path)).toBe(false);
});

test('where a process cannot become another one, a child takes its place', async () => {
  const code = `import { startAgain } from './src/cli/sandbox.ts'; startAgain(['-e', 'console.log(1); process.exit(7)'], false)`;
  const { stdout, exitCode } = await execa(process.execPath, ['--input-type=module', '-e', code], {
    cwd: PROJECT_ROOT,
    reject: false,
  });
  expect([stdout, exitCode]).toEqual(['1', 7]);
});
