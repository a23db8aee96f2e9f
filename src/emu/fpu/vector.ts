/**
 * Floating point of LSX and LASX: the operations of the scalar unit on every element, the flags of all of them together
 * (Vol. 2, floating-point vector instructions). Nothing is written when an enabled exception traps.
 */
import type { Cpu } from '../cpu/cpu.ts';
import { STATE } from '../cpu/layout.ts';
import { After, type AfterValue } from '../isa/helpers.ts';
import type { Fpu } from './fpu.ts';
import { type Native, nativeOperation } from './native.ts';
import { elementOperation, type FpOperation, isQuiet, operationCode } from './operations.ts';
import { ROUND, type Status } from './softfloat.ts';

/** Which elements of the operands give which element of a 128-bit result. */
export type Shape =
  /** The same place in every operand. */
  | 'each'
  /** From the low or the high half of vj, to twice the width. */
  | 'low'
  | 'high'
  /** To half the width: low half of the result from vk, high half from vj. */
  | 'narrow';

/** A vector operation, as the instruction table describes it. */
export interface VectorOperation {
  readonly name: FpOperation;
  /** The format that the operation works in. */
  readonly double: boolean;
  readonly shape: Shape;
  /** Element widths in bytes, of the operands and of the result. */
  readonly from: 2 | 4 | 8;
  readonly to: 2 | 4 | 8;
}

interface Entry extends VectorOperation {
  readonly compute: (s: Status, a: bigint, b: bigint, c: bigint) => bigint;
  readonly native: Native | undefined;
  /** A comparison: all bits of the element are set or clear. */
  readonly mask: boolean;
}

const ENTRIES: Entry[] = [];

/** The code of an operation on `halves` × 128 bits, for the helper call. */
export function vectorCode(v: VectorOperation, halves: 1 | 2): number {
  let index = ENTRIES.findIndex(
    (e) => e.name === v.name && e.double === v.double && e.shape === v.shape && e.from === v.from && e.to === v.to,
  );
  if (index < 0)
    index =
      ENTRIES.push({
        ...v,
        compute: elementOperation(v.name, v.double),
        native: nativeOperation(operationCode(v.name, v.double)),
        mask: v.name.startsWith('fcmp'),
      }) - 1;
  return index * 2 + halves - 1;
}

/** The operation of a code, and how many 128-bit halves it works on. */
export function vectorOperation(code: number): { readonly operation: VectorOperation; readonly halves: number } {
  return { operation: ENTRIES[code >> 1]!, halves: (code & 1) + 1 };
}

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
        this.half(ENTRIES[code >> 1]!, status, 16 * half, at('fpA'), at('fpB'), at('fpC'));
    };
  }

  operate(code: number): AfterValue {
    const { cpu, result } = this;
    const entry = ENTRIES[code >> 1]!;
    const halves = (code & 1) + 1;
    const word = this.word();
    const register = (lo: number): number => cpu.base + STATE.fpr + ((word >>> lo) & 31) * 32;
    const status = this.fpu.begin();
    for (let half = 0; half < halves; half++)
      this.half(entry, status, 16 * half, register(5), register(10), register(15));
    const after = isQuiet(entry.name) ? After.next : this.fpu.finish();
    if (after === After.next) cpu.mem.u8.set(new Uint8Array(result.buffer, 0, 16 * halves), register(0));
    return after;
  }

  /** The elements of one 128-bit half, at byte `at` of every register. */
  private half(entry: Entry, status: Status, at: number, vj: number, vk: number, va: number): void {
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
  private element(entry: Entry, status: Status, a: number, b: number, c: number, to: number): void {
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
