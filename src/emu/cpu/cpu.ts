import { CPU_STATE_BYTES, cpuBase, MODE_GUEST, MODE_UNITS_OFF, STATE } from '../memory/layout.ts';
import type { LinearMemory } from '../memory/linear-memory.ts';
import type { Stateful, Wiring } from '../state/fields.ts';
import { FastTlb } from '../tlb/fast-tlb.ts';
import { Tlb } from '../tlb/tlb.ts';
import type { Clock } from './clock.ts';
import { CONTEXT_SLOTS, contextSlot } from './context-slot.ts';
import { cpucfgWords } from './cpucfg.ts';
import { CsrBank, type CsrMasks, csrMasks } from './csr-bank.ts';
import { ASID, CRMD, DMW, EUEN, fieldOf, GSTAT } from './csr-fields.ts';
import { CSR, CSRS, plainAccess } from './csr-table.ts';
import { CsrWriters, HOST_OWN, HOST_TO_BANK } from './csr-writers.ts';
import { EventRing } from './event-ring.ts';
import type { CpuFeatures } from './features.ts';
import { Timer } from './timer.ts';
import type { TlbTarget } from './tlb-target.ts';
import { Watchpoints } from './watchpoints.ts';

/** All units of EUEN; the PLVs of a direct mapping window. */
const UNITS = EUEN.FPE | EUEN.SXE | EUEN.ASXE | EUEN.BTE;
const WINDOW_PLVS = DMW.PLV0 | DMW.PLV1 | DMW.PLV2 | DMW.PLV3;

/** Interrupt lines into ESTAT.IS. */
export const LINE = { HWI0: 2, IPI: 12 } as const;

/** What a write does to a CSR: the bits of the mask become those of the value. */
export interface CsrBits {
  readonly num: number;
  readonly lo: number;
  readonly hi: number;
  readonly maskLo: number;
  readonly maskHi: number;
}

/** A write of a CSR that is about to happen. */
export interface CsrWriting extends CsrBits {
  /** Whose register. */
  readonly bank: 'host' | 'guest';
}

/** A TLB instruction, or the hardware page walk, has changed a TLB. */
export interface TlbChange {
  /** Guest-type entries (GVA→GPA) or host-type ones. */
  readonly guestType: boolean;
  /** GID of the entries; −1: every guest. */
  readonly gid: number;
  /** The entry written; −1 for an invalidation. */
  readonly index: number;
  /** Address that an invalidation is limited to, as a page pair number; −1: no address. */
  readonly vppn: number;
  /** Mnemonic. */
  readonly by: string;
}

/**
 * Notifications of the CPU model for debuggers and logs. Every member is optional and costs one test when absent.
 * Listeners observe; they may call {@link Cpu.requestStop}, and must not change CPU state.
 */
export interface CpuObserver {
  /** An exception has been delivered (PC is the vector); its record is the newest of `cpu.events`. */
  exception?(cpu: Cpu): void;
  /** The same for VM exits alone: other exceptions then cost nothing. */
  exited?(cpu: Cpu): void;
  /** The CPU is about to leave guest mode: all guest registers are still in place. */
  beforeExit?(cpu: Cpu): void;
  /** Guest mode has been entered: PC is the guest's. */
  entered?(cpu: Cpu): void;
  /** Software is about to write a CSR. True stops before the instruction. */
  csrWrite?(cpu: Cpu, write: CsrWriting): boolean;
  /** Software reads a CSR. */
  csrRead?(cpu: Cpu, bank: 'host' | 'guest', num: number): void;
  /** Software has changed a TLB. */
  tlbChanged?(cpu: Cpu, change: TlbChange): void;
  /** Exceptions have been delivered {@link NESTING_LIMIT} times (again) without an `ertn` in between. */
  nested?(cpu: Cpu): void;
}

/** How many deliveries in a row without a return are worth a look: a power of two. */
export const NESTING_LIMIT = 256;

/** What the engine's emitted code does for TypeScript (entry-return.ts). */
export interface CpuRoutines {
  /** Delivers the exception that `events.report` has described. */
  enterException(): void;
  /** Must an interrupt be taken before the next instruction? Not 0: yes. */
  interruptDue(): number;
}

