/**
 * The interpreter: one WebAssembly function per build, emitted from the instruction definitions.
 *
 * `run(budget)` executes up to `budget` instructions from STATE.pc and answers why it left. Straight-line code has no
 * counter: `x` is a micro-op address such that (x − p) / 8 is the budget left, and a taken branch moves `x` along.
 *  - fast build: looks at the budget only at taken branches, and leaves while a page's worth is still left;
 *  - exact build: looks before every instruction, so it ends on the very count.
 * A third function, `outlined`, holds the handlers that are too rare or too slow for a place in the dispatch loop; it
 * executes the one micro-op it is given and answers like a helper.
 * PC is never kept: PC = pcOff + p / 2, because a micro-op is twice as long as an instruction.
 */

import { cpuBase, FETCH_ENTRIES, STATE, UOP_BYTES, UOPS_PER_PAGE } from '../cpu/layout.ts';
import { HELPERS } from '../isa/helpers.ts';
import {
  ENTRY,
  FETCH_TLB,
  FIXED,
  Handlers,
  helperIndex,
  P,
  PC_OFF,
  R,
  READ_TLB,
  REM,
  TARGET,
  WRITE_TLB,
  X,
} from './handlers.ts';
import { type HandlerMap, PSEUDO, type Pseudo } from './uop.ts';
import type { Label } from './wasm/emitter.ts';
import { assembleModule, type FuncDef } from './wasm/module.ts';
import { Op } from './wasm/opcodes.ts';

/** Why `run` came back: {@link import('../isa/helpers.ts').After} values, or the budget. */
export const LEFT_BY_BUDGET = 4;

/** Below this budget the fast build refuses to start. */
export const FAST_MINIMUM = 2 * (UOPS_PER_PAGE + 1);

type Kind = 'fast' | 'exact' | 'outlined';
/** Function index of `outlined`: the helpers come first, then the functions in the order of {@link emitInterpreter}. */
const OUTLINED = HELPERS.length + 2;

/** Emits the module of CPU number `cpu`: imports `env.memory` and the helpers, exports `fast`, `exact` and `outlined`. */
export function emitInterpreter(map: HandlerMap, cpu: number, memoryPages: number): Uint8Array<ArrayBuffer> {
  const imports = HELPERS.map((name) => ({ name, type: { params: ['i32'], results: ['i32'] } as const }));
  return assembleModule(memoryPages, imports, [
    new Build(map, cpuBase(cpu), 'fast').emit(),
    new Build(map, cpuBase(cpu), 'exact').emit(),
    new Build(map, cpuBase(cpu), 'outlined').emit(),
  ]);
}

class Build extends Handlers {
  private readonly map: HandlerMap;
  private readonly kind: Kind;
  private far!: Label;
  private next!: Label;

  constructor(map: HandlerMap, base: number, kind: Kind) {
    super(base);
    this.map = map;
    this.kind = kind;
  }

  emit(): FuncDef {
    const { e } = this;
    for (const [local, field] of [
      [READ_TLB, STATE.readTlb],
      [WRITE_TLB, STATE.writeTlb],
      [FETCH_TLB, STATE.fetchTlb],
    ] as const)
      e.i32(0)
        .mem(Op.i32Load, this.base + field)
        .set(local);
    if (this.kind === 'outlined') this.one();
    else this.loop();
    e.op(Op.end);
    return {
      name: this.kind,
      type: { params: ['i32'], results: ['i32'] },
      locals: [...FIXED, ...this.locals.all()],
      body: e.bytes.view(),
    };
  }

