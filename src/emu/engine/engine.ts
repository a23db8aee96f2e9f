/**
 * Runs one CPU: enters the generated interpreter in slices, delivers timers and interrupts between the slices, and
 * answers the helper calls of the running code.
 */

import { addressHigh, pcHigh } from '../cpu/address-mode.ts';
import type { Clock } from '../cpu/clock.ts';
import type { Cpu, CpuRoutines } from '../cpu/cpu.ts';
import { csrrd, csrxchg, gcsrrd, gcsrxchg } from '../cpu/csr-access.ts';
import { fieldOf, GCFG, GTLBC, MISC } from '../cpu/csr-fields.ts';
import { CSR } from '../cpu/csr-table.ts';
import { EXCEPTIONS } from '../cpu/exception-table.ts';
import { deliver, tell, tellOfEntry } from '../cpu/exceptions.ts';
import { After, type AfterValue, type HelperName } from '../cpu/helpers.ts';
import { hostPending, interruptDue, interruptWait, takeInterrupt } from '../cpu/interrupts.ts';
import type { CsrBits } from '../cpu/observer.ts';
import type { TlbTarget } from '../cpu/tlb-target.ts';
import { enterGuest, leaveGuest } from '../cpu/world.ts';
import type { BusPort } from '../devices/bus.ts';
import type { IocsrPort } from '../devices/iocsr.ts';
import { Fpu } from '../fpu/fpu.ts';
import { VectorFpu } from '../fpu/vector.ts';
import { UNITS } from '../isa/row.ts';
import { RAISE_WITH_BADV } from '../isa/semantics.ts';
import { codePagesBase, PAGE, REGIONS, STATE, UOP_BYTES } from '../memory/layout.ts';
import type { Ram } from '../memory/ram.ts';
import { ELO_HI, ELO_LO, lddirStep, ldpteStep, type WalkStep } from '../mmu/page-walk.ts';
import { FETCH, isAddressError, LOAD, stage1 } from '../mmu/stages.ts';
import * as tlb from '../mmu/tlb-instructions.ts';
import { translate, translateGpa } from '../mmu/translate.ts';
import type { RuntimeClock } from '../runtime/runtime.ts';
import { legalSize } from '../tlb/tlb.ts';
import { crc32 } from './crc32.ts';
import { GATES } from './gates.ts';
import type { EngineHooks } from './hooks.ts';
import { emitInterpreter, emitOwn, FAST_MINIMUM, firstOwn, type InterpreterPlan } from './interpreter.ts';
import { MemoryAccess } from './memory-access.ts';
import type { Regions } from './translator/regions.ts';
import { type HandlerMap, ownVariant } from './uop.ts';
import type { UopCache } from './uop-cache.ts';
import { vldiLiteral } from './vldi-literals.ts';

type Run = (budget: number) => number;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Helpers after which execution never continues at another address. */
const QUIET = new Set<string>([
  'crc',
  'cpucfg',
  'emitOwn',
  'decode',
  'hot',
  'modeChanged',
  'leaveGuest',
] satisfies HelperName[]);

/** Helpers that use RAM. */
const USING_RAM = new Set<string>([
  'loadSlow',
  'storeSlow',
  'linearSlow',
  'loadVectorSlow',
  'storeVectorSlow',
  'fetchSlow',
  'lddir',
  'ldpte',
  'cacop',
] satisfies HelperName[]);

/** What the engines of all CPUs of a machine share. */
export interface EngineParts {
  readonly ram: Ram;
  readonly bus: BusPort;
  readonly iocsr: IocsrPort;
  /**
   * The stable counter, where the clock of the computer that runs loongscope drives it. Otherwise a tick is an
   * instruction.
   */
  readonly clock?: Clock | undefined;
  /** The clock that measures how long a run takes. */
  readonly runtime: RuntimeClock;
  readonly uops: UopCache;
  readonly map: HandlerMap;
  /** Fused multiply-add (fma.ts). */
  readonly fused: Record<string, WebAssembly.ImportValue>;
  /** Translated code. When it is undefined, the interpreter executes everything. */
  readonly regions: Regions | undefined;
  /** How many branches to an instruction make it hot, so that it is translated. */
  readonly threshold: number;
  /** What {@link emitInterpreter} returned for a plan in an earlier run of the same sources. */
  readonly emitted: EmittedInterpreters | undefined;
}

