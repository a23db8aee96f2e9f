/** The registers of a CPU. They are in linear memory (memory/layout.ts), where generated code uses them too. */
import { cpuBase, STATE } from '../memory/layout.ts';
import type { LinearMemory } from '../memory/linear-memory.ts';

export class CpuState {
  readonly index: number;
  readonly mem: LinearMemory;
  readonly base: number;
  /** The places of PC and of the rest of the budget, as indices of 32-bit words of linear memory. */
  private readonly pcIndex: number;
  private readonly leftIndex: number;

  constructor(index: number, mem: LinearMemory) {
    this.index = index;
    this.mem = mem;
    this.base = cpuBase(index);
    this.pcIndex = (this.base + STATE.pc) >> 2;
    this.leftIndex = (this.base + STATE.left) >> 2;
  }

  /** The rest of the instructions that generated code may execute. It is exact inside helpers. */
  get budgetLeft(): number {
    return this.mem.i32[this.leftIndex]!;
  }

  /** Low and high half of PC. Exceptions and CSR writes are so frequent that a look-up by name would cost time. */
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

  /** The high half of a 64-bit state field. */
  stateHi(field: keyof typeof STATE): number {
    return this.mem.i32[((this.base + STATE[field]) >> 2) + 1]!;
  }

  setState64(field: keyof typeof STATE, lo: number, hi: number): void {
    const i = (this.base + STATE[field]) >> 2;
    this.mem.i32[i] = lo;
    this.mem.i32[i + 1] = hi;
  }

  /** PC as an unsigned 64-bit value, for debuggers and reports. */
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
}
