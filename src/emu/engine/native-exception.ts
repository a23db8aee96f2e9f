/**
 * The commonest exceptions and the return from them as WebAssembly: system calls and breakpoints that stay in their world,
 * and `ertn` that does. The steps are those of cpu/exceptions.ts, which does all others, and these too while somebody wants
 * to know of exceptions.
 */
import { CSR } from '../cpu/csr-table.ts';
import { ecodeOf } from '../cpu/exception-table.ts';
import { IS_MASK } from '../cpu/interrupts.ts';
import {
  EVENT_BYTES,
  EVENTS,
  EVENTS_OFFSET,
  FETCH_ENTRIES,
  GUEST_BANK_FACTOR,
  MODE_GUEST,
  STATE,
  TLB_ENTRIES,
} from '../cpu/layout.ts';
import { After } from '../isa/helpers.ts';
import { Emitter, type Label } from './wasm/emitter.ts';
import type { FuncDef } from './wasm/module.ts';
import { Float, Op, type Ty } from './wasm/opcodes.ts';

/** Exceptions that {@link plainException} knows. */
export const PLAIN = { SYS: ecodeOf('SYS'), BRK: ecodeOf('BRK') } as const;

/** How many exceptions in a row are worth a look by cpu/exceptions.ts: one less than a power of two. */
const NESTING_MASK = 0xff;
const CRMD_SAVED = 0x207;
const CRMD_IE = 4;
const PGM = 2;
const KLO = 4;

// Locals behind the parameter (the Ecode, or nothing of use).
const ECODE = 0;
const BANK = 1;
const CRMD = 2;
const SLOT = 3;
const SET = 4;
const RECORD = 5;
const PC = 6;
const PENDING = 7;
const LOCALS: readonly Ty[] = ['i32', 'i32', 'i32', 'i32', 'i32', 'i64', 'i32'];

class Plain {
  readonly e = new Emitter();
  private readonly base: number;
  /** Leaves with `next`: cpu/exceptions.ts has to do it. */
  private readonly refuse: Label;

  constructor(base: number) {
    this.base = base;
    this.refuse = this.e.block();
  }

  private load(field: number, opcode: number = Op.i32Load): Emitter {
    return this.e.i32(0).mem(opcode, this.base + field);
  }

  /** Pushes a register of the running world's bank. */
  private csr(num: number, opcode: number = Op.i32Load): Emitter {
    return this.e.get(BANK).mem(opcode, this.base + STATE.hostCsr + 8 * num);
  }

  /** Stores the value that `value` pushes into such a register. */
  private setCsr(num: number, value: () => void, opcode: number = Op.i32Store): void {
    this.e.get(BANK);
    value();
    this.e.mem(opcode, this.base + STATE.hostCsr + 8 * num);
  }

  begin(): void {
    const { e } = this;
    this.load(STATE.exceptionsWatched);
    e.brIf(this.refuse);
    this.load(STATE.mode).i32(MODE_GUEST).op(Op.i32And).i32(GUEST_BANK_FACTOR).op(Op.i32Mul).set(BANK);
    this.csr(CSR.CRMD).set(CRMD);
  }

  refuseIf(): void {
    this.e.brIf(this.refuse);
  }

  /** The software TLB set and mode word for the CRMD value on the stack, which goes into CRMD; refuses an unknown mode. */
  private chooseContext(): void {
    const { e } = this;
    e.tee(CRMD).i32(3).op(Op.i32And).get(CRMD).i32(0x18).op(Op.i32And).i32(1).op(Op.i32ShrU).op(Op.i32Or);
    // The guest's modes come behind the host's.
    e.i32(16).i32(0).get(BANK).op(Op.select).op(Op.i32Or).i32(2).op(Op.i32Shl).set(SLOT);
    e.get(SLOT)
      .mem(Op.i32Load, this.base + STATE.contextSets)
      .tee(SET)
      .op(Op.i32Eqz);
    this.refuseIf();
  }

  private enterContext(): void {
    const { e } = this;
    const store = (field: number, push: () => void): void => {
      e.i32(0);
      push();
      e.mem(Op.i32Store, this.base + field);
    };
    this.setCsr(CSR.CRMD, () => e.get(CRMD));
    store(STATE.readTlb, () => e.get(SET));
    store(STATE.writeTlb, () =>
      e
        .get(SET)
        .i32(16 * TLB_ENTRIES)
        .op(Op.i32Add),
    );
    store(STATE.fetchTlb, () =>
      e
        .get(SET)
        .i32(32 * TLB_ENTRIES)
        .op(Op.i32Add),
    );
    store(STATE.mode, () => e.get(SLOT).mem(Op.i32Load, this.base + STATE.contextModes));
  }

