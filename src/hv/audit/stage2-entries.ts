/**
 * Stage-2 TLB entries and the tables that they were made from. If the table changes and the TLB entry stays, an invtlb may be
 * missing. Looking costs only where a table changes: stores to tables are told, most others are not.
 *
 * Not every change needs an invtlb. A hypervisor ages pages: it clears V, keeps the frame, and sees by the next fault whether the
 * page was used. It may give more rights and leave the rest to the next fault. And the invtlb may come a little later, from another
 * CPU or another thread. Each is told by what the hypervisor does next.
 */

import type { Cpu } from '../../emu/cpu/cpu.ts';
import { TLBELO, wideMask } from '../../emu/cpu/csr-fields.ts';
import { CSR } from '../../emu/cpu/csr-table.ts';
import type { TlbChange } from '../../emu/cpu/observer.ts';
import { describeElo } from '../../emu/debug/walk.ts';
import { hex } from '../../emu/formats/hex.ts';
import type { Ram } from '../../emu/memory/ram.ts';
import { TLB_SIZE } from '../../emu/tlb/tlb.ts';
import { stage2Mapping } from './stage2-table.ts';

/** The page number: which frame is mapped. */
const FRAME = 0x0000_ffff_ffff_f000n;
const V = BigInt(TLBELO.V);
const D = BigInt(TLBELO.D);
const FORBIDS = wideMask('TLBELO0', 'NR') | wideMask('TLBELO0', 'NX');
const KIND = BigInt(TLBELO.PLV | TLBELO.MAT);
const PAGE = 0x1000;
/** An invtlb that was only late would have come after so many ticks (10 ms), or after fewer with so many entries in them. */
const LATE = 1_000_000;
const EARLY = 20_000;
const ENTRIES = 64;

/** What a TLB entry was made from. */
interface Source {
  readonly gid: number;
  /** The stage-2 root, and the VM whose it was. */
  readonly root: bigint;
  readonly vm: number;
  /** Address of the even page. */
  readonly gpa: bigint;
  /** Bytes of a page. */
  readonly size: bigint;
  /** TLBELO of the even and the odd page in the table at that time. */
  readonly elo: readonly bigint[];
  /** The table entries that led there. */
  readonly slots: readonly number[];
}

/** How a table differs from what the TLB has. */
type Change = 'none' | 'aged' | 'stale';

/** A stale entry, for a report. */
export interface Stale {
  /** The VM whose table it came from. */
  readonly vm: number;
  readonly gpa: bigint;
  readonly was: string;
  readonly is: string;
  /** That table is not the one of the VM that is entered: its GID has been given away. */
  readonly foreign: boolean;
}

/** How often a guest was entered with an entry that is stale, and the tick of the first time. */
interface Suspect {
  entries: number;
  since: number;
}

/** What a CPU may have to look at. */
interface Own {
  /** By index of the host TLB. */
  readonly sources: Map<number, Source>;
  /** By index: entries whose table has been stored to, or whose GID another VM has got. */
  readonly suspects: Map<number, Suspect>;
  /** The root that was entered last with a GID. */
  readonly roots: Map<number, bigint>;
}

export class Stage2Entries {
  private readonly ram: Ram;
  private readonly cpus: readonly Cpu[];
  private readonly own = new Map<Cpu, Own>();
  /** Pages that hold tables. */
  private readonly tables = new Set<number>();
  /** Which TLB entries (CPU · TLB_SIZE + index) rest on a table entry. */
  private readonly users = new Map<number, Set<number>>();
  private readonly agedPages = new Map<number, Set<bigint>>();

  constructor(ram: Ram, cpus: readonly Cpu[]) {
    this.ram = ram;
    this.cpus = cpus;
    for (const cpu of cpus) this.own.set(cpu, { sources: new Map(), suspects: new Map(), roots: new Map() });
  }

  /** Must stores to a physical page be told? */
  isTable(page: number): boolean {
    return this.tables.has(page);
  }

  /** A store comes next. */
  stored(pa: number, size: number): void {
    for (let slot = pa - (pa % 8); slot < pa + size; slot += 8)
      for (const user of this.users.get(slot) ?? []) {
        const { suspects } = this.own.get(this.cpus[Math.floor(user / TLB_SIZE)]!)!;
        if (!suspects.has(user % TLB_SIZE)) suspects.set(user % TLB_SIZE, { entries: 0, since: 0 });
      }
  }

