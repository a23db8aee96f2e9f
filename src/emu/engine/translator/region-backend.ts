/**
 * How the instructions of a region find operands, which are known when the region is emitted, and how they access
 * memory. Guest registers are locals. When something is not an ordinary case, the region is left and the instruction
 * is not executed. region-emitter.ts handles the control flow.
 */
import type { OperandName } from '../../isa/operands.ts';
import { operandValue, UNITS } from '../../isa/row.ts';
import { ACCESS, type Access, type Half, type LinearUse, type VectorOperand } from '../../isa/semantics.ts';
import { MODE_GUEST, MODE_UNITS_OFF, STATE, TLB_ENTRIES, VECTOR_PENDING } from '../../memory/layout.ts';
import type { Emitter, Local, Locals } from '../../wasm/emitter.ts';
import { Op, Simd } from '../../wasm/opcodes.ts';
import { LOAD, pushSpan, storeOf } from '../access-opcodes.ts';
import type { Call, FailIf } from '../inline-calls.ts';
import { NEEDS_EXACT } from '../inline-float.ts';
import type { Backend, Push } from '../statements.ts';
import type { Group, Membership } from './access-groups.ts';
import type { Instruction } from './discover.ts';
import {
  BUDGET,
  DATA_TLB,
  ENTRY,
  FLOAT_USE,
  MODE,
  PAGE_VA,
  PENDING,
  PENDING_OPERANDS,
  PLACE,
  STATE_PAGE,
  TARGET,
  VA,
} from './region-locals.ts';

/** The distance from an entry of the read array to the entry of the write array for the same address. */
const WRITE_ARRAY = 16 * TLB_ENTRIES;

/** The function that contains the instructions. Its fixed locals are those of region-locals.ts. */
export interface RegionFrame {
  readonly e: Emitter;
  readonly locals: Locals;
  /** Do other threads use the same memory? */
  readonly shared: boolean;
  /** Must all accesses be aligned? */
  readonly aligned: boolean;
  /** The local variable of each guest register that the region uses. */
  readonly gprs: readonly (Local<'i64'> | undefined)[];
  /** Instructions whose access shares a look-up in the software TLB with others. */
  readonly memberships: ReadonlyMap<Instruction, Membership>;
  /** The local variable of each group: the address of its lowest byte in linear memory, or 0 when it is not known. */
  readonly places: readonly Local<'i32'>[];
  /** Leaves; the current instruction is not executed. */
  exit(): void;
}

export class RegionBackend implements Backend {
  readonly e: Emitter;
  readonly locals: Locals;
  readonly shared: boolean;
  /** Offsets are from the parameter STATE_PAGE. */
  readonly base = 0;
  readonly firstFma = 0;
  /** `rdtime` is translated only where it drops the counter's number. */
  readonly wantsTimerId = false;
  private readonly frame: RegionFrame;
  private current!: Instruction;
  /** What is added to the budget again when the current instruction leaves. */
  private giveBack = 0;
  /** Units that are known to be enabled, and whether it is known that FCSR allows the fast path of floating point. */
  private unitsChecked = 0;
  private quietChecked = false;
  /** The same for operations without a rounding error. */
  private plainChecked = false;
  /** Groups whose look-up the current block has done so far. */
  private readonly found = new Set<Group>();

  constructor(frame: RegionFrame) {
    this.frame = frame;
    this.e = frame.e;
    this.locals = frame.locals;
    this.shared = frame.shared;
  }

  /** A block begins: no check is known to be done. */
  begin(): void {
    this.unitsChecked = 0;
    this.quietChecked = false;
    this.plainChecked = false;
    this.found.clear();
  }

  /** The code of an instruction begins, with the checks that its row needs. */
  enter(instruction: Instruction, giveBack: number): void {
    this.current = instruction;
    this.giveBack = giveBack;
    this.checkUnit();
    this.checkMode();
  }

  /** Leaves when the i32 on the stack is not 0. */
  private exitIf(): void {
    const yes = this.e.if();
    this.frame.exit();
    this.e.end(yes);
  }

  private checkUnit(): void {
    const { unit } = this.current.row;
    if (!unit) return;
    const bit = MODE_UNITS_OFF << UNITS.indexOf(unit);
    if (this.unitsChecked & bit) return;
    this.unitsChecked |= bit;
    // if (mode & unit off) exit
    this.e.get(MODE).i32(bit).op(Op.i32And);
    this.exitIf();
  }

  /** Leaves where the privilege level or the world forbids the instruction. */
  private checkMode(): void {
    const { row } = this.current;
    if (!row.priv) return;
    // if (mode & (plv | guest)) exit
    this.e
      .get(MODE)
      .i32(3 | (row.guest === 'INE' ? MODE_GUEST : 0))
      .op(Op.i32And);
    this.exitIf();
  }

  // Operands.

  private operand(name: OperandName): number {
    return operandValue(this.current.row, this.current.word, name);
  }

