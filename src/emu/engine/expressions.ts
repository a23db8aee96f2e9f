/**
 * WebAssembly for expressions: the nodes that instructions and routines share. The back end handles all other nodes.
 */
import type { Node } from '../isa/semantics.ts';
import type { StateField } from '../memory/layout.ts';
import { STATE } from '../memory/layout.ts';
import type { Emitter, Local, Locals } from '../wasm/emitter.ts';
import { Float, Op, Simd, type Ty } from '../wasm/opcodes.ts';

const LOAD = { i32: Op.i32Load, i64: Op.i64Load, f64: Float.f64Load } as const;

/** Nodes that only instructions have. */
export type OperandNode = Exclude<
  Node,
  { readonly k: 'const' | 'local' | 'register' | 'page' | 'memory' | 'op' | 'v128' | 'select' }
>;

/** The function that is being emitted, and where it finds the state of the CPU. */
export interface Site {
  readonly e: Emitter;
  readonly locals: Locals;
  /** This is added to offsets into the state page of the CPU. */
  readonly base: number;
  /** Pushes the address to which `base` and offsets into the state page are added. */
  state(): void;
}

/** Pushes a field of the state page: state[field]. */
export function pushState(site: Site, opcode: number, field: StateField): void {
  site.state();
  site.e.mem(opcode, site.base + STATE[field]);
}

export class Expressions {
  private readonly site: Site;
  private readonly operand: (n: OperandNode) => void;
  /** The local variable of each recorded value in the definition that is being emitted. */
  private values = new Map<number, Local>();

  /** @param operand pushes the nodes that only instructions have */
  constructor(site: Site, operand: (n: OperandNode) => void) {
    this.site = site;
    this.operand = operand;
  }

  /** Another definition begins. It has its own recorded values. */
  forget(): void {
    this.values = new Map();
  }

  /** The local variable of a recorded value. */
  local<T extends Ty>(id: number, ty: T): Local<T> {
    const known = this.values.get(id);
    if (known) {
      if (known.ty !== ty) throw new Error(`expressions: ${known.ty} used as ${ty}`);
      return known as Local<T>;
    }
    const local = this.site.locals.take(ty);
    this.values.set(id, local);
    return local;
  }

  /** Pushes the value of a node. */
  push(n: Node): void {
    const { e, base } = this.site;
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
        // state[offset + at]
        if (n.at) this.push(n.at);
        else this.site.state();
        e.mem(LOAD[n.ty], base + n.offset);
        return;
      case 'memory':
        // memory[place + offset]
        this.push(n.place);
        e.mem(LOAD[n.ty], n.offset);
        return;
      case 'op':
        // opcode(args…)
        for (const a of n.args) this.push(a);
        e.any(n.opcode, n.immediate);
        return;
      case 'v128':
        e.any(Simd.v128Const, n.bytes);
        return;
      case 'select':
        // cond ? a : b
        this.push(n.a);
        this.push(n.b);
        this.push(n.cond);
        e.op(Op.select);
        return;
      default:
        this.operand(n);
    }
  }
}
