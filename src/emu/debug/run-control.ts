/**
 * Run control: the only way for front ends to control a running machine. All CPUs stop and start together. The machine
 * runs while every attached client wants it to run, and every client learns of a stop. Each concern has a class of
 * its own; this class connects them.
 */

import type { EngineCheck } from '../check/engine-check.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { type Machine, SLICE } from '../machine/machine.ts';
import { Bookmarks } from '../replay/bookmarks.ts';
import type { DiskPast } from '../replay/disk-past.ts';
import { History } from '../replay/history.ts';
import type { SharePast } from '../replay/share-past.ts';
import type { Steps } from '../runtime/steps.ts';
import type { Stateful } from '../state/fields.ts';
import { Comparators } from './breakpoints.ts';
import { CatchListener } from './catch-listener.ts';
import { Catches } from './catches.ts';
import { Clients } from './clients.ts';
import { ComparatorHooks } from './comparator-hooks.ts';
import { type ContextSource, VcpuStates } from './context.ts';
import { ExitCount } from './exit-statistics.ts';
import { IdleClock } from './idle-clock.ts';
import { LoopReports } from './loop-reports.ts';
import type { Loop } from './loops.ts';
import { PendingStop } from './pending-stop.ts';
import { Replayer } from './replayer.ts';
import { RunLimits } from './run-limits.ts';
import { RunLoop } from './run-loop.ts';
import { FoundMoments } from './sought-moments.ts';
import { Stepping } from './stepping.ts';
import type { Client, End, FrameSource, Limits, SnapshotStore, Stepper, Stop } from './stop.ts';
import type { SymbolStore } from './symbolizer.ts';

/**
 * The longest slice in milliseconds of real time. An instruction of the guest may take a thousand times as long as
 * the one before it.
 */
const PATIENCE_MS = 50;

/** Disks and folders that go back in time. */
export interface Outside {
  readonly disks: readonly DiskPast[];
  readonly shares: readonly SharePast[];
}

export interface RunOptions {
  readonly limits?: Limits;
  /** False when no debugger can connect. Then VM exits need not be recorded for one. */
  readonly observed?: boolean;
  /** Must the machine wait until its output has been read? A {@link RunControl.kick} follows when the wait is over. */
  readonly mustWait?: () => boolean;
  /** Called for a loop of exceptions when no debugger is attached to stop for. */
  readonly onLoop?: (cpu: Cpu, loop: Loop) => void;
  /** Is the past kept from the start, without copies, for explanations? */
  readonly remembers?: boolean | undefined;
  /** Are loops only told of, so that the run goes on? */
  readonly loopsGoOn?: boolean | undefined;
  /** Where snapshots are saved and loaded, by name. */
  readonly snapshotStore?: SnapshotStore | undefined;
  /** A machine that has been switched off stays until it is reset or the run is ended from outside. */
  readonly keep?: boolean | undefined;
  /** Called when the machine begins to run, and when it stops. */
  readonly onRunning?: ((running: boolean) => void) | undefined;
  /** What is outside the machine and goes back in time with it. */
  readonly outside?: Outside | undefined;
  /** Bytes of memory for the copies of the past. */
  readonly history?: number | undefined;
  /** A second machine that runs in parallel and must have the same state. */
  readonly check?: EngineCheck | undefined;
}

export class RunControl {
  readonly machine: Machine;
  readonly comparators: Comparators;
  readonly catches = new Catches();
  readonly vcpuStates: VcpuStates;
  /** What was seen of the machine's VMs. It goes with the machine: into copies, and into snapshots. */
  readonly observers: readonly Stateful[];
  readonly history: History;
  readonly bookmarks = new Bookmarks();
  readonly findings = new FoundMoments();
  /** Hears each byte that the machine sends to its console, also while it repeats its past. */
  onConsole: ((byte: number) => void) | undefined;
  readonly replayer: Replayer;
  private readonly snapshotStore: SnapshotStore | undefined;
  /** Must the machine wait until its output has been read? */
  readonly mustWait: () => boolean;
  private readonly check: EngineCheck | undefined;
  private readonly clients = new Clients();
  readonly pending: PendingStop;
  private readonly stepping: Stepping;
  readonly hooks: ComparatorHooks;
  private readonly listener: CatchListener;
  private readonly loop: RunLoop;
  /** What is known about the data of the hypervisor. Contexts are shown with it. */
  contexts: ContextSource | undefined;
  /** The further files that addresses are named by. */
  symbolFiles: SymbolStore | undefined;
  /** What an auditor has found so far, as text. */
  audit: (() => readonly string[]) | undefined;
  /** The statistics of VM exits. */
  readonly exits: ExitCount;
  private readonly inputMayCome: (() => boolean)[] = [];
  private network: FrameSource | undefined;

