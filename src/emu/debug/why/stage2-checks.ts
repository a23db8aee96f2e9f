/** Checks of stage 2 and of refills: tables, entries, and the TLB beside the tables. */
import { fieldOf, GTLBC, PWCH, PWCL } from '../../cpu/csr-fields.ts';
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

const FRAME = 0xffff_ffff_f000n;
const HUGE = 0x40n;
const ROOT = 0xffff_ffff_f000n;
/** Address bits that a huge page does not have, and a table does. */
const ENTRY_BITS = 0x1f_f000n;
const isStage2 = ({ r }: Moment): boolean => r.kind === 'exit' && r.stage2;
const rootOf = ({ cpu }: Moment): bigint => cpu.host.get(CSR.PGDL) & ROOT;
const table = (m: Moment, access: typeof LOAD | typeof STORE | typeof FETCH = LOAD) =>
  walkTable(hostContext(m.cpu), m.machine.ram, m.cpu.host.get(CSR.PGDL), m.r.badv, access);

/** A level of page tables: its name, and the bits of the address that choose an entry. */
interface Level {
  readonly name: string;
  readonly base: number;
  readonly width: number;
}

export function geometry({ cpu, ctx, r, name }: Moment): string | undefined {
  if (!r.hasBadv && causeOf(r) !== 'INE') return undefined;
  const host = r.kind === 'exit' || r.world === HOST_WORLD;
  const csr = host ? hostContext(cpu) : ctx;
  const [l, h] = [Number(csr.csr(CSR.PWCL)), Number(csr.csr(CSR.PWCH))];
  const levels: readonly Level[] = [
    { name: 'PTbase', base: fieldOf(l, PWCL.PTbase), width: fieldOf(l, PWCL.PTwidth) },
    { name: 'Dir1_base', base: fieldOf(l, PWCL.Dir1_base), width: fieldOf(l, PWCL.Dir1_width) },
    { name: 'Dir2_base', base: fieldOf(l, PWCL.Dir2_base), width: fieldOf(l, PWCL.Dir2_width) },
    { name: 'Dir3_base', base: fieldOf(h, PWCH.Dir3_base), width: fieldOf(h, PWCH.Dir3_width) },
    { name: 'Dir4_base', base: fieldOf(h, PWCH.Dir4_base), width: fieldOf(h, PWCH.Dir4_width) },
  ].filter((level) => level.width > 0);
  for (let n = 1; n < levels.length; n++) {
    const [below, level] = [levels[n - 1]!, levels[n]!];
    const end = below.base + below.width;
    if (level.base === end) continue;
    const num = level.name < 'Dir3' && level.name.startsWith('Dir') ? CSR.PWCL : CSR.PWCH;
    const which = num === CSR.PWCL ? 'PWCL' : 'PWCH';
    return `${which}.${level.name} is ${level.base}, and the level below (${below.name} ${below.base}, ${below.width} bits) ends at bit ${end}: addresses find wrong entries (${which} ${describeWrite(lastWrite(cpu, host ? HOST_WORLD : r.world, num), name)})`;
  }
  return undefined;
}

