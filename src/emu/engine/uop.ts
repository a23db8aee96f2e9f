/**
 * Micro-operations: 8 bytes an instruction, decoded once.
 *
 *   byte 0-1  handler number
 *   byte 2    rd, fd or vd × 8, or a 5-bit code (cacop, preld, invtlb), cd, fcsr, scr
 *   byte 3    rj, fj or vj × 8, or cj, fcsr, scr
 *   byte 4-7  the immediate; or byte 4 = rk, fk or vk × 8 or lsb, byte 5 = shift amount, msb, fa or va × 8 or ca;
 *             or byte 4-5 = an offset and byte 6 = an element number
 */

import { OPERANDS, type OperandKind, type OperandName } from '../isa/operands.ts';
import type { Row } from '../isa/row.ts';
import { Semantics, type Stmt, type VectorOperand } from '../isa/semantics.ts';
import { contains } from '../isa/traits.ts';
import type { LinearMemory } from '../memory/linear-memory.ts';
import { SUPERINSTRUCTIONS } from './superinstructions.ts';

interface Place {
  readonly offset: number;
  readonly bytes: 1 | 2 | 4;
}
const BYTE_2: Place = { offset: 2, bytes: 1 };
const BYTE_3: Place = { offset: 3, bytes: 1 };
const BYTE_4: Place = { offset: 4, bytes: 1 };
const BYTE_5: Place = { offset: 5, bytes: 1 };
const BYTE_6: Place = { offset: 6, bytes: 1 };
const HALFWORD_4: Place = { offset: 4, bytes: 2 };
const WORD_4: Place = { offset: 4, bytes: 4 };

/** Where register operands are. Their value is the register number times 8. */
export const GPR_PLACE: Readonly<Record<'rd' | 'rj' | 'rk', number>> = { rd: 2, rj: 3, rk: 4 };

/** Where floating-point registers are. Their value is the register number times 8, a quarter of the offset. */
export const FPR_PLACE: Readonly<Record<'fd' | 'fj' | 'fk' | 'fa', number>> = { fd: 2, fj: 3, fk: 4, fa: 5 };

/** Where vector registers are, in the same form as FPR_PLACE. */
export const VR_PLACE: Readonly<Record<VectorOperand, number>> = { vd: 2, vj: 3, vk: 4, va: 5 };

/** Where a register operand other than a GPR is, or undefined. */
function registerPlace(operand: OperandName): number | undefined {
  if (operand in FPR_PLACE) return FPR_PLACE[operand as keyof typeof FPR_PLACE];
  const vector = operand.replace('x', 'v');
  return vector in VR_PLACE ? VR_PLACE[vector as VectorOperand] : undefined;
}

/** Where an immediate operand is. */
export function immediatePlace(operand: OperandName): Place {
  switch (operand) {
    case 'code5':
    case 'cd':
    case 'fcsrd':
    case 'scrd':
      return BYTE_2;
    case 'cj':
    case 'fcsrj':
    case 'scrj':
      return BYTE_3;
    case 'lsbw':
    case 'lsbd':
      return BYTE_4;
    case 'ca':
    case 'msbw':
    case 'msbd':
    case 'sa2':
    case 'sa2p1':
    case 'sa3':
      return BYTE_5;
    case 'si8':
    case 'si8h':
    case 'si8w':
    case 'si8d':
      return HALFWORD_4;
    case 'idx1':
    case 'idx2':
    case 'idx3':
    case 'idx4':
    case 'idx5':
      return BYTE_6;
    default:
      return WORD_4;
  }
}

/** Handlers that are not instructions. An empty page is filled with handler 0. */
export const PSEUDO = ['decode', 'pageEnd', 'breakpoint', 'ine', 'nop'] as const;
export type Pseudo = (typeof PSEUDO)[number];

/** Where a handler is: in the dispatch loop, in the function beside it, or in a function of its own. */
export type Home = 'loop' | 'outlined' | 'own';

/** One handler of the interpreter: a row in one of the variants that decoding chooses. */
export interface Variant {
  readonly row: Row;
  readonly body: readonly Stmt[];
  /** rd is r0: the result is dropped. */
  readonly rdZero: boolean;
  /** The branch target is in another page. */
  readonly far: boolean;
  readonly home: Home;
  /** For a pair: the instruction in the next micro-op. */
  readonly second?: Variant;
}

