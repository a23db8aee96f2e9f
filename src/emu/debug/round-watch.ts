/**
 * What a program does in a round of a loop: whether it stores anything that stays, and whether it reads what may change without it.
 * A round that stores nothing, in registers that come back, is like the one before it, as long as what it reads stays.
 */
import type { Cpu } from '../cpu/cpu.ts';
import { u64At } from '../formats/little-endian.ts';
import type { Machine } from '../machine/machine.ts';
import type { ComparatorHooks } from './comparator-hooks.ts';
import type { VcpuStates } from './context.ts';
import { PagePlaces } from './page-places.ts';
import type { MemoryObserver } from './stop.ts';

/** What is needed of the machine. */
export interface RoundSurroundings {
  readonly machine: Machine;
  readonly hooks: ComparatorHooks;
  readonly vcpuStates: VcpuStates;
}

const PAGE = 0x1000;

export class RoundWatch implements MemoryObserver {
  /** Has it read memory, which another CPU or a device may change? */
  reads = false;
  /** Has it read where a device writes what arrives from outside? */
  awaits = false;
  /** Has it stored to a device? */
  outputs = false;
  /** Has it looked at the time? */
  timed = false;
  /** The names of devices that it has accessed, and the CSRs that it has read. */
  readonly devices = new Set<string>();
  readonly csrs = new Set<number>();
  private readonly cpu: Cpu;
  private readonly around: RoundSurroundings;
  private readonly counts: () => boolean;
  private readonly end: (() => void)[];
  private readonly places: PagePlaces;
  /** Memory before its first store in this round, by the address of its word. */
  private readonly written = new Map<number, bigint>();

  /** @param counts does what the CPU executes now belong to the program? */
  constructor(cpu: Cpu, around: RoundSurroundings, counts: () => boolean) {
    this.cpu = cpu;
    this.around = around;
    this.places = new PagePlaces(around);
    this.counts = counts;
    this.end = [
      around.hooks.observeMemory(this),
      cpu.observe({
        timeRead: () => {
          if (counts()) this.timed = true;
        },
        csrRead: (_c, _bank, num) => {
          if (counts()) this.csrs.add(num);
        },
        // An exchange reads the register, too.
        csrWrite: (_c, { num }) => {
          if (counts()) this.csrs.add(num);
          return false;
        },
        iocsrAccess: (_c, write) => {
          if (!counts()) return;
          this.devices.add('iocsr');
          if (write) this.outputs = true;
        },
      }),
    ];
  }

  /** A round begins. */
  begin(): void {
    Object.assign(this, { reads: false, awaits: false, outputs: false, timed: false });
    for (const all of [this.devices, this.csrs, this.written]) all.clear();
  }

  /** Has memory that was stored to the content from before again? */
  get memoryIsBack(): boolean {
    return [...this.written].every(([word, value]) => this.word(word) === value);
  }

  close(): void {
    for (const end of this.end.splice(0)) end();
  }

  watchesAll(cpu: Cpu): boolean {
    return cpu === this.cpu;
  }

  accessed(cpu: Cpu, vaLo: number, vaHi: number, size: number, write: boolean): void {
    if (cpu !== this.cpu || !this.counts()) return;
    const { machine } = this.around;
    const { pa: page, isRam } = this.places.of(cpu, vaLo, vaHi);
    const pa = page === undefined ? undefined : page + (vaLo & (PAGE - 1));
    if (!isRam) {
      const device = pa === undefined ? undefined : machine.bus.at(pa)?.device;
      if (device) this.devices.add(device.name);
      if (write) this.outputs = true;
    }
    if (write) return;
    this.reads = true;
    // Both ends: an index of two bytes may be read with what stands before it.
    if (pa !== undefined) this.awaits ||= machine.mayReceiveAt(pa) || machine.mayReceiveAt(pa + size - 1);
  }

  stored(_cpu: Cpu, pa: number, size: number): void {
    if (!this.counts()) return;
    for (let word = pa - (pa % 8); word < pa + size; word += 8)
      if (!this.written.has(word)) this.written.set(word, this.word(word));
  }

  recordsStores(): boolean {
    return true;
  }

  private word(pa: number): bigint {
    return u64At(this.around.machine.ram.read(pa, 8)) ?? 0n;
  }
}
