/**
 * Instructions that assemblers know and this CPU does not have, with the reason. Their words raise INE. docs/isa.md lists
 * them, and test/isa/mnemonics.test.ts compares the list with LLVM's.
 */
interface Absent {
  readonly names: RegExp;
  readonly reason: string;
}

export const ABSENT: readonly Absent[] = [
  {
    names: /^(x86(?!m[ft]flag|m[ft]top|inctop|dectop).*|arm.*|setx86.*|setarmj|jiscr[01]|fcvt\.(ud\.d|ld\.d|d\.ld))$/,
    reason: 'binary translation (LBT): its arithmetic is not there, only its state',
  },
  {
    names: /^(addu12i|adc|sbc|rcri?)\.[bhwd]$|^rotri?\.[bh]$/,
    reason: 'binary translation (LBT): its arithmetic is not there, only its state',
  },
  { names: /^(ld|st)[lr]\.[wd]$/, reason: 'unaligned parts of words, of binary translation (LBT)' },
  { names: /^xvhseli\.d$/, reason: 'no description of what it does was found; QEMU does not have it either' },
];

/** Aliases: names of assemblers for words of other instructions. */
export const ALIAS_NAMES: readonly string[] = ['nop', 'move', 'jr', 'ret'];
