/**
 * Translation of loads and stores as WebAssembly: what stages.ts and memory-access.ts do in the ordinary case, without leaving emitted
 * code. A page of RAM that the TLBs map goes into the software TLB. In every other case nothing happens, and TypeScript decides:
 * no entry, no permission, no RAM, decoded code, watched places, alignment checks, addresses of 32 bits.
 */
import { VA32_OF_PLV0 } from '../cpu/address-mode.ts';
import {
  ASID,
  CRMD,
  DMW,
  DMW_HI,
  GSTAT,
  lowestBit,
  MISC,
  PWCH,
  RVACFG,
  STLBPS,
  TLBELO,
  TLBELO_HI,
} from '../cpu/csr-fields.ts';
import { CSR } from '../cpu/csr-table.ts';
import { type Bank, bankOf, guestMode } from '../isa/bank-nodes.ts';
import type { Routine } from '../isa/routine.ts';
import {
  add,
  and,
  c32,
  c64,
  eq,
  gtU,
  isZero,
  ltS,
  ltU,
  type Node,
  ne,
  or,
  sel,
  shl,
  shrS,
  shrU,
  sub,
  w,
  xor,
  zx,
} from '../isa/semantics.ts';
import {
  FILLS,
  JOURNAL,
  PAGE,
  PAGE_WRITERS,
  SEVERAL_WRITERS,
  STATE,
  TAG_CODE,
  TAG_WATCHED,
  TLB_ARRAYS_OFFSET,
  TLB_ENTRIES,
} from '../memory/layout.ts';
import { KEY, SPACE_GLOBAL, STLB_SETS, STLB_SIZE, TLB_ARRAYS } from '../tlb/tlb.ts';
import { linearOf } from './known-chunks.ts';

/** In the second argument of `resolve`: the access is a store. The low byte is its size, at most 8. */
export const RESOLVE_STORE = 0x100;
/** Answer of `findEntry` and of `resolve` when they find nothing. */
const NO_ENTRY = c32(-1);
const NOWHERE = c32(0);
/** Bits of an address that translation looks at; bits of the number of a pair of 4 KiB pages. */
const ADDRESS = c64(2 ** 48 - 1);
const PAIR_BITS = 35;
const PAIR_AT = c64(13);
const SMALLEST = c32(12);
const IN_PAGE = c32(PAGE - 1);
const PAGE_BITS = c32(12);
const WINDOWS = 4;
const PPN = c64((BigInt(TLBELO_HI.PPN >>> 0) << 32n) | BigInt(TLBELO.PPN >>> 0));
const wide = (n: Node): Node => zx(n);

/**
 * The index of the entry that maps a pair of pages, as Tlb.find gives it. Arguments: offset of the TLB's arrays in the state page,
 * number of the pair (i64), GID, ASID or −1, page size of the STLB.
 */
export function findEntry(r: Routine): void {
  const [tlb, vppn, gid, asid, stlbPs] = (['i32', 'i64', 'i32', 'i32', 'i32'] as const).map((ty, n) =>
    r.argument(n, ty),
  ) as [Node, Node, Node, Node, Node];
  const owner = r.let(or(shl(wide(gid), c64(KEY.gid)), c64(1n << BigInt(KEY.valid))));
  /** The key of a valid entry with pages of 2^ps bytes for the pair. */
  const keyFor = (ps: Node): Node => or(or(shrU(vppn, wide(sub(ps, SMALLEST))), owner), shl(wide(ps), c64(KEY.ps)));
  const look = (i: Node, key: Node): void =>
    r.if(eq(r.i64(TLB_ARRAYS.key, add(tlb, shl(i, c32(3)))), key), () => {
      const space = r.let(r.i32(TLB_ARRAYS.space, add(tlb, shl(i, c32(2)))));
      r.if(or(or(ltS(asid, NOWHERE), and(space, c32(SPACE_GLOBAL))), eq(space, asid)), () => r.answer(i));
    });
  r.if(isZero(ltU(stlbPs, SMALLEST)), () => {
    const key = r.let(keyFor(stlbPs));
    const set = r.let(and(w(key), c32(STLB_SETS - 1)));
    r.count(set, c32(STLB_SIZE), STLB_SETS, (i) => look(i, key));
  });
  const used = r.let(add(r.i32(TLB_ARRAYS.mtlbUsed, tlb), c32(STLB_SIZE)));
  r.count(c32(STLB_SIZE), used, 1, (i) => {
    const ps = r.let(and(r.i32(TLB_ARRAYS.key + 4, add(tlb, shl(i, c32(3)))), c32(0x3f << (KEY.ps - 32))));
    look(i, r.let(keyFor(r.let(shrU(ps, c32(KEY.ps - 32))))));
  });
  r.answer(NO_ENTRY);
}

