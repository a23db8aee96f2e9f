import { EXCEPTIONS, type ExceptionName } from '../cpu/exception-table.ts';
import type { Callee } from '../cpu/helpers.ts';
import type { StateField } from '../memory/layout.ts';
import { type IntegerName, integerOpcode, Op, type Ty } from '../wasm/opcodes.ts';
import type { OperandName } from './operands.ts';

/**
 * The language in which every instruction is defined once. A definition runs at start-up and records typed nodes;
 * back ends (interpreter and translator) process the record. Rules, checked while recording: nothing that can leave may
 * follow a register or state write, and a value with an effect is computed by a statement, once.
 */

/** Flag in the code of a `raise` call: its argument goes to BADV. */
export const RAISE_WITH_BADV = 0x100;

/** Vector register operands, whether LSX or LASX names them, and the halves of a 256-bit register. */
export type VectorOperand = 'vd' | 'vj' | 'vk' | 'va';
export type Half = 0 | 1;

/** Access sizes of routines. */
export type PlainTy = 'i32' | 'i64' | 'f64';

/** A typed expression without effects. */
export type Node =
  | { readonly k: 'const'; readonly ty: Ty; readonly value: bigint }
  | { readonly k: 'gpr'; readonly ty: 'i64'; readonly which: 'rd' | 'rj' | 'rk' }
  | { readonly k: 'imm'; readonly ty: 'i64'; readonly operand: OperandName }
  | { readonly k: 'fpr'; readonly ty: 'i64'; readonly which: 'fd' | 'fj' | 'fk' | 'fa' }
  | { readonly k: 'fcc'; readonly ty: 'i64'; readonly which: 'cj' | 'ca' }
  | { readonly k: 'scr'; readonly ty: 'i64' }
  | { readonly k: 'pc'; readonly ty: 'i64' }
  | { readonly k: 'local'; readonly ty: Ty; readonly id: number }
  /** A local variable of a back end. */
  | { readonly k: 'register'; readonly ty: Ty; readonly index: number }
  /** The value in the state page, `at` bytes behind an offset; the value at a linear address. Only for routines (routine.ts). */
  | { readonly k: 'page'; readonly ty: PlainTy; readonly offset: number; readonly at: Node | undefined }
  | { readonly k: 'memory'; readonly ty: PlainTy; readonly place: Node; readonly offset: number }
  | { readonly k: 'state'; readonly ty: Ty; readonly field: StateField }
  | {
      readonly k: 'op';
      readonly ty: Ty;
      readonly opcode: number;
      readonly args: readonly Node[];
      /** Bytes behind the opcode: a lane number, or the lanes of a shuffle. */
      readonly immediate?: readonly number[];
    }
  /** 128 bits of a vector register. */
  | { readonly k: 'vr'; readonly ty: 'v128'; readonly which: VectorOperand; readonly half: Half }
  /** An element of a vector register at a byte offset (i32) into it, extended to 64 bits. */
  | { readonly k: 'element'; readonly ty: 'i64'; readonly which: VectorOperand; access: Access; readonly offset: Node }
  | { readonly k: 'v128'; readonly ty: 'v128'; readonly bytes: readonly number[] }
  | { readonly k: 'select'; readonly ty: Ty; readonly cond: Node; readonly a: Node; readonly b: Node };

/** Memory access kinds: size in bytes and extension of a load. */
export const ACCESS = {
  b: { size: 1, signed: true },
  bu: { size: 1, signed: false },
  h: { size: 2, signed: true },
  hu: { size: 2, signed: false },
  w: { size: 4, signed: true },
  wu: { size: 4, signed: false },
  d: { size: 8, signed: true },
} as const;
export type Access = keyof typeof ACCESS;

/** What an instruction does at a linear address: `sc` stores only when the LL bit is set and the `ll` was at the same place. */
export type LinearUse = 'load' | 'store' | 'sc';

