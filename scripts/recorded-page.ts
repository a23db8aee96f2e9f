/** Pages of the documentation whose commands were really run: text, and what gdb or the shell says. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { findGdb } from '../src/cli/find-gdb.ts';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import type { Running } from '../src/cli/run.ts';

/** The languages that pages are written in. */
export type Language = 'en' | 'zh-CN';

/** A paragraph in each language. */
export type Text = Readonly<Record<Language, string>>;

/** A paragraph, in one language or in each; commands at gdb's prompt; or a command of the shell (arguments of loongscope). */
export type Part =
  | string
  | Text
  | { readonly gdb: readonly string[] }
  | { readonly shell: readonly string[]; readonly keep?: RegExp };

/** A block of code. */
export const block = (text: string): string => `\`\`\`\n${text.trimEnd()}\n\`\`\``;
const MARK = '@@part';
const TOOLS = join(PROJECT_ROOT, '.tools');
/** Lines that say nothing to a reader: where a busy computer is, sources that are not there, who let go at the end. */
const NOISE =
  /\n(looking back|replaying), at instruction \d+|\n\[Inferior \d+ .*(killed|detached)\]|\nwarning: (remote target does not support file transfer|\d+\t).*|\nwarning: No executable has been specified[^\n]*\ndetermining executable[^\n]*/g;

/**
 * Runs gdb commands in one session.
 * @param running the machine; it ends behind the session
 * @param first commands before, whose output is not shown
 * @returns the output of each part, with the commands
 */
export async function session(
  running: Running,
  first: readonly string[],
  parts: readonly (readonly string[])[],
): Promise<string[]> {
  const gdb = await findGdb();
  const folder = mkdtempSync(join(tmpdir(), 'loongscope-record-'));
  const lines = [
    'set pagination off',
    'set confirm off',
    'set width 0',
    'set style enabled off',
    ...first,
    `target extended-remote 127.0.0.1:${running.ports[0]}`,
    ...parts.flatMap((commands) => [
      `echo ${MARK}\\n`,
      ...commands.flatMap((c) => [`echo (gdb) ${c.replace(/[\\$]/g, (x) => `\\${x}`)}\\n`, c]),
    ]),
  ];
  const script = join(folder, 'session.gdb');
  writeFileSync(script, `${lines.join('\n')}\n`);
  const { stdout } = await execa('sh', ['-c', 'exec "$0" "$@" 2>&1', gdb, '-nx', '-q', '-batch', '-x', script], {
    cwd: PROJECT_ROOT,
    reject: false,
    stdin: 'ignore',
  });
  running.control.quit();
  await running.done;
  rmSync(folder, { recursive: true, force: true });
  if (/Error in sourced command/.test(stdout)) throw new Error(`the session has stopped early:\n${stdout}`);
  return stdout
    .replaceAll(PROJECT_ROOT, '.')
    .replaceAll(realpathSync(TOOLS), '.tools')
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:1234')
    .split(`${MARK}\n`)
    .slice(1)
    .map((text) => text.replace(NOISE, ''));
}

/** The commands of the parts that are gdb's. */
export const commandsOf = (parts: readonly Part[]): (readonly string[])[] =>
  parts.flatMap((part) => (typeof part === 'object' && 'gdb' in part ? [part.gdb] : []));

/** The page's text. @param gdb the output of each part with gdb commands */
export async function rendered(
  parts: readonly Part[],
  gdb: readonly string[],
  language: Language = 'en',
): Promise<string> {
  const outputs = [...gdb];
  const out: string[] = [];
  for (const part of parts) {
    if (typeof part === 'string') out.push(part);
    else if ('en' in part) out.push(part[language]);
    else if ('gdb' in part) out.push(block(outputs.shift()!));
    else
      out.push(
        block(`$ ./scripts/loongscope ${part.shell.map(quoted).join(' ')}\n${await shell(part.shell, part.keep)}`),
      );
  }
  return `${out.join('\n\n')}`;
}

const quoted = (argument: string): string => (argument.includes(' ') ? `'${argument}'` : argument);

/** What the commands said so far: one is run once, for all languages. */
const said = new Map<string, string>();

async function shell(args: readonly string[], keep: RegExp | undefined): Promise<string> {
  const key = args.join('\n');
  if (!said.has(key)) {
    const program = join(PROJECT_ROOT, 'src', 'cli', 'main.ts');
    // One pipe for both, so that their lines keep their order.
    const { stdout } = await execa('sh', ['-c', 'exec "$0" "$@" 2>&1', process.execPath, program, ...args], {
      cwd: PROJECT_ROOT,
      stdin: 'ignore',
      reject: false,
    });
    // The console of the machine ends its lines as terminals do.
    said.set(key, stdout.replaceAll('\r\n', '\n'));
  }
  return said
    .get(key)!
    .split('\n')
    .filter((line) => !keep || keep.test(line))
    .join('\n');
}

/** The blocks of a page that show these commands, for a session that is not recorded again. */
export function recordedBlocks(page: string, parts: readonly Part[]): string[] {
  const blocks = [...page.matchAll(/^```\n([\s\S]*?)\n```$/gm)].map((m) => m[1]!);
  const shown = (text: string): string =>
    text
      .split('\n')
      .filter((line) => line.startsWith('(gdb) '))
      .join('\n');
  return commandsOf(parts).map((commands) => {
    const wanted = commands.map((c) => `(gdb) ${c}`).join('\n');
    const found = blocks.find((text) => shown(text) === wanted);
    if (found === undefined) throw new Error(`the page does not show '${commands[0]}' …: record that session again`);
    return found;
  });
}
