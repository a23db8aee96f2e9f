/**
 * Helper calls that have an inline form: CSR accesses, the counter, floating point. Where the inline form does not
 * apply, the back end uses the slow path.
 */
import type { Half, Node, Stmt, VectorOperand } from '../isa/semantics.ts';
import { STATE } from '../memory/layout.ts';
import type { Local } from '../wasm/emitter.ts';
import { Op, Relaxed, Simd } from '../wasm/opcodes.ts';
import type { Expressions, Site } from './expressions.ts';
import { HOST_HAS_FMA } from './fma.ts';
import { emitCsr, isCsrHelper } from './inline-csr.ts';
import { floatForm } from './inline-float.ts';
import { emitTime, emitTimerId } from './inline-time.ts';
import { fusedFails, negated, vectorForm } from './inline-vector-float.ts';

export type Call = Extract<Stmt, { s: 'call' }>;

/** Uses the slow path when the i32 on the stack is not 0. */
export type FailIf = () => void;

/** What inline forms need from a back end. */
export interface CallSite extends Site {
  /** Emits `inline`. Where it fails, the helper is called, or the interpreter executes the instruction. */
  attempt(call: Call, inline: (failIf: FailIf) => void): void;
  /** Calls the helper, or leaves the instruction to the interpreter. */
  helper(call: Call): void;
  gpr(which: 'rj'): void;
  fpr(which: 'fa'): number;
  vector(which: VectorOperand, half: Half): number;
  /** These push the mode word, the rest of the budget, and the address of the instruction. */
  mode(): void;
  left(): void;
  callPc(): void;
  /** The number of the CSR, or the local that holds it. `num` pushes a number that is not known at emission. */
  csrNumber(num: () => void, failIf: FailIf): number | Local<'i32'>;
  /** Does the instruction also need the counter's number, which the call returns? */
  readonly wantsTimerId: boolean;
  /** Fails unless FCSR allows the fast path of floating point; `inexact`: also for operations with a rounding error. */
  quiet(failIf: FailIf, inexact: boolean): void;
  /** Pushes 0 where the inexact flag is set, after {@link quiet}. */
  needsExact(): void;
  /** Records the last floating-point operation. FCSR.Cause is computed from it when somebody reads it. */
  notePending(code: number, operands: readonly (() => void)[]): void;
  /** The same for a vector operation, whose operands are in the state page already. */
  notePendingVector(code: number): void;
  /** Function index of the first of FMA_IMPORTS. */
  readonly firstFma: number;
}

/** Where the operands of a pending floating-point operation are kept. */
export const PENDING_FIELDS = ['fpA', 'fpB', 'fpC'] as const;

/** Emits the call of a helper, in its inline form if it has one. */
export function emitCall(site: CallSite, x: Expressions, s: Call): void {
  const { helper } = s;
  const vector = helper === 'vectorFpu' ? vectorForm(s.code) : undefined;
  if (vector) {
    site.attempt(s, (failIf) => {
      site.quiet(failIf, true);
      emitVector(site, x, vector, failIf);
      site.notePendingVector(s.code);
    });
  } else if (isCsrHelper(helper)) {
    site.attempt(s, (failIf) => emitCsrCall(site, x, s, helper, failIf));
  } else if (helper === 'rdtime') {
    site.attempt(s, (failIf) => {
      const time = { ...timeSite(site), result: x.local(s.id, 'i64'), failIf };
      emitTime(time);
      if (site.wantsTimerId) emitTimerId(time);
    });
  } else {
    const form = helper === 'fpu' ? floatForm(s.code) : undefined;
    if (form) site.attempt(s, (failIf) => emitFloat(site, x, s, form, failIf));
    else site.helper(s);
  }
}

const timeSite = (site: CallSite) => ({
  e: site.e,
  base: site.base,
  state: () => site.state(),
  mode: () => site.mode(),
  left: () => site.left(),
});

