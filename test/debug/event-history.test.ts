/** The history of events: repeats are one group, and what came before them is kept. */
import { describe, expect, test } from 'vitest';
import type { EventRecord } from '../../src/emu/cpu/event-ring.ts';
import { ecodeOf } from '../../src/emu/cpu/exception-table.ts';
import { describeGroup, fold, lastEvents } from '../../src/emu/debug/event-history.ts';
import { RunControl } from '../../src/emu/debug/run-control.ts';
import { finish } from '../../src/emu/runtime/steps.ts';
import { counted } from '../support/counted.ts';
import { TestMachine } from '../support/test-machine.ts';

const CAUSES = { a: 'ADEF', i: 'INE', s: 'SYS' } as const;
/** Events named by letters, at other times. */
const events = (letters: string): EventRecord[] =>
  [...letters].map((c, n) => ({
    ...{ kind: 'exception', world: -1, gid: 0, time: n, pc: BigInt(c.charCodeAt(0)), va: 0n, badv: 0n, hasBadv: false },
    ...{ ecode: ecodeOf(CAUSES[c as keyof typeof CAUSES]), esub: 0, badi: 0, crmd: 0, vector: 0n, stage2: false },
  })) as EventRecord[];
const folded = (letters: string): string[] =>
  fold(events(letters)).map(
    ({ round, times }) => `${times} ${round.map((e) => String.fromCharCode(Number(e.pc))).join('')}`,
  );

describe('repeats', () => {
  test.each([
    ['saaaaaaaa', ['1 s', '8 a']],
    ['aas', ['1 a', '1 a', '1 s']],
    ['sisisisisis', ['5 si', '1 s']],
    ['aaaasiasiasiasias', ['4 a', '4 sia', '1 s']],
  ] as [string, string[]][])('%s', (letters, groups) => expect(folded(letters)).toEqual(groups));

  test('in words', () => {
    expect(describeGroup(fold(events('aaaaa'))[0]!, () => undefined)).toEqual([
      expect.stringMatching(/^5 × \[0\] exception in the host: ADEF/),
    ]);
    expect(describeGroup(fold(events('sisisisi'))[0]!, () => undefined)).toEqual([
      '4 × these 2:',
      expect.stringMatching(/^ {2}\[0\] .*SYS/),
      expect.stringMatching(/^ {2}\[1\] .*INE/),
    ]);
  });
});

test('what came before a repetition that fills the ring is found', async () => {
  const { machine } = new TestMachine({ code: ['lu12i.w $t0, 0x300', 'csrwr $t0, EENTRY', 'syscall 0'] });
  const control = new RunControl(machine, { limits: { maxInstructions: 100_000 }, loopsGoOn: true });
  control.history.enable(true);
  await control.run();
  const [cpu] = machine.cpus;
  expect(cpu!.events.total).toBeGreaterThan(50_000);
  const groups = finish(lastEvents(control, cpu!, 20));
  const { total } = cpu!.events;
  expect(groups.map(({ round, times }) => [round.length, times, round[0]!.ecode])).toEqual([
    [1, 1, ecodeOf('SYS')],
    [1, total - 1, ecodeOf('INE')],
  ]);
  expect(machine.instructions).toBe(100_000);
});

test('the beginning of a repetition is sought once', () => {
  const { machine, cpu } = new TestMachine({ code: ['lu12i.w $t0, 0x300', 'csrwr $t0, EENTRY', 'syscall 0'] });
  const control = new RunControl(machine);
  const { history } = control;
  history.enable(true);
  history.replay(300_000);
  const causes = (): number[] => finish(lastEvents(control, cpu, 20)).map(({ round }) => round[0]!.ecode);
  const want = [ecodeOf('SYS'), ecodeOf('INE')];
  expect(causes()).toEqual(want);
  const cost = (): number => {
    const ran = counted(machine);
    expect(causes()).toEqual(want);
    return ran();
  };
  history.goto(280_000);
  expect(cost()).toBeLessThan(150_000);
  // Here the search would not come so far, and behind a change the past may be another one.
  history.goto(150_000);
  expect(cost()).toBeGreaterThan(150_000);
  history.goto(300_000);
  history.disturb();
  expect(cost()).toBeGreaterThan(200_000);
});
