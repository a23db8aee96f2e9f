/** Checks of stage 2 and of refills: tables, entries, and the TLB beside the tables. */
import { CSR, fieldNamed } from '../../cpu/csr-table.ts';
import { hex } from '../../formats/hex.ts';
import { FETCH, LOAD, STORE } from '../../mmu/stages.ts';
import { TLB_SIZE } from '../../tlb/tlb.ts';
import { HOST_WORLD, hostContext } from '../context.ts';
import { describeWrite, hasWritten, lastWrite } from '../csr-words.ts';
import { describeElo, walk, walkTable } from '../walk.ts';
import { pairOf } from './fills.ts';
import { causeOf, isFetchFault, type Moment, place } from './moment.ts';
import { instructionAt } from './provenance.ts';
import type { Step } from './stretch.ts';
import { blockWithoutH, walksTables } from './table-checks.ts';
import * as values from './values.ts';
import { takerOf } from './vector-checks.ts';

const FRAME = 0xffff_ffff_f000n;
const HUGE = 0x40n;
const ROOT = 0xffff_ffff_f000n;
/** Address bits that a huge page does not have, and a table does. */
const ENTRY_BITS = 0x1f_f000n;
const isStage2 = ({ r }: Moment): boolean => r.kind === 'exit' && r.stage2;
const rootOf = ({ cpu }: Moment): bigint => cpu.host.get(CSR.PGDL) & ROOT;
const table = (m: Moment, access: typeof LOAD | typeof STORE | typeof FETCH = LOAD) =>
  walkTable(hostContext(m.cpu), m.machine.ram, m.cpu.host.get(CSR.PGDL), m.r.badv, access);

export function wrongRoot(m: Moment): string | undefined {
  const { cpu, r, name, machine } = m;
  const root = rootOf(m);
  if (r.kind !== 'exit' && !(r.world >= 0 && causeOf(r) === 'INE')) return undefined;
  if (!isStage2(m) && causeOf(r) !== 'INE') return undefined;
  // A program may fill the TLB without tables.
  if (!walksTables(m, HOST_WORLD)) return undefined;
  if (!hasWritten(cpu, HOST_WORLD, CSR.PGDL))
    return 'the host never wrote PGDL: stage 2 is walked from 0, and the guest’s memory is mapped nowhere';
  const wrote = `(PGDL ${describeWrite(lastWrite(cpu, HOST_WORLD, CSR.PGDL), name)})`;
  if (root !== 0n && root === (cpu.host.get(CSR.PGDH) & ROOT))
    return `stage 2 is walked from ${hex(root)}, which is the host's own table (PGDH): PGDL must hold the root of the VM's stage-2 table ${wrote}`;
  if (isFetchFault(r) && isEmpty(machine.ram, root, 4))
    return `the table at ${hex(root)}, from which stage 2 is walked, maps nothing at all: it is not the VM's stage-2 table, or nobody has filled that before the entry ${wrote}`;
  return undefined;
}

/** Is no entry valid below a table? Tables that occur more than once are looked at once. */
function isEmpty(ram: Moment['machine']['ram'], root: bigint, depth: number, seen = new Set<bigint>()): boolean {
  if (seen.has(root)) return true;
  seen.add(root);
  const bytes = ram.read(Number(root), 0x1000);
  const words = new BigUint64Array(bytes.slice(0, bytes.length & ~7).buffer);
  return words.every((w) => {
    if (w === 0n) return true;
    if (w & 1n) return false;
    return (w & (FRAME ^ 0xfffn ^ 0xfffn)) === 0n || depth === 0 || isEmpty(ram, w & FRAME, depth - 1, seen);
  });
}

const accessFor = (cause: string): typeof LOAD | typeof STORE | typeof FETCH =>
  /^(PIF|PNX)$/.test(cause) ? FETCH : /^(PIS|PME)$/.test(cause) ? STORE : LOAD;

export function badEntry(m: Moment): string | undefined {
  const { r, machine } = m;
  if (!isStage2(m)) return undefined;
  const gpa = hex(r.badv);
  const found = table(m, accessFor(causeOf(r)));
  if (found.leaf?.huge && found.failure?.includes('a size that the TLB does not hold'))
    return `the directory entry ${hex(found.leaf.entry)} at ${hex(found.leaf.slot)} has bit 6 set: it is taken for a huge page, ${found.failure.replace(/^.*the page/, 'one that')}`;
  if (causeOf(r) === 'TLBR') return undefined;
  const { leaf } = found;
  const block = found.address === undefined ? blockWithoutH(m, r.badv) : undefined;
  if (block !== undefined) return block;
  if (!leaf && !walksTables(m, HOST_WORLD)) return undefined;
  if (!leaf)
    return `stage 2 has no table for GPA ${gpa}: ${found.failure?.replace(/^stage 2: /, '') ?? 'the walk ends early'}`;
  const where = `the stage-2 entry of GPA ${gpa} at ${hex(leaf.slot)} is ${hex(leaf.entry)}`;
  if (!(leaf.entry & 1n)) {
    if (!(leaf.entry & FRAME)) return undefined;
    return `${where}: it has a frame and V = 0, so it maps nothing`;
  }
  if (found.address !== undefined && !machine.ram.has(Number(found.address)) && !machine.bus.at(Number(found.address)))
    return `${where}: it leads to ${hex(found.address)}, where nothing is`;
  if (leaf.huge && isFetchFault(r)) return undefined;
  if (!found.fault) return undefined;
  const why: Readonly<Record<string, string>> = {
    PME: 'D = 0: it must not be written',
    PNR: 'NR is set',
    PNX: 'NX is set: nothing can be fetched from it',
  };
  const text = why[found.fault.exception];
  return text === undefined ? undefined : `${where}, with ${text}`;
}