  constructor(machine: Machine, options: RunOptions = {}) {
    this.machine = machine;
    this.snapshotStore = options.snapshotStore;
    this.check = options.check;
    this.mustWait = options.mustWait ?? (() => false);
    this.comparators = new Comparators(machine);
    this.vcpuStates = new VcpuStates(machine.ram);
    this.observers = [this.vcpuStates, this.vcpuStates.vms, this.vcpuStates.translations];
    const { disks = [], shares = [] } = options.outside ?? {};
    this.history = new History(machine, [...this.observers, ...disks], options.history, [...disks, ...shares]);
    this.replayer = new Replayer(this);
    this.exits = new ExitCount(machine.cpus, () => this.repeating);
    this.vcpuStates.position = () => this.position();
    this.pending = new PendingStop(machine);
    this.stepping = new Stepping(this.history, this.pending);
    const { comparators, pending, clients, history, stepping } = this;
    const around = { machine, comparators, pending, position: () => this.position() };
    this.hooks = new ComparatorHooks(around);
    this.listener = new CatchListener(around, this.catches, this.hooks);
    const mayWake = (): boolean => this.inputMayCome.some((mayCome) => mayCome());
    this.loop = new RunLoop({
      ...{
        machine,
        history,
        clients,
        pending,
        stepping,
        mayWake,
        mustWait: this.mustWait,
        takeInput: () => this.takeFrames(),
      },
      limits: new RunLimits(options.limits ?? {}, machine.options.runtime),
      idle: new IdleClock(machine, mayWake, () => history.repeating || history.fixed),
      loops: new LoopReports({
        ...{ machine, vcpuStates: this.vcpuStates, hooks: this.hooks, comparators, clients, pending },
        goesOn: options.loopsGoOn === true,
        repeating: () => this.repeating,
        position: () => this.position(),
        tell: options.onLoop ?? (() => {}),
      }),
      check: this.check,
      keep: options.keep === true,
      onRunning: options.onRunning ?? (() => {}),
    });
    machine.patienceMs = PATIENCE_MS;
    if (options.remembers) this.history.remember();
    if (options.observed !== false) this.observe();
    this.comparators.onWatches = () => {
      this.hooks.install();
      this.listener.arm();
    };
    this.catches.onChange = () => this.listener.arm();
    this.hooks.install();
  }

