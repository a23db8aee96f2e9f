/**
 * The machine: CPUs, RAM and board, and the loop that runs them on one thread in virtual time, one tick an instruction.
 */

import { Board } from '../board/board.ts';
import { type Card, placeCards, type VirtioBus } from '../board/cards.ts';
import type { BoardModel, Platform } from '../board/platform.ts';
import { firmwareContents } from '../boot/firmware.ts';
import { type BootFiles, type BootRegisters, COMMAND_LINE_SIZE, loadRam } from '../boot/load.ts';
import { type Clock, TIMER_HZ } from '../cpu/clock.ts';
import { Cpu } from '../cpu/cpu.ts';
import type { CpuFeatures } from '../cpu/features.ts';
import { hostPending, interruptDue } from '../cpu/interrupts.ts';
import { Links } from '../cpu/links.ts';
import type { Bus } from '../devices/bus.ts';
import type { PowerRequest } from '../devices/ged.ts';
import type { Iocsr } from '../devices/iocsr.ts';
import type { Omissions } from '../devices/omissions.ts';
import type { EmittedInterpreters, Engine } from '../engine/engine.ts';
import { nextIsPlain } from '../engine/next-instruction.ts';
import type { Regions } from '../engine/translator/regions.ts';
import type { UopCache } from '../engine/uop-cache.ts';
import { CPU_STATE_BYTES, openPagesBase, PAGE, PAGE_BITS_BYTES } from '../memory/layout.ts';
import { LinearMemory } from '../memory/linear-memory.ts';
import { PLATFORM } from '../memory/physical-map.ts';
import { Ram } from '../memory/ram.ts';
import { loseOldStage2 } from '../mmu/tlb-instructions.ts';
import { Perturbation } from '../perturb/perturbation.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { finish, type Steps } from '../runtime/steps.ts';
import { arraysIn, type Fields, restoreFields, type Stateful, saveFields, type Wiring } from '../state/fields.ts';
import { BlockCopy, restoreShared, saveShared } from '../state/shared-copy.ts';
import { type EngineKind, Processors } from './processors.ts';

/** Instructions that each CPU runs in its turn, when there are several CPUs. */
const QUANTUM = 10_000;
/** The time of day at which virtual time begins: 2026-01-01, so that runs repeat. */
const VIRTUAL_EPOCH = Date.UTC(2026, 0, 1);
const TICKS_PER_MS = TIMER_HZ / 1000;
/** Instructions between two checks of the outside world. */
export const SLICE = 256 * QUANTUM;

export interface MachineOptions {
  /** The JavaScript runtime that the core runs in. */
  readonly runtime: Runtime;
  /** Bytes, a multiple of 1 MiB. */
  readonly ramSize: number;
  readonly cpus: number;
  readonly features: CpuFeatures;
  /** Seed of every random choice of the model (TLB replacement). */
  readonly seed: number;
  readonly engine?: EngineKind;
  /** Real time as the stable counter. Without it, time is counted in instructions, and runs repeat. */
  readonly clock?: Clock | undefined;
  /** Interpreters that were emitted before, and need not be emitted again. */
  readonly emitted?: EmittedInterpreters;
  /** Bytes of RAM that are at most in linear memory at a time; default: what fits. The rest is exchanged. */
  readonly linearRam?: number | undefined;
  /** The kind of board; default: `virt`. */
  readonly model?: BoardModel | undefined;
  /** A reset by the guest ends the run, like a power-off. */
  readonly noReboot?: boolean | undefined;
  /** Cards for the PCI slots. */
  readonly cards?: readonly Card[] | undefined;
  readonly virtioOn?: VirtioBus | undefined;
  /** Bytes that UART0 sends. */
  readonly console: (byte: number) => void;
}

/** Why {@link Machine.run} returned. */
export type RunResult =
  /** The instruction budget of the call is used. */
  | 'slice'
  /** The guest has switched the machine off. */
  | 'poweroff'
  /** A CPU has asked to stop (debugger). */
  | 'stop'
  /** Every CPU waits in `idle` for a timer, until {@link Machine.wakeTime}, but {@link Machine.mayJumpTo} does not allow time to jump there. */
  | 'asleep'
  /** Every CPU waits in `idle`, and nothing inside the machine can wake one. */
  | 'waiting';

