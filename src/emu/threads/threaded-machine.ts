/**
 * A machine with a thread for each CPU and the devices on the main thread. It uses real time, so runs do not repeat. Only
 * the synchronization of the guest decides the order in which CPUs see the stores of others.
 */

import { Board } from '../board/board.ts';
import type { Card, VirtioBus } from '../board/cards.ts';
import type { BoardModel } from '../board/platform.ts';
import { type BootFiles, type BootRegisters, loadRam } from '../boot/load.ts';
import { TIMER_HZ } from '../cpu/clock.ts';
import { Cpu } from '../cpu/cpu.ts';
import type { CpuFeatures } from '../cpu/features.ts';
import type { End, FrameSource } from '../debug/stop.ts';
import type { PowerRequest } from '../devices/ged.ts';
import { fillFwCfg, platformOf } from '../machine/machine.ts';
import type { EngineKind } from '../machine/processors.ts';
import { PAGE } from '../memory/layout.ts';
import { LinearMemory } from '../memory/linear-memory.ts';
import { Ram } from '../memory/ram.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { Coherence } from './coherence.ts';
import { ACTIVITY, CALL, COMMAND, ControlBlock, type DeviceCall } from './control-block.ts';
import type { CpuThreadOptions } from './cpu-thread.ts';

export interface ThreadedOptions {
  /** The JavaScript runtime that the core runs in. */
  readonly runtime: Runtime;
  /** Bytes, a multiple of 1 MiB. */
  readonly ramSize: number;
  readonly cpus: number;
  readonly features: CpuFeatures;
  readonly seed: number;
  readonly engine: EngineKind;
  readonly model?: BoardModel | undefined;
  /** A reset by the guest ends the run, like a power-off. */
  readonly noReboot?: boolean | undefined;
  /** Cards for the PCI slots. */
  readonly cards?: readonly Card[] | undefined;
  readonly virtioOn?: VirtioBus | undefined;
  /** Bytes that UART0 sends. */
  readonly console: (byte: number) => void;
  /** Must devices wait until their output was read? A {@link ThreadedMachine.kick} follows when they can go on. */
  readonly mustWait?: (() => boolean) | undefined;
  /** Starts the thread of a CPU (cpu-thread.ts). */
  readonly spawn: (options: CpuThreadOptions) => CpuThreadHandle;
}

/** A CPU's thread. */
export interface CpuThreadHandle {
  /** Resolves when the thread has ended; rejects with what went wrong in it. */
  readonly ended: Promise<void>;
}

export interface ThreadedLimits {
  readonly maxInstructions?: number | undefined;
  readonly timeoutSeconds?: number | undefined;
}

/** While CPUs use devices, the main thread itself waits so long for the next access, in milliseconds. */
const ATTENTIVE_MS = 1;
/** So long after the last access it still waits in this way. */
const LINGER_MS = 20;
const TICKS_PER_MS = TIMER_HZ / 1000;
/** Longest time between two checks of the limits. */
const LIMITS_MS = 20;

export class ThreadedMachine {
  readonly mem: LinearMemory;
  readonly ram: Ram;
  /** The shared part of the CPUs: registers and counters. Data that only their threads have are not in it. */
  readonly cpus: readonly Cpu[];
  private readonly options: ThreadedOptions;
  private readonly files: BootFiles;
  private readonly memory: WebAssembly.Memory;
  private readonly block: ControlBlock;
  private readonly board: Board;
  private readonly coherence: Coherence;
  private start: BootRegisters;
  private power: PowerRequest | undefined;
  private end: End | undefined;
  private lastCall = 0;
  /** Devices have left work for later. */
  private unfinished = false;
  /** Can something outside the machine still wake it? */
  private readonly mayWake: (() => boolean)[] = [];
  private network: FrameSource | undefined;
  private readonly mustWait: () => boolean;

