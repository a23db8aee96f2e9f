/** Parts of the page that need no browser: Markdown, links, the console's past. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { LABS } from '../../src/labs/catalog.ts';
import type { PageContent } from '../../src/web/content.ts';
import { linkTo, readLink } from '../../src/web/page/link.ts';
import { parseMarkdown, spansOf } from '../../src/web/page/markdown.ts';
import { ConsoleLog } from '../../src/web/worker/console-log.ts';

describe('Markdown', () => {
  test('spans', () => {
    expect(spansOf('a `b*` **c** [d](e.md)')).toEqual([
      { kind: 'text', text: 'a ' },
      { kind: 'code', text: 'b*' },
      { kind: 'text', text: ' ' },
      { kind: 'strong', text: 'c' },
      { kind: 'text', text: ' ' },
      { kind: 'link', text: 'd', to: 'e.md' },
    ]);
  });

  test('blocks, also those that follow without an empty line', () => {
    const kinds = parseMarkdown('# H\ntext\nmore\n- a\n  b\n- c\n```\n# code\n```\n| x |\n| - |\n| y |\n1. one').map(
      (b) => (b.kind === 'list' ? `${b.kind} ${b.items.length}` : b.kind),
    );
    expect(kinds).toEqual(['heading', 'paragraph', 'list 2', 'code', 'table', 'list 1']);
  });

  test.each(LABS.flatMap(({ name }) => [`${name}/README.md`, `${name}/README.zh-CN.md`]))(
    'labs/%s: no mark is left in the text',
    (file) => {
      const blocks = parseMarkdown(readFileSync(join(PROJECT_ROOT, 'labs', file), 'utf8'));
      const texts = blocks.flatMap((b) => ('spans' in b ? b.spans : b.kind === 'list' ? b.items.flat() : []));
      expect(texts.filter((s) => s.kind === 'text' && /\*\*|`|\]\(/.test(s.text))).toEqual([]);
      expect(blocks[0]!.kind).toBe('heading');
    },
  );
});

describe('links', () => {
  const content = { labs: [{ name: 'h1' }, { name: 'h2' }], demos: [{ name: 'crash' }] } as unknown as PageContent;

  test.each([
    { kind: 'lab', name: 'h2', variant: 'solution' },
    { kind: 'lab', name: 'h1', variant: 'skeleton' },
    { kind: 'lab', name: 'h1', variant: 'mixed' },
    { kind: 'demo', name: 'crash' },
  ] as const)('%o and back', (selection) => {
    expect(readLink(`#${linkTo(selection, 1234)}`, content)).toEqual({ selection, at: 1234 });
  });

  test.each(['', '#', '#lab=h9&at=5', '#demo=x', '#at=7'])("'%s' is the first lab, at its beginning", (hash) => {
    expect(readLink(hash, content)).toEqual({ selection: { kind: 'lab', name: 'h1', variant: 'skeleton' }, at: 0 });
  });

  test.each(['-1', 'x', '1e99', ''])("a moment '%s' is the beginning", (at) => {
    expect(readLink(`#lab=h2&at=${at}`, content).at).toBe(0);
  });
});

test('what is printed in another future replaces what was printed in the old one', () => {
  const log = new ConsoleLog();
  for (const [n, letter] of [...'abc'].entries()) log.put(letter.charCodeAt(0), 10 * n);
  expect([log.until(9), log.until(10), log.until(99)]).toEqual(['a', 'ab', 'abc']);
  expect([log.isCompleteAt(19), log.isCompleteAt(20)]).toEqual([false, true]);
  log.put('x'.charCodeAt(0), 15);
  expect(log.until(99)).toBe('abx');
});