/** An effect, in program order. */
export type Stmt =
  | { readonly s: 'let'; readonly id: number; readonly ty: Ty; readonly value: Node }
  | { readonly s: 'setRd'; readonly value: Node }
  | { readonly s: 'setRj'; readonly value: Node }
  | { readonly s: 'setRa'; readonly value: Node }
  | { readonly s: 'setFd'; readonly value: Node }
  | { readonly s: 'setCd'; readonly value: Node }
  | { readonly s: 'setScr'; readonly value: Node }
  | { readonly s: 'setVd'; readonly half: Half; readonly value: Node }
  | { readonly s: 'setElement'; readonly access: Access; readonly offset: Node; readonly value: Node }
  | { readonly s: 'setState'; readonly field: StateField; readonly value: Node }
  | { readonly s: 'load'; readonly id: number; readonly access: Access; readonly address: Node }
  | { readonly s: 'store'; readonly access: Access; readonly address: Node; readonly value: Node }
  | { readonly s: 'loadVector'; readonly ids: readonly number[]; readonly address: Node }
  | { readonly s: 'storeVector'; readonly address: Node; readonly values: readonly Node[] }
  | {
      readonly s: 'linear';
      readonly id: number;
      readonly size: number;
      readonly use: LinearUse;
      readonly address: Node;
    }
  | { readonly s: 'peek'; readonly id: number; readonly access: Access; readonly linear: Node }
  | { readonly s: 'poke'; readonly access: Access; readonly linear: Node; readonly value: Node }
  /** `id` becomes the old value. The new value, which is computed from it, replaces it atomically. */
  | { readonly s: 'update'; readonly id: number; readonly access: Access; readonly linear: Node; readonly value: Node }
  /** `id` becomes the old value. If it is the expected one, `value` replaces it atomically. */
  | {
      readonly s: 'compareExchange';
      readonly id: number;
      readonly access: Access;
      readonly linear: Node;
      readonly expected: Node;
      readonly value: Node;
    }
  /**
   * The store of an `sc` whose link holds. `id` (i32) becomes whether it has happened: always, unless other threads use the same
   * memory, and it does not hold the value `seen` any more.
   */
  | {
      readonly s: 'storeLinked';
      readonly id: number;
      readonly access: Access;
      readonly linear: Node;
      readonly seen: Node;
      readonly value: Node;
    }
  /** A memory barrier: other CPUs see all earlier memory accesses before all later ones. */
  | { readonly s: 'fence' }
  | {
      readonly s: 'call';
      readonly id: number;
      readonly helper: Callee;
      readonly code: number;
      readonly args: readonly Node[];
    }
  | { readonly s: 'if'; readonly cond: Node; readonly yes: readonly Stmt[]; readonly no: readonly Stmt[] }
  | { readonly s: 'branch'; readonly cond: Node | undefined; readonly operand: OperandName }
  | { readonly s: 'jump'; readonly target: Node };

/** An operation by its WebAssembly opcode; the operands must have the types that the opcode wants. */
export const op = (ty: Ty, opcode: number, ...args: Node[]): Node => ({ k: 'op', ty, opcode, args });

function same(a: Node, b: Node): Ty {
  if (a.ty !== b.ty) throw new Error(`semantics: operand types differ: ${a.ty} and ${b.ty}`);
  return a.ty;
}

/** The opcode of an integer operation for the type of a node. */
function integer(name: IntegerName, ty: Ty): number {
  if (ty !== 'i32' && ty !== 'i64') throw new Error(`semantics: ${name} of ${ty}`);
  return integerOpcode(ty, name);
}

const binary =
  (name: IntegerName) =>
  (a: Node, b: Node): Node =>
    op(same(a, b), integer(name, a.ty), a, b);
const compare =
  (name: IntegerName) =>
  (a: Node, b: Node): Node =>
    op('i32', integer(name, same(a, b)), a, b);
const unary =
  (name: IntegerName) =>
  (a: Node): Node =>
    op(a.ty, integer(name, a.ty), a);

/** 64-bit and 32-bit literals. */
export const c64 = (v: number | bigint): Node => ({ k: 'const', ty: 'i64', value: BigInt.asIntN(64, BigInt(v)) });
export const c32 = (v: number): Node => ({ k: 'const', ty: 'i32', value: BigInt(v | 0) });

export const add = binary('Add');
export const sub = binary('Sub');
export const mul = binary('Mul');
export const divS = binary('DivS');
export const divU = binary('DivU');
export const remS = binary('RemS');
export const remU = binary('RemU');
export const and = binary('And');
export const or = binary('Or');
export const xor = binary('Xor');
export const shl = binary('Shl');
export const shrS = binary('ShrS');
export const shrU = binary('ShrU');
export const rotr = binary('Rotr');
export const eq = compare('Eq');
export const ne = compare('Ne');
export const ltS = compare('LtS');
export const ltU = compare('LtU');
export const gtU = compare('GtU');
export const leU = compare('LeU');
export const geS = compare('GeS');
export const geU = compare('GeU');
export const clz = unary('Clz');
export const ctz = unary('Ctz');
/** 1 when the value is zero, as i32. */
export const isZero = (a: Node): Node => op('i32', integer('Eqz', a.ty), a);
/** Low 32 bits. */
export const w = (a: Node): Node => op('i32', Op.i32WrapI64, a);
/** 32 bits to 64, sign-extended; 32 bits to 64, zero-extended. */
export const sx = (a: Node): Node => op('i64', Op.i64ExtendI32S, a);
export const zx = (a: Node): Node => op('i64', Op.i64ExtendI32U, a);
/** Sign extension of the low 8, 16 and 32 bits inside 64. */
export const ext8 = (a: Node): Node => op('i64', Op.i64Extend8S, a);
export const ext16 = (a: Node): Node => op('i64', Op.i64Extend16S, a);
export const ext32 = (a: Node): Node => op('i64', Op.i64Extend32S, a);
export const not = (a: Node): Node => xor(a, a.ty === 'i64' ? c64(-1) : c32(-1));
/** `cond` (i32) chooses between `a` (true) and `b`. */
export const sel = (cond: Node, a: Node, b: Node): Node => ({ k: 'select', ty: same(a, b), cond, a, b });

