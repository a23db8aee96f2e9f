/**
 * The interpreter: one WebAssembly function per build, emitted from the instruction definitions.
 *
 * `run(budget)` executes up to `budget` instructions from STATE.pc and returns the reason why it stopped.
 * Straight-line code has no counter: `x` is a micro-op address such that (x − p) / 8 is the rest of the budget. A
 * taken branch moves `x` too.
 * - fast build: checks the budget only at taken branches, and returns when less than a page's worth is left;
 * - exact build: checks before every instruction, so it stops at the exact count.
 * A third function, `outlined`, holds the handlers that are too rare or too slow for the dispatch loop. It executes
 * the one micro-op that it is given, and answers like a helper. Each vector instruction has a function of its own
 * that works in the same way. These functions are in a table, and each is made when it first runs.
 * PC is never stored: PC = pcOff + p / 2, because a micro-op is twice as long as an instruction.
 *
 * The fast build counts branches and enters translated regions (translator/region-interface.ts). When a region cannot
 * execute an instruction, it returns here before that instruction.
 */

import { After, type Callee, HELPERS, type RoutineName } from '../cpu/helpers.ts';
import {
  cellOffset,
  cpuBase,
  FETCH_ENTRIES,
  type Pool,
  REGION,
  REGIONS,
  STATE,
  sourceOffset,
  UOP_BYTES,
  UOPS_PER_PAGE,
} from '../memory/layout.ts';
import { Emitter, type Label, type Local, Locals } from '../wasm/emitter.ts';
import { assembleModule, type FuncDef, type FuncImport, type FuncType } from '../wasm/module.ts';
import { Op } from '../wasm/opcodes.ts';
import { pushState } from './expressions.ts';
import { FMA_IMPORTS } from './fma.ts';
import { gateFunctions, plainCode } from './gates.ts';
import { Handlers } from './handlers.ts';
import { helperIndex } from './helper-codes.ts';
import { type HandlerFrame, pushPc } from './interpreter-backend.ts';
import {
  ENTRY,
  FETCH_TLB,
  FIRST_FREE,
  FIXED,
  P,
  PC_OFF,
  R,
  READ_TLB,
  REM,
  SOURCE,
  TARGET,
  TARGET_KIND,
  WRITE_TLB,
  X,
} from './interpreter-locals.ts';
import { emitMarkedPage } from './marked-page.ts';
import { routineFunctions, routineIndex } from './routines.ts';
import { BRANCHES_TO_ASK, MAY_LINK, MUST_INTERPRET, REGION_FUNCTION, RUN_ENDS } from './translator/region-interface.ts';
import { firstOfPair, type HandlerMap, PSEUDO, type Pseudo, type Variant } from './uop.ts';

/** Why `run` returned: {@link import('../cpu/helpers.ts').After} values, or the budget. */
export const LEFT_BY_BUDGET = 4;

/** The fast build does not start with less budget than this. */
export const FAST_MINIMUM = 2 * (UOPS_PER_PAGE + 1);

type Kind = 'fast' | 'exact' | 'outlined' | 'own';

const UNARY: FuncType = { params: ['i32'], results: ['i32'] };
/** Type indices: helpers and handlers map a number to a number; regions. */
const UNARY_TYPE = 0;
const REGION_TYPE = 1;
const TYPES = [UNARY, REGION_FUNCTION];
const IMPORTS: readonly FuncImport[] = [...HELPERS.map((name) => ({ name, type: UNARY })), ...FMA_IMPORTS];
/**
 * The function index of `outlined`: the imports come first, then the functions in the order of {@link
 * emitInterpreter}.
 */
const OUTLINED = IMPORTS.length + 2;
const MARKED_PAGE = IMPORTS.length + 4;
const FIRST_ROUTINE = IMPORTS.length + 5;
/** Routines that do the ordinary case of a helper (mmu/refill-routines.ts, isa/entry-return.ts). */
const QUICK: Readonly<Partial<Record<Callee, RoutineName>>> = {
  csrrd: 'readPgd',
  csrwr: 'writeQuietly',
  csrxchg: 'exchangeQuietly',
  lddir: 'walkDirectory',
  ldpte: 'walkPage',
};
/** Table numbers: handlers with functions of their own, regions. */
const REGION_TABLE = 1;

