/** Assembly of labs that is written in the page: assembled there, linked with the prebuilt C, judged like any other. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { LABS } from '../../src/labs/catalog.ts';
import type { AssembledLab, Report } from '../../src/web/protocol.ts';
import { Page } from '../support/desk-page.ts';

const text = (...path: string[]): string => readFileSync(join(PROJECT_ROOT, 'labs', ...path), 'utf8');

/** A lab with its own assembly: that of its solution where there is one. */
function lab(name: string, solution: boolean, change: (text: string, file: string) => string = (t) => t): AssembledLab {
  const { files } = LABS.find((l) => l.name === name)!;
  const sourceOf = (file: string): string => {
    try {
      if (solution) return text(name, 'solution', file);
    } catch {
      // The solution takes it as it is.
    }
    return text(name, file);
  };
  const sources = files
    .filter((f) => f.endsWith('.S'))
    .map((file) => ({ name: file, text: change(sourceOf(file), file) }));
  return { lab: name, solution, sources };
}

async function judged(program: AssembledLab): Promise<Extract<Report, { kind: 'verdict' }>> {
  const page = new Page();
  const verdict = page.next('verdict');
  page.ask({ kind: 'check', lab: program.lab, program });
  return verdict;
}

describe('each lab', () => {
  test.each(LABS.map((l) => l.name))(
    '%s: its assembly, assembled in the page, passes with the C of the solution',
    async (name) => {
      const { verdict, lines } = await judged(lab(name, true));
      expect(verdict.passed, lines.join('\n')).toBe(true);
      expect(lines[0]).toMatch(new RegExp(`^${name}: passed: `));
    },
  );

  test.each(LABS.map((l) => l.name))('%s: the skeleton fails as the prebuilt one does', async (name) => {
    const prebuilt = new Page();
    const expected = prebuilt.next('verdict');
    prebuilt.ask({ kind: 'check', lab: name, program: { key: name } });
    const { verdict } = await judged(lab(name, false));
    // When a loop is noticed depends on the time.
    const { instructions: _i, entries: _e, ...wanted } = (await expected).verdict;
    expect(verdict).toMatchObject(wanted);
  });
});

test('a mistake in the assembly gets the hint that it has in the terminal', async () => {
  const forgets = lab('h1', true, (t) => t.replace(/^.*csrwr +\$t0, CSR_PGDL.*$/m, ''));
  const { verdict } = await judged(forgets);
  expect(verdict.passed).toBe(false);
  expect(verdict.hint?.text).toMatch(/PGDL/);
});

test('what is changed shows in the program', async () => {
  const page = new Page();
  const program = lab('h2', true, (t, file) => (file === 'guest.S' ? t.replace("'Z'", "'Q'") : t));
  await page.state({ kind: 'boot', program });
  await page.state({ kind: 'run' });
  expect(page.console).toMatch(/Q/);
  expect(page.reports.findLast((r) => r.kind === 'mistakes')).toEqual({ kind: 'mistakes', mistakes: [] });
});

test.each([
  ['nonsense', (t: string) => t.replace(/^ {2}ertn$/m, '  retn'), { text: /there is no instruction retn/ }],
  [
    'a symbol that nobody has',
    (t: string) => `${t}\n  bl nobody\n`,
    { text: /nobody is used here, and no file defines it/ },
  ],
])('%s is told with its line, and the machine before it stays', async (_, change, { text: expected }) => {
  const page = new Page();
  await page.boot('h1-solution');
  const told = page.next('mistakes');
  page.ask({ kind: 'boot', program: lab('h1', true, (t, file) => (file === 'switch.S' ? change(t) : t)) });
  const { mistakes } = await told;
  expect(mistakes).toHaveLength(1);
  expect(mistakes[0]).toMatchObject({ file: 'switch.S', text: expect.stringMatching(expected) });
  expect(mistakes[0]!.line).toBeGreaterThan(40);
  expect((await page.state({ kind: 'step' })).at).toBe(1);
});
