/**
 * Is a cycle of events a loop without progress? It is, when the state comes back: what the next round depends on is then what this
 * round depended on. A trace follows a few rounds, and compares the state at one event of the cycle. The machine runs on at full speed
 * meanwhile, but for interrupts.
 *
 * What must come back depends on the cycle. Faults of one world: registers, CSRs and memory. Exits of a guest that executes nothing:
 * the guest's registers and CSRs, whatever the hypervisor counts. Interrupts: the registers of the program that is interrupted,
 * when it executes nothing between two of them.
 */
import type { Cpu } from '../cpu/cpu.ts';
import { CSR } from '../cpu/csr-table.ts';
import type { EventRecord } from '../cpu/event-ring.ts';
import { IS_MASK } from '../cpu/interrupts.ts';
import { STATE } from '../memory/layout.ts';
import { HOST_WORLD } from './context.ts';
import type { Cycle } from './loop-cycle.ts';
import { type RoundSurroundings, RoundWatch } from './round-watch.ts';

/** The state must come back so many times in a row; it may fail to do so so many times. */
const ROUNDS = 3;
const MOST_FAILURES = 4;
/** Most instructions of a round: usually, and where each is stepped. */
const LONGEST_ROUND = 10_000_000;
const MOST_STEPS = 100_000;
const GPR_WORDS = 32;
const UNIT_WORDS = (STATE.fpPending - STATE.fpr) / 8;
const CSR_WORDS = 0x200;
const PENDING = BigInt(IS_MASK);

/** The state that is compared. */
interface Snapshot {
  readonly gpr: BigUint64Array;
  readonly units: BigUint64Array;
  readonly host: BigUint64Array;
  readonly guest: BigUint64Array;
}

const same = (a: BigUint64Array, b: BigUint64Array): boolean => a.every((v, n) => v === b[n]);

export class LoopTrace {
  readonly cpu: Cpu;
  readonly cycle: Cycle;
  /** undefined: not known yet. */
  stuck: boolean | undefined;
  /** Instructions of the last round. */
  length = 0;
  /** Must the machine go on by single instructions? */
  readonly steps: boolean;
  private readonly around: RoundSurroundings;
  /** Does the program ask for its exceptions itself? Then what it shows, and the time, are progress. */
  private readonly wanted: boolean;
  private readonly unobserve: () => void;
  /** The event of the cycle at which the state is compared. */
  readonly subject: EventRecord;
  private before: Snapshot | undefined;
  /** The one before it: an emulated instruction may change a register to and fro. */
  private earlier: Snapshot | undefined;
  /** Looks at memory, when registers have come back. */
  private watch: RoundWatch | undefined;
  private rounds = 0;
  private failures = 0;
  /** Instructions of the CPU at the last event of the cycle. */
  private began: number;
  /** PC and world before the instruction at hand; and has the instruction at the event's place been executed in this round? */
  private pc = -1n;
  private world = 0;
  private executed = false;
  private events = 0;

  /** @param wanted does the program ask for its exceptions itself? */
  constructor(cpu: Cpu, cycle: Cycle, around: RoundSurroundings, wanted: boolean) {
    this.cpu = cpu;
    this.cycle = cycle;
    this.around = around;
    this.wanted = wanted;
    this.steps = cycle.kind === 'interrupts';
    this.began = cpu.position;
    const kind = cycle.kind === 'exits' ? 'exit' : 'exception';
    this.subject = cycle.round.find((e) => e.kind === kind) ?? cycle.round[0]!;
    this.unobserve = cpu.observe({ exception: () => this.happened() });
  }

  /** Instructions after which it must be asked again. */
  get rest(): number {
    return Math.max(1, this.began + LONGEST_ROUND - this.cpu.position + 1);
  }

  /** Call after each instruction or interrupt while it steps, otherwise now and then, between two instructions. @returns false when the trace is over */
  stepped(): boolean {
    const { cpu, subject: at } = this;
    if (this.steps) {
      if (this.pc === at.pc && this.world === at.world && this.events === cpu.events.total) this.executed = true;
      this.pc = cpu.pc;
      this.world = cpu.world;
      this.events = cpu.events.total;
    }
    if (cpu.position - this.began > (this.steps ? MOST_STEPS : LONGEST_ROUND)) this.stuck ??= false;
    if (this.stuck === undefined) {
      if (this.rounds >= ROUNDS && !this.watch) this.lookAtMemory();
      return true;
    }
    this.close();
    return false;
  }

  /** Ends it without a result. */
  close(): void {
    this.unobserve();
    this.watch?.close();
    this.watch = undefined;
  }

  /** Registers have come back. What is stored must do so, too. */
  private lookAtMemory(): void {
    this.rounds = 0;
    this.before = undefined;
    this.failures = MOST_FAILURES - 2;
    const { cpu, subject } = this;
    this.watch = new RoundWatch(cpu, this.around, () => cpu.world === subject.world);
  }

  private happened(): void {
    if (this.stuck !== undefined) return;
    const { cpu, subject: at } = this;
    const r = cpu.events.at(0)!;
    // A host that a guest comes back to has run it in between.
    if (this.cycle.kind === 'faults' && r.kind === 'exit' && at.world === HOST_WORLD) this.stuck = false;
    if (r.kind !== at.kind || r.world !== at.world || r.ecode !== at.ecode || r.pc !== at.pc || r.badv !== at.badv)
      return;
    const now = this.snapshot();
    const { earlier, before } = this;
    if (
      before &&
      (this.returned(before, now) || (earlier && this.cycle.kind === 'exits' && this.returned(earlier, now)))
    ) {
      this.rounds++;
      if (this.rounds >= ROUNDS && (this.cycle.kind !== 'faults' || this.watch)) this.stuck = true;
    } else if (this.before) {
      this.rounds = 0;
      if (++this.failures >= MOST_FAILURES) this.stuck = false;
    }
    this.earlier = this.before;
    this.before = now;
    this.executed = false;
    this.watch?.begin();
    this.length = cpu.position - this.began;
    this.began = cpu.position;
    if (this.stuck !== undefined || this.rounds >= ROUNDS) cpu.requestStop();
  }

  private snapshot(): Snapshot {
    const { mem, base } = this.cpu;
    const part = (offset: number, words: number): BigUint64Array =>
      mem.u64.slice((base + offset) >> 3, ((base + offset) >> 3) + words);
    const csrs = (offset: number): BigUint64Array => {
      const bank = part(offset, CSR_WORDS);
      // Time goes on, and interrupts may become pending.
      bank[CSR.TVAL] = 0n;
      bank[CSR.ESTAT]! &= ~PENDING;
      return bank;
    };
    return {
      gpr: part(STATE.gpr, GPR_WORDS),
      units: part(STATE.fpr, UNIT_WORDS),
      host: csrs(STATE.hostCsr),
      guest: csrs(STATE.guestCsr),
    };
  }

  private returned(before: Snapshot, now: Snapshot): boolean {
    if (!same(before.gpr, now.gpr) || !same(before.units, now.units)) return false;
    switch (this.cycle.kind) {
      case 'exits':
        return same(before.guest, now.guest);
      case 'interrupts':
        return !this.executed;
      case 'faults':
        return same(before.host, now.host) && same(before.guest, now.guest) && this.memoryIsBack;
    }
  }

  private get memoryIsBack(): boolean {
    const { watch } = this;
    if (!watch) return true;
    return !(this.wanted && (watch.outputs || watch.timed)) && watch.memoryIsBack;
  }
}
