/** How the interpreter's handlers find operands in their micro-op, access memory, call helpers, and continue. */
import type { Callee, HelperName } from '../cpu/helpers.ts';
import { ASK_HELPER, HELPERS } from '../cpu/helpers.ts';
import type { OperandName } from '../isa/operands.ts';
import { ACCESS, type Access, type Half, type LinearUse, type VectorOperand } from '../isa/semantics.ts';
import { CSR_LIMIT, STATE, TLB_ENTRIES, VECTOR_PENDING } from '../memory/layout.ts';
import type { Emitter, Label, Local, Locals } from '../wasm/emitter.ts';
import { Op, Simd } from '../wasm/opcodes.ts';
import { LOAD, pushSpan, storeOf } from './access-opcodes.ts';
import { pushState } from './expressions.ts';
import { accessCode, helperIndex, LINEAR_USE, LINEAR_WRITE } from './helper-codes.ts';
import { type Call, type FailIf, PENDING_FIELDS } from './inline-calls.ts';
import { NEEDS_EXACT, pushUse } from './inline-float.ts';
import { AFTER, ENTRY, P, PC_OFF, R, READ_TLB, SOURCE, TARGET, VA, WRITE_TLB } from './interpreter-locals.ts';
import { type Backend, type Push, Statements } from './statements.ts';
import { FPR_PLACE, GPR_PLACE, immediatePlace, type Variant, VR_PLACE } from './uop.ts';

/** Loads of immediates, by their size in the micro-op. */
const IMMEDIATE = { 1: Op.i64Load8U, 2: Op.i64Load16S, 4: Op.i64Load32S } as const;

/** The function that contains the handlers. Its fixed locals are those of interpreter-locals.ts. */
export interface HandlerFrame {
  readonly e: Emitter;
  readonly locals: Locals;
  readonly base: number;
  readonly shared: boolean;
  /** Must all accesses be aligned? */
  readonly aligned: boolean;
  /** Ends the function. R says how far the instruction was executed. */
  readonly exit: Label;
  /** The instruction at P is done. */
  advance(): void;
  /** Continues at the address in TARGET. `done` says whether the instruction at P counts as executed. */
  goFar(done: boolean): void;
  /** Takes the branch at P, whose target is in the same page. */
  near(): void;
  /** Makes PC and budget visible to helpers. */
  sync(): void;
  /** The function index of {@link import('./marked-page.ts').emitMarkedPage}'s function, in the module that has it. */
  readonly markedPage: number | undefined;
  /** Emits a call that may replace a helper call, and leaves its answer. False when there is no such call. */
  routine(name: Callee, code: number): boolean;
  /** The function of the routine that does a helper's ordinary case, if there is one and it can be called here. */
  quick(name: Callee): number | undefined;
  /** The function that raises refills. Only where {@link markedPage} is there. */
  readonly raiseRefill: number;
}

/** Pushes the address of the instruction at P: pcOff + p / 2. */
export function pushPc(e: Emitter): void {
  e.get(PC_OFF).get(P).i32(1).op(Op.i32ShrU, Op.i64ExtendI32U).op(Op.i64Add);
}

export class InterpreterBackend implements Backend {
  readonly e: Emitter;
  readonly locals: Locals;
  readonly base: number;
  readonly shared: boolean;
  readonly firstFma = HELPERS.length;
  readonly wantsTimerId = true;
  readonly code: Statements;
  private readonly frame: HandlerFrame;
  /** The handler that is being emitted. */
  variant!: Variant;
  /** The handler is the first of a pair: the second follows it. */
  goesOn = false;

  constructor(frame: HandlerFrame) {
    this.frame = frame;
    this.e = frame.e;
    this.locals = frame.locals;
    this.base = frame.base;
    this.shared = frame.shared;
    this.code = new Statements(this);
  }

  // Operands.

  state(): void {
    this.e.i32(0);
  }

  /** Pushes the register number × 8 of an operand: uop.register. */
  private gprAddress(which: 'rd' | 'rj' | 'rk'): void {
    this.e.get(P).mem(Op.i32Load8U, GPR_PLACE[which]);
  }

  gpr(which: 'rd' | 'rj' | 'rk'): void {
    // gpr[uop.register]
    this.gprAddress(which);
    this.e.mem(Op.i64Load, this.base + STATE.gpr);
  }

