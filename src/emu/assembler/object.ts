/** What assembling makes, and what is linked: sections, symbols, and places that only the linker can fill. */

import type { Place } from './asm-error.ts';

/** Relocations of the LoongArch ELF psABI, by number. */
export const RELOCATIONS = {
  R_LARCH_32: 1,
  R_LARCH_64: 2,
  R_LARCH_B16: 64,
  R_LARCH_B21: 65,
  R_LARCH_B26: 66,
  R_LARCH_ABS_HI20: 67,
  R_LARCH_ABS_LO12: 68,
  R_LARCH_ABS64_LO20: 69,
  R_LARCH_ABS64_HI12: 70,
  R_LARCH_PCALA_HI20: 71,
  R_LARCH_PCALA_LO12: 72,
  R_LARCH_GOT_PC_HI20: 75,
  R_LARCH_GOT_PC_LO12: 76,
  R_LARCH_CALL36: 110,
} as const;
export type RelocationName = keyof typeof RELOCATIONS;

export interface Relocation {
  /** In its section. */
  readonly at: number;
  readonly type: RelocationName;
  /** A symbol of the object. */
  readonly symbol: string;
  readonly addend: bigint;
  /** Where it is written, if that is known. */
  readonly place?: Place | undefined;
}

export interface ObjectSection {
  readonly name: string;
  readonly writable: boolean;
  readonly executable: boolean;
  readonly align: number;
  readonly size: number;
  /** Undefined: all zeros, and not in a file. */
  readonly data: Uint8Array | undefined;
  readonly relocations: readonly Relocation[];
}

export interface ObjectSymbol {
  readonly name: string;
  readonly global: boolean;
  /** A symbol of another object wins over it. */
  readonly weak?: boolean;
  /** Number of its section; undefined: an absolute value. */
  readonly section: number | undefined;
  readonly value: bigint;
  readonly size: number;
  readonly isFunction: boolean;
}

export interface AsmObject {
  /** For messages. */
  readonly name: string;
  readonly sections: readonly ObjectSection[];
  readonly symbols: readonly ObjectSymbol[];
}
