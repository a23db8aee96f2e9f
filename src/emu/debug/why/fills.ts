/** A TLB entry beside the page tables, at the moment at which it is filled. */
import type { Cpu } from '../../cpu/cpu.ts';
import { CSR } from '../../cpu/csr-table.ts';
import { hex } from '../../formats/hex.ts';
import type { Ram } from '../../memory/ram.ts';
import { LOAD } from '../../mmu/stages.ts';
import type { TlbEntryView } from '../../tlb/tlb.ts';
import { hostContext } from '../context.ts';
import { walkTable } from '../walk.ts';

const FRAME = 0xffff_ffff_f000n;

/** The address of the pair of pages of an entry. */
export const pairOf = ({ vppn, ps }: TlbEntryView): bigint =>
  ((BigInt(vppn) << 13n) >> BigInt(ps + 1)) << BigInt(ps + 1);

/** The half of an entry of the host or of stage 2 that is not what the tables say, in words. */
export function wrongHalf(cpu: Cpu, ram: Ram, fill: TlbEntryView): string | undefined {
  const host = hostContext(cpu);
  for (const half of [0, 1] as const) {
    const va = BigInt.asIntN(48, pairOf(fill) + (BigInt(half) << BigInt(fill.ps)));
    const root = fill.gid === 0 && va < 0n ? CSR.PGDH : CSR.PGDL;
    const { leaf, address } = walkTable(host, ram, host.csr(root), BigInt.asUintN(64, va), LOAD);
    if (!leaf || address === undefined || !(leaf.entry & 1n)) continue;
    const page = ~((1n << BigInt(fill.ps)) - 1n);
    if ((address & page) === (fill.elo[half] & FRAME & page) && fill.elo[half] & 1n) continue;
    const what = fill.gid === 0 ? 'page' : 'GPA';
    return `${what} ${hex(BigInt.asUintN(64, va))} (${half ? 'odd' : 'even'} page) with ${hex(fill.elo[half])} where the table has ${hex(leaf.entry)}`;
  }
  return undefined;
}
