/**
 * WebAssembly for one region, from the recorded definitions. Guest registers are locals. They are written to the state
 * page where control leaves. A region calls nothing: when the software TLB does not have an access, or something else
 * is not an ordinary case, the region is left, the instruction is not executed, and the interpreter executes it. So
 * every instruction has its counts, exceptions and stops exactly where the interpreter has them.
 */

import { CRMD } from '../../cpu/csr-fields.ts';
import { contains } from '../../isa/traits.ts';
import { cellOffset, FETCH_ENTRIES, type Pool, REGION, STATE, UOP_BYTES } from '../../memory/layout.ts';
import { Emitter, type Label, type Local, Locals } from '../../wasm/emitter.ts';
import type { FuncDef } from '../../wasm/module.ts';
import { Op } from '../../wasm/opcodes.ts';
import { pushState } from '../expressions.ts';
import { GATES, type Gate } from '../gates.ts';
import { PENDING_FIELDS } from '../inline-calls.ts';
import { pushUse } from '../inline-float.ts';
import { readsTime } from '../inline-time.ts';
import { Statements } from '../statements.ts';
import { type Group, groupAccesses, type Membership } from './access-groups.ts';
import { analyse, byTable, type Flow, registerFlow, type Uses } from './control-flow.ts';
import { type Block, branchOf, type Instruction, inPage, pageOf, pageStart } from './discover.ts';
import { RegionBackend, type RegionFrame } from './region-backend.ts';
import { MAY_LINK, MUST_INTERPRET, REGION_FUNCTION } from './region-interface.ts';
import {
  BUDGET,
  CELL,
  DATA_TLB,
  ENTRY,
  FIRST_FREE,
  FIXED,
  FLOAT_USE,
  MODE,
  NAMES,
  PAGE_VA,
  PENDING,
  PENDING_OPERANDS,
  SITE,
  STATE_PAGE,
  TARGET,
  VA,
} from './region-locals.ts';
import { blockUses, type InstructionUses, instructionUses } from './register-uses.ts';

/** Indirect calls of regions: the only type and the only table of their modules. */
const REGION_TYPE = 0;

const MEMORY = ['load', 'store', 'loadVector', 'storeVector', 'linear'] as const;

/** SITE holds the position at which to continue, with a sign. From this bit on, it holds what is added to the budget again. */
const GIVE_BACK = 23;
/** Positions that SITE can hold are less than this far from the start of the page in which the region begins. */
export const FARTHEST = 1 << (GIVE_BACK - 1);
const site = (at: number, giveBack = 0): number => (at & (2 * FARTHEST - 1)) | (giveBack << GIVE_BACK);

/** Where the code of a region is. */
export interface RegionPlace {
  /** Address of the micro-operations of a page, by its distance from the page in which the region begins. */
  uops(distance: number): number;
  readonly pool: Pool;
  /** Do other threads use the same memory? */
  readonly shared: boolean;
  /** Must all accesses be aligned? */
  readonly aligned: boolean;
}

/** Emits the function `name` for the region of `blocks`. The entry's block is the first. */
export function emitRegion(name: string, blocks: readonly Block[], place: RegionPlace): FuncDef {
  return new RegionEmitter(blocks, place).emit(name);
}

class RegionEmitter implements RegionFrame {
  readonly e = new Emitter();
  readonly locals = new Locals(FIRST_FREE);
  readonly shared: boolean;
  readonly aligned: boolean;
  readonly gprs: (Local<'i64'> | undefined)[] = new Array(32).fill(undefined);
  private readonly backend: RegionBackend;
  private readonly code: Statements;
  private readonly place: RegionPlace;
  private readonly flow: Flow;
  private readonly perBlock: readonly (readonly InstructionUses[])[];
  private readonly uses: readonly Uses[];
  private readonly dirty: Int32Array;
  private readonly loops = new Map<number, Label>();
  private readonly merges = new Map<number, Label>();
  /** For each other page of the region, a local that is 1 when its fetch translation has been compared. */
  private readonly checked: ReadonlyMap<number, Local<'i32'>>;
  /** Exits to the interpreter, by the registers that are written back. */
  private readonly stubs = new Map<number, Label>();
  /** Exits to TARGET, because a page of the region is not where it was. */
  private readonly otherPages = new Map<number, Label>();
  /** Exits to the position in SITE, because the budget is spent. */
  private readonly spent = new Map<number, Label>();
  /** Continues at the position in SITE, in the region that begins there if there is one. */
  private linked!: Label;
  /** Continues at the address in TARGET. */
  private far!: Label;
  private farUsed = false;
  private current!: Instruction;
  /**
   * What is added to the budget again, and the registers that are written back, when the current instruction leaves.
   */
  private giveBack = 0;
  private dirtyHere = 0;
  private readonly hasFloat: boolean;
  /** The number of its instructions. Between two looks at the budget each is executed at most once. */
  private readonly length: number;
  readonly memberships: ReadonlyMap<Instruction, Membership>;
  readonly groups: readonly Group[];
  readonly places: readonly Local<'i32'>[];

