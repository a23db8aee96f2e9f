/**
 * Run control: the only way from front ends into a running machine. All stop and go together: the machine runs while
 * every client that is attached wants it to, and a stop is told to all of them. Each concern has a class of its own; what is here
 * puts them together.
 */

import type { EngineCheck } from '../check/engine-check.ts';
import type { Cpu } from '../cpu/cpu.ts';
import type { Machine } from '../machine/machine.ts';
import { History } from '../replay/history.ts';
import { Comparators } from './breakpoints.ts';
import { CatchListener } from './catch-listener.ts';
import { Catches } from './catches.ts';
import { Clients } from './clients.ts';
import { ComparatorHooks } from './comparator-hooks.ts';
import { type ContextSource, VcpuStates } from './context.ts';
import { ExitStatistics } from './exit-statistics.ts';
import { IdleClock } from './idle-clock.ts';
import { LoopReports } from './loop-reports.ts';
import type { Loop } from './loops.ts';
import { PendingStop } from './pending-stop.ts';
import { Replayer } from './replayer.ts';
import { RunLimits } from './run-limits.ts';
import { RunLoop } from './run-loop.ts';
import { Stepping } from './stepping.ts';
import type { Client, End, Limits, SnapshotStore, Stepper, Stop } from './stop.ts';

/** The longest slice: what the guest does may take the program a thousand times as long as what it did before. */
const PATIENCE_MS = 50;

export interface RunOptions {
  readonly limits?: Limits;
  /** False when no debugger can come: then VM exits need not be recorded for one. */
  readonly observed?: boolean;
  /** Must the machine wait until somebody has read what it says? A {@link RunControl.kick} comes when it need not. */
  readonly mustWait?: () => boolean;
  /** Told of loops of exceptions when no debugger is there to stop for. */
  readonly onLoop?: (cpu: Cpu, loop: Loop) => void;
  /** Where snapshots go and come from, by name. */
  readonly snapshotStore?: SnapshotStore | undefined;
  /** A second machine that runs beside this one and must agree with it. */
  readonly check?: EngineCheck | undefined;
}

export class RunControl {
  readonly machine: Machine;
  readonly comparators: Comparators;
  readonly catches = new Catches();
  readonly vcpuStates = new VcpuStates();
  readonly history: History;
  readonly replayer: Replayer;
  readonly snapshotStore: SnapshotStore | undefined;
  /** Must the machine wait until somebody has read what it says? */
  readonly mustWait: () => boolean;
  private readonly check: EngineCheck | undefined;
  private readonly clients = new Clients();
  readonly pending: PendingStop;
  private readonly stepping: Stepping;
  readonly hooks: ComparatorHooks;
  private readonly listener: CatchListener;
  private readonly loop: RunLoop;
  private known: ContextSource | undefined;
  private statistics: ExitStatistics | undefined;
  private auditSummary: (() => readonly string[]) | undefined;
  private inputMayCome: () => boolean = () => false;

  constructor(machine: Machine, options: RunOptions = {}) {
    this.machine = machine;
    this.snapshotStore = options.snapshotStore;
    this.check = options.check;
    this.mustWait = options.mustWait ?? (() => false);
    this.comparators = new Comparators(machine);
    this.history = new History(machine, [this.vcpuStates]);
    this.replayer = new Replayer(this);
    this.vcpuStates.position = () => this.position();
    this.pending = new PendingStop(machine);
    this.stepping = new Stepping(this.history, this.pending);
    const { comparators, pending, clients, history, stepping } = this;
    const around = { machine, comparators, pending, position: () => this.position() };
    this.hooks = new ComparatorHooks(around);
    this.listener = new CatchListener(around, this.catches, this.hooks);
    const mayWake = (): boolean => this.inputMayCome();
    this.loop = new RunLoop({
      ...{ machine, history, clients, pending, stepping, mayWake, mustWait: this.mustWait },
      limits: new RunLimits(options.limits ?? {}, machine.options.runtime),
      idle: new IdleClock(machine, mayWake),
      loops: new LoopReports({
        ...{ cpus: machine.cpus, clients, pending },
        repeating: () => this.repeating,
        tell: options.onLoop ?? (() => {}),
      }),
      check: this.check,
    });
    machine.patienceMs = PATIENCE_MS;
    if (options.observed !== false) this.observe();
    this.comparators.onWatches = () => {
      this.hooks.install();
      this.listener.arm();
    };
    this.catches.onChange = () => this.listener.arm();
    this.hooks.install();
  }

  /** Listens to what debuggers want to know of guests. */
  private observe(): void {
    const { vcpuStates, stepping, listener, clients } = this;
    for (const cpu of this.machine.cpus)
      cpu.observe({
        beforeExit: (c) => vcpuStates.exit(c, c.events.lastEcode),
        entered: (c) => {
          const first = vcpuStates.enter(c);
          stepping.crossed(c, 'entered');
          if (first && !this.repeating) clients.firstEntry(c, c.gid);
          listener.event(c, first);
        },
        exception: (c) => {
          if (c.events.lastIsExit) stepping.crossed(c, 'left');
          listener.event(c, false);
        },
      });
  }

