/**
 * Run control: the only door from front ends into a running machine. All stop and go together: the machine runs while
 * every client that is attached wants it to, and a stop is told to all of them.
 */
import { type Machine, type RunResult, SLICE } from '../board/machine.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { Comparators, type WatchHit } from './breakpoints.ts';
import { type Catch, Catches, causeName } from './catches.ts';
import { GuestSnapshots } from './context.ts';

/** Why the machine has stopped. */
export type Stop =
  | { readonly kind: 'breakpoint'; readonly cpu: Cpu; readonly world: number; readonly va: bigint }
  | { readonly kind: 'watch'; readonly cpu: Cpu; readonly world: number; readonly hit: WatchHit }
  | { readonly kind: 'step'; readonly cpu: Cpu }
  | { readonly kind: 'catch'; readonly cpu: Cpu; readonly caught: Catch; readonly text: string }
  | { readonly kind: 'interrupt' };

/** Why a run has ended. */
export type End =
  | { readonly kind: 'poweroff' }
  | { readonly kind: 'limit'; readonly what: 'instructions' | 'time' }
  | { readonly kind: 'died'; readonly reason: string }
  | { readonly kind: 'quit' };

/** A front end. */
export interface Client {
  /** False while the client wants the machine to stand still. */
  running: boolean;
  stopped(stop: Stop): void;
  ended(end: End): void;
}

/**
 * Advances a CPU under a client's special regime (single steps); see gdbstub/soft-step.ts.
 * @returns what to do next: go on with free running, step again, or stop
 */
export interface Stepper {
  readonly cpu: Cpu;
  /** Take pending interrupts at the single instruction instead of holding them back. */
  readonly interrupts?: boolean;
  /** Called after each single instruction, and at each VM entry while running freely. */
  next(event: 'stepped' | 'entered'): 'run' | 'step' | 'stop';
}

export interface Limits {
  readonly maxInstructions?: number;
  readonly timeoutSeconds?: number;
}

export class RunControl {
  readonly machine: Machine;
  readonly comparators: Comparators;
  readonly catches = new Catches();
  readonly snapshots = new GuestSnapshots();
  /** Answers whether input may still arrive from outside when every CPU waits. */
  mayWake: () => boolean = () => false;
  private readonly clients = new Set<Client>();
  private readonly limits: Limits;
  private stop: Stop | undefined;
  private stepper: Stepper | undefined;
  private stepping = false;
  private pumping = false;
  private end: End | undefined;
  private waiting = false;
  private readonly finished: Promise<End>;
  private finish!: (end: End) => void;
  private deadline = Number.POSITIVE_INFINITY;

  /** @param observed false when no debugger can come: then VM exits need not be recorded for one */
  constructor(machine: Machine, limits: Limits = {}, observed = true) {
    this.machine = machine;
    this.limits = limits;
    this.comparators = new Comparators(machine);
    this.finished = new Promise((resolve) => {
      this.finish = resolve;
    });
    for (const cpu of observed ? machine.cpus : []) {
      cpu.observer = {
        beforeExit: (c) => this.snapshots.exit(c),
        entered: (c) => this.entered(c),
        exception: (c) => this.exception(c),
        csrWrite: (c, bank, num) => this.csrWrite(c, bank, num),
      };
    }
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
    if (this.clients.size === 0) this.catches.clear();
    this.kick();
  }

  /** Runs until the machine has ended; clients stop and start it meanwhile. */
  run(): Promise<End> {
    if (this.limits.timeoutSeconds !== undefined) this.deadline = Date.now() + this.limits.timeoutSeconds * 1000;
    this.kick();
    return this.finished;
  }

  get isRunning(): boolean {
    return this.end === undefined && [...this.clients].every((c) => c.running);
  }

  /** Stops the machine as soon as possible and tells everybody (Ctrl-C). */
  interrupt(): void {
    this.report({ kind: 'interrupt' });
  }

  /** Ends the machine from outside. */
  quit(): void {
    this.finishWith({ kind: 'quit' });
  }

  /** Puts the machine under `stepper` when it next goes on: an instruction at a time, or (`stepping` false) freely. */
  setStepper(stepper: Stepper, stepping = true): void {
    this.stepper = stepper;
    this.stepping = stepping;
  }

  /** Lets the machine go on if nobody objects: call after a client's `running` or outside input has changed. */
  kick(): void {
    this.waiting = false;
    if (this.pumping || this.end) return;
    this.pumping = true;
    setImmediate(() => this.pump());
  }

