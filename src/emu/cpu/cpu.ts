import { CHUNKS, CPU_STATE_BYTES, CSR_RULE, STATE, TLB_ARRAYS_OFFSET } from '../memory/layout.ts';
import type { LinearMemory } from '../memory/linear-memory.ts';
import { xorshift } from '../runtime/xorshift.ts';
import type { Stateful, Wiring } from '../state/fields.ts';
import { FastTlb } from '../tlb/fast-tlb.ts';
import { Tlb } from '../tlb/tlb.ts';
import type { Chances } from './chances.ts';
import type { Clock } from './clock.ts';
import { CpuState } from './cpu-state.ts';
import { cpucfgWords } from './cpucfg.ts';
import { CsrBank, type CsrMasks, csrMasks } from './csr-bank.ts';
import { CRMD, fieldOf, GSTAT, MISC } from './csr-fields.ts';
import { CSR, CSRS, plainAccess } from './csr-table.ts';
import { CsrWriters, guestOwner, HOST_OWN, HOST_TO_BANK } from './csr-writers.ts';
import { EventRing } from './event-ring.ts';
import type { CpuFeatures } from './features.ts';
import type { Linked, Links } from './links.ts';
import { type CpuObserver, combine } from './observer.ts';
import type { StoreRecorder } from './store-record.ts';
import { Timer } from './timer.ts';
import type { TlbTarget } from './tlb-target.ts';
import { TranslationContexts } from './translation-contexts.ts';
import { guestStage, type TranslationStage } from './translation-stage.ts';
import { Watchpoints } from './watchpoints.ts';

/** On CPUs without misaligned accesses these bits are always 1 (Vol. 1, 7.4.4). */
const ALCL = MISC.ALCL0 | MISC.ALCL1 | MISC.ALCL2 | MISC.ALCL3;

/** The bit numbers of the interrupt lines in ESTAT.IS. */
export const LINE = { HWI0: 2, IPI: 12 } as const;

/** Routines of the emitted code that TypeScript calls (entry-return.ts). */
export interface CpuRoutines {
  /** Delivers the exception that `events.report` has described. */
  enterException(): void;
  /** Must an interrupt be taken before the next instruction? Not 0: yes. */
  interruptDue(): number;
}

/** Host CSRs that only software sets: a read before the first write is a mistake. */
const SET_BY_SOFTWARE: ReadonlySet<number> = new Set(
  CSRS.filter((r) => /^(SAVE\d+|TLBRSAVE|DSAVE|MERRSAVE|PGDL|PGDH)$/.test(r.name)).map((r) => r.num),
);

