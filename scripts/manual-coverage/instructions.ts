/** The rows of the instruction table by the file that declares them. */
import { ARITHMETIC } from '../../src/emu/isa/table/arithmetic.ts';
import { ATOMIC } from '../../src/emu/isa/table/atomic.ts';
import { BITS } from '../../src/emu/isa/table/bits.ts';
import { BRANCH } from '../../src/emu/isa/table/branch.ts';
import { FLOAT } from '../../src/emu/isa/table/float.ts';
import { ROWS } from '../../src/emu/isa/table/index.ts';
import { MEMORY } from '../../src/emu/isa/table/memory.ts';
import { PRIVILEGED } from '../../src/emu/isa/table/privileged.ts';

const FILES = {
  arithmetic: ARITHMETIC,
  atomic: ATOMIC,
  bits: BITS,
  branch: BRANCH,
  float: FLOAT,
  memory: MEMORY,
  privileged: PRIVILEGED,
};

export { ROWS };
/** By the name of an instruction of Volume 1: the file, from the root of the project. */
export const ROWS_BY_FILE: ReadonlyMap<string, string> = new Map(
  Object.entries(FILES).flatMap(([file, rows]) => rows.map((r) => [r.name, `src/emu/isa/table/${file}.ts`] as const)),
);