  /** An entry of the host TLB has been written. */
  filled(cpu: Cpu, { index, gid }: TlbChange): void {
    const own = this.own.get(cpu)!;
    this.forget(cpu, own, index);
    if (gid === 0) return;
    const { vppn, ps } = cpu.htlb.view(index);
    const size = 1n << BigInt(ps);
    const gpa = (BigInt(vppn) << 13n) & ~(2n * size - 1n);
    const root = cpu.host.get(CSR.PGDL);
    const pages = [gpa, gpa + size].map((page) => stage2Mapping(cpu, this.ram, root, page));
    const slots = new Set(pages.flatMap((page) => page?.slots ?? []));
    if (slots.size === 0) return;
    for (const slot of slots) {
      this.watch(slot - (slot % PAGE));
      const users = this.users.get(slot);
      if (users) users.add(cpu.index * TLB_SIZE + index);
      else this.users.set(slot, new Set([cpu.index * TLB_SIZE + index]));
    }
    const elo = pages.map((page) => page?.elo ?? 0n);
    own.sources.set(index, { gid, root, vm: cpu.events.vmOf(gid, cpu.now), gpa, size, elo, slots: [...slots] });
  }

  /** From now on, stores to a page are told. */
  private watch(page: number): void {
    if (this.tables.has(page)) return;
    this.tables.add(page);
    const linear = this.ram.linearPage(page);
    for (const cpu of this.cpus) cpu.fast.clearWrites(linear);
  }

  private forget(cpu: Cpu, own: Own, index: number): void {
    own.suspects.delete(index);
    const source = own.sources.get(index);
    if (!source) return;
    own.sources.delete(index);
    for (const slot of source.slots) this.users.get(slot)?.delete(cpu.index * TLB_SIZE + index);
  }

  /** A CPU runs a guest now. @returns entries that it may use, although its table has not had them for some time */
  *stale(cpu: Cpu, gid: number): Generator<Stale> {
    const own = this.own.get(cpu)!;
    const root = cpu.host.get(CSR.PGDL);
    if (own.roots.get(gid) !== root) {
      own.roots.set(gid, root);
      for (const [index, source] of own.sources)
        if (source.gid === gid && source.root !== root && !own.suspects.has(index))
          own.suspects.set(index, { entries: 0, since: 0 });
    }
    for (const [index, suspect] of own.suspects) {
      const source = own.sources.get(index);
      if (!source || !isLive(cpu, index, source)) this.forget(cpu, own, index);
      else if (source.gid === gid) {
        const found = this.compare(cpu, source, root);
        if (!found) own.suspects.delete(index);
        else if (isLate(suspect, cpu.now)) yield found;
      }
    }
  }

  /** How many pages of each VM were aged without an invtlb. */
  get aged(): readonly (readonly [vm: number, pages: number])[] {
    return [...this.agedPages].map(([vm, pages]) => [vm, pages.size] as const);
  }

  /** @param root the table of the VM that is entered */
  private compare(cpu: Cpu, source: Source, root: bigint): Stale | undefined {
    for (const [half, elo] of source.elo.entries()) {
      // Nothing was mapped: at the fault that comes, the hypervisor has its turn.
      if (!(elo & V)) continue;
      const first = source.gpa + BigInt(half) * source.size;
      for (let gpa = first; gpa < first + source.size; ) {
        const now = stage2Mapping(cpu, this.ram, root, gpa);
        const was = at(elo, source.size, gpa);
        const is = now ? at(now.elo, now.size, gpa) : 0n;
        const change = changeOf(was, is);
        if (change === 'aged') this.noteAged(source.vm, gpa);
        if (change === 'stale')
          return { vm: source.vm, gpa, was: describe(was), is: describe(is), foreign: source.root !== root };
        gpa += now && now.size < source.size ? now.size : source.size;
      }
    }
    return undefined;
  }

  private noteAged(vm: number, gpa: bigint): void {
    const pages = this.agedPages.get(vm);
    if (pages) pages.add(gpa);
    else this.agedPages.set(vm, new Set([gpa]));
  }
}

/** A guest is entered with a stale entry. Would the invtlb have come by now? */
function isLate(suspect: Suspect, now: number): boolean {
  if (suspect.entries++ === 0) suspect.since = now;
  const ticks = now - suspect.since;
  return ticks >= LATE || (ticks >= EARLY && suspect.entries >= ENTRIES);
}

/** Is the entry still the one that was made from a source? */
const isLive = ({ htlb }: Cpu, index: number, { gid }: Source): boolean =>
  htlb.e[index] === 1 && htlb.gid[index] === gid;

/** TLBELO of the 4 KiB page of an address inside a page of `size` bytes. */
const at = (elo: bigint, size: bigint, address: bigint): bigint =>
  (elo & ~FRAME) | (elo & FRAME & ~(size - 1n)) | (address & (size - 1n) & FRAME);

/** @param was a valid TLBELO */
function changeOf(was: bigint, is: bigint): Change {
  if ((was ^ is) & (FRAME | KIND)) return 'stale';
  if (!(is & V)) return 'aged';
  return (was & D && !(is & D)) || is & FORBIDS & ~was ? 'stale' : 'none';
}

const describe = (elo: bigint): string => (elo === 0n ? 'nothing' : `${hex(elo)} (${describeElo(elo)})`);