/** Ends `resolve`: TypeScript does the access. */
const refuseIf = (r: Routine, cond: Node): void => r.if(cond, () => r.answer(NOWHERE));

interface Lookup {
  /** Offset of the TLB's arrays in the state page. */
  readonly tlb: Node;
  readonly address: Node;
  readonly gid: Node;
  readonly asid: Node;
  /** The bank with STLBPS. */
  readonly bank: Bank;
  readonly write: Node;
  /** The privilege level, which stage 2 ignores. */
  readonly plv: Node | undefined;
}

/** The address that an entry gives to an access which it allows. Ends the routine where there is none. */
function lookUp(r: Routine, { tlb, address, gid, asid, bank, write, plv }: Lookup): Node {
  const pair = and(shrU(address, PAIR_AT), c64(2n ** BigInt(PAIR_BITS) - 1n));
  const i = r.call('findEntry', [tlb, pair, gid, asid, r.let(and(bank.lo(CSR.STLBPS), c32(STLBPS.PS)))]);
  // Without an entry in its own TLB an access is refilled, unless the hardware walks the tables.
  r.if(ltS(i, NOWHERE), () => {
    if (plv) r.put(STATE.missed, isZero(and(bank.lo(CSR.PWCH), c32(PWCH.HPTW_En))));
    r.answer(NOWHERE);
  });
  const ps = r.let(wide(and(shrU(r.i32(TLB_ARRAYS.key + 4, add(tlb, shl(i, c32(3)))), c32(KEY.ps - 32)), c32(0x3f))));
  const odd = w(and(shrU(address, ps), c64(1)));
  const half = r.let(add(tlb, shl(or(shl(i, c32(1)), odd), c32(2))));
  const lo = r.let(r.i32(TLB_ARRAYS.eloLo, half));
  const hi = r.let(r.i32(TLB_ARRAYS.eloHi, half));
  refuseIf(r, isZero(and(lo, c32(TLBELO.V))));
  refuseIf(r, sel(write, isZero(and(lo, c32(TLBELO.D))), and(hi, c32(TLBELO_HI.NR))));
  if (plv) {
    const least = shrU(and(lo, c32(TLBELO.PLV)), c32(lowestBit(TLBELO.PLV)));
    refuseIf(r, or(and(hi, c32(TLBELO_HI.RPLV)), gtU(plv, least)));
  }
  const page = and(or(shl(wide(hi), c64(32)), wide(lo)), PPN);
  const offset = r.let(sub(shl(c64(1), ps), c64(1)));
  return or(and(page, xor(offset, c64(-1))), and(address, offset));
}

/**
 * The linear address of an access to RAM, whose page is then in the software TLB; 0: TypeScript must do the access.
 * Arguments: address (i64), size with RESOLVE_STORE.
 */