/** Records one definition. */
export class Semantics {
  private stmts: Stmt[] = [];
  private nextLocal = 0;
  private wrote = false;

  /** Runs `define` and returns its statements, in order. */
  static record(define: (s: Semantics) => void): readonly Stmt[] {
    const s = new Semantics();
    define(s);
    return s.stmts;
  }

  /** Register sources. `rdv` is the old value of rd. */
  readonly rj: Node = { k: 'gpr', ty: 'i64', which: 'rj' };
  readonly rk: Node = { k: 'gpr', ty: 'i64', which: 'rk' };
  readonly rdv: Node = { k: 'gpr', ty: 'i64', which: 'rd' };
  /** Address of this instruction. */
  readonly pc: Node = { k: 'pc', ty: 'i64' };

  set rd(value: Node) {
    this.wrote = true;
    this.stmts.push({ s: 'setRd', value });
  }

  /** Writes the register of the rj field (rdtime returns two values). */
  setRj(value: Node): void {
    this.wrote = true;
    this.stmts.push({ s: 'setRj', value });
  }

  /** Floating-point sources: the low 64 bits. `fdv` is the old value of fd. */
  readonly fj: Node = { k: 'fpr', ty: 'i64', which: 'fj' };
  readonly fk: Node = { k: 'fpr', ty: 'i64', which: 'fk' };
  readonly fa: Node = { k: 'fpr', ty: 'i64', which: 'fa' };
  readonly fdv: Node = { k: 'fpr', ty: 'i64', which: 'fd' };
  /** Condition flags, 0 or 1. */
  readonly cj: Node = { k: 'fcc', ty: 'i64', which: 'cj' };
  readonly ca: Node = { k: 'fcc', ty: 'i64', which: 'ca' };

  set fd(value: Node) {
    this.wrote = true;
    this.stmts.push({ s: 'setFd', value });
  }

  /** 128 bits of a vector register; `vd` is its old value. */
  vector(which: VectorOperand, half: Half): Node {
    return { k: 'vr', ty: 'v128', which, half };
  }

  /** The element at byte `offset` (i32) of a vector register, extended to 64 bits. */
  element(which: VectorOperand, access: Access, offset: Node): Node {
    return { k: 'element', ty: 'i64', which, access, offset };
  }

  setVd(half: Half, value: Node): void {
    this.wrote = true;
    this.stmts.push({ s: 'setVd', half, value });
  }

  /** Writes the element at byte `offset` (i32) of vd. */
  setElement(access: Access, offset: Node, value: Node): void {
    this.wrote = true;
    this.stmts.push({ s: 'setElement', access, offset, value });
  }

  /** The scratch register of LBT that the scrj field names. */
  readonly scrj: Node = { k: 'scr', ty: 'i64' };

  set scrd(value: Node) {
    this.wrote = true;
    this.stmts.push({ s: 'setScr', value });
  }

  set cd(value: Node) {
    this.wrote = true;
    this.stmts.push({ s: 'setCd', value });
  }

  /** Writes r1, the link register of `bl`. */
  set ra(value: Node) {
    this.wrote = true;
    this.stmts.push({ s: 'setRa', value });
  }

  /** An immediate operand as a 64-bit value known at decode time. */
  imm(operand: OperandName): Node {
    return { k: 'imm', ty: 'i64', operand };
  }

  /** Evaluates once. */
  let(value: Node): Node {
    const id = this.nextLocal++;
    this.stmts.push({ s: 'let', id, ty: value.ty, value });
    return { k: 'local', ty: value.ty, id };
  }

  state(field: StateField, ty: Ty): Node {
    return { k: 'state', ty, field };
  }

  setState(field: StateField, value: Node): void {
    this.wrote = true;
    this.stmts.push({ s: 'setState', field, value });
  }

  /** Loads from a virtual address, extended to 64 bits. May leave. */
  ld(access: Access, address: Node): Node {
    const id = this.leaving();
    this.stmts.push({ s: 'load', id, access, address });
    return { k: 'local', ty: 'i64', id };
  }

  /** Stores the low bits of `value` at a virtual address. May leave. */
  st(access: Access, address: Node, value: Node): void {
    this.leaving();
    this.stmts.push({ s: 'store', access, address, value });
  }

