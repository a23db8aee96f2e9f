/** Words of instructions from their text, by the table; and what other instructions the pseudo-instructions stand for. */

import { decode } from '../isa/decoder.ts';
import { fprName, GPR_NAMES, OPERANDS, type OperandKind, type OperandName, operandRange } from '../isa/operands.ts';
import { encodeRow, type Row } from '../isa/row.ts';
import { ROWS } from '../isa/table/index.ts';
import { type Line, wrong } from './asm-error.ts';
import { evaluate, type Names, type Value } from './expression.ts';
import type { RelocationName } from './object.ts';

const BY_NAME = new Map<string, Row[]>();
for (const row of ROWS) BY_NAME.set(row.name, [...(BY_NAME.get(row.name) ?? []), row]);

/** A register by its name: its kind, and its number. */
const REGISTERS = new Map<string, { readonly type: OperandKind['type']; readonly number: number }>();
for (let n = 0; n < 32; n++) {
  REGISTERS.set(`r${n}`, { type: 'gpr', number: n }).set(GPR_NAMES[n]!, { type: 'gpr', number: n });
  REGISTERS.set(`f${n}`, { type: 'fpr', number: n }).set(fprName(n), { type: 'fpr', number: n });
  REGISTERS.set(`vr${n}`, { type: 'vr', number: n }).set(`xr${n}`, { type: 'xr', number: n });
  if (n < 8) REGISTERS.set(`fcc${n}`, { type: 'fcc', number: n });
  if (n < 4) REGISTERS.set(`fcsr${n}`, { type: 'fcsr', number: n }).set(`scr${n}`, { type: 'scr', number: n });
}
REGISTERS.set('s9', { type: 'gpr', number: 22 });
const KINDS: Readonly<Record<OperandKind['type'], string>> = {
  gpr: 'a general register, as $a0',
  fpr: 'a floating-point register, as $fa0',
  vr: 'a vector register, as $vr0',
  xr: 'a vector register, as $xr0',
  fcc: 'a condition flag, as $fcc0',
  fcsr: 'a control register of floating point, as $fcsr0',
  scr: 'a scratch register, as $scr0',
  int: 'a number',
};

/** What the linker fills: `%NAME(symbol)`, and a branch to a symbol of another place. */
const MODIFIERS: Readonly<Record<string, RelocationName>> = {
  abs_hi20: 'R_LARCH_ABS_HI20',
  abs_lo12: 'R_LARCH_ABS_LO12',
  abs64_lo20: 'R_LARCH_ABS64_LO20',
  abs64_hi12: 'R_LARCH_ABS64_HI12',
  pc_hi20: 'R_LARCH_PCALA_HI20',
  pc_lo12: 'R_LARCH_PCALA_LO12',
  got_pc_hi20: 'R_LARCH_GOT_PC_HI20',
  got_pc_lo12: 'R_LARCH_GOT_PC_LO12',
  call36: 'R_LARCH_CALL36',
  b16: 'R_LARCH_B16',
  b21: 'R_LARCH_B21',
  b26: 'R_LARCH_B26',
};
const BRANCHES: Readonly<Partial<Record<OperandName, RelocationName>>> = {
  offs16: 'R_LARCH_B16',
  offs21: 'R_LARCH_B21',
  offs26: 'R_LARCH_B26',
};

/** An instruction as it was written. */
export interface Instruction {
  readonly name: string;
  readonly operands: readonly string[];
}

/** A word, and what the linker does to it. */
export interface Encoded {
  readonly word: number;
  readonly relocation: { readonly type: RelocationName; readonly symbol: string; readonly addend: bigint } | undefined;
}

/** What is asked of the assembler. */
export interface Around extends Names {
  /** The distance from this instruction to a label, where both will stay together; otherwise undefined. */
  readonly branch: (symbol: string) => bigint | undefined;
}

export const isInstruction = (name: string): boolean => BY_NAME.has(name);

/** Names that begin alike, for a mistyped one. */
export const similarNames = (name: string): string[] =>
  [...BY_NAME.keys()].filter((n) => n.startsWith(name.split('.')[0]!)).slice(0, 4);

