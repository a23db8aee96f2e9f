/** The mistakes that a mutation run makes: in what a program does, and never in what it is called or says of itself. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAst } from 'rolldown/parseAst';
import { describe, expect, test } from 'vitest';
import { AREAS } from '../../scripts/lib/mutation-areas.ts';
import { describeMutation, mutated, mutationsOf } from '../../scripts/lib/mutations.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';

const mistakes = (source: string): string[] => mutationsOf(source).map((m) => mutated(source, m));

describe('mutations', () => {
  test.each([
    ['a < b;', ['a <= b;']],
    ['x === 1;', ['x !== 1;', 'x === (1 + 1);', 'x === (1 - 1);']],
    ['if (a) f();', ['if (!(a)) f();', 'if (a) ;']],
    ['const x = a >>> b;', ['const x = a << b;']],
    ['const x = !y && true;', ['const x = !y || true;', 'const x = y && true;', 'const x = !y && false;']],
    ['n++;', [';']],
  ])('%s', (source, expected) => {
    expect(mistakes(source).sort()).toEqual([...expected].sort());
  });

  test.each([
    "import { a } from './1.ts';",
    'type T = 1 | 2;',
    'interface I { readonly a: 1 }',
    "throw new Error('more than ' + n);",
    "const t = 'a' + b;",
    'const c = { 1: a, b: c.d };',
    'class A extends B { constructor() { super(c); } }',
  ])('none in %s', (source) => {
    expect(mistakes(source)).toEqual([]);
  });

  test('what stands behind a cast and a type annotation is reached', () => {
    expect(mistakes('const x: 3 = (a + b) as number;')).toEqual(['const x: 3 = (a - b) as number;']);
  });

  test('where it is, on one line', () => {
    const source = 'const a = b;\nf(c,\n  d);\n';
    expect(mutationsOf(source).map((m) => describeMutation(source, m))).toEqual(['2:1  f(c, d); → ;']);
  });

  test.each(Object.entries(AREAS))('every pattern of the area %s finds sources, and its tests are there', (_, area) => {
    const empty = area.sources.filter((s) => globSync(s, { cwd: PROJECT_ROOT }).length === 0);
    expect(empty).toEqual([]);
    expect(area.tests.filter((t) => !existsSync(join(PROJECT_ROOT, t)))).toEqual([]);
  });

  test('each one in the sources of the machine is another text that can still be parsed', () => {
    const files = globSync('src/emu/{cpu,tlb,mmu}/*.ts', { cwd: PROJECT_ROOT });
    expect(files.length).toBeGreaterThan(10);
    for (const file of files) {
      const source = readFileSync(join(PROJECT_ROOT, file), 'utf8');
      for (const m of mutationsOf(source).filter((_, n) => n % 29 === 0)) {
        const text = mutated(source, m);
        expect(text === source, `${file}:${describeMutation(source, m)}`).toBe(false);
        expect(() => parseAst(text, { lang: 'ts' }), `${file}:${describeMutation(source, m)}`).not.toThrow();
      }
    }
  });
});