/** A copy of all of a machine but its RAM (see {@link Machine.copy}). */
export interface MachineCopy {
  readonly parts: readonly Fields[];
  readonly cpus: readonly BlockCopy[];
}

/** All of a machine but its RAM, as data (see {@link Machine.saveRest}). */
export interface MachineRest {
  readonly parts: readonly Fields[];
  readonly cpus: readonly Uint8Array[];
}

/** A copy of a machine (see {@link Machine.save}). */
export interface MachineState extends MachineRest {
  readonly ram: ReadonlyMap<number, Uint8Array>;
}

/**
 * Where a machine is in time. The number of instructions alone does not tell: time passes while every CPU waits in `idle`, and a
 * stop can be in the middle of a round.
 */
export interface Moment {
  readonly time: number;
  readonly turn: number;
  readonly inRound: boolean;
  readonly roundLength: number;
  readonly ahead: Float64Array;
  /** Where each CPU was held back last, in a perturbed run. */
  readonly stalled: Float64Array;
}

export class Machine implements Stateful {
  readonly options: MachineOptions;
  readonly mem: LinearMemory;
  readonly ram: Ram;
  readonly cpus: readonly Cpu[];
  readonly engines: readonly Engine[];
  readonly bus: Bus;
  readonly uops: UopCache;
  /** Translated code; undefined when only the interpreter is used. */
  readonly regions: Regions | undefined;
  readonly iocsr: Iocsr;
  private readonly board: Board;
  private readonly links: Links;
  /** What makes this run another one than the usual one. */
  readonly perturbation: Perturbation;
  private files: BootFiles | undefined;
  private power: PowerRequest | undefined;
  /** Stable counter at the start of the round; the same for all CPUs. */
  time = 0;
  /** With several CPUs, the current round of turns: the CPU whose turn it is, and the ticks of each CPU since `time`. */
  private turn = 0;
  private inRound = false;
  private roundLength = QUANTUM;
  private readonly ahead: Float64Array;
  /** Called for each turn of a CPU, with the instruction counts of the machine before and after it. */
  onTurn: ((cpu: Cpu, before: number, after: number) => void) | undefined;
  /** Called when the guest switches the machine off or resets it. */
  onPower: ((request: PowerRequest) => void) | undefined;
  /** How often it was reset, counted also where the past runs again. */
  resets = 0;
  /** Milliseconds after which a run returns, even if its budget is not used. */
  patienceMs = Number.POSITIVE_INFINITY;
  /** Devices have left work for later. It is done before the next instruction. */
  private unfinished = false;
  /** In a copy: the physical address of each CPU's LL, or −1. Linear addresses are others in another machine, or later. */
  private readonly linked: Float64Array;
  readonly stateFields = ['power', 'time', 'turn', 'inRound', 'roundLength', 'ahead', 'linked'];
  readonly stateChecks = { power: (v: unknown) => v === undefined || v === 'poweroff' || v === 'reset' };
  static readonly wiring: Wiring = {
    files: 'kept beside the state in a snapshot',
    onTurn: 'an observer',
    onPower: 'an observer',
    mayJumpTo: 'run control',
    patienceMs: 'run control',
    resets: 'a count of this process',
    unfinished: 'devices are asked again after each restore',
  };

