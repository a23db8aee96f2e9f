/**
 * Micro-operations: 8 bytes an instruction, decoded once.
 *
 *   byte 0-1  handler number
 *   byte 2    rd or fd × 8, or a 5-bit code (cacop, preld, invtlb), cd, fcsr
 *   byte 3    rj or fj × 8, or cj, fcsr
 *   byte 4-7  the immediate; or byte 4 = rk or fk × 8 or lsb, byte 5 = shift amount, msb, fa × 8 or ca
 */
import type { OperandName } from '../isa/operands.ts';
import { operandValue, type Row } from '../isa/row.ts';
import type { Stmt } from '../isa/semantics.ts';
import { contains } from '../isa/traits.ts';

interface Place {
  readonly offset: number;
  readonly bytes: 1 | 4;
}
const BYTE_2: Place = { offset: 2, bytes: 1 };
const BYTE_3: Place = { offset: 3, bytes: 1 };
const BYTE_4: Place = { offset: 4, bytes: 1 };
const BYTE_5: Place = { offset: 5, bytes: 1 };
const WORD_4: Place = { offset: 4, bytes: 4 };

/** Where register operands sit; their value is the register number times 8. */
export const GPR_PLACE: Readonly<Record<'rd' | 'rj' | 'rk', number>> = { rd: 2, rj: 3, rk: 4 };

/** Where floating-point registers sit; their value is the register number times 8, a quarter of the offset. */
export const FPR_PLACE: Readonly<Record<'fd' | 'fj' | 'fk' | 'fa', number>> = { fd: 2, fj: 3, fk: 4, fa: 5 };

/** Where an immediate operand sits. */
export function immediatePlace(operand: OperandName): Place {
  switch (operand) {
    case 'code5':
    case 'cd':
    case 'fcsrd':
      return BYTE_2;
    case 'cj':
    case 'fcsrj':
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
    default:
      return WORD_4;
  }
}

/** Handlers that are not instructions. Handler 0 is what an empty page is filled with. */
export const PSEUDO = ['decode', 'pageEnd', 'breakpoint', 'ine', 'nop'] as const;
export type Pseudo = (typeof PSEUDO)[number];

/** One handler of the interpreter: a row in one of its decode-time variants. */
export interface Variant {
  readonly row: Row;
  readonly body: readonly Stmt[];
  /** rd is r0: the result is dropped. */
  readonly rdZero: boolean;
  /** The branch target is in another page. */
  readonly far: boolean;
  /** Emitted in a function of its own; see {@link isOutlined}. */
  readonly outlined: boolean;
}

/** The handler list and the numbers by which decoding finds them. */
export interface HandlerMap {
  readonly variants: readonly Variant[];
  /** Handler number of the variant, by row. Index: (rdZero ? 1 : 0) + (far ? 2 : 0). */
  readonly numbers: ReadonlyMap<Row, readonly number[]>;
}

const hasEffect = (body: readonly Stmt[]): boolean =>
  body.some((s) => s.s !== 'let' && s.s !== 'setRd' && s.s !== 'peek');

/**
 * Floating point, atomics and whatever calls a helper: one call more costs them little, while every handler in the
 * dispatch loop makes the register allocation of all the others worse (docs/decisions/0001-interpreter-from-definitions.md).
 */
const isOutlined = (row: Row, body: readonly Stmt[]): boolean =>
  (row.unit !== undefined || contains(body, 'call') || contains(body, 'host')) &&
  !contains(body, 'branch') &&
  !contains(body, 'jump');

/** Chooses the variants each row needs and numbers them after the pseudo handlers. */
export function planHandlers(rows: readonly Row[], bodies: ReadonlyMap<Row, readonly Stmt[]>): HandlerMap {
  const variants: Variant[] = [];
  const numbers = new Map<Row, readonly number[]>();
  const add = (v: Variant): number => PSEUDO.length + variants.push(v) - 1;
  const nop = PSEUDO.indexOf('nop');
  for (const row of rows) {
    const body = bodies.get(row)!;
    const outlined = isOutlined(row, body);
    const near = add({ row, body, rdZero: false, far: false, outlined });
    const far = contains(body, 'branch') ? add({ row, body, rdZero: false, far: true, outlined }) : near;
    let zero = near;
    if (contains(body, 'setRd'))
      zero =
        hasEffect(body) || row.priv || row.guest !== 'native'
          ? add({ row, body, rdZero: true, far: false, outlined })
          : nop;
    numbers.set(row, [near, zero, far, far]);
  }
  return { variants, numbers };
}

/**
 * Writes the micro-op of `word` at byte offset `at`.
 * @param index position of the instruction in its page, 0..1023, which decides near or far branches
 * @returns true when the instruction surely ends its block
 */
export function writeUop(
  map: HandlerMap,
  row: Row,
  word: number,
  index: number,
  at: number,
  u8: Uint8Array,
  u16: Uint16Array,
  i32: Int32Array,
): boolean {
  i32[at >> 2] = 0;
  i32[(at >> 2) + 1] = 0;
  let far = false;
  let branch = false;
  let rd = 0;
  let rj = 0;
  let rk = 0;
  for (const operand of row.operands) {
    const value = operandValue(row, word, operand);
    if (operand === 'rd') u8[at + 2] = (rd = value) * 8;
    else if (operand === 'rj') u8[at + 3] = (rj = value) * 8;
    else if (operand === 'rk') u8[at + 4] = (rk = value) * 8;
    else if (operand in FPR_PLACE) u8[at + FPR_PLACE[operand as keyof typeof FPR_PLACE]] = value * 8;
    else if (operand === 'offs21' || operand === 'offs26' || (operand === 'offs16' && row.name !== 'jirl')) {
      const target = index + value / 4;
      branch = true;
      far = target < 0 || target >= 1024;
      i32[(at + 4) >> 2] = far ? value : value * 2;
    } else {
      const place = immediatePlace(operand);
      if (place.bytes === 1) u8[at + place.offset] = value;
      else i32[(at + place.offset) >> 2] = value;
    }
  }
  const illegal = row.distinct && rd !== 0 && (rd === rj || rd === rk);
  const zero = row.operands.includes('rd') && rd === 0;
  u16[at >> 1] = illegal ? PSEUDO.indexOf('ine') : map.numbers.get(row)![(zero ? 1 : 0) + (far ? 2 : 0)]!;
  return branch && (row.name === 'b' || row.name === 'bl');
}
