/** Every message about a mistake says its cause and, behind a colon, what to do. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';

const LITERAL = /new UsageError\(\s*(`[^`]*`|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")/g;

/** The texts of UsageErrors in a source, with a word in the place of each value. */
function messagesIn(source: string): string[] {
  let text = source;
  for (let before = ''; before !== text; ) {
    before = text;
    text = text.replace(/\$\{(?:[^{}`]|\{[^{}`]*\}|`[^`]*`)*\}/g, 'VALUE');
  }
  return [...text.matchAll(LITERAL)].map((m) => m[1]!.slice(1, -1).replace(/\s+/g, ' '));
}

test('messages of mistakes say what to do', () => {
  const all = globSync('src/{cli,gdbstub,hv}/**/*.ts', { cwd: PROJECT_ROOT }).flatMap((file) =>
    messagesIn(readFileSync(join(PROJECT_ROOT, file), 'utf8')).map((message) => ({ file, message })),
  );
  expect(all.length).toBeGreaterThan(200);
  const advice = (message: string): boolean => /: [a-z'V-][^:]*(?::[^:]*)*$/.test(message) && !/[.!]$/.test(message);
  expect(all.filter(({ message }) => !advice(message))).toEqual([]);
});
