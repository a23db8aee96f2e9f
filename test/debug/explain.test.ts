/** What `explain` doubts at a stage-2 miss. */
import { expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { explainLast } from '../../src/emu/debug/explain.ts';
import { Driven } from '../support/driven.ts';

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
