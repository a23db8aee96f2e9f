/**
 * The machine: CPUs, RAM and the devices of QEMU's `virt` board at their addresses (docs/board.md), and the loop that
 * runs them in virtual time, one tick an instruction.
 */
import { Cpu } from '../cpu/cpu.ts';
import type { CpuFeatures } from '../cpu/features.ts';
import { hostPending, interruptDue } from '../cpu/interrupts.ts';
import { CPU_STATE_BYTES } from '../cpu/layout.ts';
import { LinearMemory } from '../cpu/linear-memory.ts';
import { Bus } from '../devices/bus.ts';
import { Eiointc } from '../devices/eiointc.ts';
import { Ged, type PowerRequest } from '../devices/ged.ts';
import { Iocsr } from '../devices/iocsr.ts';
import { Ipi } from '../devices/ipi.ts';
import { PchPic } from '../devices/pch-pic.ts';
import { Uart16550 } from '../devices/uart16550.ts';
import { type EmittedInterpreters, Engine } from '../engine/engine.ts';
import { fusedFunctions } from '../engine/fused.ts';
import { Regions } from '../engine/translator/regions.ts';
import { planHandlers } from '../engine/uop.ts';
import { UopCache } from '../engine/uop-cache.ts';
import { existsOn, type Row } from '../isa/row.ts';
import { ROWS } from '../isa/table/index.ts';
import { type Fields, restoreFields, type Stateful, saveFields } from '../replay/fields.ts';
import type { ElfImage } from './elf.ts';
import { ImageError } from './elf.ts';
import { Ram } from './ram.ts';

/** Physical addresses of the board. */
export const BOARD = {
  pchPic: 0x10000000,
  ged: 0x100e0000,
  uart: [0x1fe001e0, 0x1fe002e0, 0x1fe003e0, 0x1fe004e0],
  /** Command line (a1) and EFI system table (a2) of a direct boot. */
  commandLine: 0x0,
  systemTable: 0x200,
} as const;
/** PCH-PIC inputs. */
const PIC_INPUT = { uart0: 2 } as const;
/** Longest command line, terminator included. */
export const COMMAND_LINE_SIZE = 512;

/** Instructions each CPU runs before the next one's turn, when there are several. */
const QUANTUM = 10_000;
/** Instructions between looks at the outside world. */
export const SLICE = 256 * QUANTUM;

/**
 * How instructions are executed. `auto`: interpreted, and translated once they are hot; `jit`: translated the first time
 * that control branches to them; `interpreter`: never translated. The results are the same.
 */
export type EngineKind = 'auto' | 'jit' | 'interpreter';
/** Branches to an instruction before it is translated. */
export const THRESHOLD: Readonly<Record<EngineKind, number>> = { auto: 1000, jit: 1, interpreter: 0 };

export interface MachineOptions {
  /** Bytes, a multiple of 1 MiB. */
  readonly ramSize: number;
  readonly cpus: number;
  readonly features: CpuFeatures;
  /** Seed of every random choice of the model (TLB replacement). */
  readonly seed: number;
  readonly engine?: EngineKind;
  /** Interpreters that need not be emitted. */
  readonly emitted?: EmittedInterpreters;
  /** Bytes that UART0 sends. */
  readonly console: (byte: number) => void;
}

/** Why {@link Machine.run} returned. */
export type RunResult =
  /** The instruction budget of the call is used up. */
  | 'slice'
  /** The guest has switched the machine off. */
  | 'poweroff'
  /** A CPU has asked to stop (debugger). */
  | 'stop'
  /** Every CPU waits in `idle` and nothing inside the machine will wake one. */
  | 'waiting';

/** A copy of a machine (see {@link Machine.save}). */
export interface MachineState {
  readonly parts: readonly Fields[];
  readonly cpus: readonly Uint8Array[];
  readonly ram: ReadonlyMap<number, Uint8Array>;
}

const noop = (): void => {};

