/**
 * WebAssembly for the values of the recorded definitions: the part that every back end shares. Where registers, operands
 * and the CPU's state are to be found is the business of the back end.
 */

import type { OperandName } from '../isa/operands.ts';
import { ACCESS, type Access, type Half, type Node, type Stmt, type VectorOperand } from '../isa/semantics.ts';
import type { StateField } from '../memory/layout.ts';
import { STATE } from '../memory/layout.ts';
import type { Local } from '../wasm/emitter.ts';
import { Atomic, Op, Relaxed, Simd } from '../wasm/opcodes.ts';
import { HOST_HAS_FMA } from './fma.ts';
import { fusedFails, negated, type vectorForm } from './inline-vector-float.ts';
import { type OperandNode, Values } from './values.ts';

// biome-ignore format: opcode table
export const LOAD: Record<Access, number> = {
  b: Op.i64Load8S, bu: Op.i64Load8U, h: Op.i64Load16S, hu: Op.i64Load16U, w: Op.i64Load32S, wu: Op.i64Load32U, d: Op.i64Load,
};
/** Stores by size in bytes. */
export const STORE: Record<number, number> = { 1: Op.i64Store8, 2: Op.i64Store16, 4: Op.i64Store32, 8: Op.i64Store };
/** Compare-and-exchange by size in bytes: opcode and binary logarithm of the size. */
const COMPARE_EXCHANGE: Record<number, readonly [opcode: number, log: number]> = {
  1: [Atomic.i64CompareExchange8, 0],
  2: [Atomic.i64CompareExchange16, 1],
  4: [Atomic.i64CompareExchange32, 2],
  8: [Atomic.i64CompareExchange, 3],
};
export const storeOf = (access: Access): number => STORE[ACCESS[access].size]!;

/** Where the operands of a pending floating-point operation are kept. */
export const PENDING_FIELDS = ['fpA', 'fpB', 'fpC'] as const;

export abstract class Definitions extends Values {
  /** Do other threads use the same memory? */
  private readonly shared: boolean;

  constructor(base: number, shared: boolean) {
    super(base);
    this.shared = shared;
  }

  protected abstract gpr(which: 'rd' | 'rj' | 'rk'): void;
  protected abstract fpr(which: 'fd' | 'fj' | 'fk' | 'fa'): void;
  protected abstract fcc(which: 'cj' | 'ca'): void;
  protected abstract scr(): void;
  protected abstract immediate(operand: OperandName): void;
  protected abstract pc(): void;
  protected abstract vector(which: VectorOperand, half: Half): void;
  /** Pushes the address of a vector register to which `base` and STATE.fpr are added. */
  protected abstract vectorAddress(which: VectorOperand): void;

  /** Pushes a field of the state page. */
  protected loadState(opcode: number, field: StateField): void {
    this.state();
    this.e.mem(opcode, this.base + STATE[field]);
  }

  /** Pushes operand 0, 1 or 2 of a floating-point call: its arguments, then fa. */
  protected floatOperand(s: Extract<Stmt, { s: 'call' }>, n: 0 | 1 | 2): void {
    const arg = s.args[n];
    if (arg) this.node(arg);
    else this.fpr('fa');
  }

