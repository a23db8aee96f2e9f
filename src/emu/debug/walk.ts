/**
 * Translation without side effects: the same steps as the hardware's, each one reported, and a walk of the page tables
 * behind the TLB where the TLB does not know (software refills it, so "not in the TLB" is not "not mapped").
 */
import type { Ram } from '../board/ram.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { CSR } from '../cpu/csr-table.ts';
import type { Tlb, TlbEntryView } from '../mmu/tlb.ts';
import { type DebugContext, HOST_WORLD } from './context.ts';

/** Outcome of one stage or of both. */
export interface WalkResult {
  /** The address reached, undefined when the walk failed. */
  readonly address: bigint | undefined;
  /** What each step found, for people. */
  readonly steps: readonly string[];
  /** Why it failed. */
  readonly failure?: string;
  /** The page-table entry that answered, where tables were walked to their end. */
  readonly leaf?: { readonly slot: bigint; readonly entry: bigint; readonly huge: boolean };
}

const hex = (v: bigint | number): string => `0x${v.toString(16)}`;
const MASK48 = (1n << 48n) - 1n;

/** Permission and attribute bits of a TLBELO value or page-table entry, in words. */
export function describeElo(elo: bigint): string {
  const bit = (n: number): bigint => (elo >> BigInt(n)) & 1n;
  const parts = [
    bit(0) ? 'V' : 'not valid (V=0)',
    bit(1) ? 'D (writable)' : 'clean (D=0)',
    `PLV${(elo >> 2n) & 3n}`,
    `MAT=${(elo >> 4n) & 3n}`,
  ];
  if (bit(6)) parts.push('G');
  if (bit(61)) parts.push('NR');
  if (bit(62)) parts.push('NX');
  return parts.join(' ');
}

/** One TLB entry as a line. */
export function describeEntry(e: TlbEntryView): string {
  const va = BigInt(e.vppn) << 13n;
  return `#${e.index} ${e.gid ? `gid ${e.gid} ` : ''}asid ${e.asid}${e.global ? ' G' : ''} VPPN ${hex(va)} PS ${e.ps}: even ${hex(e.elo[0])}, odd ${hex(e.elo[1])}`;
}

function readWord(ram: Ram, pa: bigint): bigint | undefined {
  const bytes = ram.read(Number(pa), 8);
  if (bytes.length < 8) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
}

/** Geometry of the page tables that PWCL/PWCH of a CSR file describe, top level first; level 0 is the page table. */
function levels(csr: (num: number) => bigint): { level: number; base: bigint; width: bigint }[] {
  const pwcl = csr(CSR.PWCL);
  const pwch = csr(CSR.PWCH);
  return [
    { level: 4, base: (pwch >> 12n) & 0x3fn, width: (pwch >> 18n) & 0x3fn },
    { level: 3, base: pwch & 0x3fn, width: (pwch >> 6n) & 0x3fn },
    { level: 2, base: (pwcl >> 20n) & 0x1fn, width: (pwcl >> 25n) & 0x1fn },
    { level: 1, base: (pwcl >> 10n) & 0x1fn, width: (pwcl >> 15n) & 0x1fn },
    { level: 0, base: pwcl & 0x1fn, width: (pwcl >> 5n) & 0x1fn },
  ].filter((l) => l.width > 0n);
}

/** Walks page tables from `root`. `read` reads a table slot at an address of the table's space. */
function walkTables(
  csr: (num: number) => bigint,
  root: bigint,
  address: bigint,
  what: string,
  read: (pa: bigint) => bigint | undefined,
): WalkResult {
  const steps: string[] = [`${what}: page tables at ${hex(root)}`];
  const geometry = levels(csr);
  if (root === 0n || geometry.length === 0) {
    const failure = root === 0n ? `${what}: no page table (PGD is 0)` : `${what}: PWCL/PWCH describe no levels`;
    return { address: undefined, steps: [...steps, failure], failure };
  }
  let table = root & MASK48 & ~0xfffn;
  for (const { level, base, width } of geometry) {
    const index = (address >> base) & ((1n << width) - 1n);
    const slot = table + index * 8n;
    const entry = read(slot);
    if (entry === undefined) {
      const failure = `${what}: the table at ${hex(table)} (level ${level}) is not in memory`;
      return { address: undefined, steps: [...steps, failure], failure };
    }
    const huge = level > 0 && (entry & 0x40n) !== 0n;
    steps.push(`${what}: level ${level} [${index}] at ${hex(slot)} = ${hex(entry)}${huge ? ' (huge page)' : ''}`);
    if (level === 0 || huge) {
      if (!(entry & 1n)) {
        const failure = `${what}: the page-table entry is not valid (V=0)`;
        return { address: undefined, steps: [...steps, failure], failure, leaf: { slot, entry, huge } };
      }
      const size = 1n << base;
      const frame = entry & MASK48 & ~0xfffn & ~(size - 1n);
      steps.push(`${what}: ${describeElo(huge ? entry & ~0x40n : entry)}`);
      return { address: frame + (address & (size - 1n)), steps, leaf: { slot, entry, huge } };
    }
    table = entry & MASK48 & ~0xfffn;
    if (table === 0n) {
      const failure = `${what}: the level-${level} entry is empty`;
      return { address: undefined, steps: [...steps, failure], failure };
    }
  }
  return { address: undefined, steps };
}

