/**
 * Accesses to a page in which some places are watched or hold code, when the access is not to such a place. They are
 * done without leaving generated code. The software TLB marks these pages, so other pages cost nothing more.
 */
import { CODE_LINE, STATE, TAG_CODE, TAG_WATCHED, TLB_ENTRIES } from '../memory/layout.ts';
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
/** Where the page's bits are, log2 of the bytes that each bit stands for, and the number of one bit. */
const BITS = frame.take('i32');
const SHIFT = frame.take('i32');
const UNIT = frame.take('i32');
/** Log2 of the bytes that one bit stands for. */
const WATCH_SHIFT = 3;
const LINE_SHIFT = Math.log2(CODE_LINE);

/** The function for the CPU whose state page is at `base`. It handles sizes up to 8 bytes. */
export function emitMarkedPage(base: number): FuncDef {
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
  // else { if (mark != code) return 0; bits = entry.lines; shift = log2(line) }
  mark();
  e.i64n(TAG_CODE).op(Op.i64Ne).brIf(none);
  e.get(ENTRY).mem(Op.i32Load, 12).set(BITS).i32(LINE_SHIFT).set(SHIFT);
  e.end(watched);
  // The bits of the first and of the last byte. An access never touches more than two.
  for (const last of [false, true]) {
    // unit = (va + (0 or last) & 0xfff) >> shift; if (bits[unit]) return 0
    e.get(VA).op(Op.i32WrapI64);
    if (last) e.get(LAST).op(Op.i32Add);
    e.i32(0xfff).op(Op.i32And).get(SHIFT).op(Op.i32ShrU).tee(UNIT);
    e.i32(3).op(Op.i32ShrU).get(BITS).op(Op.i32Add).mem(Op.i32Load8U, 0);
    e.get(UNIT).i32(7).op(Op.i32And).op(Op.i32ShrU).i32(1).op(Op.i32And).brIf(none);
  }
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