export type EmittedInterpreters = (plan: InterpreterPlan) => Uint8Array<ArrayBuffer> | undefined;

/** The exception that an instruction of a disabled unit raises. */
const UNIT_DISABLED = { fp: 'FPD', lsx: 'SXD', lasx: 'ASXD', lbt: 'BTD' } as const;

/**
 * The longest single entry into generated code, in instructions. With short entries V8 can replace its baseline code
 * by optimized code early, and the run reads the clock early enough where each instruction takes a microsecond.
 */
const MAX_ENTRY = 250_000;
/** A run reads the clock after this many entries into generated code, helper calls or instructions. */
const ENTRIES_TO_LOOK = 256;
const INSTRUCTIONS_TO_LOOK = 500_000;
/** Instructions between two translations of hot code when there is less of it than a batch. */
const TRANSLATION_INTERVAL = 500_000;

export class Engine {
  readonly cpu: Cpu;
  private readonly ram: Ram;
  private readonly iocsr: IocsrPort;
  private readonly clock: Clock | undefined;
  private readonly runtime: RuntimeClock;
  private readonly uops: UopCache;
  private readonly memory: MemoryAccess;
  private readonly fpu: Fpu;
  private readonly vectors: VectorFpu;
  /** The functions of the handlers that have a function of their own. */
  private readonly table: WebAssembly.Table;
  private readonly env: Record<string, WebAssembly.ImportValue>;
  private readonly fast: Run;
  private readonly exact: Run;
  private readonly plan: InterpreterPlan;
  private readonly regions: Regions | undefined;
  private lastTranslation = 0;
  /** Instructions that this entry into generated code executed before the last change of world. */
  private worldMark = 0;
  private readonly sliceEnd: number;
  /** Indices of words of the state that each run uses. A look-up by name costs time when a debugger steps. */
  private readonly places: { readonly [K in 'left' | 'fills' | 'openPages' | 'fpPending']: number };
  private hooks: EngineHooks = {};
  /** The breakpoints of one page, its watchpoints, and both together. */
  private joined: readonly [ReadonlySet<number>, ReadonlySet<number>, ReadonlySet<number>] | undefined;
  /** The micro-op of a fetch watchpoint that Skip ignores once, or −1. */
  private letPass = -1;
  /** The instruction at a breakpoint that lets pass is running. The breakpoint was counted, so the instruction must not wait. */
  private passing = false;
  private readonly step: WalkStep = { slot: -1, lo: 0, hi: 0, ps: 12 };
  /** What the current CSR instruction writes. All CSR instructions use the same object. */
  private readonly bits: Mutable<CsrBits> = { num: 0, lo: 0, hi: 0, maskLo: 0, maskHi: 0 };

  /** The time at which a run returns even when budget is left, in milliseconds of {@link RuntimeClock.now}. */
  patience = Number.POSITIVE_INFINITY;
  /** The last run has returned early: its time was over, or a device has asked for it. */
  tired = false;
  /** Entries and instructions until the clock is read again. */
  private entriesToLook = 0;
  private instructionsToLook = 0;