/** One CPU. Its registers are in linear memory (cpu-state.ts). The rest of the state of the model is here. */
export class Cpu extends CpuState implements Stateful, Linked {
  readonly stateFields = [
    'vm',
    'idle',
    'parked',
    'frozen',
    'icount',
    'guestIcount',
    'sliceTime',
    'sliceBudget',
    'lines',
    'parkedLl',
    'random',
    'heldUntil',
  ];
  static readonly wiring: Wiring = {
    cpucfg: 'made of the features',
    masks: 'made of the features',
    stopRequested: 'none is open in a copy',
    observer: 'observers',
    observers: 'observers',
    linearOf: 'the board',
    presentAt: 'the board',
    touch: 'the board',
    links: 'the machine',
    clock: 'the host',
    chances: 'perturbation',
    recorder: 'perturbation',
    routines: 'emitted code',
    lastGpa: 'set anew by each translation',
    tlbTarget: 'set anew by each TLB instruction',
  };
  readonly host: CsrBank;
  readonly guest: CsrBank;
  readonly hostTimer: Timer;
  readonly guestTimer: Timer;
  /** Host-type entries: VA→PA with GID 0, GPA→HPA otherwise. */
  readonly htlb: Tlb;
  /** Guest-type entries: GVA→GPA. */
  readonly gtlb: Tlb;
  readonly fast: FastTlb;
  /** What each stage of translation is governed by: the host's only one, stage 1 of the running guest, stage 2. */
  readonly hostStage: TranslationStage;
  readonly guestStage: TranslationStage;
  readonly guestStage2: TranslationStage;
  /** The operands of the current TLB instruction. */
  readonly tlbTarget: TlbTarget;
  readonly features: CpuFeatures;
  readonly cpucfg: Uint32Array;
  /** The CSR bits that software may write. */
  readonly masks: CsrMasks;
  readonly events: EventRing;
  /** Guest mode: LVZ's VM bit. Only lvz/world.ts changes it. */
  vm = false;
  /** The CPU waits in `idle`. */
  idle = false;
  /** The CPU waits until another CPU writes an entry address to mailbox 0. */
  parked = false;
  /** A debugger keeps the CPU stopped while other CPUs run. */
  frozen = false;
  /** The number of executed instructions, in all and in guest mode. A delivered exception counts as one. */
  icount = 0;
  guestIcount = 0;
  /** The stable counter at the start of the running slice, and the length of the slice. */
  sliceTime = 0;
  sliceBudget = 0;
  /** Physical interrupt lines, as ESTAT.IS bits. */
  lines = 0;
  /** There is a reason to leave the run loop before the next instruction. */
  stopRequested = false;
  /** All observers as one; see {@link observe}. */
  observer: CpuObserver<Cpu> = {};
  private readonly observers: CpuObserver<Cpu>[] = [];
  /** The address in linear memory of a physical address, negative when it is not RAM. The board sets this function. */
  linearOf: (pa: number) => number = () => -1;
  /** The same without an effect on RAM: negative where no memory is behind it now, so that nothing is cached either. */
  presentAt: (pa: number) => number = () => -1;
  /** Call before the hardware itself stores to a physical address; set by the machine. */
  touch: (pa: number) => void = () => {};
  /** The links of all CPUs. Undefined where each CPU has a thread. */
  links: Links | undefined;
  /** Decides what is open, where a run is perturbed. */
  chances: Chances | undefined;
  /** Records the stores of the instruction that runs, where a run is perturbed. */
  recorder: StoreRecorder | undefined;
  /** The number of executed instructions at which an interrupt is taken that has waited. */
  heldUntil = -1;
  /** The engine sets this. */
  routines!: CpuRoutines;
  /** The watchpoints of the architecture (FWP, MWP). */
  readonly watchpoints: Watchpoints;
  /** The GPA of the last two-stage translation, for reports. */
  lastGpa = 0;
  /** The LL state of the world that is not running: bit, place, value low, value high. */
  readonly parkedLl = new Int32Array(4);
  /** The last write of each CSR. */
  readonly writers: CsrWriters;
  private random: number;
  private readonly contexts: TranslationContexts;

  constructor(index: number, mem: LinearMemory, features: CpuFeatures, seed: number) {
    super(index, mem);
    this.host = new CsrBank(mem.i32, this.base + STATE.hostCsr);
    this.guest = new CsrBank(mem.i32, this.base + STATE.guestCsr);
    this.htlb = new Tlb(mem.memory.buffer, this.base + TLB_ARRAYS_OFFSET.host);
    this.gtlb = new Tlb(mem.memory.buffer, this.base + TLB_ARRAYS_OFFSET.guest);
    this.hostStage = { csr: this.host, tlb: this.htlb, gid: 0 };
    this.guestStage = guestStage(this, this.guest, this.gtlb);
    this.guestStage2 = guestStage(this, this.host, this.htlb);
    this.tlbTarget = { tlb: this.htlb, guestType: false, gid: 0, bank: this.host };
    this.hostTimer = new Timer(this.host);
    this.guestTimer = new Timer(this.guest);
    this.watchpoints = new Watchpoints(this.host);
    this.fast = new FastTlb(mem.u8, mem.i32, this.base, (set) => this.contexts.taken(set));
    this.contexts = new TranslationContexts(this, mem, this.base);
    this.features = features;
    this.cpucfg = cpucfgWords(features);
    this.masks = csrMasks(features);
    this.writers = new CsrWriters(mem.memory.buffer, this.base);
    this.events = new EventRing(mem.memory.buffer, this.base);
    this.describeCsrs();
    this.random = (seed ^ (index * 0x9e3779b9)) | 1;
  }