  // --- front ends --------------------------------------------------------------------------------------------------

  /** Connects a front end. */
  attach(client: Client): void {
    this.clients.add(client);
    this.kick();
  }

  detach(client: Client): void {
    this.clients.remove(client);
    this.comparators.remove((b) => b.owner === client);
    this.comparators.removeWatch((w) => w.owner === client);
    this.catches.deleteSyscalls(client);
    if (this.clients.none) {
      this.catches.clear();
      this.comparators.removeWatch((w) => w.listed !== undefined);
    }
    this.kick();
  }

  /** Is a front end there? */
  get hasClients(): boolean {
    return !this.clients.none;
  }

  // --- running -----------------------------------------------------------------------------------------------------

  /** Runs until the machine has ended; clients stop and start it meanwhile. */
  run(): Promise<End> {
    return this.loop.run();
  }

  get isRunning(): boolean {
    return this.loop.running;
  }

  /** Has the run ended? */
  get over(): boolean {
    return this.loop.over;
  }

  /** Lets the machine go on if nobody objects: call after a client's `running` or outside input has changed. */
  kick(): void {
    this.loop.kick();
  }

  /** Stops the machine as soon as possible and tells everybody (Ctrl-C). */
  interrupt(): void {
    this.loop.report({ kind: 'interrupt' });
  }

  /** Ends the machine from outside. */
  quit(): void {
    this.loop.finish({ kind: 'quit' });
  }

  /** Puts the machine under `stepper` when it next goes on: an instruction at a time, or (`stepping` false) freely. */
  setStepper(stepper: Stepper, stepping = true): void {
    this.stepping.begin(stepper, stepping);
  }

  /** Carries something out between two instructions, soon: for listeners, which must not change what runs. */
  defer(cpu: Cpu, task: () => void): void {
    this.loop.defer(task);
    cpu.requestStop();
  }

  /** Instructions that all CPUs have executed; exact inside an instruction too. */
  position(): number {
    return this.machine.cpus.reduce((sum, c) => sum + c.position, 0);
  }

  // --- input -------------------------------------------------------------------------------------------------------

  /** Input for the console. */
  input(bytes: Uint8Array): void {
    this.history.input(bytes);
    this.check?.input(bytes);
    this.kick();
  }

  /** Bytes of it that the guest has not taken. */
  get inputWaiting(): number {
    return this.machine.inputWaiting;
  }

  /** Sets the function that tells whether input may still arrive. If not, a machine in which every CPU waits has died. */
  expectInput(mayCome: () => boolean): void {
    this.inputMayCome = mayCome;
  }

  // --- the past ----------------------------------------------------------------------------------------------------

  /** Is the machine going over ground that it has covered before? Observers then have heard it all. */
  get repeating(): boolean {
    return this.pending.silent || this.history.repeating;
  }

  /** Is somebody in the middle of going over the past? Then clients must leave the machine alone. */
  get inReplay(): boolean {
    return this.pending.silent;
  }

  /** Reverse execution has arrived at a stop: what stopped there must not stop again when the machine goes on. */
  arrived(stop: Stop): void {
    if (stop.kind === 'catch') this.listener.passWrite(stop.cpu);
    if (stop.kind === 'watch') this.hooks.passWatch();
  }

  /** Puts the machine into the state of a snapshot. The past begins there. @throws Error when it cannot be */
  loadSnapshot(name: string): void {
    if (!this.snapshotStore) throw new Error('no snapshots can be had here');
    this.snapshotStore.load(this.machine, name);
    this.history.enable(this.history.enabled);
    this.stepping.end();
  }

  // --- observers ---------------------------------------------------------------------------------------------------

  /** What is known of the hypervisor's own data. */
  get contexts(): ContextSource | undefined {
    return this.known;
  }

  /** Has contexts shown with what is known of the hypervisor's own data. */
  useContexts(source: ContextSource): void {
    this.known = source;
  }

  /** Account of VM exits, while somebody wants one. */
  get exitStatistics(): ExitStatistics | undefined {
    return this.statistics;
  }

  /** Begins a new account of VM exits. */
  countExits(): ExitStatistics {
    this.statistics?.end();
    return (this.statistics = new ExitStatistics(this.machine.cpus, () => this.repeating));
  }

  /** Ends the account of VM exits. */
  endExitCount(): void {
    this.statistics?.end();
    this.statistics = undefined;
  }

  /** What an auditor has found so far, in words. */
  get audit(): (() => readonly string[]) | undefined {
    return this.auditSummary;
  }

  /** An auditor is there. */
  auditWith(summary: () => readonly string[]): void {
    this.auditSummary = summary;
  }
}