  /** @param parts what all CPUs of the machine share */
  constructor(cpu: Cpu, parts: EngineParts) {
    const { ram, bus, uops, map, regions } = parts;
    this.cpu = cpu;
    this.ram = ram;
    this.iocsr = parts.iocsr;
    this.clock = parts.clock;
    this.runtime = parts.runtime;
    cpu.clock = parts.clock;
    cpu.setStateI32('timeWatched', parts.clock ? 1 : 0);
    cpu.setStateI32('codePages', codePagesBase(cpu.mem.pool));
    this.uops = uops;
    this.memory = new MemoryAccess(cpu, ram, bus, uops, () => this.word());
    this.fpu = new Fpu(cpu, () => this.word());
    this.vectors = new VectorFpu(cpu, this.fpu, () => this.word());
    const helpers = this.attended(ram.exchanges ? this.withRoom(this.helpers()) : this.helpers());
    this.regions = regions;
    this.sliceEnd = (cpu.base + STATE.sliceEnd) >> 3;
    const place = (field: keyof typeof STATE): number => (cpu.base + STATE[field]) >> 2;
    this.places = {
      ...{ left: place('left'), fills: place('fills') },
      ...{ openPages: place('openPages'), fpPending: place('fpPending') },
    };
    this.plan = {
      map,
      cpu: cpu.index,
      pool: cpu.mem.pool,
      shared: cpu.mem.shared,
      threshold: regions ? parts.threshold : 0,
      aligned: !cpu.features.ual,
    };
    this.table = new WebAssembly.Table({ element: 'anyfunc', initial: map.own.length, maximum: map.own.length });
    const none = new WebAssembly.Table({ element: 'anyfunc', initial: REGIONS, maximum: REGIONS });
    this.env = {
      memory: cpu.mem.memory,
      table: this.table,
      regions: regions?.table ?? none,
      ...parts.fused,
      ...helpers,
    };
    const module = new WebAssembly.Module(parts.emitted?.(this.plan) ?? emitInterpreter(this.plan));
    const { exports } = new WebAssembly.Instance(module, { env: this.env });
    for (let i = 0; i < map.own.length; i++) this.table.set(i, exports.first);
    this.fast = exports.fast as Run;
    this.exact = exports.exact as Run;
    cpu.routines = exports as unknown as CpuRoutines;
    if (regions) {
      const gates = GATES.map((name) => exports[name]!);
      cpu.setStateI32('gates', regions.placeGates(cpu.index, gates));
    }
  }

  /** Makes the run return as soon as the current instruction is finished. */
  tire(): void {
    this.tired = true;
  }

  /** Makes the run read the clock as soon as possible. */
  lookSoon(): void {
    this.entriesToLook = 0;
  }

  private look(): void {
    this.entriesToLook = ENTRIES_TO_LOOK;
    this.instructionsToLook = INSTRUCTIONS_TO_LOOK;
    if (this.runtime.now() > this.patience) this.tired = true;
  }

  /** Installs or removes run control. */
  setHooks(hooks: EngineHooks): void {
    this.hooks = hooks;
    this.memory.hooks = hooks;
    const { mem, base } = this.cpu;
    const at = base + STATE.watchedOffsets;
    if (hooks.watchedOffsets) mem.u8.set(hooks.watchedOffsets, at);
    else mem.u8.fill(0, at, at + PAGE / 64);
  }

  /**
   * Runs up to `budget` instructions; the stable counter is at tick `time` when it starts. It stops earlier when the
   * CPU idles or when a stop is requested.
   * @param masked do not take interrupts (a debugger's step)
   * @returns ticks that have passed
   */
  run(time: number, budget: number, masked = false): number {
    const { cpu } = this;
    const { i32 } = cpu.mem;
    const { left } = this.places;
    let done = 0;
    this.tired = false;
    cpu.links?.beginTurn(cpu);
    i32[this.places.fills] = this.memory.fills();
    i32[this.places.openPages] = this.memory.openPages();
    while (done < budget && !cpu.stopRequested && !this.tired) {
      const now = this.clock ? this.clock() : time + done;
      cpu.sliceTime = now;
      cpu.sliceBudget = 0;
      i32[left] = 0;
      cpu.hostTimer.expire(now);
      cpu.guestTimer.expire(now);
      if (cpu.idle) {
        if (!hostPending(cpu)) break;
        cpu.idle = false;
      }
      const wait = masked ? 0 : interruptWait(cpu);
      if (!masked && wait === 0 && takeInterrupt(cpu)) {
        cpu.icount++;
        done++;
        if (--this.entriesToLook < 0) this.look();
        continue;
      }
      const due = Math.min(cpu.hostTimer.deadline, cpu.guestTimer.deadline) - now;
      const n = Math.min(budget - done, due, wait || MAX_ENTRY);
      this.worldMark = 0;
      cpu.sliceBudget = n;
      i32[left] = n;
      cpu.mem.f64[this.sliceEnd] = now + n;
      const p = this.letPass;
      this.letPass = -1;
      // An interrupt or a change of breakpoints in between has activated the breakpoint again.
      if (p >= 0 && p === this.uopAtPc()) {
        this.uops.reveal(p);
        cpu.sliceBudget = 1;
        i32[left] = 1;
        cpu.mem.f64[this.sliceEnd] = now + 1;
        this.passing = true;
        this.exact(1);
        this.passing = false;
        this.uops.conceal(p);
      } else if (n >= FAST_MINIMUM) {
        // A debugger may have moved the machine back in time.
        if (this.regions && Math.abs(cpu.icount - this.lastTranslation) >= TRANSLATION_INTERVAL) {
          this.regions.translate();
          this.lastTranslation = cpu.icount;
        }
        this.fast(n);
      } else this.exact(n);
      if (i32[this.places.fpPending] !== 0) this.fpu.settle();
      const executed = cpu.sliceBudget - i32[left]!;
      cpu.sliceTime += executed;
      cpu.sliceBudget = 0;
      i32[left] = 0;
      cpu.icount += executed;
      if (cpu.vm) cpu.guestIcount += executed - this.worldMark;
      done += executed;
      this.instructionsToLook -= executed;
      if (--this.entriesToLook < 0 || this.instructionsToLook < 0) this.look();
    }
    return done;
  }

