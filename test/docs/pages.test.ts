/** The documents as pages: links that lead somewhere, a README of a length that is read. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';

const PAGES = ['README*.md', 'CONTRIBUTING.md', 'docs/**/*.md', 'labs/**/*.md', 'src/hv/*.md'].flatMap((pattern) =>
  globSync(pattern, { cwd: PROJECT_ROOT }),
);
const textOf = (page: string): string => readFileSync(join(PROJECT_ROOT, page), 'utf8');
const withoutBlocks = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, '');

/** The anchors of a page, as GitHub makes them of headings. */
const anchorsOf = (page: string): Set<string> =>
  new Set(
    [
      ...textOf(page)
        .replace(/^```[\s\S]*?^```$/gm, '')
        .matchAll(/^#+ (.*)$/gm),
    ].map((m) =>
      m[1]!
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );

describe.each(PAGES)('%s', (page) => {
  test('its links lead somewhere', () => {
    for (const [, target] of withoutBlocks(textOf(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const [file, anchor] = target!.split('#');
      const path = file === '' ? page : join(dirname(page), file!);
      expect(globSync(path.replace(/\/$/, ''), { cwd: PROJECT_ROOT }), `${page}: ${target}`).toHaveLength(1);
      if (anchor !== undefined) expect([...anchorsOf(path)], `${page}: ${target}`).toContain(anchor);
    }
  });
});

test('README.md is at most 120 lines long', () => {
  expect(textOf('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(120);
});

test('docs/README.md lists every page', () => {
  const index = textOf('docs/README.md');
  for (const page of globSync('docs/*.md', { cwd: PROJECT_ROOT }))
    if (page !== 'docs/README.md') expect(index).toContain(`](${page.slice('docs/'.length)})`);
});
