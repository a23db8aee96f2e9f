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

  test('no package runs a script when it is installed', async () => {
    const { packages } = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { hasInstallScript?: boolean; integrity?: string; license?: string }>;
    };
    const { '': _own, ...others } = packages;
    const wrong = (what: (p: (typeof others)[string]) => boolean): string[] =>
      Object.keys(others).filter((name) => what(others[name]!));
    expect(wrong((p) => p.hasInstallScript === true)).toEqual([]);
    expect(wrong((p) => !p.integrity?.startsWith('sha512-'))).toEqual([]);
    expect(wrong((p) => !p.license)).toEqual([]);
    expect(readFileSync(join(PROJECT_ROOT, '.npmrc'), 'utf8')).toMatch(/^ignore-scripts=true$/m);
    const { stdout } = await execa(
      'git',
      ['grep', '-nE', 'npm (install|ci|i|add|rebuild|exec)\\b|npx ', '--', 'scripts', '.ci'],
      {
        cwd: PROJECT_ROOT,
        reject: false,
      },
    );
    const calls = stdout.split('\n').filter((line) => !/:\s*#/.test(line) && !/^[^:]+:\d+:\s*\*/.test(line));
    expect(calls.length).toBeGreaterThan(0);
    expect(calls.filter((line) => !line.includes('--ignore-scripts'))).toEqual([]);
  });

  test('nothing is taken from Debian that is not signed', async () => {
    const { stdout } = await execa(
      'git',
      [
        'grep',
        '-niE',
        'allow-?(unauthenticated|insecure|weak|downgrade)|trusted[=:]|no-check-gpg|check-(valid-until|date)|force-yes|no-check-certificate|curl +.*(-k|--insecure)',
        '--',
        'scripts',
        '.ci',
      ],
      { cwd: PROJECT_ROOT, reject: false },
    );
    expect(stdout).toBe('');
    const prepare = readFileSync(join(PROJECT_ROOT, 'scripts', 'lib', 'prepare.sh'), 'utf8');
    const sources = [...prepare.matchAll(/echo "deb ([^"]*)"/g)].map((m) => m[1]!);
    expect(sources.length).toBeGreaterThan(0);
    expect(sources.filter((s) => !s.startsWith('[signed-by='))).toEqual([]);
  });
});
