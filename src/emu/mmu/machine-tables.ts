/** The reader for page walks by hardware: it reads tables in RAM, in a guest through stage 2. */
import type { Cpu } from '../cpu/cpu.ts';
import { Leaf, type TableReader } from './page-walk.ts';
import { type Fault, STORE, stage2 } from './stages.ts';

/** One object for each CPU, with the outcome of its walk, so that walks allocate nothing. */
export class MachineTables implements TableReader {
  lo = 0;
  hi = 0;
  /** Index of the entry in the 32-bit words of linear memory; −1: the address is not RAM, and the entry reads as 0. */
  at = -1;
  /** Physical address of the entry. */
  pa = 0;
  /** Address of the entry, as the world that walks has it. */
  slot = 0;
  /** The stage-2 fault at a read of a guest's table entry. It ends the walk. */
  unreachable: Fault | undefined;
  readonly leaf = new Leaf();
  /** What the walk enters into the TLB. */
  readonly pair = { vppn: 0, ps: 0, lo: new Int32Array(2), hi: new Int32Array(2) };
  private readonly cpu: Cpu;

  constructor(cpu: Cpu) {
    this.cpu = cpu;
  }

  read(_table: number, slot: number): boolean {
    const { cpu } = this;
    this.slot = slot;
    let pa = slot;
    if (cpu.vm) {
      // The walk may write into the entry.
      const reached = stage2(cpu.guestStage2, slot, STORE);
      if (typeof reached !== 'number') {
        this.unreachable = reached;
        return false;
      }
      pa = reached;
    }
    this.pa = pa;
    const linear = cpu.linearOf(pa);
    this.at = linear < 0 ? -1 : linear >>> 2;
    this.lo = linear < 0 ? 0 : cpu.mem.i32[this.at]!;
    this.hi = linear < 0 ? 0 : cpu.mem.i32[this.at + 1]!;
    return true;
  }
}

const readers = new WeakMap<Cpu, MachineTables>();

/** The reader of a CPU, made when its first walk begins. */
export function tablesOf(cpu: Cpu): MachineTables {
  let tables = readers.get(cpu);
  if (!tables) {
    tables = new MachineTables(cpu);
    readers.set(cpu, tables);
  }
  return tables;
}