  constructor(blocks: readonly Block[], place: RegionPlace) {
    this.shared = place.shared;
    this.aligned = place.aligned;
    this.place = place;
    this.flow = analyse(blocks);
    this.perBlock = this.flow.nodes.map((n) => n.block.instructions.map(instructionUses));
    this.uses = this.perBlock.map(blockUses);
    const registers = registerFlow(this.flow, this.uses);
    this.dirty = registers.dirty;
    let used = 0;
    for (const u of this.uses) used |= u.reads | u.writes;
    for (let r = 1; r < 32; r++) if (used & (1 << r)) this.gprs[r] = this.locals.take('i64', `r${r}`);
    // The look-up of a group says nothing of the alignment of its members.
    const { byInstruction, groups } = groupAccesses(
      place.aligned ? [] : this.flow.nodes,
      (n, k) => this.perBlock[n]![k]!.writes,
    );
    const executed = ({ instructions, end }: Block): number =>
      instructions.length + (end.kind === 'stop' && end.gate ? 1 : 0);
    this.length = this.flow.nodes.reduce((sum, n) => sum + executed(n.block), 0);
    this.hasFloat = this.flow.nodes.some((n) =>
      n.block.instructions.some((i) => i.row.unit && contains(i.body, 'call')),
    );
    this.memberships = byInstruction;
    this.groups = groups;
    this.places = groups.map((g) => this.locals.take('i32', `group${g.index}`));
    const distances = new Set(this.flow.nodes.map((n) => pageOf(n.block.start)));
    distances.delete(0);
    this.checked = new Map([...distances].map((d) => [d, this.locals.take('i32', `page${d}`)]));
    // The locals before this line are for the whole function. Those after it are for one instruction.
    this.locals.keep();
    this.backend = new RegionBackend(this);
    this.code = new Statements(this.backend);
    this.loads = this.neededAtEntry(registers.written);
  }
  /** Registers that are loaded where the region begins. */
  private readonly loads: number;

  emit(name: string): FuncDef {
    const { e } = this;
    this.farUsed = this.checked.size > 0 || this.flow.nodes.some((n) => this.leavesFar(n.block));
    const stubs = this.stubMasks();
    const others = this.otherPageMasks();
    const spent = this.spentMasks();
    const inner = e.block();
    this.linked = e.block();
    this.far = e.block();
    for (const mask of others) this.otherPages.set(mask, e.block());
    for (const mask of spent) this.spent.set(mask, e.block());
    for (const mask of stubs) this.stubs.set(mask, e.block());
    this.prologue();
    this.tree(0);
    e.op(Op.unreachable);
    for (const mask of stubs.reverse()) {
      e.end(this.stubs.get(mask)!);
      this.writeBack(mask);
      e.br(inner);
    }
    for (const mask of spent.reverse()) {
      e.end(this.spent.get(mask)!);
      this.writeBack(mask);
      e.br(this.linked);
    }
    for (const mask of others.reverse()) {
      e.end(this.otherPages.get(mask)!);
      this.writeBack(mask);
      e.br(this.far);
    }
    e.end(this.far);
    if (this.farUsed) this.farStub();
    else e.op(Op.unreachable);
    e.end(this.linked);
    this.leave(MAY_LINK);
    e.end(inner);
    this.leave(MUST_INTERPRET);
    e.op(Op.end);
    return {
      name,
      type: REGION_FUNCTION,
      locals: [...FIXED, ...this.locals.all()],
      names: [...NAMES, ...this.locals.names()],
      body: e.bytes.view(),
    };
  }

