/** The loop that runs a machine in slices while all its clients agree, until it stops or ends. */
import type { EngineCheck } from '../check/engine-check.ts';
import { type Machine, type RunResult, SLICE } from '../machine/machine.ts';
import { AdaptiveBudget } from '../replay/adaptive-budget.ts';
import type { History } from '../replay/history.ts';
import type { Clients } from './clients.ts';
import type { IdleClock } from './idle-clock.ts';
import type { LoopReports } from './loop-reports.ts';
import type { PendingStop } from './pending-stop.ts';
import type { RunLimits } from './run-limits.ts';
import type { Stepping } from './stepping.ts';
import type { End, Stop } from './stop.ts';

/** The longest sleep before the time limit is checked again. */
const LONGEST_SLEEP_MS = 100;
/** How long a slice should take, in milliseconds. It is short so that Ctrl-C always has an effect soon. */
const SLICE_MS = 8;

/** The parts that the loop controls and asks. */
export interface LoopParts {
  readonly machine: Machine;
  readonly history: History;
  readonly clients: Clients;
  readonly pending: PendingStop;
  readonly stepping: Stepping;
  readonly limits: RunLimits;
  readonly loops: LoopReports;
  readonly idle: IdleClock;
  /** May input still arrive from outside when every CPU waits? */
  readonly mayWake: () => boolean;
  /** Must the machine wait until its output has been read? A {@link RunLoop.kick} follows when the wait is over. */
  readonly mustWait: () => boolean;
  /** Takes what has arrived from outside and has waited for the machine. */
  readonly takeInput: () => void;
  /** Does a machine that has been switched off stay? */
  readonly keep: boolean;
  /** Called when the machine begins to run, and when it stops. */
  readonly onRunning: (running: boolean) => void;
  /** A second machine that must have the same state as this one. */
  readonly check: EngineCheck | undefined;
}

export class RunLoop {
  private readonly parts: LoopParts;
  private readonly budget: AdaptiveBudget;
  private readonly tasks: (() => void)[] = [];
  private pumping = false;
  private waiting = false;
  private cancelWake: () => void = () => {};
  private end: End | undefined;
  /** The last stop that was reported, and the position of the machine then. */
  private last: { readonly stop: Stop; readonly position: number } | undefined;
  /** What `onRunning` was told last. */
  private told = false;
  private readonly finished: Promise<End>;
  private resolve!: (end: End) => void;