/** Looks an address up in a TLB. `asid` −1 ignores it. */
function probe(tlb: Tlb, address: bigint, gid: number, asid: number, ps: bigint, what: string): WalkResult | undefined {
  const i = tlb.find(Number((address & MASK48) >> 13n), gid, asid, Number(ps));
  if (i < 0) return undefined;
  const entry = tlb.view(i);
  const elo = entry.elo[tlb.half(i, Number((address & MASK48) >> 12n))]!;
  const steps = [`${what}: TLB entry ${describeEntry(entry)}`, `${what}: ${describeElo(elo)}`];
  if (!(elo & 1n)) return { address: undefined, steps, failure: `${what}: the TLB entry is not valid (V=0)` };
  const size = 1n << BigInt(entry.ps);
  return { address: (elo & MASK48 & ~0xfffn & ~(size - 1n)) + (address & (size - 1n)), steps };
}

/** GPA → HPA for guest `gid`, from the TLB or the stage-2 tables last used for that guest. */
export function walkStage2(ctx: DebugContext, ram: Ram, gid: number, gpa: bigint): WalkResult {
  const { cpu } = ctx;
  const found = probe(cpu.htlb, gpa, gid, -1, cpu.host.get(CSR.STLBPS) & 0x3fn, 'stage 2');
  if (found?.address !== undefined) return found;
  const root = ctx.stage2Root();
  const steps = found?.steps ?? [`stage 2: no TLB entry for GPA ${hex(gpa)} of gid ${gid}`];
  if (root === undefined) {
    const failure = found?.failure ?? `stage 2: no TLB entry, and no stage-2 table is known for gid ${gid}`;
    return { address: undefined, steps: [...steps, failure], failure };
  }
  const host = (num: number): bigint => cpu.host.get(num);
  const walked = walkTables(host, root, gpa, 'stage 2', (pa) => readWord(ram, pa));
  return { ...walked, steps: [...steps, ...walked.steps] };
}

/** The stage-2 table entry of a GPA, by the tables that the host's PGDL has now. */
export function stage2Leaf(cpu: Cpu, ram: Ram, gpa: bigint): WalkResult['leaf'] {
  const host = (num: number): bigint => cpu.host.get(num);
  return walkTables(host, host(CSR.PGDL), gpa, 'stage 2', (pa) => readWord(ram, pa)).leaf;
}

/**
 * VA → physical address in the world of `ctx`: the GPA of a guest, the final address of the host.
 * @param plv privilege level of the access; the context's own when it is not said
 */
export function walkStage1(ctx: DebugContext, ram: Ram, va: bigint, plv = ctx.csr(CSR.CRMD) & 3n): WalkResult {
  const { cpu, world } = ctx;
  const guest = world !== HOST_WORLD;
  const what = guest ? 'stage 1' : 'host';
  const crmd = ctx.csr(CSR.CRMD);
  const flat = va & MASK48;
  if ((crmd & 0x18n) !== 0x10n)
    return { address: flat, steps: [`${what}: direct address mode (CRMD.DA=1): ${hex(flat)}`] };
  for (let n = 0; n < 4; n++) {
    const dmw = ctx.csr(CSR.DMW0 + n);
    if (dmw >> 60n === va >> 60n && (dmw >> plv) & 1n)
      return { address: flat, steps: [`${what}: direct mapping window DMW${n} (${hex(dmw)}): ${hex(flat)}`] };
  }
  const top = va >> 47n;
  if (top !== 0n && top !== 0x1ffffn) {
    const failure = `${what}: ${hex(va)} is not canonical and no DMW window with VSEG=${hex(va >> 60n)} is open to PLV${plv}`;
    return { address: undefined, steps: [failure], failure };
  }
  const asid = Number(ctx.csr(CSR.ASID) & 0x3ffn);
  const tlb = guest ? cpu.gtlb : cpu.htlb;
  const found = probe(tlb, va, guest ? world : 0, asid, ctx.csr(CSR.STLBPS) & 0x3fn, what);
  if (found?.address !== undefined) return found;
  const steps = found?.steps ?? [`${what}: no DMW window and no TLB entry for ${hex(va)}, asid ${asid}`];
  const root = ctx.csr(va >> 63n ? CSR.PGDH : CSR.PGDL);
  const read = (slot: bigint): bigint | undefined => {
    if (!guest) return readWord(ram, slot);
    const second = walkStage2(ctx, ram, world, slot);
    return second.address === undefined ? undefined : readWord(ram, second.address);
  };
  const walked = walkTables((num) => ctx.csr(num), root, va, what, read);
  return { ...walked, steps: [...steps, ...walked.steps] };
}

/** VA → host physical address through every stage of the context's world. `plv`: as for {@link walkStage1}. */
export function walk(ctx: DebugContext, ram: Ram, va: bigint, plv?: bigint): WalkResult {
  const first = walkStage1(ctx, ram, va, plv);
  if (ctx.world === HOST_WORLD || first.address === undefined) return first;
  const second = walkStage2(ctx, ram, ctx.world, first.address);
  return { ...second, steps: [...first.steps, ...second.steps] };
}
