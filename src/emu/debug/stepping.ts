/** Single steps of a client. Its stepper decides after each step how the machine continues. */
import type { Cpu } from '../cpu/cpu.ts';
import type { RunResult } from '../machine/machine.ts';
import type { History } from '../replay/history.ts';
import type { PendingStop } from './pending-stop.ts';
import type { Stepper } from './stop.ts';

export class Stepping {
  private readonly history: History;
  private readonly pending: PendingStop;
  private stepper: Stepper | undefined;
  private stepping = false;

  constructor(history: History, pending: PendingStop) {
    this.history = history;
    this.pending = pending;
  }

  /** Must the machine continue by single instructions? */
  get active(): boolean {
    return this.stepping;
  }

  /** Gives control of the machine to a stepper: an instruction at a time, or freely (`stepping` is false). */
  begin(stepper: Stepper, stepping: boolean): void {
    this.stepper = stepper;
    this.stepping = stepping;
  }

  /** Takes control back from a stepper, if it has it. */
  release(stepper: Stepper): void {
    if (this.stepper === stepper) this.end();
  }

  end(): void {
    this.stepper = undefined;
    this.stepping = false;
  }

  /** Executes one instruction. */
  once(): RunResult {
    const stepper = this.stepper!;
    const { cpu } = stepper;
    const before = cpu.icount;
    const result = this.history.step(cpu, stepper.interrupts === true);
    // When the CPU is in `idle` and nothing can wake it, no instruction will be executed. The step ends where it began.
    if (result === 'waiting') this.pending.note({ kind: 'step', cpu });
    if (cpu.icount === before) return 'slice';
    if (!this.pending.present) this.follow(stepper.next('stepped'), cpu);
    return result;
  }

  /** The CPU has entered or left a guest while the machine runs freely. */
  crossed(cpu: Cpu, event: 'entered' | 'left'): void {
    if (!this.stepper || this.stepping || this.pending.silent || this.stepper.cpu !== cpu) return;
    const what = this.stepper.next(event);
    this.follow(what, cpu);
    if (what !== 'run') cpu.requestStop();
  }

  private follow(what: 'run' | 'step' | 'stop', cpu: Cpu): void {
    this.stepping = what === 'step';
    if (what === 'stop') this.pending.replace({ kind: 'step', cpu });
  }
}
