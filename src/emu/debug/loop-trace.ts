/**
 * Is a cycle of events a loop without progress? It is, when the state comes back: what the next round depends on is then what this
 * round depended on. A trace follows a few rounds, an instruction at a time, and compares the state at one event of the cycle.
 *
 * What must come back depends on the cycle. Faults of one world: registers, CSRs and memory. Exits of a guest that executes nothing:
 * the guest's registers and CSRs, whatever the hypervisor counts. Interrupts: the registers of the program that is interrupted,
 * when it executes nothing between two of them.
 */
import type { Cpu } from '../cpu/cpu.ts';
import { CSR } from '../cpu/csr-table.ts';
import type { EventRecord } from '../cpu/event-ring.ts';
import { IS_MASK } from '../cpu/interrupts.ts';
import { u64At } from '../formats/little-endian.ts';
import { STATE } from '../memory/layout.ts';
import type { Ram } from '../memory/ram.ts';
import type { ComparatorHooks } from './comparator-hooks.ts';
import type { Cycle } from './loop-cycle.ts';
import type { MemoryObserver } from './stop.ts';

/** The state must come back so many times in a row; it may fail to do so so many times. */
const ROUNDS = 3;
const MOST_FAILURES = 4;
/** Most instructions and changed words of memory in a trace. */
const MOST_STEPS = 100_000;
/** A round of faults that takes longer is work: a handler that changes nothing is short. */
const LONGEST_ROUND = 5_000;
const MOST_WORDS = 20_000;
const GPR_WORDS = 32;
const CSR_WORDS = 0x200;
const PENDING = BigInt(IS_MASK);

/** The state that is compared. */
interface Snapshot {
  readonly gpr: BigUint64Array;
  readonly host: BigUint64Array;
  readonly guest: BigUint64Array;
}

const same = (a: BigUint64Array, b: BigUint64Array): boolean => a.every((v, n) => v === b[n]);

export class LoopTrace implements MemoryObserver {
  readonly cpu: Cpu;
  readonly cycle: Cycle;
  /** undefined: not known yet. */
  stuck: boolean | undefined;
  /** Instructions of the last round. */
  length = 0;
  private readonly ram: Ram;
  private readonly end: (() => void)[];
  /** The event of the cycle at which the state is compared. */
  readonly subject: EventRecord;
  private before: Snapshot | undefined;
  /** The one before it: an emulated instruction may change a register to and fro. */
  private earlier: Snapshot | undefined;
  /** Memory at `before`, where it was written since. */
  private readonly written = new Map<number, bigint>();
  private rounds = 0;
  private failures = 0;
  private count = 0;
  /** PC and world before the instruction at hand; and has the instruction at the event's place been executed in this round? */
  private pc = -1n;
  private world = 0;
  private executed = false;
  private events = 0;
  private began = 0;

  constructor(cpu: Cpu, cycle: Cycle, ram: Ram, hooks: ComparatorHooks) {
    this.cpu = cpu;
    this.cycle = cycle;
    this.ram = ram;
    const wanted = cycle.kind === 'exits' ? 'exit' : 'exception';
    this.subject = cycle.round.find((e) => e.kind === wanted) ?? cycle.round[0]!;
    this.end = [
      cpu.observe({ exception: () => this.happened() }),
      ...(cycle.kind === 'faults' ? [hooks.observeMemory(this)] : []),
    ];
  }

  /** An instruction has been executed, or an interrupt taken. @returns false when the trace is over */
  stepped(): boolean {
    const { cpu, subject: at } = this;
    if (this.pc === at.pc && this.world === at.world && this.events === cpu.events.total) this.executed = true;
    this.pc = cpu.pc;
    this.world = cpu.world;
    this.events = cpu.events.total;
    const longest = this.cycle.kind === 'faults' ? LONGEST_ROUND : MOST_STEPS;
    if (++this.count > MOST_STEPS || this.count - this.began > longest || this.written.size > MOST_WORDS)
      this.stuck ??= false;
    if (this.stuck === undefined) return true;
    this.close();
    return false;
  }

  /** Ends it without a result. */
  close(): void {
    for (const end of this.end.splice(0)) end();
  }

  private happened(): void {
    if (this.stuck !== undefined) return;
    const r = this.cpu.events.at(0)!;
    const { subject: at } = this;
    if (r.kind !== at.kind || r.world !== at.world || r.ecode !== at.ecode || r.pc !== at.pc || r.badv !== at.badv)
      return;
    const now = this.snapshot();
    const { earlier, before } = this;
    if (
      before &&
      (this.returned(before, now) || (earlier && this.cycle.kind === 'exits' && this.returned(earlier, now)))
    ) {
      this.rounds++;
      if (this.rounds >= ROUNDS) this.stuck = true;
    } else if (this.before) {
      this.rounds = 0;
      if (++this.failures >= MOST_FAILURES) this.stuck = false;
    }
    this.earlier = this.before;
    this.before = now;
    this.executed = false;
    this.written.clear();
    this.length = this.count - this.began;
    this.began = this.count;
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
    return { gpr: part(STATE.gpr, GPR_WORDS), host: csrs(STATE.hostCsr), guest: csrs(STATE.guestCsr) };
  }

  private returned(before: Snapshot, now: Snapshot): boolean {
    if (!same(before.gpr, now.gpr)) return false;
    switch (this.cycle.kind) {
      case 'exits':
        return same(before.guest, now.guest);
      case 'interrupts':
        return !this.executed;
      case 'faults':
        return (
          same(before.host, now.host) &&
          same(before.guest, now.guest) &&
          [...this.written].every(([pa, value]) => this.word(pa) === value)
        );
    }
  }

  private word(pa: number): bigint {
    return u64At(this.ram.read(pa, 8)) ?? 0n;
  }

  watchesAll(): boolean {
    return false;
  }

  accessed(): void {}

  recordsStores(): boolean {
    return true;
  }

  stored(_cpu: Cpu, pa: number, size: number): void {
    if (this.before)
      for (let word = pa - (pa % 8); word < pa + size; word += 8)
        if (!this.written.has(word)) this.written.set(word, this.word(word));
  }
}