  private vectorNumber(which: VectorOperand): number {
    const { row } = this.current;
    const lasx = which.replace('v', 'x') as OperandName;
    return this.operand(row.operands.includes(lasx) ? lasx : which);
  }

  state(): void {
    this.e.get(STATE_PAGE);
  }

  gpr(which: 'rd' | 'rj' | 'rk'): void {
    const r = this.operand(which);
    if (r === 0) this.e.i64n(0);
    else this.e.get(this.frame.gprs[r]!);
  }

  setGpr(which: 'rd' | 'rj' | 'ra', value: Push): void {
    // When rj is written, it is r0: discover.ts leaves all other cases to the interpreter.
    if (which === 'rj') return;
    const r = which === 'ra' ? 1 : this.operand('rd');
    if (r === 0) return;
    // r = value
    value();
    this.e.set(this.frame.gprs[r]!);
  }

  fpr(which: 'fd' | 'fj' | 'fk' | 'fa'): number {
    this.state();
    return STATE.fpr + 32 * this.operand(which);
  }

  fcc(which: 'cd' | 'cj' | 'ca'): number {
    this.state();
    return STATE.fcc + this.operand(which);
  }

  scratch(which: 'scrd' | 'scrj'): number {
    this.state();
    return STATE.scr + 8 * this.operand(which);
  }

  vector(which: VectorOperand, half: Half): number {
    this.state();
    return STATE.fpr + 32 * this.vectorNumber(which) + 16 * half;
  }

  elements(which: VectorOperand): number {
    // state + 32 × register
    this.e
      .get(STATE_PAGE)
      .i32(32 * this.vectorNumber(which))
      .op(Op.i32Add);
    return STATE.fpr;
  }

  immediate(operand: OperandName): void {
    this.e.i64n(this.operand(operand));
  }

  pc(): void {
    // page + 4 × position
    this.e
      .get(PAGE_VA)
      .i64n(4 * this.current.at)
      .op(Op.i64Add);
  }

  // Memory.

  load(access: Access, address: Push, result: Local<'i64'>): void {
    // result = memory[access(address)]
    const offset = this.access(address, ACCESS[access].size, false);
    this.e.mem(LOAD[access], offset).set(result);
  }

  store(access: Access, address: Push, value: Push): void {
    // memory[access(address)] = value
    const offset = this.access(address, ACCESS[access].size, true);
    value();
    this.e.mem(storeOf(access), offset);
  }

  loadVector(address: Push, results: readonly Local<'v128'>[]): void {
    const { e } = this;
    // place = access(address); results = memory[place]
    const offset = this.access(address, 16 * results.length, false);
    e.set(PLACE);
    results.forEach((result, half) => {
      e.get(PLACE)
        .mem(Simd.v128Load, offset + 16 * half)
        .set(result);
    });
  }

  storeVector(address: Push, values: readonly Push[]): void {
    const { e } = this;
    // place = access(address); memory[place] = values
    const offset = this.access(address, 16 * values.length, true);
    e.set(PLACE);
    values.forEach((value, half) => {
      e.get(PLACE);
      value();
      e.mem(Simd.v128Store, offset + 16 * half);
    });
  }

  linear(size: number, use: LinearUse, address: Push, result: Local<'i32'>): void {
    const { e } = this;
    const write = use !== 'load';
    // va = address; if (entry.tag != (va & (~0xfff | size − 1))) exit; result = va + entry.host
    address();
    e.set(VA);
    this.tlbTag(write);
    e.get(VA)
      .i64n(-4096 + size - 1)
      .op(Op.i64And)
      .op(Op.i64Ne);
    this.exitIf();
    this.place(write);
    e.set(result);
  }

  /**
   * Pushes the address of an access in linear memory, less the literal offset that is the result. Leaves when the
   * software TLB does not have it.
   */
  private access(address: Push, size: number, write: boolean): number {
    const { e } = this;
    const member = this.frame.memberships.get(this.current);
    if (!member) {
      // va = address; exit unless mapped; va + entry.host
      address();
      e.set(VA);
      this.checkMapped(write, size);
      this.place(write);
      return 0;
    }
    const { group, offset } = member;
    if (!group.throughout && !this.found.has(group)) {
      this.found.add(group);
      this.findGroup(group);
    }
    const distance = offset - group.low;
    // if (!(place = group)) { va = address; exit unless mapped; place = va + entry.host − distance }
    e.get(this.frame.places[group.index]!).tee(PLACE).op(Op.i32Eqz);
    const unknown = e.if();
    address();
    e.set(VA);
    this.checkMapped(write, size);
    this.place(write);
    e.i32(distance).op(Op.i32Sub).set(PLACE);
    e.end(unknown);
    // place
    e.get(PLACE);
    return distance;
  }

