/**
 * What the instructions of a region do, as WebAssembly: statements, memory accesses, operands. Where control goes is the
 * business of region-emitter.ts.
 */

import type { OperandName } from '../../isa/operands.ts';
import { operandValue, UNITS } from '../../isa/row.ts';
import { ACCESS, type Half, type Node, type Stmt, type VectorOperand } from '../../isa/semantics.ts';
import { MODE_GUEST, MODE_UNITS_OFF, STATE, TLB_ENTRIES, VECTOR_PENDING } from '../../memory/layout.ts';
import type { Local } from '../../wasm/emitter.ts';
import { Op, Simd } from '../../wasm/opcodes.ts';
import { Definitions, LOAD, storeOf } from '../definitions.ts';
import { emitCsr, isCsrHelper } from '../inline-csr.ts';
import { floatForm } from '../inline-float.ts';
import { emitTime } from '../inline-time.ts';
import { vectorForm } from '../inline-vector-float.ts';
import type { Group, Membership } from './access-groups.ts';
import type { Instruction } from './discover.ts';
import {
  BUDGET,
  DATA_TLB,
  ENTRY,
  MODE,
  NOT_QUIET,
  PAGE_VA,
  PENDING,
  PENDING_OPERANDS,
  PLACE,
  STATE_PAGE,
  TARGET,
  VA,
} from './region-locals.ts';

/** From an entry of the read array to the one of the write array for the same address. */
const WRITE_ARRAY = 16 * TLB_ENTRIES;

export abstract class RegionCode extends Definitions {
  /** Local variable of each guest register that the region uses. */
  protected readonly gprs: (Local<'i64'> | undefined)[] = new Array(32).fill(undefined);
  protected current!: Instruction;
  /** What to give back to the budget when the current instruction leaves. */
  protected giveBack = 0;
  /** Units known to be enabled, and whether FCSR is known to let floating point go the quick way. */
  protected unitsChecked = 0;
  protected quietChecked = false;
  /** Groups found so far in the block being emitted. */
  protected readonly found = new Set<Group>();
  protected abstract readonly memberships: ReadonlyMap<Instruction, Membership>;
  protected abstract readonly groups: readonly Group[];
  /** Local variable of each group: where its lowest byte is in linear memory, 0 when that is not known. */
  protected abstract readonly places: readonly Local<'i32'>[];

  /** Leaves with the current instruction not executed. */
  protected abstract exit(): void;

  /** Leaves when the i32 on the stack is not 0. */
  protected exitIf(): void {
    const yes = this.e.if();
    this.exit();
    this.e.end(yes);
  }

  protected checkUnit(): void {
    const { unit } = this.current.row;
    if (!unit) return;
    const bit = MODE_UNITS_OFF << UNITS.indexOf(unit);
    if (this.unitsChecked & bit) return;
    this.unitsChecked |= bit;
    this.e.get(MODE).i32(bit).op(Op.i32And);
    this.exitIf();
  }

  /** Leaves where the privilege level or the world forbids the instruction. */
  protected checkMode(): void {
    const { row } = this.current;
    if (!row.priv) return;
    this.e
      .get(MODE)
      .i32(3 | (row.guest === 'INE' ? MODE_GUEST : 0))
      .op(Op.i32And);
    this.exitIf();
  }

  // Statements.