  constructor(parts: LoopParts) {
    this.parts = parts;
    this.budget = new AdaptiveBudget(parts.machine.options.runtime, SLICE_MS, SLICE);
    this.finished = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  /** Runs until the machine has ended. Clients stop and start it in between. */
  run(): Promise<End> {
    this.parts.limits.begin();
    this.kick();
    return this.finished;
  }

  /** Has the run ended? */
  get over(): boolean {
    return this.end !== undefined;
  }

  get running(): boolean {
    return !this.over && this.parts.clients.agree;
  }

  /** Lets the machine continue if every client agrees. Call this after `running` of a client or input has changed. */
  kick(): void {
    this.waiting = false;
    this.tell();
    if (this.pumping || this.end) return;
    this.pumping = true;
    this.parts.machine.options.runtime.soon(() => this.pump());
  }

  /** Runs a task between two slices. */
  defer(task: () => void): void {
    this.tasks.push(task);
  }

  /** Runs a task between two slices, or now when the run is over. */
  between(task: () => void): Promise<void> {
    if (this.over) return Promise.resolve(task());
    return new Promise((resolve) => {
      this.defer(() => resolve(task()));
      this.kick();
    });
  }

  /** Runs the tasks that wait. The machine is between two slices. */
  runTasks(): void {
    for (const task of this.tasks.splice(0)) task();
  }

  /** Reports a stop to all clients. */
  report(stop: Stop): void {
    const { pending, stepping, history, clients, loops } = this.parts;
    pending.take();
    stepping.end();
    loops.watch.abandon();
    history.hold([]);
    this.standAt(stop);
    clients.stopped(stop);
    this.tell();
  }

  /** The machine stands at a stop. */
  standAt(stop: Stop): void {
    this.last = { stop, position: this.parts.history.position };
  }

  /** The stop at which the machine still stands. */
  get stoppedAt(): Stop | undefined {
    return this.last?.position === this.parts.history.position ? this.last.stop : undefined;
  }

  /** Tells whether the machine runs, when that has changed. */
  private tell(): void {
    const running = this.running && !this.off;
    if (running === this.told) return;
    this.told = running;
    this.parts.onRunning(running);
  }

  /** Has the machine been switched off, and stays? */
  private get off(): boolean {
    return this.parts.keep && this.parts.machine.poweredOff;
  }

  /** The run is over. */
  finish(end: End): void {
    if (this.end) return;
    this.end = end;
    this.cancelWake();
    for (const task of this.tasks.splice(0)) task();
    this.parts.clients.ended(end);
    this.resolve(end);
  }

  private pump(): void {
    this.pumping = false;
    if (!this.running || this.waiting) return;
    const end = this.turn();
    const stop = end ? undefined : this.parts.pending.take();
    if (end) this.finish(end);
    else if (stop) this.report(stop);
    else if (!this.waiting) this.kick();
  }

  /** Runs one slice. @returns the reason for the end of the run, if it has ended */
  private turn(): End | undefined {
    const { limits, machine, history, pending, loops, mustWait, check } = this.parts;
    const late = limits.timeOver();
    if (late) return late;
    if (this.off) return this.wait();
    if (mustWait()) return this.wait();
    this.parts.takeInput();
    let result: RunResult;
    try {
      result = this.slice();
    } catch (error) {
      return { kind: 'died', reason: error instanceof Error ? error.message : String(error) };
    }
    if (history.fixed && !pending.present) {
      if (history.recordingOver) return this.replayed();
      if (result === 'poweroff' || result === 'waiting') return { kind: 'died', reason: history.strays(result) };
    }
    const wrong = check?.follow(result === 'poweroff');
    if (wrong !== undefined) return { kind: 'died', reason: wrong };
    if (result === 'poweroff') return this.poweredOff();
    machine.clearStops();
    this.runTasks();
    if (pending.present) return undefined;
    if (loops.hopeless !== undefined) return { kind: 'died', reason: loops.hopeless };
    const enough = limits.instructionsOver(machine);
    if (enough) return enough;
    if (result === 'waiting') return this.everyCpuWaits();
    if (result === 'asleep') this.sleep();
    return undefined;
  }

  /** A recorded run has come to its end. */
  private replayed(): End | undefined {
    const { clients, pending, machine } = this.parts;
    machine.clearStops();
    if (clients.none) return { kind: 'replayed' };
    pending.note({ kind: 'end', cpu: machine.cpus[0]! });
    return undefined;
  }

  /** The guest has switched the machine off: the end, unless it stays. */
  private poweredOff(): End | undefined {
    if (!this.parts.keep) return { kind: 'poweroff' };
    if (!this.parts.clients.none) this.report({ kind: 'interrupt' });
    this.wait();
    this.tell();
    return undefined;
  }

  /** Runs for a short time of the clock, or one instruction. */
  private slice(): RunResult {
    const { stepping, limits, history, check } = this.parts;
    const { watch } = this.parts.loops;
    const { repeating, position } = history;
    const { loops } = this.parts;
    loops.look(position, repeating || stepping.active || check !== undefined, stepping.active);
    if (this.parts.pending.present) return 'stop';
    if (stepping.active) {
      watch.abandon();
      return stepping.once();
    }
    if (watch.following) {
      loops.traced(position);
      if (this.parts.pending.present || loops.hopeless !== undefined) return 'stop';
    }
    if (watch.tracing) return this.trace();
    const until = Math.min(
      ...[limits.instructions, check?.due ?? Number.POSITIVE_INFINITY],
      ...[watch.next, watch.following ? position + watch.rest : watch.next, loops.nextTold(position)],
    );
    return this.budget.run((instructions) => history.run(instructions, until));
  }

  /** Runs by single instructions while a loop is traced. */
  private trace(): RunResult {
    const { history, loops, machine, pending } = this.parts;
    const end = machine.options.runtime.now() + SLICE_MS;
    for (;;) {
      const result = history.run(1, history.position + 1);
      loops.traced(history.position);
      if (result !== 'slice' && result !== 'stop') loops.watch.abandon();
      if (!loops.watch.tracing || result !== 'slice' || pending.present || machine.options.runtime.now() > end)
        return result;
    }
  }

  /** Nothing more will happen inside the machine. Input or Ctrl-C wakes the loop, and the time limit still applies. */
  private everyCpuWaits(): End | undefined {
    const { clients, mayWake } = this.parts;
    if (clients.none && !mayWake())
      return { kind: 'died', reason: 'every CPU waits for an interrupt that cannot come' };
    return this.wait();
  }

  /** Waits for a kick, or for the end of the time limit. */
  private wait(): undefined {
    this.waiting = true;
    const { timeLeft } = this.parts.limits;
    if (timeLeft !== Number.POSITIVE_INFINITY) this.wakeIn(timeLeft);
  }

  /** Nothing will happen before a timer expires. */
  private sleep(): void {
    this.waiting = true;
    this.wakeIn(Math.min(this.parts.idle.untilTimer, LONGEST_SLEEP_MS));
  }

  private wakeIn(ms: number): void {
    this.cancelWake();
    this.cancelWake = this.parts.machine.options.runtime.after(Math.max(0, ms), () => this.kick());
  }
}