  constructor(options: MachineOptions) {
    this.options = options;
    this.ahead = new Float64Array(options.cpus);
    this.linked = new Float64Array(2 * options.cpus).fill(-1);
    this.mem = new LinearMemory(options.cpus, options.ramSize, undefined, options.linearRam);
    this.ram = new Ram(this.mem, options.ramSize);
    this.cpus = Array.from({ length: options.cpus }, (_, n) => new Cpu(n, this.mem, options.features, options.seed));
    this.links = new Links(this.cpus);
    for (const cpu of this.cpus) cpu.links = this.links;
    this.perturbation = new Perturbation(this.cpus, {
      cut: (n) => this.engines[n]!.tire(),
      loseStage2: loseOldStage2,
      mayWait: (cpu) => nextIsPlain(cpu, this.ram),
      read: (pa, size) => this.ram.read(pa, size),
      write: (pa, bytes) => {
        this.uops.writtenRange(pa, bytes.length);
        this.ram.write(pa, Uint8Array.from(bytes));
      },
      stored: (n, pa, size) => this.links.stored(this.cpus[n], this.ram.linearAddress(pa), size),
      covers: (pa, size) => this.ram.covers(pa, size),
    });
    this.board = new Board({
      cpus: options.cpus,
      lines: (n, bit, level) => this.perturbation.line(n, bit, level, Math.max(this.now(), this.timeOf(n))),
      power: (request) => {
        this.onPower?.(request);
        this.power = options.noReboot ? 'poweroff' : request;
        for (const cpu of this.cpus) cpu.requestStop();
      },
      console: options.console,
      cards: options.cards,
      virtioOn: options.virtioOn,
      firmware: () => this.files?.firmware?.content ?? EMPTY,
      model: options.model,
      clock: options.runtime,
      time: {
        ticks: () => this.ticks(),
        timeOfDay: () => this.timeOfDay(),
        // The only CPU may be in the middle of a long run; of several each looks after its turn.
        sooner: () => {
          if (this.engines.length === 1) this.engines[0]!.tire();
        },
      },
      dma: {
        read: (pa, length) => {
          if (length > PAGE) this.lookSoon();
          return this.ram.whole(pa, length);
        },
        write: (pa, data) => {
          if (!this.ram.covers(pa, data.length)) return false;
          if (data.length > PAGE) this.lookSoon();
          this.store(pa, data);
          return true;
        },
      },
      unfinished: () => {
        this.unfinished = true;
        for (const engine of this.engines) engine.tire();
      },
      spread: () => {
        const cpu = this.running;
        return cpu ? this.perturbation.choose('order', cpu.index, cpu.position) : 0;
      },
      start: (n, lo, hi) => {
        const cpu = this.cpus[n]!;
        if (!cpu.parked) return false;
        cpu.parked = false;
        cpu.setPc(lo, hi);
        return true;
      },
    });
    const { bus, iocsr } = this.board;
    this.bus = bus;
    this.iocsr = iocsr;
    const processors = new Processors(
      this.mem,
      this.cpus,
      { ram: this.ram, bus, iocsr, clock: options.clock, runtime: options.runtime },
      options,
    );
    this.uops = processors.uops;
    this.regions = processors.regions;
    this.engines = processors.engines;
  }

  /** An agent that is no CPU stores to a range of RAM: a device or a debugger. */
  store(pa: number, data: Uint8Array): void {
    // What is taken back later must not undo it.
    this.perturbation.stores.complete();
    this.uops.writtenRange(pa, data.length);
    for (let at = pa; at < pa + data.length; ) {
      const next = Math.min(pa + data.length, at - (at % PAGE) + PAGE);
      this.links.stored(undefined, this.ram.linearAddress(at), next - at);
      at = next;
    }
    this.ram.write(pa, data);
  }

  /** A device has moved much data, so the time of this run must be checked. */
  private lookSoon(): void {
    for (const engine of this.engines) engine.lookSoon();
  }

  /** Lets devices finish all work that they have left for later. */
  settle(): void {
    while (this.unfinished) this.unfinished = this.board.goOn();
  }

  /** The stable counter now; exact also while a CPU runs a helper. */
  private now(): number {
    return this.running?.now ?? this.time;
  }

  /** The stable counter: that of {@link now}, or real time. */
  private ticks(): number {
    return this.options.clock?.() ?? this.now();
  }

  /** Calls devices whose time has come. */
  private callDevices(): void {
    const { deadline } = this.board;
    if (deadline !== Number.POSITIVE_INFINITY && deadline <= this.ticks()) this.board.expire(this.ticks());
  }

  /** What devices leave out: a log listens here. */
  get omissions(): Omissions {
    return this.board.omissions;
  }

  /** The CPU that is executing an instruction; undefined while none is. */
  get running(): Cpu | undefined {
    return this.cpus.find((c) => c.sliceBudget > 0);
  }