function register(text: string, kind: OperandKind, line: Line, where: string): number {
  const found = text.startsWith('$') ? REGISTERS.get(text.slice(1)) : undefined;
  if (found?.type === kind.type) return found.number;
  throw wrong(line, `${where}: expected ${KINDS[kind.type]}, found '${text}'`, text);
}

/** A number that an operand can be. */
function checked(value: bigint, name: OperandName, line: Line, text: string, where: string): number {
  const { min, max, step } = operandRange(OPERANDS[name]);
  if (value < BigInt(min) || value > BigInt(max) || value % BigInt(step) !== 0n) {
    const multiple = step === 1 ? '' : `, a multiple of ${step}`;
    const what = BRANCHES[name] ? 'a distance' : 'a number';
    throw wrong(line, `${where}: expected ${what} from ${min} to ${max}${multiple}, found ${value}`, text);
  }
  return Number(value);
}

/** The word of an instruction. @throws AsmError */
export function encode({ name, operands }: Instruction, line: Line, around: Around): Encoded {
  const rows = BY_NAME.get(name)!;
  const row = rows.find((r) => r.operands.length === operands.length);
  if (!row) {
    const wanted = rows[0]!.operands.join(', ') || 'no operands';
    throw wrong(line, `${name} needs ${wanted}; ${operands.length} operands are given`, name);
  }
  const values: Partial<Record<OperandName, number>> = {};
  let relocation: Encoded['relocation'];
  row.operands.forEach((operand, n) => {
    const kind: OperandKind = OPERANDS[operand];
    const text = operands[n]!;
    const where = `${name}, operand ${n + 1}`;
    if (kind.type !== 'int') {
      values[operand] = register(text, kind, line, where);
      return;
    }
    if (text === '' || text.startsWith('$')) throw wrong(line, `${where}: expected a number, found '${text}'`, text);
    const [, modifier, inner] = /^%(\w+)\(([\s\S]*)\)$/.exec(text) ?? [];
    const value = evaluate(inner ?? text, line, around);
    const type = modifier === undefined ? BRANCHES[operand] : MODIFIERS[modifier];
    if (modifier !== undefined && !type) throw wrong(line, `${where}: %${modifier} is not known`, `%${modifier}`);
    const place = placed(value, type, modifier, line, text, where, around);
    if (typeof place === 'bigint') values[operand] = checked(place, operand, line, text, where);
    else relocation = place;
  });
  const word = encodeRow(row, values);
  checkWord(row, word, values, line);
  return { word, relocation };
}

/** The number of an operand, or what the linker makes of its symbol. */
function placed(
  { symbol, number }: Value,
  type: RelocationName | undefined,
  modifier: string | undefined,
  line: Line,
  text: string,
  where: string,
  around: Around,
): bigint | NonNullable<Encoded['relocation']> {
  if (symbol === undefined && modifier === undefined) return number;
  if (symbol === undefined) throw wrong(line, `${where}: %${modifier} needs a symbol`, text);
  if (type === undefined)
    throw wrong(
      line,
      `${where}: expected a number; ${symbol} is ${around.lookup(symbol) ? 'an address' : 'not defined'}`,
      symbol,
    );
  const distance = modifier === undefined ? around.branch(symbol) : undefined;
  return distance === undefined ? { type, symbol, addend: number } : distance + number;
}

/** Combinations of operands that are no instruction. */
function checkWord(row: Row, word: number, values: Partial<Record<OperandName, number>>, line: Line): void {
  const { name, ordered, distinct } = row;
  if (ordered && values[ordered[0]]! < values[ordered[1]]!)
    throw wrong(
      line,
      `${name}: the upper bit, ${values[ordered[0]]}, is below the lower one, ${values[ordered[1]]}`,
      name,
    );
  if (values.rd !== 0 && distinct.some((operand) => values[operand] === values.rd))
    throw wrong(line, `${name}: the first register must be another one than ${distinct.join(' and ')}`, name);
  const other = decode(word);
  if (other !== row)
    throw wrong(
      line,
      `${name}: these operands make ${other ? other.name : 'no instruction'}: choose another register`,
      name,
    );
}
