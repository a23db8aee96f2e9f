/** The house rules that a machine can check: imports point one way, and the table's documents are current. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { PAGES } from '../scripts/generate-docs.ts';
import { PROJECT_ROOT } from '../src/cli/paths.ts';

/** Folders that each floor may not import from. */
const FORBIDDEN: readonly (readonly [from: string, to: RegExp])[] = [
  ['src/emu', /\/(gdbstub|hv|cli)\//],
  ['src/gdbstub', /\/cli\//],
  ['src/hv', /\/(gdbstub|cli)\//],
  ['src/emu', /^node:/],
];

describe('architecture', () => {
  test('imports point one way', async () => {
    const { stdout } = await execa('git', ['ls-files', '-co', '--exclude-standard', 'src/**/*.ts'], {
      cwd: PROJECT_ROOT,
    });
    const wrong: string[] = [];
    for (const file of stdout.split('\n')) {
      const text = readFileSync(join(PROJECT_ROOT, file), 'utf8');
      for (const m of text.matchAll(/from '([^']+)'/g))
        for (const [from, to] of FORBIDDEN)
          if (file.startsWith(`${from}/`) && to.test(m[1]!)) wrong.push(`${file}: ${m[1]}`);
    }
    expect(wrong).toEqual([]);
  });

  test('generated documents are current', () => {
    for (const [name, page] of Object.entries(PAGES))
      expect(
        readFileSync(join(PROJECT_ROOT, 'docs', name), 'utf8'),
        `docs/${name}: run node scripts/generate-docs.ts`,
      ).toBe(page());
  });

  test('no host name of a registry and no path of one machine', async () => {
    const { stdout } = await execa(
      'git',
      ['grep', '-nIE', 'registry\\.npmjs|deb\\.debian\\.org|/home/[a-z]+/', '--', '.', ':!test/architecture.test.ts'],
      { cwd: PROJECT_ROOT, reject: false },
    );
    expect(stdout).toBe('');
  });
});
