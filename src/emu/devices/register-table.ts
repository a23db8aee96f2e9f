/** Registers as a data sheet lists them. Models, tests and the tables of docs/board.md come from these declarations. */

/**
 * What software can do: `ro` read; `rw` read and write; `wo` write; `w1c` a 1 that is written clears the bit; `w1s` a 1 sets it;
 * `rc` reading clears it.
 */
export type RegisterAccess = 'ro' | 'rw' | 'wo' | 'w1c' | 'w1s' | 'rc';

export interface RegisterDeclaration {
  readonly name: string;
  /** Bytes from the beginning of the table's registers. */
  readonly offset: number;
  /** Bytes. */
  readonly width: 1 | 2 | 4 | 8;
  readonly access: RegisterAccess;
  /** Value after power-on; in words where it depends on what is fitted. */
  readonly reset: number | string;
  /** Bits that `access` is true of; the others are read-only. Default: all. */
  readonly bits?: number;
  /** Where the data sheet describes it. */
  readonly section: string;
}

/** A table of a device, for docs/board.md. */
export interface RegisterTable {
  readonly device: string;
  /** The data sheet. */
  readonly source: string;
  readonly registers: readonly RegisterDeclaration[];
}
