/**
 * Run control: the only way from front ends into a running machine. All stop and go together: the machine runs while
 * every client that is attached wants it to, and a stop is told to all of them.
 */

import type { EngineCheck } from '../check/engine-check.ts';
import { TIMER_HZ } from '../cpu/clock.ts';
import type { Cpu, CsrWriting, TlbChange } from '../cpu/cpu.ts';
import { type Machine, type RunResult, SLICE } from '../machine/machine.ts';
import { STATE } from '../memory/layout.ts';
import { History } from '../replay/history.ts';
import type { Steps } from '../replay/steps.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { Comparators, type WatchHit } from './breakpoints.ts';
import { type Catch, Catches, causeName, injects, writtenValue } from './catches.ts';
import { type ContextSource, VcpuStates } from './context.ts';
import type { ExitStatistics } from './exit-statistics.ts';
import { type Loop, LoopDetector } from './loops.ts';
import { Replayer } from './replayer.ts';
import type { Client, End, Limits, MemoryObserver, Scanner, SnapshotStore, Stepper, Stop } from './stop.ts';

const TICKS_PER_MS = TIMER_HZ / 1000;
/** The longest sleep between looks at the time limit. */
const LONGEST_SLEEP_MS = 100;
/** How long a slice should take, in milliseconds. */
const SLICE_MS = 8;
/** The longest slice: what the guest does may take the host a thousand times as long as what it did before. */
const PATIENCE_MS = 50;

export class RunControl {
  readonly machine: Machine;
  readonly comparators: Comparators;
  readonly catches = new Catches();
  readonly vcpuStates = new VcpuStates();
  readonly history: History;
  readonly replayer: Replayer;
  /** What is known of the hypervisor's own data. */
  contexts: ContextSource | undefined;
  /** Account of VM exits, while somebody wants one. */
  exitStatistics: ExitStatistics | undefined;
  /** What an auditor has found so far, in words. */
  audit: (() => readonly string[]) | undefined;
  /** Where snapshots go and come from, by name. */
  snapshotStore: SnapshotStore | undefined;
  /** Answers whether input may still arrive from outside when every CPU waits. */
  mayWake: () => boolean = () => false;
  /** Must the machine wait until somebody has read what it says? A {@link kick} comes when it need not. */
  mustWait: () => boolean = () => false;
  /** Told of loops of exceptions when no debugger is there to stop for. */
  onLoop: ((cpu: Cpu, loop: Loop) => void) | undefined;
  private readonly clients = new Set<Client>();
  private readonly limits: Limits;
  private readonly runtime: Runtime;
  private readonly loops = new LoopDetector();
  private stop: Stop | undefined;
  private stepper: Stepper | undefined;
  private stepping = false;
  private pumping = false;
  private end: End | undefined;
  private waiting = false;
  private died: string | undefined;
  private readonly finished: Promise<End>;
  private finish!: (end: End) => void;
  private deadline = Number.POSITIVE_INFINITY;
  /** Time goes over old ground: nothing stops, and with a scanner what would is reported. */
  private quiet = false;
  private scanner: Scanner | undefined;

  /** @param observed false when no debugger can come: then VM exits need not be recorded for one */
  constructor(machine: Machine, limits: Limits = {}, observed = true) {
    this.machine = machine;
    this.runtime = machine.options.runtime;
    this.limits = limits;
    this.comparators = new Comparators(machine);
    this.history = new History(machine, [this.vcpuStates]);
    this.replayer = new Replayer(this);
    this.vcpuStates.position = () => this.position();
    this.finished = new Promise((resolve) => {
      this.finish = resolve;
    });
    machine.mayJumpTo = () => this.jumpLimit();
    machine.patienceMs = PATIENCE_MS;
    for (const cpu of machine.cpus) {
      cpu.observe({
        nested: (c) => this.looped(c, this.loops.nested(c)),
        exited: (c) => {
          if (this.loops.exception(c)) this.looped(c, this.loops.stalled(c));
        },
      });
      if (observed)
        cpu.observe({
          beforeExit: (c) => this.vcpuStates.exit(c, c.events.lastEcode),
          entered: (c) => this.entered(c),
          exception: (c) => this.exception(c),
        });
    }
    this.comparators.onWatches = () => {
      this.installHooks();
      this.armEvents();
    };
    this.catches.onChange = () => this.armEvents();
    this.installHooks();
  }