  setGpr(which: 'rd' | 'rj' | 'ra', value: Push): void {
    const { e } = this;
    if (which === 'ra') {
      // gpr[1] = value
      this.state();
      value();
      e.mem(Op.i64Store, this.base + STATE.gpr + 8);
      return;
    }
    // The variant for r0 drops the value.
    if (which === 'rd' && this.variant.rdZero) return;
    if (which === 'rd' && this.variant.home !== 'own') {
      // gpr[uop.rd] = value
      this.gprAddress('rd');
      value();
      e.mem(Op.i64Store, this.base + STATE.gpr);
      return;
    }
    // if (uop.register) gpr[uop.register] = value
    this.gprAddress(which);
    const some = e.if();
    this.gprAddress(which);
    value();
    e.mem(Op.i64Store, this.base + STATE.gpr);
    e.end(some);
  }

  fpr(which: keyof typeof FPR_PLACE): number {
    // fpr + uop.register × 4: the micro-op counts 8 for each register, and each register is as wide as LASX.
    this.e.get(P).mem(Op.i32Load8U, FPR_PLACE[which]).i32(2).op(Op.i32Shl);
    return this.base + STATE.fpr;
  }

  vector(which: VectorOperand, half: Half): number {
    return this.elements(which) + 16 * half;
  }

  elements(which: VectorOperand): number {
    // fpr + uop.register × 4
    this.e.get(P).mem(Op.i32Load8U, VR_PLACE[which]).i32(2).op(Op.i32Shl);
    return this.base + STATE.fpr;
  }

  fcc(which: 'cd' | 'cj' | 'ca'): number {
    // fcc + uop.register
    this.e.get(P).mem(Op.i32Load8U, immediatePlace(which).offset);
    return this.base + STATE.fcc;
  }

  scratch(which: 'scrd' | 'scrj'): number {
    // scr + uop.register × 8
    this.e.get(P).mem(Op.i32Load8U, immediatePlace(which).offset).i32(3).op(Op.i32Shl);
    return this.base + STATE.scr;
  }

  immediate(operand: OperandName): void {
    // uop.immediate
    const place = immediatePlace(operand);
    this.e.get(P).mem(IMMEDIATE[place.bytes], place.offset);
  }

  pc(): void {
    pushPc(this.e);
  }

  // Memory.

