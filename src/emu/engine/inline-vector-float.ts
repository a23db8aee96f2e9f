/**
 * Common cases of vector floating point as WebAssembly SIMD, under the conditions of inline-float.ts. An operation uses
 * the exact path as a whole unless all its elements are common cases.
 */

import * as lanes from '../isa/lanes.ts';
import { c32, type Node, op } from '../isa/semantics.ts';
import type { FpOperation } from '../softfloat/operations.ts';
import { FCMP_CONDITIONS } from '../softfloat/operations.ts';
import { vectorOperation } from '../softfloat/vector-operations.ts';
import { Simd as V } from '../wasm/opcodes.ts';

/** An operation on one half. Operands are v128 locals. */
export interface VectorForm {
  readonly operands: 1 | 2 | 3;
  readonly result: (x: readonly Node[]) => Node;
  /** Not 0 (i32) when the half must use the exact path. It may look at the result too, which is a local. */
  readonly fails: (x: readonly Node[], result: Node) => Node;
}

const v = (code: number, ...args: readonly Node[]): Node => op('v128', code, ...args);
type Width = 'w' | 'd';

/** All ones in the elements that are zeros of either sign. */
const zeros = (e: Width, x: Node): Node => lanes.equal(e, lanes.shl(e, x, c32(1)), lanes.constant(e, 0));

/** Fails unless every element is normal and above the least normal number, or is a zero where `exact` has ones. */
function unlessNormal(e: Width, result: Node, exact: Node | undefined): Node {
  const exponent = lanes.shrU(e, lanes.shl(e, result, c32(1)), c32(e === 'w' ? 24 : 53));
  const odd = lanes.or(
    lanes.lessThan(e, true, exponent, lanes.constant(e, 2)),
    lanes.equal(e, exponent, lanes.constant(e, e === 'w' ? 0xff : 0x7ff)),
  );
  return lanes.anyTrue(exact ? lanes.andNot(odd, lanes.and(zeros(e, result), exact)) : odd);
}

const ALL = lanes.constant('b', 0xff);
const FORMS = new Map<string, VectorForm>();
const add = (name: FpOperation, form: (e: Width) => VectorForm): void => {
  for (const e of ['w', 'd'] as const) FORMS.set(`${name}.${e}`, form(e));
};

for (const [name, single, double] of [
  ['fadd', V.f32x4Add, V.f64x2Add],
  ['fsub', V.f32x4Sub, V.f64x2Sub],
  ['fmul', V.f32x4Mul, V.f64x2Mul],
  ['fdiv', V.f32x4Div, V.f64x2Div],
] as const)
  add(name, (e) => ({
    operands: 2,
    result: ([a, b]) => v(e === 'w' ? single : double, a!, b!),
    fails: ([a, b], r) => {
      // The zeros that are exact are the same as in inline-float.ts.
      const exact = name === 'fmul' ? lanes.or(zeros(e, a!), zeros(e, b!)) : name === 'fdiv' ? zeros(e, a!) : ALL;
      return unlessNormal(e, r, exact);
    },
  }));
add('fsqrt', (e) => ({
  operands: 1,
  result: ([a]) => v(e === 'w' ? V.f32x4Sqrt : V.f64x2Sqrt, a!),
  fails: ([a], r) => unlessNormal(e, r, zeros(e, a!)),
}));

for (const [name, condition] of Object.entries(FCMP_CONDITIONS)) {
  const wanted = condition & 0x16;
  add(`fcmp.${name}` as FpOperation, (e) => {
    const compare = (single: number, double: number, a: Node, b: Node): Node => v(e === 'w' ? single : double, a, b);
    return {
      operands: 2,
      result: ([a, b]) => {
        if (wanted === 2) return compare(V.f32x4Lt, V.f64x2Lt, a!, b!);
        if (wanted === 4) return compare(V.f32x4Eq, V.f64x2Eq, a!, b!);
        if (wanted === 6) return compare(V.f32x4Le, V.f64x2Le, a!, b!);
        if (wanted === 0) return lanes.constant('b', 0);
        return wanted & 4 ? ALL : compare(V.f32x4Ne, V.f64x2Ne, a!, b!);
      },
      fails: ([a, b]) =>
        lanes.anyTrue(lanes.or(compare(V.f32x4Ne, V.f64x2Ne, a!, a!), compare(V.f32x4Ne, V.f64x2Ne, b!, b!))),
    };
  });
}

/** Fused operations: the function that is called with a, b and ±c, and whether its result is negated. */
export interface FusedForm {
  readonly single: boolean;
  readonly negateC: boolean;
  readonly negate: boolean;
}
const FUSED: Readonly<Partial<Record<FpOperation, Omit<FusedForm, 'single'>>>> = {
  fmadd: { negateC: false, negate: false },
  fmsub: { negateC: true, negate: false },
  fnmadd: { negateC: false, negate: true },
  fnmsub: { negateC: true, negate: true },
};

/** The parts of which fused operations are made. */
export const negated = (single: boolean, x: Node): Node => v(single ? V.f32x4Neg : V.f64x2Neg, x);
export const fusedFails = (single: boolean, [a, b, c]: readonly Node[], r: Node): Node => {
  const e = single ? 'w' : 'd';
  // A zero is exact when product and summand are zeros. Otherwise it may be an underflow.
  const exact = lanes.and(lanes.or(zeros(e, a!), zeros(e, b!)), zeros(e, c!));
  return unlessNormal(e, r, exact);
};

/** The form of a vector operation, by the code of its helper call. */
export function vectorForm(
  code: number,
):
  | { readonly halves: number; readonly form: VectorForm }
  | { readonly halves: number; readonly fused: FusedForm }
  | undefined {
  const { operation, halves } = vectorOperation(code);
  if (operation.shape !== 'each' || operation.from !== operation.to) return undefined;
  const form = FORMS.get(`${operation.name}.${operation.double ? 'd' : 'w'}`);
  if (form && operation.from === (operation.double ? 8 : 4)) return { halves, form };
  const fused = FUSED[operation.name];
  return fused && { halves, fused: { ...fused, single: !operation.double } };
}