  /** The address of the micro-op at STATE.pc, or −1 when the fetch TLB does not have its page. */
  private uopAtPc(): number {
    const { cpu } = this;
    const lo = cpu.stateI32('pc');
    const base = cpu.fast.fetchEntry(lo, cpu.stateHi('pc'));
    return base < 0 ? -1 : base + ((lo & 0xffc) >> 2) * UOP_BYTES;
  }

  /** The word of the instruction at STATE.pc. The fetch TLB must have its page. */
  private word(): number {
    const { cpu } = this;
    const lo = cpu.stateI32('pc');
    const base = cpu.fast.fetchEntry(lo, cpu.stateHi('pc'));
    if (base < 0) return 0;
    return cpu.mem.u32[(this.uops.pageOf(base).linear + (lo & 0xffc)) >>> 2]!;
  }

  /** Puts the page of STATE.pc into the fetch TLB, or delivers the exception of the fetch. */
  private fetchSlow(): AfterValue {
    const { cpu } = this;
    const lo = cpu.stateI32('pc');
    const hi = pcHigh(cpu.csr, lo, cpu.stateHi('pc'));
    if (hi !== cpu.stateHi('pc')) {
      // The instruction is looked for again, at PC as 32-bit address mode has it.
      cpu.setPc(lo, hi);
      return After.jumped;
    }
    const refuse = (): AfterValue => {
      cpu.setStateI32('left', cpu.stateI32('left') - 1);
      return After.jumped;
    };
    // A fetch watchpoint comes before every fault of the fetch (Vol. 1, 6.3.2). Skip waits for a fetch that has none.
    const n = this.fetchWatched(lo, hi);
    if (n >= 0 && !cpu.watchpoints.skips && (lo & 3 || this.fetchFaults(lo, hi))) {
      cpu.watchpoints.hit(true, n);
      deliver(cpu, 'WPEF', { badi: 0 });
      return refuse();
    }
    if (lo & 3) {
      deliver(cpu, 'ADEF', { badv: { lo, hi }, badi: 0 });
      return refuse();
    }
    const pa = translate(cpu, lo, hi, FETCH, 0);
    if (pa < 0) return refuse();
    const page = pa - (pa % PAGE);
    const linear = this.ram.linearAddress(page);
    if (linear < 0) {
      deliver(cpu, 'ADEF', { badv: { lo, hi }, badi: 0 });
      return refuse();
    }
    const uops = this.uops.page(page, linear, this.breakAt(lo, hi, page));
    cpu.fast.fillFetch(lo, hi, uops.base, linear);
    return After.next;
  }

  /**
   * The positions in the page of an address where the CPU must stop: breakpoints of the debugger and fetch
   * watchpoints of the machine.
   */
  private breakAt(lo: number, hi: number, pa: number): ReadonlySet<number> | undefined {
    const { cpu } = this;
    const breakpoints = this.hooks.breakpoints?.(cpu, lo, hi, pa);
    const watchpoints = cpu.watchpoints.active(cpu.vm)
      ? cpu.watchpoints.inPage(lo, addressHigh(cpu.csr, hi))
      : undefined;
    if (!breakpoints || !watchpoints) return breakpoints ?? watchpoints;
    // The pool of decoded pages compares these sets by identity.
    if (this.joined?.[0] !== breakpoints || this.joined[1] !== watchpoints)
      this.joined = [breakpoints, watchpoints, new Set([...breakpoints, ...watchpoints])];
    return this.joined[2];
  }

