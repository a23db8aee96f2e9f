/**
 * The handlers of the instructions: WebAssembly for the recorded definitions, one statement and node after the other.
 * How a handler goes on when it is done (the loop, or the caller) is the business of the function around it.
 */
import { EXCEPTIONS, type ExceptionName } from '../cpu/exception-table.ts';
import { HELPERS } from '../cpu/helpers.ts';
import { UNITS } from '../isa/row.ts';
import { ACCESS, type Stmt } from '../isa/semantics.ts';
import { CSR_LIMIT, MODE_GUEST, MODE_UNITS_OFF, STATE, UOP_BYTES, VECTOR_PENDING } from '../memory/layout.ts';
import type { Label } from '../wasm/emitter.ts';
import { Op, Simd } from '../wasm/opcodes.ts';
import { LOAD, PENDING_FIELDS, STORE } from './definitions.ts';
import { HandlerMemory } from './handler-memory.ts';
import { helperIndex } from './helper-codes.ts';
import { emitCsr, isCsrHelper } from './inline-csr.ts';
import { floatForm, pushNotQuiet } from './inline-float.ts';
import { emitTime, emitTimerId, type TimeSite } from './inline-time.ts';
import { vectorForm } from './inline-vector-float.ts';
import { AFTER, P, R, SOURCE, TARGET } from './interpreter-locals.ts';
import { immediatePlace, type Variant } from './uop.ts';

/** Emits handlers into a function whose fixed locals are those above. */
export abstract class Handlers extends HandlerMemory {
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
    const num = this.locals.take('i32');
    this.node(s.args[0]!);
    e.op(Op.i32WrapI64).tee(num).i32(CSR_LIMIT).op(Op.i32GeU).brIf(long);
    emitCsr(helper, {
      e,
      state: () => this.state(),
      base: this.base,
      num,
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
    if (this.routine(s.helper, s.code)) {
      e.set(R).br(this.exit);
      return;
    }
    if (s.helper === 'ertn') throw new Error('handlers: ertn is outlined');
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
}