/** The number of the first handler with a function of its own. */
export const firstOwn = (map: HandlerMap): number => PSEUDO.length + map.variants.length;

/** What the code of one CPU's interpreter depends on. */
export interface InterpreterPlan {
  readonly map: HandlerMap;
  /** The CPU number, and the pool that the CPU decodes into. */
  readonly cpu: number;
  readonly pool: Pool;
  /** Do other threads use the same memory? */
  readonly shared: boolean;
  /** The number of branches to an instruction after which it is hot; 0: there are no regions. Helper `hot` is called then, and earlier at each {@link BRANCHES_TO_ASK}. */
  readonly threshold: number;
  /** Must all accesses be aligned? */
  readonly aligned: boolean;
}

/**
 * Emits the module of a CPU. It imports `env.memory`, the tables and the helpers. It exports `fast`, `exact`,
 * `outlined`, the routines, the gates, and `first`, which is in the table in place of every function that has not been made yet.
 */
export function emitInterpreter(plan: InterpreterPlan): Uint8Array<ArrayBuffer> {
  const loop = (kind: Kind): FuncDef => new Build(plan, kind).emit();
  return assemble(plan, [
    loop('fast'),
    loop('exact'),
    loop('outlined'),
    emitFirst(plan.map),
    emitMarkedPage(cpuBase(plan.cpu), routineIndex(FIRST_ROUTINE, 'resolve')),
    ...routineFunctions(cpuBase(plan.cpu), FIRST_ROUTINE),
    ...gateFunctions({
      base: cpuBase(plan.cpu),
      pool: plan.pool,
      routine: (name) => routineIndex(FIRST_ROUTINE, name),
      regionType: REGION_TYPE,
      regionTable: REGION_TABLE,
    }),
  ]);
}

/** Emits a module that exports `own`, the function of one handler. */
export function emitOwn(plan: InterpreterPlan, v: Variant): Uint8Array<ArrayBuffer> {
  return assemble(plan, [new Build(plan, 'own', v).emit()]);
}

const assemble = ({ map, shared }: InterpreterPlan, functions: readonly FuncDef[]): Uint8Array<ArrayBuffer> =>
  assembleModule({
    shared,
    tables: [
      { name: 'table', size: map.own.length },
      { name: 'regions', size: REGIONS },
    ],
    types: TYPES,
    imports: IMPORTS,
    functions,
  });

/** `first`: lets the helper make the function of the micro-op at the address in parameter 0, and calls it. */
function emitFirst(map: HandlerMap): FuncDef {
  const micro = new Locals().take('i32');
  const e = new Emitter().get(micro).call(helperIndex('emitOwn')).op(Op.drop);
  callOwn(e, micro, map);
  return { name: 'first', type: UNARY, locals: [], body: e.op(Op.end).bytes.view() };
}
/** Calls the own function of the micro-op whose address is in local `p`. */
function callOwn(e: Emitter, p: Local<'i32'>, map: HandlerMap): void {
  // table[p.handler − first own](p)
  e.get(p).get(p).mem(Op.i32Load16U, 0).i32(firstOwn(map)).op(Op.i32Sub).callIndirect(UNARY_TYPE);
}

class Build implements HandlerFrame {
  readonly e = new Emitter();
  readonly locals = new Locals(FIRST_FREE);
  readonly base: number;
  readonly shared: boolean;
  readonly aligned: boolean;
  exit!: Label;
  private readonly handlers: Handlers;
  private readonly plan: InterpreterPlan;
  private readonly map: HandlerMap;
  private readonly kind: Kind;
  private readonly single: Variant | undefined;
  private far!: Label;
  private next!: Label;
  /** Enters the region whose cell is in R, at the micro-op at P, with X − P as the budget. */
  private region: Label | undefined;