  /** What the tables tell of the machine. */
  private platform({ topology }: BootFiles): Platform {
    return { ...platformOf(this.options), topology };
  }

  /** Milliseconds since 1970. */
  private timeOfDay(): number {
    const start = this.files?.timeOfDay;
    if (start === undefined && this.options.clock) return this.options.runtime.timeOfDay();
    return (start ?? VIRTUAL_EPOCH) + this.now() / TICKS_PER_MS;
  }

  /**
   * Loads an image into memory and prepares the CPUs: CPU 0 is at the entry in direct address mode with a0 = 1,
   * a1 = command line, a2 = EFI system table, as in QEMU's direct boot; the others are parked until an interrupt comes and
   * they find an address in mailbox 0.
   * @throws ImageError when something does not fit into RAM
   */
  load(files: BootFiles): void {
    this.files = files;
    this.reset();
  }

  /** Power-on: memory cleared, image loaded again, devices and CPUs reset. */
  reset(): void {
    const { files } = this;
    if (!files) throw new Error('machine: no image loaded');
    this.power = undefined;
    this.resets++;
    this.turn = 0;
    this.inRound = false;
    this.ahead.fill(0);
    this.ram.clear();
    const start = loadRam(this.ram, files, this.platform(files));
    fillFwCfg(this.board, files, this.platform(files));
    this.uops.clear();
    for (const cpu of this.cpus) {
      cpu.reset(start.entry);
      cpu.parked = cpu.index !== 0;
    }
    for (const { cpu, entry } of start.starts) {
      const other = this.cpus[cpu];
      if (!other) continue;
      other.parked = false;
      other.pc = entry;
    }
    prepareBoot(this.cpus[0]!, start);
    this.board.reset();
    this.perturbation.reset();
  }

  /** All parts that have state, in a fixed order. */
  parts(): Stateful[] {
    const cpus = this.cpus.flatMap((c) => [c, c.hostTimer, c.guestTimer, c.htlb, c.gtlb, c.events, c.writers]);
    return [this, this.perturbation, this.perturbation.stores, ...cpus, ...this.board.parts()];
  }

  /** A copy of the whole machine. */
  save(): MachineState {
    return finish(this.saving());
  }

  /** {@link save} in pieces, between which the machine must not change. */
  *saving(): Steps<MachineState> {
    const rest = this.saveRest();
    return { ...rest, ram: yield* this.ram.saving() };
  }

  /** All but RAM. */
  saveRest(): MachineRest {
    this.prepareCopy();
    return { parts: this.parts().map(saveFields), cpus: this.cpus.map((c) => this.statePage(c).slice()) };
  }

  /** A copy of all but RAM, which {@link PagePast} keeps. It shares with an earlier one what has not changed. */
  copy(before?: MachineCopy): MachineCopy {
    this.prepareCopy();
    return {
      parts: this.parts().map((part, n) => saveShared(part, before?.parts[n])),
      cpus: this.cpus.map((c, n) => BlockCopy.of(this.statePage(c), before?.cpus[n])),
    };
  }

  private prepareCopy(): void {
    this.settle();
    for (const [n, linear] of this.linkPlaces().entries())
      this.linked[n] = linear < 0 ? -1 : this.ram.physicalAddress(linear);
  }

  private statePage(cpu: Cpu): Uint8Array {
    return this.mem.u8.subarray(cpu.base, cpu.base + CPU_STATE_BYTES);
  }

  /** Linear address of the LL of each CPU, in the world that runs and in the other one; −1 when there is none. */
  private linkPlaces(): number[] {
    return this.cpus.flatMap((c) => [c.linkedAt, c.parkedLinkedAt]);
  }

  /** Where RAM is larger than linear memory: makes room for what the next instruction needs. Nothing that a guest sees changes. */
  private makeRoom(): void {
    if (!this.ram.crowded) return;
    this.ram.exchange(this.linkPlaces());
    for (const cpu of this.cpus) cpu.fast.clearAll();
    this.uops.moved();
  }

  /** Arrays of disks that copies share with the machine: while the machine uses them, copies need no extra memory for them. */
  sharedArrays(): Set<ArrayBufferView> {
    const found = new Set<ArrayBufferView>(this.ram.outsideContents);
    for (const part of this.parts())
      for (const name of part.sharedFields ?? []) arraysIn(Reflect.get(part, name), found);
    return found;
  }

