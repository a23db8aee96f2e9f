/**
 * Pairs of instructions that follow each other so often that the interpreter has one handler for both. They were
 * chosen from a boot of Debian's kernel to its shell with `scripts/profile-pairs.ts`; there these pairs are half of
 * all pairs. The first instruction of a pair neither branches nor calls a helper of its own.
 */
export const SUPERINSTRUCTIONS: readonly (readonly [first: string, second: string])[] = [
  ['addi.d', 'addi.d'],
  ['st.b', 'addi.d'],
  ['addi.d', 'blt'],
  ['add.w', 'add.w'],
  ['xor', 'xor'],
  ['st.d', 'st.d'],
  ['rotri.w', 'add.w'],
  ['rotri.w', 'rotri.w'],
  ['add.w', 'xor'],
  ['st.b', 'st.b'],
  ['ld.bu', 'ld.bu'],
  ['xor', 'rotri.w'],
  ['add.w', 'rotri.w'],
  ['xor', 'add.w'],
  ['ld.bu', 'addi.d'],
  ['ld.d', 'ld.d'],
  ['or', 'or'],
  ['addi.d', 'bne'],
  ['addi.d', 'bnez'],
  ['andi', 'bnez'],
];
