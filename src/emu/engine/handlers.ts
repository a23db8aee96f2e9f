/**
 * The handlers of the instructions: WebAssembly for the recorded definitions, one statement and node after the other.
 * How a handler goes on when it is done (the loop, or the caller) is the business of the function around it.
 */
import { EXCEPTIONS, type ExceptionName } from '../cpu/exception-table.ts';
import { CSR_LIMIT, MODE_GUEST, MODE_UNITS_OFF, STATE, TLB_ENTRIES, UOP_BYTES, VECTOR_PENDING } from '../cpu/layout.ts';
import { HELPERS, type HelperName } from '../isa/helpers.ts';
import type { OperandName } from '../isa/operands.ts';
import { UNITS } from '../isa/row.ts';
import { ACCESS, type Access, type Half, type Node, type Stmt, type VectorOperand } from '../isa/semantics.ts';
import { Definitions, LOAD, PENDING_FIELDS, STORE } from './definitions.ts';
import { emitCsr, isCsrHelper } from './native-csr.ts';
import { floatForm, pushNotQuiet } from './native-float.ts';
import { emitTime, emitTimerId, type TimeSite } from './native-time.ts';
import { vectorForm } from './native-vector.ts';
import { FPR_PLACE, GPR_PLACE, immediatePlace, type Variant, VR_PLACE } from './uop.ts';
import { type Label, Locals } from './wasm/emitter.ts';
import { Op, Simd, type Ty } from './wasm/opcodes.ts';

/** Loads of immediates by their size in the micro-op. */
const IMMEDIATE = { 1: Op.i64Load8U, 2: Op.i64Load16S, 4: Op.i64Load32S } as const;
const ACCESS_NAMES = Object.keys(ACCESS) as Access[];

/** Index of an access kind, as `loadSlow` and `storeSlow` receive it. */
const accessCode = (a: Access): number => ACCESS_NAMES.indexOf(a);
/** The access kind of a code. */
export const accessByCode = (code: number): Access => ACCESS_NAMES[code]!;
/** Flag of `hostSlow`: the access writes. */
export const HOST_WRITE = 0x100;

// Fixed locals of `run`; parameter 0 is the budget and becomes what is left at far jumps.
export const REM = 0;
export const P = 1;
export const X = 2;
export const PC_OFF = 3;
export const VA = 4;
export const ENTRY = 5;
export const R = 6;
export const READ_TLB = 7;
export const WRITE_TLB = 8;
export const FETCH_TLB = 9;
export const TARGET = 10;
export const AFTER = 11;
/** How a region has left, until the place where it did is found. */
export const TARGET_KIND = 12;
/** The micro-op of the computed jump that leads to TARGET, or 0. */
export const SOURCE = 13;
export const FIXED: readonly Ty[] = [
  'i32',
  'i32',
  'i64',
  'i64',
  'i32',
  'i32',
  'i32',
  'i32',
  'i32',
  'i64',
  'i32',
  'i32',
  'i32',
];

/** Function index of a helper: imports come first. */
export const helperIndex = (name: HelperName): number => HELPERS.indexOf(name);

/** Emits handlers into a function whose fixed locals are those above. */
export abstract class Handlers extends Definitions {
  protected readonly locals = new Locals(1 + FIXED.length);
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
  protected abstract plain(name: HelperName, code: number): boolean;

  /** One handler: the checks that the row demands, and its body. */
  protected handler(v: Variant): void {
    this.locals.reset();
    this.values = new Map();
    this.goesOn = v.second !== undefined;
    this.variant(v);
    if (!v.second) return;
    this.values = new Map();
    this.goesOn = false;
    this.variant(v.second);
  }

  /** The first of a pair is being emitted: the second follows it. */
  private goesOn = false;

  /** Pushes the address of the instruction at P. */
  protected pcOf(): void {
    this.e.get(PC_OFF).get(P).i32(1).op(Op.i32ShrU, Op.i64ExtendI32U).op(Op.i64Add);
  }