  /** Connects a front end. */
  attach(client: Client): void {
    this.clients.add(client);
    this.kick();
  }

  detach(client: Client): void {
    this.clients.delete(client);
    this.comparators.remove((b) => b.owner === client);
    this.comparators.removeWatch((w) => w.owner === client);
    this.catches.deleteSyscalls(client);
    if (this.clients.size === 0) {
      this.catches.clear();
      this.comparators.removeWatch((w) => w.listed !== undefined);
    }
    this.kick();
  }

  /** Runs until the machine has ended; clients stop and start it meanwhile. */
  run(): Promise<End> {
    if (this.limits.timeoutSeconds !== undefined)
      this.deadline = this.runtime.now() + this.limits.timeoutSeconds * 1000;
    this.kick();
    return this.finished;
  }

  get isRunning(): boolean {
    return this.end === undefined && [...this.clients].every((c) => c.running);
  }

  /** Has the run ended? */
  get over(): boolean {
    return this.end !== undefined;
  }

  /** Is the machine going over ground that it has covered before? Observers then have heard it all. */
  get repeating(): boolean {
    return this.quiet || this.history.repeating;
  }

  /** A second machine that runs beside this one and must agree with it. */
  check: EngineCheck | undefined;

  /** Stops the machine as soon as possible and tells everybody (Ctrl-C). */
  interrupt(): void {
    this.report({ kind: 'interrupt' });
  }

  /** Ends the machine from outside. */
  quit(): void {
    this.finishWith({ kind: 'quit' });
  }

  /** Input for the console. */
  input(bytes: Uint8Array): void {
    this.history.input(bytes);
    this.check?.input(bytes);
    this.kick();
  }

  /** Puts the machine under `stepper` when it next goes on: an instruction at a time, or (`stepping` false) freely. */
  setStepper(stepper: Stepper, stepping = true): void {
    this.stepper = stepper;
    this.stepping = stepping;
  }

  /** Bytes of it that the guest has not taken. */
  get inputWaiting(): number {
    return this.machine.inputWaiting;
  }

  /** Lets the machine go on if nobody objects: call after a client's `running` or outside input has changed. */
  kick(): void {
    this.waiting = false;
    if (this.pumping || this.end) return;
    this.pumping = true;
    this.runtime.soon(() => this.pump());
  }

  /** Instructions that all CPUs have executed; exact inside an instruction too. */
  position(): number {
    return this.machine.cpus.reduce((sum, c) => sum + c.position, 0);
  }

  /** Gives the engines what they need to know, and no more: what is absent costs nothing. */
  private installHooks(): void {
    const { comparators, memoryObserver } = this;
    const watching = comparators.hasWatchpoints;
    for (const engine of this.machine.engines)
      engine.setHooks({
        breakpoints: (cpu, lo, hi, pa) =>
          this.quiet && !this.scanner ? undefined : comparators.inPage(cpu, lo, hi, pa),
        breakpointHit: (cpu, pa) => this.breakpointHit(cpu, pa),
        ...((watching || memoryObserver) && {
          watchesPage: (cpu, lo, hi, pa) => comparators.watchesPage(cpu, lo, hi, pa),
          watchedOffsets: comparators.watchedOffsets(),
          ...(memoryObserver && { watchesAll: (cpu) => memoryObserver.watchesAll(cpu) }),
          watch: (cpu, lo, hi, size, write, plain) => {
            memoryObserver?.accessed(cpu, lo, hi, size, write);
            if (!comparators.mayMeet(lo, hi, size)) return false;
            return this.watchHit(cpu, comparators.watchHit(cpu, lo, hi, { size, write, ...stored(cpu, size, plain) }));
          },
        }),
        ...(comparators.hasPhysicalWatchpoints && {
          watchPhysical: (cpu, pa, size, write, plain) =>
            this.watchHit(cpu, comparators.physicalHit(cpu, pa, { size, write, ...stored(cpu, size, plain) })),
        }),
        ...(memoryObserver && { stored: (cpu, pa, size) => memoryObserver.stored(cpu, pa, size) }),
      });
  }

