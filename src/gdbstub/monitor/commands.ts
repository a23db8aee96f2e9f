/** `monitor …`: one row a command. Help and dispatch derive from the rows. */
import type { Session } from '../session.ts';
import { CATCH_COMMANDS } from './catch.ts';
import { type Command, lines } from './command.ts';
import { INFO_COMMANDS } from './info.ts';
import { PAST_COMMANDS } from './past.ts';
import { SETTING_COMMANDS } from './settings.ts';
import { SNAPSHOT_COMMANDS } from './snapshot.ts';

const HELP: Command = {
  name: 'help',
  args: '',
  help: 'this list',
  run: () => lines(COMMANDS.map((c) => `${`${c.name} ${c.args}`.trim().padEnd(44)} ${c.help}`)),
};

export const COMMANDS: readonly Command[] = [
  HELP,
  ...INFO_COMMANDS,
  ...CATCH_COMMANDS,
  ...PAST_COMMANDS,
  ...SNAPSHOT_COMMANDS,
  ...SETTING_COMMANDS,
];

/** Runs a command line. Every answer is text: results, usage of a known command, or the help. */
export function runMonitorCommand(s: Session, text: string): string {
  const words = text.split(/\s+/).filter(Boolean);
  const line = words.join(' ');
  // The longest name first: `history` is no `history-…`.
  for (const c of [...COMMANDS].sort((a, b) => b.name.length - a.name.length)) {
    if (line !== c.name && !line.startsWith(`${c.name} `)) continue;
    try {
      return c.run(s, words.slice(c.name.split(' ').length));
    } catch (error) {
      return `${error instanceof Error ? error.message : String(error)}\nusage: monitor ${c.name} ${c.args}\n`;
    }
  }
  return `unknown command '${line}'\n${HELP.run(s, [])}`;
}