  /** Does a fetch of the host fault? */
  private fetchFaults(lo: number, hi: number): boolean {
    const { cpu } = this;
    return typeof stage1(cpu.hostStage, lo, addressHigh(cpu.csr, hi), FETCH) !== 'number';
  }

  /** The fetch watchpoint at an address, or −1. */
  private fetchWatched(lo: number, hi: number): number {
    const { cpu } = this;
    return cpu.watchpoints.active(cpu.vm) ? cpu.watchpoints.fetchAt(lo, addressHigh(cpu.csr, hi)) : -1;
  }

  /** Does the CPU stop at the micro-op at `p`, for the debugger or for a fetch watchpoint? */
  private breakpoint(p: number): AfterValue {
    const { cpu } = this;
    const lo = cpu.stateI32('pc');
    const hi = cpu.stateHi('pc');
    const page = this.uops.pageOf(p).pa;
    if (this.hooks.breakpoints?.(cpu, lo, hi, page)?.has((lo & 0xfff) >> 2)) {
      if (this.hooks.breakpointHit?.(cpu, page + (lo & 0xfff)) !== false) cpu.requestStop();
      else this.letPass = p;
      return After.notExecuted;
    }
    const n = this.fetchWatched(lo, hi);
    if (n >= 0 && cpu.watchpoints.hit(true, n)) return deliver(cpu, 'WPEF', { badi: 0 });
    this.letPass = p;
    return After.notExecuted;
  }

  private raise(code: number): AfterValue {
    const { cpu } = this;
    const name = EXCEPTIONS[code & 0xff]!.name;
    const badi = this.word();
    const root = name === 'GSPR';
    if (code & RAISE_WITH_BADV)
      return deliver(cpu, name, { badv: { lo: cpu.stateI32('argA'), hi: cpu.stateHi('argA') }, badi, root });
    return deliver(cpu, name, { badi, root });
  }

  /** A bound check has failed. An address that no translation may have comes first. */
  private outOfBounds(): AfterValue {
    const { cpu } = this;
    const badv = { lo: cpu.stateI32('argA'), hi: cpu.stateHi('argA') };
    const stage = cpu.vm ? cpu.guestStage : cpu.hostStage;
    const name = isAddressError(stage, badv.lo, addressHigh(cpu.csr, badv.hi)) ? 'ADEM' : 'BCE';
    return deliver(cpu, name, { badv, badi: this.word() });
  }

  private rdtime(): AfterValue {
    const { cpu } = this;
    const plv = cpu.plv;
    cpu.observer.timeRead?.(cpu);
    // MISC.DRDTLn forbids PLV n to read the counter.
    if (plv !== 0 && cpu.csr.lo(CSR.MISC) & (MISC.DRDTL1 << (plv - 1)))
      return deliver(cpu, 'IPE', { badi: this.word() });
    const { now } = cpu;
    let lo = now % 0x100000000;
    let hi = Math.floor(now / 0x100000000);
    const plus = (aLo: number, aHi: number): void => {
      const sum = lo + (aLo >>> 0);
      lo = sum % 0x100000000;
      hi = (hi + aHi + (sum >= 0x100000000 ? 1 : 0)) | 0;
    };
    plus(cpu.host.lo(CSR.CNTC), cpu.host.hi(CSR.CNTC));
    if (cpu.vm) {
      // docs/lvz.md Q13: a guest's counter includes GCNTC and the guest's own CNTC.
      plus(cpu.host.lo(CSR.GCNTC), cpu.host.hi(CSR.GCNTC));
      plus(cpu.guest.lo(CSR.CNTC), cpu.guest.hi(CSR.CNTC));
    }
    cpu.setState64('value', lo | 0, hi);
    cpu.setState64('argB', cpu.csr.lo(CSR.TID), cpu.csr.hi(CSR.TID));
    return After.next;
  }