/** Code that is no code: the frame holds zeros, or the address behind it is no RAM. */
export function nothingThere(m: Moment): string | undefined {
  const { r, ctx, machine } = m;
  if (r.world === HOST_WORLD) return codeOfHost(m);
  const found = walkTable(hostContext(m.cpu), machine.ram, m.cpu.host.get(CSR.PGDL), address0(m));
  if (found.leaf?.huge && found.leaf.entry & HUGE && found.leaf.entry & ENTRY_BITS)
    return `the directory entry ${hex(found.leaf.entry)} at ${hex(found.leaf.slot)}, for the guest's PC ${hex(r.pc)}, has bit 6 set: it is taken for a huge page, and leads to no table`;
  if (r.kind !== 'exception' || !/^(INE|ADEF)$/.test(causeOf(r))) return undefined;
  const { address } = walk(ctx, machine.ram, r.pc);
  if (address === undefined) return undefined;
  const frame = Number(address & ~0xfffn);
  if (!machine.ram.has(frame)) return `the guest's PC ${hex(r.pc)} leads to physical ${hex(address)}, where no RAM is`;
  if (machine.ram.read(frame, 0x1000).some((b) => b !== 0)) return undefined;
  return `the guest's PC ${place(m, r.world, r.pc)} leads to physical ${hex(address)}, and the page there holds nothing but zeros: stage 2 maps another frame than the one with the image, the image was not loaded, or the guest was sent to a wrong PC`;
}

/** The same for code of the host that a page table maps. */
function codeOfHost(m: Moment): string | undefined {
  const { r, ctx, machine, cpu, name } = m;
  if (r.kind !== 'exception' || causeOf(r) !== 'INE' || fieldNamed('CRMD', 'DA', ctx.csr(CSR.CRMD))) return undefined;
  const { address, leaf } = walk(ctx, machine.ram, r.pc);
  const frame = Number((address ?? 0n) & ~0xfffn);
  if (address === undefined || !machine.ram.has(frame) || machine.ram.read(frame, 0x1000).some((b) => b !== 0))
    return undefined;
  const size = leaf?.huge
    ? ''
    : ` (pages of 2^${fieldNamed('PWCL', 'PTbase', ctx.csr(CSR.PWCL))} bytes; PWCL ${describeWrite(lastWrite(cpu, HOST_WORLD, CSR.PWCL), name)})`;
  return `the host's PC ${place(m, r.world, r.pc)} leads to physical ${hex(address)}, and the page there holds nothing but zeros: its page table, or PWCL and PWCH, do not fit the place of the code${size}`;
}

/** The GPA of the guest's PC: stage 1 alone. */
function address0({ ctx, machine, r }: Moment): bigint {
  return fieldNamed('CRMD', 'DA', ctx.csr(CSR.CRMD))
    ? r.pc
    : (walk({ ...ctx, world: ctx.world }, machine.ram, r.pc).address ?? r.pc);
}

export function otherTgid(m: Moment): string | undefined {
  if (!isStage2(m) || causeOf(m.r) !== 'TLBR') return undefined;
  return values.otherTgid({ ...m, world: HOST_WORLD, csr: hostContext(m.cpu).csr });
}

export function wrongFill(m: Moment): string | undefined {
  const { past, r, name } = m;
  const again = causeOf(r) === 'TLBR' && r.pc !== r.vector ? missedAgain(m) : undefined;
  const ofGuest = r.kind === 'exception' && r.world !== HOST_WORLD;
  if (again?.byIndex !== undefined)
    return `${instructionAt(m.whole, again.byIndex, name)} writes the entry that TLBIDX names, where the address of the miss is not looked for: a refill needs tlbfill`;
  if (again?.steps.every((s) => s.tlb.every((t) => t.index < 0 || t.guestType !== ofGuest)))
    return `the refill handler at ${place(m, r.kind === 'exit' ? HOST_WORLD : r.world, r.vector)} returns and has filled nothing: a tlbfill is missing`;
  for (let n = past.length - 1; n >= 0; n--) {
    const wrong = past.steps[n]!.tlb.find((t) => t.wrong !== undefined)?.wrong;
    if (wrong !== undefined)
      return `${instructionAt(past, n, name)} fills ${wrong}: the refill handler does not take what the table has`;
  }
  return undefined;
}