  /** Running code stores to no page of RAM any more without {@link Ram.touch}. */
  closePages(): void {
    for (const cpu of this.cpus) cpu.fast.clearStores();
    const open = openPagesBase(this.mem.pool);
    this.mem.u8.fill(0, open, open + PAGE_BITS_BYTES);
  }

  /** Restores the machine from a copy. The caches of decoded code and translations are empty afterwards. */
  restore(state: MachineState): void {
    this.ram.restore(state.ram);
    this.uops.clear();
    this.restoreRest(state);
  }

  /** Restores all but RAM, which has been restored before. */
  restoreRest({ parts, cpus }: MachineRest): void {
    this.parts().forEach((part, n) => {
      restoreFields(part, parts[n]!);
    });
    this.cpus.forEach((c, n) => {
      this.mem.u8.set(cpus[n]!, c.base);
    });
    this.restored();
  }

  /** The same from a copy. */
  restoreCopy({ parts, cpus }: MachineCopy): void {
    this.parts().forEach((part, n) => {
      restoreShared(part, parts[n]!);
    });
    this.cpus.forEach((c, n) => {
      cpus[n]!.into(this.statePage(c));
    });
    this.restored();
  }

  /** Back to power-on: RAM is loaded again. @param rest all the rest, as it was then */
  powerOnAgain(rest: MachineCopy): void {
    const { files } = this;
    if (!files) throw new Error('machine: no image loaded');
    this.ram.clear();
    loadRam(this.ram, files, this.platform(files));
    this.uops.clear();
    this.restoreCopy(rest);
  }

  /** What is made of the state is made anew. */
  private restored(): void {
    this.makeRoom();
    this.cpus.forEach((c, n) => {
      const [running, parked] = [this.linked[2 * n]!, this.linked[2 * n + 1]!];
      if (this.ram.has(running)) c.setStateI32('llLinear', this.ram.linearAddress(running));
      else c.breakLink();
      if (this.ram.has(parked)) c.parkedLl[1] = this.ram.linearAddress(parked);
      else c.breakParkedLink();
    });
    this.unfinished = true;
    for (const cpu of this.cpus) {
      cpu.htlb.restored();
      cpu.gtlb.restored();
      cpu.stopRequested = false;
      cpu.watchpoints.changed();
      cpu.forgetRam();
      cpu.contextChanged();
    }
  }

  /** What was booted; undefined before {@link load}. */
  get bootFiles(): BootFiles | undefined {
    return this.files;
  }

  /** Takes the boot files of another machine, before its state is restored here: firmware, and the items that it will request. */
  adopt(files: BootFiles): void {
    this.files = files;
    if (files.firmware) this.ram.placeRom(files.firmware.content);
    fillFwCfg(this.board, files, this.platform(files));
  }

  /** Physical ranges of the loaded image and of the other loaded data, including the zeros behind them. */
  loadedRanges(): { readonly pa: number; readonly size: number }[] {
    return [
      ...(this.files?.image.segments ?? []).map((s) => ({ pa: Number(s.paddr), size: s.memsz })),
      ...(this.files?.extra ?? []).map((e) => ({ pa: e.pa, size: e.size ?? e.data.length })),
      { pa: PLATFORM.commandLine, size: COMMAND_LINE_SIZE },
    ];
  }

  /** Instructions executed by all CPUs. */
  get instructions(): number {
    let sum = 0;
    for (let n = 0; n < this.cpus.length; n++) sum += this.cpus[n]!.icount;
    return sum;
  }

