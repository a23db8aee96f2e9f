/**
 * Registers as a data sheet lists them, declared once. Offsets in the code of a device, the check that each register answers as
 * declared (test/board/registers.test.ts) and the tables of docs/board.md are made from the declarations.
 */

/**
 * What software can do: `ro` read; `rw` read and write; `wo` write; `w1c`: a 1 that is written clears the bit; `w1s`: a 1 sets it;
 * `rc`: reading clears it.
 */
export type RegisterAccess = 'ro' | 'rw' | 'wo' | 'w1c' | 'w1s' | 'rc';

export interface RegisterDeclaration<Name extends string = string> {
  readonly name: Name;
  /** Bytes from the beginning of the device's registers. */
  readonly offset: number;
  /** Bytes. */
  readonly width: 1 | 2 | 4 | 8;
  readonly access: RegisterAccess;
  /** Value after power-on; in words where it depends on what is fitted. Default: 0. */
  readonly reset?: number | bigint | string;
  /** Bits that `access` is true of; the others are read-only. Default: all. */
  readonly bits?: number | bigint;
  /** How many there are, one behind the other, with the same reset value. Default: 1. */
  readonly count?: number;
  /** The condition under which this register is at its offset. */
  readonly when?: string;
  /** Its value does not follow from stores alone: a counter, an input, or a register whose use has effects. */
  readonly live?: true;
  /** Where the data sheet describes it, if the table does not say it. */
  readonly section?: string;
  /** What it does here. Default: all that the data sheet says. */
  readonly text?: string;
}

/** A table of a device. */
export interface RegisterTable<Name extends string = string> {
  readonly device: string;
  /** The data sheet. */
  readonly source: string;
  readonly registers: readonly RegisterDeclaration<Name>[];
}

/** Declares a table, and keeps the names as a type. */
export const registerTable = <const Name extends string>(table: RegisterTable<Name>): RegisterTable<Name> => table;

/** The offset of each register by name. */
export const offsetsOf = <Name extends string>(table: RegisterTable<Name>): Readonly<Record<Name, number>> =>
  Object.fromEntries(table.registers.map((r) => [r.name, r.offset])) as Record<Name, number>;

/** Bytes that all registers of a row take. */
export const bytesOf = (r: RegisterDeclaration): number => r.width * (r.count ?? 1);

/** The declared register at an offset, if there is one. */
export const registerAt = (table: RegisterTable, offset: number): RegisterDeclaration | undefined =>
  table.registers.find((r) => offset >= r.offset && offset < r.offset + bytesOf(r));

/** The bytes after power-on of the register at an offset, as a number of 64 bits with the register's first byte lowest. */
export function resetOf({ reset = 0, width }: RegisterDeclaration): bigint {
  return typeof reset === 'string' ? 0n : BigInt.asUintN(8 * width, BigInt(reset));
}
