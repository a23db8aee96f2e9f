import type { CpuFeatures, FeatureName } from '../cpu/features.ts';
import { OPERANDS, type OperandKind, type OperandName } from './operands.ts';
import type { Semantics } from './semantics.ts';

/** The behaviour of an instruction in guest mode (docs/lvz.md, "Instructions in guest mode"). */
export type GuestRule =
  /** Acts on the state of the guest. */
  | 'native'
  /** Raises GSPR in the host (after the privilege check). */
  | 'GSPR'
  /** Raises INE inside the guest. */
  | 'INE';

/** Instruction groups: the base, or a feature of the CPU. Without the feature the words raise INE. */
export type Extension = 'base' | 'privileged' | FeatureName;

/** Units that EUEN enables, in the order of its bits. */
export const UNITS = ['fp', 'lsx', 'lasx', 'lbt'] as const;
export type Unit = (typeof UNITS)[number];

/** The feature that a unit belongs to. */
const UNIT_FEATURE: Readonly<Record<Unit, FeatureName>> = { fp: 'fpu', lsx: 'lsx', lasx: 'lasx', lbt: 'lbt' };

/** Flags that other layers need. */
export interface RowFlags {
  /** Needs PLV0; anything else raises IPE. */
  readonly priv?: boolean;
  readonly guest?: GuestRule;
  readonly ext?: Extension;
  /** Needs the unit enabled in EUEN; otherwise its "disabled" exception is raised. */
  readonly unit?: Unit;
  /** rd equal to one of these registers (and not r0) raises INE (Vol. 1, 2.2.7.1). */
  readonly distinct?: readonly ('rj' | 'rk')[];
  /** The first operand must not be below the second; the other words are no instruction (docs/isa-notes.md). */
  readonly ordered?: readonly [high: OperandName, low: OperandName];
}

/** A run of adjacent bits of one operand inside the word. */
interface FieldPart {
  readonly operand: OperandName;
  /** Lowest bit inside the instruction word. */
  readonly lo: number;
  readonly width: number;
  /** Lowest bit inside the operand's field. */
  readonly from: number;
}

/** One instruction: its encoding, operands, flags and its only semantic definition. */
export interface Row {
  readonly name: string;
  /** Encoding in the manual's notation, most significant bit first. */
  readonly pattern: string;
  readonly mask: number;
  readonly match: number;
  readonly parts: readonly FieldPart[];
  /** Operands in assembly order. */
  readonly operands: readonly OperandName[];
  readonly priv: boolean;
  readonly guest: GuestRule;
  readonly ext: Extension;
  readonly distinct: readonly ('rj' | 'rk')[];
  readonly unit: Unit | undefined;
  readonly ordered: readonly [high: OperandName, low: OperandName] | undefined;
  /** A rule that the pattern cannot express: operand values that belong to another row. */
  readonly excludes: readonly { operand: OperandName; value: number }[];
  readonly define: (s: Semantics) => void;
}

const PART = /^([a-z][a-z0-9]*)(?:\[(\d+):(\d+)\])?$/;

/** What a field name of a pattern means: bits `from` to `from + width - 1` of an operand, which has none of some values. */
interface Field {
  readonly operand: OperandName;
  readonly width: number;
  readonly from: number;
  readonly notValues: readonly number[];
}

/** Patterns have some two thousand field names, few of them different; and the table is built at every start. */
const fields: Record<string, Field | undefined> = {};

function fieldOf(token: string): Field | undefined {
  const [base, ...notValues] = token.split('!=');
  const m = PART.exec(base ?? '');
  if (!m || !(m[1]! in OPERANDS)) return undefined;
  const operand = m[1] as OperandName;
  const from = m[3] === undefined ? 0 : Number(m[3]);
  const hi = m[2] === undefined ? OPERANDS[operand].width - 1 : Number(m[2]);
  return { operand, width: hi - from + 1, from, notValues: notValues.map(Number) };
}

/**
 * Builds a row. `pattern` lists, from bit 31 down, runs of 0/1 and operand names; an operand split over the word
 * names its bits as `offs21[15:0]`. `asm` lists the operands in assembly order, `rj!=0` forms exclude a value.
 * @throws Error when the pattern does not fill 32 bits or `asm` and pattern disagree: a defect of the table.
 */
export function row(name: string, pattern: string, asm: string, flags: RowFlags, define: (s: Semantics) => void): Row {
  let bit = 32;
  let mask = 0;
  let match = 0;
  const parts: FieldPart[] = [];
  const excludes: { operand: OperandName; value: number }[] = [];
  for (const token of pattern.split(' ')) {
    if (token === '') continue;
    if (token[0] === '0' || token[0] === '1') {
      bit -= token.length;
      const bits = Number.parseInt(token, 2);
      mask |= (2 ** token.length - 1) << bit;
      match |= bits << bit;
      continue;
    }
    const field = (fields[token] ??= fieldOf(token));
    if (!field) throw new Error(`instruction table: ${name}: unknown field '${token}'`);
    const { operand, width, from, notValues } = field;
    bit -= width;
    parts.push({ operand, lo: bit, width, from });
    for (const value of notValues) excludes.push({ operand, value });
  }
  if (bit !== 0) throw new Error(`instruction table: ${name}: pattern has ${32 - bit} bits, not 32`);
  const operands = asm.split(/[ ,]+/).filter(Boolean) as OperandName[];
  const named = new Set(parts.map((p) => p.operand));
  if (operands.length !== named.size || operands.some((o) => !named.has(o)))
    throw new Error(`instruction table: ${name}: operands '${asm}' do not match the pattern`);
  return {
    name,
    pattern,
    mask: mask >>> 0,
    match: match >>> 0,
    parts,
    operands,
    priv: flags.priv ?? false,
    guest: flags.guest ?? 'native',
    ext: flags.ext ?? 'base',
    distinct: flags.distinct ?? [],
    unit: flags.unit,
    ordered: flags.ordered,
    excludes,
    define,
  };
}

/** The value of `operand` in `word`: sign-extended, shifted and biased as the operand kind says. */
export function operandValue(r: Row, word: number, operand: OperandName): number {
  const kind: OperandKind = OPERANDS[operand];
  let raw = 0;
  for (const p of r.parts) {
    if (p.operand === operand) raw |= ((word >>> p.lo) & ((1 << p.width) - 1)) << p.from;
  }
  if (kind.signed) raw = (raw << (32 - kind.width)) >> (32 - kind.width);
  return raw * 2 ** (kind.shift ?? 0) + (kind.bias ?? 0);
}

/** The word of row `r` with the given operand values; the inverse of {@link operandValue}. */
export function encodeRow(r: Row, values: Readonly<Partial<Record<OperandName, number>>>): number {
  let word = r.match;
  for (const p of r.parts) {
    const kind: OperandKind = OPERANDS[p.operand];
    const raw = ((values[p.operand] ?? 0) - (kind.bias ?? 0)) / 2 ** (kind.shift ?? 0);
    word |= ((raw >> p.from) & ((1 << p.width) - 1)) << p.lo;
  }
  return word >>> 0;
}

/** Does a CPU with `features` have the instruction? */
export const existsOn = (r: Row, features: CpuFeatures): boolean =>
  (r.unit === undefined || features[UNIT_FEATURE[r.unit]]) &&
  (r.ext === 'base' || r.ext === 'privileged' || features[r.ext]);