  /** Looks up where the bytes of a group are: in one page, or in two pages that are neighbours in linear memory too. */
  findGroup({ base, low, high, write, index }: Group): void {
    const { e } = this;
    const group = this.frame.places[index]!;
    const register = this.frame.gprs[base]!;
    const array = write ? WRITE_ARRAY : 0;
    const last = (): void =>
      void e
        .get(register)
        .i64n(high - 1)
        .op(Op.i64Add);
    // va = register + low; if (entry.tag == (last & ~0xfff)) group = va + entry.host
    e.get(register).i64n(low).op(Op.i64Add).set(VA);
    this.tlbTag(write);
    last();
    e.i64n(~0xfff).op(Op.i64And).op(Op.i64Eq);
    const one = e.if();
    this.place(write);
    e.set(group);
    // else { group = 0; if (entry.tag == (va & ~0xfff)) { place = va + entry.host; va = last
    e.else();
    e.i32(0).set(group);
    e.get(ENTRY).mem(Op.i64Load, array).get(VA).i64n(~0xfff).op(Op.i64And).op(Op.i64Eq);
    const first = e.if();
    this.place(write);
    e.set(PLACE);
    last();
    e.set(VA);
    // if (entry.tag == (va & ~0xfff) && va + entry.host − (high − 1 − low) == place) group = place } }
    this.tlbTag(write);
    e.get(VA).i64n(~0xfff).op(Op.i64And).op(Op.i64Eq);
    const second = e.if();
    this.place(write);
    e.i32(high - 1 - low)
      .op(Op.i32Sub)
      .get(PLACE)
      .op(Op.i32Eq);
    const neighbours = e.if();
    e.get(PLACE).set(group);
    e.end(neighbours);
    e.end(second);
    e.end(first);
    e.end(one);
  }

  /** Puts the address of the software TLB entry for VA into ENTRY and pushes the tag of the entry. */
  private tlbTag(write: boolean): void {
    const { e } = this;
    // entry = tlb + (va >> 8 & (entries − 1) × 16); entry.tag
    e.get(VA).op(Op.i32WrapI64).i32(8).op(Op.i32ShrU);
    e.i32((TLB_ENTRIES - 1) << 4).op(Op.i32And);
    e.get(DATA_TLB)
      .op(Op.i32Add)
      .tee(ENTRY)
      .mem(Op.i64Load, write ? WRITE_ARRAY : 0);
  }

  /** Leaves unless the software TLB has the page of all `size` bytes at VA. */
  private checkMapped(write: boolean, size: number): void {
    const { e } = this;
    // if (entry.tag != span) exit
    this.tlbTag(write);
    pushSpan(e, VA, size, this.frame.aligned);
    e.op(Op.i64Ne);
    this.exitIf();
  }

  /** Pushes the address of VA in linear memory. */
  private place(write: boolean): void {
    // va + entry.host
    this.e
      .get(VA)
      .op(Op.i32WrapI64)
      .get(ENTRY)
      .mem(Op.i32Load, 8 + (write ? WRITE_ARRAY : 0))
      .op(Op.i32Add);
  }

  // Control.

  /** The terminator of the block. */
  branch(): boolean {
    return true;
  }

  jump(target: Push): boolean {
    // target = …; the terminator of the block goes there.
    target();
    this.e.set(TARGET);
    return true;
  }

  // Calls.

  attempt(_call: Call, inline: (failIf: FailIf) => void): void {
    inline(() => this.exitIf());
  }

  helper(): void {
    this.frame.exit();
  }

  mode(): void {
    this.e.get(MODE);
  }

  left(): void {
    // budget + what the current instruction and those behind it have taken from it
    this.e.get(BUDGET).i32(this.giveBack).op(Op.i32Add);
  }

  callPc(): void {
    this.pc();
  }

  csrNumber(): number {
    return this.operand('csr');
  }

  quiet(failIf: FailIf, inexact: boolean): void {
    if (this.quietChecked || (this.plainChecked && !inexact)) return;
    this.plainChecked = true;
    this.quietChecked = inexact;
    // if (FCSR did not allow it) exit
    this.e.get(FLOAT_USE);
    if (!inexact) this.e.i32(~NEEDS_EXACT).op(Op.i32And);
    failIf();
  }

  needsExact(): void {
    this.e.get(FLOAT_USE);
  }

  notePending(code: number, operands: readonly Push[]): void {
    const { e } = this;
    // pending = code + 1; pending a, b, c = operands
    e.i32(code + 1).set(PENDING);
    operands.forEach((operand, n) => {
      operand();
      e.set(PENDING_OPERANDS[n]!);
    });
  }

  notePendingVector(code: number): void {
    const { e } = this;
    // state.fpPending = vector operation `code`; pending = 0
    e.get(STATE_PAGE)
      .i32(VECTOR_PENDING + code)
      .mem(Op.i32Store, STATE.fpPending);
    e.i32(0).set(PENDING);
  }
}
