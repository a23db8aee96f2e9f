/**
 * WebAssembly for one region, from the recorded definitions. Guest registers are locals; they go back to the state page
 * where control leaves. Nothing is called: an access that the software TLB does not know, or anything else out of the
 * ordinary, leaves with the instruction not executed, and the interpreter does it. So every instruction has its counts,
 * exceptions and stops where the interpreter has them.
 */
import {
  cellOffset,
  FETCH_ENTRIES,
  MODE_GUEST,
  MODE_UNITS_OFF,
  type Pool,
  REGION,
  STATE,
  TLB_ENTRIES,
  UOP_BYTES,
  UOPS_PER_PAGE,
  VECTOR_PENDING,
} from '../../cpu/layout.ts';
import type { OperandName } from '../../isa/operands.ts';
import { operandValue, UNITS } from '../../isa/row.ts';
import { ACCESS, type Half, type Node, type Stmt, type VectorOperand } from '../../isa/semantics.ts';
import { contains } from '../../isa/traits.ts';
import { Definitions, LOAD, PENDING_FIELDS, storeOf } from '../definitions.ts';
import { emitCsr, isCsrHelper } from '../native-csr.ts';
import { floatForm, pushNotQuiet } from '../native-float.ts';
import { emitTime, readsTime } from '../native-time.ts';
import { vectorForm } from '../native-vector.ts';
import { type Label, Locals } from '../wasm/emitter.ts';
import type { FuncDef } from '../wasm/module.ts';
import { Op, Simd, type Ty } from '../wasm/opcodes.ts';
import { type Block, branchOf, type Instruction } from './discover.ts';
import { analyse, byTable, type Flow, registerFlow, type Uses } from './flow.ts';
import { type Group, groupAccesses, type Membership } from './groups.ts';
import { MAY_LINK, MUST_INTERPRET, REGION_FUNCTION } from './region.ts';
import { blockUses, type InstructionUses, instructionUses } from './uses.ts';