  /**
   * Runs up to `budget` instructions on each CPU. Several CPUs take turns in rounds. A stop can be in the middle of a round;
   * the next call then finishes the round, so that stops do not change the order in which CPUs run.
   * It also returns early when the guest has reset the machine, when {@link patienceMs} are over, and when devices have
   * more work than fits into one go.
   * @param until instruction count of the machine at which it returns, even if the budget is not used
   * @throws Error only for defects of the emulator, and when the computer has no memory left
   */
  run(budget: number, until = Number.POSITIVE_INFINITY): RunResult {
    const patience = this.options.runtime.now() + this.patienceMs;
    for (const engine of this.engines) engine.patience = patience;
    for (let left = budget; left > 0; ) {
      if (this.unfinished) {
        this.unfinished = this.board.goOn();
        if (this.unfinished) return 'slice';
      }
      this.makeRoom();
      this.callDevices();
      const passed = this.cpus.length === 1 ? this.runAlone(left, until) : this.runRound(left, until);
      // A jump of the time counts as a round: what is left is then whole rounds, and their length does not depend on the budget.
      left -= Math.max(this.cpus.length === 1 ? 1 : QUANTUM, passed);
      if (this.power === 'reset') {
        this.clearStops();
        this.reset();
        // It takes some time, and the guest may do nothing but reset.
        return 'slice';
      }
      if (this.power === 'poweroff') return 'poweroff';
      if (this.cpus.some((c) => c.stopRequested)) return 'stop';
      if (this.instructions >= until) {
        this.settle();
        return 'slice';
      }
      if (this.unfinished) continue;
      if (this.engines.some((e) => e.tired)) return 'slice';
      if (this.cpus.every((c) => c.parked || (c.idle && !hostPending(c)))) {
        const next = this.wakeTime;
        if (next === Number.POSITIVE_INFINITY) return 'waiting';
        if (next > this.mayJumpTo()) return 'asleep';
        if (this.options.clock) continue;
        // Nothing can happen before the next timer, so time jumps there.
        this.time = Math.max(this.time, next);
      }
    }
    return 'slice';
  }

  /** The tick up to which time may jump while every CPU waits in `idle`. In virtual time there is no limit. */
  mayJumpTo: () => number = () => this.options.clock?.() ?? Number.POSITIVE_INFINITY;

  /**
   * The tick of the next timer expiry of all CPUs, without timers whose interrupt is already pending, or of the next call of a
   * device; Infinity when there is none.
   */
  get wakeTime(): number {
    const timers = this.cpus.map((c) => Math.min(c.hostTimer.wakeTime, c.guestTimer.wakeTime));
    return Math.min(this.board.deadline, this.perturbation.deadline, ...timers);
  }

  /** Runs the only CPU. @returns ticks passed */
  private runAlone(budget: number, until: number): number {
    const cpu = this.cpus[0]!;
    if (cpu.parked || cpu.frozen) return 0;
    const before = this.time;
    const room = this.begin(0);
    const want = Math.min(Math.max(1, this.board.deadline - this.ticks()), room);
    const ticks = this.engines[0]!.run(this.time, Math.min(budget, until - cpu.icount, want));
    this.time += ticks;
    // Where somebody else has cut it, nothing may be decided: the run would be another one.
    if (ticks === want) this.perturbation.after(0);
    return this.time - before;
  }

  /** The tick at which a CPU goes on. */
  private timeOf(n: number): number {
    return this.cpus.length === 1 ? this.time : this.time + this.ahead[n]!;
  }

  /** A CPU is about to go on. In a perturbed run it may be held back first. @returns how many instructions it may execute */
  private begin(n: number): number {
    const { perturbation } = this;
    if (!perturbation.active) return Number.POSITIVE_INFINITY;
    const ticks = perturbation.before(n, this.timeOf(n));
    if (this.cpus.length === 1) this.time += ticks;
    else this.ahead[n]! += ticks;
    return perturbation.room(n, this.timeOf(n));
  }

