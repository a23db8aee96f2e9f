/** A CPU in its own thread. It runs in slices, and handles the requests of others in between. */

import type { BootRegisters } from '../boot/load.ts';
import { type Clock, TIMER_HZ } from '../cpu/clock.ts';
import { Cpu } from '../cpu/cpu.ts';
import type { CpuFeatures } from '../cpu/features.ts';
import { setLine } from '../cpu/interrupts.ts';
import { prepareBoot } from '../machine/machine.ts';
import { type EngineKind, Processors } from '../machine/processors.ts';
import { PAGE } from '../memory/layout.ts';
import { LinearMemory } from '../memory/linear-memory.ts';
import { Ram } from '../memory/ram.ts';
import type { RuntimeClock } from '../runtime/runtime.ts';
import { Coherence } from './coherence.ts';
import { ACTIVITY, COMMAND, ControlBlock } from './control-block.ts';
import { RemoteBus, RemoteIocsr, type WaitFor } from './remote-devices.ts';

/** The options of a CPU thread. They can be sent to a thread. */
export interface CpuThreadOptions {
  readonly cpu: number;
  readonly cpus: number;
  /** Bytes of RAM. */
  readonly ramSize: number;
  readonly memory: WebAssembly.Memory;
  readonly ramTable: SharedArrayBuffer;
  readonly control: SharedArrayBuffer;
  readonly features: CpuFeatures;
  readonly seed: number;
  readonly engine: EngineKind;
  readonly start: BootRegisters;
}

/** Instructions between two checks for requests: about 50 µs, which is the longest delay of an interrupt. */
const SLICE = 50_000;
const TICKS_PER_MS = TIMER_HZ / 1000;

export class CpuThread {
  private readonly options: CpuThreadOptions;
  private readonly clock: Clock;
  private readonly block: ControlBlock;
  private readonly cpu: Cpu;
  private readonly processors: Processors;
  private readonly coherence: Coherence;

  /** @param clock the same in all threads @param runtime how long work takes, in this thread */
  constructor(options: CpuThreadOptions, clock: Clock, runtime: RuntimeClock) {
    const { cpus, ramSize, memory } = options;
    this.options = options;
    this.clock = clock;
    const mem = new LinearMemory(cpus, ramSize, { memory, cpu: options.cpu });
    this.block = new ControlBlock(cpus, mem.ramBytes / PAGE, options.control);
    const ram = new Ram(mem, ramSize, options.ramTable);
    this.cpu = new Cpu(options.cpu, mem, options.features, options.seed);
    const bus = new RemoteBus(this.block, options.cpu, this.waitFor);
    const iocsr = new RemoteIocsr(this.block, options.cpu, this.waitFor);
    this.processors = new Processors(mem, [this.cpu], { ram, bus, iocsr, clock, runtime }, options);
    const { uops } = this.processors;
    this.coherence = new Coherence(this.block, options.cpu, mem.ramStart, {
      giveUpStores: (linear) => this.cpu.fast.clearWrites(linear),
      giveUpCode: (linear) => uops.forget(linear),
    });
    uops.coherence = this.coherence;
  }

  /** Called once, with the reason, when code cannot be translated any more. */
  set onFailure(tell: (reason: string) => void) {
    if (this.processors.regions) this.processors.regions.onFailure = tell;
  }

  private readonly waitFor: WaitFor = (done) => {
    const { block, options } = this;
    for (;;) {
      const heard = block.bell(options.cpu);
      // Changes of interrupt lines that the main thread makes before its answer are visible after the access.
      const over = done();
      this.attend();
      if (over) return true;
      if (block.command(options.cpu) !== COMMAND.run) return false;
      block.sleep(options.cpu, heard);
    }
  };

  /** Handles the requests of others, and reads the interrupt lines. */
  private attend(): void {
    this.coherence.synchronize();
    const { cpu, block } = this;
    const lines = block.lines(cpu.index);
    for (let changed = lines ^ cpu.lines; changed !== 0; changed &= changed - 1) {
      const bit = 31 - Math.clz32(changed & -changed);
      setLine(cpu, bit, ((lines >>> bit) & 1) === 1);
    }
  }

  /** Runs the CPU until the machine ends. @throws Error for defects of the emulator, and when the computer has no memory left */
  run(): void {
    const { block, cpu } = this;
    const n = cpu.index;
    for (;;) {
      this.powerOn();
      while (block.command(n) === COMMAND.run) this.turn();
      block.progress(n, cpu.icount, cpu.guestIcount);
      if (!this.standStill()) return;
    }
  }

  /** Waits for the next command of the main thread. @returns whether the CPU goes on */
  private standStill(): boolean {
    const { block } = this;
    const n = this.cpu.index;
    for (;;) {
      block.setActivity(n, ACTIVITY.stopped);
      block.ring(block.cpus);
      const heard = block.bell(n);
      if (block.command(n) === COMMAND.end) return false;
      // Others that have not stopped yet may wait for pages of this CPU.
      this.coherence.synchronize();
      if (block.command(n) === COMMAND.run) {
        block.setActivity(n, ACTIVITY.runs);
        // The next stop command may exist already: either it is seen here, or the main thread sees that this CPU runs.
        if (block.command(n) === COMMAND.run) return true;
      } else block.sleep(n, heard);
    }
  }

  private powerOn(): void {
    const { cpu, processors, options } = this;
    processors.uops.clear();
    cpu.reset(options.start.entry);
    cpu.stopRequested = false;
    cpu.parked = cpu.index !== 0;
    if (!cpu.parked) prepareBoot(cpu, options.start);
  }

  /** Runs one slice, or sleeps. */
  private turn(): void {
    const { block, cpu } = this;
    const n = cpu.index;
    const heard = block.bell(n);
    this.attend();
    if (cpu.parked) {
      const start = block.startAddress(n);
      if (!start) {
        this.lie(ACTIVITY.parked, heard, Number.POSITIVE_INFINITY);
        return;
      }
      cpu.parked = false;
      cpu.setPc(start.lo, start.hi);
    }
    block.setActivity(n, ACTIVITY.runs);
    this.processors.engines[0]!.run(0, SLICE);
    block.progress(n, cpu.icount, cpu.guestIcount);
    if (cpu.idle) this.lie(ACTIVITY.sleeps, heard, Math.min(cpu.hostTimer.deadline, cpu.guestTimer.deadline));
  }

  private lie(activity: number, heard: number, deadline: number): void {
    const { block, cpu } = this;
    block.lieDown(cpu.index, activity, deadline, heard);
    // The main thread may wait until all CPUs sleep.
    block.ring(block.cpus);
    const left = (deadline - this.clock()) / TICKS_PER_MS;
    if (left > 0) block.sleep(cpu.index, heard, left);
  }
}
