/** Memory accesses and operands of the interpreter's handlers. */

import type { Callee, HelperName } from '../cpu/helpers.ts';
import type { OperandName } from '../isa/operands.ts';
import { ACCESS, type Half, type Node, type Stmt, type VectorOperand } from '../isa/semantics.ts';
import { STATE, TLB_ENTRIES } from '../memory/layout.ts';
import { type Label, Locals } from '../wasm/emitter.ts';
import { Op, Simd } from '../wasm/opcodes.ts';
import { Definitions, LOAD, STORE } from './definitions.ts';
import { accessCode, HOST_WRITE, helperIndex } from './helper-codes.ts';
import { ENTRY, FIRST_FREE, P, PC_OFF, R, READ_TLB, VA, WRITE_TLB } from './interpreter-locals.ts';
import { FPR_PLACE, GPR_PLACE, immediatePlace, VR_PLACE } from './uop.ts';

/** Loads of immediates by their size in the micro-op. */
const IMMEDIATE = { 1: Op.i64Load8U, 2: Op.i64Load16S, 4: Op.i64Load32S } as const;
/** Emits into a function whose fixed locals are those of interpreter-locals.ts. */
export abstract class HandlerMemory extends Definitions {
  protected readonly locals = new Locals(FIRST_FREE);
  /** Ends the function, with R telling how far the instruction got. */
  protected exit!: Label;

  /** The instruction at P is done. */
  protected abstract advance(): void;
  /** Goes to the address in TARGET; `done` tells whether the instruction at P counts as executed. */
  protected abstract goFar(done: boolean): void;
  /** Takes the branch at P, whose target is in the same page. */
  protected abstract near(): void;
  /** Makes PC and budget visible to helpers. */
  protected abstract sync(): void;
  /** Function index of {@link emitMarkedPage}'s function, in the module that has it. */
  protected abstract readonly markedPage: number | undefined;
  /** Emits a call that may make a helper call unnecessary, and leaves its answer; false when there is none. */
  protected abstract routine(name: Callee, code: number): boolean;

  /** The first of a pair is being emitted: the second follows it. */
  protected goesOn = false;

  /** Pushes the address of the instruction at P. */
  protected pcOf(): void {
    this.e.get(PC_OFF).get(P).i32(1).op(Op.i32ShrU, Op.i64ExtendI32U).op(Op.i64Add);
  }

  /** Puts the address of the software TLB entry for VA into ENTRY and pushes its tag. */
  private tlbEntry(write: boolean): void {
    const { e } = this;
    e.get(VA).i64(12n).op(Op.i64ShrU, Op.i32WrapI64);
    e.i32(TLB_ENTRIES - 1)
      .op(Op.i32And)
      .i32(4)
      .op(Op.i32Shl);
    e.get(write ? WRITE_TLB : READ_TLB)
      .op(Op.i32Add)
      .tee(ENTRY);
    e.mem(Op.i64Load, 0);
  }

  /**
   * Opens an `if` that holds when the access of `size` bytes at VA lies in a page that the software TLB knows; inside,
   * `place` pushes where it is in linear memory. The last byte's page is compared, so a crossing access never matches.
   */
  private ifMapped(write: boolean, size: number): Label {
    const { e } = this;
    this.tlbEntry(write);
    e.get(VA);
    if (size > 1) e.i64(BigInt(size - 1)).op(Op.i64Add);
    e.i64(~0xfffn).op(Op.i64And, Op.i64Eq);
    return e.if();
  }

  /** Opens an `if` that holds when the access is beside what its page is marked for; its place is in ENTRY then. */
  private ifBesideMarked(write: boolean, size: number): Label | undefined {
    const { e } = this;
    if (this.markedPage === undefined) return undefined;
    e.get(VA)
      .i32(size | (write ? HOST_WRITE : 0))
      .call(this.markedPage)
      .tee(ENTRY);
    return e.if();
  }

  private place(): void {
    this.e.get(VA).op(Op.i32WrapI64).get(ENTRY).mem(Op.i32Load, 8).op(Op.i32Add);
  }

  protected load(s: Extract<Stmt, { s: 'load' }>): void {
    const { e } = this;
    this.node(s.address);
    e.set(VA);
    const hit = this.ifMapped(false, ACCESS[s.access].size);
    this.place();
    e.mem(LOAD[s.access], 0).set(this.local(s.id, 'i64'));
    e.else();
    const beside = this.ifBesideMarked(false, ACCESS[s.access].size);
    if (beside) {
      e.get(ENTRY).mem(LOAD[s.access], 0).set(this.local(s.id, 'i64'));
      e.else();
    }
    this.slow('loadSlow', accessCode(s.access));
    e.i32(0)
      .mem(Op.i64Load, this.base + STATE.value)
      .set(this.local(s.id, 'i64'));
    if (beside) e.end(beside);
    e.end(hit);
  }

  protected store(s: Extract<Stmt, { s: 'store' }>): void {
    const { e } = this;
    const { size } = ACCESS[s.access];
    this.node(s.address);
    e.set(VA);
    const hit = this.ifMapped(true, size);
    this.place();
    this.node(s.value);
    e.mem(STORE[size]!, 0);
    e.else();
    const beside = this.ifBesideMarked(true, size);
    if (beside) {
      e.get(ENTRY);
      this.node(s.value);
      e.mem(STORE[size]!, 0);
      e.else();
    }
    e.i32(0);
    this.node(s.value);
    e.mem(Op.i64Store, this.base + STATE.value);
    this.slow('storeSlow', accessCode(s.access));
    // It may have been a store to the second instruction of a pair.
    if (this.goesOn) this.advance();
    if (beside) e.end(beside);
    e.end(hit);
  }