  /** `single`: the handler of kind `own`. */
  constructor(plan: InterpreterPlan, kind: Kind, single?: Variant) {
    this.base = cpuBase(plan.cpu);
    this.shared = plan.shared;
    this.aligned = plan.aligned;
    this.plan = plan;
    this.map = plan.map;
    this.kind = kind;
    this.single = single;
    this.handlers = new Handlers(this);
  }

  /** Are regions used? The exact build executes every instruction itself. */
  private get translating(): boolean {
    return this.kind === 'fast' && this.plan.threshold > 0;
  }

  /** Pushes the address to which `base` and offsets into the state page are added. */
  state(): void {
    this.e.i32(0);
  }

  emit(): FuncDef {
    const { e } = this;
    this.loadTlbs();
    if (this.kind === 'outlined' || this.kind === 'own') this.one();
    else this.loop();
    e.op(Op.end);
    return {
      name: this.kind,
      type: UNARY,
      locals: [...FIXED, ...this.locals.all()],
      body: e.bytes.view(),
    };
  }

  private loadTlbs(): void {
    for (const [local, field] of [
      [READ_TLB, 'readTlb'],
      [WRITE_TLB, 'writeTlb'],
      [FETCH_TLB, 'fetchTlb'],
    ] as const) {
      // tlb = state.tlb
      pushState(this, Op.i32Load, field);
      this.e.set(local);
    }
  }

  /** `fast` and `exact`: execute micro-op after micro-op until one of them leaves. */
  private loop(): void {
    const { e } = this;
    // target = state.pc
    e.i32(0)
      .mem(Op.i64Load, this.base + STATE.pc)
      .set(TARGET);
    this.far = e.loop();
    this.exit = e.block();
    if (this.translating) this.region = e.block();
    this.enterPage();
    this.next = e.loop();
    if (this.kind === 'exact') {
      // if (p >= x) leave
      e.get(P).get(X).op(Op.i32GeU);
      this.leaveIf(LEFT_BY_BUDGET);
    }
    this.dispatch(
      'loop',
      () => {
        // if (r = outlined(p)) exit; next
        this.sync();
        e.get(P).call(OUTLINED).tee(R).brIf(this.exit);
        this.advance();
      },
      () => {
        // if (r = own(p)) exit; next
        this.sync();
        callOwn(e, P, this.map);
        e.tee(R).brIf(this.exit);
        this.advance();
      },
    );
    e.end(this.next);
    if (this.region) {
      e.op(Op.unreachable);
      e.end(this.region);
      this.enterRegion();
    }
    e.end(this.exit);
    // After many exceptions, and returns from them, execution only continues at another address.
    // if (r == arrived) { rem = (x − p) / 8 − 1; target = state.pc; goto far }
    e.get(R).i32(After.arrived).op(Op.i32Eq);
    const arrived = e.if();
    e.get(X).get(P).op(Op.i32Sub).i32(3).op(Op.i32ShrS).i32(1).op(Op.i32Sub).set(REM);
    pushState(this, Op.i64Load, 'pc');
    e.set(TARGET);
    this.loadTlbs();
    e.br(this.far);
    e.end(arrived);
    // if (r == goOn) { p += 8; rem = (x − p) / 8; target = pc; goto far }
    e.get(R).i32(After.goOn).op(Op.i32Eq);
    const goOn = e.if();
    e.get(P).i32(UOP_BYTES).op(Op.i32Add).set(P);
    e.get(X).get(P).op(Op.i32Sub).i32(3).op(Op.i32ShrS).set(REM);
    pushPc(this.e);
    e.set(TARGET);
    this.loadTlbs();
    e.br(this.far);
    e.end(goOn);
    this.epilogue();
    e.op(Op.return);
    e.end(this.far);
    e.op(Op.unreachable);
  }