  protected raise(name: ExceptionName): void {
    this.sync();
    this.e
      .i32(EXCEPTIONS.findIndex((x) => x.name === name))
      .call(helperIndex('raise'))
      .set(R)
      .br(this.exit);
  }

  private variant(v: Variant): void {
    const { e } = this;
    const when = (mask: number, then: () => void): void => {
      e.i32(0)
        .mem(Op.i32Load, this.base + STATE.mode)
        .i32(mask)
        .op(Op.i32And);
      const yes = e.if();
      then();
      e.end(yes);
    };
    // Guest INE beats the privilege check; a privilege violation beats GSPR (docs/lvz.md).
    if (v.row.guest === 'INE') when(MODE_GUEST, () => this.raise('INE'));
    if (v.row.priv) when(3, () => this.raise('IPE'));
    if (v.row.guest === 'GSPR') when(MODE_GUEST, () => this.raise('GSPR'));
    if (v.row.unit) {
      const unit = UNITS.indexOf(v.row.unit);
      when(MODE_UNITS_OFF << unit, () => {
        this.sync();
        e.i32(unit).call(helperIndex('unitDisabled')).set(R).br(this.exit);
      });
    }
    const open = this.stmts(v.body, v);
    if (!open) return;
    if (v.body.some((s) => s.s === 'call')) {
      e.get(AFTER);
      const leave = e.if();
      e.get(AFTER).set(R).br(this.exit);
      e.end(leave);
    }
    if (this.goesOn) e.get(P).i32(UOP_BYTES).op(Op.i32Add).set(P);
    else this.advance();
  }

  /** Emits statements; false when control never reaches their end. */
  private stmts(list: readonly Stmt[], v: Variant): boolean {
    for (const s of list) if (!this.stmt(s, v)) return false;
    return true;
  }

  private stmt(s: Stmt, v: Variant): boolean {
    const { e } = this;
    switch (s.s) {
      case 'let':
        this.node(s.value);
        e.set(this.local(s.id, s.ty));
        return true;
      case 'setRd':
        if (v.rdZero) return true;
        if (v.home === 'own') this.setUnlessZero('rd', s.value);
        else {
          this.gprAddress('rd');
          this.node(s.value);
          e.mem(Op.i64Store, this.base + STATE.gpr);
        }
        return true;
      case 'setRj':
        this.setUnlessZero('rj', s.value);
        return true;
      case 'setVd':
        this.vectorAddress('vd');
        this.node(s.value);
        e.mem(Simd.v128Store, this.base + STATE.fpr + 16 * s.half);
        return true;
      case 'setElement':
        this.vectorAddress('vd');
        this.node(s.offset);
        e.op(Op.i32Add);
        this.node(s.value);
        e.mem(STORE[ACCESS[s.access].size]!, this.base + STATE.fpr);
        return true;
      case 'setFd':
        this.fprAddress('fd');
        this.node(s.value);
        e.mem(Op.i64Store, this.base + STATE.fpr);
        return true;
      case 'setCd':
        e.get(P).mem(Op.i32Load8U, immediatePlace('cd').offset);
        this.node(s.value);
        e.mem(Op.i64Store8, this.base + STATE.fcc);
        return true;
      case 'setScr':
        this.scrAddress('scrd');
        this.node(s.value);
        e.mem(Op.i64Store, this.base + STATE.scr);
        return true;
      case 'setRa':
        e.i32(0);
        this.node(s.value);
        e.mem(Op.i64Store, this.base + STATE.gpr + 8);
        return true;
      case 'setState':
        e.i32(0);
        this.node(s.value);
        e.mem(s.value.ty === 'i64' ? Op.i64Store : Op.i32Store, this.base + STATE[s.field]);
        return true;
      case 'load':
        this.load(s);
        return true;
      case 'store':
        this.store(s);
        return true;
      case 'loadVector':
        this.loadVector(s);
        return true;
      case 'storeVector':
        this.storeVector(s);
        return true;
      case 'host':
        this.host(s);
        return true;
      case 'peek':
        this.node(s.host);
        e.mem(LOAD[s.access], 0).set(this.local(s.id, 'i64'));
        return true;
      case 'poke':
        this.node(s.host);
        this.node(s.value);
        e.mem(STORE[ACCESS[s.access].size]!, 0);
        return true;
      case 'update':
      case 'compareExchange':
      case 'fence':
        this.atomic(s);
        return true;
      case 'call':
        this.call(s);
        return true;
      case 'if': {
        this.node(s.cond);
        const yes = e.if();
        this.stmts(s.yes, v);
        if (s.no.length) {
          e.else();
          this.stmts(s.no, v);
        }
        e.end(yes);
        return true;
      }
      case 'branch':
        return this.branch(s, v);
      case 'jump':
        this.node(s.target);
        e.set(TARGET).get(P).set(SOURCE);
        this.goFar(true);
        return false;
    }
  }

