/** What CI systems run: the workflow, the action for authors of hypervisors, the Dockerfile. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';

const textOf = (file: string): string => readFileSync(join(PROJECT_ROOT, file), 'utf8');
const WORKFLOW = textOf('.github/workflows/ci.yml');
const ACTION = textOf('.github/actions/test-hypervisor/action.yml');
const DOCKERFILE = textOf('Dockerfile');

test('scripts and npm scripts that they name are there', () => {
  const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
  const all = WORKFLOW + DOCKERFILE;
  const named = [...all.matchAll(/\.\/(scripts\/[\w-]+)/g)].map((m) => m[1]!);
  expect(named).toEqual(expect.arrayContaining(['scripts/check', 'scripts/test', 'scripts/pack']));
  for (const file of named) expect(existsSync(join(PROJECT_ROOT, file)), file).toBe(true);
  for (const [, name] of all.matchAll(/npm run ([\w:]+)/g)) expect(scripts).toHaveProperty(name!);
});

test('the workflow: lint, fast tests on three systems, all tests on Linux, with no right to write', () => {
  expect(WORKFLOW).toMatch(/^permissions:\n {2}contents: read$/m);
  expect(WORKFLOW).toMatch(/system: \[ubuntu-[\d.]+, macos-\d+, windows-\d+\]/);
  for (const line of WORKFLOW.match(/npm install.*/g)!) expect(line).toContain('--ignore-scripts');
});

test('the Dockerfile takes images and packages of Debian alone', () => {
  expect([...DOCKERFILE.matchAll(/^FROM (\S+)/gm)].map((m) => m[1])).toEqual(['debian:13', 'debian:13']);
  expect(DOCKERFILE).not.toMatch(/curl|wget|ADD |https?:/);
  expect(DOCKERFILE).toMatch(/^USER user$/m);
});

describe('the action', () => {
  const script = /run: \|\n((?: {8}.*\n)+)/.exec(ACTION)![1]!.replace(/^ {8}/gm, '');

  test('has no text of a workflow inside its scripts, where it would be executed', () => {
    expect(script).toContain('loongscope test');
    expect(script).not.toContain('$' + '{{');
  });

  test('passes inputs on as arguments, keeps the results, and ends with the exit code', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'loongscope-action-'));
    try {
      const fake = join(folder, 'loongscope');
      writeFileSync(fake, '#!/bin/bash\nprintf "%s\\n" "$@"\nexit 1\n');
      chmodSync(fake, 0o755);
      for (const name of ['a.elf', 'b.elf']) writeFileSync(join(folder, name), '');
      const { exitCode, stdout } = await execa('bash', ['-eo', 'pipefail', '-c', script], {
        cwd: folder,
        reject: false,
        env: {
          PATH: `${folder}:${process.env.PATH}`,
          ...{
            IMAGES: '*.elf',
            EXPECT: 'all guests; $(touch x)',
            FORBID: '',
            TIMEOUT: '9',
            OPTIONS: '--smp 2 --cpu *',
          },
        },
      });
      expect(exitCode).toBe(1);
      expect(stdout.split('\n')).toEqual([
        ...[
          'test',
          '--expect',
          'all guests; $(touch x)',
          '--timeout',
          '9',
          '--junit',
          'loongscope-results/results.xml',
        ],
        ...['--keep', 'loongscope-results', 'a.elf', 'b.elf', '--', '--smp', '2', '--cpu', '*'],
      ]);
      expect(readFileSync(join(folder, 'loongscope-results', 'results.tap'), 'utf8')).toBe(`${stdout}\n`);
      expect(existsSync(join(folder, 'x'))).toBe(false);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
