/** Checks of a world's own TLB entries (of the host, or stage 1 of a guest): address spaces, and what stays behind a change of the table. */
import { CSR, fieldNamed } from '../../cpu/csr-table.ts';
import { hex } from '../../formats/hex.ts';
import { storesMemory } from '../../isa/traits.ts';
import type { Ram } from '../../memory/ram.ts';
import { addressBits, Leaf, type TableReader, walkTables } from '../../mmu/page-walk.ts';
import type { TlbEntryView } from '../../tlb/tlb.ts';
import { type DebugContext, HOST_WORLD } from '../context.ts';
import { worldName } from '../vms.ts';
import { describeElo, walkStage2 } from '../walk.ts';
import { pairOf } from './fills.ts';
import { causeOf, type Moment } from './moment.ts';
import { instructionAt } from './provenance.ts';
import { missedAgain } from './stage2-checks.ts';

const VA_BITS = 48;

/** Is an address in the pair of pages of an entry? */
const covers = (entry: TlbEntryView, va: bigint): boolean =>
  BigInt.asUintN(VA_BITS, va) >> BigInt(entry.ps + 1) ===
  BigInt.asUintN(VA_BITS, pairOf(entry)) >> BigInt(entry.ps + 1);

/** A miss that comes again although its handler has filled something. */
export function filledOtherwise(m: Moment): string | undefined {
  const { r, ctx, whole, name } = m;
  if (causeOf(r) !== 'TLBR' || r.kind !== 'exception' || r.pc === r.vector) return undefined;
  const again = missedAgain(m);
  if (!again) return undefined;
  const guestType = r.world !== HOST_WORLD;
  for (const step of again.steps) {
    const fill = step.tlb.find((t) => t.entry && t.guestType === guestType && t.by === 'tlbfill')?.entry;
    if (!fill || step.world !== r.world) continue;
    const by = instructionAt(whole, whole.steps.indexOf(step), name);
    if (!covers(fill, r.va))
      return `${by} fills the pages from ${hex(BigInt.asUintN(64, BigInt.asIntN(VA_BITS, pairOf(fill))))} (2^${fill.ps} bytes each), and ${hex(r.va)} was missed: TLBREHI must stay as the miss has set it`;
    const asid = fieldNamed('ASID', 'ASID', ctx.csr(CSR.ASID));
    if (!fill.global && fill.asid !== asid)
      return `${by} fills the page for ASID ${fill.asid}, and ${worldName(m.cpu, r.world)} has missed it with ASID ${asid}: an entry with G = 0 serves its own ASID alone`;
  }
  return undefined;
}

const FAULTS = /^(PI[LSF]|PME|PN[RX])$/;
/** Bits of an entry that refuse an access. */
const [V, D] = [1n, 2n];
const [NR, NX] = [1n << 61n, 1n << 62n];

/** Does an entry allow the access of a fault? */
function allows(cause: string, elo: bigint): boolean {
  if (!(elo & V)) return false;
  if (cause === 'PME' || cause === 'PIS') return (elo & D) !== 0n;
  if (cause === 'PNR') return !(elo & NR);
  return cause !== 'PNX' || !(elo & NX);
}

/** The table allows what the entry of the TLB still refuses. */
export function stale(m: Moment): string | undefined {
  const { r, ctx, cpu, machine } = m;
  const cause = causeOf(r);
  if (r.kind !== 'exception' || !FAULTS.test(cause) || fieldNamed('CRMD', 'DA', ctx.csr(CSR.CRMD))) return undefined;
  const host = r.world === HOST_WORLD;
  const asid = fieldNamed('ASID', 'ASID', ctx.csr(CSR.ASID));
  const tlb = host ? cpu.htlb : cpu.gtlb;
  const own = host ? 0 : r.gid;
  const entry = [...tlb.entries()].find((e) => e.gid === own && (e.global || e.asid === asid) && covers(e, r.va));
  const leaf = entry && tableEntry(ctx, machine.ram, r.va);
  if (!entry || !leaf) return undefined;
  const elo = entry.elo[Number((r.va >> BigInt(entry.ps)) & 1n) as 0 | 1];
  const has = (BigInt(leaf.hi >>> 0) << 32n) | BigInt(leaf.lo >>> 0);
  if (allows(cause, elo) || !allows(cause, has) || filledFromTable(m)) return undefined;
  return `the TLB still has ${hex(r.va)} as ${hex(elo)} (${describeElo(elo)}, ASID ${entry.asid}), and the table of ${worldName(cpu, r.world)} at ${hex(BigInt(leaf.slot))} has ${hex(has)}: the entry must be invalidated after the table was changed${lastInvtlb(m, entry)}`;
}

/** Was the entry filled after the last store of its world? Then the table has not changed since, and the fill took something else from it. */
function filledFromTable({ whole, past, r }: Moment): boolean {
  for (let n = past.length - 1; n >= 0; n--) {
    const { world, tlb } = whole.steps[n]!;
    if (tlb.some(({ entry }) => entry && covers(entry, r.va))) return true;
    const row = whole.row(n);
    if (world === r.world && row && storesMemory(row)) return false;
  }
  return false;
}

/** The entry for an address in a world's own tables, as they are in memory. */
function tableEntry(ctx: DebugContext, ram: Ram, va: bigint): Leaf | undefined {
  const { cpu, world } = ctx;
  const bank = world === HOST_WORLD ? cpu.host : cpu.guest;
  const num = (va >> 47n) & 1n ? CSR.PGDH : CSR.PGDL;
  const reader: TableReader = {
    lo: 0,
    hi: 0,
    read(_table, slot) {
      const at = world === HOST_WORLD ? BigInt(slot) : walkStage2(ctx, ram, ctx.gid, BigInt(slot)).address;
      const bytes = at === undefined ? new Uint8Array() : ram.read(Number(at), 8);
      if (bytes.length < 8) return false;
      const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
      this.lo = view.getInt32(0, true);
      this.hi = view.getInt32(4, true);
      return true;
    },
  };
  const leaf = new Leaf();
  const address = addressBits(Number(BigInt.asIntN(32, va)), Number(BigInt.asIntN(32, va >> 32n)));
  const root = addressBits(bank.lo(num), bank.hi(num));
  return walkTables(bank, root, address, false, reader, leaf) ? leaf : undefined;
}

/** What the last invtlb of the world was, and why it did not meet an entry. */
function lastInvtlb({ whole, past, r, name }: Moment, entry: TlbEntryView): string {
  for (let n = past.length - 1; n >= 0; n--) {
    if (whole.steps[n]!.world !== r.world || whole.row(n)?.name !== 'invtlb') continue;
    const op = whole.operand(n, 'code5');
    const what = `; the last invtlb, ${instructionAt(whole, n, name)},`;
    if (op === 2) return `${what} removes entries with G = 1 alone`;
    if (op < 3 || op > 6) return '';
    if (entry.global && op < 6)
      return `${what} leaves entries with G = 1, and this one has it: use invtlb 6, or clear G`;
    const asid = Number(whole.gpr(n, whole.operand(n, 'rj')) & 0x3ffn);
    if (op > 3 && !entry.global && asid !== entry.asid)
      return `${what} is for ASID ${asid} (rj), and the entry has ${entry.asid}`;
    const va = whole.gpr(n, whole.operand(n, 'rk'));
    if (op > 4 && !covers(entry, va)) return `${what} is for the page at ${hex(va)} (rk)`;
    return `${what} came before the table was changed, or the page was missed in between`;
  }
  return `; no invtlb was executed in the ${past.length} instructions before`;
}