  /** Called when watchpoints or breakpoints have been inserted or removed. */
  installHooks(): void {
    const watching = this.comparators.hasWatchpoints;
    for (const engine of this.machine.engines)
      engine.setHooks({
        breakpoints: (cpu, lo, hi) => this.comparators.inPage(cpu, lo, hi),
        breakpointHit: (cpu) => {
          this.stop ??= { kind: 'breakpoint', cpu, world: cpu.world, va: cpu.pc };
        },
        ...(watching && {
          watchesPage: (cpu, lo, hi) => this.comparators.watchesPage(cpu, lo, hi),
          watch: (cpu, lo, hi, size, write) => {
            const hit = this.comparators.watchHit(cpu, lo, hi, size, write);
            if (!hit) return false;
            this.stop ??= { kind: 'watch', cpu, world: cpu.world, hit };
            cpu.requestStop();
            return true;
          },
        }),
      });
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
    if (Date.now() >= this.deadline) return { kind: 'limit', what: 'time' };
    let result: RunResult;
    try {
      result = this.stepping ? this.stepOnce() : this.machine.run(this.budget());
    } catch (error) {
      return { kind: 'died', reason: error instanceof Error ? error.message : String(error) };
    }
    if (result === 'poweroff') return { kind: 'poweroff' };
    this.machine.clearStops();
    if (this.stop) return undefined;
    if (this.limits.maxInstructions !== undefined && this.machine.instructions >= this.limits.maxInstructions)
      return { kind: 'limit', what: 'instructions' };
    if (result === 'waiting') return this.wait();
    return undefined;
  }

  /** Nothing inside the machine will happen any more: input or Ctrl-C wakes the loop, and the time limit still holds. */
  private wait(): End | undefined {
    if (this.clients.size === 0 && !this.mayWake())
      return { kind: 'died', reason: 'every CPU waits for an interrupt that cannot come' };
    this.waiting = true;
    const left = this.deadline - Date.now();
    if (left !== Number.POSITIVE_INFINITY) setTimeout(() => this.kick(), Math.max(0, left));
    return undefined;
  }

  private budget(): number {
    if (this.limits.maxInstructions === undefined) return SLICE;
    return Math.max(1, Math.min(SLICE, this.limits.maxInstructions - this.machine.instructions));
  }

  private stepOnce(): RunResult {
    const stepper = this.stepper!;
    const { cpu } = stepper;
    const result = this.machine.step(cpu, stepper.interrupts === true);
    // In `idle` with nothing to wake the CPU no instruction has been executed.
    if (result === 'waiting') return result;
    if (!this.stop) this.follow(stepper.next('stepped'), cpu);
    return result;
  }

  private follow(what: 'run' | 'step' | 'stop', cpu: Cpu): void {
    this.stepping = what === 'step';
    if (what === 'stop') this.stop = { kind: 'step', cpu };
  }

  private entered(cpu: Cpu): void {
    this.snapshots.enter(cpu);
    if (this.stepper && !this.stepping && this.stepper.cpu === cpu) {
      const what = this.stepper.next('entered');
      this.follow(what, cpu);
      if (what !== 'run') cpu.requestStop();
    }
    this.checkCatch(cpu);
  }

  private exception(cpu: Cpu): void {
    this.checkCatch(cpu);
  }

  private checkCatch(cpu: Cpu): void {
    if (this.catches.isEmpty) return;
    const record = cpu.events.at(0)!;
    const caught = this.catches.onEvent(record);
    if (!caught || this.stop) return;
    const where = record.world < 0 ? 'host' : `gid ${record.world}`;
    const text =
      record.kind === 'entry'
        ? `VM entry cpu${cpu.index} -> gid ${record.world} pc=0x${record.pc.toString(16)}`
        : `${record.kind === 'exit' ? 'VM exit' : 'exception'} cpu${cpu.index} in ${where}: ${causeName(record.ecode, record.esub)} (Ecode 0x${record.ecode.toString(16)}) at pc=0x${record.pc.toString(16)}${record.hasBadv ? ` badv=0x${record.badv.toString(16)}` : ''}`;
    this.stop = { kind: 'catch', cpu, caught, text };
    cpu.requestStop();
  }

  /** Instruction count at the last stop before a CSR write: the same write must not stop twice. */
  private csrStop = -1;

  private csrWrite(cpu: Cpu, bank: 'host' | 'guest', num: number): boolean {
    if (this.catches.isEmpty || this.stop) return false;
    const now = cpu.sliceTime + cpu.sliceBudget - cpu.stateI32('left');
    if (this.csrStop === now) return false;
    const caught = this.catches.onCsrWrite(bank, num);
    if (!caught) return false;
    this.csrStop = now;
    const text = `${bank} CSR 0x${num.toString(16)} about to be written at pc=0x${cpu.pc.toString(16)}`;
    this.stop = { kind: 'catch', cpu, caught, text };
    cpu.requestStop();
    return true;
  }

  private report(stop: Stop): void {
    this.stop = undefined;
    this.stepper = undefined;
    this.stepping = false;
    for (const cpu of this.machine.cpus) cpu.frozen = false;
    for (const client of [...this.clients]) {
      client.running = false;
      client.stopped(stop);
    }
  }

  private finishWith(end: End): void {
    if (this.end) return;
    this.end = end;
    for (const client of [...this.clients]) client.ended(end);
    this.finish(end);
  }
}
