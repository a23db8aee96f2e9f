/** What relocations put into instructions and data. */
import type { RelocationName } from './object.ts';

const field = (view: DataView, at: number, value: bigint, bits: number, lo: number): void => {
  const word = view.getUint32(at, true) | (Number(BigInt.asUintN(bits, value)) << lo);
  view.setUint32(at, word >>> 0, true);
};

const fits = (value: bigint, bits: number): boolean => BigInt.asIntN(bits, value) === value;

/**
 * Fills a place in.
 * @param value the address of the symbol, with its addend
 * @param pc the address of the place
 * @returns what is wrong, in words
 */
export function relocate(
  view: DataView,
  at: number,
  type: RelocationName,
  value: bigint,
  pc: bigint,
): string | undefined {
  const distance = value - pc;
  /** A branch: bits above the lowest 16 are in the lowest field. */
  const branch = (bits: number): string | undefined => {
    if (distance % 4n !== 0n) return 'no place of an instruction';
    if (!fits(distance, bits + 2)) return `too far away for this branch: ${distance} bytes`;
    field(view, at, distance >> 2n, 16, 10);
    if (bits > 16) field(view, at, distance >> 18n, bits - 16, 0);
    return undefined;
  };
  switch (type) {
    case 'R_LARCH_32':
      if (!fits(value, 32) && BigInt.asUintN(32, value) !== value) return 'an address of more than 32 bits';
      view.setUint32(at, Number(BigInt.asUintN(32, value)), true);
      return undefined;
    case 'R_LARCH_64':
      view.setBigUint64(at, BigInt.asUintN(64, value), true);
      return undefined;
    case 'R_LARCH_B16':
      return branch(16);
    case 'R_LARCH_B21':
      return branch(21);
    case 'R_LARCH_B26':
      return branch(26);
    case 'R_LARCH_ABS_HI20':
      field(view, at, value >> 12n, 20, 5);
      return undefined;
    case 'R_LARCH_ABS64_LO20':
      field(view, at, value >> 32n, 20, 5);
      return undefined;
    case 'R_LARCH_ABS64_HI12':
      field(view, at, value >> 52n, 12, 10);
      return undefined;
    case 'R_LARCH_ABS_LO12':
    case 'R_LARCH_PCALA_LO12':
    case 'R_LARCH_GOT_PC_LO12':
      field(view, at, value, 12, 10);
      return undefined;
    case 'R_LARCH_PCALA_HI20':
    case 'R_LARCH_GOT_PC_HI20': {
      // The lower 12 bits are added as a signed number.
      const pages = ((value + 0x800n) >> 12n) - (pc >> 12n);
      if (!fits(pages, 20)) return 'too far away for this instruction';
      field(view, at, pages, 20, 5);
      return undefined;
    }
    case 'R_LARCH_CALL36': {
      if (!fits(distance, 38)) return 'too far away for this call';
      field(view, at, (distance + 0x20000n) >> 18n, 20, 5);
      field(view, at + 4, distance >> 2n, 16, 10);
      return undefined;
    }
  }
}