/** The steps between the miss and the same miss before or behind it, and the `tlbwr` among them. */
export function missedAgain({
  whole,
  past,
  r,
}: Moment): { readonly steps: readonly Step[]; readonly byIndex: number | undefined } | undefined {
  const same = (n: number): boolean =>
    whole.steps[n]!.events.some((e) => e.kind === r.kind && e.ecode === r.ecode && e.pc === r.pc && e.badv === r.badv);
  const other = [
    whole.steps.findIndex((_, n) => n > past.length && same(n)),
    past.steps.findLastIndex((_, n) => same(n)),
  ].find((n) => n >= 0);
  if (other === undefined) return undefined;
  const [first, last] = [Math.min(other, past.length), Math.max(other, past.length)];
  const taker = takerOf(r);
  const byIndex = whole.steps.findIndex(
    (s, n) => n >= first && n <= last && s.world === taker && whole.row(n)?.name === 'tlbwr',
  );
  return { steps: whole.steps.slice(first, last + 1), byIndex: byIndex < 0 ? undefined : byIndex };
}

/** An entry of the TLB that the table no longer has. */
interface Stale {
  readonly gpa: bigint;
  readonly elo: bigint;
  readonly slot: bigint;
  readonly entry: bigint;
}

/** An entry of the TLB that the guest used or may use, and that its table does not have. */
function staleEntry({ r, cpu, machine }: Moment): Stale | undefined {
  if (r.kind !== 'exit' || causeOf(r) === 'TLBR' || machine.cpus.length > 1) return undefined;
  const host = hostContext(cpu);
  const root = host.csr(CSR.PGDL);
  for (let i = 0; i < TLB_SIZE; i++) {
    if (!cpu.htlb.e[i] || cpu.htlb.gid[i] !== r.gid || r.gid === 0) continue;
    const entry = cpu.htlb.view(i);
    const page = (1n << BigInt(entry.ps)) - 1n;
    for (const half of [0, 1] as const) {
      const gpa = pairOf(entry) + (BigInt(half) << BigInt(entry.ps));
      const { leaf, address } = walkTable(host, machine.ram, root, gpa, LOAD);
      if (!leaf) continue;
      const elo = entry.elo[half];
      const asked = r.hasBadv && r.badv >= gpa && r.badv <= gpa + page;
      // A page whose V was cleared, and whose frame stayed, is aged on purpose.
      const frame = address ?? (leaf.huge ? undefined : leaf.entry & FRAME);
      const moved = elo & 1n && frame !== undefined && (elo & FRAME & ~page) !== (frame & FRAME & ~page);
      if (moved || (asked && !leaf.huge && !(elo & 1n) && leaf.entry & 1n))
        return { gpa, elo, slot: leaf.slot, entry: leaf.entry };
    }
  }
  return undefined;
}

/** Another VM has run with the GID of this one, and its entries are still in the TLB. */
export function sharedGid(m: Moment): string | undefined {
  const { r, vms } = m;
  const other = vms.all().find((vm) => vm.gid === r.gid && vm.number !== r.world && !vm.ended);
  const found = other && staleEntry(m);
  if (!found) return undefined;
  return `VM ${r.world} and VM ${other.number} both run with GID ${r.gid}: the TLB has GPA ${hex(found.gpa)} as ${hex(found.elo)}, which the table of VM ${r.world} does not have (${hex(found.entry)} at ${hex(found.slot)})`;
}

export function stale(m: Moment): string | undefined {
  const found = staleEntry(m);
  if (!found) return undefined;
  const { gpa, elo, slot, entry } = found;
  return `the TLB still has GPA ${hex(gpa)} as ${hex(elo)} (${describeElo(elo)}), and the table at ${hex(slot)} has ${hex(entry)}: the entry must be invalidated after the table was changed${invalidation(m, gpa)}`;
}

/** What the last invtlb of the host was, and why it did not meet the entry. */
function invalidation({ past, r, name }: Moment, gpa: bigint): string {
  for (let n = past.length - 1; n >= 0; n--) {
    const step = past.steps[n]!;
    if (step.world !== HOST_WORLD || past.row(n)?.name !== 'invtlb') continue;
    const op = past.operand(n, 'code5');
    const rj = past.gpr(n, past.operand(n, 'rj'));
    const rk = past.gpr(n, past.operand(n, 'rk'));
    const gid = Number((rj >> 16n) & 0xffn);
    const what = `; the last invtlb, ${instructionAt(past, n, name)},`;
    if (op < 7 && (op < 5 || rk >> 15n !== gpa >> 15n)) continue;
    if (op < 7) return `${what} removes entries of the host alone (GID 0): use invtlb 0x16`;
    if ((op >= 9 && op <= 0xe) || op === 0x10 || op === 0x13)
      return `${what} removes guest-type entries (stage 1) alone: use invtlb 0x16`;
    if (op >= 0x14 && gid !== r.gid)
      return `${what} names GID ${gid} (rj = ${hex(rj)}) and the guest has ${r.gid}: the GID is in rj[23:16]`;
    if (op === 0x16 && rk >> 15n !== gpa >> 15n) return `${what} is for GPA ${hex(rk)}`;
    return '';
  }
  return `; no invtlb was executed in the ${past.length} instructions before`;
}