/** The list of handlers, and the numbers by which decoding finds them. */
export interface HandlerMap {
  /** Handlers in the loop and beside it. */
  readonly variants: readonly Variant[];
  /**
   * Rows whose handlers are functions of their own. Each is made when it first runs. Their numbers come after all
   * others.
   */
  readonly own: readonly Row[];
  /** The handler number of the variant, by row. Index: (rdZero ? 1 : 0) + (far ? 2 : 0). */
  readonly numbers: ReadonlyMap<Row, readonly number[]>;
  /** The handler number for two micro-ops in a row, by the {@link pairKey} of their own numbers. */
  readonly pairs: ReadonlyMap<number, number>;
}

/** All handler numbers are below this. */
const MOST_HANDLERS = 0x10000;
export const pairKey = (first: number, second: number): number => first * MOST_HANDLERS + second;
/** The first number of a key. */
export const firstOfPair = (key: number): number => Math.floor(key / MOST_HANDLERS);

const hasEffect = (body: readonly Stmt[]): boolean =>
  body.some((s) => s.s !== 'let' && s.s !== 'setRd' && s.s !== 'peek');

/** Vector instructions. They are too many and too long to be compiled before they are used. */
const isOwn = (row: Row): boolean => row.unit === 'lsx' || row.unit === 'lasx';

/**
 * Floating point, atomics and all instructions that call a helper. One more call costs them little. Every handler in
 * the dispatch loop makes the register allocation of all the others worse
 * (docs/decisions/0001-interpreter-from-definitions.md).
 */
const homeOf = (row: Row, body: readonly Stmt[]): Home =>
  (row.unit !== undefined || contains(body, 'call') || contains(body, 'linear')) &&
  !contains(body, 'branch') &&
  !contains(body, 'jump')
    ? 'outlined'
    : 'loop';

/** The handler of a row that has a function of its own. */
export const ownVariant = (row: Row): Variant => ({
  row,
  body: Semantics.record(row.define),
  rdZero: false,
  far: false,
  home: 'own',
});

/** Chooses the variants that each row needs. Their numbers come after the pseudo handlers. */
export function planHandlers(rows: readonly Row[]): HandlerMap {
  const variants: Variant[] = [];
  const numbers = new Map<Row, readonly number[]>();
  const add = (v: Variant): number => PSEUDO.length + variants.push(v) - 1;
  const nop = PSEUDO.indexOf('nop');
  const own = rows.filter(isOwn);
  for (const row of rows) {
    if (isOwn(row)) continue;
    const body = Semantics.record(row.define);
    const home = homeOf(row, body);
    const near = add({ row, body, rdZero: false, far: false, home });
    const far = contains(body, 'branch') ? add({ row, body, rdZero: false, far: true, home }) : near;
    let zero = near;
    if (contains(body, 'setRd'))
      zero =
        hasEffect(body) || row.priv || row.guest !== 'native'
          ? add({ row, body, rdZero: true, far: false, home })
          : nop;
    numbers.set(row, [near, zero, far, far]);
  }
  const pairs = new Map<number, number>();
  const byName = new Map(rows.map((row) => [row.name, numbers.get(row)?.[0]]));
  for (const [a, b] of SUPERINSTRUCTIONS) {
    const first = byName.get(a);
    const second = byName.get(b);
    if (first === undefined || second === undefined) continue;
    const variant = variants[first - PSEUDO.length]!;
    pairs.set(pairKey(first, second), add({ ...variant, second: variants[second - PSEUDO.length]! }));
  }
  own.forEach((row, i) => {
    const n = PSEUDO.length + variants.length + i;
    numbers.set(row, [n, n, n, n]);
  });
  return { variants, own, numbers, pairs };
}

/** How one operand of a row is moved from the instruction word into the micro-op. It is computed once for each row. */
interface OperandPlan {
  /** The parts of its field: lowest bit in the word, mask, lowest bit in the operand. */
  readonly lo: number;
  readonly mask: number;
  readonly lo2: number;
  readonly mask2: number;
  readonly from2: number;
  /** The left and right shift that extend the sign, 0 for none. */
  readonly extend: number;
  readonly scale: number;
  readonly bias: number;
  readonly offset: number;
  readonly bytes: number;
  /** 1, 2, 3: rd, rj, rk. 4: the distance of a branch. */
  readonly role: 0 | 1 | 2 | 3 | 4;
}