  exception(): void {
    const { e, base } = this;
    this.begin();
    // Every so many in a row without a return are looked at.
    this.load(STATE.nesting).i32(1).op(Op.i32Add).i32(NESTING_MASK).op(Op.i32And, Op.i32Eqz);
    this.refuseIf();
    // The instruction word, from the fetch translation through which it came.
    this.load(STATE.pc, Op.i64Load).set(PC);
    e.get(PC)
      .i64n(12)
      .op(Op.i64ShrU, Op.i32WrapI64)
      .i32(FETCH_ENTRIES - 1)
      .op(Op.i32And)
      .i32(4)
      .op(Op.i32Shl);
    this.load(STATE.fetchTlb);
    e.op(Op.i32Add).tee(SET).mem(Op.i64Load, 0).get(PC).i64n(~0xfff).op(Op.i64And).op(Op.i64Ne);
    this.refuseIf();
    e.get(SET)
      .mem(Op.i32Load, 12)
      .get(PC)
      .op(Op.i32WrapI64)
      .i32(0xffc)
      .op(Op.i32And)
      .op(Op.i32Add)
      .mem(Op.i32Load, 0)
      .set(PENDING);
    e.get(CRMD).i32(~CRMD_SAVED).op(Op.i32And);
    const before = (): Emitter => this.csr(CSR.CRMD);
    this.chooseContext();
    this.record();
    // PRMD: PPLV and PIE as they were, PWE from WE.
    this.setCsr(CSR.PRMD, () => {
      before().i32(7).op(Op.i32And);
      before().i32(6).op(Op.i32ShrU).i32(8).op(Op.i32And).op(Op.i32Or);
    });
    this.enterContext();
    // In the host GSTAT.PGM tells that no guest was left.
    e.get(BANK).op(Op.i32Eqz);
    const host = e.if();
    this.setCsr(CSR.GSTAT, () => this.csr(CSR.GSTAT).i32(~PGM).op(Op.i32And));
    e.end(host);
    this.setCsr(CSR.ERA, () => e.get(PC), Op.i64Store);
    this.setCsr(CSR.ESTAT, () => {
      this.csr(CSR.ESTAT).i32(~0x7fff0000).op(Op.i32And).get(ECODE).i32(16).op(Op.i32Shl).op(Op.i32Or);
    });
    this.setCsr(CSR.BADI, () => e.get(PENDING));
    // PC = EENTRY + slot of 2^(VS+2) bytes.
    e.i32(0);
    this.csr(CSR.EENTRY, Op.i64Load);
    e.i32(0).get(ECODE).i32(4).op(Op.i32Mul);
    this.csr(CSR.ECFG).i32(16).op(Op.i32ShrU).i32(7).op(Op.i32And).tee(SET).op(Op.i32Shl);
    e.get(SET).op(Op.i32Eqz, Op.select, Op.i64ExtendI32U).op(Op.i64Add).tee(PC);
    e.mem(Op.i64Store, base + STATE.pc);
    e.get(RECORD)
      .get(PC)
      .mem(Op.i64Store, base + EVENTS_OFFSET.records + 44);
    e.i32(0);
    this.load(STATE.nesting)
      .i32(1)
      .op(Op.i32Add)
      .mem(Op.i32Store, base + STATE.nesting);
    e.i32(After.arrived).op(Op.return);
    this.end();
  }

  /** Adds a record to the event ring, and counts. */
  private record(): void {
    const { e, base } = this;
    const at = (offset: number): number => base + offset;
    this.load(EVENTS_OFFSET.next).tee(RECORD).i32(3).op(Op.i32Shl);
    this.load(STATE.sliceEnd, Float.f64Load);
    this.load(STATE.left).op(Float.f64ConvertI32S, Float.f64Sub).mem(Float.f64Store, at(EVENTS_OFFSET.times));
    e.i32(0)
      .get(RECORD)
      .i32(1)
      .op(Op.i32Add)
      .i32(EVENTS - 1)
      .op(Op.i32And)
      .mem(Op.i32Store, at(EVENTS_OFFSET.next));
    e.get(RECORD).i32(EVENT_BYTES).op(Op.i32Mul).set(RECORD);
    const field = (n: number, push: () => void): void => {
      e.get(RECORD);
      push();
      e.mem(Op.i32Store, at(EVENTS_OFFSET.records + 4 * n));
    };
    const wide = (n: number, push: () => void): void => {
      e.get(RECORD);
      push();
      e.mem(Op.i64Store, at(EVENTS_OFFSET.records + 4 * n));
    };
    field(0, () => e.i32(0));
    field(1, () => {
      // The GID of the guest, −1 in the host.
      this.load(STATE.hostCsr + 8 * CSR.GSTAT)
        .i32(16)
        .op(Op.i32ShrU)
        .i32(0xff)
        .op(Op.i32And);
      e.i32(-1).get(BANK).op(Op.select);
    });
    field(2, () => e.get(ECODE));
    field(3, () => e.i32(0));
    wide(4, () => e.get(PC));
    wide(6, () => e.i64n(0));
    field(8, () => e.get(PENDING));
    wide(9, () => e.i64n(0));
    e.i32(0);
    this.load(EVENTS_OFFSET.total, Float.f64Load).f64(1).op(Float.f64Add).mem(Float.f64Store, at(EVENTS_OFFSET.total));
    // Counters of host and guests lie side by side.
    const counter = (): Emitter =>
      e
        .get(ECODE)
        .i32(3)
        .op(Op.i32Shl)
        .i32(EVENTS_OFFSET.guestExceptions - EVENTS_OFFSET.hostExceptions)
        .i32(0)
        .get(BANK)
        .op(Op.select)
        .op(Op.i32Add);
    counter();
    counter().mem(Float.f64Load, at(EVENTS_OFFSET.hostExceptions)).f64(1).op(Float.f64Add);
    e.mem(Float.f64Store, at(EVENTS_OFFSET.hostExceptions));
  }