  /** Listens to CSR writes and TLB changes while somebody waits for one. */
  private armEvents(): void {
    const wanted = this.catches.hearsAccesses || this.comparators.hasCsrWatchpoints;
    if (wanted === this.disarm.length > 0) return;
    for (const stop of this.disarm.splice(0)) stop();
    if (!wanted) return;
    for (const cpu of this.machine.cpus)
      this.disarm.push(
        cpu.observe({
          csrWrite: (c, write) => this.csrWrite(c, write),
          tlbChanged: (c, change) => this.tlbChanged(c, change),
        }),
      );
  }
  private readonly disarm: (() => void)[] = [];

  /** Has memory accesses looked at, until called with undefined. */
  observeMemory(memoryObserver: MemoryObserver | undefined): void {
    this.memoryObserver = memoryObserver;
    for (const cpu of this.machine.cpus) cpu.fast.clearAll();
    this.installHooks();
  }
  private memoryObserver: MemoryObserver | undefined;

  /** Carries something out between two instructions, soon: for listeners, which must not change what runs. */
  defer(cpu: Cpu, task: () => void): void {
    this.tasks.push(task);
    cpu.requestStop();
  }
  private readonly tasks: (() => void)[] = [];

  /** Lets a CPU off the breakpoints at its PC when it goes on: a client does not know of one there. */
  passOnce(cpu: Cpu): void {
    this.passing = { cpu, position: this.position() };
  }
  private passing: { readonly cpu: Cpu; readonly position: number } | undefined;

  private breakpointHit(cpu: Cpu, pa: number): boolean {
    const va = cpu.pc;
    if (this.passing?.cpu === cpu && this.passing.position === this.position()) return false;
    let met = false;
    for (const b of this.comparators.at(va, cpu.world, cpu, pa)) if (b.when?.(cpu) !== false) met = true;
    if (!met) return false;
    return this.stopFor({ kind: 'breakpoint', cpu, world: cpu.world, va, pa }, this.position());
  }

  private watchHit(cpu: Cpu, hit: WatchHit | undefined): boolean {
    if (!hit) return false;
    const position = this.position();
    // One that was set by command is nobody's to step off: its access goes on after the stop.
    if (hit.watch.listed && this.watchStop === position) return false;
    const stops = this.stopFor({ kind: 'watch', cpu, world: cpu.world, hit }, position);
    if (stops) {
      this.watchStop = position;
      cpu.requestStop();
    }
    return stops;
  }

  /** Moment of the last stop before a watched access. */
  private watchStop = -1;

  /**
   * Notes a reason to stop, at the moment `position`.
   * @returns whether the CPU shall stop now; not while time goes over old ground
   */
  private stopFor(stop: Stop, position: number): boolean {
    if (this.quiet) {
      this.scanner?.(position, stop);
      return false;
    }
    this.stop ??= stop;
    return true;
  }

  private pump(): void {
    this.pumping = false;
    if (this.end || !this.isRunning || this.waiting) return;
    const end = this.turn();
    if (end) this.finishWith(end);
    else if (this.stop) this.report(this.stop);
    else if (!this.waiting) this.kick();
  }

