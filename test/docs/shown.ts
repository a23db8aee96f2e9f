/** What the documents show: their blocks, and the commands in them. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';

/** English pages; test/docs/languages.test.ts compares the Chinese ones with them. */
export const PAGES: readonly string[] = ['README.md', 'CONTRIBUTING.md', 'docs/**/*.md', 'labs/**/*.md', 'src/hv/*.md']
  .flatMap((pattern) => globSync(pattern, { cwd: PROJECT_ROOT }))
  .filter((page) => !page.includes('zh-CN'))
  .sort();

/** A fenced block. */
export interface Block {
  readonly page: string;
  /** Number of its first line in the page. */
  readonly line: number;
  readonly language: string;
  readonly lines: readonly string[];
}

/** A command at a shell, and the output that the page shows below it. */
export interface Shown {
  readonly block: Block;
  readonly text: string;
  readonly output: readonly string[];
}

export const textOf = (page: string): string => readFileSync(join(PROJECT_ROOT, page), 'utf8');

export const blocksOf = (page: string): Block[] => {
  const text = textOf(page);
  return [...text.matchAll(/^( *)```(\S*)\n([\s\S]*?)^\1```$/gm)].map((m) => ({
    page,
    line: text.slice(0, m.index).split('\n').length + 1,
    language: m[2]!,
    lines: m[3]!
      .replace(/\n$/, '')
      .split('\n')
      .map((line) => line.slice(m[1]!.length)),
  }));
};

/** Programs with which a command of the documents begins; in blocks without `$`, that is how commands are known. */
const PROGRAM = /^(?:\.\/scripts\/|\.tools\/bin\/)?(?:[\w-]+)(?= |$)/;
const PROGRAMS = [
  ...['loongscope', 'npx', 'npm', 'node', 'gdb-multiarch', 'qemu-nbd', 'docker', 'for', 'ls', 'echo', 'source', 'git'],
];

export function programOf(text: string): string | undefined {
  const word = PROGRAM.exec(text)?.[0];
  if (word === undefined) return undefined;
  return word.includes('/') || PROGRAMS.includes(word) ? word : undefined;
}

/** Lines that a backslash joins, as one. */
function joined(lines: readonly string[]): string[] {
  const out: string[] = [];
  for (const line of lines)
    if (out.at(-1)?.endsWith('\\')) out.push(`${out.pop()!.slice(0, -1).trimEnd()} ${line.trim()}`);
    else out.push(line);
  return out;
}

/** What a shell shows before a command, perhaps with the name of its computer. */
const PROMPT = /^(?:[a-z][\w -]*)?\$ /;

/** The commands of a block: after `$`, with their output; or a line each, in a block that has nothing else. */
export function shownIn(block: Block): Shown[] {
  const lines = joined(block.lines);
  if (lines.some((line) => PROMPT.test(line))) {
    const out: { block: Block; text: string; output: string[] }[] = [];
    for (const line of lines)
      if (PROMPT.test(line)) out.push({ block, text: line.replace(PROMPT, ''), output: [] });
      else out.at(-1)?.output.push(line);
    return out;
  }
  const commands = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (!commands.every((line) => programOf(line) !== undefined)) return [];
  return commands.map((text) => ({ block, text, output: [] }));
}

const withoutBlocks = (page: string): string => textOf(page).replace(/^ *```[\s\S]*?^ *```$/gm, '');

/** Commands in the text of a page, between back quotes. */
export const inlineCommands = (page: string): string[] =>
  [...withoutBlocks(page).matchAll(/`((?:\.\/scripts\/|loongscope |npm run )[^`\n]+)`/g)].map((m) => m[1]!);

/** Options in the text of a page, between back quotes. */
export const inlineOptions = (page: string): string[] =>
  [...withoutBlocks(page).matchAll(/`(--[a-z][a-z-]*)/g)].map((m) => m[1]!);

/** What gdb's user types in a block. */
export const gdbCommands = (block: Block): string[] =>
  block.lines.filter((line) => line.startsWith('(gdb) ')).map((line) => line.slice('(gdb) '.length));

/** A command line in words, without its comment: one list for each program that it starts. */
export function programsIn(text: string): string[][] {
  const out: string[][] = [[]];
  const tokens = text.matchAll(/\s+#.*$|\s*(&&|\|\|?|;)\s*|(?:"[^"]*"|'[^']*'|<\([^)]*\)|[^\s"';|&])+/g);
  for (const [token, separator] of tokens)
    if (/^\s+#/.test(token)) break;
    else if (separator === undefined) out.at(-1)!.push(token.replace(/(["'])(.*?)\1/g, '$2'));
    else out.push([]);
  // Values for the environment come before a program.
  return out
    .map((words) => words.slice(words.findIndex((word) => !/^[A-Z_]+=/.test(word))))
    .filter((words) => words.length > 0);
}