  /** Puts the address of the software TLB entry for VA into ENTRY and pushes the tag of the entry. */
  private tlbEntry(write: boolean): void {
    const { e } = this;
    // entry = tlb + (va >> 12 & entries − 1) × 16; entry.tag
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
   * Opens an `if` that holds when the access of `size` bytes at VA is in a page that the software TLB has. Inside it,
   * `place` pushes the address in linear memory.
   */
  private ifMapped(write: boolean, size: number): Label {
    const { e } = this;
    this.tlbEntry(write);
    pushSpan(e, VA, size, this.frame.aligned);
    e.op(Op.i64Eq);
    return e.if();
  }

  /** Opens an `if` that holds when the access is not to the marked places of its page. Its place is then in ENTRY. */
  private ifBesideMarked(write: boolean, size: number): Label | undefined {
    const { e } = this;
    const { markedPage } = this.frame;
    if (markedPage === undefined) return undefined;
    // if (entry = markedPage(va, size | write))
    e.get(VA)
      .i32(size | (write ? LINEAR_WRITE : 0))
      .call(markedPage)
      .tee(ENTRY);
    return e.if();
  }

  private place(): void {
    // va + entry.host
    this.e.get(VA).op(Op.i32WrapI64).get(ENTRY).mem(Op.i32Load, 8).op(Op.i32Add);
  }

  /**
   * TypeScript does the access at VA, unless it is to be refilled. The function is left for every answer except `next`.
   * @param resolved {@link ifBesideMarked} was asked
   */
  private slow(helper: HelperName, code: number, resolved = false): void {
    const { e, base } = this;
    this.frame.sync();
    if (resolved) {
      // if (r = raiseRefill(va)) exit
      e.get(VA).call(this.frame.raiseRefill).tee(R);
      this.exitIf();
    }
    // state.va = va; if (r = helper(code)) exit
    e.i32(0)
      .get(VA)
      .mem(Op.i64Store, base + STATE.va);
    e.i32(code).call(helperIndex(helper)).tee(R);
    this.exitIf();
  }

  /** Leaves with the answer in R when the i32 on the stack is not 0. */
  private exitIf(): void {
    const { e } = this;
    const leave = e.if();
    e.br(this.frame.exit);
    e.end(leave);
  }

  load(access: Access, address: Push, result: Local<'i64'>): void {
    const { e, base } = this;
    const { size } = ACCESS[access];
    // va = address; if (mapped) result = memory[place]
    address();
    e.set(VA);
    const hit = this.ifMapped(false, size);
    this.place();
    e.mem(LOAD[access], 0).set(result);
    // else if (beside marked) result = memory[entry]
    e.else();
    const beside = this.ifBesideMarked(false, size);
    if (beside) {
      e.get(ENTRY).mem(LOAD[access], 0).set(result);
      e.else();
    }
    // else { loadSlow(access); result = state.value }
    this.slow('loadSlow', accessCode(access), beside !== undefined);
    e.i32(0)
      .mem(Op.i64Load, base + STATE.value)
      .set(result);
    if (beside) e.end(beside);
    e.end(hit);
  }

  store(access: Access, address: Push, value: Push): void {
    const { e, base } = this;
    const { size } = ACCESS[access];
    // va = address; if (mapped) memory[place] = value
    address();
    e.set(VA);
    const hit = this.ifMapped(true, size);
    this.place();
    value();
    e.mem(storeOf(access), 0);
    // else if (beside marked) memory[entry] = value
    e.else();
    const beside = this.ifBesideMarked(true, size);
    if (beside) {
      e.get(ENTRY);
      value();
      e.mem(storeOf(access), 0);
      e.else();
    }
    // else { state.value = value; storeSlow(access) }
    e.i32(0);
    value();
    e.mem(Op.i64Store, base + STATE.value);
    this.slow('storeSlow', accessCode(access), beside !== undefined);
    // It may have been a store to the second instruction of a pair.
    if (this.goesOn) this.frame.advance();
    if (beside) e.end(beside);
    e.end(hit);
  }

  loadVector(address: Push, results: readonly Local<'v128'>[]): void {
    const { e, base } = this;
    const size = 16 * results.length;
    // va = address; if (mapped) results = memory[place]
    address();
    e.set(VA);
    const hit = this.ifMapped(false, size);
    results.forEach((result, half) => {
      this.place();
      e.mem(Simd.v128Load, 16 * half).set(result);
    });
    // else { loadVectorSlow(size); results = state.value }
    e.else();
    this.slow('loadVectorSlow', size);
    results.forEach((result, half) => {
      e.i32(0)
        .mem(Simd.v128Load, base + STATE.value + 16 * half)
        .set(result);
    });
    e.end(hit);
  }

  storeVector(address: Push, values: readonly Push[]): void {
    const { e, base } = this;
    const size = 16 * values.length;
    // va = address; if (mapped) memory[place] = values
    address();
    e.set(VA);
    const hit = this.ifMapped(true, size);
    values.forEach((value, half) => {
      this.place();
      value();
      e.mem(Simd.v128Store, 16 * half);
    });
    // else { state.value = values; storeVectorSlow(size) }
    e.else();
    values.forEach((value, half) => {
      e.i32(0);
      value();
      e.mem(Simd.v128Store, base + STATE.value + 16 * half);
    });
    this.slow('storeVectorSlow', size);
    e.end(hit);
  }

  linear(size: number, use: LinearUse, address: Push, result: Local<'i32'>): void {
    const { e, base } = this;
    // va = address; if (entry.tag == (va & (~0xfff | size − 1))) result = va + entry.host
    address();
    e.set(VA);
    this.tlbEntry(use !== 'load');
    // The comparison includes the low bits: a misaligned address never matches, and the slow path raises ALE.
    e.get(VA)
      .i64(~0xfffn | BigInt(size - 1))
      .op(Op.i64And)
      .op(Op.i64Eq);
    const hit = e.if();
    this.place();
    e.set(result);
    // else { linearSlow(size, write); result = state.value }
    e.else();
    this.slow('linearSlow', size | LINEAR_USE[use]);
    e.i32(0)
      .mem(Op.i32Load, base + STATE.value)
      .set(result);
    e.end(hit);
  }

  // Control.

  branch(cond: Push | undefined): boolean {
    const { e } = this;
    let taken: Label | undefined;
    if (cond) {
      // if (cond)
      cond();
      taken = e.if();
    }
    if (this.variant.far) {
      // target = pc + uop.offset
      this.pc();
      e.get(P).mem(Op.i64Load32S, 4).op(Op.i64Add).set(TARGET);
      this.frame.goFar(true);
    } else {
      this.frame.near();
    }
    if (!taken) return false;
    e.end(taken);
    return true;
  }

  jump(target: Push): boolean {
    // target = …; source = p
    target();
    this.e.set(TARGET).get(P).set(SOURCE);
    this.frame.goFar(true);
    return false;
  }

  // Calls.

  attempt(call: Call, inline: (failIf: FailIf) => void): void {
    const { e } = this;
    // done: { long: { inline, or break long; after = 0; break done } helper }
    const done = e.block();
    const long = e.block();
    inline(() => e.brIf(long));
    e.i32(0).set(AFTER).br(done);
    e.end(long);
    this.helper(call);
    e.end(done);
  }

  helper(s: Call): void {
    const { e, base } = this;
    // state.argA, state.argB = args
    s.args.forEach((arg, i) => {
      e.i32(0);
      this.code.expressions.push(arg);
      e.mem(Op.i64Store, base + (i === 0 ? STATE.argA : STATE.argB));
    });
    this.frame.sync();
    if (this.frame.routine(s.helper, s.code)) {
      // r = routine(); exit
      e.set(R).br(this.frame.exit);
      return;
    }
    if (s.helper === 'ertn') throw new Error('interpreter: ertn is outlined');
    // after = helper(code); if (after & 1) { r = after; exit }
    // With `leave` (2) and `goOn` (6) the instruction first finishes its register writes.
    const quick = this.frame.quick(s.helper);
    if (quick === undefined) e.i32(s.code).call(helperIndex(s.helper)).set(AFTER);
    else {
      // if ((after = quick()) == ASK_HELPER) after = helper(code)
      e.call(quick).tee(AFTER).i32(ASK_HELPER).op(Op.i32Eq);
      const refused = e.if();
      e.i32(s.code).call(helperIndex(s.helper)).set(AFTER);
      e.end(refused);
    }
    e.get(AFTER);
    e.i32(1).op(Op.i32And);
    const stop = e.if();
    e.get(AFTER).set(R).br(this.frame.exit);
    e.end(stop);
    // id = state.value
    e.i32(0)
      .mem(Op.i64Load, base + STATE.value)
      .set(this.code.expressions.local(s.id, 'i64'));
  }

  mode(): void {
    pushState(this, Op.i32Load, 'mode');
  }

  left(): void {
    pushState(this, Op.i32Load, 'left');
  }

  callPc(): void {
    pushState(this, Op.i64Load, 'pc');
  }

  csrNumber(push: Push, failIf: FailIf): Local<'i32'> {
    // num = …; fail if num >= CSR_LIMIT
    const num = this.locals.take('i32');
    push();
    this.e.op(Op.i32WrapI64).tee(num).i32(CSR_LIMIT).op(Op.i32GeU);
    failIf();
    return num;
  }

  quiet(failIf: FailIf, inexact: boolean): void {
    // fail if FCSR does not allow it
    pushState(this, Op.i32Load, 'fcsr');
    pushUse(this.e);
    if (!inexact) this.e.i32(~NEEDS_EXACT).op(Op.i32And);
    failIf();
  }

  needsExact(): void {
    pushState(this, Op.i32Load, 'fcsr');
    pushUse(this.e);
  }

  notePending(code: number, operands: readonly Push[]): void {
    const { e, base } = this;
    // state.fpPending = code + 1; state.fpA, fpB, fpC = operands
    e.i32(0)
      .i32(code + 1)
      .mem(Op.i32Store, base + STATE.fpPending);
    operands.forEach((operand, n) => {
      e.i32(0);
      operand();
      e.mem(Op.i64Store, base + STATE[PENDING_FIELDS[n]!]);
    });
  }

  notePendingVector(code: number): void {
    // state.fpPending = vector operation `code`
    this.e
      .i32(0)
      .i32(VECTOR_PENDING + code)
      .mem(Op.i32Store, this.base + STATE.fpPending);
  }
}
