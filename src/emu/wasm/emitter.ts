import { Bytes } from './module.ts';
import { Op, type Ty, VOID_BLOCK } from './opcodes.ts';

/**
 * Writes one function body. Blocks are identified by label objects. The emitter converts labels to relative depths.
 */
export class Emitter {
  readonly bytes = new Bytes();
  private readonly open: Label[] = [];

  op(first: number, second = -1, third = -1): this {
    this.bytes.u8(first);
    if (second >= 0) this.bytes.u8(second);
    if (third >= 0) this.bytes.u8(third);
    return this;
  }

  get(local: Local): this {
    this.bytes.u8(Op.localGet).uleb(local.index);
    return this;
  }

  set(local: Local): this {
    this.bytes.u8(Op.localSet).uleb(local.index);
    return this;
  }

  tee(local: Local): this {
    this.bytes.u8(Op.localTee).uleb(local.index);
    return this;
  }

  i32(value: number): this {
    this.bytes.u8(Op.i32Const).sleb(value | 0);
    return this;
  }

  i64(value: bigint): this {
    this.bytes.u8(Op.i64Const).slebWide(value);
    return this;
  }

  /** An i64 literal that a JavaScript number holds exactly. */
  i64n(value: number): this {
    this.bytes.u8(Op.i64Const).sleb(value);
    return this;
  }

  f32(value: number): this {
    this.bytes.u8(Op.f32Const).raw(new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }

  f64(value: number): this {
    this.bytes.u8(Op.f64Const).raw(new Uint8Array(Float64Array.of(value).buffer));
    return this;
  }

  /** A load or store with a static offset. The alignment hint is 0: unaligned accesses are legal and as fast. */
  mem(opcode: number, offset: number): this {
    this.any(opcode);
    this.bytes.u8(0).uleb(offset);
    return this;
  }

  /** An atomic access of 2^`log` bytes, which must be aligned. */
  atomic(opcode: number, log: number): this {
    this.any(opcode);
    this.bytes.u8(log).uleb(0);
    return this;
  }

  /** One opcode of either opcode space, followed by the immediate bytes. */
  any(opcode: number, immediate: readonly number[] = []): this {
    if (opcode > 0xffff) this.bytes.u8(opcode >> 12).uleb(opcode & 0xfff);
    else if (opcode > 0xff) this.bytes.u8(opcode >> 8).uleb(opcode & 0xff);
    else this.bytes.u8(opcode);
    this.bytes.raw(immediate);
    return this;
  }

  call(func: number): this {
    this.bytes.u8(Op.call).uleb(func);
    return this;
  }

  /** Calls the function of type `type` at the index on the stack, in table number `table`. */
  callIndirect(type: number, table = 0): this {
    this.bytes.u8(Op.callIndirect).uleb(type).uleb(table);
    return this;
  }

  /** {@link callIndirect} as a tail call: this function returns what the called function returns. */
  returnCallIndirect(type: number, table = 0): this {
    this.bytes.u8(Op.returnCallIndirect).uleb(type).uleb(table);
    return this;
  }

  block(): Label {
    return this.begin(Op.block);
  }

  loop(): Label {
    return this.begin(Op.loop);
  }

  if(): Label {
    return this.begin(Op.if);
  }

  else(): this {
    return this.op(Op.else);
  }

  end(label: Label): this {
    if (this.open.pop() !== label) throw new Error('emitter: blocks end in the wrong order');
    return this.op(Op.end);
  }

  br(label: Label): this {
    this.bytes.u8(Op.br).uleb(this.depth(label));
    return this;
  }

  brIf(label: Label): this {
    this.bytes.u8(Op.brIf).uleb(this.depth(label));
    return this;
  }

  brTable(labels: readonly Label[], otherwise: Label): this {
    this.bytes.u8(Op.brTable).uleb(labels.length);
    for (const l of labels) this.bytes.uleb(this.depth(l));
    this.bytes.uleb(this.depth(otherwise));
    return this;
  }

  private begin(opcode: number): Label {
    const label: Label = {};
    this.open.push(label);
    this.bytes.u8(opcode).u8(VOID_BLOCK);
    return label;
  }

  private depth(label: Label): number {
    const index = this.open.lastIndexOf(label);
    if (index < 0) throw new Error('emitter: branch to a block that is not open');
    return this.open.length - 1 - index;
  }
}

/** The identity of an open block. */
export type Label = Record<never, never>;

/** A local variable or parameter of the function that is being emitted. */
export interface Local<T extends Ty = Ty> {
  readonly index: number;
  readonly ty: T;
}

/** Allocates local variables by type. `reset` makes all of them free again, so that handlers reuse locals. */
export class Locals {
  private readonly types: Ty[] = [];
  private readonly known: (string | undefined)[] = [];
  private readonly used: Record<Ty, number> = { i32: 0, i64: 0, f32: 0, f64: 0, v128: 0 };
  private readonly pool: { readonly [T in Ty]: Local<T>[] } = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  private readonly first: number;

  /** `first`: the index of the first local after the function's parameters and fixed locals. */
  constructor(first = 0) {
    this.first = first;
  }

  /** A local that is free. `name`: for people who read the code. */
  take<T extends Ty>(ty: T, name?: string): Local<T> {
    const pool: Local<T>[] = this.pool[ty];
    const known = pool[this.used[ty]++];
    if (known) return known;
    const local = { index: this.first + this.types.length, ty };
    this.types.push(ty);
    this.known.push(name);
    pool.push(local);
    return local;
  }

  reset(): void {
    for (const ty of Object.keys(this.used) as Ty[]) this.used[ty] = 0;
  }

  /** The locals that are in use now are never free again. */
  keep(): void {
    for (const ty of Object.keys(this.used) as Ty[]) {
      this.used[ty] = 0;
      this.pool[ty].length = 0;
    }
  }

  /** The types of all locals allocated so far, in index order. */
  all(): readonly Ty[] {
    return this.types;
  }

  /** The names of all locals allocated so far, in index order. */
  names(): readonly (string | undefined)[] {
    return this.known;
  }
}