  protected stmt(s: Stmt): void {
    const { e } = this;
    switch (s.s) {
      case 'let':
        this.node(s.value);
        e.set(this.local(s.id, s.ty));
        return;
      case 'setRd': {
        const rd = this.operand('rd');
        if (rd === 0) return;
        this.node(s.value);
        e.set(this.gprs[rd]!);
        return;
      }
      case 'setRa':
        this.node(s.value);
        e.set(this.gprs[1]!);
        return;
      case 'setFd':
        e.get(STATE_PAGE);
        this.node(s.value);
        e.mem(Op.i64Store, STATE.fpr + 32 * this.operand('fd'));
        return;
      case 'setCd':
        e.get(STATE_PAGE);
        this.node(s.value);
        e.mem(Op.i64Store8, STATE.fcc + this.operand('cd'));
        return;
      case 'setVd':
        e.get(STATE_PAGE);
        this.node(s.value);
        e.mem(Simd.v128Store, STATE.fpr + 32 * this.vectorNumber('vd') + 16 * s.half);
        return;
      case 'setElement':
        this.vectorAddress('vd');
        this.node(s.offset);
        e.op(Op.i32Add);
        this.node(s.value);
        e.mem(storeOf(s.access), STATE.fpr);
        return;
      case 'setState':
        e.get(STATE_PAGE);
        this.node(s.value);
        e.mem(s.value.ty === 'i64' ? Op.i64Store : Op.i32Store, STATE[s.field]);
        return;
      case 'load': {
        const offset = this.access(s.address, ACCESS[s.access].size, false);
        e.mem(LOAD[s.access], offset).set(this.local(s.id, 'i64'));
        return;
      }
      case 'store': {
        const offset = this.access(s.address, ACCESS[s.access].size, true);
        this.node(s.value);
        e.mem(storeOf(s.access), offset);
        return;
      }
      case 'loadVector': {
        const offset = this.access(s.address, 16 * s.ids.length, false);
        e.set(PLACE);
        s.ids.forEach((id, half) => {
          e.get(PLACE)
            .mem(Simd.v128Load, offset + 16 * half)
            .set(this.local(id, 'v128'));
        });
        return;
      }
      case 'storeVector': {
        const offset = this.access(s.address, 16 * s.values.length, true);
        e.set(PLACE);
        s.values.forEach((value, half) => {
          e.get(PLACE);
          this.node(value);
          e.mem(Simd.v128Store, offset + 16 * half);
        });
        return;
      }
      case 'host':
        this.node(s.address);
        e.set(VA);
        this.tlbTag(s.write);
        e.get(VA)
          .i64n(-4096 + s.size - 1)
          .op(Op.i64And)
          .op(Op.i64Ne);
        this.exitIf();
        this.host(s.write);
        e.set(this.local(s.id, 'i32'));
        return;
      case 'peek':
        this.node(s.host);
        e.mem(LOAD[s.access], 0).set(this.local(s.id, 'i64'));
        return;
      case 'poke':
        this.node(s.host);
        this.node(s.value);
        e.mem(storeOf(s.access), 0);
        return;
      case 'update':
      case 'compareExchange':
      case 'fence':
        this.atomic(s);
        return;
      case 'call':
        this.call(s);
        return;
      case 'if': {
        this.node(s.cond);
        const yes = e.if();
        for (const x of s.yes) this.stmt(x);
        if (s.no.length) {
          e.else();
          for (const x of s.no) this.stmt(x);
        }
        e.end(yes);
        return;
      }
      case 'jump':
        this.node(s.target);
        e.set(TARGET);
        return;
      case 'branch':
        // The terminator of the block.
        return;
      case 'setRj':
        // Register 0: discover.ts lets no other come here.
        return;
      case 'setScr':
        throw new Error(`translator: ${this.current.row.name} is for the interpreter`);
    }
  }

  private call(s: Extract<Stmt, { s: 'call' }>): void {
    const { e } = this;
    if (isCsrHelper(s.helper)) {
      const result = this.local(s.id, 'i64');
      emitCsr(s.helper, {
        e,
        state: () => this.state(),
        base: 0,
        num: this.operand('csr'),
        result,
        mode: () => e.get(MODE),
        value: () => this.node(s.args[1]!),
        mask: s.helper.endsWith('xchg') ? () => this.gpr('rj') : undefined,
        pc: () => this.pc(),
        left: () => e.get(BUDGET).i32(this.giveBack).op(Op.i32Add),
        failIf: () => this.exitIf(),
      });
      return;
    }
    if (s.helper === 'rdtime') {
      emitTime({
        e,
        state: () => this.state(),
        base: 0,
        result: this.local(s.id, 'i64'),
        mode: () => e.get(MODE),
        left: () => e.get(BUDGET).i32(this.giveBack).op(Op.i32Add),
        failIf: () => this.exitIf(),
      });
      return;
    }
    const vector = s.helper === 'vectorFpu' ? vectorForm(s.code) : undefined;
    const form = s.helper === 'fpu' ? floatForm(s.code) : undefined;
    if (!form && !vector) {
      this.exit();
      return;
    }
    if (!this.quietChecked) {
      this.quietChecked = true;
      e.get(NOT_QUIET);
      this.exitIf();
    }
    if (vector) {
      this.nativeVector(
        vector,
        () => this.exitIf(),
        (single) => e.call(single ? 3 : 2),
        (half, value) => {
          e.get(STATE_PAGE)
            .get(value)
            .mem(Simd.v128Store, STATE.fpr + 32 * this.vectorNumber('vd') + 16 * half);
        },
      );
      e.get(STATE_PAGE)
        .i32(VECTOR_PENDING + s.code)
        .mem(Op.i32Store, STATE.fpPending);
      e.i32(0).set(PENDING);
      return;
    }
    if (!form) return;
    const operand = (n: 0 | 1 | 2): void => this.floatOperand(s, n);
    form.emit({
      e,
      take: (ty) => this.locals.take(ty),
      failIf: () => this.exitIf(),
      operand,
      fused: (single) => e.call(single ? 1 : 0),
    });
    e.set(this.local(s.id, 'i64'));
    e.i32(s.code + 1).set(PENDING);
    for (let n = 0; n < form.operands; n++) {
      operand(n as 0 | 1 | 2);
      e.set(PENDING_OPERANDS[n]!);
    }
  }