  /** Adds an observer. @returns the function that removes it again */
  observe(observer: CpuObserver<Cpu>): () => void {
    this.observers.push(observer);
    this.combineObservers();
    return () => {
      this.observers.splice(this.observers.indexOf(observer), 1);
      this.combineObservers();
    };
  }

  private combineObservers(): void {
    this.observer = combine(this.observers);
    this.setStateI32('csrWatched', this.observer.csrRead || this.observer.csrWrite ? 1 : 0);
    this.setStateI32('exceptionsWatched', this.observer.exception ? 1 : 0);
    this.setStateI32('timeWatched', this.clock || this.observer.timeRead ? 1 : 0);
    if (this.observer.unwrittenRead)
      for (const num of SET_BY_SOFTWARE) this.mem.u8[this.base + STATE.csrRules + num]! &= ~CSR_RULE.hostRead;
  }

  /** The host reads a CSR that generated code may not read itself: {@link CpuObserver.unwrittenRead} is told, if it is due. */
  readByHost(num: number): void {
    if (!this.observer.unwrittenRead || !SET_BY_SOFTWARE.has(num)) return;
    if (!this.hasWrittenCsr(-1, num)) this.observer.unwrittenRead(this, num);
    // From the first write on there is nothing to tell.
    else this.mem.u8[this.base + STATE.csrRules + num]! |= plainAccess(num, this.features) & CSR_RULE.hostRead;
  }

  /** Updates which CSR accesses generated code may make itself. */
  private describeCsrs(): void {
    const { mem, base, masks } = this;
    for (const { num } of CSRS) {
      mem.u8[base + STATE.csrRules + num] = plainAccess(num, this.features);
      const put = (field: 'csrOwnMask' | 'csrRootMask', lo: Int32Array, hi: Int32Array): void => {
        mem.i32[(base + STATE[field] + 8 * num) >> 2] = lo[num]!;
        mem.i32[((base + STATE[field] + 8 * num) >> 2) + 1] = hi[num]!;
      };
      put('csrOwnMask', masks.ownLo, masks.ownHi);
      put('csrRootMask', masks.rootLo, masks.rootHi);
    }
  }

  /** The address in linear memory of the link of the running world, −1 when its LL bit is clear. */
  get linkedAt(): number {
    return this.stateI32('llBit') === 0 ? -1 : this.stateI32('llLinear') >>> 0;
  }

  /** The same of the world that is not running. */
  get parkedLinkedAt(): number {
    return this.parkedLl[0] === 0 ? -1 : this.parkedLl[1]! >>> 0;
  }

  /** Clears the LL bit of the running world. */
  breakLink(): void {
    this.setStateI32('llBit', 0);
  }

  /** Clears that of the world that is not running. */
  breakParkedLink(): void {
    this.parkedLl[0] = 0;
  }

  /** The number of exceptions delivered since the last `ertn`. */
  get nesting(): number {
    return this.stateI32('nesting');
  }

  set nesting(n: number) {
    this.setStateI32('nesting', n);
  }

  /** The CSR file that instructions access now. */
  get csr(): CsrBank {
    return this.vm ? this.guest : this.host;
  }

  /** PLV of the running world. */
  get plv(): number {
    return this.csr.lo(CSR.CRMD) & CRMD.PLV;
  }

