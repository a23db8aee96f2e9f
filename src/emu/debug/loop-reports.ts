/**
 * Reports loops of exceptions. With a debugger the machine stops. Without one, a loop of the host ends the run, and a
 * loop of a guest is a warning.
 */
import type { Cpu } from '../cpu/cpu.ts';
import type { Ram } from '../memory/ram.ts';
import type { Clients } from './clients.ts';
import type { ComparatorHooks } from './comparator-hooks.ts';
import { LoopWatch } from './loop-watch.ts';
import { type Loop, LoopDetector } from './loops.ts';
import type { PendingStop } from './pending-stop.ts';

export interface LoopSurroundings {
  readonly cpus: readonly Cpu[];
  readonly ram: Ram;
  readonly hooks: ComparatorHooks;
  /** Keeps a copy of the machine, where its past is kept. */
  readonly mark: () => void;
  /** Are loops only told, so that the run goes on? */
  readonly goesOn: boolean;
  readonly clients: Clients;
  readonly pending: PendingStop;
  /** Does the machine repeat events that have been reported already? */
  readonly repeating: () => boolean;
  /** Called for a loop when no debugger is attached to stop for. */
  readonly tell: (cpu: Cpu, loop: Loop) => void;
}

export class LoopReports {
  private readonly around: LoopSurroundings;
  private readonly loops = new LoopDetector();
  readonly watch: LoopWatch;
  private died: string | undefined;

  constructor(around: LoopSurroundings) {
    this.around = around;
    this.watch = new LoopWatch(around.cpus, around.ram, around.hooks, around.mark);
    for (const cpu of around.cpus)
      cpu.observe({
        nested: (c) => this.looped(c, this.loops.nested(c)),
        exited: (c) => {
          if (this.loops.exception(c)) this.looped(c, this.loops.stalled(c));
        },
      });
  }

  /** The loop after which the machine cannot make progress, as text. */
  get hopeless(): string | undefined {
    return this.died;
  }

  /** Call now and then, between two instructions. @param quiet it goes over old ground, or somebody else steps it */
  look(position: number, quiet: boolean): void {
    const found = this.watch.look(position, quiet);
    if (found) this.looped(found.cpu, found.loop);
  }

  /** Call after each instruction while {@link LoopWatch.tracing}. */
  traced(): void {
    const found = this.watch.stepped();
    if (found) this.looped(found.cpu, found.loop);
  }

  private looped(cpu: Cpu, loop: Loop | undefined): void {
    const { clients, pending, repeating, tell, goesOn } = this.around;
    if (!loop || repeating()) return;
    if (!clients.none) {
      if (!this.loops.report(loop)) return;
      pending.note({ kind: 'loop', cpu, loop });
    } else {
      if (this.loops.report(loop)) tell(cpu, loop);
      if (!loop.hopeless || goesOn) return;
      this.died ??= loop.text;
    }
    cpu.requestStop();
  }
}