  /** Loads 16 bytes times `halves` from a virtual address, lowest first. May leave. */
  ldVector(halves: 1 | 2, address: Node): Node[] {
    const ids = Array.from({ length: halves }, () => this.leaving());
    this.stmts.push({ s: 'loadVector', ids, address });
    return ids.map((id) => ({ k: 'local', ty: 'v128', id }));
  }

  /** Stores 128-bit values at a virtual address, lowest first. May leave. */
  stVector(address: Node, values: readonly Node[]): void {
    this.leaving();
    this.stmts.push({ s: 'storeVector', address, values });
  }

  /** The linear address of a naturally aligned RAM access (ALE otherwise). May leave. */
  linearAddress(size: number, address: Node, use: LinearUse): Node {
    const id = this.leaving();
    this.stmts.push({ s: 'linear', id, size, use, address });
    return { k: 'local', ty: 'i32', id };
  }

  /** Reads linear memory at the result of {@link linearAddress}, extended to 64 bits. */
  peek(access: Access, linear: Node): Node {
    const id = this.nextLocal++;
    this.stmts.push({ s: 'peek', id, access, linear });
    return { k: 'local', ty: 'i64', id };
  }

  /** Writes linear memory at the result of {@link linearAddress}. */
  poke(access: Access, linear: Node, value: Node): void {
    this.wrote = true;
    this.stmts.push({ s: 'poke', access, linear, value });
  }

  /** Replaces the value at the result of {@link linearAddress} atomically by a new value computed from it. @returns the old value, extended to 64 bits */
  update(access: Access, linear: Node, replace: (old: Node) => Node): Node {
    const old: Node = { k: 'local', ty: 'i64', id: this.nextLocal++ };
    this.wrote = true;
    this.stmts.push({ s: 'update', id: old.id, access, linear, value: replace(old) });
    return old;
  }

  /** Replaces the value at the result of {@link linearAddress} atomically if it is `expected`. @returns the old value, extended to 64 bits */
  compareExchange(access: Access, linear: Node, expected: Node, value: Node): Node {
    const id = this.nextLocal++;
    this.wrote = true;
    this.stmts.push({ s: 'compareExchange', id, access, linear, expected, value });
    return { k: 'local', ty: 'i64', id };
  }

  /** Stores at the result of {@link linearAddress}, where the link of the CPU is. @returns whether it has happened, as i32 */
  storeLinked(access: Access, linear: Node, seen: Node, value: Node): Node {
    const id = this.nextLocal++;
    this.wrote = true;
    this.stmts.push({ s: 'storeLinked', id, access, linear, seen, value });
    return { k: 'local', ty: 'i32', id };
  }

  /** A memory barrier: other CPUs see all accesses before it before all accesses after it. */
  fence(): void {
    this.stmts.push({ s: 'fence' });
  }

  /** Passes a third value to the next helper call; a scratch slot, so the call may still leave. */
  pass(value: Node): void {
    this.stmts.push({ s: 'setState', field: 'va', value });
  }

  /** Calls a helper with up to two 64-bit values and a literal `code`; its result is 64 bits. May leave. */
  call(helper: Callee, code: number, ...args: Node[]): Node {
    const id = this.leaving();
    this.stmts.push({ s: 'call', id, helper, code, args });
    return { k: 'local', ty: 'i64', id };
  }

  /** Raises the exception `name`, with BADV if given; the instruction is not executed. */
  raise(name: ExceptionName, badv?: Node): void {
    const index = EXCEPTIONS.findIndex((e) => e.name === name);
    if (badv) this.call('raise', index | RAISE_WITH_BADV, badv);
    else this.call('raise', index);
  }

  /** `cond` is an i32. Each branch is recorded separately. */
  if(cond: Node, then: () => void, otherwise?: () => void): void {
    const outer = this.stmts;
    const before = this.wrote;
    const record = (body?: () => void): { list: Stmt[]; wrote: boolean } => {
      this.stmts = [];
      this.wrote = before;
      body?.();
      return { list: this.stmts, wrote: this.wrote };
    };
    const a = record(then);
    const b = record(otherwise);
    this.stmts = outer;
    this.wrote = a.wrote || b.wrote;
    this.stmts.push({ s: 'if', cond, yes: a.list, no: b.list });
  }

  /** Branches by the offset operand, always or when `cond` holds. Ends the block. */
  br(operand: OperandName, cond?: Node): void {
    this.stmts.push({ s: 'branch', cond, operand });
  }

  /** Jumps to a computed address. Ends the block. */
  jr(target: Node): void {
    this.stmts.push({ s: 'jump', target });
  }

  private leaving(): number {
    if (this.wrote) throw new Error('semantics: something that may leave follows a write');
    return this.nextLocal++;
  }
}