  private branch(s: Extract<Stmt, { s: 'branch' }>, v: Variant): boolean {
    const { e } = this;
    let taken: Label | undefined;
    if (s.cond) {
      this.node(s.cond);
      taken = e.if();
    }
    if (v.far) {
      this.pcOf();
      e.get(P).mem(Op.i64Load32S, 4).op(Op.i64Add).set(TARGET);
      this.goFar(true);
    } else {
      this.near();
    }
    if (!taken) return false;
    e.end(taken);
    return true;
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

  private load(s: Extract<Stmt, { s: 'load' }>): void {
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

  private store(s: Extract<Stmt, { s: 'store' }>): void {
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

  private loadVector(s: Extract<Stmt, { s: 'loadVector' }>): void {
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

  private storeVector(s: Extract<Stmt, { s: 'storeVector' }>): void {
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

  private host(s: Extract<Stmt, { s: 'host' }>): void {
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

  private call(s: Extract<Stmt, { s: 'call' }>): void {
    const vector = s.helper === 'vectorFpu' ? vectorForm(s.code) : undefined;
    if (vector) {
      this.callVector(s, vector);
      return;
    }
    if (isCsrHelper(s.helper)) {
      this.callCsr(s, s.helper);
      return;
    }
    if (s.helper === 'rdtime') {
      this.callTime(s);
      return;
    }
    const form = s.helper === 'fpu' ? floatForm(s.code) : undefined;
    if (!form) {
      this.callHelper(s);
      return;
    }
    const { e } = this;
    const done = e.block();
    const exact = e.block();
    this.loadState(Op.i32Load, 'fcsr');
    pushNotQuiet(e);
    e.brIf(exact);
    const operand = (n: 0 | 1 | 2): void => this.floatOperand(s, n);
    form.emit({
      e,
      take: (ty) => this.locals.take(ty),
      failIf: () => e.brIf(exact),
      operand,
      fused: (single) => e.call(HELPERS.length + (single ? 1 : 0)),
    });
    e.set(this.local(s.id, 'i64'));
    e.i32(0)
      .i32(s.code + 1)
      .mem(Op.i32Store, this.base + STATE.fpPending);
    for (const [n, field] of PENDING_FIELDS.slice(0, form.operands).entries()) {
      e.i32(0);
      operand(n as 0 | 1 | 2);
      e.mem(Op.i64Store, this.base + STATE[field]);
    }
    e.i32(0).set(AFTER).br(done);
    e.end(exact);
    this.callHelper(s);
    e.end(done);
  }

  private callCsr(s: Extract<Stmt, { s: 'call' }>, helper: Parameters<typeof emitCsr>[0]): void {
    const { e } = this;
    const done = e.block();
    const long = e.block();
    const numLocal = this.locals.take('i32');
    this.node(s.args[0]!);
    e.op(Op.i32WrapI64).tee(numLocal).i32(CSR_LIMIT).op(Op.i32GeU).brIf(long);
    emitCsr(helper, {
      e,
      state: () => this.state(),
      base: this.base,
      num: undefined,
      numLocal,
      result: this.local(s.id, 'i64'),
      mode: () => this.loadState(Op.i32Load, 'mode'),
      value: () => this.node(s.args[1]!),
      mask: helper.endsWith('xchg') ? () => this.gpr('rj') : undefined,
      pc: () => this.loadState(Op.i64Load, 'pc'),
      left: () => this.loadState(Op.i32Load, 'left'),
      failIf: () => e.brIf(long),
    });
    e.i32(0).set(AFTER).br(done);
    e.end(long);
    this.callHelper(s);
    e.end(done);
  }

  private callTime(s: Extract<Stmt, { s: 'call' }>): void {
    const { e } = this;
    const done = e.block();
    const long = e.block();
    const site: TimeSite = {
      e,
      state: () => this.state(),
      base: this.base,
      result: this.local(s.id, 'i64'),
      mode: () => this.loadState(Op.i32Load, 'mode'),
      left: () => this.loadState(Op.i32Load, 'left'),
      failIf: () => e.brIf(long),
    };
    emitTime(site);
    emitTimerId(site);
    e.i32(0).set(AFTER).br(done);
    e.end(long);
    this.callHelper(s);
    e.end(done);
  }

  private callVector(s: Extract<Stmt, { s: 'call' }>, form: NonNullable<ReturnType<typeof vectorForm>>): void {
    const { e } = this;
    const done = e.block();
    const exact = e.block();
    this.loadState(Op.i32Load, 'fcsr');
    pushNotQuiet(e);
    e.brIf(exact);
    this.nativeVector(
      form,
      () => e.brIf(exact),
      (single) => e.call(HELPERS.length + (single ? 3 : 2)),
      (half, value) => {
        this.vectorAddress('vd');
        e.get(value).mem(Simd.v128Store, this.base + STATE.fpr + 16 * half);
      },
    );
    e.i32(0)
      .i32(VECTOR_PENDING + s.code)
      .mem(Op.i32Store, this.base + STATE.fpPending);
    e.i32(0).set(AFTER).br(done);
    e.end(exact);
    this.callHelper(s);
    e.end(done);
  }

  private callHelper(s: Extract<Stmt, { s: 'call' }>): void {
    const { e } = this;
    s.args.forEach((arg, i) => {
      e.i32(0);
      this.node(arg);
      e.mem(Op.i64Store, this.base + (i === 0 ? STATE.argA : STATE.argB));
    });
    this.sync();
    if (this.plain(s.helper, s.code)) {
      e.tee(R).brIf(this.exit);
    }
    e.i32(s.code).call(helperIndex(s.helper)).tee(AFTER);
    // `leave` (2) and `goOn` (6) let the instruction finish its register writes first.
    e.i32(1).op(Op.i32And);
    const stop = e.if();
    e.get(AFTER).set(R).br(this.exit);
    e.end(stop);
    e.i32(0)
      .mem(Op.i64Load, this.base + STATE.value)
      .set(this.local(s.id, 'i64'));
  }

  /** Pushes register number × 8 of an operand. */
  private gprAddress(which: 'rd' | 'rj' | 'rk'): void {
    this.e.get(P).mem(Op.i32Load8U, GPR_PLACE[which]);
  }

  /** Pushes register number × 8 of a scratch register. */
  private scrAddress(which: 'scrd' | 'scrj'): void {
    this.e.get(P).mem(Op.i32Load8U, immediatePlace(which).offset).i32(3).op(Op.i32Shl);
  }

  /** Pushes register number × 32 of a floating-point operand: registers are as wide as LASX. */
  private fprAddress(which: keyof typeof FPR_PLACE): void {
    this.e.get(P).mem(Op.i32Load8U, FPR_PLACE[which]).i32(2).op(Op.i32Shl);
  }

  /** Pushes register number × 32 of a vector operand. */
  protected vectorAddress(which: keyof typeof VR_PLACE): void {
    this.e.get(P).mem(Op.i32Load8U, VR_PLACE[which]).i32(2).op(Op.i32Shl);
  }

  /** Writes a register whose field may name r0, which stays 0. */
  private setUnlessZero(which: 'rd' | 'rj', value: Node): void {
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