  /** Continues the round. @returns ticks passed: the length of the round when it has ended */
  private runRound(budget: number, until: number): number {
    if (this.turn === 0 && !this.inRound) {
      this.roundLength = Math.min(QUANTUM, budget);
      this.inRound = true;
    }
    while (this.turn < this.cpus.length) {
      const n = this.turn;
      const cpu = this.cpus[n]!;
      const runs = !cpu.parked && !cpu.frozen && this.ahead[n]! < this.roundLength;
      const room = runs ? this.begin(n) : 0;
      const rest = this.roundLength - this.ahead[n]!;
      if (!runs || rest <= 0) {
        this.passTurn();
        continue;
      }
      const want = Math.min(rest, room);
      const allowed = Math.min(want, until - this.instructions);
      const before = this.instructions;
      const { perturbation } = this;
      const perturbed = perturbation.active && allowed > 0;
      const records = perturbed && perturbation.enter(n);
      const ticks = this.engines[n]!.run(this.time + this.ahead[n]!, allowed);
      this.ahead[n]! += ticks;
      if (perturbed) this.delay(n, perturbation.leave(n, ticks, ticks === rest));
      const cut = cpu.stopRequested || this.power !== undefined || this.engines[n]!.tired || ticks === allowed;
      // Where somebody else has cut the turn, nothing may be decided: the run would be another one.
      if (!records && (ticks === want || !cut)) perturbation.after(n);
      this.onTurn?.(cpu, before, this.instructions);
      if (cpu.stopRequested || this.power || this.engines[n]!.tired) return 0;
      if (allowed < want && this.instructions >= until) return 0;
      if (ticks < want || want === rest) this.passTurn();
    }
    this.turn = 0;
    this.inRound = false;
    // How often an idle machine is asked must not matter.
    if (this.cpus.every((c, n) => c.parked || (c.idle && this.ahead[n] === 0))) return 0;
    this.time += this.roundLength;
    // Steps of a debugger can be longer than the round. Their excess counts in the next round.
    for (let n = 0; n < this.ahead.length; n++) this.ahead[n] = Math.max(0, this.ahead[n]! - this.roundLength);
    return this.roundLength;
  }

  /** It is the next CPU's turn. */
  private passTurn(): void {
    // A debugger can keep a CPU from going on at any instruction.
    this.perturbation.stores.complete();
    this.turn++;
  }

  /** Stores of a CPU wait, and so does the CPU. The round ends soon, so that it goes on soon after the others have had their turns. */
  private delay(n: number, ticks: number): void {
    if (ticks === 0) return;
    this.ahead[n]! += ticks;
    this.roundLength = Math.min(this.roundLength, this.ahead[n]!);
  }

  /**
   * Executes one instruction on one CPU. Time passes, and jumps to the next timer when the CPU idles.
   * @param interrupts whether pending interrupts are taken
   * @returns `waiting` when the CPU idles and no timer will wake it
   */
  step(cpu: Cpu, interrupts = false): RunResult {
    this.settle();
    this.makeRoom();
    this.callDevices();
    const engine = this.engines[cpu.index]!;
    const n = cpu.index;
    const before = this.instructions;
    this.perturbation.step(n);
    let ticks = engine.run(this.time + this.ahead[n]!, 1, !interrupts);
    if (ticks === 0 && cpu.idle) {
      const next = Math.min(cpu.hostTimer.deadline, cpu.guestTimer.deadline, this.board.deadline);
      if (next === Number.POSITIVE_INFINITY || this.options.clock) return 'waiting';
      this.time = Math.max(this.time, next - this.ahead[n]!);
      this.callDevices();
      ticks = engine.run(this.time + this.ahead[n]!, 1, !interrupts);
    }
    if (this.cpus.length === 1) this.time += ticks;
    else this.ahead[n]! += ticks;
    this.onTurn?.(cpu, before, this.instructions);
    this.settle();
    return this.power === 'poweroff' ? 'poweroff' : 'slice';
  }

  /** The CPU that {@link run} runs next; undefined when a new round begins, or when no CPU can run. */
  nextCpu(): Cpu | undefined {
    if (this.cpus.length === 1) return this.cpus[0];
    const ready = (c: Cpu, n: number): boolean =>
      !c.parked && !c.frozen && !c.idle && this.roundLength - this.ahead[n]! > 0;
    return (
      (this.inRound ? this.cpus.find((c, n) => n >= this.turn && ready(c, n)) : undefined) ??
      this.cpus.find((c) => !c.parked && !c.frozen && !c.idle)
    );
  }

  /** Is a CPU in the turn that {@link run} goes on with, and not in `idle`? Then no other one runs before it. */
  hasTurn(cpu: Cpu): boolean {
    const n = cpu.index;
    return (
      this.inRound && this.turn === n && !cpu.parked && !cpu.frozen && !cpu.idle && this.ahead[n]! < this.roundLength
    );
  }

