/** Long work says on the user's console how far it is. gdb waits as long as it does, because a text is an answer. */
import type { Steps } from '../emu/runtime/steps.ts';
import type { Target } from './target.ts';

/** Milliseconds between two lines of progress. */
const PROGRESS_MS = 1000;

/** Does the work. While it lasts, the console shows the position of the machine. @param what it does, as `replaying` */
export function* telling<T>(
  s: Pick<Target, 'control' | 'machine' | 'output'>,
  what: string,
  steps: Steps<T>,
): Steps<T> {
  const { runtime } = s.machine.options;
  let told = runtime.now();
  try {
    for (let piece = steps.next(); ; ) {
      if (piece.done) return piece.value;
      if (runtime.now() - told >= PROGRESS_MS) {
        told = runtime.now();
        s.output(`${what}, at instruction ${s.control.history.position}\n`);
      }
      let interruption: unknown;
      try {
        yield;
      } catch (error) {
        interruption = error;
      }
      piece = interruption === undefined ? steps.next() : steps.throw(interruption);
    }
  } finally {
    // Ends work that is not over, so that the machine can stop again.
    steps.return(undefined as T);
  }
}
