/**
 * Operand kinds of the instruction encodings. One row describes how the bits of a field become the value
 * that semantics, assembler text and disassembler see (LoongArch Reference Manual Vol. 1, section 1.5).
 */
export interface OperandKind {
  /** Field width in bits. */
  readonly width: number;
  /** `int`: a number; else a register number of the kind. */
  readonly type: 'gpr' | 'fpr' | 'vr' | 'xr' | 'fcc' | 'fcsr' | 'scr' | 'int';
  /** Largest value, when not all of the field is used. */
  readonly max?: number;
  /** Two's complement field. */
  readonly signed?: boolean;
  /** Left shift applied to the field (byte offsets of branches, `ldptr`, `ll`). */
  readonly shift?: number;
  /** Added to the field (alsl encodes the shift amount minus one). */
  readonly bias?: number;
}

const gpr: OperandKind = { width: 5, type: 'gpr' };
const fpr: OperandKind = { width: 5, type: 'fpr' };
const vr: OperandKind = { width: 5, type: 'vr' };
const xr: OperandKind = { width: 5, type: 'xr' };
const scr: OperandKind = { width: 2, type: 'scr' };
const fcc: OperandKind = { width: 3, type: 'fcc' };
/** fcsr0 to fcsr3 in a five-bit field. */
const fcsr: OperandKind = { width: 5, type: 'fcsr', max: 3 };
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
  fd: fpr,
  fj: fpr,
  fk: fpr,
  fa: fpr,
  cd: fcc,
  cj: fcc,
  ca: fcc,
  fcsrd: fcsr,
  fcsrj: fcsr,
  scrd: scr,
  scrj: scr,
  vd: vr,
  vj: vr,
  vk: vr,
  va: vr,
  xd: xr,
  xj: xr,
  xk: xr,
  xa: xr,
  ui1: uint(1),
  ui2: uint(2),
  ui3: uint(3),
  ui4: uint(4),
  ui7: uint(7),
  ui8: uint(8),
  si5: sint(5),
  si13: sint(13),
  si9d: sint(9, 3),
  si10w: sint(10, 2),
  si11h: sint(11, 1),
  si8: sint(8),
  si8h: sint(8, 1),
  si8w: sint(8, 2),
  si8d: sint(8, 3),
  idx1: uint(1),
  idx2: uint(2),
  idx3: uint(3),
  idx4: uint(4),
  idx5: uint(5),
} as const satisfies Record<string, OperandKind>;

export type OperandName = keyof typeof OPERANDS;

/** Register names of the LoongArch ELF psABI, by number, without the dollar sign. */
// biome-ignore format: one line per sixteen registers
export const GPR_NAMES = [
  'zero', 'ra', 'tp', 'sp', 'a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7', 't0', 't1', 't2', 't3',
  't4', 't5', 't6', 't7', 't8', 'r21', 'fp', 's0', 's1', 's2', 's3', 's4', 's5', 's6', 's7', 's8',
] as const;

/** psABI name of a floating-point register: fa0–7, ft0–15, fs0–7. */
export const fprName = (n: number): string => (n < 8 ? `fa${n}` : n < 24 ? `ft${n - 8}` : `fs${n - 24}`);

/** An operand as assembly text. */
export function operandText(kind: OperandKind, value: number): string {
  switch (kind.type) {
    case 'gpr':
      return `$${GPR_NAMES[value]}`;
    case 'fpr':
      return `$${fprName(value)}`;
    case 'vr':
    case 'xr':
    case 'scr':
    case 'fcc':
    case 'fcsr':
      return `$${kind.type}${value}`;
    case 'int':
      return String(value);
  }
}

/** The lowest and highest operand value, and the distance between neighbouring legal values. */
export function operandRange(kind: OperandKind): { min: number; max: number; step: number } {
  const step = 2 ** (kind.shift ?? 0);
  const bias = kind.bias ?? 0;
  if (kind.signed) return { min: -(2 ** (kind.width - 1)) * step, max: (2 ** (kind.width - 1) - 1) * step, step };
  return { min: bias, max: kind.max ?? (2 ** kind.width - 1) * step + bias, step };
}
