/** Connects breakpoints and watchpoints to the engines, and decides whether a hit stops the machine. */
import type { Cpu } from '../cpu/cpu.ts';
import type { Machine } from '../machine/machine.ts';
import { STATE } from '../memory/layout.ts';
import type { Comparators, WatchHit } from './breakpoints.ts';
import type { PendingStop } from './pending-stop.ts';
import type { MemoryObserver } from './stop.ts';

/** Every instruction of a page. */
const EVERYWHERE: ReadonlySet<number> = new Set(Array.from({ length: 1024 }, (_, n) => n));

/** The parts of run control that the hooks use. */
export interface HookSurroundings {
  readonly machine: Machine;
  readonly comparators: Comparators;
  readonly pending: PendingStop;
  /** The number of instructions that all CPUs have executed. It is exact inside an instruction too. */
  readonly position: () => number;
}

export class ComparatorHooks {
  private readonly around: HookSurroundings;
  private readonly memoryObservers: MemoryObserver[] = [];
  private traced: ((cpu: Cpu) => void) | undefined;
  private passing: { readonly cpu: Cpu; readonly position: number } | undefined;
  /** Position of the last stop before a watched access. */
  private watchStop = -1;

  constructor(around: HookSurroundings) {
    this.around = around;
  }

  /** Installs only the hooks that are needed now. An absent hook costs nothing. */
  install(): void {
    const observers = this.memoryObservers;
    const observed = observers.length > 0;
    const { comparators, pending, machine } = this.around;
    const watching = comparators.hasWatchpoints;
    for (const engine of machine.engines)
      engine.setHooks({
        breakpoints: (cpu, lo, hi, pa) => {
          if (this.traced) return EVERYWHERE;
          return pending.listens ? comparators.inPage(cpu, lo, hi, pa) : undefined;
        },
        breakpointHit: (cpu, pa) => this.breakpointHit(cpu, pa),
        ...((watching || observed) && {
          watchesPage: (cpu, lo, hi, pa) => comparators.watchesPage(cpu, lo, hi, pa),
          watchedOffsets: comparators.watchedOffsets(),
          ...(observed && { watchesAll: (cpu) => observers.some((o) => o.watchesAll(cpu)) }),
          watch: (cpu, lo, hi, size, write, plain) => {
            for (const o of observers) o.accessed(cpu, lo, hi, size, write);
            if (!comparators.mayMeet(lo, hi, size)) return false;
            return this.watchHit(cpu, comparators.watchHit(cpu, lo, hi, { size, write, ...stored(cpu, size, plain) }));
          },
        }),
        ...(comparators.hasPhysicalWatchpoints && {
          watchPhysical: (cpu, pa, size, write, plain) =>
            this.watchHit(cpu, comparators.physicalHit(cpu, pa, { size, write, ...stored(cpu, size, plain) })),
        }),
        ...(observed && {
          stored: (cpu, pa, size) => {
            for (const o of observers) o.stored(cpu, pa, size);
          },
          // Each is asked: the question is also what it goes by.
          recordsStores: (cpu, page) => observers.map((o) => o.recordsStores(cpu, page)).includes(true),
        }),
      });
  }

  /** Adds an observer of memory accesses. @returns the function that removes it again */
  observeMemory(observer: MemoryObserver): () => void {
    const changed = (): void => {
      for (const cpu of this.around.machine.cpus) cpu.fast.clearAll();
      this.install();
    };
    this.memoryObservers.push(observer);
    changed();
    return () => {
      this.memoryObservers.splice(this.memoryObservers.indexOf(observer), 1);
      changed();
    };
  }

  /** Calls a function before each instruction of each CPU. It must only observe. Nothing is translated while it does. */
  traceInstructions(each: (cpu: Cpu) => void): void {
    this.traced = each;
    this.install();
  }

  /**
   * A CPU ignores breakpoints at its PC when it continues. This is for a breakpoint that the client does not know at
   * this address.
   */
  passOnce(cpu: Cpu): void {
    this.passing = { cpu, position: this.around.position() };
  }

  /** The machine has stopped before a watched access. The access does not stop it again. */
  passWatch(): void {
    this.watchStop = this.around.position();
  }

  private breakpointHit(cpu: Cpu, pa: number): boolean {
    const va = cpu.pc;
    const { comparators, pending } = this.around;
    const position = this.around.position();
    this.traced?.(cpu);
    if (this.passing?.cpu === cpu && this.passing.position === position) return false;
    let met = false;
    for (const b of comparators.at(va, cpu.world, cpu, pa)) if (b.when?.(cpu) !== false) met = true;
    return met && pending.listens && pending.meet({ kind: 'breakpoint', cpu, world: cpu.world, va, pa }, position);
  }

  /** A watched address is about to be accessed. @returns whether the CPU must stop before the access */
  watchHit(cpu: Cpu, hit: WatchHit | undefined): boolean {
    if (!hit) return false;
    const position = this.around.position();
    // When a command has set the watchpoint, no client steps over it. So the access continues after the stop.
    if (hit.watch.listed && this.watchStop === position) return false;
    const stops = this.around.pending.meet({ kind: 'watch', cpu, world: cpu.world, hit }, position);
    if (stops) {
      this.watchStop = position;
      cpu.requestStop();
    }
    return stops;
  }
}

/** The value of a plain store of up to 8 bytes. The engine has put it into STATE.value. */
function stored(cpu: Cpu, size: number, plain: boolean): { value?: bigint } {
  if (!plain || size > 8) return {};
  return { value: BigInt.asUintN(8 * size, cpu.mem.u64[(cpu.base + STATE.value) >> 3]!) };
}
