/** Random sessions of real gdbs, a few of them; `./scripts/gdb-sessions` plays thousands. */
import { expect, test } from 'vitest';
import { GDBS } from '../support/gdb-session.ts';
import { referenceMachine } from '../support/random-session/machines.ts';
import { play } from '../support/random-session/play.ts';

const SESSIONS = GDBS.flatMap(([name, gdb], n) =>
  [1, 2, 3, 4].map((k) => [`session ${k}${n} of ${name}`, gdb, 10 * k + n] as const),
);

test.each(SESSIONS)(
  '%s: no abort, no hang, no wrong answer, and the guests end well',
  {
    timeout: 300_000,
  },
  async (_, gdb, seed) => {
    const debuggee = referenceMachine(seed, 1 + (seed & 1));
    const { faults, transcript } = await play({ seed, debuggee, gdb, gdbs: seed % 20 < 10 ? 2 : 1, commands: 15 });
    expect(faults, transcript).toEqual([]);
  },
);