export class Machine implements Stateful {
  readonly options: MachineOptions;
  readonly mem: LinearMemory;
  readonly ram: Ram;
  readonly cpus: readonly Cpu[];
  readonly engines: readonly Engine[];
  readonly bus: Bus;
  readonly uops: UopCache;
  /** Translated code; undefined with the interpreter alone. */
  readonly regions: Regions | undefined;
  readonly uarts: readonly Uart16550[];
  readonly iocsr: Iocsr;
  private readonly ipi: Ipi;
  private readonly eiointc: Eiointc;
  private readonly pic: PchPic;
  private readonly ged: Ged;
  private image: ElfImage | undefined;
  private commandLine = '';
  private extra: readonly { readonly pa: number; readonly data: Uint8Array }[] = [];
  private power: PowerRequest | undefined;
  /** Stable counter at the start of the round; the same for all CPUs. */
  time = 0;
  /** The round of turns that several CPUs take: whose turn it is, and how far each one is beyond `time`. */
  private turn = 0;
  private inRound = false;
  private roundLength = QUANTUM;
  private readonly ahead: Float64Array;
  /** Told of each turn of a CPU: instruction counts of the machine before and after it. */
  onTurn: ((cpu: Cpu, before: number, after: number) => void) | undefined;
  readonly stateFields = ['power', 'time', 'turn', 'inRound', 'roundLength', 'ahead'];

  constructor(options: MachineOptions) {
    this.options = options;
    this.ahead = new Float64Array(options.cpus);
    this.mem = new LinearMemory(options.cpus, options.ramSize);
    this.ram = new Ram(this.mem, options.ramSize);
    this.cpus = Array.from({ length: options.cpus }, (_, n) => new Cpu(n, this.mem, options.features, options.seed));
    for (const cpu of this.cpus) cpu.hostOf = (pa) => this.ram.host(pa);
    this.ipi = new Ipi(this.cpus);
    this.eiointc = new Eiointc(this.cpus);
    this.pic = new PchPic(this.eiointc);
    this.iocsr = new Iocsr(this.ipi, this.eiointc);
    this.iocsr.cpuCount = options.cpus;
    this.ged = new Ged((request) => {
      this.power = request;
      for (const cpu of this.cpus) cpu.requestStop();
    });
    this.uarts = BOARD.uart.map(
      (_, n) =>
        new Uart16550(`uart${n}`, this.pic.input(PIC_INPUT.uart0 + n), { send: n === 0 ? options.console : noop }),
    );
    this.bus = new Bus([
      { base: BOARD.pchPic, device: this.pic },
      { base: BOARD.ged, device: this.ged },
      ...this.uarts.map((device, n) => ({ base: BOARD.uart[n]!, device })),
    ]);
    const map = planHandlers(ROWS);
    this.uops = new UopCache(
      this.mem,
      map,
      options.cpus,
      (row) => existsOn(row, options.features),
      () => {
        for (const c of this.cpus) c.fast.clearFetches();
      },
      (host) => {
        for (const c of this.cpus) c.fast.clearWrites(host);
      },
    );
    const { engine = 'auto' } = options;
    const exists = (row: Row): boolean => existsOn(row, options.features);
    const fused = fusedFunctions(this.mem.memory);
    const regions =
      engine === 'interpreter'
        ? undefined
        : new Regions(this.mem, options.cpus, this.uops, exists, engine === 'jit', fused);
    this.regions = regions;
    if (regions) regions.threshold = THRESHOLD[engine];
    this.uops.translator = regions;
    this.engines = this.cpus.map(
      (cpu) =>
        new Engine(cpu, {
          ram: this.ram,
          bus: this.bus,
          iocsr: this.iocsr,
          uops: this.uops,
          map,
          fused,
          cpus: options.cpus,
          regions,
          threshold: THRESHOLD[engine],
          emitted: options.emitted,
        }),
    );
    this.ipi.onMail = (n) => this.startParked(n);
  }

  /**
   * Puts an image into memory and the CPUs to their start: CPU 0 at the entry in direct address mode with a0 = 1,
   * a1 = command line, a2 = EFI system table, as QEMU's direct boot does; the others parked until they find an
   * address in mailbox 0.
   * @param extra further data to place, such as guest images
   * @throws ImageError when something does not fit into RAM
   */
  load(image: ElfImage, commandLine: string, extra: readonly { pa: number; data: Uint8Array }[] = []): void {
    this.image = image;
    this.commandLine = commandLine;
    this.extra = extra;
    this.reset();
  }

