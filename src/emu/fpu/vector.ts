/**
 * Floating point of LSX and LASX: the operations of the scalar unit on every element, the flags of all of them together
 * (Vol. 2, floating-point vector instructions). Nothing is written when an enabled exception traps.
 */
import type { Cpu } from '../cpu/cpu.ts';
import { After, type AfterValue } from '../cpu/helpers.ts';
import { STATE } from '../memory/layout.ts';
import type { Native } from '../softfloat/native.ts';
import { isQuiet } from '../softfloat/operations.ts';
import { ROUND, type Status } from '../softfloat/softfloat.ts';
import { type VectorEntry, vectorEntry } from '../softfloat/vector-operations.ts';
import type { Fpu } from './fpu.ts';

const LOG = { 2: 1, 4: 2, 8: 3 } as const;

export class VectorFpu {
  private readonly cpu: Cpu;
  private readonly fpu: Fpu;
  private readonly word: () => number;
  private readonly result = new DataView(new ArrayBuffer(32));

  /** `word` reads the instruction that runs: its register fields say where the operands are. */
  constructor(cpu: Cpu, fpu: Fpu, word: () => number) {
    this.cpu = cpu;
    this.fpu = fpu;
    this.word = word;
    fpu.settleVector = (code, status) => {
      const at = (field: 'fpA' | 'fpB' | 'fpC'): number => cpu.base + STATE[field];
      for (let half = 0; half <= (code & 1); half++)
        this.half(vectorEntry(code), status, 16 * half, at('fpA'), at('fpB'), at('fpC'));
    };
  }

  operate(code: number): AfterValue {
    const { cpu, result } = this;
    const entry = vectorEntry(code);
    const halves = (code & 1) + 1;
    const word = this.word();
    const register = (lo: number): number => cpu.base + STATE.fpr + ((word >>> lo) & 31) * 32;
    const quiet = isQuiet(entry.name);
    const status = this.fpu.begin(quiet);
    for (let half = 0; half < halves; half++)
      this.half(entry, status, 16 * half, register(5), register(10), register(15));
    const after = quiet ? After.next : this.fpu.finish();
    if (after === After.next) cpu.mem.u8.set(new Uint8Array(result.buffer, 0, 16 * halves), register(0));
    return after;
  }

  /** The elements of one 128-bit half, at byte `at` of every register. */
  private half(entry: VectorEntry, status: Status, at: number, vj: number, vk: number, va: number): void {
    const { shape, from, to } = entry;
    const count = 16 / (shape === 'each' ? to : Math.max(from, to));
    for (let i = 0; i < count; i++) {
      const place = at + i * from + (shape === 'high' ? 8 : 0);
      if (shape === 'narrow') {
        this.element(entry, status, vk + place, 0, 0, at + i * to);
        this.element(entry, status, vj + place, 0, 0, at + 8 + i * to);
      } else this.element(entry, status, vj + place, vk + place, va + place, at + i * to);
    }
  }

  /** One element: operands at linear addresses (0: none), the result to byte `to` of the result. */
  private element(entry: VectorEntry, status: Status, a: number, b: number, c: number, to: number): void {
    const { cpu, result } = this;
    if (entry.native && status.rm === ROUND.nearestEven) {
      const r = this.natively(entry.native, status, a, b);
      if (!Number.isNaN(r)) {
        if (entry.mask) this.put(entry.to, to, r ? -1n : 0n);
        else if (entry.native.to === 'd') result.setFloat64(to, r, true);
        else if (entry.native.to === 's') result.setFloat32(to, r, true);
        else this.put(entry.to, to, BigInt(r));
        return;
      }
    }
    const raw = (place: number): bigint =>
      entry.from === 8
        ? cpu.mem.u64[place >> 3]!
        : BigInt(entry.from === 4 ? cpu.mem.u32[place >> 2]! : cpu.mem.u16[place >> 1]!);
    const r = entry.compute(status, raw(a), raw(b), raw(c));
    this.put(entry.to, to, entry.mask && r ? -1n : r);
  }

  private natively(native: Native, status: Status, a: number, b: number): number {
    const { mem } = this.cpu;
    if (native.from === 'd') return native.compute(status, mem.f64[a >> LOG[8]]!, mem.f64[b >> LOG[8]]!);
    if (native.from === 's') return native.compute(status, mem.f32[a >> LOG[4]]!, mem.f32[b >> LOG[4]]!);
    return native.compute(status, mem.i32[a >> LOG[4]]!, 0);
  }

  private put(width: 2 | 4 | 8, to: number, value: bigint): void {
    const { result } = this;
    if (width === 8) result.setBigInt64(to, BigInt.asIntN(64, value), true);
    else if (width === 4) result.setInt32(to, Number(BigInt.asIntN(32, value)), true);
    else result.setInt16(to, Number(BigInt.asIntN(16, value)), true);
  }
}
