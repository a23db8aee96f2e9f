/**
 * Reports loops of exceptions. With a debugger the machine stops. Without one, a loop of the host ends the run, and a
 * loop of a guest is a warning.
 */
import type { Cpu } from '../cpu/cpu.ts';
import type { Machine } from '../machine/machine.ts';
import type { Comparators } from './breakpoints.ts';
import type { Clients } from './clients.ts';
import type { ComparatorHooks } from './comparator-hooks.ts';
import type { VcpuStates } from './context.ts';
import { LoopWatch } from './loop-watch.ts';
import { type Loop, LoopDetector } from './loops.ts';
import type { PendingStop } from './pending-stop.ts';

export interface LoopSurroundings {
  readonly machine: Machine;
  readonly vcpuStates: VcpuStates;
  readonly hooks: ComparatorHooks;
  readonly comparators: Comparators;
  /** Are loops only told, so that the run goes on? */
  readonly goesOn: boolean;
  readonly clients: Clients;
  readonly pending: PendingStop;
  /** Instructions of the machine so far. */
  readonly position: () => number;
  /** Does the machine repeat events that have been reported already? */
  readonly repeating: () => boolean;
  /** Called for a loop when no debugger is attached to stop for. */
  readonly tell: (cpu: Cpu, loop: Loop) => void;
}

export class LoopReports {
  private readonly around: LoopSurroundings;
  private readonly loops = new LoopDetector();
  readonly watch: LoopWatch;
  /** CPUs whose exits are counted. Usually there is none: it would be done at each exit. */
  private readonly counted = new Set<Cpu>();
  private died: string | undefined;
  /** Loops at which the machine has stopped, by position. When it goes over this ground again, it stops there again. */
  private readonly told = new Map<number, { readonly cpu: Cpu; readonly loop: Loop }>();
  private last = 0;

  constructor(around: LoopSurroundings) {
    this.around = around;
    this.watch = new LoopWatch(around);
    for (const cpu of around.machine.cpus) cpu.observe({ nested: (c) => this.looped(c, this.loops.nested(c)) });
  }

  /** Counts the exits of a CPU, until another one than the newest comes. */
  private count(cpu: Cpu): void {
    const stop = cpu.observe({
      exited: (c) => {
        const found = this.loops.exit(c);
        if (found === 'loop') this.looped(c, this.loops.stalled(c));
        if (found !== 'over') return;
        stop();
        this.counted.delete(c);
      },
    });
    this.counted.add(cpu);
  }

  /** The loop after which the machine cannot make progress, as text. */
  get hopeless(): string | undefined {
    return this.died;
  }

  /** The position after this one at which a loop has been told already; Infinity: none. */
  nextTold(position: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const at of this.told.keys()) if (at > position && at < next) next = at;
    return next;
  }

  /**
   * Call now and then, between two instructions.
   * @param quiet it goes over old ground, or somebody else steps it
   * @param stepped somebody steps it
   */
  look(position: number, quiet: boolean, stepped: boolean): void {
    const known = !stepped && this.last < position ? this.told.get(position) : undefined;
    this.last = position;
    if (known && !this.around.clients.none) {
      this.around.pending.note({ kind: 'loop', ...known });
      known.cpu.requestStop();
      return;
    }
    const { looked } = this.watch;
    const found = this.watch.look(position, quiet);
    if (found) this.looped(found.cpu, found.loop);
    if (quiet || this.watch.looked === looked) return;
    for (const cpu of this.around.machine.cpus) if (!this.counted.has(cpu) && this.loops.mayStall(cpu)) this.count(cpu);
  }

  /** Call after each instruction while {@link LoopWatch.tracing}, and before each slice while {@link LoopWatch.following}. */
  traced(position: number): void {
    const found = this.watch.stepped(position);
    if (found) this.looped(found.cpu, found.loop);
  }

  private looped(cpu: Cpu, loop: Loop | undefined): void {
    const { clients, pending, repeating, tell, goesOn } = this.around;
    if (!loop || repeating()) return;
    if (!clients.none) {
      if (!this.loops.report(loop)) return;
      if (loop.halts) {
        clients.halted(loop.text);
        return;
      }
      this.last = this.around.position();
      this.told.set(this.last, { cpu, loop });
      pending.note({ kind: 'loop', cpu, loop });
    } else {
      if (this.loops.report(loop)) tell(cpu, loop);
      if (!loop.hopeless || goesOn) return;
      this.died ??= loop.text;
    }
    cpu.requestStop();
  }
}