  /** Power-on: memory cleared, image loaded again, devices and CPUs reset. */
  reset(): void {
    const { image } = this;
    if (!image) throw new Error('machine: no image loaded');
    this.power = undefined;
    this.turn = 0;
    this.inRound = false;
    this.ahead.fill(0);
    this.ram.clear();
    const encoded = new TextEncoder().encode(`${this.commandLine}\0`);
    if (encoded.length > COMMAND_LINE_SIZE)
      throw new ImageError(
        `the command line has ${encoded.length} bytes, the board takes ${COMMAND_LINE_SIZE}: shorten it`,
      );
    this.ram.write(BOARD.commandLine, encoded);
    const end = (pa: bigint, size: number): string => `0x${pa.toString(16)}..0x${(pa + BigInt(size)).toString(16)}`;
    for (const s of image.segments) {
      const pa = Number(s.paddr);
      if (!this.ram.has(pa) || !this.ram.has(pa + s.memsz - 1))
        throw new ImageError(
          `segment ${end(s.paddr, s.memsz)} is not in RAM: give a larger --memory or link it elsewhere`,
        );
      this.ram.write(pa, s.data);
    }
    if (!this.ram.has(Number(image.entry)))
      throw new ImageError(`entry 0x${image.entry.toString(16)} is not in RAM: the image's entry point is wrong`);
    for (const { pa, data } of this.extra) this.ram.write(pa, data);
    this.uops.clear();
    for (const cpu of this.cpus) {
      cpu.reset(image.entry);
      cpu.parked = cpu.index !== 0;
    }
    const boot = this.cpus[0]!;
    boot.setGpr(4, 1n);
    boot.setGpr(5, BigInt(BOARD.commandLine));
    boot.setGpr(6, BigInt(BOARD.systemTable));
    this.ipi.reset();
    this.eiointc.reset();
    this.pic.reset();
    this.iocsr.reset();
    this.ged.reset();
    for (const u of this.uarts) u.reset();
  }

  /** Everything with state of its own, in a fixed order. */
  private parts(): Stateful[] {
    const cpus = this.cpus.flatMap((c) => [c, c.hostTimer, c.guestTimer, c.htlb, c.gtlb, c.events, c.writers]);
    return [this, ...cpus, this.ipi, this.eiointc, this.pic, this.iocsr, this.ged, ...this.uarts];
  }

  /** A copy of the whole machine. RAM that is as in `before` is shared with it. */
  save(before?: MachineState): MachineState {
    return {
      parts: this.parts().map(saveFields),
      cpus: this.cpus.map((c) => this.mem.u8.slice(c.base, c.base + CPU_STATE_BYTES)),
      ram: this.ram.save(before?.ram),
    };
  }

  /** Puts the machine back to a copy. Caches of decoded code and translations start empty. */
  restore(state: MachineState): void {
    this.parts().forEach((part, n) => {
      restoreFields(part, state.parts[n]!);
    });
    this.cpus.forEach((c, n) => {
      this.mem.u8.set(state.cpus[n]!, c.base);
    });
    this.ram.restore(state.ram);
    this.uops.clear();
    for (const cpu of this.cpus) {
      cpu.stopRequested = false;
      cpu.watchpoints.changed();
      cpu.fast.clearAll();
      cpu.contextChanged();
    }
  }

  /** Physical ranges of the loaded image and of what was placed beside it, with the zeros behind their data. */
  loadedRanges(): { readonly pa: number; readonly size: number }[] {
    return [
      ...(this.image?.segments ?? []).map((s) => ({ pa: Number(s.paddr), size: s.memsz })),
      ...this.extra.map((e) => ({ pa: e.pa, size: e.data.length })),
      { pa: BOARD.commandLine, size: COMMAND_LINE_SIZE },
    ];
  }

  /** A parked CPU starts where mailbox 0 says, like the boot stub of real firmware. */
  private startParked(n: number): void {
    const cpu = this.cpus[n]!;
    const entry = this.ipi.mailbox(n, 0);
    if (!cpu.parked || (entry & 0xffffffffn) === 0n) return;
    cpu.parked = false;
    cpu.pc = entry;
  }

  /** Instructions executed by all CPUs. */
  get instructions(): number {
    return this.cpus.reduce((sum, c) => sum + c.icount, 0);
  }

  /**
   * Runs for up to `budget` instructions a CPU. Several CPUs take turns in rounds; a stop in the middle of a round leaves
   * it there, and the next call goes on with it, so that stops do not change the order in which CPUs run.
   * @param until machine-wide instruction count at which to return, whatever the budget
   * @throws Error only for defects of the emulator and exhausted host memory
   */
  run(budget: number, until = Number.POSITIVE_INFINITY): RunResult {
    for (let left = budget; left > 0; ) {
      const passed = this.cpus.length === 1 ? this.runAlone(left, until) : this.runRound(left, until);
      left -= Math.max(1, passed);
      if (this.power === 'reset') {
        this.clearStops();
        this.reset();
        continue;
      }
      if (this.power === 'poweroff') return 'poweroff';
      if (this.cpus.some((c) => c.stopRequested)) return 'stop';
      if (this.instructions >= until) return 'slice';
      if (this.cpus.every((c) => c.parked || (c.idle && !hostPending(c)))) {
        const next = Math.min(...this.cpus.map((c) => Math.min(c.hostTimer.deadline, c.guestTimer.deadline)));
        if (next === Number.POSITIVE_INFINITY) return 'waiting';
        // Nothing happens until the next timer: time jumps there.
        this.time = Math.max(this.time, next);
      }
    }
    return 'slice';
  }