  /**
   * `outlined`, `own`: execute the micro-op at the address in parameter 0. The caller has made PC and budget visible.
   */
  private one(): void {
    const { e } = this;
    // p = parameter; pcOff = state.pc − p / 2
    e.get(REM).set(P);
    e.i32(0)
      .mem(Op.i64Load, this.base + STATE.pc)
      .get(P)
      .i32(1)
      .op(Op.i32ShrU, Op.i64ExtendI32U, Op.i64Sub)
      .set(PC_OFF);
    this.exit = e.block();
    if (this.single) this.handlers.emit(this.single);
    else
      this.dispatch(
        'outlined',
        () => e.op(Op.unreachable),
        () => e.op(Op.unreachable),
      );
    e.end(this.exit);
    e.get(R);
  }

  /**
   * Goes to the handler of the micro-op at P. `elsewhere` is emitted once, for all handlers that are in the other kind
   * of function, and `own` for those that have functions of their own.
   */
  private dispatch(home: 'loop' | 'outlined', elsewhere: () => void, own: () => void): void {
    const { e } = this;
    const handlers: ((() => void) | undefined)[] = [
      ...PSEUDO.map((p) => (home === 'outlined' ? undefined : () => this.pseudo(p))),
      ...this.map.variants.map((v) =>
        v.home === home && !(v.second && this.kind === 'exact') ? () => this.handlers.emit(v) : undefined,
      ),
    ];
    const beyond = e.block();
    const other = e.block();
    const labels = handlers.map(() => other);
    for (let i = handlers.length - 1; i >= 0; i--) if (handlers[i]) labels[i] = e.block();
    // Where every instruction is counted, only the first instruction of a pair is executed.
    if (this.kind === 'exact') for (const [key, number] of this.map.pairs) labels[number] = labels[firstOfPair(key)]!;
    // goto handlers[p.handler]
    e.get(P).mem(Op.i32Load16U, 0);
    e.brTable(labels, beyond);
    handlers.forEach((emit, i) => {
      if (!emit) return;
      e.end(labels[i]!);
      emit();
    });
    e.end(other);
    elsewhere();
    e.end(beyond);
    own();
  }

  /** Sets P, X and PC_OFF by TARGET and REM. */
  private enterPage(): void {
    const { e } = this;
    // When the budget is spent, the function returns here, before the fetch of the next instruction can fault.
    // if (rem <= 0) { save; return by budget }
    e.get(REM).i32(0).op(Op.i32LeS);
    const spent = e.if();
    this.saveTarget();
    e.i32(LEFT_BY_BUDGET).op(Op.return);
    e.end(spent);
    // entry = fetchTlb + (target >> 12 & entries − 1) × 16
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
    // The comparison includes bits 1:0: a misaligned target never matches, and the slow path handles it.
    // if (entry.tag != (target & ~0xffc))
    e.get(ENTRY).mem(Op.i64Load, 0).get(TARGET).i64(~0xffcn).op(Op.i64And).op(Op.i64Ne);
    const miss = e.if();
    // if (r = fetchSlow()) { if (r == arrived) goto far with what it says; return r }
    this.saveTarget();
    e.i32(0).call(helperIndex('fetchSlow')).tee(R);
    const stop = e.if();
    e.get(R).i32(After.arrived).op(Op.i32Eq);
    const arrived = e.if();
    this.loadTarget();
    this.loadTlbs();
    e.br(this.far);
    e.end(arrived);
    e.get(R).op(Op.return);
    e.end(stop);
    e.end(miss);
    // p = entry.uops; pcOff = (target & ~0xfff) − p / 2; p += (target & 0xffc) × 2; x = p + rem × 8
    e.get(ENTRY).mem(Op.i32Load, 8).set(P);
    e.get(TARGET).i64(~0xfffn).op(Op.i64And).get(P).i32(1).op(Op.i32ShrU, Op.i64ExtendI32U).op(Op.i64Sub).set(PC_OFF);
    e.get(P).get(TARGET).op(Op.i32WrapI64).i32(0xffc).op(Op.i32And).i32(1).op(Op.i32Shl).op(Op.i32Add).set(P);
    e.get(P).get(REM).i32(3).op(Op.i32Shl).op(Op.i32Add).set(X);
    if (this.kind === 'fast') {
      // if (rem < a page's worth) leave
      e.get(REM)
        .i32(UOPS_PER_PAGE + 1)
        .op(Op.i32LtS);
      this.leaveIf(LEFT_BY_BUDGET);
    }
    if (!this.translating) return;
    // if (targetKind != MUST_INTERPRET) { if (source) { sources[p] = source; source = 0 } look }
    e.get(TARGET_KIND).i32(MUST_INTERPRET).op(Op.i32Ne);
    const free = e.if();
    e.get(SOURCE);
    const jump = e.if();
    e.get(P).i32(1).op(Op.i32ShrU).get(SOURCE).mem(Op.i32Store, sourceOffset(this.plan.pool));
    e.i32(0).set(SOURCE);
    e.end(jump);
    this.look();
    e.end(free);
    e.i32(MAY_LINK).set(TARGET_KIND);
  }

