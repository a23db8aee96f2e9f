/** What ends a campaign before its last run: its time, or a signal. Then no more runs begin, and what was found is told. */
import { say } from '../ending.ts';
import { EXIT } from '../errors.ts';

const MS_PER_MINUTE = 60_000;

/**
 * Listens to SIGINT and SIGTERM. The first one ends the campaign, the next one the program.
 * @param minutes after which it ends in any case; undefined: never
 * @returns `signal`: no more runs may begin. `close`: it is over
 */
export function campaignEnd(minutes: number | undefined): { readonly signal: AbortSignal; readonly close: () => void } {
  const end = new AbortController();
  const interrupted = (): void => {
    if (end.signal.aborted) process.exit(EXIT.interrupted);
    say(
      'no more runs begin; those that have begun are finished, and what was found is reduced and told. Ctrl-C ends it now',
    );
    end.abort();
  };
  const timer = minutes === undefined ? undefined : setTimeout(() => end.abort(), minutes * MS_PER_MINUTE);
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  return {
    signal: end.signal,
    close: () => {
      clearTimeout(timer);
      process.off('SIGINT', interrupted);
      process.off('SIGTERM', interrupted);
    },
  };
}
