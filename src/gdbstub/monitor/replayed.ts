/** Monitor commands that replay the past: they say how far they are, and where Ctrl-C has left the machine. */
import { Interrupted } from '../../emu/debug/turns.ts';
import type { Steps } from '../../emu/runtime/steps.ts';
import { telling } from '../progress.ts';
import type { Target } from '../target.ts';

/** Does the work of a command. While it lasts, the user's console shows the position of the replay. */
export function* replayed(s: Target, steps: Steps<string>): Steps<string> {
  const { history } = s.control;
  const from = history.position;
  try {
    return yield* telling(s, 'replaying', steps);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    return `interrupted at instruction ${history.position}: 'monitor goto ${from}' goes back to where it began\n`;
  }
}