  /** The only CPU. @returns ticks passed */
  private runAlone(budget: number, until: number): number {
    const cpu = this.cpus[0]!;
    if (cpu.parked || cpu.frozen) return 0;
    const ticks = this.engines[0]!.run(this.time, Math.min(budget, until - cpu.icount));
    this.time += ticks;
    return ticks;
  }

  /** Goes on with the round. @returns ticks passed: the round's length once it is over */
  private runRound(budget: number, until: number): number {
    if (this.turn === 0 && !this.inRound) {
      this.roundLength = Math.min(QUANTUM, budget);
      this.inRound = true;
    }
    for (; this.turn < this.cpus.length; this.turn++) {
      const n = this.turn;
      const cpu = this.cpus[n]!;
      if (cpu.parked || cpu.frozen) continue;
      const want = this.roundLength - this.ahead[n]!;
      if (want <= 0) continue;
      const allowed = Math.min(want, until - this.instructions);
      const before = this.instructions;
      this.ahead[n]! += this.engines[n]!.run(this.time + this.ahead[n]!, allowed);
      this.onTurn?.(cpu, before, this.instructions);
      if (cpu.stopRequested || this.power) return 0;
      if (allowed < want && this.instructions >= until) return 0;
    }
    this.turn = 0;
    this.inRound = false;
    this.time += this.roundLength;
    // What a debugger's steps took beyond the round counts for the next one.
    for (let n = 0; n < this.ahead.length; n++) this.ahead[n] = Math.max(0, this.ahead[n]! - this.roundLength);
    return this.roundLength;
  }

  /**
   * Executes one instruction of one CPU; time passes for it, and jumps to the next timer when the CPU idles.
   * @param interrupts take pending interrupts; else they are held back
   * @returns `waiting` when the CPU idles and no timer will wake it
   */
  step(cpu: Cpu, interrupts = false): RunResult {
    const engine = this.engines[cpu.index]!;
    const n = cpu.index;
    let ticks = engine.run(this.time + this.ahead[n]!, 1, !interrupts);
    if (ticks === 0 && cpu.idle) {
      const next = Math.min(cpu.hostTimer.deadline, cpu.guestTimer.deadline);
      if (next === Number.POSITIVE_INFINITY) return 'waiting';
      this.time = Math.max(this.time, next - this.ahead[n]!);
      ticks = engine.run(this.time + this.ahead[n]!, 1, !interrupts);
    }
    if (this.cpus.length === 1) this.time += ticks;
    else this.ahead[n]! += ticks;
    return this.power === 'poweroff' ? 'poweroff' : 'slice';
  }

  /** The CPU that {@link run} lets go on next; undefined where a new round begins or none can. */
  nextCpu(): Cpu | undefined {
    if (this.cpus.length === 1) return this.cpus[0];
    const ready = (c: Cpu, n: number): boolean =>
      !c.parked && !c.frozen && !c.idle && this.roundLength - this.ahead[n]! > 0;
    return (
      (this.inRound ? this.cpus.find((c, n) => n >= this.turn && ready(c, n)) : undefined) ??
      this.cpus.find((c) => !c.parked && !c.frozen && !c.idle)
    );
  }

  /** Would {@link run} execute this very instruction of this CPU next, and nothing else? Then a step is no detour. */
  runsNext(cpu: Cpu): boolean {
    if (cpu.parked || cpu.frozen || cpu.idle || interruptDue(cpu)) return false;
    return this.cpus.length === 1 || (this.inRound && this.nextCpu() === cpu);
  }

  /** Lets the CPUs run again after a stop. */
  clearStops(): void {
    for (const cpu of this.cpus) cpu.stopRequested = false;
  }

  /** True when the guest has switched the machine off. */
  get poweredOff(): boolean {
    return this.power === 'poweroff';
  }

  /** Input for UART0. */
  consoleInput(bytes: Uint8Array): void {
    this.uarts[0]!.receive(bytes);
  }
}
