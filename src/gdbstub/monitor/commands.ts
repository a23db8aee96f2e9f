/** `monitor …`: one row a command. Help and dispatch derive from the rows. */
import { nearest } from '../../emu/formats/nearest.ts';
import type { Steps } from '../../emu/runtime/steps.ts';
import type { Target } from '../target.ts';
import { BOOKMARK_COMMANDS } from './bookmarks.ts';
import { CATCH_COMMANDS } from './catch.ts';
import { type Command, lines } from './command.ts';
import { HISTORY_COMMANDS } from './history.ts';
import { INFO_COMMANDS } from './info.ts';
import { PAST_COMMANDS } from './past.ts';
import { QEMU_COMMANDS } from './qemu-names.ts';
import { SETTING_COMMANDS } from './settings.ts';
import { SNAPSHOT_COMMANDS } from './snapshot.ts';
import { TABLE_COMMANDS } from './tables.ts';

const HELP: Command = {
  name: 'help',
  args: '',
  help: 'this list',
  run: () => lines(COMMANDS.map((c) => `${`${c.name} ${c.args}`.trim().padEnd(44)} ${c.help}`)),
};

export const COMMANDS: readonly Command[] = [
  HELP,
  ...INFO_COMMANDS,
  ...TABLE_COMMANDS,
  ...QEMU_COMMANDS,
  ...CATCH_COMMANDS,
  ...HISTORY_COMMANDS,
  ...BOOKMARK_COMMANDS,
  ...PAST_COMMANDS,
  ...SNAPSHOT_COMMANDS,
  ...SETTING_COMMANDS,
];

/** The longest name first, so that a name is not taken for another one that it begins with. */
const BY_LENGTH = [...COMMANDS].sort((a, b) => b.name.length - a.name.length);

/** Longest part of an unknown command that the answer repeats. */
const MOST_ECHO = 100;

/** As many words of a line as a name has. */
const asMany = (line: string, name: string): string => line.split(' ').slice(0, name.split(' ').length).join(' ');

function unknown(line: string): string {
  const meant = nearest(
    line,
    COMMANDS.map((c) => c.name),
    asMany,
  );
  const hint = meant === undefined ? '' : `did you mean '${meant}'? `;
  return `unknown command '${line.slice(0, MOST_ECHO)}': ${hint}'monitor help' lists all\n`;
}

/** Runs a command line. Every answer is text: results, or what is wrong with the command and its usage. */
export function* runMonitorCommand(s: Target, text: string): Steps<string> {
  const words = text.split(/\s+/).filter(Boolean);
  const line = words.join(' ');
  const c = BY_LENGTH.find(({ name }) => line === name || line.startsWith(`${name} `));
  if (!c) return unknown(line);
  const args = words.slice(c.name.split(' ').length);
  try {
    if (c.args === '' && args.length > 0)
      throw new Error(`'${c.name}' takes no arguments: leave out '${args.join(' ').slice(0, MOST_ECHO)}'`);
    const answer = c.run(s, args);
    return typeof answer === 'string' ? answer : yield* answer;
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\nusage: monitor ${c.name} ${c.args}\n`;
  }
}