  /** Counts a branch to the micro-op at P, or enters the region that begins there. */
  private look(): void {
    const { e } = this;
    const cell = cellOffset(this.plan.pool);
    // r = cells[p]; if (r >= REGION) goto region; if (!((cells[p] = ++r) & (often − 1))) { state.pc = pc; hot(p) }
    e.get(P).i32(2).op(Op.i32ShrU).tee(ENTRY).mem(Op.i32Load16U, cell).tee(R);
    e.i32(REGION).op(Op.i32GeU).brIf(this.region!);
    e.get(ENTRY).get(R).i32(1).op(Op.i32Add).tee(R).mem(Op.i32Store16, cell);
    e.get(R)
      .i32(Math.min(this.plan.threshold, BRANCHES_TO_ASK) - 1)
      .op(Op.i32And, Op.i32Eqz);
    const hot = e.if();
    this.savePc();
    e.get(P).call(helperIndex('hot')).op(Op.drop);
    e.end(hot);
  }

  /** Runs regions until one of them needs the interpreter, and continues from that address. */
  private enterRegion(): void {
    const { e } = this;
    // targetKind = regions[r − REGION](state, (x − p) / 8, pc & ~0xfff); goto far
    e.i32(this.base).get(X).get(P).op(Op.i32Sub).i32(3).op(Op.i32ShrS);
    pushPc(this.e);
    e.i64(~0xfffn).op(Op.i64And);
    e.get(R).i32(REGION).op(Op.i32Sub).callIndirect(REGION_TYPE, REGION_TABLE);
    // After `mustInterpret` the interpreter executes the next instruction here, even where a region begins.
    e.tee(TARGET_KIND);
    // if (targetKind == RUN_ENDS) return jumped
    e.i32(RUN_ENDS).op(Op.i32Eq);
    const ends = e.if();
    e.i32(After.jumped).op(Op.return);
    e.end(ends);
    // A gate may have changed the context.
    this.loadTlbs();
    this.loadTarget();
    e.br(this.far);
  }

  /** Loads TARGET and REM from where PC and budget are stored outside the function. */
  private loadTarget(): void {
    const { e } = this;
    e.i32(0)
      .mem(Op.i64Load, this.base + STATE.pc)
      .set(TARGET);
    e.i32(0)
      .mem(Op.i32Load, this.base + STATE.left)
      .set(REM);
  }

  /** Stores PC and budget between two instructions, when TARGET and REM hold them. */
  private saveTarget(): void {
    const { e } = this;
    e.i32(0)
      .get(TARGET)
      .mem(Op.i64Store, this.base + STATE.pc);
    e.i32(0)
      .get(REM)
      .mem(Op.i32Store, this.base + STATE.left);
  }