  private leavesFar({ start, end }: Block): boolean {
    const outside = (to: number): boolean => pageOf(to) !== pageOf(start);
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

  /** The sets of registers with which the budget is looked at. */
  private spentMasks(): number[] {
    const masks = new Set<number>();
    this.flow.nodes.forEach((node, n) => {
      if (node.isLoop) masks.add(this.dirty[n]!);
      else if (n === 0) masks.add(0);
    });
    return [...masks];
  }

  /** The sets of registers with which control may go on in another page of the region. */
  private otherPageMasks(): number[] {
    const masks = new Set<number>();
    this.flow.nodes.forEach((node, n) => {
      const page = pageOf(node.block.start);
      if (node.successors.every((to) => pageOf(this.flow.nodes[to]!.block.start) === page)) return;
      masks.add(this.dirty[n]! | this.uses[n]!.writes);
    });
    return [...masks];
  }

  /** Registers that are read, or may be written back, but are not written on every path to that place. */
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
    const load = (field: 'readTlb' | 'mode', local: Local<'i32'>): void => {
      pushState(this.backend, Op.i32Load, field);
      e.set(local);
    };
    const all = this.flow.nodes.flatMap((n) => n.block.instructions);
    if (all.some((i) => contains(i.body, ...MEMORY))) load('readTlb', DATA_TLB);
    if (all.some((i) => i.row.unit || i.row.priv || readsTime(i.body))) load('mode', MODE);
    if (this.hasFloat) {
      // floatUse = what FCSR allows
      pushState(this.backend, Op.i32Load, 'fcsr');
      pushUse(e);
      e.set(FLOAT_USE);
    }
    for (let r = 1; r < 32; r++) {
      if (!(this.loads & (1 << r))) continue;
      // r = state.gpr[r]
      e.get(STATE_PAGE)
        .mem(Op.i64Load, STATE.gpr + 8 * r)
        .set(this.gprs[r]!);
    }
    for (const g of this.groups) if (g.throughout) this.backend.findGroup(g);
  }

  /** Leaves when the budget may be too small for a path through the region. */
  private checkBudget(at: number, dirty: number): void {
    const { e } = this;
    // if (budget < all instructions) { site = at; goto spent }
    e.get(BUDGET).i32(this.length).op(Op.i32LtS);
    const spent = e.if();
    e.i32(site(at)).set(SITE).br(this.spent.get(dirty)!);
    e.end(spent);
  }

  private writeBack(mask: number): void {
    for (let r = 1; r < 32; r++) {
      if (!(mask & (1 << r))) continue;
      // state.gpr[r] = r
      this.e
        .get(STATE_PAGE)
        .get(this.gprs[r]!)
        .mem(Op.i64Store, STATE.gpr + 8 * r);
    }
    if (this.hasFloat) this.writePending();
  }

  /** Stores the last floating-point operation where FCSR is later updated from it. */
  private writePending(): void {
    const { e } = this;
    // if (pending) { state.fpPending = pending; state.fpA, fpB, fpC = operands }
    e.get(PENDING);
    const some = e.if();
    e.get(STATE_PAGE).get(PENDING).mem(Op.i32Store, STATE.fpPending);
    for (const [n, field] of PENDING_FIELDS.entries())
      e.get(STATE_PAGE).get(PENDING_OPERANDS[n]!).mem(Op.i64Store, STATE[field]);
    e.end(some);
  }

  /** Stores PC and budget by SITE, and returns the answer. */
  private leave(answer: number): void {
    const { e } = this;
    // state.pc = page + 4 × position in site; state.left = budget + (site >>> GIVE_BACK); return answer
    e.get(STATE_PAGE)
      .get(PAGE_VA)
      .get(SITE)
      .i32(32 - GIVE_BACK)
      .op(Op.i32Shl)
      .i32(32 - GIVE_BACK - 2)
      .op(Op.i32ShrS, Op.i64ExtendI32S);
    e.op(Op.i64Add).mem(Op.i64Store, STATE.pc);
    e.get(STATE_PAGE).get(BUDGET).get(SITE).i32(GIVE_BACK).op(Op.i32ShrU).op(Op.i32Add).mem(Op.i32Store, STATE.left);
    e.i32(answer).op(Op.return);
  }

  /** Puts the address of the fetch translation for TARGET into ENTRY, and pushes its tag. */
  private fetchTag(): void {
    const { e } = this;
    // entry = fetchTlb + (target >> 12 & entries − 1) × 16; entry.tag
    e.get(TARGET).i64n(12).op(Op.i64ShrU, Op.i32WrapI64);
    e.i32(FETCH_ENTRIES - 1)
      .op(Op.i32And)
      .i32(4)
      .op(Op.i32Shl);
    pushState(this.backend, Op.i32Load, 'fetchTlb');
    e.op(Op.i32Add).tee(ENTRY).mem(Op.i64Load, 0);
  }

