/**
 * Operand kinds of the instruction encodings. One row describes how the bits of a field become the value
 * that semantics, assembler text and disassembler see (LoongArch Reference Manual Vol. 1, section 1.5).
 */
export interface OperandKind {
  /** Field width in bits. */
  readonly width: number;
  /** `gpr`: register number; `int`: number. */
  readonly type: 'gpr' | 'int';
  /** Two's complement field. */
  readonly signed?: boolean;
  /** Left shift applied to the field (byte offsets of branches, `ldptr`, `ll`). */
  readonly shift?: number;
  /** Added to the field (alsl encodes the shift amount minus one). */
  readonly bias?: number;
}

const gpr: OperandKind = { width: 5, type: 'gpr' };
const uint = (width: number): OperandKind => ({ width, type: 'int' });
const sint = (width: number, shift = 0): OperandKind => ({ width, type: 'int', signed: true, shift });

/** Every operand name that an encoding pattern may use. */
export const OPERANDS = {
  rd: gpr,
  rj: gpr,
  rk: gpr,
  si12: sint(12),
  ui12: uint(12),
  si14: sint(14, 2),
  si16: sint(16),
  si20: sint(20),
  ui5: uint(5),
  ui6: uint(6),
  msbw: uint(5),
  lsbw: uint(5),
  msbd: uint(6),
  lsbd: uint(6),
  sa2: uint(2),
  sa3: uint(3),
  sa2p1: { width: 2, type: 'int', bias: 1 } satisfies OperandKind,
  offs16: sint(16, 2),
  offs21: sint(21, 2),
  offs26: sint(26, 2),
  code15: uint(15),
  code5: uint(5),
  level8: uint(8),
  csr: uint(14),
} as const satisfies Record<string, OperandKind>;

export type OperandName = keyof typeof OPERANDS;

/** Register names of the LoongArch ELF psABI, by number, without the dollar sign. */
// biome-ignore format: one line per sixteen registers
export const GPR_NAMES = [
  'zero', 'ra', 'tp', 'sp', 'a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 't0', 't1', 't2', 't3',
  't4', 't5', 't6', 't7', 't8', 'r21', 'fp', 's0', 's1', 's2', 's3', 's4', 's5', 's6', 's7', 's8',
] as const;

/** The lowest and highest operand value, and the distance between neighbouring legal values. */
export function operandRange(kind: OperandKind): { min: number; max: number; step: number } {
  const step = 2 ** (kind.shift ?? 0);
  const bias = kind.bias ?? 0;
  if (kind.signed) return { min: -(2 ** (kind.width - 1)) * step, max: (2 ** (kind.width - 1) - 1) * step, step };
  return { min: bias, max: (2 ** kind.width - 1) * step + bias, step };
}
