/**
 * The instructions of a refill handler as WebAssembly, in their ordinary case: what `csrrd` of PGD, `lddir` and `ldpte` do
 * in the host (page-walk.ts, csr-access.ts), with tables in RAM and without huge pages. They take the operands of the helpers with the
 * same names from the scratch slots, and answer {@link After.next}, or ASK_HELPER, when they have done nothing.
 */
import { lowestBit, PWCH, PWCL, TLBREHI, TLBRERA } from '../cpu/csr-fields.ts';
import { CSR } from '../cpu/csr-table.ts';
import { After, ASK_HELPER } from '../cpu/helpers.ts';
import { type Bank, bankOf, guestMode } from '../isa/bank-nodes.ts';
import type { Routine } from '../isa/routine.ts';
import { add, and, c32, c64, gtU, isZero, mul, type Node, ne, or, sel, shl, shrU, sub, zx } from '../isa/semantics.ts';
import { STATE } from '../memory/layout.ts';
import { linearOf } from './known-chunks.ts';
import { ELO_HI, ELO_LO, HUGE } from './page-walk.ts';

const REFUSED = c32(ASK_HELPER);
const HOST = c32(0);
const ADDRESS = c64(2 ** 48 - 1);
const TABLE = c64((1n << 48n) - (1n << 12n));
const ELO = c64((BigInt(ELO_HI >>> 0) << 32n) | BigInt(ELO_LO >>> 0));

const refuseIf = (r: Routine, cond: Node): void => r.if(cond, () => r.answer(REFUSED));
const field = (bank: Bank, num: number, mask: number): Node => shrU(and(bank.lo(num), c32(mask)), c32(lowestBit(mask)));

/** `csrrd` of PGD. Other registers are not for this routine. */
export function readPgd(r: Routine): void {
  refuseIf(r, ne(r.i32(STATE.argA), c32(CSR.PGD)));
  refuseIf(r, r.i32(STATE.csrWatched));
  const bank = bankOf(r, guestMode(r));
  const inRefill = and(bank.lo(CSR.TLBRERA), c32(TLBRERA.IsTLBR));
  const high = and(sel(inRefill, bank.hi(CSR.TLBRBADV), bank.hi(CSR.BADV)), c32(0x8000));
  r.put(STATE.value, sel(high, bank.wide(CSR.PGDH), bank.wide(CSR.PGDL)));
  r.answer(c32(After.next));
}

/** The index of the entry that the bad address selects in a table, by the fields of its level in PWCL or PWCH. */
const indexIn = (bank: Bank, num: number, base: number, width: number): Node =>
  and(
    shrU(and(bank.wide(CSR.TLBRBADV), ADDRESS), zx(field(bank, num, base))),
    sub(shl(c64(1), zx(field(bank, num, width))), c64(1)),
  );

/** The linear address of entry `index` of the table whose address the handler has given. */
function entryAt(r: Routine, bank: Bank, index: Node): Node {
  const size = shl(add(field(bank, CSR.PWCL, PWCL.PTEWidth), c32(1)), c32(3));
  const at = add(and(r.i64(STATE.argA), TABLE), mul(index, zx(size)));
  return linearOf(r, r.let(and(at, ADDRESS)), REFUSED);
}

/** Leaves guests and huge entries to the helper. @returns the bank of the host */
function ordinary(r: Routine): Bank {
  refuseIf(r, guestMode(r));
  refuseIf(r, and(r.i32(STATE.argA), c32(HUGE)));
  return bankOf(r, HOST);
}

/** `lddir`. */
export function walkDirectory(r: Routine): void {
  const bank = ordinary(r);
  const level = r.let(r.i32(STATE.argB));
  const index = r.let(c64(0));
  const levels = [
    indexIn(bank, CSR.PWCL, PWCL.Dir1_base, PWCL.Dir1_width),
    indexIn(bank, CSR.PWCL, PWCL.Dir2_base, PWCL.Dir2_width),
    indexIn(bank, CSR.PWCH, PWCH.Dir3_base, PWCH.Dir3_width),
    indexIn(bank, CSR.PWCH, PWCH.Dir4_base, PWCH.Dir4_width),
  ];
  refuseIf(r, gtU(sub(level, c32(1)), c32(levels.length - 1)));
  levels.forEach((at, n) => {
    r.if(isZero(sub(level, c32(n + 1))), () => r.assign(index, at));
  });
  r.put(STATE.value, r.memory('i64', entryAt(r, bank, index)));
  r.answer(c32(After.next));
}

/** `ldpte`. */
export function walkPage(r: Routine): void {
  const bank = ordinary(r);
  const odd = r.let(and(r.i32(STATE.argB), c32(1)));
  const even = and(indexIn(bank, CSR.PWCL, PWCL.PTbase, PWCL.PTwidth), c64(-2));
  const entry = r.let(r.memory('i64', entryAt(r, bank, r.let(or(even, zx(odd))))));
  r.put(STATE.value, entry);
  r.put(STATE.hostCsr + 8 * CSR.TLBRELO0, and(entry, ELO), shl(odd, c32(3)));
  bank.clear(CSR.TLBREHI, TLBREHI.PS);
  bank.set(CSR.TLBREHI, or(bank.lo(CSR.TLBREHI), field(bank, CSR.PWCL, PWCL.PTbase)));
  r.answer(c32(After.next));
}