  /**
   * Before control goes on in another page of the region: leaves unless that page is at its virtual address now, as it was when
   * the region was made. While the region runs, that does not change, because it executes nothing that could change it.
   */
  private checkPage(from: number, to: number, dirty: number, setTarget: () => void): void {
    const distance = pageOf(to);
    const checked = this.checked.get(distance);
    if (checked === undefined || pageOf(this.flow.nodes[from]!.block.start) === distance) return;
    const { e } = this;
    // if (!checked) { target = …; if (entry.tag != page of target || entry.uops != uops) goto other page; checked = 1 }
    e.get(checked).op(Op.i32Eqz);
    const first = e.if();
    setTarget();
    this.fetchTag();
    e.get(PAGE_VA)
      .i64n(4 * pageStart(distance))
      .op(Op.i64Add, Op.i64Ne);
    e.get(ENTRY).mem(Op.i32Load, 8).i32(this.place.uops(distance)).op(Op.i32Ne, Op.i32Or);
    const other = e.if();
    e.br(this.otherPages.get(dirty)!);
    e.end(other);
    e.i32(1).set(checked);
    e.end(first);
  }

  /** Enters the region at TARGET if there is one. */
  private farStub(): void {
    const { e } = this;
    // if (entry.tag == (target & ~0xffc))
    this.fetchTag();
    // The comparison includes bits 1:0, as in the interpreter.
    e.get(TARGET).i64n(~0xffc).op(Op.i64And).op(Op.i64Eq);
    const hit = e.if();
    // cell = cells[(entry.uops + (target & 0xffc) × 2) >> 2]; enter it
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
    // state.pc = target; state.left = budget; return MAY_LINK
    e.get(STATE_PAGE).get(TARGET).mem(Op.i64Store, STATE.pc);
    e.get(STATE_PAGE).get(BUDGET).mem(Op.i32Store, STATE.left);
    e.i32(MAY_LINK).op(Op.return);
  }

  /** Enters the region of the cell on the stack and in CELL, if it is one. `page` pushes the page's virtual address. */
  private enterCell(page: () => void): void {
    const { e } = this;
    // if (cell >= REGION) return regions[cell − REGION](state, budget, page)
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
    // The merge that comes last in the order is the outermost block.
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
    if (n === undefined) {
      this.link(pageOf(this.flow.nodes[from]!.block.start), to, dirty);
      return;
    }
    this.checkPage(from, to, dirty, () => this.setTarget(to));
    if (n <= from) this.e.br(this.loops.get(n)!);
    else if (this.flow.nodes[n]!.isMerge) this.e.br(this.merges.get(n)!);
    else this.tree(n);
  }

  /** Control leaves the region for a position, from page `page`. */
  private link(page: number, to: number, dirty: number): void {
    const { e } = this;
    this.writeBack(dirty);
    if (pageOf(to) !== page) {
      // goto far
      this.setTarget(to);
      e.br(this.far);
      return;
    }
    // cell = cells[to]; enter it, or site = to; goto linked
    e.i32((this.place.uops(page) + UOP_BYTES * inPage(to)) >>> 2)
      .mem(Op.i32Load16U, cellOffset(this.place.pool))
      .tee(CELL);
    this.enterCell(() => {
      e.get(PAGE_VA);
      if (page !== 0) e.i64n(4 * pageStart(page)).op(Op.i64Add);
    });
    e.i32(site(to)).set(SITE).br(this.linked);
  }

  private setTarget(to: number): void {
    // target = page + 4 × to
    this.e
      .get(PAGE_VA)
      .i64n(4 * to)
      .op(Op.i64Add)
      .set(TARGET);
  }

