/** The floating-point unit of a CPU: FCSR, flags, enabled traps (Vol. 1, section 3.1.4). */
import type { Cpu } from '../cpu/cpu.ts';
import { deliver } from '../cpu/exceptions.ts';
import { After, type AfterValue } from '../cpu/helpers.ts';
import { STATE, VECTOR_PENDING } from '../memory/layout.ts';
import { type Native, nativeOperation } from '../softfloat/native.ts';
import { isQuietCode, operate } from '../softfloat/operations.ts';
import { FLAG, ROUND, type RoundMode, type Status } from '../softfloat/softfloat.ts';

/** FCSR0: Enables 4:0, RM 9:8, Flags 20:16, Cause 28:24; fcsr1–3 show parts of it. */
const VIEWS = [0x1f1f031f, 0x1f, 0x1f1f0000, 0x300] as const;
const RM_SHIFT = 8;
const FLAGS_SHIFT = 16;
const CAUSE_SHIFT = 24;

export class Fpu {
  private readonly cpu: Cpu;
  private readonly word: () => number;
  private readonly status: Status = { rm: 0, flags: 0, underflowTraps: false };
  /** Adds the flags of a vector operation. Its operands are at STATE.fpA and behind. */
  settleVector: (code: number, status: Status) => void = () => {};

  /** `word` reads the instruction that runs, for BADI. */
  constructor(cpu: Cpu, word: () => number) {
    this.cpu = cpu;
    this.word = word;
  }

  /** Operands in argA, argB and va; the result goes to the value slot unless an enabled exception traps. */
  operate(code: number): AfterValue {
    const quiet = isQuietCode(code);
    const status = this.begin(quiet);
    const native = status.rm === ROUND.nearestEven ? nativeOperation(code) : undefined;
    if (!native || !this.natively(native, STATE.argA, STATE.argB)) this.exactly(code);
    return quiet ? After.next : this.finish();
  }

  /**
   * The status of an operation: rounding mode of FCSR, no flags yet.
   * @param quiet the operation does not write FCSR, so the Cause of the operation before stays
   */
  begin(quiet: boolean): Status {
    const { status } = this;
    // Other operations replace Cause: the pending one is not needed any more.
    if (!quiet) this.cpu.setStateI32('fpPending', 0);
    const fcsr = this.cpu.stateI32('fcsr');
    status.rm = ((fcsr >> RM_SHIFT) & 3) as RoundMode;
    status.underflowTraps = (fcsr & FLAG.underflow) !== 0;
    status.flags = 0;
    return status;
  }

  /** Adds the flags of the operation to FCSR. @returns `next`, or another value when an enabled flag has trapped */
  finish(): AfterValue {
    const { cpu, status } = this;
    const fcsr = cpu.stateI32('fcsr');
    const withCause = (fcsr & ~(0x1f << CAUSE_SHIFT)) | (status.flags << CAUSE_SHIFT);
    if (status.flags & fcsr & 0x1f) {
      // Trap: Cause has the reason; Flags and the destination stay unchanged.
      cpu.setStateI32('fcsr', withCause);
      return deliver(cpu, 'FPE', { badi: this.word() });
    }
    cpu.setStateI32('fcsr', withCause | (status.flags << FLAGS_SHIFT));
    return After.next;
  }

  private exactly(code: number): void {
    const { cpu } = this;
    const { u64 } = cpu.mem;
    const at = (field: 'argA' | 'argB' | 'va'): bigint => u64[(cpu.base + STATE[field]) >> 3]!;
    u64[(cpu.base + STATE.value) >> 3] = operate(code, this.status, at('argA'), at('argB'), at('va'));
  }

  /**
   * Brings FCSR up to date. Generated code computes common cases without their rounding error, and leaves the last
   * operation in STATE.fpPending. Then only the Cause of that operation is missing.
   */
  settle(): void {
    const { cpu } = this;
    const pending = cpu.stateI32('fpPending');
    if (pending === 0) return;
    const status = this.begin(false);
    if (pending >= VECTOR_PENDING) this.settleVector(pending - VECTOR_PENDING, status);
    else {
      const native = status.rm === ROUND.nearestEven ? nativeOperation(pending - 1) : undefined;
      if (!native || !this.natively(native, STATE.fpA, STATE.fpB)) {
        const { u64 } = cpu.mem;
        const at = (field: 'fpA' | 'fpB' | 'fpC'): bigint => u64[(cpu.base + STATE[field]) >> 3]!;
        operate(pending - 1, status, at('fpA'), at('fpB'), at('fpC'));
      }
    }
    cpu.setStateI32('fcsr', (cpu.stateI32('fcsr') & ~(0x1f << CAUSE_SHIFT)) | (status.flags << CAUSE_SHIFT));
  }

  /**
   * Computes into the value slot what is at two places in the state page. False when the operands or the result are not a case of native.ts.
   */
  private natively({ from, to, compute }: Native, first: number, second: number): boolean {
    const { base, mem } = this.cpu;
    const a = base + first;
    const b = base + second;
    let result: number;
    if (from === 'd') result = compute(this.status, mem.f64[a >> 3]!, mem.f64[b >> 3]!);
    else if (from === 's') result = compute(this.status, mem.f32[a >> 2]!, mem.f32[b >> 2]!);
    else result = compute(this.status, mem.i32[a >> 2]!, 0);
    if (Number.isNaN(result)) return false;
    const value = base + STATE.value;
    if (to === 'd') mem.f64[value >> 3] = result;
    else if (to === 's') {
      mem.f32[value >> 2] = result;
      mem.i32[(value >> 2) + 1] = -1;
    } else {
      mem.i32[value >> 2] = result;
      mem.i32[(value >> 2) + 1] = to === 'x' && result < 0 ? -1 : 0;
    }
    return true;
  }

  readFcsr(n: number): AfterValue {
    this.settle();
    this.cpu.setState64('value', this.cpu.stateI32('fcsr') & (VIEWS[n] ?? 0), 0);
    return After.next;
  }

  writeFcsr(n: number, value: number): AfterValue {
    this.settle();
    const mask = VIEWS[n] ?? 0;
    this.cpu.setStateI32('fcsr', (this.cpu.stateI32('fcsr') & ~mask) | (value & mask));
    return After.next;
  }
}