  /** `fast` and `exact`: micro-op after micro-op, until something leaves. */
  private loop(): void {
    const { e } = this;
    e.i32(0)
      .mem(Op.i64Load, this.base + STATE.pc)
      .set(TARGET);
    this.exit = e.block();
    this.far = e.loop();
    this.enterPage();
    this.next = e.loop();
    if (this.kind === 'exact') {
      e.get(P).get(X).op(Op.i32GeU);
      this.leaveIf(LEFT_BY_BUDGET);
    }
    this.dispatch(false, () => {
      this.sync();
      e.get(P).call(OUTLINED).tee(R).brIf(this.exit);
      this.advance();
    });
    e.end(this.next);
    e.end(this.far);
    e.op(Op.unreachable);
    e.end(this.exit);
    this.epilogue();
  }

  /** `outlined`: the micro-op at the address in parameter 0. The caller has made PC and budget visible. */
  private one(): void {
    const { e } = this;
    e.get(REM).set(P);
    e.i32(0)
      .mem(Op.i64Load, this.base + STATE.pc)
      .get(P)
      .i32(1)
      .op(Op.i32ShrU, Op.i64ExtendI32U, Op.i64Sub)
      .set(PC_OFF);
    this.exit = e.block();
    this.dispatch(true, () => e.op(Op.unreachable));
    e.end(this.exit);
    e.get(R);
  }

  /** Goes to the handler of the micro-op at P; `elsewhere` is emitted once, for all that the other kind of function has. */
  private dispatch(outlined: boolean, elsewhere: () => void): void {
    const { e } = this;
    const handlers: ((() => void) | undefined)[] = [
      ...PSEUDO.map((p) => (outlined ? undefined : () => this.pseudo(p))),
      ...this.map.variants.map((v) => (v.outlined === outlined ? () => this.handler(v) : undefined)),
    ];
    const other = e.block();
    const labels = handlers.map(() => other);
    for (let i = handlers.length - 1; i >= 0; i--) if (handlers[i]) labels[i] = e.block();
    e.get(P).mem(Op.i32Load16U, 0);
    e.brTable(labels, outlined ? other : labels[PSEUDO.indexOf('ine')]!);
    handlers.forEach((emit, i) => {
      if (!emit) return;
      e.end(labels[i]!);
      emit();
    });
    e.end(other);
    elsewhere();
  }

  /** TARGET and REM decide P, X and PC_OFF. */
  private enterPage(): void {
    const { e } = this;
    // A spent budget leaves here, before the next instruction's fetch can fault.
    e.get(REM).i32(0).op(Op.i32LeS);
    const spent = e.if();
    this.saveTarget();
    e.i32(LEFT_BY_BUDGET).op(Op.return);
    e.end(spent);
    e.get(TARGET)
      .i64(12n)
      .op(Op.i64ShrU, Op.i32WrapI64)
      .i32(FETCH_ENTRIES - 1)
      .op(Op.i32And)
      .i32(4)
      .op(Op.i32Shl)
      .get(FETCH_TLB)
      .op(Op.i32Add)
      .set(ENTRY);
    // Bits 1:0 stay in the comparison: a misaligned target never matches and is looked at by the slow path.
    e.get(ENTRY).mem(Op.i64Load, 0).get(TARGET).i64(~0xffcn).op(Op.i64And).op(Op.i64Ne);
    const miss = e.if();
    this.saveTarget();
    e.i32(0).call(helperIndex('fetchSlow')).tee(R);
    const stop = e.if();
    e.get(R).op(Op.return);
    e.end(stop);
    e.end(miss);
    e.get(ENTRY).mem(Op.i32Load, 8).set(P);
    e.get(TARGET).i64(~0xfffn).op(Op.i64And).get(P).i32(1).op(Op.i32ShrU, Op.i64ExtendI32U).op(Op.i64Sub).set(PC_OFF);
    e.get(P).get(TARGET).op(Op.i32WrapI64).i32(0xffc).op(Op.i32And).i32(1).op(Op.i32Shl).op(Op.i32Add).set(P);
    e.get(P).get(REM).i32(3).op(Op.i32Shl).op(Op.i32Add).set(X);
    if (this.kind === 'fast') {
      e.get(REM)
        .i32(UOPS_PER_PAGE + 1)
        .op(Op.i32LtS);
      this.leaveIf(LEFT_BY_BUDGET);
    }
  }

