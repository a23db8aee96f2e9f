/** A resume of a client: which thread continues, whether it is a step, and whose step ends at a stop. */
import type { RunControl } from '../emu/debug/run-control.ts';
import type { Stepper } from '../emu/debug/stop.ts';
import { DEFAULT_STEP_INTO, SingleStep, type StepClass, UntilEntered, WithinWorld } from './soft-step.ts';
import type { StepJournal } from './step-journal.ts';
import type { Resume } from './target.ts';
import { contextOf, type Thread } from './threads.ts';

export class Resumption {
  stepInto = new Set<StepClass>(DEFAULT_STEP_INTO);
  /** How process 1 steps: into every world, only in the world where the step begins, or only in guests. */
  stepMode: 'cpu' | 'world' | 'guest' = 'cpu';
  private readonly control: RunControl;
  private readonly journal: StepJournal;
  private step: SingleStep | WithinWorld | undefined;
  /** Who has control of the machine for this client. */
  private stepper: Stepper | undefined;
  private stepThread: Thread | undefined;
  private resumed: Thread | undefined;
  private how: Resume | undefined;
  private world = -1;

  constructor(control: RunControl, journal: StepJournal) {
    this.control = control;
    this.journal = journal;
  }

  /** The thread that was resumed last. */
  get thread(): Thread | undefined {
    return this.resumed;
  }

  /** Did the last resume name only its thread? */
  get single(): boolean {
    return this.how?.single === true;
  }

  /** Was this thread among those that the client resumed last? */
  covers(thread: Thread): boolean {
    return this.how === undefined || this.how.covers(thread);
  }

  /** The world in which the CPU was when it was resumed. */
  get from(): number {
    return this.world;
  }

  /** Reverse execution has moved these threads. */
  reversed(thread: Thread, covers: (thread: Thread) => boolean): void {
    this.resumed = thread;
    this.how = { single: false, exact: false, covers };
  }

  /** Prepares the machine to continue for `thread`. */
  begin(thread: Thread, how: Resume): void {
    const { control } = this;
    const { cpu } = thread;
    const { single, exact } = how;
    this.resumed = thread;
    this.how = how;
    this.world = cpu.world;
    this.step = undefined;
    this.stepThread = undefined;
    if (!contextOf(thread, control).live) {
      if (exact) {
        if (thread.vm !== undefined) this.give(new UntilEntered(cpu, thread.vm), false);
        this.stepThread = thread;
      }
    } else {
      const planted = exact ? undefined : this.journal.planted(thread, single);
      if (exact || planted !== undefined) {
        this.step = this.stepperFor(thread, planted);
        this.stepThread = thread;
        this.give(this.step, true);
      }
    }
    control.history.hold(single ? control.machine.cpus.filter((c) => c !== cpu) : []);
    this.journal.resumed();
  }

  private give(stepper: Stepper, stepping: boolean): void {
    this.stepper = stepper;
    this.control.setStepper(stepper, stepping);
  }

  /** The machine has stopped, or the client has disconnected. @returns the thread whose step ends here */
  end(): Thread | undefined {
    const { stepThread } = this;
    this.step?.finish();
    this.step = undefined;
    if (this.stepper) this.control.releaseStepper(this.stepper);
    this.stepper = undefined;
    this.stepThread = undefined;
    this.journal.stopped();
    return stepThread;
  }

  private stepperFor(thread: Thread, planted: bigint | undefined): SingleStep | WithinWorld {
    const { cpu } = thread;
    const guest = thread.vm ?? (this.stepMode === 'world' && cpu.vm ? cpu.world : undefined);
    const step = new SingleStep(cpu, this.control.comparators, planted, guest, this.stepInto);
    if (thread.host || (this.stepMode === 'world' && guest === undefined)) return new WithinWorld(step, false);
    return this.stepMode === 'guest' && thread.vm === undefined ? new WithinWorld(step, true) : step;
  }
}