  /** Stores the state that code outside the function needs. R says how far the current instruction was executed. */
  private epilogue(): void {
    const { e } = this;
    // When the function is left after the instruction (2, 3), the instruction counts as executed.
    // if (r == 2 || r == 3) p += 8; state.left = (x − p) / 8; if (r != 3) state.pc = pc; r
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
    // r = reason; exit
    e.i32(reason).set(R).br(this.exit);
    e.end(yes);
  }

  /** The instruction at P is done. */
  advance(): void {
    if (this.kind === 'outlined' || this.kind === 'own') this.e.i32(0).set(R).br(this.exit);
    else this.e.get(P).i32(UOP_BYTES).op(Op.i32Add).set(P).br(this.next);
  }

  /** Continues at the address in TARGET. `done` says whether the instruction at P counts as executed. */
  goFar(done: boolean): void {
    const { e } = this;
    // rem = (x − p) / 8 − done; goto far
    e.get(X).get(P).op(Op.i32Sub);
    if (done) e.i32(UOP_BYTES).op(Op.i32Sub);
    e.i32(3).op(Op.i32ShrS).set(REM).br(this.far);
  }

  /** Takes a near branch. */
  near(): void {
    const { e } = this;
    // x moves with p, so that (x − p) / 8 decreases by the one instruction that was executed.
    // x += p.offset − 8; p += p.offset
    e.get(X).get(P).mem(Op.i32Load, 4).op(Op.i32Add).i32(UOP_BYTES).op(Op.i32Sub).set(X);
    e.get(P).get(P).mem(Op.i32Load, 4).op(Op.i32Add).set(P);
    if (this.kind === 'fast') {
      // if (x − p < a page's worth) leave
      e.get(X)
        .get(P)
        .op(Op.i32Sub)
        .i32((UOPS_PER_PAGE + 1) * UOP_BYTES)
        .op(Op.i32LtS);
      this.leaveIf(LEFT_BY_BUDGET);
    }
    if (this.translating) this.look();
    e.br(this.next);
  }

  private pseudo(name: Pseudo): void {
    const { e } = this;
    switch (name) {
      case 'decode':
        // decode(p); goto next
        e.get(P).call(helperIndex('decode')).op(Op.drop).br(this.next);
        return;
      case 'pageEnd':
        // target = pc
        pushPc(this.e);
        e.set(TARGET);
        this.goFar(false);
        return;
      case 'breakpoint':
        // r = breakpoint(p); exit
        this.sync();
        e.get(P).call(helperIndex('breakpoint')).set(R).br(this.exit);
        return;
      case 'ine':
        this.handlers.raise('INE');
        e.op(Op.unreachable);
        return;
      case 'nop':
        this.advance();
        return;
    }
  }

  /** Makes PC and budget visible to helpers. */
  sync(): void {
    if (this.kind === 'outlined' || this.kind === 'own') return;
    this.savePc();
    this.saveLeft();
  }

  get markedPage(): number | undefined {
    // It does not look at alignment.
    return this.kind === 'own' || this.aligned ? undefined : MARKED_PAGE;
  }

  /** In `outlined`, calls a routine in place of a helper where there is one, and leaves the answer of the routine. */
  routine(name: Callee, code: number): boolean {
    if (this.kind !== 'outlined') return false;
    const plain = name === 'raise' ? plainCode(code) : undefined;
    if (plain !== undefined) this.e.i32(plain).call(routineIndex(FIRST_ROUTINE, 'raisePlain'));
    else if (name === 'ertn') this.e.call(routineIndex(FIRST_ROUTINE, 'ertn'));
    else return false;
    return true;
  }

  readonly raiseRefill = routineIndex(FIRST_ROUTINE, 'raiseRefill');

  quick(name: Callee): number | undefined {
    const routine = this.kind === 'own' ? undefined : QUICK[name];
    return routine && routineIndex(FIRST_ROUTINE, routine);
  }

  private savePc(): void {
    // state.pc = pc
    this.e.i32(0);
    pushPc(this.e);
    this.e.mem(Op.i64Store, this.base + STATE.pc);
  }

  private saveLeft(): void {
    // state.left = (x − p) / 8
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
