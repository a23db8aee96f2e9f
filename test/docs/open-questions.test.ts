/** The open questions of docs/lvz.md: one list, without a gap, with every number that the page and the sources name. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';

const textOf = (file: string): string => readFileSync(join(PROJECT_ROOT, file), 'utf8');
const page = textOf('docs/lvz.md');
const listed = [...page.matchAll(/^\| (Q\d+) \|/gm)].map((m) => m[1]!);

test('the list has each number once, in their order', () => {
  expect(listed).toEqual(Array.from({ length: listed.length }, (_, n) => `Q${n + 1}`));
  expect(listed.length).toBeGreaterThanOrEqual(30);
});

test('a question that the page or a source names is in the list', () => {
  const sources = globSync(['src/**/*.ts', 'test/lvz/*.{ts,S}'], { cwd: PROJECT_ROOT }).map(textOf);
  const named = [page, ...sources].flatMap((text) => [...text.matchAll(/\bQ\d+\b/g)].map(([q]) => q));
  expect([...new Set(named)].filter((q) => !listed.includes(q))).toEqual([]);
});
