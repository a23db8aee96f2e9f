/**
 * Emits WebAssembly for the recorded definitions of instructions, one statement after the other. The interpreter and
 * regions share this code. Their back ends decide where registers are, how memory is accessed, and how execution
 * continues.
 */
import type { OperandName } from '../isa/operands.ts';
import type { Access, Half, LinearUse, Node, Stmt, VectorOperand } from '../isa/semantics.ts';
import { STATE } from '../memory/layout.ts';
import type { Local } from '../wasm/emitter.ts';
import { Op, Simd } from '../wasm/opcodes.ts';
import { LOAD, storeOf } from './access-opcodes.ts';
import { emitAtomic } from './atomics.ts';
import { Expressions, type OperandNode, pushState, type Site } from './expressions.ts';
import { type CallSite, emitCall } from './inline-calls.ts';

/** Emits code that leaves one value on the stack. */
export type Push = () => void;

/** What is different between the interpreter and regions. */
export interface Backend extends Site, CallSite {
  /** Do other threads use the same memory? */
  readonly shared: boolean;

  // Operands in the state page: these methods push an address and return the offset to it.
  fpr(which: 'fd' | 'fj' | 'fk' | 'fa'): number;
  fcc(which: 'cd' | 'cj' | 'ca'): number;
  scratch(which: 'scrd' | 'scrj'): number;
  vector(which: VectorOperand, half: Half): number;
  /** A vector register. The caller adds the place of an element in it to the address. */
  elements(which: VectorOperand): number;

  // Other operands.
  gpr(which: 'rd' | 'rj' | 'rk'): void;
  setGpr(which: 'rd' | 'rj' | 'ra', value: Push): void;
  immediate(operand: OperandName): void;
  pc(): void;

  // Memory at virtual addresses. When an access is not an ordinary one, the code leaves and the instruction is not
  // executed.
  load(access: Access, address: Push, result: Local<'i64'>): void;
  store(access: Access, address: Push, value: Push): void;
  loadVector(address: Push, results: readonly Local<'v128'>[]): void;
  storeVector(address: Push, values: readonly Push[]): void;
  /** Finds the address in linear memory of a naturally aligned access to RAM. */
  linear(size: number, use: LinearUse, address: Push, result: Local<'i32'>): void;

  // Control flow. These methods return whether the code after them can be reached.
  branch(cond: Push | undefined): boolean;
  jump(target: Push): boolean;
}

export class Statements {
  readonly expressions: Expressions;
  private readonly backend: Backend;

  constructor(backend: Backend) {
    this.backend = backend;
    this.expressions = new Expressions(backend, (n) => this.operand(n));
  }

  /** Emits statements. False when control never reaches their end. */
  emit(list: readonly Stmt[]): boolean {
    for (const s of list) if (!this.statement(s)) return false;
    return true;
  }

  private pusher(n: Node): Push {
    return () => this.expressions.push(n);
  }

  /** Emits place = value. The back end has pushed the address of the place already. */
  private write(opcode: number, offset: number, value: Node): boolean {
    this.expressions.push(value);
    this.backend.e.mem(opcode, offset);
    return true;
  }

  private statement(s: Stmt): boolean {
    const { backend, expressions } = this;
    const { e } = backend;
    switch (s.s) {
      case 'let':
        // id = value
        expressions.push(s.value);
        e.set(expressions.local(s.id, s.ty));
        return true;
      case 'setRd':
        backend.setGpr('rd', this.pusher(s.value));
        return true;
      case 'setRj':
        backend.setGpr('rj', this.pusher(s.value));
        return true;
      case 'setRa':
        backend.setGpr('ra', this.pusher(s.value));
        return true;
      case 'setFd':
        return this.write(Op.i64Store, backend.fpr('fd'), s.value);
      case 'setCd':
        return this.write(Op.i64Store8, backend.fcc('cd'), s.value);
      case 'setScr':
        return this.write(Op.i64Store, backend.scratch('scrd'), s.value);
      case 'setVd':
        return this.write(Simd.v128Store, backend.vector('vd', s.half), s.value);
      case 'setElement': {
        // vd[offset] = value
        const registers = backend.elements('vd');
        expressions.push(s.offset);
        e.op(Op.i32Add);
        return this.write(storeOf(s.access), registers, s.value);
      }
      case 'setState':
        // state[field] = value
        backend.state();
        return this.write(s.value.ty === 'i64' ? Op.i64Store : Op.i32Store, backend.base + STATE[s.field], s.value);
      case 'load':
        backend.load(s.access, this.pusher(s.address), expressions.local(s.id, 'i64'));
        return true;
      case 'store':
        backend.store(s.access, this.pusher(s.address), this.pusher(s.value));
        return true;
      case 'loadVector': {
        const results = s.ids.map((id) => expressions.local(id, 'v128'));
        backend.loadVector(this.pusher(s.address), results);
        return true;
      }
      case 'storeVector': {
        const values = s.values.map((value) => this.pusher(value));
        backend.storeVector(this.pusher(s.address), values);
        return true;
      }
      case 'linear':
        backend.linear(s.size, s.use, this.pusher(s.address), expressions.local(s.id, 'i32'));
        return true;
      case 'peek':
        // id = memory[place]
        expressions.push(s.linear);
        e.mem(LOAD[s.access], 0).set(expressions.local(s.id, 'i64'));
        return true;
      case 'poke':
        // memory[place] = value
        expressions.push(s.linear);
        return this.write(storeOf(s.access), 0, s.value);
      case 'update':
      case 'compareExchange':
      case 'storeLinked':
      case 'fence':
        emitAtomic(e, expressions, backend.shared, s);
        return true;
      case 'call':
        emitCall(backend, expressions, s);
        return true;
      case 'if': {
        // if (cond) { yes } else { no }
        expressions.push(s.cond);
        const yes = e.if();
        this.emit(s.yes);
        if (s.no.length) {
          e.else();
          this.emit(s.no);
        }
        e.end(yes);
        return true;
      }
      case 'branch':
        return backend.branch(s.cond && this.pusher(s.cond));
      case 'jump':
        return backend.jump(this.pusher(s.target));
    }
  }

  /** Pushes the nodes that only instructions have. */
  private operand(n: OperandNode): void {
    const { backend } = this;
    const { e } = backend;
    switch (n.k) {
      case 'gpr':
        backend.gpr(n.which);
        return;
      case 'fpr':
        e.mem(Op.i64Load, backend.fpr(n.which));
        return;
      case 'fcc':
        e.mem(Op.i64Load8U, backend.fcc(n.which));
        return;
      case 'scr':
        e.mem(Op.i64Load, backend.scratch('scrj'));
        return;
      case 'imm':
        backend.immediate(n.operand);
        return;
      case 'pc':
        backend.pc();
        return;
      case 'state':
        pushState(backend, n.ty === 'i64' ? Op.i64Load : Op.i32Load, n.field);
        return;
      case 'vr':
        e.mem(Simd.v128Load, backend.vector(n.which, n.half));
        return;
      case 'element': {
        // which[offset]
        const registers = backend.elements(n.which);
        this.expressions.push(n.offset);
        e.op(Op.i32Add).mem(LOAD[n.access], registers);
        return;
      }
    }
  }
}