  /** Runs one slice. @returns why the run is over, if it is */
  private turn(): End | undefined {
    if (this.runtime.now() >= this.deadline) return { kind: 'limit', what: 'time' };
    if (this.mustWait()) {
      this.waiting = true;
      this.wakeBefore(this.deadline);
      return undefined;
    }
    let result: RunResult;
    try {
      const limit = Math.min(
        this.limits.maxInstructions ?? Number.POSITIVE_INFINITY,
        this.check?.due ?? Number.POSITIVE_INFINITY,
      );
      result = this.stepping ? this.stepOnce() : this.slice(limit);
    } catch (error) {
      return { kind: 'died', reason: error instanceof Error ? error.message : String(error) };
    }
    const wrong = this.check?.follow(result === 'poweroff');
    if (wrong !== undefined) return { kind: 'died', reason: wrong };
    if (result === 'poweroff') return { kind: 'poweroff' };
    this.machine.clearStops();
    for (const task of this.tasks.splice(0)) task();
    if (this.stop) return undefined;
    if (this.died !== undefined) return { kind: 'died', reason: this.died };
    if (this.limits.maxInstructions !== undefined && this.machine.instructions >= this.limits.maxInstructions)
      return { kind: 'limit', what: 'instructions' };
    if (result === 'waiting') return this.wait();
    if (result === 'asleep') this.sleep();
    return undefined;
  }

  /** Runs for a while that is short by the clock, so that Ctrl-C is answered soon whatever the machine does. */
  private slice(limit: number): RunResult {
    const began = this.runtime.now();
    const result = this.history.run(this.budget, limit);
    const took = this.runtime.now() - began;
    // Halves and doubles of SLICE keep whole rounds of several CPUs.
    if (took > 2 * SLICE_MS) this.budget = Math.max(SLICE / 64, this.budget / 2);
    else if (took < SLICE_MS / 2) this.budget = Math.min(SLICE, this.budget * 2);
    return result;
  }
  private budget = SLICE;

  /** Nothing inside the machine will happen any more: input or Ctrl-C wakes the loop, and the time limit still holds. */
  private wait(): End | undefined {
    if (this.clients.size === 0 && !this.mayWake())
      return { kind: 'died', reason: 'every CPU waits for an interrupt that cannot come' };
    this.waiting = true;
    this.wakeBefore(this.deadline);
    return undefined;
  }

  /** Looks again at a moment of the host's clock, unless something happens before. */
  private wakeBefore(time: number): void {
    if (time !== Number.POSITIVE_INFINITY) this.wakeIn(time - this.runtime.now());
  }

  private wakeIn(ms: number): void {
    this.cancelWake();
    this.cancelWake = this.runtime.after(Math.max(0, ms), () => this.kick());
  }
  private cancelWake: () => void = () => {};

  /** Nothing will happen before a timer is due. */
  private sleep(): void {
    const { machine } = this;
    this.waiting = true;
    const left = (machine.wakeTime - machine.mayJumpTo()) / TICKS_PER_MS;
    this.wakeIn(Math.min(left, LONGEST_SLEEP_MS));
  }

  /**
   * While somebody sits at the console, a machine that idles follows the clock on the wall instead of running through virtual
   * time: it costs nothing then, and its cursor blinks as it should. What the guest sees is the same.
   */
  private jumpLimit(): number {
    const { machine } = this;
    if (machine.options.clock) return machine.options.clock();
    if (!this.mayWake()) return Number.POSITIVE_INFINITY;
    const { instructions, time } = machine;
    if (this.idleSince?.instructions !== instructions)
      this.idleSince = { instructions, time, wall: this.runtime.now() };
    return this.idleSince.time + (this.runtime.now() - this.idleSince.wall) * TICKS_PER_MS;
  }
  private idleSince: { readonly instructions: number; readonly time: number; readonly wall: number } | undefined;

  private stepOnce(): RunResult {
    const stepper = this.stepper!;
    const { cpu } = stepper;
    const before = cpu.icount;
    const result = this.history.step(cpu, stepper.interrupts === true);
    // In `idle` with nothing to wake the CPU no instruction will be executed: the step is over where it began.
    if (result === 'waiting') this.stop ??= { kind: 'step', cpu };
    if (cpu.icount === before) return 'slice';
    if (!this.stop) this.follow(stepper.next('stepped'), cpu);
    return result;
  }

