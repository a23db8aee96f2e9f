/** What `explain` doubts at a stage-2 miss. */
import { describe, expect, test, vi } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { HOST_OWN } from '../../src/emu/cpu/csr-writers.ts';
import { explainLast } from '../../src/emu/debug/explain.ts';
import { explaining } from '../../src/emu/debug/explain-stop.ts';
import { RunControl } from '../../src/emu/debug/run-control.ts';
import { finish } from '../../src/emu/runtime/steps.ts';
import { Driven } from '../support/driven.ts';
import { TestMachine } from '../support/test-machine.ts';

const USETGID = 1n << 12n;
const TGID = 0xffn << 16n;
const DOUBT = /GTLBC\.TGID is (\d+) and the guest's GID 1: the refill fills an entry that this guest never finds/;

test('a refill is doubted when its entry would get another guest’s number, and only then', async () => {
  const driven = await Driven.boot(['hello']);
  const { control, booted } = driven;
  // The handler runs in direct address mode.
  const va = booted.symbols.address('_tlb_refill')! & 0xffff_ffff_ffffn;
  control.comparators.insert({ owner: driven, scope: 'host', va, hardware: false });
  expect(await driven.go()).toMatchObject({ kind: 'breakpoint', va });
  const cpu = control.machine.cpus[0]!;
  const gtlbc = cpu.host.get(CSR.GTLBC);
  expect([cpu.gid, gtlbc & USETGID, gtlbc & TGID]).toEqual([1, USETGID, 1n << 16n]);
  const said = (value: bigint): string => {
    cpu.host.put(CSR.GTLBC, value);
    return explainLast(control, cpu, booted.symbolize).join('\n');
  };
  expect(said(gtlbc)).toMatch(/VM exit from .*TLBR/);
  expect(said(gtlbc)).not.toMatch(DOUBT);
  expect(DOUBT.exec(said((gtlbc & ~TGID) | (7n << 16n)))?.[1]).toBe('7');
  // Without USETGID the entry gets the GID of the guest that missed, whatever TGID holds.
  expect(said((gtlbc & ~(TGID | USETGID)) | (7n << 16n))).not.toMatch(DOUBT);
});

test('the register that holds the GPA is named: TLBRBADV after a refill, BADV after other misses', async () => {
  const driven = await Driven.boot(['hello']);
  const { control, booted } = driven;
  const explained = (): string => explainLast(control, control.machine.cpus[0]!, booted.symbolize).join('\n');
  const va = booted.symbols.address('_tlb_refill')! & 0xffff_ffff_ffffn;
  control.comparators.insert({ owner: driven, scope: 'host', va, hardware: false });
  await driven.go();
  expect(explained()).toMatch(/TLBR: .*\n.*\n.*stage 1 turns into GPA 0x[0-9a-f]+ \(R\.TLBRBADV holds the GPA\)/);
  control.comparators.remove((b) => b.owner === driven);
  for (let n = 0; n < 40 && !/PI[LS]: /.test(explained()); n++) await driven.to('handle_exit');
  expect(explained()).toMatch(/PI[LS]: .*\n.*\n.*stage 1 turns into GPA 0x[0-9a-f]+ \(R\.BADV holds the GPA\)/);
});

test('an address of a device is only said to be one on the board’s own map, and only where stage 2 maps nothing', async () => {
  const driven = await Driven.boot(['hello']);
  const { control, booted } = driven;
  const [cpu] = control.machine.cpus;
  const explained = (): string => explainLast(control, cpu!, booted.symbolize).join('\n');
  for (let n = 0; n < 40 && !/PI[LS]:.*\n.*\n.*GPA 0x1fe0/.test(explained()); n++) await driven.to('handle_exit');
  expect(explained()).toMatch(
    /GPA 0x1fe0\w+ is the uart\w* on this board's own map: an MMIO access, if the VM has the same map/,
  );
});

test('who asks again at the same moment gets the same answer at once, until something is changed', async () => {
  const driven = await Driven.boot(['hello']);
  const { control, booted } = driven;
  const { history } = control;
  history.enable(true);
  await driven.to('handle_exit');
  const cpu = control.machine.cpus[0]!;
  const going = vi.spyOn(history, 'going');
  const ask = (): string[] => finish(explaining(control, cpu, booted.symbolize));
  const first = ask();
  expect(first.join('\n')).toMatch(/VM exit from/);
  const { length } = going.mock.calls;
  expect(length).toBeGreaterThan(0);
  expect(ask()).toEqual(first);
  expect(going.mock.calls).toHaveLength(length);
  // The next moment has the same event before it: its stretch of the past is known.
  const each = vi.spyOn(control.replayer, 'replayingEach');
  history.goto(history.position - 1);
  expect(ask()[0]).toBe(first[0]);
  expect(each).not.toHaveBeenCalled();
  history.goto(history.end);
  // It may be the answer that has changed.
  history.disturb();
  expect(ask()).toEqual(first);
  expect(going.mock.calls.length).toBeGreaterThan(length);
});

