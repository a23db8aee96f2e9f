/** No message of a kernel, and no move of files by another program at the same time, leads out of the shared folder. */
import { describe, expect, test } from 'vitest';
import { T } from '../support/p9-client.ts';
import { attack, race } from './attack.ts';

const SEEDS = [1, 3, 5];
const MESSAGES = 10_000;
/** Messages that are refused always, or that say nothing to a folder. */
const REFUSED: readonly number[] = [T.error, T.mknod];

describe('a hostile kernel', () => {
  test('random messages', () => {
    const reports = SEEDS.map((seed) => attack(seed, MESSAGES));
    const times = (type: number): number => reports.reduce((sum, { done }) => sum + (done[type] ?? 0), 0);
    // Something has happened: every message that can be obeyed was.
    for (const [name, type] of Object.entries(T))
      if (REFUSED.includes(type)) expect(times(type), name).toBe(0);
      else expect(times(type), name).toBeGreaterThan(0);
    expect(Math.max(...reports.map((r) => r.mostDescriptors))).toBeGreaterThan(20);
  });

  test('against a process that changes a name all the time', async () => {
    const { reached, refused } = await race(1000);
    // Both happened: it was a race.
    expect(reached).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(100);
  });
});
