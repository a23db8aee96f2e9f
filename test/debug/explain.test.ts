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
