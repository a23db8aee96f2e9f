/** Where a physical address is in linear memory, for routines: as far as the slow path has met its chunk of RAM (CHUNKS). */
import type { Routine } from '../isa/routine.ts';
import { add, and, c32, c64, type Node, ne, shl, shrU, w } from '../isa/semantics.ts';
import { CHUNKS } from '../memory/layout.ts';

/** The linear address (i32) of a physical one (i64). Ends the routine with `unknown` when its chunk is not known. */
export function linearOf(r: Routine, pa: Node, unknown: Node): Node {
  const chunk = r.let(w(shrU(pa, c64(CHUNKS.shift))));
  const known = r.let(shl(and(chunk, c32(CHUNKS.count - 1)), c32(3)));
  r.if(ne(r.i32(CHUNKS.offset, known), add(chunk, c32(1))), () => r.answer(unknown));
  return r.let(add(r.i32(CHUNKS.offset + 4, known), and(w(pa), c32(2 ** CHUNKS.shift - 1))));
}