  /** Listens to the events of guests that debuggers want to see. */
  private observe(): void {
    const { vcpuStates, stepping, listener, clients } = this;
    vcpuStates.vms.number(this.machine.cpus);
    for (const cpu of this.machine.cpus)
      cpu.observe({
        beforeExit: (c) => vcpuStates.exit(c, c.events.lastEcode),
        entered: (c) => {
          const first = vcpuStates.enter(c);
          stepping.crossed(c, 'entered');
          if (first && !this.repeating) clients.firstEntry(c, vcpuStates.vms.get(c.world)!);
          listener.event(c, first);
        },
        stage2Filled: (c, gid, index) => vcpuStates.filled(c, gid, index),
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

  /** Does another client keep the machine stopped? */
  heldBesides(client: Client): boolean {
    return this.clients.heldBesides(client);
  }

  /** Is a front end attached? */
  get hasClients(): boolean {
    return !this.clients.none;
  }

  // --- running -----------------------------------------------------------------------------------------------------

  /** Runs until the machine has ended. Clients stop and start it in between. */
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

  /** The stop at which the machine still stands, if it is one. */
  get stoppedAt(): Stop | undefined {
    return this.loop.stoppedAt;
  }

  /** Lets the machine continue if every client agrees. Call this after `running` of a client or input has changed. */
  kick(): void {
    this.loop.kick();
  }

  /** Stops the machine as soon as possible and informs all clients (Ctrl-C). */
  interrupt(): void {
    this.loop.report({ kind: 'interrupt' });
  }

  /** Ends the machine from outside. @param orderly a client has asked for it */
  quit(orderly = false): void {
    this.loop.finish({ kind: 'quit', orderly });
  }

  /**
   * Resets the machine from outside, also one that has been switched off. The history begins again.
   * @throws Error during a replay
   */
  reset(): void {
    this.fromOutside(() => {
      if (this.machine.options.noReboot) this.loop.finish({ kind: 'poweroff' });
      else this.powerOnAgain();
    });
  }

  /** The machine and what is known of it begin again. @throws Error when it repeats a recorded run */
  powerOnAgain(): void {
    const { history } = this;
    history.disturb();
    // What is kept of the past goes first: otherwise all memory that the reset clears would be kept.
    const kept = history.enabled;
    history.enable(false);
    this.machine.reset();
    this.vcpuStates.clear();
    history.enable(kept);
  }

  /** Presses the power button. @throws Error during a replay */
  pressPowerButton(): void {
    this.fromOutside(() => this.machine.pressPowerButton());
  }

  /** Changes the machine between two slices. */
  private fromOutside(change: () => void): void {
    if (this.inUse) throw new Error('a debugger goes back in time, or saves the machine: try again later');
    this.history.disturb();
    change();
    this.kick();
  }

  /** Gives control to `stepper` when the machine next continues: step by step, or freely (`stepping` is false). */
  setStepper(stepper: Stepper, stepping = true): void {
    this.stepping.begin(stepper, stepping);
  }

  /** The client of a stepper has left, or the machine has stopped. */
  releaseStepper(stepper: Stepper): void {
    this.stepping.release(stepper);
  }

  /** Runs a task soon, between two instructions. It is for listeners: they must not change what is running. */
  defer(cpu: Cpu, task: () => void): void {
    this.loop.defer(task);
    cpu.requestStop();
  }

  /** Runs a task when no instruction is being executed: between two slices, or at once when the run is over. */
  between(task: () => void): Promise<void> {
    return this.loop.between(task);
  }

  /** Runs a recorded machine for a short time without its clients, up to a position. What observers have deferred is done. */
  repeatSome(until: number): void {
    this.history.run(SLICE, until);
    this.machine.clearStops();
    this.loop.runTasks();
  }

  /** The number of instructions that all CPUs have executed. It is exact inside an instruction too. */
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

  /** The number of input bytes that the guest has not read yet. */
  get inputWaiting(): number {
    return this.machine.inputWaiting;
  }

  /** Adds a function that says whether input may still arrive. If none may, a machine in which every CPU waits is dead. */
  expectInput(mayCome: () => boolean): void {
    this.inputMayCome.push(mayCome);
  }

  /** Connects the network outside. A {@link kick} follows when frames have arrived. */
  connectNetwork(network: FrameSource): void {
    this.network = network;
    this.expectInput(() => network.live);
  }

  /** Frames enter the machine between two slices, and never while it repeats its past, which would end there. */
  private takeFrames(): void {
    const { machine, history, network, check } = this;
    if (!network || history.repeating) return;
    while (machine.networkBacklog === 0) {
      const frame = network.next();
      if (!frame) return;
      history.input(frame, 'network');
      check?.frame(frame);
    }
  }

  // --- the past ----------------------------------------------------------------------------------------------------

  /** Does the machine execute a part of its history again? Then observers have seen these events already. */
  get repeating(): boolean {
    return this.pending.silent || this.history.repeating;
  }

  /** A recorded run is on its way to a moment. */
  arriving = false;

  /** A snapshot is being made. */
  private saving = false;

  /**
   * Is a replay of the past in progress, or one to a moment of a recording, or is a snapshot being made? Then clients must not use the
   * machine.
   */
  get inUse(): boolean {
    return this.pending.silent || this.arriving || this.saving;
  }

  /** Reverse execution has reached a stop. What stopped the machine there must not stop it again when it continues. */
  arrived(stop: Stop): void {
    this.loop.standAt(stop);
    if (stop.kind === 'catch') this.listener.passWrite(stop.cpu);
    if (stop.kind === 'watch') this.hooks.passWatch();
  }

  /** Writes a snapshot. @returns its bytes @throws Error when this is not possible */
  *savingSnapshot(name: string): Steps<number> {
    if (!this.snapshotStore) throw new Error('no snapshots can be had here');
    this.saving = true;
    try {
      return yield* this.snapshotStore.save(this.machine, name, this.observers);
    } finally {
      this.saving = false;
    }
  }

  /**
   * Puts the machine into the state of a snapshot. The history begins there.
   * @throws Error when this is not possible
   */
  *loadingSnapshot(name: string): Steps<void> {
    if (!this.snapshotStore) throw new Error('no snapshots can be had here');
    yield* this.snapshotStore.load(this.machine, name, this.observers);
    this.history.enable(this.history.enabled);
    this.stepping.end();
  }
}
