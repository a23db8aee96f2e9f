/**
 * Accesses to a page that has watched places, but not to these: made without leaving generated code. The software TLB marks
 * such pages, so that this costs nothing elsewhere.
 */
import { STATE, TAG_WATCHED, TLB_ENTRIES } from '../cpu/layout.ts';
import { HOST_WRITE } from './handlers.ts';
import { Emitter } from './wasm/emitter.ts';
import type { FuncDef, FuncType } from './wasm/module.ts';
import { Op } from './wasm/opcodes.ts';

/** Address, and size with HOST_WRITE for a store, to the place in linear memory, or 0. */
export const WATCH_FILTER: FuncType = { params: ['i64', 'i32'], results: ['i32'] };

const VA = 0;
const INFO = 1;
const ENTRY = 2;
const LAST = 3;

/** The function for the CPU whose state page is at `base`. Sizes up to 8 bytes. */
export function emitWatchFilter(base: number): FuncDef {
  const e = new Emitter();
  const none = e.block();
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
    .i32(HOST_WRITE)
    .op(Op.i32And, Op.select)
    .op(Op.i32Add)
    .set(ENTRY);
  e.get(INFO).i32(0xff).op(Op.i32And).i32(1).op(Op.i32Sub).set(LAST);
  e.get(VA).get(LAST).op(Op.i64ExtendI32U, Op.i64Add).i64n(~0xfff).op(Op.i64And).i64n(TAG_WATCHED).op(Op.i64Or);
  e.get(ENTRY).mem(Op.i64Load, 0).op(Op.i64Ne).brIf(none);
  // The bits of the first and of the last byte; there are at most two.
  for (const last of [false, true]) {
    e.get(VA).op(Op.i32WrapI64);
    if (last) e.get(LAST).op(Op.i32Add);
    e.i32(0xfff).op(Op.i32And).i32(3).op(Op.i32ShrU);
    if (last) e.tee(LAST);
    else e.set(LAST_BIT).get(LAST_BIT);
    e.i32(3)
      .op(Op.i32ShrU)
      .mem(Op.i32Load8U, base + STATE.watchedOffsets);
    e.get(last ? LAST : LAST_BIT)
      .i32(7)
      .op(Op.i32And)
      .op(Op.i32ShrU)
      .i32(1)
      .op(Op.i32And)
      .brIf(none);
  }
  e.get(VA).op(Op.i32WrapI64).get(ENTRY).mem(Op.i32Load, 8).op(Op.i32Add, Op.return);
  e.end(none);
  e.i32(0).op(Op.end);
  return { name: 'watchFilter', type: WATCH_FILTER, locals: ['i32', 'i32', 'i32'], body: e.bytes.view() };
}
const LAST_BIT = 4;