  return(): void {
    const { e, base } = this;
    this.begin();
    // A return from a machine error, or into a guest.
    e.get(BANK).op(Op.i32Eqz);
    const host = e.if();
    this.csr(CSR.MERRCTL).i32(1).op(Op.i32And);
    this.refuseIf();
    this.csr(CSR.TLBRERA).i32(1).op(Op.i32And);
    const refill = e.if();
    this.csr(CSR.TLBRPRMD).i32(8).op(Op.i32And);
    this.refuseIf();
    e.else();
    this.csr(CSR.GSTAT).i32(PGM).op(Op.i32And);
    this.refuseIf();
    e.end(refill);
    e.end(host);
    this.csr(CSR.TLBRERA).i32(1).op(Op.i32And);
    const afterRefill = e.if();
    // Paging again; PLV, IE and WE from TLBRPRMD.
    e.get(CRMD)
      .i32(~(CRMD_SAVED | 8))
      .op(Op.i32And)
      .i32(0x10)
      .op(Op.i32Or);
    this.csr(CSR.TLBRPRMD).tee(PENDING).i32(7).op(Op.i32And).op(Op.i32Or);
    e.get(PENDING).i32(0x10).op(Op.i32And).i32(5).op(Op.i32Shl).op(Op.i32Or);
    this.chooseContext();
    e.i32(0);
    this.csr(CSR.TLBRERA, Op.i64Load)
      .i64n(~3)
      .op(Op.i64And)
      .mem(Op.i64Store, base + STATE.pc);
    this.setCsr(CSR.TLBRERA, () => this.csr(CSR.TLBRERA).i32(~1).op(Op.i32And));
    e.else();
    e.get(CRMD).i32(~CRMD_SAVED).op(Op.i32And);
    this.csr(CSR.PRMD).tee(PENDING).i32(7).op(Op.i32And).op(Op.i32Or);
    e.get(PENDING).i32(8).op(Op.i32And).i32(6).op(Op.i32Shl).op(Op.i32Or);
    this.chooseContext();
    e.i32(0);
    this.csr(CSR.ERA, Op.i64Load).mem(Op.i64Store, base + STATE.pc);
    // LLBCTL.KLO keeps the LL bit over this one return.
    this.csr(CSR.LLBCTL).i32(KLO).op(Op.i32And);
    const keep = e.if();
    this.setCsr(CSR.LLBCTL, () => this.csr(CSR.LLBCTL).i32(~KLO).op(Op.i32And));
    e.else();
    e.i32(0)
      .i32(0)
      .mem(Op.i32Store, base + STATE.llBit);
    e.end(keep);
    e.end(afterRefill);
    this.enterContext();
    e.i32(0)
      .i32(0)
      .mem(Op.i32Store, base + STATE.nesting);
    // An interrupt may be due now: the host's always, the guest's in the guest.
    this.due(STATE.hostCsr);
    this.due(STATE.guestCsr);
    e.get(BANK).op(Op.i32And).op(Op.i32Or);
    const due = e.if();
    e.i32(After.jumped).op(Op.return);
    e.end(due);
    e.i32(After.arrived).op(Op.return);
    this.end();
  }

  /** Pushes all ones when a bank has an enabled interrupt pending and CRMD.IE set, else 0. */
  private due(bank: number): void {
    const { e } = this;
    this.load(bank + 8 * CSR.ESTAT);
    this.load(bank + 8 * CSR.ECFG)
      .op(Op.i32And)
      .i32(IS_MASK)
      .op(Op.i32And)
      .op(Op.i32Eqz, Op.i32Eqz);
    this.load(bank + 8 * CSR.CRMD)
      .i32(CRMD_IE)
      .op(Op.i32And)
      .op(Op.i32Eqz, Op.i32Eqz)
      .op(Op.i32And);
    e.i32(-1).op(Op.i32Mul);
  }

  private end(): void {
    this.e.end(this.refuse);
    this.e.i32(After.next).op(Op.end);
  }
}

const TYPE = { params: ['i32'], results: ['i32'] } as const;

/**
 * The functions `plainException` (of an Ecode) and `plainReturn` of the CPU whose state page is at `base`. PC and budget are
 * in the state page. They answer `arrived`, `jumped`, or `next` when nothing has been done.
 */
export function plainFunctions(base: number): readonly FuncDef[] {
  const exception = new Plain(base);
  exception.exception();
  const back = new Plain(base);
  back.return();
  return [
    { name: 'plainException', type: TYPE, locals: LOCALS, body: exception.e.bytes.view() },
    { name: 'plainReturn', type: TYPE, locals: LOCALS, body: back.e.bytes.view() },
  ];
}
