/** Monitor commands that replay the past say how far they are. */
import { expect, test } from 'vitest';
import { Interrupted } from '../../src/emu/debug/turns.ts';
import type { Steps } from '../../src/emu/runtime/steps.ts';
import { replayed } from '../../src/gdbstub/monitor/replayed.ts';
import type { Target } from '../../src/gdbstub/target.ts';

/** A target with a clock and a position that the test moves. */
function rig(): { s: Target; history: { position: number }; clock: { ms: number }; said: string[] } {
  const history = { position: 100 };
  const clock = { ms: 0 };
  const said: string[] = [];
  const s = {
    control: { history },
    machine: { options: { runtime: { now: () => clock.ms } } },
    output: (text: string) => void said.push(text),
  } as unknown as Target;
  return { s, history, clock, said };
}

test('once a second the console shows the position', () => {
  const { s, history, clock, said } = rig();
  function* work(): Steps<string> {
    for (let n = 0; n < 30; n++) {
      history.position++;
      clock.ms += 100;
      yield;
    }
    return 'done\n';
  }
  const steps = replayed(s, work());
  let piece = steps.next();
  while (!piece.done) piece = steps.next();
  expect(piece.value).toBe('done\n');
  expect(said).toEqual([110, 120, 130].map((n) => `replaying, at instruction ${n}\n`));
});

test('Ctrl-C ends the replay, and the answer says where the machine is', () => {
  const { s, history } = rig();
  let ended = false;
  function* work(): Steps<string> {
    try {
      history.position = 42;
      for (;;) yield;
    } finally {
      ended = true;
    }
  }
  const steps = replayed(s, work());
  steps.next();
  expect(steps.throw(new Interrupted()).value).toBe(
    "interrupted at instruction 42: 'monitor goto 100' goes back to where it began\n",
  );
  expect(ended).toBe(true);
});

test('a client that is gone ends the replay, too', () => {
  const { s } = rig();
  let ended = false;
  function* work(): Steps<string> {
    try {
      for (;;) yield;
    } finally {
      ended = true;
    }
  }
  const steps = replayed(s, work());
  steps.next();
  steps.return('');
  expect(ended).toBe(true);
});
