/** Monitor commands that replay the past: they say how far they are, and where Ctrl-C has left the machine. */
import { Interrupted } from '../../emu/debug/turns.ts';
import type { Steps } from '../../emu/replay/steps.ts';
import type { Target } from '../target.ts';

/** Milliseconds between two lines of progress. */
const PROGRESS_MS = 1000;

/** Does the work of a command. While it lasts, the user's console shows the position of the replay. */
export function* replayed(s: Target, steps: Steps<string>): Steps<string> {
  const { history } = s.control;
  const { runtime } = s.machine.options;
  const from = history.position;
  let told = runtime.now();
  try {
    for (;;) {
      const piece = steps.next();
      if (piece.done) return piece.value;
      if (runtime.now() - told >= PROGRESS_MS) {
        told = runtime.now();
        s.output(`replaying, at instruction ${history.position}\n`);
      }
      yield;
    }
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    return `interrupted at instruction ${history.position}: 'monitor goto ${from}' goes back to where it began\n`;
  } finally {
    // Ends a replay that is not over, so that the machine can stop again.
    steps.return('');
  }
}
