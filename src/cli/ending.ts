/** How a run ends: lines on stderr, and the exit code. */
import type { End } from '../emu/debug/stop.ts';
import { EXIT } from './errors.ts';

/** A status line. */
export const say = (text: string): void => void process.stderr.write(`loongscope: ${text}\n`);

/** Was the end asked for from outside? Then the program does not wait for anybody to read what is left. */
export const endsNow = (end: End): boolean => end.kind === 'quit' || (end.kind === 'limit' && end.what === 'time');

/** Limits as the command line gave them. */
export interface LimitsCli {
  readonly timeout?: number | undefined;
  readonly maxInstructions?: number | undefined;
}

/** Says why the machine has ended, where that is news. */
export function exitCode(end: End, cli: LimitsCli): number {
  switch (end.kind) {
    case 'poweroff':
      return EXIT.ok;
    case 'limit':
      say(
        end.what === 'time'
          ? `time limit reached (--timeout ${cli.timeout}): the machine was still running`
          : `instruction limit reached (--max-instructions ${cli.maxInstructions}): the machine was still running`,
      );
      return EXIT.limit;
    case 'died':
      say(`the machine died: ${end.reason}`);
      return EXIT.died;
    case 'quit':
      return EXIT.interrupted;
  }
}