  private block(n: number): void {
    const { e } = this;
    const { block, isLoop } = this.flow.nodes[n]!;
    let dirty = this.dirty[n]!;
    if (isLoop) this.checkBudget(block.start, dirty);
    const count = block.instructions.length;
    // budget −= count
    if (count > 0) e.get(BUDGET).i32(count).op(Op.i32Sub).set(BUDGET);
    this.backend.begin();
    block.instructions.forEach((i, k) => {
      this.current = i;
      this.dirtyHere = dirty;
      this.giveBack = count - k;
      this.locals.reset();
      this.code.expressions.forget();
      this.backend.enter(i, this.giveBack);
      this.code.emit(i.body);
      dirty |= this.perBlock[n]![k]!.writes;
    });
    const { end } = block;
    switch (end.kind) {
      case 'stop':
        if (end.gate) this.passGate(end.at, end.gate, dirty);
        else this.stop(end.at, dirty);
        return;
      case 'next':
        this.goTo(n, end.to, dirty);
        return;
      case 'branch': {
        if (end.taken === end.next) {
          this.goTo(n, end.next, dirty);
          return;
        }
        // if (cond) goto taken; else goto next
        this.code.expressions.push(branchOf(block.instructions.at(-1)!)!.cond!);
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

  /** The interpreter executes the instruction at a position. */
  private stop(at: number, dirty: number): void {
    // site = at; goto stub
    this.e.i32(site(at)).set(SITE).br(this.stubs.get(dirty)!);
  }

  /** A gate executes the instruction at a position. */
  private passGate(at: number, { name, code, privileged }: Gate, dirty: number): void {
    const { e } = this;
    if (privileged) {
      // if (state.mode & plv) stop
      pushState(this.backend, Op.i32Load, 'mode');
      e.i32(CRMD.PLV).op(Op.i32And);
      const forbidden = e.if();
      this.stop(at, dirty);
      e.end(forbidden);
    }
    this.writeBack(dirty);
    // state.pc = page + 4 × at; state.left = budget; return regions[state.gates + gate](state, code, 0)
    e.get(STATE_PAGE)
      .get(PAGE_VA)
      .i64n(4 * at)
      .op(Op.i64Add)
      .mem(Op.i64Store, STATE.pc);
    e.get(STATE_PAGE).get(BUDGET).mem(Op.i32Store, STATE.left);
    e.get(STATE_PAGE).i32(code).i64n(0);
    pushState(this.backend, Op.i32Load, 'gates');
    e.i32(GATES.indexOf(name)).op(Op.i32Add).returnCallIndirect(REGION_TYPE);
  }

  /** Goes to TARGET, inside the region where TARGET is one of `likely`. */
  private jump(n: number, block: Block, likely: readonly number[], dirty: number): void {
    const inside = likely.filter((to) => this.flow.edge(n, to) !== undefined);
    const table = byTable(block);
    for (const distance of new Set(inside.map(pageOf))) {
      const there = inside.filter((to) => pageOf(to) === distance);
      if (table) this.jumpByTable(n, there, dirty);
      else for (const to of there) this.jumpIf(n, to, dirty);
    }
    this.writeBack(dirty);
    this.e.br(this.far);
  }

  private jumpIf(n: number, to: number, dirty: number): void {
    const { e } = this;
    // if (target == page + 4 × to) goto to
    e.get(TARGET)
      .get(PAGE_VA)
      .i64n(4 * to)
      .op(Op.i64Add)
      .op(Op.i64Eq);
    const here = e.if();
    this.goTo(n, to, dirty);
    e.end(here);
  }

  /** Goes to TARGET where it is one of several positions in one page. */
  private jumpByTable(n: number, targets: readonly number[], dirty: number): void {
    const { e } = this;
    const first = Math.min(...targets);
    const labels: Label[] = [];
    const outside = e.block();
    for (let to = first; to <= Math.max(...targets); to++)
      labels.push(targets.includes(to) ? this.labelOf(n, to) : outside);
    // A target in another page, or a misaligned one, has bits that make it larger than the table.
    // va = rotate(target − (page + 4 × first), 2); if (va >= labels) goto outside
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
    this.checkPage(n, first, dirty, () => {});
    // goto labels[va]
    e.get(VA).op(Op.i32WrapI64).brTable(labels, outside);
    e.end(outside);
  }

  /** The label that leads from block `from` to a position. Not every position has one. */
  private labelOf(from: number, to: number): Label {
    const n = this.flow.edge(from, to)!;
    return n <= from ? this.loops.get(n)! : this.merges.get(n)!;
  }

  /** Leaves; the current instruction is not executed. */
  exit(): void {
    // site = position | giveBack << 16; goto stub
    this.e.i32(site(this.current.at, this.giveBack)).set(SITE).br(this.stubs.get(this.dirtyHere)!);
  }
}