  /** @throws ImageError when the files do not fit into RAM */
  constructor(options: ThreadedOptions, files: BootFiles) {
    const { cpus, ramSize } = options;
    this.options = options;
    this.mustWait = options.mustWait ?? (() => false);
    this.files = files;
    this.memory = LinearMemory.forThreads(cpus, ramSize);
    this.mem = new LinearMemory(cpus, ramSize, { memory: this.memory, cpu: 0 });
    this.ram = new Ram(this.mem, ramSize, new SharedArrayBuffer(Ram.tableBytes(ramSize)));
    this.cpus = Array.from({ length: cpus }, (_, n) => new Cpu(n, this.mem, options.features, options.seed));
    this.block = new ControlBlock(cpus, this.mem.ramBytes / PAGE);
    this.board = new Board({
      cpus,
      lines: (cpu, bit, level) => this.block.setLine(cpu, bit, level),
      power: (request) => {
        this.power = options.noReboot ? 'poweroff' : request;
      },
      console: options.console,
      cards: options.cards,
      virtioOn: options.virtioOn,
      firmware: () => files.firmware?.content ?? new Uint8Array(0),
      model: options.model,
      clock: options.runtime,
      time: {
        ticks: () => this.ticks(),
        timeOfDay: () => options.runtime.timeOfDay(),
        sooner: () => this.block.ring(this.block.cpus),
      },
      dma: {
        read: (pa, length) => this.ram.whole(pa, length),
        write: (pa, data) => this.store(pa, data),
      },
      unfinished: () => {
        this.unfinished = true;
      },
      start: (cpu, lo, hi) => {
        if (cpu === 0 || this.block.startAddress(cpu)) return false;
        this.block.start(cpu, lo, hi);
        return true;
      },
    });
    this.coherence = new Coherence(this.block, cpus, this.mem.ramStart, {
      giveUpStores: () => {},
      giveUpCode: () => {},
    });
    this.start = this.loadAll();
    fillFwCfg(this.board, files, platformOf(options));
  }

  /** Writes what is booted to RAM. CPUs with a start address of their own find it as if they had got it by mail. */
  private loadAll(): BootRegisters {
    const start = loadRam(this.ram, this.files, platformOf(this.options));
    for (const { cpu, entry } of start.starts)
      if (cpu < this.cpus.length)
        this.block.start(cpu, Number(BigInt.asIntN(32, entry)), Number(BigInt.asIntN(32, entry >> 32n)));
    return start;
  }

  /** A device stores to RAM: CPUs give up the decoded code there. */
  private store(pa: number, data: Uint8Array): boolean {
    if (!this.ram.covers(pa, data.length)) return false;
    for (let at = pa - (pa % PAGE); at < pa + data.length; at += PAGE)
      this.coherence.claimStores(this.ram.linearAddress(at));
    this.ram.write(pa, data);
    return true;
  }

  /** A stable counter for devices, with a zero of its own. */
  private ticks(): number {
    return this.options.runtime.now() * TICKS_PER_MS;
  }

  /** Instructions executed by all CPUs. */
  get instructions(): number {
    return this.cpus.reduce((sum, _, n) => sum + this.block.instructions(n), 0);
  }

  /** Runs until the guest powers off, or the run ends for another reason. */
  async run({ maxInstructions, timeoutSeconds }: ThreadedLimits = {}): Promise<End> {
    const { block } = this;
    const began = this.options.runtime.now();
    const threads = this.cpus.map((_, n) => this.spawn(n));
    for (const { ended } of threads)
      ended.catch((error: unknown) => {
        this.end ??= { kind: 'died', reason: error instanceof Error ? error.message : String(error) };
        block.ring(block.cpus);
      });
    while (!this.end) {
      const heard = block.bell(block.cpus);
      // CPUs wait for their devices, and so they also wait for a slow reader.
      if (!this.mustWait()) {
        this.serve();
        if (this.board.deadline <= this.ticks()) this.board.expire(this.ticks());
        if (this.unfinished) this.unfinished = this.board.goOn();
        this.takeFrames();
      }
      if (this.power === 'poweroff') this.end ??= { kind: 'poweroff' };
      else if (this.power === 'reset') await this.reset();
      else if (maxInstructions !== undefined && this.instructions >= maxInstructions)
        this.end ??= { kind: 'limit', what: 'instructions' };
      else if (timeoutSeconds !== undefined && this.options.runtime.now() - began >= timeoutSeconds * 1000)
        this.end ??= { kind: 'limit', what: 'time' };
      else if (this.sleepsForEver() && !this.mayWake.some((mayWake) => mayWake()))
        this.end ??= { kind: 'died', reason: 'every CPU waits for an interrupt that cannot come' };
      if (this.end) break;
      await this.wait(heard, maxInstructions !== undefined || timeoutSeconds !== undefined);
    }
    for (let n = 0; n < this.cpus.length; n++) block.order(n, COMMAND.end);
    await Promise.allSettled(threads.map((t) => t.ended));
    this.cpus.forEach((cpu, n) => {
      cpu.icount = block.instructions(n);
      cpu.guestIcount = block.guestInstructions(n);
    });
    return this.end ?? { kind: 'quit' };
  }

