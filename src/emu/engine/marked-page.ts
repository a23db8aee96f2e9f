/**
 * Accesses to a page that the software TLB does not have, or in which some places are watched or hold code, when the access is not
 * to such a place. They are done without leaving generated code. The software TLB marks these pages, so other pages cost nothing more.
 */
import { STATE, TAG_CODE, TAG_WATCHED, TLB_ENTRIES } from '../memory/layout.ts';
import { Emitter, Locals } from '../wasm/emitter.ts';
import type { FuncDef, FuncType } from '../wasm/module.ts';
import { Op } from '../wasm/opcodes.ts';
import { LINEAR_WRITE } from './helper-codes.ts';

/** From an address, and a size with LINEAR_WRITE for a store, to the address in linear memory, or 0. */
export const MARKED_PAGE: FuncType = { params: ['i64', 'i32'], results: ['i32'] };

const frame = new Locals();
/** Parameters: the address; the size in bytes, with LINEAR_WRITE for a store. */
const VA = frame.take('i64');
const INFO = frame.take('i32');
/** The page's entry in the software TLB. */
const ENTRY = frame.take('i32');
/** From the first byte of the access to the last one. */
const LAST = frame.take('i32');
/** Where the page's bits are, log2 of the bytes that each bit stands for, and the number of the first bit. */
const BITS = frame.take('i32');
const SHIFT = frame.take('i32');
const FIRST = frame.take('i32');
/** Log2 of the bytes that one bit stands for. */
const WATCH_SHIFT = 3;
const CODE_SHIFT = 2;

/**
 * The function for the CPU whose state page is at `base`. It handles sizes up to 8 bytes. Pages that are not marked it leaves to
 * the function number `resolve` (mmu/resolve.ts).
 */
export function emitMarkedPage(base: number, resolve: number): FuncDef {
  const e = new Emitter();
  const none = e.block();
  // entry = tlb + (va >> 8 & (entries − 1) × 16) + (write ? size of the array for reads : 0)
  e.get(VA)
    .op(Op.i32WrapI64)
    .i32(8)
    .op(Op.i32ShrU)
    .i32((TLB_ENTRIES - 1) << 4)
    .op(Op.i32And);
  e.i32(0)
    .mem(Op.i32Load, base + STATE.readTlb)
    .op(Op.i32Add);
  e.i32(16 * TLB_ENTRIES)
    .i32(0)
    .get(INFO)
    .i32(LINEAR_WRITE)
    .op(Op.i32And, Op.select)
    .op(Op.i32Add)
    .set(ENTRY);
  // last = size − 1
  e.get(INFO).i32(0xff).op(Op.i32And).i32(1).op(Op.i32Sub).set(LAST);
  // The tag minus the page of the last byte is the mark.
  const mark = (): void =>
    void e
      .get(ENTRY)
      .mem(Op.i64Load, 0)
      .get(VA)
      .get(LAST)
      .op(Op.i64ExtendI32U, Op.i64Add)
      .i64n(~0xfff)
      .op(Op.i64And, Op.i64Xor);
  // if (mark == watched) { bits = watchedOffsets; shift = 3 }
  mark();
  e.i64n(TAG_WATCHED).op(Op.i64Eq);
  const watched = e.if();
  e.i32(base + STATE.watchedOffsets)
    .set(BITS)
    .i32(WATCH_SHIFT)
    .set(SHIFT);
  e.else();
  // else { if (mark != code) return resolve(va, info); bits = entry.bits; shift = 2 }
  mark();
  e.i64n(TAG_CODE).op(Op.i64Ne);
  const plain = e.if();
  e.get(VA).get(INFO).call(resolve).op(Op.return);
  e.end(plain);
  e.get(ENTRY).mem(Op.i32Load, 12).set(BITS).i32(CODE_SHIFT).set(SHIFT);
  e.end(watched);
  // first = (va & 0xfff) >> shift; if (bits[first…] & (2 << (((va & 0xfff) + last) >> shift) − first) − 1) return 0
  const offset = (): void => void e.get(VA).op(Op.i32WrapI64).i32(0xfff).op(Op.i32And);
  offset();
  e.get(SHIFT).op(Op.i32ShrU).tee(FIRST).i32(3).op(Op.i32ShrU).get(BITS).op(Op.i32Add).mem(Op.i32Load, 0);
  e.get(FIRST).i32(7).op(Op.i32And).op(Op.i32ShrU);
  e.i32(2);
  offset();
  e.get(LAST).op(Op.i32Add).get(SHIFT).op(Op.i32ShrU).get(FIRST).op(Op.i32Sub);
  e.op(Op.i32Shl).i32(1).op(Op.i32Sub, Op.i32And).brIf(none);
  // return va + entry.host
  e.get(VA).op(Op.i32WrapI64).get(ENTRY).mem(Op.i32Load, 8).op(Op.i32Add, Op.return);
  e.end(none);
  e.i32(0).op(Op.end);
  return {
    name: 'markedPage',
    type: MARKED_PAGE,
    locals: frame.all().slice(MARKED_PAGE.params.length),
    body: e.bytes.view(),
  };
}
