import { decode } from './decoder.ts';
import { OPERANDS, operandText } from './operands.ts';
import { operandValue } from './row.ts';

/** Words with a special name in assembly, as LLVM prints them: mask, match, text from the operand texts. */
const ALIASES: readonly { mask: number; match: number; text: (o: readonly string[]) => string }[] = [
  { mask: 0xffffffff, match: 0x03400000, text: () => 'nop' },
  { mask: 0xfffffc00, match: 0x00150000, text: ([rd, rj]) => `move ${rd}, ${rj}` },
  { mask: 0xffffffff, match: 0x4c000020, text: () => 'ret' },
  { mask: 0xfffffc1f, match: 0x4c000000, text: ([, rj]) => `jr ${rj}` },
];

/**
 * Assembly text of a word as llvm-objdump prints it, with psABI register names; `.word 0x…` for a word that is no
 * instruction.
 */
export function disassemble(word: number): string {
  const row = decode(word);
  if (!row) return `.word 0x${(word >>> 0).toString(16).padStart(8, '0')}`;
  const operands = row.operands.map((o) => operandText(OPERANDS[o], operandValue(row, word, o)));
  for (const alias of ALIASES) if ((word & alias.mask) >>> 0 === alias.match) return alias.text(operands);
  return operands.length ? `${row.name} ${operands.join(', ')}` : row.name;
}