  private spawn(cpu: number): CpuThreadHandle {
    const { cpus, ramSize, features, seed, engine, spawn } = this.options;
    return spawn({
      cpu,
      cpus,
      ramSize,
      memory: this.memory,
      ramTable: this.ram.sharedTable!,
      control: this.block.buffer,
      features,
      seed,
      engine,
      start: this.start,
    });
  }

  /** Ends the machine from outside. */
  quit(): void {
    this.end ??= { kind: 'quit' };
    this.block.ring(this.block.cpus);
  }

  /** Adds a function that tells whether input may still arrive. If none may, a machine in which every CPU waits has died. */
  expectInput(mayCome: () => boolean): void {
    this.mayWake.push(mayCome);
  }

  /** Connects the network outside. A {@link kick} follows when frames have arrived. */
  connectNetwork(network: FrameSource): void {
    this.network = network;
    this.expectInput(() => network.live);
  }

  private takeFrames(): void {
    while (this.network && this.board.networkBacklog === 0) {
      const frame = this.network.next();
      if (!frame) return;
      this.board.networkInput(frame);
    }
  }

  /** Input for UART0. */
  input(bytes: Uint8Array): void {
    this.board.consoleInput(bytes);
  }

  get inputWaiting(): number {
    return this.board.inputWaiting;
  }

  /** Starts a new check whether anything can still happen. */
  kick(): void {
    this.block.ring(this.block.cpus);
  }

  /** Sleeps until a CPU makes a request. The event loop runs in the meantime. */
  private async wait(heard: number, limited: boolean): Promise<void> {
    const { block } = this;
    if (this.unfinished && !this.mustWait()) await new Promise<void>((resolve) => this.options.runtime.soon(resolve));
    else if (this.options.runtime.now() - this.lastCall < LINGER_MS) {
      block.sleep(block.cpus, heard, ATTENTIVE_MS);
      await new Promise<void>((resolve) => this.options.runtime.soon(resolve));
    } else {
      const call = (this.board.deadline - this.ticks()) / TICKS_PER_MS;
      await block.ringing(block.cpus, heard, Math.max(0, Math.min(call, limited ? LIMITS_MS : call)));
    }
  }

  private sleepsForEver(): boolean {
    return this.board.deadline === Number.POSITIVE_INFINITY && this.cpus.every((_, n) => this.block.sleepsForEver(n));
  }

  /** Carries out the device accesses that CPUs wait for. */
  private serve(): void {
    this.coherence.synchronize();
    for (let n = 0; n < this.cpus.length; n++) {
      const call = this.block.pendingCall(n);
      if (!call) continue;
      this.lastCall = this.options.runtime.now();
      this.carryOut(n, call);
    }
  }

  private carryOut(cpu: number, { kind, address, size, lo, hi }: DeviceCall): void {
    const { bus, iocsr } = this.board;
    let answered = true;
    bus.master = cpu;
    let from: { readonly lo: number; readonly hi: number } = bus;
    if (kind === CALL.busRead) answered = bus.read(address, size);
    else if (kind === CALL.busWrite) answered = bus.write(address, size, lo, hi);
    else {
      from = iocsr;
      if (kind === CALL.iocsrRead) iocsr.read(cpu, address, size);
      else iocsr.write(cpu, address, size, lo, hi);
    }
    this.block.answer(cpu, answered, from.lo, from.hi);
  }

  /** Resets the machine to power-on. */
  private async reset(): Promise<void> {
    const { block } = this;
    const cpus = this.cpus.map((_, n) => n);
    for (const n of cpus) block.order(n, COMMAND.stop);
    while (!cpus.every((n) => block.activity(n) === ACTIVITY.stopped)) {
      const heard = block.bell(block.cpus);
      if (cpus.every((n) => block.activity(n) === ACTIVITY.stopped)) break;
      await block.ringing(block.cpus, heard, LIMITS_MS);
      if (this.end) return;
    }
    this.power = undefined;
    this.board.reset();
    block.reset();
    this.ram.clear();
    this.start = this.loadAll();
    for (const n of cpus) block.order(n, COMMAND.run);
  }
}