  /**
   * Emits a vector floating-point operation in its native form: operands to locals, results, checks, and only then, after
   * `commit` has been told of the operands, the writes.
   * @param failIf takes the exact way when the i32 on the stack is not 0
   * @param fused calls fmaVector or fmaVectorSingle
   */
  protected nativeVector(
    native: NonNullable<ReturnType<typeof vectorForm>>,
    failIf: () => void,
    fused: (single: boolean) => void,
    setVd: (half: Half, value: Local<'v128'>) => void,
  ): void {
    const { e } = this;
    const count = 'form' in native ? native.form.operands : 3;
    const results: Local<'v128'>[] = [];
    const operands: Local<'v128'>[][] = [];
    for (let half = 0; half < native.halves; half++) {
      const locals = (['vj', 'vk', 'va'] as const).slice(0, count).map((which) => {
        const local = this.locals.take('v128');
        this.vector(which, half as Half);
        e.set(local);
        return local;
      });
      const nodes = locals.map((local): Node => ({ k: 'register', ...local }));
      const result = this.locals.take('v128');
      const resultNode: Node = { k: 'register', ...result };
      if ('form' in native) {
        this.node(native.form.result(nodes));
        e.set(result);
        this.node(native.form.fails(nodes, resultNode));
      } else {
        const { single, negateC, negate } = native.fused;
        this.node(nodes[0]!);
        this.node(nodes[1]!);
        this.node(negateC ? negated(single, nodes[2]!) : nodes[2]!);
        if (HOST_HAS_FMA) e.any(single ? Relaxed.f32x4Madd : Relaxed.f64x2Madd);
        else fused(single);
        e.set(result);
        if (negate) {
          this.node(negated(single, resultNode));
          e.set(result);
        }
        this.node(fusedFails(single, nodes, resultNode));
      }
      failIf();
      operands.push(locals);
      results.push(result);
    }
    operands.forEach((locals, half) => {
      locals.forEach((local, n) => {
        this.state();
        e.get(local).mem(Simd.v128Store, this.base + STATE[PENDING_FIELDS[n]!] + 16 * half);
      });
    });
    results.forEach((local, half) => {
      setVd(half as Half, local);
    });
  }

  /** Emits a statement that CPUs must agree about: plain accesses do where one thread runs them all. */
  protected atomic(s: Extract<Stmt, { s: 'update' | 'compareExchange' | 'fence' }>): void {
    const { e } = this;
    if (s.s === 'fence') {
      if (this.shared) e.any(Atomic.fence, [0]);
      return;
    }
    const old = this.local(s.id, 'i64');
    const read = (): void => {
      this.node(s.host);
      e.mem(LOAD[s.access], 0).set(old);
    };
    if (s.s === 'update') {
      if (!this.shared) {
        read();
        this.node(s.host);
        this.node(s.value);
        e.mem(storeOf(s.access), 0);
        return;
      }
      const again = e.loop();
      read();
      this.exchange(s.access, s.host, { k: 'local', ty: 'i64', id: s.id }, s.value);
      this.asWideAs(s.access);
      e.get(old);
      this.asWideAs(s.access);
      e.op(Op.i64Ne).brIf(again).end(again);
      return;
    }
    if (this.shared) {
      this.exchange(s.access, s.host, s.expected, s.value);
      const { size } = ACCESS[s.access];
      if (size < 8)
        e.i64(BigInt(64 - 8 * size))
          .op(Op.i64Shl)
          .i64(BigInt(64 - 8 * size))
          .op(Op.i64ShrS);
      e.set(old);
      return;
    }
    read();
    e.get(old);
    this.node(s.expected);
    e.op(Op.i64Eq);
    const same = e.if();
    this.node(s.host);
    this.node(s.value);
    e.mem(storeOf(s.access), 0).end(same);
  }

  /** Pushes the old value, zero-extended. */
  private exchange(access: Access, host: Node, expected: Node, value: Node): void {
    const [opcode, log] = COMPARE_EXCHANGE[ACCESS[access].size]!;
    this.node(host);
    this.node(expected);
    this.asWideAs(access);
    this.node(value);
    this.e.atomic(opcode, log);
  }

  /** Clears the bits of the i64 on the stack that an access does not have. */
  private asWideAs(access: Access): void {
    const { size } = ACCESS[access];
    if (size < 8) this.e.i64(2n ** BigInt(8 * size) - 1n).op(Op.i64And);
  }

  protected own(n: OperandNode): void {
    switch (n.k) {
      case 'gpr':
        this.gpr(n.which);
        return;
      case 'fpr':
        this.fpr(n.which);
        return;
      case 'fcc':
        this.fcc(n.which);
        return;
      case 'scr':
        this.scr();
        return;
      case 'imm':
        this.immediate(n.operand);
        return;
      case 'pc':
        this.pc();
        return;
      case 'state':
        this.loadState(n.ty === 'i64' ? Op.i64Load : Op.i32Load, n.field);
        return;
      case 'vr':
        this.vector(n.which, n.half);
        return;
      case 'element':
        this.vectorAddress(n.which);
        this.node(n.offset);
        this.e.op(Op.i32Add).mem(LOAD[n.access], this.base + STATE.fpr);
        return;
    }
  }
}
