/** WebAssembly for the nodes that instructions and routines share. What else a node can be is the business of the back end. */
import type { Node } from '../isa/semantics.ts';
import { Emitter, type Local, type Locals } from '../wasm/emitter.ts';
import { Float, Op, Simd, type Ty } from '../wasm/opcodes.ts';

const LOAD = { i32: Op.i32Load, i64: Op.i64Load, f64: Float.f64Load } as const;

/** Nodes that only instructions have. */
export type OperandNode = Exclude<
  Node,
  { readonly k: 'const' | 'local' | 'register' | 'page' | 'memory' | 'op' | 'v128' | 'select' }
>;

export abstract class Values {
  protected readonly e = new Emitter();
  protected abstract readonly locals: Locals;
  /** What is added to offsets into the CPU's state page. */
  protected readonly base: number;
  /** Local variable of each recorded value of what is being emitted. */
  protected values = new Map<number, Local>();

  constructor(base: number) {
    this.base = base;
  }

  /** Pushes the address to which `base` and offsets into the state page are added. */
  protected abstract state(): void;
  protected abstract own(n: OperandNode): void;

  /** The local variable of a recorded value. */
  protected local<T extends Ty>(id: number, ty: T): Local<T> {
    const known = this.values.get(id);
    if (known) {
      if (known.ty !== ty) throw new Error(`values: ${known.ty} used as ${ty}`);
      return known as Local<T>;
    }
    const local = this.locals.take(ty);
    this.values.set(id, local);
    return local;
  }

  protected node(n: Node): void {
    const { e } = this;
    switch (n.k) {
      case 'const':
        if (n.ty === 'i64') e.i64(n.value);
        else e.i32(Number(n.value));
        return;
      case 'local':
        e.get(this.local(n.id, n.ty));
        return;
      case 'register':
        e.get(n);
        return;
      case 'page':
        if (n.at) this.node(n.at);
        else this.state();
        e.mem(LOAD[n.ty], this.base + n.offset);
        return;
      case 'memory':
        this.node(n.place);
        e.mem(LOAD[n.ty], n.offset);
        return;
      case 'op':
        for (const a of n.args) this.node(a);
        e.any(n.opcode, n.immediate);
        return;
      case 'v128':
        e.any(Simd.v128Const, n.bytes);
        return;
      case 'select':
        this.node(n.a);
        this.node(n.b);
        this.node(n.cond);
        e.op(Op.select);
        return;
      default:
        this.own(n);
    }
  }
}