  protected loadVector(s: Extract<Stmt, { s: 'loadVector' }>): void {
    const { e } = this;
    const size = 16 * s.ids.length;
    this.node(s.address);
    e.set(VA);
    const hit = this.ifMapped(false, size);
    s.ids.forEach((id, half) => {
      this.place();
      e.mem(Simd.v128Load, 16 * half).set(this.local(id, 'v128'));
    });
    e.else();
    this.slow('loadVectorSlow', size);
    s.ids.forEach((id, half) => {
      e.i32(0)
        .mem(Simd.v128Load, this.base + STATE.value + 16 * half)
        .set(this.local(id, 'v128'));
    });
    e.end(hit);
  }

  protected storeVector(s: Extract<Stmt, { s: 'storeVector' }>): void {
    const { e } = this;
    const size = 16 * s.values.length;
    this.node(s.address);
    e.set(VA);
    const hit = this.ifMapped(true, size);
    s.values.forEach((value, half) => {
      this.place();
      this.node(value);
      e.mem(Simd.v128Store, 16 * half);
    });
    e.else();
    s.values.forEach((value, half) => {
      e.i32(0);
      this.node(value);
      e.mem(Simd.v128Store, this.base + STATE.value + 16 * half);
    });
    this.slow('storeVectorSlow', size);
    e.end(hit);
  }

  protected host(s: Extract<Stmt, { s: 'host' }>): void {
    const { e } = this;
    this.node(s.address);
    e.set(VA);
    this.tlbEntry(s.write);
    // The low bits stay in: a misaligned address never matches, and the slow path raises ALE.
    e.get(VA)
      .i64(~0xfffn | BigInt(s.size - 1))
      .op(Op.i64And)
      .op(Op.i64Eq);
    const hit = e.if();
    e.get(VA).op(Op.i32WrapI64).get(ENTRY).mem(Op.i32Load, 8).op(Op.i32Add).set(this.local(s.id, 'i32'));
    e.else();
    this.slow('hostSlow', s.size | (s.write ? HOST_WRITE : 0));
    e.i32(0)
      .mem(Op.i32Load, this.base + STATE.value)
      .set(this.local(s.id, 'i32'));
    e.end(hit);
  }

  /** The access at VA goes through TypeScript; anything but `next` leaves. */
  private slow(helper: HelperName, code: number): void {
    const { e } = this;
    this.sync();
    e.i32(0)
      .get(VA)
      .mem(Op.i64Store, this.base + STATE.va);
    e.i32(code).call(helperIndex(helper)).tee(R);
    const leave = e.if();
    e.br(this.exit);
    e.end(leave);
  }

  /** Pushes register number × 8 of an operand. */
  protected gprAddress(which: 'rd' | 'rj' | 'rk'): void {
    this.e.get(P).mem(Op.i32Load8U, GPR_PLACE[which]);
  }

  /** Pushes register number × 8 of a scratch register. */
  protected scrAddress(which: 'scrd' | 'scrj'): void {
    this.e.get(P).mem(Op.i32Load8U, immediatePlace(which).offset).i32(3).op(Op.i32Shl);
  }

  /** Pushes register number × 32 of a floating-point operand: registers are as wide as LASX. */
  protected fprAddress(which: keyof typeof FPR_PLACE): void {
    this.e.get(P).mem(Op.i32Load8U, FPR_PLACE[which]).i32(2).op(Op.i32Shl);
  }

  /** Pushes register number × 32 of a vector operand. */
  protected vectorAddress(which: keyof typeof VR_PLACE): void {
    this.e.get(P).mem(Op.i32Load8U, VR_PLACE[which]).i32(2).op(Op.i32Shl);
  }

  /** Writes a register whose field may name r0, which stays 0. */
  protected setUnlessZero(which: 'rd' | 'rj', value: Node): void {
    const { e } = this;
    this.gprAddress(which);
    const some = e.if();
    this.gprAddress(which);
    this.node(value);
    e.mem(Op.i64Store, this.base + STATE.gpr);
    e.end(some);
  }

  protected state(): void {
    this.e.i32(0);
  }

  protected gpr(which: 'rd' | 'rj' | 'rk'): void {
    this.gprAddress(which);
    this.e.mem(Op.i64Load, this.base + STATE.gpr);
  }

  protected fpr(which: 'fd' | 'fj' | 'fk' | 'fa'): void {
    this.fprAddress(which);
    this.e.mem(Op.i64Load, this.base + STATE.fpr);
  }

  protected fcc(which: 'cj' | 'ca'): void {
    this.e.get(P).mem(Op.i32Load8U, immediatePlace(which).offset);
    this.e.mem(Op.i64Load8U, this.base + STATE.fcc);
  }

  protected scr(): void {
    this.scrAddress('scrj');
    this.e.mem(Op.i64Load, this.base + STATE.scr);
  }

  protected immediate(operand: OperandName): void {
    const place = immediatePlace(operand);
    this.e.get(P).mem(IMMEDIATE[place.bytes], place.offset);
  }

  protected pc(): void {
    this.pcOf();
  }

  protected vector(which: VectorOperand, half: Half): void {
    this.vectorAddress(which);
    this.e.mem(Simd.v128Load, this.base + STATE.fpr + 16 * half);
  }
}
