/** WebAssembly's loads, stores and exchanges for the memory accesses of instructions. They extend to 64 bits. */
import { ACCESS, type Access } from '../isa/semantics.ts';
import { PAGE } from '../memory/layout.ts';
import type { Emitter, Local } from '../wasm/emitter.ts';
import { Atomic, Op } from '../wasm/opcodes.ts';

// biome-ignore format: opcode table
export const LOAD: Record<Access, number> = {
  b: Op.i64Load8S, bu: Op.i64Load8U, h: Op.i64Load16S, hu: Op.i64Load16U, w: Op.i64Load32S, wu: Op.i64Load32U, d: Op.i64Load,
};

/** By size in bytes. */
const STORE: Record<number, number> = { 1: Op.i64Store8, 2: Op.i64Store16, 4: Op.i64Store32, 8: Op.i64Store };

export const storeOf = (access: Access): number => STORE[ACCESS[access].size]!;

/** Compare-and-exchange by size in bytes: the opcode and the binary logarithm of the size. */
export const COMPARE_EXCHANGE: Record<number, readonly [opcode: number, log: number]> = {
  1: [Atomic.i64CompareExchange8, 0],
  2: [Atomic.i64CompareExchange16, 1],
  4: [Atomic.i64CompareExchange32, 2],
  8: [Atomic.i64CompareExchange, 3],
};

/**
 * Pushes what the tag of the software TLB is equal to where an access of `size` bytes at `va` may be done at once: its page. With the page
 * of the last byte, an access that crosses pages never matches. Where accesses must be aligned, the low bits of a misaligned one stay.
 */
export function pushSpan(e: Emitter, va: Local<'i64'>, size: number, aligned: boolean): void {
  e.get(va);
  if (aligned) e.i64n(-PAGE + size - 1);
  else {
    if (size > 1) e.i64n(size - 1).op(Op.i64Add);
    e.i64n(-PAGE);
  }
  e.op(Op.i64And);
}
