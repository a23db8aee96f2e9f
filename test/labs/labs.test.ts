/** The labs: skeletons fail with a hint that helps, solutions pass, and each known mistake leads to the step that is missing. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { skeletonFolder, skeletonSources, skeletonTexts, solutionSources } from '../../src/cli/labs/folder.ts';
import { checkLab } from '../../src/cli/labs/lab.ts';
import { lookForRust } from '../../src/cli/labs/rustc.ts';
import { TARGET_FLAGS } from '../../src/cli/labs/toolchain.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { LABS, labNamed } from '../../src/labs/catalog.ts';
import { untouchedHoles } from '../../src/labs/holes.ts';
import { stepName } from '../../src/labs/judge.ts';
import type { Lab } from '../../src/labs/lab.ts';
import { inLanguage } from '../../src/labs/language.ts';
import { resultLines } from '../../src/labs/report.ts';
import { checkEdited, checked, solutionOf } from './edited.ts';
import { STUDENT_MISTAKES } from './mistakes.ts';
import { RUST_MISTAKES } from './rust-mistakes.ts';

const haveRust = !('missing' in (await lookForRust()));
const IN_RUST = LABS.map((lab) => inLanguage(lab, 'Rust'));

/** A hole, and what stands behind it so that the skeleton compiles: unused names, a value to return. */
const HOLE = /\/\* HOLE \d+:[\s\S]*?\*\/(\s*(?:\(void\)|let _ = )[^;]*;)?(\s*return 0;|\s*(?:0|None)(?=\n\}))?/g;

const wordsOf = (text: string): readonly string[] => text.match(/\w+|[^\w\s]/g) ?? [];

describe.each([...LABS, ...IN_RUST])('$name in $language: $title', (lab) => {
  const rust = lab.language === 'Rust';
  const built = test.skipIf(rust && !haveRust);

  built('the solution passes, and the auditor is quiet', async () => {
    const result = await checkLab(lab, undefined, { solution: true, rust });
    expect(resultLines(result).join('\n')).toMatch(/^h\d: passed: the lines are right, the auditor is quiet/);
    // The limit is far away.
    expect(result.verdict!.instructions).toBeLessThan(lab.limit / 4);
  });

  built('the skeleton builds, fails, and is told which hole comes first', async () => {
    const result = await checkLab(lab, undefined, { rust });
    expect(result.passed).toBe(false);
    expect(result.buildError).toBeUndefined();
    const { hint } = result.verdict!;
    expect(hint?.text).toMatch(/hole \d|Hole \d/);
    expect(lab.steps).toContain(hint!.step);
    const first = result.holes[0]!;
    expect(hint!.text).toMatch(new RegExp(`[Hh]ole ${first.number}\\b`));
    expect(hint!.text).toContain(first.file);
  });

  test('its holes are numbered, and the solution has none', () => {
    const skeleton = skeletonTexts(lab);
    const holes = untouchedHoles(skeleton, skeleton);
    expect(holes.map((h) => h.number)).toEqual(holes.map((_, n) => n + 1));
    const solution = solutionSources(lab).map((path) => readFileSync(join(skeletonFolder(lab), path), 'utf8'));
    expect(solution.join('')).not.toMatch(/HOLE/);
  });

  test('the solution only fills the holes', () => {
    const read = (path: string): string => readFileSync(join(skeletonFolder(lab), path), 'utf8');
    for (const [n, path] of solutionSources(lab).entries()) {
      const solution = wordsOf(read(path));
      // The rest of the skeleton is in the solution, in the same order.
      let at = -1;
      for (const word of wordsOf(read(skeletonSources(lab)[n]!).replace(HOLE, ' '))) {
        at = solution.indexOf(word, at + 1);
        expect(at, `${lab.name}: '${word}' of ${basename(path)} in ${path}`).not.toBe(-1);
      }
    }
  });

  test('skeleton and solution have at most 300 lines', () => {
    const paths = [...skeletonSources(lab), ...solutionSources(lab).filter((path) => path.startsWith('solution'))];
    const lines = paths.flatMap((path) =>
      readFileSync(join(skeletonFolder(lab), path), 'utf8')
        .trimEnd()
        .split('\n'),
    );
    expect(lines.length).toBeLessThanOrEqual(300);
  });

  test('at least three mistakes are known', () => {
    const mistakes = rust ? RUST_MISTAKES : STUDENT_MISTAKES;
    expect(mistakes.filter((m) => m.lab === lab.name).length).toBeGreaterThanOrEqual(3);
  });
});

test('labs are compiled for the same machine as the project’s guests', () => {
  const flags = readFileSync(join(PROJECT_ROOT, 'scripts', 'lib', 'guest-flags.sh'), 'utf8');
  // Without optimization, and warnings are no errors: both are for students.
  for (const flag of TARGET_FLAGS.filter((f) => f !== '-O0')) expect(flags).toContain(flag);
});

test.each(LABS.flatMap((l) => [...l.mistakes, ...l.atEntry].map(({ hint, zh }) => [l.name, hint, zh] as const)))(
  '%s: %s is there in Chinese, about the same files and registers',
  (_, hint, zh) => {
    /** Names of files, of CSRs and of their fields. */
    const named = (text: string): string[] =>
      [...new Set(text.match(/\w+\.[cS]\b|\b[A-Z][A-Z0-9]+(?:_\w+|\.\w+)*\b/g))].sort();
    const common = new Set(['VM', 'RAM', 'PIF', 'CPU', 'CSR', 'TLB', 'GPA', 'LVZ', 'PGM', 'VCPU_PC']);
    const telling = (text: string): string[] => named(text).filter((n) => !common.has(n));
    expect(zh).toMatch(/\p{Script=Han}/u);
    expect(telling(zh)).toEqual(telling(hint));
  },
);

test.each([
  ['h1', 'main.c', /^step 5, .* Hole 4 of switch\.S/],
  ['h6', 'refill.S', /^step 7, .* Hole 3 of guest\.S/],
])('%s: with the solution of %s alone, the other file is what the hint names', async (name, file, hint) => {
  const lab = labNamed(name);
  const files = new Map(skeletonTexts(lab)).set(file, solutionOf(lab).get(file)!);
  const { verdict } = await checked(lab, files);
  expect(verdict!.hint && `${stepName(verdict!.hint.step)}: ${verdict!.hint.text}`).toMatch(hint);
});

test('the holes in Rust are those in C', () => {
  const holes = (lab: Lab): object[] => {
    const texts = skeletonTexts(lab);
    return untouchedHoles(texts, texts).map(({ number, file }) => ({ number, file: file.replace(/\.(c|rs)$/, '') }));
  };
  for (const [n, lab] of LABS.entries()) expect(holes(IN_RUST[n]!)).toEqual(holes(lab));
});

describe.each([
  ['C', STUDENT_MISTAKES],
  ['Rust', RUST_MISTAKES],
] as const)('mistakes in %s', (language, mistakes) => {
  const checks = language === 'Rust' && !haveRust ? test.skip : test;
  checks.each(mistakes)('$lab: $mistake', async ({ lab, file, from, to, hint, cause }) => {
    const result = await checkEdited(lab, file, from, to, language);
    const lines = resultLines(result);
    expect(result.passed).toBe(false);
    expect(lines.find((line) => line.startsWith('  hint '))?.replace(/^ *hint */, ''), lines.join('\n')).toMatch(hint);
    if (cause) expect(lines.join('\n')).toMatch(cause);
  });
});