describe('a kernel with paging', () => {
  /** Instructions of a page. */
  const PAGE = 1024;
  const padded = (code: readonly string[]): string[] => [
    ...code,
    ...Array.from({ length: PAGE - code.length }, () => 'andi $zero, $zero, 0'),
  ];
  /** It runs through a direct mapping window. The handler of refills lies a page behind it, that of exceptions two. */
  const program = (body: readonly string[]): readonly string[] => [
    ...padded([
      ...['lu52i.d $t0, $zero, -1792', 'ori $t1, $t0, 1', 'csrwr $t1, 0x180'],
      ...['pcaddi $t2, 1021', 'csrwr $t2, 0x88', 'pcaddi $t2, 2043', 'or $t2, $t2, $t0', 'csrwr $t2, 0xc'],
      ...['pcaddi $t2, 3', 'or $t2, $t2, $t0', 'jirl $zero, $t2, 0'],
      ...['lu12i.w $t6, 0x100', 'csrwr $t6, 0x19', 'ori $t3, $zero, 0x10', 'csrwr $t3, 0'],
      ...body,
      'b 0',
    ]),
    ...padded([
      ...[
        'csrwr $t5, 0x8b',
        'csrrd $t5, 0x8e',
        'ori $t5, $t5, 12',
        'csrwr $t5, 0x8e',
        'ori $t5, $zero, 0x13',
        'csrwr $t5, 0x8c',
      ],
      ...['ori $t5, $zero, 0x13', 'csrwr $t5, 0x8d', 'tlbfill', 'csrrd $t5, 0x8b', 'ertn'],
    ]),
    ...['csrrd $t7, 6', 'addi.d $t7, $t7, 4', 'csrwr $t7, 6', 'ertn'],
  ];
  const said = (body: readonly string[]): string => {
    const { machine } = new TestMachine({ code: program(body) });
    const control = new RunControl(machine);
    control.history.enable(true);
    // On a busy computer a run may give up early.
    while (control.history.position < 200) control.history.run(200, 200);
    return finish(explaining(control, machine.cpus[0]!, () => undefined)).join('\n');
  };
  const USER = ['lu12i.w $t4, 0x40000', 'lu32i.d $t4, 0x7fff', 'ld.d $a0, $t4, 0'];

  test('that faults at an address of a program has lost no pointer of a hypervisor', () => {
    expect(said(USER)).not.toMatch(/cause/);
    expect(said(['ori $t4, $zero, 0x100', 'ld.d $a0, $t4, 0'])).toMatch(/cause +\$t4 = 0x100 comes from/);
  });

  test('whose newest event is explained: a cause of an earlier event is told with that event', () => {
    const text = said(['ori $t4, $zero, 0x101', 'll.d $a0, $t4, 0', ...USER]);
    expect(text).toMatch(/^exception in the host on cpu0: TLBR/);
    expect(text).toMatch(/\n +earlier +\[\d+\] exception in the host: ALE .*\n +cause +\$t4 = 0x101 comes from/);
    // The newest one itself is not told twice.
    expect(said(['ori $t4, $zero, 0x101', 'll.d $a0, $t4, 0'])).not.toMatch(/earlier/);
  });
});

test('a guest with the GID of the host has not written what the host has written for itself', () => {
  const { cpu } = new TestMachine();
  const { writers } = cpu;
  cpu.noteCsrWrite(CSR.CRMD, false, 8, 0);
  expect([writers.lastOfGuest(CSR.CRMD, (gid) => gid === 0), writers.last(HOST_OWN, CSR.CRMD)?.low]).toEqual([
    undefined,
    8,
  ]);
  cpu.vm = true;
  cpu.noteCsrWrite(CSR.CRMD, false, 16, 0);
  expect([writers.lastOfGuest(CSR.CRMD, (gid) => gid === 0)?.low, writers.last(HOST_OWN, CSR.CRMD)?.low]).toEqual([
    16, 8,
  ]);
});
