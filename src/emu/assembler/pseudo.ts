/** Pseudo-instructions, as LLVM has them. */
import { type Line, wrong } from './asm-error.ts';
import type { Instruction } from './instructions.ts';

const instruction = (name: string, ...operands: readonly string[]): Instruction => ({ name, operands });
const signed = (value: bigint, bits: number): bigint => BigInt.asIntN(bits, value);

/**
 * The shortest way to put a number into a register, by the four parts that instructions can set: bits 11:0, 31:12, 51:32, 63:52.
 * @param rd the register
 */
export function loadImmediate(rd: string, value: bigint): Instruction[] {
  const lowest = value & 0xfffn;
  const low = (value >> 12n) & 0xfffffn;
  const high = (value >> 32n) & 0xfffffn;
  const highest = (value >> 52n) & 0xfffn;
  if (highest !== 0n && signed(value, 52) === 0n)
    return [instruction('lu52i.d', rd, '$zero', `${signed(highest, 12)}`)];
  const out: Instruction[] = [];
  if (low === 0n) out.push(instruction('ori', rd, '$zero', `${lowest}`));
  else if (signed(lowest >> 11n, 1) === signed(low, 20))
    out.push(instruction('addi.w', rd, '$zero', `${signed(lowest, 12)}`));
  else {
    out.push(instruction('lu12i.w', rd, `${signed(low, 20)}`));
    if (lowest !== 0n) out.push(instruction('ori', rd, rd, `${lowest}`));
  }
  // Each step before has filled what is above it with copies of its highest bit.
  if (signed(low >> 19n, 1) !== signed(high, 20)) out.push(instruction('lu32i.d', rd, `${signed(high, 20)}`));
  if (signed(high >> 19n, 1) !== signed(highest, 12))
    out.push(instruction('lu52i.d', rd, rd, `${signed(highest, 12)}`));
  return out;
}

type Expansion = (operands: readonly string[], line: Line, number: (text: string) => bigint) => Instruction[];

const byPc = (operands: readonly string[]): Instruction[] => [
  instruction('pcalau12i', operands[0]!, `%pc_hi20(${operands[1]!})`),
  instruction('addi.d', operands[0]!, operands[0]!, `%pc_lo12(${operands[1]!})`),
];
const byGot = (operands: readonly string[]): Instruction[] => [
  instruction('pcalau12i', operands[0]!, `%got_pc_hi20(${operands[1]!})`),
  instruction('ld.d', operands[0]!, operands[0]!, `%got_pc_lo12(${operands[1]!})`),
];
const absolute = ([rd, symbol]: readonly string[]): Instruction[] => [
  instruction('lu12i.w', rd!, `%abs_hi20(${symbol!})`),
  instruction('ori', rd!, rd!, `%abs_lo12(${symbol!})`),
  instruction('lu32i.d', rd!, `%abs64_lo20(${symbol!})`),
  instruction('lu52i.d', rd!, rd!, `%abs64_hi12(${symbol!})`),
];
const ofBits =
  (bits: number, name: string): Expansion =>
  ([rd, text], line, number) => {
    const value = number(text!);
    if (value < -(2n ** BigInt(bits - 1)) || value >= 2n ** BigInt(bits))
      throw wrong(line, `${name}: expected a number of ${bits} bits, found ${value}`, text);
    return loadImmediate(rd!, signed(value, bits));
  };

/** By name: how many operands, and what it becomes. */
const PSEUDO: Readonly<Record<string, readonly [operands: number, expand: Expansion]>> = {
  nop: [0, () => [instruction('andi', '$zero', '$zero', '0')]],
  move: [2, ([rd, rj]) => [instruction('or', rd!, rj!, '$zero')]],
  ret: [0, () => [instruction('jirl', '$zero', '$ra', '0')]],
  jr: [1, ([rj]) => [instruction('jirl', '$zero', rj!, '0')]],
  'li.w': [2, ofBits(32, 'li.w')],
  'li.d': [2, ofBits(64, 'li.d')],
  'la.pcrel': [2, byPc],
  'la.local': [2, byPc],
  'la.abs': [2, absolute],
  'la.global': [2, byGot],
  'la.got': [2, byGot],
  la: [2, byGot],
  bgt: [3, ([a, b, to]) => [instruction('blt', b!, a!, to!)]],
  ble: [3, ([a, b, to]) => [instruction('bge', b!, a!, to!)]],
  bgtu: [3, ([a, b, to]) => [instruction('bltu', b!, a!, to!)]],
  bleu: [3, ([a, b, to]) => [instruction('bgeu', b!, a!, to!)]],
  bltz: [2, ([a, to]) => [instruction('blt', a!, '$zero', to!)]],
  bgtz: [2, ([a, to]) => [instruction('blt', '$zero', a!, to!)]],
  blez: [2, ([a, to]) => [instruction('bge', '$zero', a!, to!)]],
  bgez: [2, ([a, to]) => [instruction('bge', a!, '$zero', to!)]],
  call36: [1, ([to]) => [instruction('pcaddu18i', '$ra', `%call36(${to!})`), instruction('jirl', '$ra', '$ra', '0')]],
  tail36: [2, ([rj, to]) => [instruction('pcaddu18i', rj!, `%call36(${to!})`), instruction('jirl', '$zero', rj!, '0')]],
};

export const isPseudo = (name: string): boolean => Object.hasOwn(PSEUDO, name);

/** What a pseudo-instruction stands for. @param number the value of an expression of numbers @throws AsmError */
export function expandPseudo(
  name: string,
  operands: readonly string[],
  line: Line,
  number: (text: string) => bigint,
): Instruction[] {
  const [wanted, expand] = PSEUDO[name]!;
  if (operands.length !== wanted)
    throw wrong(line, `${name} needs ${wanted} operands; ${operands.length} are given`, name);
  return expand(operands, line, number);
}