  private follow(what: 'run' | 'step' | 'stop', cpu: Cpu): void {
    this.stepping = what === 'step';
    if (what === 'stop') this.stop = { kind: 'step', cpu };
  }

  private entered(cpu: Cpu): void {
    const first = this.vcpuStates.enter(cpu);
    this.tellStepper(cpu, 'entered');
    if (first && !this.repeating) for (const client of this.clients) client.firstEntry?.(cpu, cpu.gid);
    this.checkEvent(cpu, first);
  }

  private tellStepper(cpu: Cpu, event: 'entered' | 'left'): void {
    if (!this.stepper || this.stepping || this.quiet || this.stepper.cpu !== cpu) return;
    const what = this.stepper.next(event);
    this.follow(what, cpu);
    if (what !== 'run') cpu.requestStop();
  }

  private exception(cpu: Cpu): void {
    if (cpu.events.lastIsExit) this.tellStepper(cpu, 'left');
    this.checkEvent(cpu, false);
  }

  private checkEvent(cpu: Cpu, firstEntry: boolean): void {
    if (this.catches.isEmpty || !this.catches.mayMeet(cpu.events.lastKind, cpu.events.lastEcode)) return;
    const record = cpu.events.at(0)!;
    const caught = this.catches.onEvent(cpu, record, firstEntry);
    if (!caught) return;
    const where = record.world < 0 ? 'host' : `gid ${record.world}`;
    const text =
      record.kind === 'entry'
        ? `VM entry cpu${cpu.index} -> gid ${record.world} pc=0x${record.pc.toString(16)}`
        : `${record.kind === 'exit' ? 'VM exit' : 'exception'} cpu${cpu.index} in ${where}: ${causeName(record.ecode, record.esub)} (Ecode 0x${record.ecode.toString(16)}) at pc=0x${record.pc.toString(16)}${record.hasBadv ? ` badv=0x${record.badv.toString(16)}` : ''}`;
    // The event belongs to an instruction that is not counted yet.
    this.catch(cpu, caught, text, this.position() + 1);
  }

  private catch(cpu: Cpu, caught: Catch, text: string, position: number): boolean {
    const stops = this.stopFor({ kind: 'catch', cpu, caught, text }, position);
    if (stops) {
      caught.hits++;
      cpu.requestStop();
    }
    return stops;
  }

  /** Tick at the last stop before a CSR write: the same write must not stop twice. */
  private csrStop = -1;

  private csrWrite(cpu: Cpu, write: CsrWriting): boolean {
    if (this.stop) return false;
    if (this.comparators.hasCsrWatchpoints) {
      const hit = this.comparators.csrHit(cpu, write.bank, write.num);
      if (hit) return this.watchHit(cpu, hit);
    }
    if (this.catches.isEmpty || this.csrStop === cpu.now) return false;
    const caught = this.catches.onCsrWrite(cpu, write);
    if (!caught) return false;
    const { value, mask } = writtenValue(write);
    const name = `${write.bank} CSR 0x${write.num.toString(16)}`;
    const lines = caught.kind === 'inject' ? injects(cpu, write) : 0;
    const pc = `at pc=0x${cpu.pc.toString(16)}`;
    const text = lines
      ? `cpu${cpu.index} injects interrupt ${31 - Math.clz32(lines)} into the guest bank (${name}) ${pc}`
      : `${name} about to be written: 0x${value.toString(16)}${mask === (1n << 64n) - 1n ? '' : ` under mask 0x${mask.toString(16)}`} ${pc}`;
    const stops = this.catch(cpu, caught, text, this.position());
    if (stops) this.csrStop = cpu.now;
    return stops;
  }