interface UopPlan {
  readonly operands: readonly OperandPlan[];
  readonly hasRd: boolean;
  /** A branch that is always taken. */
  readonly always: boolean;
  readonly distinct: number;
}
const ROLE = { rd: 1, rj: 2, rk: 3 } as const;
const plans = new Map<Row, UopPlan>();

function planOf(row: Row): UopPlan {
  const known = plans.get(row);
  if (known) return known;
  const operands = row.operands.map((operand): OperandPlan => {
    const kind = OPERANDS[operand] as OperandKind;
    const parts = row.parts.filter((p) => p.operand === operand).sort((a, b) => a.from - b.from);
    const [first, second] = parts;
    const branch = operand === 'offs21' || operand === 'offs26' || (operand === 'offs16' && row.name !== 'jirl');
    const register = operand in GPR_PLACE ? GPR_PLACE[operand as keyof typeof GPR_PLACE] : registerPlace(operand);
    const place = register !== undefined ? { offset: register, bytes: 1 } : immediatePlace(operand);
    return {
      lo: first!.lo,
      mask: (1 << first!.width) - 1,
      lo2: second?.lo ?? 0,
      mask2: second ? (1 << second.width) - 1 : 0,
      from2: second?.from ?? 0,
      extend: kind.signed ? 32 - kind.width : 0,
      scale: 2 ** (kind.shift ?? 0) * (register !== undefined ? 8 : 1),
      bias: kind.bias ?? 0,
      offset: place.offset,
      bytes: place.bytes,
      role: branch ? 4 : operand in ROLE ? ROLE[operand as keyof typeof ROLE] : 0,
    };
  });
  const plan = {
    operands,
    hasRd: row.operands.includes('rd'),
    always: row.name === 'b' || row.name === 'bl',
    distinct: (row.distinct.includes('rj') ? 1 : 0) | (row.distinct.includes('rk') ? 2 : 0),
  };
  plans.set(row, plan);
  return plan;
}

/** Where micro-ops are written, and the numbers of their handlers. */
export interface UopTarget {
  readonly map: HandlerMap;
  readonly mem: Pick<LinearMemory, 'u8' | 'u16' | 'i32'>;
}

const LEAVING = new Set(['jirl', 'ertn', 'break', 'syscall', 'hvcl', 'idle']);

/** May the instruction behind this one not be the next one? */
export const leavesBlock = (row: Row): boolean =>
  LEAVING.has(row.name) || planOf(row).operands.some((o) => o.role === 4);

/**
 * Writes the micro-op of `word` at byte offset `at`.
 * @param index position of the instruction in its page, 0..1023. It decides whether a branch is near or far
 * @returns true when the instruction certainly ends its block
 */
export function writeUop(
  { map, mem: { u8, u16, i32 } }: UopTarget,
  row: Row,
  word: number,
  index: number,
  at: number,
): boolean {
  const plan = planOf(row);
  i32[at >> 2] = 0;
  i32[(at >> 2) + 1] = 0;
  let far = false;
  let branch = false;
  let rd = 0;
  let rj = -1;
  let rk = -1;
  for (let n = 0; n < plan.operands.length; n++) {
    const o = plan.operands[n]!;
    let raw = ((word >>> o.lo) & o.mask) | (((word >>> o.lo2) & o.mask2) << o.from2);
    if (o.extend) raw = (raw << o.extend) >> o.extend;
    const value = raw * o.scale + o.bias;
    if (o.role === 4) {
      const target = index + value / 4;
      branch = true;
      far = target < 0 || target >= 1024;
      i32[(at + 4) >> 2] = far ? value : value * 2;
      continue;
    }
    if (o.role === 1) rd = value;
    else if (o.role === 2) rj = value;
    else if (o.role === 3) rk = value;
    if (o.bytes === 1) u8[at + o.offset] = value;
    else if (o.bytes === 2) u16[(at + o.offset) >> 1] = value;
    else i32[(at + o.offset) >> 2] = value;
  }
  const illegal = rd !== 0 && ((plan.distinct & 1 && rd === rj) || (plan.distinct & 2 && rd === rk));
  const zero = plan.hasRd && rd === 0;
  u16[at >> 1] = illegal ? INE : map.numbers.get(row)![(zero ? 1 : 0) + (far ? 2 : 0)]!;
  return branch && plan.always;
}
const INE = PSEUDO.indexOf('ine');