// Parameters and fixed locals.
const STATE_PAGE = 0;
const BUDGET = 1;
const PAGE_VA = 2;
const SITE = 3;
const DATA_TLB = 4;
const ENTRY = 5;
const CELL = 6;
const MODE = 7;
const PLACE = 8;
const VA = 9;
const TARGET = 10;
/** Not 0: FCSR is in a state in which floating point goes the exact way. */
const NOT_QUIET = 11;
/** The last floating-point operation: one more than its code, and its operands. */
const PENDING = 12;
const PENDING_OPERANDS = [13, 14, 15] as const;
const FIXED: readonly Ty[] = [
  ...(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i64', 'i64', 'i32', 'i32', 'i64', 'i64', 'i64'] as const),
];
const FIRST_FREE = 3 + FIXED.length;

/** Indirect calls of regions: the only type and table of their modules. */
const REGION_TYPE = 0;

/** From an entry of the read array to the one of the write array for the same address. */
const WRITE_ARRAY = 16 * TLB_ENTRIES;
const MEMORY = ['load', 'store', 'loadVector', 'storeVector', 'host'] as const;

/** SITE: the position to go on at, and what to give back to the budget, from this bit on. */
const GIVE_BACK = 16;

/** Where the code of a region lies. */
export interface RegionPlace {
  /** Address of the page's micro-operations. */
  readonly uops: number;
  readonly pool: Pool;
  /** Do other threads use the same memory? */
  readonly shared: boolean;
}

/** Emits the function `name` for the region of `blocks`, the entry's first. */
export function emitRegion(name: string, blocks: readonly Block[], place: RegionPlace): FuncDef {
  return new RegionEmitter(blocks, place).emit(name);
}

class RegionEmitter extends Definitions {
  protected readonly locals: Locals;
  private readonly place: RegionPlace;
  private readonly flow: Flow;
  private readonly perBlock: readonly (readonly InstructionUses[])[];
  private readonly uses: readonly Uses[];
  private readonly dirty: Int32Array;
  /** Local variable of each guest register, 0 when the region does not use it. */
  private readonly gprs = new Int32Array(32);
  private readonly registerCount: number;
  private readonly loops = new Map<number, Label>();
  private readonly merges = new Map<number, Label>();
  /** Exits to the interpreter, by the registers to write back. */
  private readonly stubs = new Map<number, Label>();
  /** Goes on at the position in SITE, for whoever begins there. */
  private linked!: Label;
  /** Goes on at the address in TARGET. */
  private far!: Label;
  private farUsed = false;
  private current!: Instruction;
  /** What to do when the current instruction leaves: registers to write back, instructions to give back. */
  private dirtyHere = 0;
  private giveBack = 0;
  private unitsChecked = 0;
  private quietChecked = false;
  private readonly hasFloat: boolean;
  private readonly memberships: ReadonlyMap<Instruction, Membership>;
  private readonly groups: readonly Group[];
  /** Local variable of the first group: where its lowest byte is in linear memory, 0 when that is not known. */
  private readonly firstGroup: number;
  /** Groups found so far in the block being emitted. */
  private readonly found = new Set<Group>();

  constructor(blocks: readonly Block[], place: RegionPlace) {
    super(0, place.shared);
    this.place = place;
    this.flow = analyse(blocks);
    this.perBlock = this.flow.nodes.map((n) => n.block.instructions.map(instructionUses));
    this.uses = this.perBlock.map(blockUses);
    const registers = registerFlow(this.flow, this.uses);
    this.dirty = registers.dirty;
    let used = 0;
    for (const u of this.uses) used |= u.reads | u.writes;
    let count = 0;
    for (let r = 1; r < 32; r++) if (used & (1 << r)) this.gprs[r] = FIRST_FREE + count++;
    this.registerCount = count;
    const { byInstruction, groups } = groupAccesses(this.flow.nodes, (n, k) => this.perBlock[n]![k]!.writes);
    this.hasFloat = this.flow.nodes.some((n) =>
      n.block.instructions.some((i) => i.row.unit && contains(i.body, 'call')),
    );
    this.memberships = byInstruction;
    this.groups = groups;
    this.firstGroup = FIRST_FREE + count;
    this.locals = new Locals(this.firstGroup + groups.length);
    this.loads = this.neededAtEntry(registers.written);
  }
  /** Registers that are loaded where the region begins. */
  private readonly loads: number;

  emit(name: string): FuncDef {
    const { e } = this;
    this.farUsed = this.flow.nodes.some((n) => this.leavesFar(n.block));
    const stubs = this.stubMasks();
    const inner = e.block();
    this.linked = e.block();
    this.far = e.block();
    for (const mask of stubs) this.stubs.set(mask, e.block());
    this.prologue();
    this.tree(0);
    e.op(Op.unreachable);
    for (const mask of stubs.reverse()) {
      e.end(this.stubs.get(mask)!);
      this.writeBack(mask);
      e.br(inner);
    }
    e.end(this.far);
    if (this.farUsed) this.farStub();
    else e.op(Op.unreachable);
    e.end(this.linked);
    this.leave(MAY_LINK);
    e.end(inner);
    this.leave(MUST_INTERPRET);
    e.op(Op.end);
    const registers: Ty[] = new Array(this.registerCount).fill('i64');
    const groups: Ty[] = new Array(this.groups.length).fill('i32');
    return {
      name,
      type: REGION_FUNCTION,
      locals: [...FIXED, ...registers, ...groups, ...this.locals.all()],
      body: e.bytes.view(),
    };
  }

  private leavesFar({ end }: Block): boolean {
    const outside = (to: number): boolean => to < 0 || to >= UOPS_PER_PAGE;
    if (end.kind === 'jump') return true;
    if (end.kind === 'next') return outside(end.to);
    return end.kind === 'branch' && (outside(end.taken) || outside(end.next));
  }

  /** The sets of registers with which the region may leave for the interpreter. */
  private stubMasks(): number[] {
    const masks = new Set<number>();
    this.flow.nodes.forEach((node, n) => {
      let dirty = this.dirty[n]!;
      for (const i of this.perBlock[n]!) {
        if (i.mayLeave) masks.add(dirty);
        dirty |= i.writes;
      }
      if (node.block.end.kind === 'stop') masks.add(dirty);
    });
    return [...masks];
  }

  /** Registers that are read, or may be written back, without having been written on every way there. */
  private neededAtEntry(written: Int32Array): number {
    let need = 0;
    for (const g of this.groups) if (g.throughout) need |= 1 << g.base;
    this.flow.nodes.forEach((node, n) => {
      let w = written[n]!;
      let d = this.dirty[n]!;
      if (node.isLoop) need |= d & ~w;
      this.perBlock[n]!.forEach((i) => {
        need |= i.reads & ~w;
        if (i.mayLeave) need |= d & ~w;
        w |= i.writes;
        d |= i.writes;
      });
      need |= d & ~w;
    });
    return need;
  }

  private prologue(): void {
    const { e } = this;
    const entry = this.flow.nodes[0]!;
    if (!entry.isLoop) this.checkBudget(entry.block.start, 0);
    const load = (field: 'readTlb' | 'mode', local: number): void => {
      this.loadState(Op.i32Load, field);
      e.set(local);
    };
    const all = this.flow.nodes.flatMap((n) => n.block.instructions);
    if (all.some((i) => contains(i.body, ...MEMORY))) load('readTlb', DATA_TLB);
    if (all.some((i) => i.row.unit || i.row.priv || readsTime(i.body))) load('mode', MODE);
    if (this.hasFloat) {
      this.loadState(Op.i32Load, 'fcsr');
      pushNotQuiet(e);
      e.set(NOT_QUIET);
    }
    for (let r = 1; r < 32; r++) {
      if (!(this.loads & (1 << r))) continue;
      e.get(STATE_PAGE)
        .mem(Op.i64Load, STATE.gpr + 8 * r)
        .set(this.gprs[r]!);
    }
    for (const g of this.groups) if (g.throughout) this.findGroup(g);
  }

  /** Leaves when the budget may not suffice for a way through the region. */
  private checkBudget(at: number, dirty: number): void {
    const { e } = this;
    e.get(BUDGET)
      .i32(UOPS_PER_PAGE + 1)
      .op(Op.i32LtS);
    const spent = e.if();
    this.writeBack(dirty);
    e.i32(at).set(SITE).br(this.linked);
    e.end(spent);
  }

  private writeBack(mask: number): void {
    for (let r = 1; r < 32; r++) {
      if (!(mask & (1 << r))) continue;
      this.e
        .get(STATE_PAGE)
        .get(this.gprs[r]!)
        .mem(Op.i64Store, STATE.gpr + 8 * r);
    }
    if (this.hasFloat) this.writePending();
  }

  /** Leaves the last floating-point operation where FCSR is brought up to date from. */
  private writePending(): void {
    const { e } = this;
    e.get(PENDING);
    const some = e.if();
    e.get(STATE_PAGE).get(PENDING).mem(Op.i32Store, STATE.fpPending);
    for (const [n, field] of PENDING_FIELDS.entries())
      e.get(STATE_PAGE).get(PENDING_OPERANDS[n]!).mem(Op.i64Store, STATE[field]);
    e.end(some);
  }

  /** Stores PC and budget by SITE and answers. */
  private leave(answer: number): void {
    const { e } = this;
    e.get(STATE_PAGE)
      .get(PAGE_VA)
      .get(SITE)
      .i32((1 << GIVE_BACK) - 1)
      .op(Op.i32And)
      .i32(2)
      .op(Op.i32Shl, Op.i64ExtendI32U);
    e.op(Op.i64Add).mem(Op.i64Store, STATE.pc);
    e.get(STATE_PAGE).get(BUDGET).get(SITE).i32(GIVE_BACK).op(Op.i32ShrU).op(Op.i32Add).mem(Op.i32Store, STATE.left);
    e.i32(answer).op(Op.return);
  }

  /** Enters the region at TARGET if there is one. */
  private farStub(): void {
    const { e } = this;
    e.get(TARGET).i64n(12).op(Op.i64ShrU, Op.i32WrapI64);
    e.i32(FETCH_ENTRIES - 1)
      .op(Op.i32And)
      .i32(4)
      .op(Op.i32Shl);
    this.loadState(Op.i32Load, 'fetchTlb');
    e.op(Op.i32Add).tee(ENTRY).mem(Op.i64Load, 0);
    // Bits 1:0 stay in the comparison, as in the interpreter.
    e.get(TARGET).i64n(~0xffc).op(Op.i64And).op(Op.i64Eq);
    const hit = e.if();
    e.get(ENTRY)
      .mem(Op.i32Load, 8)
      .get(TARGET)
      .op(Op.i32WrapI64)
      .i32(0xffc)
      .op(Op.i32And)
      .i32(1)
      .op(Op.i32Shl)
      .op(Op.i32Add);
    e.i32(2).op(Op.i32ShrU).mem(Op.i32Load16U, cellOffset(this.place.pool)).tee(CELL);
    this.enterCell(() => e.get(TARGET).i64n(~0xfff).op(Op.i64And));
    e.end(hit);
    e.get(STATE_PAGE).get(TARGET).mem(Op.i64Store, STATE.pc);
    e.get(STATE_PAGE).get(BUDGET).mem(Op.i32Store, STATE.left);
    e.i32(MAY_LINK).op(Op.return);
  }

  /** Enters the region of the cell on the stack and in CELL, if it is one; `page` pushes the page's virtual address. */
  private enterCell(page: () => void): void {
    const { e } = this;
    e.i32(REGION).op(Op.i32GeU);
    const exists = e.if();
    e.get(STATE_PAGE).get(BUDGET);
    page();
    e.get(CELL).i32(REGION).op(Op.i32Sub).returnCallIndirect(REGION_TYPE);
    e.end(exists);
  }

  // Structure.

  private tree(n: number): void {
    const { e } = this;
    const node = this.flow.nodes[n]!;
    const merges = node.dominated.filter((d) => this.flow.nodes[d]!.isMerge);
    let loop: Label | undefined;
    if (node.isLoop) {
      loop = e.loop();
      this.loops.set(n, loop);
    }
    // The merge that comes last in order is the outermost block.
    for (const m of merges.toReversed()) this.merges.set(m, e.block());
    this.block(n);
    for (const m of merges) {
      e.end(this.merges.get(m)!);
      this.tree(m);
    }
    if (loop) e.end(loop);
  }

  /** Control goes from block `from` to a position. */
  private goTo(from: number, to: number, dirty: number): void {
    const n = this.flow.edge(from, to);
    if (n === undefined) this.link(to, dirty);
    else if (n <= from) this.e.br(this.loops.get(n)!);
    else if (this.flow.nodes[n]!.isMerge) this.e.br(this.merges.get(n)!);
    else this.tree(n);
  }

  /** Control leaves the region for a position relative to its page. */
  private link(to: number, dirty: number): void {
    const { e } = this;
    this.writeBack(dirty);
    if (to < 0 || to >= UOPS_PER_PAGE) {
      e.get(PAGE_VA)
        .i64n(4 * to)
        .op(Op.i64Add)
        .set(TARGET)
        .br(this.far);
      return;
    }
    e.i32((this.place.uops + UOP_BYTES * to) >>> 2)
      .mem(Op.i32Load16U, cellOffset(this.place.pool))
      .tee(CELL);
    this.enterCell(() => e.get(PAGE_VA));
    e.i32(to).set(SITE).br(this.linked);
  }

  private block(n: number): void {
    const { e } = this;
    const { block, isLoop } = this.flow.nodes[n]!;
    let dirty = this.dirty[n]!;
    if (isLoop) this.checkBudget(block.start, dirty);
    const count = block.instructions.length;
    if (count > 0) e.get(BUDGET).i32(count).op(Op.i32Sub).set(BUDGET);
    this.unitsChecked = 0;
    this.quietChecked = false;
    this.found.clear();
    block.instructions.forEach((i, k) => {
      this.current = i;
      this.dirtyHere = dirty;
      this.giveBack = count - k;
      this.locals.reset();
      this.values = new Map();
      this.checkUnit();
      this.checkMode();
      for (const s of i.body) this.stmt(s);
      dirty |= this.perBlock[n]![k]!.writes;
    });
    const { end } = block;
    switch (end.kind) {
      case 'stop':
        e.i32(end.at).set(SITE).br(this.stubs.get(dirty)!);
        return;
      case 'next':
        this.goTo(n, end.to, dirty);
        return;
      case 'branch': {
        if (end.taken === end.next) {
          this.goTo(n, end.next, dirty);
          return;
        }
        this.node(branchOf(block.instructions.at(-1)!)!.cond!);
        const taken = e.if();
        this.goTo(n, end.taken, dirty);
        e.else();
        this.goTo(n, end.next, dirty);
        e.end(taken);
        return;
      }
      case 'jump':
        this.jump(n, block, end.likely, dirty);
    }
  }

  /** Goes to TARGET: inside the region where it is one of `likely`. */
  private jump(n: number, block: Block, likely: readonly number[], dirty: number): void {
    const { e } = this;
    const inside = likely.filter((to) => this.flow.edge(n, to) !== undefined);
    if (byTable(block) && inside.length > 0) {
      const first = Math.min(...inside);
      const labels: Label[] = [];
      const outside = e.block();
      for (let to = first; to <= Math.max(...inside); to++)
        labels.push(inside.includes(to) ? this.labelOf(n, to) : outside);
      // A target in another page, or a misaligned one, has bits beyond the table's.
      e.get(TARGET)
        .get(PAGE_VA)
        .i64n(4 * first)
        .op(Op.i64Add)
        .op(Op.i64Sub)
        .i64n(2)
        .op(Op.i64Rotr)
        .tee(VA)
        .i64n(labels.length)
        .op(Op.i64GeU)
        .brIf(outside);
      e.get(VA).op(Op.i32WrapI64).brTable(labels, outside);
      e.end(outside);
    } else {
      for (const to of inside) {
        e.get(TARGET)
          .get(PAGE_VA)
          .i64n(4 * to)
          .op(Op.i64Add)
          .op(Op.i64Eq);
        const here = e.if();
        this.goTo(n, to, dirty);
        e.end(here);
      }
    }
    this.writeBack(dirty);
    e.br(this.far);
  }

  /** The label that leads from block `from` to a position that has one. */
  private labelOf(from: number, to: number): Label {
    const n = this.flow.edge(from, to)!;
    return n <= from ? this.loops.get(n)! : this.merges.get(n)!;
  }

  /** Leaves with the current instruction not executed. */
  private exit(): void {
    this.e
      .i32(this.current.at | (this.giveBack << GIVE_BACK))
      .set(SITE)
      .br(this.stubs.get(this.dirtyHere)!);
  }

  /** Leaves when the i32 on the stack is not 0. */
  private exitIf(): void {
    const yes = this.e.if();
    this.exit();
    this.e.end(yes);
  }

  private checkUnit(): void {
    const { unit } = this.current.row;
    if (!unit) return;
    const bit = MODE_UNITS_OFF << UNITS.indexOf(unit);
    if (this.unitsChecked & bit) return;
    this.unitsChecked |= bit;
    this.e.get(MODE).i32(bit).op(Op.i32And);
    this.exitIf();
  }

  /** Leaves where the privilege level or the world forbids the instruction. */
  private checkMode(): void {
    const { row } = this.current;
    if (!row.priv) return;
    this.e
      .get(MODE)
      .i32(3 | (row.guest === 'INE' ? MODE_GUEST : 0))
      .op(Op.i32And);
    this.exitIf();
  }

  // Statements.

  private stmt(s: Stmt): void {
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
        numLocal: -1,
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
    e.get(this.firstGroup + group.index)
      .tee(PLACE)
      .op(Op.i32Eqz);
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
  private findGroup({ base, low, high, write, index }: Group): void {
    const { e } = this;
    const place = this.firstGroup + index;
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

  private operand(name: OperandName): number {
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
