/** When code becomes hot: by the number of branches to it, and sooner where much is executed behind each. */
import { expect, test } from 'vitest';
import { TestMachine } from '../support/test-machine.ts';

/** Is a loop of so many instructions translated when it has turned so often? */
function isTranslated(length: number, turns: number): boolean {
  const body = Array.from({ length: length - 1 }, () => 'xor $a1, $a1, $a0');
  const m = new TestMachine({ engine: 'auto', code: [...body, `b -${4 * (length - 1)}`] });
  m.run(turns * length);
  const { regions } = m.machine;
  // Usually more hot code is waited for.
  regions!.translate();
  return regions!.translated > 0;
}

test.each([2, 20])('a loop of %i instructions is translated after 24,576 branches', (length) => {
  expect([isTranslated(length, 24_000), isTranslated(length, 28_000)]).toEqual([false, true]);
});

test.each([
  [60, 10_000],
  [150, 4000],
  // As far as a region reaches.
  [1000, 3750],
])('one of %i instructions, in which much is executed behind a branch, after %i', (length, branches) => {
  expect([isTranslated(length, branches - 200), isTranslated(length, branches + 1100)]).toEqual([false, true]);
});