  /** Finishes lddir or ldpte: reads the table entry. Its address is physical; in a guest it goes through stage 2. */
  private readSlot(): AfterValue {
    const { cpu, step } = this;
    if (step.slot < 0) {
      cpu.setState64('value', step.lo, step.hi);
      return After.next;
    }
    let pa = step.slot;
    if (cpu.vm) {
      // The address in a refill handler is a guest physical one already.
      const va = { lo: pa | 0, hi: Math.floor(pa / 0x100000000) };
      pa = translateGpa(cpu, pa, { type: LOAD, badi: this.word(), va });
      if (pa < 0) return After.jumped;
    }
    const linear = this.ram.linearAddress(pa);
    // A table outside RAM reads as empty entries. The refill then finds an invalid page.
    if (linear < 0) cpu.setState64('value', 0, 0);
    // Another CPU may be changing the entry, so both halves are read at once.
    else if (cpu.mem.shared) cpu.mem.u64[(cpu.base + STATE.value) >> 3] = cpu.mem.u64[linear >>> 3]!;
    else cpu.setState64('value', cpu.mem.i32[linear >>> 2]!, cpu.mem.i32[(linear >>> 2) + 1]!);
    return After.next;
  }

  private lddir(): AfterValue {
    const { cpu } = this;
    lddirStep(cpu.csr, this.step, cpu.stateI32('argA'), cpu.stateHi('argA'), cpu.stateI32('argB'));
    return this.readSlot();
  }

  private ldpte(): AfterValue {
    const { cpu } = this;
    const bank = cpu.csr;
    const odd = cpu.stateI32('argB') & 1;
    ldpteStep(bank, this.step, cpu.stateI32('argA'), cpu.stateHi('argA'), odd);
    // A huge entry changes nothing when no TLB entry has its size (docs/isa-notes.md).
    if (this.step.slot < 0 && !legalSize(this.step.ps)) return After.next;
    const after = this.readSlot();
    if (after !== After.next) return after;
    // Bits that an entry of the TLB does not have are ignored (Vol. 1, 5.4.5).
    bank.set(odd ? CSR.TLBRELO1 : CSR.TLBRELO0, cpu.stateI32('value') & ELO_LO, cpu.stateHi('value') & ELO_HI);
    bank.update(CSR.TLBREHI, 0x3f, this.step.ps);
    return After.next;
  }

  /** Cache operations do only their checks, because there are no caches. */
  private cacop(): AfterValue {
    const { cpu } = this;
    const kind = (cpu.stateI32('argB') >> 3) & 3;
    const badi = this.word();
    const hit = kind === 2;
    // docs/lvz.md Q10: when GCI is not 0, the index and initialization types cause an exit.
    if (cpu.vm && !hit && fieldOf(cpu.host.lo(CSR.GCFG), GCFG.GCI) !== 0)
      return deliver(cpu, 'GSPR', { root: true, badi });
    if (hit && translate(cpu, cpu.stateI32('argA'), cpu.stateHi('argA'), LOAD, badi) < 0) return After.jumped;
    return After.next;
  }

  /** Where RAM is larger than linear memory: an instruction that uses RAM waits until the machine has made room. */
  private withRoom(
    helpers: Record<HelperName, (code: number) => number>,
  ): Record<HelperName, (code: number) => number> {
    const { ram } = this;
    const wait =
      (name: string, helper: (code: number) => number) =>
      (code: number): number => {
        if (!ram.crowded || this.passing) return helper(code);
        this.tired = true;
        // A fetch comes before an instruction: PC and budget are in the state already.
        return name === 'fetchSlow' ? After.jumped : After.notExecuted;
      };
    return Object.fromEntries(
      Object.entries(helpers).map(([name, helper]) => [name, USING_RAM.has(name) ? wait(name, helper) : helper]),
    ) as Record<HelperName, (code: number) => number>;
  }

  /**
   * The common part of helper calls after which execution may continue at another address: the instructions are
   * counted for the world that executed them, and generated code continues by itself when nothing is due.
   */
  private attended(
    helpers: Record<HelperName, (code: number) => number>,
  ): Record<HelperName, (code: number) => number> {
    const { cpu } = this;
    const attend =
      (helper: (code: number) => number) =>
      (code: number): number => {
        const { vm } = cpu;
        const after = helper(code);
        if (after !== After.jumped && after !== After.goOn) return after;
        if (cpu.vm !== vm) {
          // A fetch that failed has been counted already.
          const executed = cpu.sliceBudget - cpu.stateI32('left') + (helper === helpers.fetchSlow ? 0 : 1);
          if (vm) cpu.guestIcount += executed - this.worldMark;
          this.worldMark = executed;
        }
        if (--this.entriesToLook < 0) this.look();
        if (cpu.stopRequested || this.tired || interruptDue(cpu)) return after === After.goOn ? After.leave : after;
        return after === After.goOn ? after : After.arrived;
      };
    return Object.fromEntries(
      Object.entries(helpers).map(([name, helper]) => [name, QUIET.has(name) ? helper : attend(helper)]),
    ) as Record<HelperName, (code: number) => number>;
  }