function emitCsrCall(
  site: CallSite,
  x: Expressions,
  s: Call,
  helper: Parameters<typeof emitCsr>[0],
  failIf: FailIf,
): void {
  const num = site.csrNumber(() => x.push(s.args[0]!), failIf);
  emitCsr(helper, {
    ...timeSite(site),
    num,
    result: x.local(s.id, 'i64'),
    value: () => x.push(s.args[1]!),
    mask: helper.endsWith('xchg') ? () => site.gpr('rj') : undefined,
    pc: () => site.callPc(),
    take: () => site.locals.take('i64'),
    failIf,
  });
}

function emitFloat(
  site: CallSite,
  x: Expressions,
  s: Call,
  form: NonNullable<ReturnType<typeof floatForm>>,
  failIf: FailIf,
): void {
  const { e } = site;
  if (!form.quiet) site.quiet(failIf, false);
  /** Pushes an operand: the arguments of the call come first, then fa. */
  const operand = (n: 0 | 1 | 2): void => {
    const arg = s.args[n];
    if (arg) x.push(arg);
    else e.mem(Op.i64Load, site.fpr('fa'));
  };
  // id = operation(a, b, c)
  form.emit({
    e,
    take: (ty) => site.locals.take(ty),
    failIf,
    operand,
    unlessInexact: (inexact) => {
      // if (needs exact) fail if inexact
      site.needsExact();
      const needed = e.if();
      inexact();
      failIf();
      e.end(needed);
    },
    fused: (single) => e.call(site.firstFma + (single ? 1 : 0)),
  });
  e.set(x.local(s.id, 'i64'));
  if (form.quiet) return;
  const operands = ([0, 1, 2] as const).slice(0, form.operands);
  site.notePending(
    s.code,
    operands.map((n) => () => operand(n)),
  );
}

/** Emits a vector operation: operands are copied to locals, results are computed and checked, then written. */
function emitVector(
  site: CallSite,
  x: Expressions,
  form: NonNullable<ReturnType<typeof vectorForm>>,
  failIf: FailIf,
): void {
  const { e, locals } = site;
  const count = 'form' in form ? form.form.operands : 3;
  const results: Local<'v128'>[] = [];
  const operands: Local<'v128'>[][] = [];
  for (let half = 0; half < form.halves; half++) {
    // a, b, c = vj, vk, va
    const taken = (['vj', 'vk', 'va'] as const).slice(0, count).map((which) => {
      const local = locals.take('v128');
      e.mem(Simd.v128Load, site.vector(which, half as Half)).set(local);
      return local;
    });
    const nodes = taken.map((local): Node => ({ k: 'register', ...local }));
    const result = locals.take('v128');
    const resultNode: Node = { k: 'register', ...result };
    if ('form' in form) {
      // result = operation(a, b); fails(a, b, result)
      x.push(form.form.result(nodes));
      e.set(result);
      x.push(form.form.fails(nodes, resultNode));
    } else {
      const { single, negateC, negate } = form.fused;
      // result = ±fma(a, b, ±c); fails(a, b, c, result)
      x.push(nodes[0]!);
      x.push(nodes[1]!);
      x.push(negateC ? negated(single, nodes[2]!) : nodes[2]!);
      if (HOST_HAS_FMA) e.any(single ? Relaxed.f32x4Madd : Relaxed.f64x2Madd);
      else e.call(site.firstFma + (single ? 3 : 2));
      e.set(result);
      if (negate) {
        x.push(negated(single, resultNode));
        e.set(result);
      }
      x.push(fusedFails(single, nodes, resultNode));
    }
    failIf();
    operands.push(taken);
    results.push(result);
  }
  // state[pending a, b, c] = a, b, c
  operands.forEach((taken, half) => {
    taken.forEach((local, n) => {
      site.state();
      e.get(local).mem(Simd.v128Store, site.base + STATE[PENDING_FIELDS[n]!] + 16 * half);
    });
  });
  // vd = results
  results.forEach((local, half) => {
    const vd = site.vector('vd', half as Half);
    e.get(local).mem(Simd.v128Store, vd);
  });
}