export function wrongRoot(m: Moment): string | undefined {
  const { cpu, r, name, machine } = m;
  const root = rootOf(m);
  if (r.kind !== 'exit' && !(r.world >= 0 && causeOf(r) === 'INE')) return undefined;
  if (!isStage2(m) && causeOf(r) !== 'INE') return undefined;
  if (!hasWritten(cpu, HOST_WORLD, CSR.PGDL))
    return 'the host never wrote PGDL: stage 2 is walked from 0, and the guest’s memory is mapped nowhere';
  const wrote = `(PGDL ${describeWrite(lastWrite(cpu, HOST_WORLD, CSR.PGDL), name)})`;
  if (root !== 0n && root === (cpu.host.get(CSR.PGDH) & ROOT))
    return `stage 2 is walked from ${hex(root)}, which is the host's own table (PGDH): PGDL must hold the root of the VM's stage-2 table ${wrote}`;
  if (isFetchFault(r) && isEmpty(machine.ram, root, 4))
    return `the table at ${hex(root)}, from which stage 2 is walked, maps nothing at all: PGDL must hold the root of the VM's stage-2 table when the guest is entered ${wrote}`;
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

/** Guest code that is no code: the frame holds zeros, or the address behind it is no RAM. */
export function nothingThere(m: Moment): string | undefined {
  const { r, ctx, machine } = m;
  if (r.world < 0) return undefined;
  const found = walkTable(hostContext(m.cpu), machine.ram, m.cpu.host.get(CSR.PGDL), address0(m));
  if (found.leaf?.huge && found.leaf.entry & HUGE && found.leaf.entry & ENTRY_BITS)
    return `the directory entry ${hex(found.leaf.entry)} at ${hex(found.leaf.slot)}, for the guest's PC ${hex(r.pc)}, has bit 6 set: it is taken for a huge page, and leads to no table`;
  if (r.kind !== 'exception' || !/^(INE|ADEF)$/.test(causeOf(r))) return undefined;
  const { address } = walk(ctx, machine.ram, r.pc);
  if (address === undefined) return undefined;
  const frame = Number(address & ~0xfffn);
  if (!machine.ram.has(frame)) return `the guest's PC ${hex(r.pc)} leads to physical ${hex(address)}, where no RAM is`;
  if (machine.ram.read(frame, 0x1000).some((b) => b !== 0)) return undefined;
  return `the guest's PC ${place(m, r.world, r.pc)} leads to physical ${hex(address)}, and the page there holds nothing but zeros: stage 2 maps another frame than the one with the image, or the image was not loaded`;
}

/** The GPA of the guest's PC: stage 1 alone. */
function address0({ ctx, machine, r }: Moment): bigint {
  return fieldNamed('CRMD', 'DA', ctx.csr(CSR.CRMD))
    ? r.pc
    : (walk({ ...ctx, world: ctx.world }, machine.ram, r.pc).address ?? r.pc);
}

export function otherTgid(m: Moment): string | undefined {
  const { r, cpu, name } = m;
  if (!isStage2(m) || causeOf(r) !== 'TLBR') return undefined;
  const gtlbc = cpu.host.get(CSR.GTLBC);
  const tgid = fieldOf(Number(gtlbc), GTLBC.TGID);
  if (!fieldNamed('GTLBC', 'USETGID', gtlbc) || tgid === r.gid) return undefined;
  return `GTLBC.TGID is ${tgid} and the guest's GID ${r.gid}: the refill fills an entry that this guest never finds (GTLBC ${describeWrite(lastWrite(cpu, HOST_WORLD, CSR.GTLBC), name)})`;
}

export function wrongFill(m: Moment): string | undefined {
  const { past, r, name } = m;
  if (causeOf(r) === 'TLBR' && r.pc !== r.vector && missesAgain(m))
    return `the refill handler at ${place(m, r.kind === 'exit' ? HOST_WORLD : r.world, r.vector)} returns and has filled nothing: a tlbfill is missing`;
  for (let n = past.length - 1; n >= 0; n--) {
    const wrong = past.steps[n]!.tlb.find((t) => t.wrong !== undefined)?.wrong;
    if (wrong !== undefined)
      return `${instructionAt(past, n, name)} fills ${wrong}: the refill handler does not take what the table has`;
  }
  return undefined;
}

/** Was the same miss taken before or behind the event, with nothing filled in between? */
function missesAgain({ whole, past, r }: Moment): boolean {
  const same = (n: number): boolean =>
    whole.steps[n]!.events.some((e) => e.kind === r.kind && e.ecode === r.ecode && e.pc === r.pc && e.badv === r.badv);
  const other = [
    whole.steps.findIndex((_, n) => n > past.length && same(n)),
    past.steps.findLastIndex((_, n) => same(n)),
  ].find((n) => n >= 0);
  if (other === undefined) return false;
  const between = whole.steps.slice(Math.min(other, past.length), Math.max(other, past.length) + 1);
  const ofGuest = r.kind === 'exception' && r.world !== HOST_WORLD;
  return between.every((s) => s.tlb.every((t) => t.index < 0 || t.guestType !== ofGuest));
}

/** An entry of the TLB that the guest used or may use, and that the table no longer has. */
export function stale(m: Moment): string | undefined {
  const { r, cpu, machine } = m;
  if (r.kind !== 'exit' || causeOf(r) === 'TLBR' || machine.cpus.length > 1) return undefined;
  const host = hostContext(cpu);
  const root = host.csr(CSR.PGDL);
  for (let i = 0; i < TLB_SIZE; i++) {
    if (!cpu.htlb.e[i] || cpu.htlb.gid[i] !== r.gid || r.gid === 0) continue;
    const entry = cpu.htlb.view(i);
    for (const half of [0, 1] as const) {
      const gpa = pairOf(entry) + (BigInt(half) << BigInt(entry.ps));
      const { leaf } = walkTable(host, machine.ram, root, gpa, LOAD);
      if (!leaf || leaf.huge) continue;
      const elo = entry.elo[half];
      const asked = r.hasBadv && r.badv >= gpa && r.badv < gpa + (1n << BigInt(entry.ps));
      // A page whose V was cleared, and whose frame stayed, is aged on purpose.
      const moved = elo & 1n && (elo & FRAME) !== (leaf.entry & FRAME);
      if (moved || (asked && !(elo & 1n) && leaf.entry & 1n))
        return `the TLB still has GPA ${hex(gpa)} as ${hex(elo)} (${describeElo(elo)}), and the table at ${hex(leaf.slot)} has ${hex(leaf.entry)}: the entry must be invalidated after the table was changed${invalidation(m, gpa)}`;
    }
  }
  return undefined;
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
    if (op <= 6 && op > 0) return `${what} removes entries of the host alone (GID 0): use invtlb 0x16`;
    if ((op >= 9 && op <= 0xe) || op === 0x10 || op === 0x13)
      return `${what} removes guest-type entries (stage 1) alone: use invtlb 0x16`;
    if (op >= 0x14 && gid !== r.gid)
      return `${what} names GID ${gid} (rj = ${hex(rj)}) and the guest has ${r.gid}: the GID is in rj[23:16]`;
    if (op === 0x16 && rk >> 15n !== gpa >> 15n) return `${what} is for GPA ${hex(rk)}`;
    return '';
  }
  return '; no invtlb was executed';
}