  /** PC and budget between two instructions, where TARGET and REM hold them. */
  private saveTarget(): void {
    const { e } = this;
    e.i32(0)
      .get(TARGET)
      .mem(Op.i64Store, this.base + STATE.pc);
    e.i32(0)
      .get(REM)
      .mem(Op.i32Store, this.base + STATE.left);
  }

  /** Stores what the outside needs to know; R tells how far the current instruction got. */
  private epilogue(): void {
    const { e } = this;
    // Left after the instruction (2, 3): it counts as executed.
    e.get(R).i32(2).op(Op.i32Eq).get(R).i32(3).op(Op.i32Eq).op(Op.i32Or);
    const bump = e.if();
    e.get(P).i32(UOP_BYTES).op(Op.i32Add).set(P);
    e.end(bump);
    this.saveLeft();
    e.get(R).i32(3).op(Op.i32Ne);
    const keep = e.if();
    this.savePc();
    e.end(keep);
    e.get(R);
  }

  /** Leaves with `reason` when the i32 on the stack is not 0. */
  private leaveIf(reason: number): void {
    const { e } = this;
    const yes = e.if();
    e.i32(reason).set(R).br(this.exit);
    e.end(yes);
  }

  /** The instruction at P is done. */
  protected advance(): void {
    if (this.kind === 'outlined') this.e.i32(0).set(R).br(this.exit);
    else this.e.get(P).i32(UOP_BYTES).op(Op.i32Add).set(P).br(this.next);
  }

  /** Goes to the address in TARGET; `done` tells whether the instruction at P counts as executed. */
  protected goFar(done: boolean): void {
    const { e } = this;
    e.get(X).get(P).op(Op.i32Sub);
    if (done) e.i32(UOP_BYTES).op(Op.i32Sub);
    e.i32(3).op(Op.i32ShrS).set(REM).br(this.far);
  }

  /** A near branch is taken. */
  protected near(): void {
    const { e } = this;
    // x moves with p, so that (x − p) / 8 drops by the one instruction executed.
    e.get(X).get(P).mem(Op.i32Load, 4).op(Op.i32Add).i32(UOP_BYTES).op(Op.i32Sub).set(X);
    e.get(P).get(P).mem(Op.i32Load, 4).op(Op.i32Add).set(P);
    if (this.kind === 'fast') {
      e.get(X)
        .get(P)
        .op(Op.i32Sub)
        .i32((UOPS_PER_PAGE + 1) * UOP_BYTES)
        .op(Op.i32LtS);
      this.leaveIf(LEFT_BY_BUDGET);
    }
    e.br(this.next);
  }

  private pseudo(name: Pseudo): void {
    const { e } = this;
    switch (name) {
      case 'decode':
        e.get(P).call(helperIndex('decode')).op(Op.drop).br(this.next);
        return;
      case 'pageEnd':
        this.pcOf();
        e.set(TARGET);
        this.goFar(false);
        return;
      case 'breakpoint':
        this.sync();
        e.get(P).call(helperIndex('breakpoint')).set(R).br(this.exit);
        return;
      case 'ine':
        this.raise('INE');
        e.op(Op.unreachable);
        return;
      case 'nop':
        this.advance();
        return;
    }
  }

  /** Makes PC and budget visible to helpers. */
  protected sync(): void {
    if (this.kind === 'outlined') return;
    this.savePc();
    this.saveLeft();
  }

  private savePc(): void {
    this.e.i32(0);
    this.pcOf();
    this.e.mem(Op.i64Store, this.base + STATE.pc);
  }

  private saveLeft(): void {
    this.e
      .i32(0)
      .get(X)
      .get(P)
      .op(Op.i32Sub)
      .i32(3)
      .op(Op.i32ShrS)
      .mem(Op.i32Store, this.base + STATE.left);
  }
}
