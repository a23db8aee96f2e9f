/** Lines about what the running machine does, on the user's console. */
import type { Target } from './target.ts';

/** Lines that are told before the machine stops, so that the user can read them. */
export const MOST_TOLD = 5000;

/**
 * Tells lines while the client waits for the machine.
 * @returns a function that tells a line, and says whether the machine may go on
 */
export function telling(s: Pick<Target, 'running' | 'detached' | 'output'>): (text: string) => boolean {
  let told = 0;
  return (text) => {
    if (!s.running || s.detached) return true;
    if (told === MOST_TOLD) {
      told = 0;
      return false;
    }
    told++;
    s.output(text);
    return true;
  };
}
