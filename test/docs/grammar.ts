/** Is a command of a page one that exists: its program, its options and their values, the files that it names? */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Command, Option } from 'commander';
import { declareProgram } from '../../src/cli/commands.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { COMMANDS } from '../../src/gdbstub/monitor/commands.ts';

const program = declareProgram(() => {});
const scripts = Object.keys(
  (JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> }).scripts,
);
/** Text of the scripts that bring and build what is in .tools and build. */
const makers = globSync(['scripts/{*,lib/*}', 'test/difftest/*.ts', 'test/fuzz/*.ts'], {
  cwd: PROJECT_ROOT,
  withFileTypes: true,
})
  .filter((entry) => entry.isFile())
  .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
  .join('\n');

/** A word in the place of something of the reader's. */
const isPlaceholder = (word: string): boolean => /^[A-Z][A-Z0-9_.-]*$|[…$<>[\]*]/.test(word);

/** Options whose value is a file that the command makes. */
const MAKES = new Set(['--record', '--junit', '--output', '--dump-dtb', '--start', '--keep']);

/** Files that commands before have made. */
const made = new Set<string>();

/** What is wrong with a file of a command. A name without a folder is the reader's own. */
function wrongFile(word: string): string[] {
  const path = /^(?:\.\/)?((?:build|\.tools|examples|docs|scripts|src|test|labs|guests)\/[^,@:=]*)/.exec(word)?.[1];
  if (path === undefined || isPlaceholder(path) || made.has(path) || existsSync(join(PROJECT_ROOT, path))) return [];
  if (path.startsWith('.tools/') && makers.includes(basename(path))) return [];
  return [`there is no ${path}`];
}

function wrongValue(option: Option, value: string): string[] {
  if (isPlaceholder(value)) return [];
  try {
    // Files are looked at elsewhere.
    if (!/<file>/.test(option.flags)) option.parseArg?.(value, undefined);
    return option.argChoices && !option.argChoices.includes(value) ? [`${option.long} ${value}: no such choice`] : [];
  } catch (error) {
    return [`${option.long} ${value}: ${(error as Error).message}`];
  }
}

/** `loongscope COMMAND …`, with the arguments as words. */
function wrongArguments(words: readonly string[]): string[] {
  const [name, ...rest] = words;
  if (name === undefined || name.startsWith('--'))
    return /^(undefined|--help|--version)$/.test(`${name}`) ? [] : [`option ${name}`];
  if (isPlaceholder(name)) return [];
  const command: Command | undefined = program.commands.find((c) => c.name() === name);
  if (!command) return [`there is no command ${name}`];
  if (name === 'qemu') return [];
  const wrong: string[] = [];
  for (let n = 0; n < rest.length; n++) {
    const word = rest[n]!.replace(/^\[(.*)\]$/, '$1');
    if (word === '--') {
      wrong.push(...wrongArguments(['run', ...rest.slice(n + 1)]));
      break;
    }
    const option = command.options.find((o) => o.long === word);
    if (option === undefined)
      wrong.push(...(word.startsWith('--') ? [`${name} has no option ${word}`] : wrongFile(word)));
    else if (option.required && rest[n + 1] !== undefined) {
      const value = rest[++n]!;
      if (MAKES.has(word)) made.add(value);
      wrong.push(...wrongValue(option, value), ...wrongFile(value));
    }
  }
  return wrong;
}

/** What is wrong with a command: nothing, for one that exists. @param words the program and its arguments */
export function wrongCommand(words: readonly string[]): string[] {
  const [name, ...rest] = words;
  if (/^(?:\.\/scripts\/)?loongscope$/.test(name!)) return wrongArguments(rest);
  if (name === 'npx') return rest[0] === 'loongscope' ? wrongArguments(rest.slice(1)) : [];
  if (name === 'npm') {
    if (rest[0] === 'install') return [];
    const script = rest[0] === 'run' ? rest[1] : rest[0];
    return scripts.includes(script!) ? [] : [`package.json has no script ${script}`];
  }
  return [...(name!.startsWith('./') ? wrongFile(name!) : []), ...rest.flatMap(wrongFile)];
}

/** What is wrong with a command of gdb's: the monitor knows it, if it is one of the monitor's. */
export function wrongGdbCommand(text: string): string[] {
  const line = /^mon(?:itor)? +(.*)$/.exec(text)?.[1];
  if (line === undefined) return [];
  const known = COMMANDS.some(({ name }) => line === name || line.startsWith(`${name} `));
  return known ? [] : [`there is no monitor command '${line}'`];
}

const OPTIONS = new Set(program.commands.flatMap((command) => command.options.map((option) => option.long)));

/** What is wrong with an option that a page names alone: a command or a script has it. */
export const wrongOption = (option: string): string[] =>
  OPTIONS.has(option) || option === '--help' || makers.includes(option) ? [] : [`nothing has the option ${option}`];
