/** How a run ends: lines on stderr, and the exit code. */
import type { End } from '../emu/debug/stop.ts';
import { EXIT } from './errors.ts';

/** A status line. */
export const say = (text: string): void => void process.stderr.write(`loongscope: ${text}\n`);

/** Was the run ended from outside? Then the program does not wait for readers of the rest of its output. */
export const endsNow = (end: End): boolean => end.kind === 'quit' || (end.kind === 'limit' && end.what === 'time');

/** Limits from the command line. */
export interface LimitsCli {
  readonly timeout?: number | undefined;
  readonly maxInstructions?: number | undefined;
}

/** Prints why the machine has ended, if the user does not know it already. */
export function exitCode(end: End, cli: LimitsCli): number {
  switch (end.kind) {
    case 'poweroff':
    case 'replayed':
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
      return end.orderly ? EXIT.ok : EXIT.interrupted;
  }
}
