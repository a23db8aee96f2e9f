/**
 * Does a CPU spin? It does, when its state comes back: registers, CSRs and what it stores. Interrupts in between are left out, as the
 * program that spins does not see them. A first trace compares registers for a few instructions, which costs little; only when they come
 * back, a second one looks at each access too.
 */
import type { Cpu } from '../cpu/cpu.ts';
import { CSR } from '../cpu/csr-table.ts';
import { ecodeOf } from '../cpu/exception-table.ts';
import { IS_MASK } from '../cpu/interrupts.ts';
import { u64At } from '../formats/little-endian.ts';
import type { Machine } from '../machine/machine.ts';
import { STATE } from '../memory/layout.ts';
import type { ComparatorHooks } from './comparator-hooks.ts';
import { runningContext, type VcpuStates } from './context.ts';
import type { MemoryObserver } from './stop.ts';
import { physicalAddress } from './walk.ts';

/** Most instructions of a round, and of an interrupt between them. */
const LONGEST = 64;
const AWAY = 20_000;
const GPR_WORDS = 32;
const CSR_WORDS = 0x200;
const INT = ecodeOf('INT');
const PENDING = BigInt(IS_MASK);

/** What a trace needs of the machine. */
export interface SpinSurroundings {
  readonly machine: Machine;
  readonly hooks: ComparatorHooks;
  readonly vcpuStates: VcpuStates;
}

/** What a round of a spinning CPU does. */
export interface Spin {
  readonly world: number;
  readonly pc: bigint;
  /** Instructions of a round. */
  readonly length: number;
  /** Does it read memory, which another CPU or a device may change? */
  readonly reads: boolean;
  /** Does it read where a device writes what arrives from outside? */
  readonly awaits: boolean;
  /** The names of devices that it reads. */
  readonly devices: readonly string[];
}

export class SpinTrace implements MemoryObserver {
  readonly cpu: Cpu;
  private readonly around: SpinSurroundings;
  private readonly world: number;
  private readonly pc: bigint;
  private readonly state: BigUint64Array;
  private count = 0;
  /** Where the program goes on behind an interrupt, while it is interrupted, and for how many instructions it has been. */
  private away: bigint | undefined;
  private awayFor = 0;
  private events: number;
  /** The second trace. */
  private looking = false;
  private unhook: () => void = () => {};
  private reads = false;
  private awaits = false;
  private readonly devices = new Set<string>();
  /** Memory before its first store in this round, by word; and has something else been stored to? */
  private readonly written = new Map<number, bigint>();
  private output = false;
  /** undefined: not known yet. */
  result: Spin | 'no' | undefined;

  constructor(cpu: Cpu, around: SpinSurroundings) {
    this.cpu = cpu;
    this.around = around;
    this.world = cpu.world;
    this.pc = cpu.pc;
    this.state = this.snapshot();
    this.events = cpu.events.total;
  }

  /** An instruction has been executed, or an interrupt taken. @returns false when the trace is over */
  stepped(): boolean {
    this.follow();
    if (this.result === undefined) return true;
    this.close();
    return false;
  }

  close(): void {
    this.unhook();
    this.unhook = () => {};
  }

  private follow(): void {
    const { cpu } = this;
    const fresh = cpu.events.total - this.events;
    this.events = cpu.events.total;
    if (this.away === undefined && fresh > 0) {
      const r = cpu.events.at(fresh - 1);
      if (r?.ecode !== INT || r.world !== this.world || r.kind === 'entry') this.result = 'no';
      else this.away = r.pc;
    }
    if (this.away !== undefined) {
      if (cpu.world !== this.world || cpu.pc !== this.away) {
        if (++this.awayFor > AWAY) this.result = 'no';
        return;
      }
      this.away = undefined;
    }
    this.count++;
    if (cpu.pc === this.pc && cpu.world === this.world && this.isSame()) this.round();
    else if (this.count > LONGEST || cpu.idle) this.result = 'no';
  }

  /** The state has come back. */
  private round(): void {
    if (this.looking) {
      const { world, pc, count: length, reads, awaits, devices } = this;
      const same = [...this.written].every(([word, value]) => this.word(word) === value);
      this.result = same && !this.output ? { world, pc, length, reads, awaits, devices: [...devices] } : 'no';
      return;
    }
    this.looking = true;
    this.count = 0;
    this.unhook = this.around.hooks.observeMemory(this);
  }

  private snapshot(): BigUint64Array {
    const { mem, base } = this.cpu;
    const part = (offset: number, words: number): BigUint64Array =>
      mem.u64.subarray((base + offset) >> 3, ((base + offset) >> 3) + words);
    const out = new BigUint64Array(GPR_WORDS + CSR_WORDS);
    out.set(part(STATE.gpr, GPR_WORDS));
    out.set(part(this.world < 0 ? STATE.hostCsr : STATE.guestCsr, CSR_WORDS), GPR_WORDS);
    // Time goes on, and interrupts may become pending.
    out[GPR_WORDS + CSR.TVAL] = 0n;
    out[GPR_WORDS + CSR.ESTAT]! &= ~PENDING;
    return out;
  }

  private isSame(): boolean {
    const now = this.snapshot();
    return this.state.every((value, n) => value === now[n] || VOLATILE.has(n));
  }

  watchesAll(cpu: Cpu): boolean {
    return cpu === this.cpu;
  }

  accessed(cpu: Cpu, vaLo: number, vaHi: number, size: number, write: boolean): void {
    if (cpu !== this.cpu || this.away !== undefined) return;
    const { machine, vcpuStates } = this.around;
    const va = (BigInt(vaHi >>> 0) << 32n) | BigInt(vaLo >>> 0);
    const pa = physicalAddress(runningContext(cpu, vcpuStates), machine.ram, va);
    const device = pa === undefined ? undefined : machine.bus.at(pa)?.device;
    if (device) this.devices.add(device.name);
    if (!write) {
      this.reads = true;
      // Both ends: an index of two bytes may be read with what stands before it.
      if (pa !== undefined) this.awaits ||= machine.mayReceiveAt(pa) || machine.mayReceiveAt(pa + size - 1);
    } else if (pa === undefined || device) this.output = true;
    else this.keep(pa, size);
  }

  /** Remembers memory that is about to be written. */
  private keep(pa: number, size: number): void {
    for (let word = pa - (pa % 8); word < pa + size; word += 8)
      if (!this.written.has(word)) this.written.set(word, this.word(word));
  }

  private word(pa: number): bigint {
    return u64At(this.around.machine.ram.read(pa, 8)) ?? 0n;
  }

  stored(): void {}

  recordsStores(): boolean {
    return false;
  }
}

/** What an interrupt in between leaves behind. */
const VOLATILE: ReadonlySet<number> = new Set(
  [CSR.PRMD, CSR.ERA, CSR.BADV, CSR.BADI, CSR.ESTAT, CSR.TICLR].map((num) => GPR_WORDS + num),
);
