/**
 * Breakpoints and watchpoints as comparators: nothing is written into guest memory, and each one belongs to a scope, so
 * that equal addresses in the host and in guests stay apart.
 */

import type { Cpu } from '../cpu/cpu.ts';
import { ASID } from '../cpu/csr-fields.ts';
import { CSR } from '../cpu/csr-table.ts';
import type { Machine } from '../machine/machine.ts';

/** Where a comparator applies: every world, the host alone, or the guest with a GID. */
export type Scope = 'any' | 'host' | number;

export const inScope = (scope: Scope, world: number): boolean =>
  scope === 'any' || (scope === 'host' ? world < 0 : scope === world);

export interface Breakpoint {
  readonly owner: object;
  readonly scope: Scope;
  /** The address that the client gave. It is compared with PC unless `pa` is given. */
  readonly va: bigint;
  /** Host physical address: stops under every virtual address that leads there. */
  readonly pa?: number;
  /** Only in this address space (ASID of the running world). */
  readonly asid?: number;
  readonly hardware: boolean;
  /** Called at each hit, between two instructions. When it returns false, the CPU goes on. */
  readonly when?: (cpu: Cpu) => boolean;
}

export type WatchKind = 'write' | 'read' | 'access';
/**
 * What the address of a watchpoint is: virtual in its scope, guest physical, host physical, or a place in a CSR file (8
 * bytes a register).
 */
export type WatchSpace = 'virtual' | 'gpa' | 'physical' | 'csr' | 'gcsr';

export interface Watchpoint {
  readonly owner: object;
  readonly scope: Scope;
  readonly space: WatchSpace;
  readonly address: bigint;
  readonly length: number;
  readonly kind: WatchKind;
  /** The address to report. For a watchpoint through a window it differs from the watched address. */
  readonly reported?: bigint;
  /** Condition on the value that a plain store writes; other accesses count as met. */
  readonly when?: (value: bigint) => boolean;
  /** Number and text of a watchpoint that was set with `monitor watch`. */
  readonly listed?: { readonly id: number; readonly text: string };
}

/** An access that met a watchpoint. */
export interface WatchHit {
  readonly watch: Watchpoint;
  /** First byte of the access inside the watched range. */
  readonly address: bigint;
  readonly write: boolean;
}

/** An access about to happen. */
export interface Access {
  readonly size: number;
  readonly write: boolean;
  /** The value, for plain stores. */
  readonly value?: bigint;
}

/** Most comparators of each kind, for all clients together: each of them costs time when it is checked. */
const MOST_BREAKPOINTS = 10_000;
const MOST_WATCHPOINTS = 1000;