  private helpers(): Record<HelperName, (code: number) => number> {
    const { cpu } = this;
    const lo = (f: 'argA' | 'argB' | 'va'): number => cpu.stateI32(f);
    const hi = (f: 'argA' | 'argB' | 'va'): number => cpu.stateHi(f);
    const word = (): number => this.word();
    const leaving = (f: (c: Cpu, t: TlbTarget) => AfterValue, target: (c: Cpu) => TlbTarget) => () =>
      f(cpu, target(cpu));
    return {
      raise: (code) => this.raise(code),
      outOfBounds: () => this.outOfBounds(),
      crc: (code) => {
        const v = crc32(code, lo('argA'), hi('argA'), lo('argB'));
        cpu.setState64('value', v, v >> 31);
        return After.next;
      },
      cpucfg: () => {
        const index = hi('argA') === 0 ? lo('argA') >>> 0 : cpu.cpucfg.length;
        const word = cpu.cpucfg[index] ?? 0;
        cpu.setState64('value', word, word >> 31);
        return After.next;
      },
      rdtime: () => this.rdtime(),
      csrrd: () => csrrd(cpu, lo('argA'), word),
      csrwr: () => csrxchg(cpu, this.csrBits(false), word),
      csrxchg: () => csrxchg(cpu, this.csrBits(true), word),
      gcsrrd: () => gcsrrd(cpu, lo('argA')),
      gcsrwr: () => gcsrxchg(cpu, this.csrBits(false)),
      gcsrxchg: () => gcsrxchg(cpu, this.csrBits(true)),
      // No register is above 4 GiB of the space of 64-bit addresses.
      iocsrrd: (size) => {
        if (hi('argA') !== 0) {
          cpu.setState64('value', 0, 0);
          return After.next;
        }
        cpu.observer.iocsrAccess?.(cpu, false);
        this.iocsr.read(cpu.index, lo('argA') >>> 0, size);
        const shift = 32 - 8 * Math.min(size, 4);
        const v = (this.iocsr.lo << shift) >> shift;
        cpu.setState64('value', v, size === 8 ? this.iocsr.hi : v >> 31);
        return After.next;
      },
      iocsrwr: (size) => {
        cpu.observer.iocsrAccess?.(cpu, true);
        if (hi('argA') === 0) this.iocsr.write(cpu.index, lo('argA') >>> 0, size, lo('argB'), hi('argB'));
        return After.leave;
      },
      tlbsrch: leaving(tlb.tlbsrch, tlb.ownTarget),
      tlbrd: leaving(tlb.tlbrd, tlb.ownTarget),
      tlbwr: leaving(tlb.tlbwr, tlb.ownTarget),
      tlbfill: leaving(tlb.tlbfill, tlb.ownTarget),
      tlbclr: () => this.guestTlbOp(tlb.tlbclr),
      tlbflush: () => this.guestTlbOp(tlb.tlbflush),
      gtlbsrch: leaving(tlb.tlbsrch, tlb.guestTarget),
      gtlbrd: leaving(tlb.tlbrd, tlb.guestTarget),
      gtlbwr: leaving(tlb.tlbwr, tlb.guestTarget),
      gtlbfill: leaving(tlb.tlbfill, tlb.guestTarget),
      gtlbclr: leaving(tlb.tlbclr, tlb.guestTarget),
      gtlbflush: leaving(tlb.tlbflush, tlb.guestTarget),
      invtlb: () =>
        tlb.invtlb(cpu, { op: lo('va'), rjLo: lo('argA'), rkLo: lo('argB'), rkHi: hi('argB'), word: this.word() }),
      lddir: () => this.lddir(),
      ldpte: () => this.ldpte(),
      idle: () => {
        cpu.idle = true;
        return After.leave;
      },
      cacop: () => this.cacop(),
      hvcl: () => {
        const badi = this.word();
        if (!cpu.vm) return deliver(cpu, 'INE', { badi });
        // docs/lvz.md Q7: a hypercall is a privileged operation of the guest.
        if (cpu.plv !== 0) return deliver(cpu, 'IPE', { badi });
        return deliver(cpu, 'HVC', { root: true, badi });
      },
      dbcl: () => {
        const badi = this.word();
        if (!cpu.vm) return deliver(cpu, 'INE', { badi });
        if (cpu.plv !== 0) return deliver(cpu, 'IPE', { badi });
        return deliver(cpu, 'GSPR', { root: true, badi });
      },
      // Decoded code follows every store of this thread. Here it learns of the stores of other threads.
      ibar: () => {
        this.uops.coherence?.synchronize();
        return After.next;
      },
      fpu: (code) => this.fpu.operate(code),
      fcsrrd: () => this.fpu.readFcsr(lo('argA')),
      fcsrwr: () => this.fpu.writeFcsr(lo('argB'), lo('argA')),
      vectorFpu: (code) => this.vectors.operate(code),
      vldi: () => {
        const literal = vldiLiteral(lo('argA') & 0x1fff);
        if (literal === undefined) return deliver(cpu, 'INE', { badi: this.word() });
        cpu.mem.u64[(cpu.base + STATE.value) >> 3] = literal;
        return After.next;
      },
      // The guest's own EUEN is checked first (docs/lvz.md Q25).
      unitDisabled: (unit) =>
        deliver(cpu, UNIT_DISABLED[UNITS[unit]!], {
          badi: this.word(),
          root: cpu.vm && ((cpu.guest.lo(CSR.EUEN) >> unit) & 1) === 1,
        }),
      loadSlow: (code) => this.memory.load(code),
      storeSlow: (code) => this.memory.store(code),
      linearSlow: (code) => this.memory.linearAddress(code),
      loadVectorSlow: (size) => this.memory.loadVector(size),
      storeVectorSlow: (size) => this.memory.storeVector(size),
      fetchSlow: () => this.fetchSlow(),
      decode: (p) => {
        this.uops.decode(p, cpu.vm);
        return After.next;
      },
      emitOwn: (p) => {
        const { map } = this.plan;
        const index = cpu.mem.u16[p >> 1]! - firstOwn(map);
        const code = emitOwn(this.plan, ownVariant(map.own[index]!));
        this.table.set(index, new WebAssembly.Instance(new WebAssembly.Module(code), { env: this.env }).exports.own);
        return After.next;
      },
      breakpoint: (p) => this.breakpoint(p),
      hot: (p) => {
        const vpn = (cpu.stateHi('pc') >>> 0) * 2 ** 20 + (cpu.stateI32('pc') >>> 12);
        this.regions!.hot(p, { fetches: cpu.stateI32('fetchTlb'), vpn });
        return After.next;
      },
      modeChanged: () => {
        cpu.modeChanged();
        return After.next;
      },
      leaveGuest: () => leaveGuest(cpu),
      enterGuest: () => enterGuest(cpu),
      entered: () => tellOfEntry(cpu),
      delivered: () => {
        tell(cpu);
        return After.jumped;
      },
    };
  }

  /** What a CSR instruction writes, read from the scratch slots: all bits, or the bits of a mask. */
  private csrBits(masked: boolean): CsrBits {
    const { cpu, bits } = this;
    bits.num = cpu.stateI32('argA');
    bits.lo = cpu.stateI32('argB');
    bits.hi = cpu.stateHi('argB');
    bits.maskLo = masked ? cpu.stateI32('va') : -1;
    bits.maskHi = masked ? cpu.stateHi('va') : -1;
    return bits;
  }

  /** tlbclr and tlbflush. GTLBC.TOTI makes a guest exit on them. */
  private guestTlbOp(f: (c: Cpu, t: TlbTarget) => AfterValue): AfterValue {
    const { cpu } = this;
    if (cpu.vm && cpu.host.lo(CSR.GTLBC) & GTLBC.TOTI) return deliver(cpu, 'GSPR', { root: true, badi: this.word() });
    return f(cpu, tlb.ownTarget(cpu));
  }
}
