/** The registers that decide how a program goes on, at one moment, to see whether they come back. */
import type { Cpu } from '../cpu/cpu.ts';
import { EUEN } from '../cpu/csr-fields.ts';
import { CSR } from '../cpu/csr-table.ts';
import { CSR_LIMIT, STATE } from '../memory/layout.ts';

/** In words of 4 bytes. */
const GPR = { offset: STATE.gpr, words: 64 } as const;
/** Vectors, FCSR, condition flags, and what LBT has. */
const UNITS = { offset: STATE.fpr, words: (STATE.fpPending - STATE.fpr) / 4 } as const;
const CSRS = { words: 2 * CSR_LIMIT } as const;

/** What goes on by itself, and what an interrupt in between leaves behind. */
const VOLATILE: readonly number[] = [CSR.TVAL, CSR.PRMD, CSR.ERA, CSR.BADV, CSR.BADI, CSR.ESTAT, CSR.TICLR];
const IS_VOLATILE = Uint8Array.from({ length: CSRS.words }, (_, n) => (VOLATILE.includes(n >> 1) ? 1 : 0));

export class RegisterState {
  private readonly cpu: Cpu;
  private readonly world: number;
  private readonly gpr: Int32Array;
  private readonly units: Int32Array;
  private readonly csrs: Int32Array;

  /** Keeps the registers of the world that a CPU runs. */
  constructor(cpu: Cpu) {
    this.cpu = cpu;
    this.world = cpu.world;
    this.gpr = this.live(GPR.offset, GPR.words).slice();
    this.units = this.live(UNITS.offset, UNITS.words).slice();
    this.csrs = this.live(this.bank, CSRS.words).slice();
  }

  /** Have the same registers of the same world the same values? What an interrupt changes is left out. */
  get isBack(): boolean {
    if (this.cpu.world !== this.world) return false;
    return (
      same(this.gpr, this.live(GPR.offset, GPR.words)) &&
      same(this.units, this.live(UNITS.offset, UNITS.words)) &&
      same(this.csrs, this.live(this.bank, CSRS.words), IS_VOLATILE)
    );
  }

  private get bank(): number {
    return this.world < 0 ? STATE.hostCsr : STATE.guestCsr;
  }

  private live(offset: number, words: number): Int32Array {
    const { mem, base } = this.cpu;
    return mem.i32.subarray((base + offset) >> 2, ((base + offset) >> 2) + words);
  }
}

/** A hash of PC and of the registers that programs compute with, of what a CPU runs: 32 bits. */
export function registerHash(cpu: Cpu): number {
  const { i32 } = cpu.mem;
  let hash = mixed(mixed(cpu.world, cpu.pcLo), cpu.pcHi);
  for (const { offset, words } of cpu.csr.lo(CSR.EUEN) & EUEN.FPE ? [GPR, UNITS] : [GPR]) {
    const first = (cpu.base + offset) >> 2;
    for (let n = first; n < first + words; n++) hash = mixed(hash, i32[n]!);
  }
  return hash;
}

/** One step of a hash of 32-bit words. */
export function mixed(hash: number, word: number): number {
  const h = Math.imul(hash ^ word, 0x9e3779b1);
  return h ^ (h >>> 15);
}

function same(a: Int32Array, b: Int32Array, leftOut?: Uint8Array): boolean {
  for (let n = 0; n < a.length; n++) if (a[n] !== b[n] && !leftOut?.[n]) return false;
  return true;
}