/** Several observers as one: each is told, and a CSR write stops when one of them says so. */
function combine(list: readonly CpuObserver[]): CpuObserver {
  const out: CpuObserver = {};
  for (const name of ['exception', 'exited', 'beforeExit', 'entered', 'nested'] as const) {
    const all = list.filter((o) => o[name]);
    if (all.length)
      out[name] = (cpu) => {
        for (const o of all) o[name]!(cpu);
      };
  }
  const reads = list.filter((o) => o.csrRead);
  if (reads.length)
    out.csrRead = (cpu, bank, num) => {
      for (const o of reads) o.csrRead!(cpu, bank, num);
    };
  const changes = list.filter((o) => o.tlbChanged);
  if (changes.length)
    out.tlbChanged = (cpu, change) => {
      for (const o of changes) o.tlbChanged!(cpu, change);
    };
  const writes = list.filter((o) => o.csrWrite);
  if (writes.length) out.csrWrite = (cpu, write) => writes.map((o) => o.csrWrite!(cpu, write)).includes(true);
  return out;
}

/** One CPU: its registers live in linear memory (cpu/layout.ts), the rest of the model state here. */
export class Cpu implements Stateful {
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
  ];
  static readonly wiring: Wiring = {
    cpucfg: 'made of the features',
    masks: 'made of the features',
    contextSets: 'made anew, see contextChanged',
    contextModes: 'made anew, see contextChanged',
    stopRequested: 'none is open in a copy',
    observer: 'observers',
    observers: 'observers',
    linearOf: 'the board',
    clock: 'the host',
    routines: 'the engine',
    lastGpa: 'set anew by each translation',
    tlbTarget: 'set anew by each TLB instruction',
  };
  readonly index: number;
  readonly mem: LinearMemory;
  readonly base: number;
  readonly host: CsrBank;
  readonly guest: CsrBank;
  readonly hostTimer: Timer;
  readonly guestTimer: Timer;
  /** Host-type entries: VA→PA with GID 0, GPA→HPA otherwise. */
  readonly htlb = new Tlb();
  /** Guest-type entries: GVA→GPA. */
  readonly gtlb = new Tlb();
  readonly fast: FastTlb;
  /** What the TLB instruction at hand works on. */
  readonly tlbTarget: TlbTarget;
  readonly features: CpuFeatures;
  readonly cpucfg: Uint32Array;
  /** Which CSR bits software may write. */
  readonly masks: CsrMasks;
  readonly events: EventRing;
  /** Guest mode: LVZ's VM bit. Only lvz/world.ts changes it. */
  vm = false;
  /** Waiting in `idle`. */
  idle = false;
  /** Parked until another CPU posts an entry address in mailbox 0. */
  parked = false;
  /** Kept still by a debugger while other CPUs run. */
  frozen = false;
  /** Instructions executed (a delivered exception counts as one), in all and in guest mode. */
  icount = 0;
  guestIcount = 0;
  /** Stable counter at the start of the running slice, and the slice's length. */
  sliceTime = 0;
  sliceBudget = 0;
  /** Physical interrupt lines, as ESTAT.IS bits. */
  lines = 0;
  /** A reason to leave the run loop before the next instruction. */
  stopRequested = false;
  /** All observers as one; see {@link observe}. */
  observer: CpuObserver = {};
  private readonly observers: CpuObserver[] = [];
  /** Place in linear memory of a physical address, negative when it is not RAM; the board says. */
  linearOf: (pa: number) => number = () => -1;
  /** The engine says. */
  routines!: CpuRoutines;
  /** Watchpoints of the architecture (FWP, MWP). */
  readonly watchpoints: Watchpoints;
  /** The GPA of the last two-stage translation, for reports. */
  lastGpa = 0;
  /** LL state of the world that does not run: bit, place, value low, value high. */
  readonly parkedLl = new Int32Array(4);
  /** The last write of each CSR. */
  readonly writers: CsrWriters;
  private random: number;
  /** See STATE.contextSets. */
  private readonly contextSets: Int32Array;
  private readonly contextModes: Int32Array;
  private readonly modeIndex: number;
  /** Place of PC and of the budget left among the 32-bit words of linear memory. */
  private readonly pcIndex: number;
  private readonly leftIndex: number;

  constructor(index: number, mem: LinearMemory, features: CpuFeatures, seed: number) {
    this.index = index;
    this.mem = mem;
    this.base = cpuBase(index);
    this.pcIndex = (this.base + STATE.pc) >> 2;
    this.leftIndex = (this.base + STATE.left) >> 2;
    this.modeIndex = (this.base + STATE.mode) >> 2;
    this.host = new CsrBank(mem.i32, this.base + STATE.hostCsr);
    this.guest = new CsrBank(mem.i32, this.base + STATE.guestCsr);
    this.tlbTarget = { tlb: this.htlb, guestType: false, gid: 0, bank: this.host };
    this.hostTimer = new Timer(this.host);
    this.guestTimer = new Timer(this.guest);
    this.watchpoints = new Watchpoints(this.host);
    this.contextSets = new Int32Array(mem.memory.buffer, this.base + STATE.contextSets, CONTEXT_SLOTS);
    this.contextModes = new Int32Array(mem.memory.buffer, this.base + STATE.contextModes, CONTEXT_SLOTS);
    this.fast = new FastTlb(mem.u8, mem.i32, this.base, (set) => {
      for (let n = 0; n < CONTEXT_SLOTS; n++) if (this.contextSets[n] === set) this.contextSets[n] = 0;
    });
    this.features = features;
    this.cpucfg = cpucfgWords(features);
    this.masks = csrMasks(features);
    this.writers = new CsrWriters(mem.memory.buffer, this.base);
    this.events = new EventRing(mem.memory.buffer, this.base);
    this.describeCsrs();
    this.random = (seed ^ (index * 0x9e3779b9)) | 1;
  }

  /** Adds an observer. @returns what removes it again */
  observe(observer: CpuObserver): () => void {
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
  }

  /** Tells generated code which CSR accesses it may make itself. */
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

  /** Exceptions delivered since the last `ertn`. */
  get nesting(): number {
    return this.stateI32('nesting');
  }

  set nesting(n: number) {
    this.setStateI32('nesting', n);
  }

  /** The CSR file that instructions see now. */
  get csr(): CsrBank {
    return this.vm ? this.guest : this.host;
  }

  /** PLV of the running world. */
  get plv(): number {
    return this.csr.lo(CSR.CRMD) & CRMD.PLV;
  }

  /** GID of the running guest, −1 in host mode. */
  get world(): number {
    return this.vm ? this.gid : -1;
  }

  /** GSTAT.GID. */
  get gid(): number {
    return fieldOf(this.host.lo(CSR.GSTAT), GSTAT.GID);
  }

  /** The stable counter, where host time drives it. */
  clock: Clock | undefined;

  /** Stable counter now, in ticks. Exact inside helpers, where the engine has stored what is left of the budget. */
  get now(): number {
    if (this.clock) return this.clock();
    return this.sliceTime + this.sliceBudget - this.mem.i32[this.leftIndex]!;
  }

  /** Low and high half of PC. Exceptions and CSR writes are frequent enough to do without a look-up by name. */
  get pcLo(): number {
    return this.mem.i32[this.pcIndex]!;
  }

  get pcHi(): number {
    return this.mem.i32[this.pcIndex + 1]!;
  }

  setPc(lo: number, hi: number): void {
    this.mem.i32[this.pcIndex] = lo;
    this.mem.i32[this.pcIndex + 1] = hi;
  }

  stateI32(field: keyof typeof STATE): number {
    return this.mem.i32[(this.base + STATE[field]) >> 2]!;
  }

  setStateI32(field: keyof typeof STATE, value: number): void {
    this.mem.i32[(this.base + STATE[field]) >> 2] = value;
  }

  /** High half of a 64-bit state field. */
  stateHi(field: keyof typeof STATE): number {
    return this.mem.i32[((this.base + STATE[field]) >> 2) + 1]!;
  }

  setState64(field: keyof typeof STATE, lo: number, hi: number): void {
    const i = (this.base + STATE[field]) >> 2;
    this.mem.i32[i] = lo;
    this.mem.i32[i + 1] = hi;
  }

  /** PC as an unsigned 64-bit value; for debuggers and reports. */
  get pc(): bigint {
    return this.mem.u64[(this.base + STATE.pc) >> 3]!;
  }

  set pc(value: bigint) {
    this.mem.u64[(this.base + STATE.pc) >> 3] = value;
  }

  /** GPR `n` as an unsigned 64-bit value. */
  gpr(n: number): bigint {
    return this.mem.u64[(this.base + STATE.gpr + n * 8) >> 3]!;
  }

  setGpr(n: number, value: bigint): void {
    if (n !== 0) this.mem.u64[(this.base + STATE.gpr + n * 8) >> 3] = BigInt.asUintN(64, value);
  }

  /**
   * Remembers that the instruction at PC writes a CSR: its world's own, or (`toBank`) the guest bank from the host.
   * @param high bits 63:32 of what it writes
   */
  noteCsrWrite(num: number, toBank: boolean, high: number): void {
    const owner = toBank ? HOST_TO_BANK : this.vm ? this.gid : HOST_OWN;
    this.writers.note(owner, num, high, this);
  }

  /** Has the host (−1) or a guest ever written this CSR of its own with `csrwr` or `csrxchg`? */
  hasWrittenCsr(world: number, num: number): boolean {
    return this.writers.last(Math.max(HOST_OWN, world), num) !== undefined;
  }

  /** Instructions executed up to the one at hand; exact inside helpers, unlike `icount`. */
  get position(): number {
    return this.icount + this.sliceBudget - this.mem.i32[this.leftIndex]!;
  }

  /** A pseudo-random 32-bit number; the sequence depends on the machine's seed alone. */
  nextRandom(): number {
    let x = this.random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.random = x;
    return x >>> 0;
  }

  /** Leave the run loop at the next instruction boundary. */
  requestStop(): void {
    this.stopRequested = true;
  }

  /**
   * Recomputes what running code derives from the mode: the mode word and the software TLB set. Call after every
   * change of EUEN, paging mode, ASID, GID or direct mapping windows, in either bank.
   */
  contextChanged(): void {
    this.contextSets.fill(0);
    this.modeChanged();
  }

  /**
   * The same where world, PLV and paging mode alone may have changed, as in exceptions and returns from them: what was
   * found for such a mode before is still right. Emitted code looks there first (entry-return.ts).
   */
  modeChanged(): void {
    const crmd = this.csr.lo(CSR.CRMD);
    // Watchpoints look at the host alone, where CRMD.WE lets them.
    const watching = !this.vm && this.watchpoints.select(crmd, this.host.lo(CSR.ASID) & ASID.ASID);
    const slot = contextSlot(crmd, this.vm);
    const set = this.contextSets[slot]!;
    if (set !== 0) {
      this.fast.use(set);
      this.mem.i32[this.modeIndex] = this.contextModes[slot]!;
      return;
    }
    const bank = this.csr;
    // A guest needs both its own EUEN and the host's.
    const off = ~(bank.lo(CSR.EUEN) & this.host.lo(CSR.EUEN)) & UNITS;
    const mode = (crmd & CRMD.PLV) | (this.vm ? MODE_GUEST : 0) | (off * MODE_UNITS_OFF);
    this.mem.i32[this.modeIndex] = mode;
    const paged = (crmd & (CRMD.DA | CRMD.PG)) === CRMD.PG;
    const gid = this.vm ? this.gid : 0;
    const asid = paged ? bank.lo(CSR.ASID) & ASID.ASID : 0;
    let windows = 0;
    if (paged) {
      for (let i = 0; i < 4; i++)
        windows = windows * 256 + ((bank.hi(CSR.DMW0 + i) >>> 28) * 16 + (bank.lo(CSR.DMW0 + i) & WINDOW_PLVS));
    }
    const key =
      (this.vm ? 1 : 0) + (crmd & CRMD.PLV) * 2 + (paged ? 8 : 0) + gid * 16 + asid * 4096 + (watching ? 2 ** 22 : 0);
    const chosen = this.fast.select(key, windows, this.vm ? gid : -1);
    // With watchpoints in use each change of mode has to be looked at.
    if (!this.vm && this.watchpoints.inUse) return;
    this.contextSets[slot] = chosen;
    this.contextModes[slot] = mode;
  }

  /** Power-on state (Vol. 1, section 6.3): direct address mode, interrupts off, at `entry`. */
  reset(entry: bigint): void {
    this.mem.u8.fill(0, this.base, this.base + CPU_STATE_BYTES);
    this.host.reset();
    this.guest.reset();
    this.host.setLo(CSR.CPUID, this.index);
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
