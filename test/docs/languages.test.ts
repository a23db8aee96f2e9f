/** A page and its Chinese twin have the same headings and show the same commands. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';

/** English page, Chinese page. */
const TWINS: readonly (readonly [string, string])[] = [
  ['README.md', 'README.zh-CN.md'],
  ...globSync('docs/zh-CN/**/*.md', { cwd: PROJECT_ROOT }).map((page) => [page.replace('zh-CN/', ''), page] as const),
  ...globSync('labs/**/*.zh-CN.md', { cwd: PROJECT_ROOT }).map((page) => [page.replace('.zh-CN', ''), page] as const),
];
const BLOCK = /^```\w*\n([\s\S]*?)^```$/gm;

const textOf = (page: string): string => readFileSync(join(PROJECT_ROOT, page), 'utf8');
const levelsOf = (text: string): string[] =>
  [...text.replace(BLOCK, '').matchAll(/^(#+) /gm)].map((heading) => heading[1]!);
const blocksOf = (text: string): string[] => [...text.matchAll(BLOCK)].map((block) => block[1]!);
/** How many rows the tables have. */
const rowsOf = (text: string): number => [...text.replace(BLOCK, '').matchAll(/^\|/gm)].length;
const itemsOf = (text: string): number => [...text.replace(BLOCK, '').matchAll(/^- /gm)].length;

test('the tutorial, the first steps, troubleshooting, the glossary and the labs are there in Chinese', () => {
  expect(TWINS.map(([english]) => english)).toEqual(
    expect.arrayContaining([
      'docs/tutorial/sync-exception.md',
      'docs/your-hypervisor.md',
      'docs/troubleshooting.md',
      'docs/glossary.md',
      'docs/web.md',
      ...globSync('labs/**/*.md', { cwd: PROJECT_ROOT }).filter((page) => !page.endsWith('.zh-CN.md')),
    ]),
  );
});

describe.each(TWINS)('%s and %s', (english, chinese) => {
  const [en, zh] = [textOf(english), textOf(chinese)];

  test('headings of the same levels, in the same order', () => {
    expect(levelsOf(zh)).toEqual(levelsOf(en));
  });

  test('the same commands and output', () => {
    expect(blocksOf(zh)).toEqual(blocksOf(en));
  });

  test('tables and lists of the same length', () => {
    expect([rowsOf(zh), itemsOf(zh)]).toEqual([rowsOf(en), itemsOf(en)]);
  });
});
