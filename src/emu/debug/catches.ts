/** Events that stop the machine on request: exits, entries, exceptions, CSR writes, TLB changes, interrupts. */

import type { Cpu } from '../cpu/cpu.ts';
import { ESTAT, fieldOf, GINTC, inField } from '../cpu/csr-fields.ts';
import { CSR, CSRS } from '../cpu/csr-table.ts';
import type { EventRecord } from '../cpu/event-ring.ts';
import { EXCEPTIONS, ecodeOf, exceptionByCode } from '../cpu/exception-table.ts';
import type { CsrWriting, TlbChange } from '../cpu/observer.ts';

export type CatchKind =
  | 'vmexit'
  | 'exception'
  | 'ertn'
  | 'csr-write'
  | 'tlb-fill'
  | 'tlb-invalidate'
  | 'interrupt'
  | 'inject'
  | 'first-entry';

/** A range of addresses, both ends included. */
export interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

export interface Catch {
  readonly id: number;
  readonly kind: CatchKind;
  /** Ecodes that the catch stops at; empty: all. */
  readonly ecodes: ReadonlySet<number>;
  /** `host` (−1), a VM, or every world. */
  readonly world: number | 'any';
  /** PLV of the world in which an exception was raised. */
  readonly plv?: number;
  /** Guest physical address of an exit, or address of a TLB entry. */
  readonly range?: Range;
  /** Code of a hypercall. */
  readonly hypercall?: number;
  /** CSR number for csr-write, and the condition on the value: `(new & mask) == value`. */
  readonly csr?: { readonly num: number; readonly bank: 'host' | 'guest' };
  readonly value?: { readonly mask: bigint; readonly value: bigint };
  /** Interrupt number. */
  readonly irq?: number;
  /** Further condition on the CPU at the event. */
  readonly when?: (cpu: Cpu) => boolean;
  /** For a catchpoint of gdb (`catch syscall N`): its owner and its number. `monitor info catches` does not list it. */
  readonly syscall?: { readonly owner: object; readonly number: number };
  /**
   * Of an event that is told and does not stop: receives its text.
   * @returns false when no more can be told; then it stops
   */
  readonly log?: (text: string) => boolean;
  /** As the user typed it. */
  readonly text: string;
  /** How often it has stopped the machine. */
  hits: number;
}

const HVC = ecodeOf('HVC');
const TLBR = ecodeOf('TLBR');
const INT = ecodeOf('INT');
/** ESTAT.IS bits that the host can make pending in a guest: through GINTC, and in the register itself. */
const DIRECT = ESTAT.SWI | ESTAT.PMI | ESTAT.TI | ESTAT.IPI;
const GUEST_LINES = ESTAT.HWI | DIRECT;

/** Ecodes of an exception name or number. @throws Error naming the legal ones */
export function parseEcode(word: string): number {
  const upper = word.toUpperCase();
  const alias = upper === 'ADE' ? 'ADEM' : upper === 'WPE' ? 'WPEF' : upper === 'GCM' ? 'GCSC' : upper;
  const row = EXCEPTIONS.find((e) => e.name === alias);
  if (row) return row.ecode;
  const n = Number(word);
  if (word !== '' && Number.isInteger(n) && n >= 0 && n < 64) return n;
  throw new Error(
    `unknown cause '${word}': use one of ${[...new Set(EXCEPTIONS.map((e) => e.name))].join(' ')}, or an Ecode`,
  );
}

/** The register a CSR name stands for; the prefix `g_` means the guest bank. @throws Error when unknown */
export function parseCsr(word: string): { num: number; bank: 'host' | 'guest' } {
  const bank = word.toLowerCase().startsWith('g_') ? 'guest' : 'host';
  const row = CSRS.find((c) => c.name.toLowerCase() === word.toLowerCase().replace(/^g_/, ''));
  if (!row) throw new Error(`unknown CSR '${word}': use a name from 'info csr'`);
  return { num: row.num, bank };
}