  /** Number of the VM that runs (without a debugger its GID), −1 in host mode. */
  get world(): number {
    return this.vm ? this.events.vmOf(this.gid, this.now) : -1;
  }

  /** GSTAT.GID. */
  get gid(): number {
    return fieldOf(this.host.lo(CSR.GSTAT), GSTAT.GID);
  }

  /** The stable counter, where the clock of the computer that runs loongscope drives it. */
  clock: Clock | undefined;

  /** The stable counter now, in ticks. It is exact inside helpers: the engine has stored the rest of the budget. */
  get now(): number {
    if (this.clock) return this.clock();
    return this.sliceTime + this.sliceBudget - this.budgetLeft;
  }

  /**
   * Records that the instruction at PC writes a CSR: one of its own world, or (`toBank`) one of the guest bank from the
   * host.
   * @param low the halves of the value that it writes
   */
  noteCsrWrite(num: number, toBank: boolean, low: number, high: number): void {
    const owner = toBank ? HOST_TO_BANK : this.vm ? guestOwner(this.gid) : HOST_OWN;
    this.writers.note(owner, num, low, high, this);
  }

  /** Has the host (−1) or a VM ever written this CSR of its own with `csrwr` or `csrxchg`? */
  hasWrittenCsr(world: number, num: number): boolean {
    const { writers, events } = this;
    if (world < 0) return writers.last(HOST_OWN, num) !== undefined;
    return writers.lastByGuest(num, (gid, time) => events.vmOf(gid, time) === world) !== undefined;
  }

  /** The number of instructions before the current one. It is exact inside helpers, unlike `icount`. */
  get position(): number {
    return this.icount + this.sliceBudget - this.budgetLeft;
  }

  /** A pseudo-random 32-bit number. The sequence depends only on the seed of the machine. */
  nextRandom(): number {
    this.random = xorshift(this.random);
    return this.random >>> 0;
  }

  /** Makes the CPU leave the run loop before the next instruction. */
  requestStop(): void {
    this.stopRequested = true;
  }

  /**
   * Recomputes what running code derives from the mode: the mode word and the software TLB set. Call this after every
   * change of EUEN, paging mode, ASID, GID or direct mapping windows, in either bank.
   */
  contextChanged(): void {
    this.contexts.changed();
  }

  /**
   * The same, for when only world, PLV and paging mode may have changed, as in exceptions and returns from them. What
   * was found for such a mode before is still valid. Emitted code looks there first (entry-return.ts).
   */
  modeChanged(): void {
    this.contexts.select();
  }

  /** The same, for when only EUEN of a bank may have changed. */
  unitsChanged(): void {
    this.contexts.unitsChanged();
  }

  /** Drops what is known of where pages of RAM are. */
  forgetRam(): void {
    this.fast.clearAll();
    const at = this.base + CHUNKS.offset;
    this.mem.u8.fill(0, at, at + 8 * CHUNKS.count);
  }

  /** Power-on state (Vol. 1, section 6.3): direct address mode, interrupts off, at `entry`. */
  reset(entry: bigint): void {
    this.mem.u8.fill(0, this.base, this.base + CPU_STATE_BYTES);
    this.host.reset();
    this.guest.reset();
    this.host.setLo(CSR.CPUID, this.index);
    // Vol. 1, 7.6.1: a reset may give the timer the number of the CPU.
    this.host.setLo(CSR.TID, this.index);
    if (!this.features.ual) for (const bank of [this.host, this.guest]) bank.setLo(CSR.MISC, ALCL);
    this.hostTimer.reset();
    this.guestTimer.reset();
    this.htlb.reset();
    this.gtlb.reset();
    this.fast.clearAll();
    this.parkedLl.fill(0);
    this.watchpoints.changed();
    this.writers.reset();
    this.sliceBudget = 0;
    this.vm = false;
    this.idle = false;
    this.nesting = 0;
    this.lines = 0;
    this.pc = entry;
    this.contextChanged();
  }
}