const join = (lo: number, hi: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
/** The number of a page, exact: 52 bits. */
const pageNumber = (lo: number, hi: number): number => (hi >>> 0) * 2 ** 20 + (lo >>> 12);
const asidOf = (cpu: Cpu): number => cpu.csr.lo(CSR.ASID) & ASID.ASID;

export class Comparators {
  private readonly machine: Machine;
  private readonly breakpoints: Breakpoint[] = [];
  private readonly watchpoints: Watchpoint[] = [];
  /** Numbers of the pages with breakpoints, virtual and physical, of any world. Code goes through many others. */
  private inVirtual = new Set<number>();
  private inPhysical = new Set<number>();
  /** Positions per page and world, made on demand; one object per key until something changes. */
  private pages = new Map<string, ReadonlySet<number>>();
  /** The result for the last page: a breakpoint in a loop asks for the same page again and again. */
  private last:
    | { low: number; hi: number; pa: number; world: number; found: ReadonlySet<number> | undefined }
    | undefined;
  /** Ranges of virtual watchpoints as 32-bit halves. `wide`: the range crosses a multiple of 4 GiB, so the halves are not enough. */
  private bounds: readonly {
    readonly hi: number;
    readonly start: number;
    readonly end: number;
    readonly wide: boolean;
  }[] = [];
  /** Called when the kinds of watchpoints in use have changed. */
  onWatches: () => void = () => {};

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /**
   * Inserts a breakpoint. If one with the same owner, scope and address exists, it gets the new conditions.
   * @throws Error when there are too many
   */
  insert(bp: Breakpoint): void {
    const same = (b: Breakpoint): boolean =>
      b.owner === bp.owner && b.scope === bp.scope && b.va === bp.va && b.hardware === bp.hardware;
    const at = this.breakpoints.findIndex(same);
    if (at < 0) this.add(bp);
    else if (this.breakpoints[at]!.when === bp.when && this.breakpoints[at]!.pa === bp.pa) return;
    else this.breakpoints[at] = bp;
    this.changed();
  }

  private add(bp: Breakpoint): void {
    if (this.breakpoints.length >= MOST_BREAKPOINTS)
      throw new Error(`there are ${MOST_BREAKPOINTS} breakpoints already: delete some`);
    this.breakpoints.push(bp);
  }

  remove(match: (bp: Breakpoint) => boolean): void {
    const before = this.breakpoints.length;
    for (let i = before - 1; i >= 0; i--) if (match(this.breakpoints[i]!)) this.breakpoints.splice(i, 1);
    if (this.breakpoints.length !== before) this.changed();
  }

  /** @throws Error when there are too many */
  insertWatch(watch: Watchpoint): void {
    if (this.watchpoints.length >= MOST_WATCHPOINTS)
      throw new Error(`there are ${MOST_WATCHPOINTS} watchpoints already: delete some`);
    this.watchpoints.push(watch);
    this.watchesChanged();
  }

  removeWatch(match: (w: Watchpoint) => boolean): boolean {
    const before = this.watchpoints.length;
    for (let i = before - 1; i >= 0; i--) if (match(this.watchpoints[i]!)) this.watchpoints.splice(i, 1);
    if (this.watchpoints.length === before) return false;
    this.watchesChanged();
    return true;
  }

  /** Takes all comparators away. @returns a function that puts them back, and drops those that were made in between */
  setAside(): () => void {
    const breakpoints = this.breakpoints.splice(0);
    const watchpoints = this.watchpoints.splice(0);
    const changed = (): void => {
      this.changed();
      this.watchesChanged();
    };
    changed();
    return () => {
      this.breakpoints.splice(0, Number.POSITIVE_INFINITY, ...breakpoints);
      this.watchpoints.splice(0, Number.POSITIVE_INFINITY, ...watchpoints);
      changed();
    };
  }

  /** All watchpoints that a user set by command. */
  listedWatches(): Watchpoint[] {
    return this.watchpoints.filter((w) => w.listed);
  }

  get hasWatchpoints(): boolean {
    return this.watchpoints.length > 0;
  }

  /** Is a CSR watched? */
  get hasCsrWatchpoints(): boolean {
    return this.watchpoints.some((w) => w.space === 'csr' || w.space === 'gcsr');
  }

  /** Does any watchpoint need the address after translation? */
  get hasPhysicalWatchpoints(): boolean {
    return this.watchpoints.some((w) => w.space === 'physical' || w.space === 'gpa');
  }

  /** Breakpoints that stop a CPU at an address of a world. `pa`: where the address leads, when it is known. */
  at(va: bigint, world: number, cpu?: Cpu, pa?: number): Breakpoint[] {
    return this.breakpoints.filter(
      (b) =>
        (b.pa === undefined ? b.va === va : b.pa === pa) &&
        inScope(b.scope, world) &&
        (b.asid === undefined || !cpu || b.asid === asidOf(cpu)),
    );
  }

  /** For the engine: positions of breakpoints in the page of an address, in the running world. `pa`: the page there. */
  inPage(cpu: Cpu, vaLo: number, vaHi: number, pa: number): ReadonlySet<number> | undefined {
    if (this.breakpoints.length === 0) return undefined;
    if (!this.inVirtual.has(pageNumber(vaLo, vaHi)) && !this.inPhysical.has(pa / 0x1000)) return undefined;
    const { last } = this;
    const low = vaLo & ~0xfff;
    const { world } = cpu;
    if (last && last.low === low && last.hi === vaHi && last.pa === pa && last.world === world) return last.found;
    const page = join(low, vaHi);
    // The ASID is checked at the hit, because it can change while code runs in the same page.
    const key = `${world}:${page}:${pa}`;
    let found = this.pages.get(key);
    if (!found) {
      const here = this.breakpoints.filter(
        (b) =>
          (b.pa === undefined ? (b.va & ~0xfffn) === page : b.pa - (b.pa % 0x1000) === pa) &&
          inScope(b.scope, cpu.world),
      );
      found = new Set(here.map((b) => Number((b.pa === undefined ? b.va : BigInt(b.pa)) & 0xfffn) >> 2));
      this.pages.set(key, found);
    }
    const answer = found.size ? found : undefined;
    this.last = { low, hi: vaHi, pa, world, found: answer };
    return answer;
  }

  /**
   * For the engine: must each access to the page of an address be checked?
   * @param pa host physical address of the page
   */
  watchesPage(cpu: Cpu, vaLo: number, vaHi: number, pa: number): boolean {
    return this.watchpoints.some((w) => {
      if (!inScope(w.scope, cpu.world)) return false;
      if (w.space === 'virtual') return touches(w, join(vaLo & ~0xfff, vaHi), 0x1000);
      if (w.space === 'physical') return touches(w, BigInt(pa), 0x1000);
      return w.space === 'gpa' && cpu.vm && touches(w, BigInt(cpu.lastGpa - (cpu.lastGpa % 0x1000)), 0x1000);
    });
  }

  /** For the engine: the offsets that are watched in any page, as one bit for each 8 bytes of a page. */
  watchedOffsets(): Uint8Array {
    const bits = new Uint8Array(0x1000 / 64);
    for (const w of this.watchpoints) {
      if (w.space === 'csr' || w.space === 'gcsr') continue;
      const first = Number(w.address & 0xfffn) >> 3;
      const last = (Number(w.address & 0xfffn) + Math.min(w.length, 0x1000) - 1) >> 3;
      for (let n = first; n <= last; n++) bits[(n & 0x1ff) >> 3]! |= 1 << (n & 7);
    }
    return bits;
  }

  /** Quick answer for most accesses to a watched page: can a watchpoint on virtual addresses be met at all? */
  mayMeet(vaLo: number, vaHi: number, size: number): boolean {
    const lo = vaLo >>> 0;
    const hi = vaHi >>> 0;
    for (const b of this.bounds) if (b.wide || (b.hi === hi && lo < b.end && lo + size > b.start)) return true;
    return false;
  }

  /** The first watchpoint on virtual addresses that an access meets. */
  watchHit(cpu: Cpu, vaLo: number, vaHi: number, access: Access): WatchHit | undefined {
    return this.hit(cpu, 'virtual', join(vaLo, vaHi), access);
  }

  /** The first watchpoint on physical addresses that an access meets; its translation is the CPU's last one. */
  physicalHit(cpu: Cpu, pa: number, access: Access): WatchHit | undefined {
    return (
      this.hit(cpu, 'physical', BigInt(pa), access) ??
      (cpu.vm ? this.hit(cpu, 'gpa', BigInt(cpu.lastGpa), access) : undefined)
    );
  }

  /** The first watchpoint that a CSR write meets. */
  csrHit(cpu: Cpu, bank: 'host' | 'guest', num: number): WatchHit | undefined {
    return this.hit(cpu, bank === 'host' ? 'csr' : 'gcsr', BigInt(num * 8), { size: 8, write: true });
  }

  private hit(cpu: Cpu, space: WatchSpace, at: bigint, access: Access): WatchHit | undefined {
    for (const watch of this.watchpoints) {
      if (watch.space !== space || !inScope(watch.scope, cpu.world)) continue;
      if (watch.kind !== 'access' && (watch.kind === 'write') !== access.write) continue;
      if (!touches(watch, at, access.size)) continue;
      if (watch.when && access.value !== undefined && !watch.when(access.value)) continue;
      const inside = at < watch.address ? 0n : at - watch.address;
      return { watch, address: (watch.reported ?? watch.address) + inside, write: access.write };
    }
    return undefined;
  }

  private watchesChanged(): void {
    this.bounds = this.watchpoints
      .filter((w) => w.space === 'virtual')
      .map((w) => {
        const start = Number(w.address & 0xffff_ffffn);
        const end = start + w.length;
        // An access may begin up to a vector's length before the next 4 GiB.
        return { hi: Number(w.address >> 32n), start, end, wide: end > 2 ** 32 || start < 32 };
      });
    for (const cpu of this.machine.cpus) cpu.fast.clearAll();
    this.onWatches();
  }

  private changed(): void {
    const virtual = this.breakpoints.filter((b) => b.pa === undefined);
    this.inVirtual = new Set(virtual.map((b) => Number(b.va >> 12n)));
    this.inPhysical = new Set(this.breakpoints.flatMap((b) => (b.pa === undefined ? [] : [Math.floor(b.pa / 0x1000)])));
    this.pages = new Map();
    this.last = undefined;
    this.machine.uops.dropBreakpointPages();
  }
}

/** Does a range of memory meet a watched one? */
const touches = (w: Watchpoint, at: bigint, size: number): boolean =>
  at < w.address + BigInt(w.length) && at + BigInt(size) > w.address;