/** The value that a write leaves in the bits it changes, and which bits these are. */
export function writtenValue(w: CsrWriting): { readonly mask: bigint; readonly value: bigint } {
  const u64 = (lo: number, hi: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
  const mask = u64(w.maskLo, w.maskHi);
  return { mask, value: u64(w.lo, w.hi) & mask };
}

/** Guest interrupt bits (as ESTAT.IS) that a write of the host makes pending, and that were not before. */
export function injects(cpu: Cpu, w: CsrWriting): number {
  if (cpu.vm) return 0;
  const { value } = writtenValue(w);
  const before = cpu.guest.lo(CSR.ESTAT) & GUEST_LINES;
  if (w.bank === 'host' && w.num === CSR.GINTC)
    return inField(fieldOf(Number(value & 0xffff_ffffn), GINTC.HWIS), ESTAT.HWI) & ~before;
  if (w.bank === 'guest' && w.num === CSR.ESTAT) return Number(value & BigInt(DIRECT)) & ~before;
  return 0;
}

const within = (r: Range | undefined, at: bigint): boolean => r === undefined || (at >= r.first && at <= r.last);
const inWorld = (c: Catch, world: number): boolean => c.world === 'any' || c.world === world;

/** Most catches of all clients together: each of them is checked at every event. */
const MOST_CATCHES = 1000;

export class Catches {
  private readonly list: Catch[] = [];
  private nextId = 1;
  /** Called when a catch is added or removed. */
  onChange: () => void = () => {};

  /** @throws Error when there are too many */
  add(c: Omit<Catch, 'id' | 'hits'>): Catch {
    if (this.list.length >= MOST_CATCHES) throw new Error(`there are ${MOST_CATCHES} catches already: delete some`);
    const added = { ...c, id: this.nextId++, hits: 0 };
    // The first one that is met counts, and what stops comes before what is only told.
    const at = c.log ? -1 : this.list.findIndex((other) => other.log);
    this.list.splice(at < 0 ? this.list.length : at, 0, added);
    this.onChange();
    return added;
  }

  /** @returns false when there is no such number */
  delete(id: number): boolean {
    const i = this.list.findIndex((c) => c.id === id);
    if (i >= 0) this.list.splice(i, 1);
    this.onChange();
    return i >= 0;
  }

  clear(): void {
    this.list.length = 0;
    this.onChange();
  }

  /** Removes the catchpoints that a client set with gdb's `catch syscall`, in one world. */
  deleteSyscalls(owner: object, world?: number | 'any'): void {
    for (let i = this.list.length - 1; i >= 0; i--) {
      const c = this.list[i]!;
      if (c.syscall?.owner === owner && (world === undefined || c.world === world)) this.list.splice(i, 1);
    }
    this.onChange();
  }

  get isEmpty(): boolean {
    return this.list.length === 0;
  }

  /** Catches set with `monitor catch`. */
  all(): readonly Catch[] {
    return this.list.filter((c) => !c.syscall);
  }

  /** Number for the next catch or watchpoint that the monitor lists. */
  takeId(): number {
    return this.nextId++;
  }

  /** Does any catch wait for a CSR write or a TLB change? */
  get hearsAccesses(): boolean {
    const kinds: readonly CatchKind[] = ['csr-write', 'inject', 'tlb-fill', 'tlb-invalidate'];
    return this.list.some((c) => kinds.includes(c.kind));
  }

  /** Quick answer for most events: is there a catch for this kind and cause at all? */
  mayMeet(kind: EventRecord['kind'], ecode: number): boolean {
    return this.list.some((c) => {
      if (c.kind === 'ertn' || c.kind === 'first-entry') return kind === 'entry';
      if (c.kind === 'interrupt') return kind !== 'entry' && ecode === INT;
      if (c.kind !== (kind === 'exit' ? 'vmexit' : 'exception') || kind === 'entry') return false;
      return c.ecodes.size === 0 || c.ecodes.has(ecode);
    });
  }

  /** The catch that an exception, exit or entry of a CPU meets. */
  onEvent(cpu: Cpu, r: EventRecord, firstEntry: boolean): Catch | undefined {
    return this.list.find((c) => {
      // The host takes an interrupt that makes a guest exit.
      const world = c.kind === 'interrupt' && r.kind === 'exit' ? -1 : r.world;
      if (!inWorld(c, world) || (c.when && !c.when(cpu))) return false;
      switch (c.kind) {
        case 'ertn':
          return r.kind === 'entry';
        case 'first-entry':
          return r.kind === 'entry' && firstEntry;
        case 'interrupt':
          return r.kind !== 'entry' && r.ecode === INT && (c.irq === undefined || c.irq === r.badi);
        case 'exception':
        case 'vmexit':
          return r.kind === (c.kind === 'vmexit' ? 'exit' : 'exception') && this.cause(c, cpu, r);
        default:
          return false;
      }
    });
  }

  /** Does an exception or exit have the cause that a catch names? */
  private cause(c: Catch, cpu: Cpu, r: EventRecord): boolean {
    if (c.ecodes.size > 0 && !c.ecodes.has(r.ecode)) return false;
    if (c.range && !(r.hasBadv && within(c.range, r.badv))) return false;
    if (c.hypercall !== undefined && !(r.ecode === HVC && (r.badi & 0x7fff) === c.hypercall)) return false;
    if (c.plv === undefined) return true;
    // The level at which the exception was raised: after an exit the guest's CRMD still has it, otherwise PRMD has it.
    const tlbr = r.ecode === TLBR;
    const bank = r.kind === 'exit' ? cpu.guest : r.world < 0 ? cpu.host : cpu.guest;
    const num = r.kind === 'exit' ? CSR.CRMD : tlbr ? CSR.TLBRPRMD : CSR.PRMD;
    return (bank.lo(num) & 3) === c.plv;
  }

  /** The catch that a CSR write meets. */
  onCsrWrite(cpu: Cpu, w: CsrWriting): Catch | undefined {
    return this.list.find((c) => {
      if (c.when && !c.when(cpu)) return false;
      if (c.kind === 'inject') {
        const lines = injects(cpu, w);
        return (
          lines !== 0 &&
          inWorld(c, cpu.events.vmOf(cpu.gid, cpu.now)) &&
          (c.irq === undefined || ((lines >> c.irq) & 1) === 1)
        );
      }
      if (c.kind !== 'csr-write' || c.csr!.num !== w.num || c.csr!.bank !== w.bank || !inWorld(c, cpu.world))
        return false;
      if (!c.value) return true;
      const { mask, value } = writtenValue(w);
      const old = (w.bank === 'guest' ? cpu.guest : cpu.host).get(w.num);
      return (((old & ~mask) | value) & c.value.mask) === (c.value.value & c.value.mask);
    });
  }

  /** The catch that a TLB change meets. */
  onTlb(cpu: Cpu, change: TlbChange): Catch | undefined {
    const kind = change.index < 0 ? 'tlb-invalidate' : 'tlb-fill';
    const tlb = change.guestType ? cpu.gtlb : cpu.htlb;
    const vppn = change.index < 0 ? change.vppn : tlb.vppn[change.index]!;
    const at = BigInt(Math.max(0, vppn)) << 13n;
    const size = change.index < 0 ? 0x2000n : 2n << BigInt(tlb.ps[change.index]!);
    return this.list.find(
      (c) =>
        c.kind === kind &&
        c.when?.(cpu) !== false &&
        (c.world === 'any' ||
          change.gid < 0 ||
          (c.world < 0 ? change.gid === 0 : change.gid > 0 && cpu.events.vmOf(change.gid, cpu.now) === c.world)) &&
        (c.range === undefined || vppn < 0 || (c.range.first < at + size && c.range.last >= at)),
    );
  }
}

/** `HVC` or `Ecode 0x2a`. */
export const causeName = (ecode: number, esub: number): string =>
  exceptionByCode(ecode, esub)?.name ?? `Ecode 0x${ecode.toString(16)}`;