  private tlbChanged(cpu: Cpu, change: TlbChange): void {
    if (this.catches.isEmpty || this.stop) return;
    const caught = this.catches.onTlb(cpu, change);
    if (!caught) return;
    const whose = change.gid < 0 ? 'all guests' : change.gid === 0 ? 'the host' : `gid ${change.gid}`;
    const tlb = change.guestType ? cpu.gtlb : cpu.htlb;
    const stage = change.guestType ? 'stage 1' : change.gid === 0 ? 'VA' : 'stage 2';
    const vppn = change.index < 0 ? change.vppn : tlb.vppn[change.index]!;
    const at = vppn < 0 ? '' : ` at 0x${(BigInt(vppn) << 13n).toString(16)}`;
    const entry = change.index < 0 ? '' : ` entry #${change.index}`;
    this.catch(cpu, caught, `cpu${cpu.index} ${change.by}: ${stage} of ${whose}${at}${entry}`, this.position() + 1);
  }

  /** A loop of exceptions: a debugger stops; without one the host's loop is the end, and a guest's is news. */
  private looped(cpu: Cpu, loop: Loop | undefined): void {
    if (!loop || this.repeating) return;
    if (this.clients.size > 0) {
      if (!this.loops.report(loop)) return;
      this.stop ??= { kind: 'loop', cpu, loop };
    } else {
      if (this.loops.report(loop)) this.onLoop?.(cpu, loop);
      if (!loop.hopeless) return;
      this.died ??= loop.text;
    }
    cpu.requestStop();
  }

  /** Carries something out while nothing stops: for going over the past, or ahead of a client. */
  silently<T>(body: () => T, scanner?: Scanner): T {
    const loud = this.hush(scanner);
    try {
      return body();
    } finally {
      loud();
    }
  }

  /** The same in pieces. Between them clients must leave the machine alone: see {@link inReplay}. */
  *silentlyInPieces<T>(body: Steps<T>, scanner?: Scanner): Steps<T> {
    const loud = this.hush(scanner);
    try {
      return yield* body;
    } finally {
      loud();
    }
  }

  /** Is somebody in the middle of going over the past? */
  get inReplay(): boolean {
    return this.quiet;
  }

  /** Nothing stops until the result is called. */
  private hush(scanner: Scanner | undefined): () => void {
    const stop = this.stop;
    this.quiet = true;
    this.scanner = scanner;
    this.machine.uops.clear();
    return () => {
      this.quiet = false;
      this.scanner = undefined;
      this.stop = stop;
      this.machine.clearStops();
      this.machine.uops.clear();
    };
  }

  /** Reverse execution has arrived at a stop: what stopped there must not stop again when the machine goes on. */
  arrived(stop: Stop): void {
    if (stop.kind === 'catch') this.csrStop = stop.cpu.now;
    if (stop.kind === 'watch') this.watchStop = this.position();
  }

  /** Puts the machine into the state of a snapshot. The past begins there. @throws Error when it cannot be */
  loadSnapshot(name: string): void {
    if (!this.snapshotStore) throw new Error('no snapshots can be had here');
    this.snapshotStore.load(this.machine, name);
    this.history.enable(this.history.enabled);
    this.stepper = undefined;
    this.stepping = false;
  }

  /** Is a front end there? */
  get hasClients(): boolean {
    return this.clients.size > 0;
  }

  private report(stop: Stop): void {
    this.stop = undefined;
    this.stepper = undefined;
    this.stepping = false;
    this.history.hold([]);
    for (const client of [...this.clients]) {
      client.running = false;
      client.stopped(stop);
    }
  }

  private finishWith(end: End): void {
    if (this.end) return;
    this.end = end;
    this.cancelWake();
    for (const client of [...this.clients]) client.ended(end);
    this.finish(end);
  }
}

/** The value of a plain store of up to 8 bytes, where the engine has put it. */
function stored(cpu: Cpu, size: number, plain: boolean): { value?: bigint } {
  if (!plain || size > 8) return {};
  return { value: BigInt.asUintN(8 * size, cpu.mem.u64[(cpu.base + STATE.value) >> 3]!) };
}