  /** Would {@link run} execute exactly this instruction of this CPU next? Then a step does not change the order of CPUs. */
  runsNext(cpu: Cpu): boolean {
    if (cpu.parked || cpu.frozen || cpu.idle || interruptDue(cpu)) return false;
    if (this.perturbation.stallsNow(cpu.index)) return false;
    return this.cpus.length === 1 || (this.inRound && this.nextCpu() === cpu);
  }

  /** Lets the CPUs run again after a stop. */
  clearStops(): void {
    for (const cpu of this.cpus) cpu.stopRequested = false;
  }

  /** The power button of the board is pressed. */
  pressPowerButton(): void {
    this.board.pressPowerButton();
  }

  /** Why devices do nothing any more, those of them that have refused. */
  get refusals(): readonly string[] {
    return this.board.refusals;
  }

  /** May a device interrupt a CPU, as the interrupt controller is set up now? */
  get mayInterrupt(): boolean {
    return this.board.mayInterrupt;
  }

  /** May a device write there at any time, because something arrives from outside? @param pa a physical address */
  mayReceiveAt(pa: number): boolean {
    return this.board.mayReceiveAt(pa);
  }

  /** True when the guest has switched the machine off. */
  get poweredOff(): boolean {
    return this.power === 'poweroff';
  }

  /** What is in the PCI slots. */
  get pciFunctions(): readonly { readonly slot: number; readonly name: string }[] {
    return this.board.pci.list.map((l) => ({ slot: l.slot, name: l.function.name }));
  }

  /** Input for the console. */
  consoleInput(bytes: Uint8Array): void {
    this.board.consoleInput(bytes);
  }

  /** Bytes of console input that the guest has not read yet. */
  get inputWaiting(): number {
    return this.board.inputWaiting;
  }

  /** A frame from outside for the network card. */
  networkInput(frame: Uint8Array): void {
    this.board.networkInput(frame);
  }

  /** Frames that wait in the network card for a buffer of the guest. */
  get networkBacklog(): number {
    return this.board.networkBacklog;
  }

  get moment(): Moment {
    const { time, turn, inRound, roundLength, ahead } = this;
    return { time, turn, inRound, roundLength, ahead: ahead.slice(), stalled: this.perturbation.stalled.slice() };
  }

  /** A replay has reached the instruction at which something from outside happened: it happened at this moment. */
  set moment({ time, turn, inRound, roundLength, ahead, stalled }: Moment) {
    this.time = time;
    this.turn = turn;
    this.inRound = inRound;
    this.roundLength = roundLength;
    this.ahead.set(ahead);
    this.perturbation.stalled.set(stalled);
  }
}

const EMPTY = new Uint8Array(0);

/** The properties of a machine for its boot tables. */
export const platformOf = (o: Pick<MachineOptions, 'cpus' | 'ramSize' | 'seed' | 'cards' | 'virtioOn'>): Platform => {
  const { mmio, slots } = placeCards(o.cards, o.virtioOn);
  // The host bridge is in the first slot.
  const pciSlots = 1 + Math.max(0, ...slots.map((s) => s.slot));
  return { cpus: o.cpus, ramSize: o.ramSize, seed: o.seed, virtioMmio: mmio.length, pciSlots };
};

/** The items in fw_cfg: those for firmware, and those of the user. */
export function fillFwCfg(
  board: Board,
  { firmware, initrd, commandLine, fwCfg = [] }: BootFiles,
  platform: Platform,
): void {
  if (!firmware && fwCfg.length === 0) return;
  const own = firmware
    ? firmwareContents(platform, { kernel: firmware.kernel, initrd, commandLine })
    : { items: new Map<number, Uint8Array>(), files: [] };
  board.fwCfg.fill({ items: own.items, files: [...own.files, ...fwCfg] });
}

/** Sets the CPU that boots to its entry. */
export function prepareBoot(cpu: Cpu, { arguments: args }: BootRegisters): void {
  const A0 = 4;
  args.forEach((value, n) => {
    cpu.setGpr(A0 + n, value);
  });
}