  /**
   * Pushes where an access is in linear memory, less the literal offset that is the result; leaves when the software TLB
   * does not know it.
   */
  private access(address: Node, size: number, write: boolean): number {
    const { e } = this;
    const member = this.memberships.get(this.current);
    if (!member) {
      this.node(address);
      e.set(VA);
      this.checkMapped(write, size);
      this.host(write);
      return 0;
    }
    const { group, offset } = member;
    if (!group.throughout && !this.found.has(group)) {
      this.found.add(group);
      this.findGroup(group);
    }
    const distance = offset - group.low;
    e.get(this.places[group.index]!).tee(PLACE).op(Op.i32Eqz);
    const unknown = e.if();
    this.node(address);
    e.set(VA);
    this.checkMapped(write, size);
    this.host(write);
    e.i32(distance).op(Op.i32Sub).set(PLACE);
    e.end(unknown);
    e.get(PLACE);
    return distance;
  }

  /** Looks up where the bytes of a group are: in one page, or in two that are neighbours in linear memory too. */
  protected findGroup({ base, low, high, write, index }: Group): void {
    const { e } = this;
    const place = this.places[index]!;
    const array = write ? WRITE_ARRAY : 0;
    const end = (): void =>
      void e
        .get(this.gprs[base]!)
        .i64n(high - 1)
        .op(Op.i64Add);
    e.get(this.gprs[base]!).i64n(low).op(Op.i64Add).set(VA);
    this.tlbTag(write);
    end();
    e.i64n(~0xfff).op(Op.i64And).op(Op.i64Eq);
    const one = e.if();
    this.host(write);
    e.set(place);
    e.else();
    e.i32(0).set(place);
    e.get(ENTRY).mem(Op.i64Load, array).get(VA).i64n(~0xfff).op(Op.i64And).op(Op.i64Eq);
    const first = e.if();
    this.host(write);
    e.set(PLACE);
    end();
    e.set(VA);
    this.tlbTag(write);
    e.get(VA).i64n(~0xfff).op(Op.i64And).op(Op.i64Eq);
    const second = e.if();
    this.host(write);
    e.i32(high - 1 - low)
      .op(Op.i32Sub)
      .get(PLACE)
      .op(Op.i32Eq);
    const neighbours = e.if();
    e.get(PLACE).set(place);
    e.end(neighbours);
    e.end(second);
    e.end(first);
    e.end(one);
  }

  /** Puts the address of the software TLB entry for VA into ENTRY and pushes its tag. */
  private tlbTag(write: boolean): void {
    const { e } = this;
    e.get(VA).op(Op.i32WrapI64).i32(8).op(Op.i32ShrU);
    e.i32((TLB_ENTRIES - 1) << 4).op(Op.i32And);
    e.get(DATA_TLB)
      .op(Op.i32Add)
      .tee(ENTRY)
      .mem(Op.i64Load, write ? WRITE_ARRAY : 0);
  }

  /** Leaves unless the software TLB knows the page of all `size` bytes at VA. */
  private checkMapped(write: boolean, size: number): void {
    const { e } = this;
    this.tlbTag(write);
    e.get(VA);
    if (size > 1) e.i64n(size - 1).op(Op.i64Add);
    e.i64n(~0xfff).op(Op.i64And).op(Op.i64Ne);
    this.exitIf();
  }

  /** Pushes where VA is in linear memory. */
  private host(write: boolean): void {
    this.e
      .get(VA)
      .op(Op.i32WrapI64)
      .get(ENTRY)
      .mem(Op.i32Load, 8 + (write ? WRITE_ARRAY : 0))
      .op(Op.i32Add);
  }

  // Operands.

  protected operand(name: OperandName): number {
    return operandValue(this.current.row, this.current.word, name);
  }

  private vectorNumber(which: VectorOperand): number {
    const { row } = this.current;
    const lasx = which.replace('v', 'x') as OperandName;
    return this.operand(row.operands.includes(lasx) ? lasx : which);
  }

  protected state(): void {
    this.e.get(STATE_PAGE);
  }

  protected gpr(which: 'rd' | 'rj' | 'rk'): void {
    const r = this.operand(which);
    if (r === 0) this.e.i64n(0);
    else this.e.get(this.gprs[r]!);
  }

  protected fpr(which: 'fd' | 'fj' | 'fk' | 'fa'): void {
    this.e.get(STATE_PAGE).mem(Op.i64Load, STATE.fpr + 32 * this.operand(which));
  }

  protected fcc(which: 'cj' | 'ca'): void {
    this.e.get(STATE_PAGE).mem(Op.i64Load8U, STATE.fcc + this.operand(which));
  }

  protected scr(): void {
    this.e.get(STATE_PAGE).mem(Op.i64Load, STATE.scr + 8 * this.operand('scrj'));
  }

  protected immediate(operand: OperandName): void {
    this.e.i64n(this.operand(operand));
  }

  protected pc(): void {
    this.e
      .get(PAGE_VA)
      .i64n(4 * this.current.at)
      .op(Op.i64Add);
  }

  protected vector(which: VectorOperand, half: Half): void {
    this.e.get(STATE_PAGE).mem(Simd.v128Load, STATE.fpr + 32 * this.vectorNumber(which) + 16 * half);
  }

  protected vectorAddress(which: VectorOperand): void {
    this.e
      .get(STATE_PAGE)
      .i32(32 * this.vectorNumber(which))
      .op(Op.i32Add);
  }
}
