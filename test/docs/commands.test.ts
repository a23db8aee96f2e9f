/** Commands of the documents that a page shows with what the program says: it still says so. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { PROGRAM, PROJECT_ROOT } from '../../src/cli/paths.ts';

const page = readFileSync(join(PROJECT_ROOT, 'docs', 'troubleshooting.md'), 'utf8');
const SHOWN = [...page.matchAll(/^```\n\$ \.\/scripts\/loongscope (.*)\n([\s\S]*?)^```$/gm)].map(
  ([, command, output]) => ({ command: command!, output: output! }),
);

test('docs/troubleshooting.md shows messages', () => {
  expect(SHOWN.length).toBeGreaterThan(10);
});

test('docs/ci.md shows how the answer of loongscope test begins', async () => {
  const text = readFileSync(join(PROJECT_ROOT, 'docs', 'ci.md'), 'utf8');
  const [, command, output] = /^```\n\$ \.\/scripts\/loongscope (.*)\n([\s\S]*?)^```$/m.exec(text)!;
  const { stdout, exitCode } = await execa(process.execPath, [PROGRAM, ...command!.split(' ')], {
    cwd: PROJECT_ROOT,
    reject: false,
  });
  expect(exitCode).toBe(1);
  expect(stdout.startsWith(output!), stdout).toBe(true);
});

test.each(SHOWN)('$command', async ({ command, output }) => {
  const program = join(PROJECT_ROOT, 'src', 'cli', 'main.ts');
  const { stdout, exitCode } = await execa(
    'sh',
    ['-c', 'exec "$0" "$@" 2>&1', process.execPath, program, ...command.split(' ')],
    { cwd: PROJECT_ROOT, reject: false, stdin: 'ignore' },
  );
  expect(`${stdout.trimEnd()}\n`).toBe(output);
  if (output.startsWith('loongscope: ')) expect(exitCode).toBeGreaterThan(0);
});
