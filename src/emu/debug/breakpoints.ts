/**
 * Breakpoints and watchpoints as comparators: nothing is written into guest memory, and each one belongs to a scope, so
 * that equal addresses in the host and in guests stay apart.
 */
import type { Machine } from '../board/machine.ts';
import type { Cpu } from '../cpu/cpu.ts';

/** Where a comparator applies: every world, the host alone, or the guest with a GID. */
export type Scope = 'any' | 'host' | number;

export const inScope = (scope: Scope, world: number): boolean =>
  scope === 'any' || (scope === 'host' ? world < 0 : scope === world);

export interface Breakpoint {
  readonly owner: object;
  readonly scope: Scope;
  readonly va: bigint;
  readonly hardware: boolean;
}

export type WatchKind = 'write' | 'read' | 'access';

export interface Watchpoint {
  readonly owner: object;
  readonly scope: Scope;
  readonly va: bigint;
  readonly length: number;
  readonly kind: WatchKind;
}

/** An access that met a watchpoint. */
export interface WatchHit {
  readonly watch: Watchpoint;
  /** First byte of the access inside the watched range. */
  readonly address: bigint;
}

const join = (lo: number, hi: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);

export class Comparators {
  private readonly machine: Machine;
  private readonly breakpoints: Breakpoint[] = [];
  private readonly watchpoints: Watchpoint[] = [];
  /** Positions per page and world, made on demand; one object per key until something changes. */
  private pages = new Map<string, ReadonlySet<number>>();

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** Inserting the same breakpoint twice is inserting it once. */
  insert(bp: Breakpoint): void {
    if (
      this.breakpoints.some(
        (b) => b.owner === bp.owner && b.scope === bp.scope && b.va === bp.va && b.hardware === bp.hardware,
      )
    )
      return;
    this.breakpoints.push(bp);
    this.changed();
  }

  remove(match: (bp: Breakpoint) => boolean): void {
    const before = this.breakpoints.length;
    for (let i = before - 1; i >= 0; i--) if (match(this.breakpoints[i]!)) this.breakpoints.splice(i, 1);
    if (this.breakpoints.length !== before) this.changed();
  }

  insertWatch(watch: Watchpoint): void {
    this.watchpoints.push(watch);
    for (const cpu of this.machine.cpus) cpu.fast.clearAll();
  }

  removeWatch(match: (w: Watchpoint) => boolean): void {
    for (let i = this.watchpoints.length - 1; i >= 0; i--)
      if (match(this.watchpoints[i]!)) this.watchpoints.splice(i, 1);
    for (const cpu of this.machine.cpus) cpu.fast.clearAll();
  }

  get hasWatchpoints(): boolean {
    return this.watchpoints.length > 0;
  }

  /** Breakpoints that stop at an address of a world. */
  at(va: bigint, world: number): Breakpoint[] {
    return this.breakpoints.filter((b) => b.va === va && inScope(b.scope, world));
  }

  /** For the engine: positions of breakpoints in the page of an address, in the running world. */
  inPage(cpu: Cpu, vaLo: number, vaHi: number): ReadonlySet<number> | undefined {
    if (this.breakpoints.length === 0) return undefined;
    const page = join(vaLo & ~0xfff, vaHi);
    const key = `${cpu.world}:${page}`;
    let found = this.pages.get(key);
    if (!found) {
      const here = this.breakpoints.filter((b) => (b.va & ~0xfffn) === page && inScope(b.scope, cpu.world));
      found = new Set(here.map((b) => Number(b.va & 0xfffn) >> 2));
      this.pages.set(key, found);
    }
    return found.size ? found : undefined;
  }

  /** For the engine: does a watchpoint lie in the page of an address? */
  watchesPage(cpu: Cpu, vaLo: number, vaHi: number): boolean {
    const page = join(vaLo & ~0xfff, vaHi);
    return this.watchpoints.some(
      (w) => inScope(w.scope, cpu.world) && w.va < page + 0x1000n && w.va + BigInt(w.length) > page,
    );
  }

  /** The first watchpoint that an access meets. */
  watchHit(cpu: Cpu, vaLo: number, vaHi: number, size: number, write: boolean): WatchHit | undefined {
    const va = join(vaLo, vaHi);
    for (const watch of this.watchpoints) {
      if (!inScope(watch.scope, cpu.world)) continue;
      if (watch.kind !== 'access' && (watch.kind === 'write') !== write) continue;
      if (va >= watch.va + BigInt(watch.length) || va + BigInt(size) <= watch.va) continue;
      if (va < watch.va) return { watch, address: watch.va };
      return { watch, address: va };
    }
    return undefined;
  }

  private changed(): void {
    this.pages = new Map();
    this.machine.uops.dropBreakpointPages();
  }
}