export function resolve(r: Routine): void {
  const va = r.argument(0, 'i64');
  const info = r.argument(1, 'i32');
  const write = r.let(and(info, c32(RESOLVE_STORE)));
  refuseIf(r, isZero(and(r.i32(STATE.fills), sel(write, c32(FILLS.stores), c32(FILLS.loads)))));
  refuseIf(r, gtU(add(and(w(va), IN_PAGE), and(info, c32(0xff))), c32(PAGE)));
  const guest = r.let(guestMode(r));
  const bank = bankOf(r, guest);
  const plv = r.let(and(r.i32(STATE.mode), c32(CRMD.PLV)));
  refuseIf(r, and(bank.lo(CSR.MISC), shl(c32(MISC.ALCL0 | VA32_OF_PLV0), plv)));
  const pa = r.let(and(va, ADDRESS));
  const gid = r.let(
    sel(guest, shrU(and(r.i32(STATE.hostCsr + 8 * CSR.GSTAT), c32(GSTAT.GID)), c32(lowestBit(GSTAT.GID))), NOWHERE),
  );
  const mapped = eq(and(bank.lo(CSR.CRMD), c32(CRMD.DA | CRMD.PG)), c32(CRMD.PG));
  r.if(mapped, () => {
    const high = r.let(w(shrU(va, c64(32))));
    const open = [...new Array(WINDOWS).keys()].map((n) =>
      isZero(
        or(
          and(xor(bank.hi(CSR.DMW0 + n), high), c32(DMW_HI.VSEG)),
          isZero(and(bank.lo(CSR.DMW0 + n), shl(c32(DMW.PLV0), plv))),
        ),
      ),
    );
    r.if(isZero(open.reduce(or)), () => {
      const top = shrS(va, c64(47));
      refuseIf(r, or(gtU(add(top, c64(1)), c64(1)), and(bank.lo(CSR.RVACFG), c32(RVACFG.RBits))));
      const tlb = sel(guest, c32(TLB_ARRAYS_OFFSET.guest), c32(TLB_ARRAYS_OFFSET.host));
      const asid = r.let(and(bank.lo(CSR.ASID), c32(ASID.ASID)));
      r.assign(pa, lookUp(r, { tlb: r.let(tlb), address: va, gid, asid, bank, write, plv }));
    });
  });
  r.if(guest, () => {
    const tlb = c32(TLB_ARRAYS_OFFSET.host);
    const host = bankOf(r, NOWHERE);
    r.assign(pa, lookUp(r, { tlb, address: pa, gid, asid: c32(-1), bank: host, write, plv: undefined }));
  });
  const linear = linearOf(r, pa, NOWHERE);
  const page = r.let(and(linear, c32(-PAGE)));
  const number = r.let(shrU(page, PAGE_BITS));
  r.if(write, () => {
    const isIn = (pages: Node): Node => {
      const bits = r.memory('i32', add(pages, shl(shrU(number, c32(5)), c32(2))));
      return and(shrU(bits, and(number, c32(31))), c32(1));
    };
    refuseIf(r, isIn(r.i32(STATE.codePages)));
    const open = r.let(r.i32(STATE.openPages));
    r.if(open, () => refuseIf(r, isZero(isIn(open))));
  });
  fill(r, { va, page, number, write });
  r.answer(linear);
}

/** Puts a translation into the software TLB, as FastTlb.fillData does. */
function fill(r: Routine, { va, page, number, write }: Record<'va' | 'page' | 'number' | 'write', Node>): void {
  const set = r.let(r.i32(STATE.readTlb));
  const index = r.let(add(and(w(shrU(va, c64(12))), c32(TLB_ENTRIES - 1)), sel(write, c32(TLB_ENTRIES), NOWHERE)));
  const entry = r.let(add(set, shl(index, c32(4))));
  r.store(entry, 0, and(va, c64(-PAGE)));
  r.store(entry, 8, zx(sub(page, and(w(va), c32(-PAGE)))));
  r.if(write, () => {
    const place = (of: Node): Node => shl(and(of, c32(PAGE_WRITERS.count - 1)), c32(2));
    const here = r.let(place(number));
    const known = r.let(r.i32(PAGE_WRITERS.offset, here));
    r.if(ne(known, entry), () => {
      r.put(PAGE_WRITERS.offset, entry, here);
      r.if(known, () => {
        // Not an address: more than one entry is known already.
        const several = r.let(eq(known, c32(SEVERAL_WRITERS)));
        r.if(isZero(several), () => {
          const other = add(and(r.memory('i32', known), c32(~(TAG_WATCHED | TAG_CODE))), r.memory('i32', known, 8));
          r.assign(several, eq(place(shrU(other, PAGE_BITS)), here));
        });
        r.if(several, () => r.put(PAGE_WRITERS.offset, c32(SEVERAL_WRITERS), here));
      });
    });
  });
  const filled = r.let(r.memory('i32', set, JOURNAL.filled));
  r.store(set, JOURNAL.filled, add(filled, c32(1)));
  r.if(ltU(filled, c32(JOURNAL.length)), () => r.store(add(set, shl(filled, c32(2))), JOURNAL.first, index));
}
