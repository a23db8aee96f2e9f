import {
  FETCH_ENTRIES,
  JOURNAL,
  PAGE_WRITERS,
  SEVERAL_WRITERS,
  STATE,
  TAG_CODE,
  TAG_WATCHED,
  TLB_ENTRIES,
  TLB_INVALID,
  TLB_SET_BYTES,
  TLB_SETS,
  TLB_SETS_OFFSET,
} from '../memory/layout.ts';
import { lowBits, shr } from './tlb.ts';

/**
 * The software TLB that running code reads: per translation context a set of three direct-mapped arrays (read, write,
 * fetch) with linear addresses. A change of world, address space or privilege level selects another set
 * and clears nothing. An event that makes cached translations wrong clears exactly the sets that may contain them.
 *
 * A context is (guest mode, GID, ASID, PLV, DA/PG) and the direct mapping windows, packed into two numbers.
 */
const PAGE_BITS = 12;
/** 32-bit words of an entry. */
const WORDS = 4;
/** Address spaces of {@link FastTlb.select} and {@link FastTlb.clearPages}: a context without pages; all of a world. */
export const DIRECT = -2;
export const EVERY = -1;
/** The world of a set that no context has used. */
const NOBODY = -2;
/** Pages that one TLB entry may have before the whole set is cleared instead. */
const MANY_PAGES = 64;

export class FastTlb {
  private readonly i32: Int32Array;
  private readonly u8: Uint8Array;
  private readonly base: number;
  private readonly keyA = new Float64Array(TLB_SETS).fill(-1);
  private readonly keyB = new Float64Array(TLB_SETS).fill(-1);
  private readonly gid = new Int16Array(TLB_SETS).fill(NOBODY);
  /** The ASID of the context of each set, or DIRECT. */
  private readonly space = new Int16Array(TLB_SETS);
  private readonly used = new Float64Array(TLB_SETS);
  private clock = 0;
  /** Index of {@link PAGE_WRITERS}. */
  private readonly writers: number;
  private readonly evicted: (set: number) => void;
  private readonly stateIndex: number;

  /**
   * @param stateBase the CPU's state page, which holds the array offsets for generated code
   * @param evicted called with the offset of a set before it is used for another context
   */
  constructor(u8: Uint8Array, i32: Int32Array, stateBase: number, evicted: (set: number) => void) {
    this.evicted = evicted;
    this.u8 = u8;
    this.i32 = i32;
    this.base = stateBase + TLB_SETS_OFFSET;
    this.writers = (stateBase + PAGE_WRITERS.offset) >> 2;
    this.stateIndex = stateBase >> 2;
    for (let set = 0; set < TLB_SETS; set++) {
      const at = this.base + set * TLB_SET_BYTES;
      this.u8.fill(0xff, at, at + JOURNAL.filled);
    }
    this.use(this.base);
  }

  /** Byte offset of the set in use. Generated code changes it too. */
  private get current(): number {
    return this.i32[this.stateIndex + (STATE.readTlb >> 2)]!;
  }

  /**
   * Makes the set of a context current.
   * @param gid the context's GID in guest mode, −1 in host mode
   * @param space its ASID, or DIRECT when no page tables are in use
   * @returns the set's byte offset
   */
  select(keyA: number, keyB: number, gid: number, space: number): number {
    let oldest = 0;
    let set = -1;
    for (let i = 0; i < TLB_SETS; i++) {
      if (this.keyA[i] === keyA && this.keyB[i] === keyB) {
        set = i;
        break;
      }
      if (this.used[i]! < this.used[oldest]!) oldest = i;
    }
    if (set < 0) {
      set = oldest;
      this.evicted(this.base + set * TLB_SET_BYTES);
      this.clear(set);
      this.keyA[set] = keyA;
      this.keyB[set] = keyB;
      this.gid[set] = gid;
      this.space[set] = space;
    }
    const current = this.base + set * TLB_SET_BYTES;
    this.use(current);
    return current;
  }

  /** Makes the set at a byte offset current. */
  use(current: number): void {
    this.used[(current - this.base) / TLB_SET_BYTES] = ++this.clock;
    this.i32[this.stateIndex + (STATE.readTlb >> 2)] = current;
    this.i32[this.stateIndex + (STATE.writeTlb >> 2)] = current + TLB_ENTRIES * 16;
    this.i32[this.stateIndex + (STATE.fetchTlb >> 2)] = current + 2 * TLB_ENTRIES * 16;
  }

  /**
   * Caches a data translation of the current context. `linear`: linear address of the page. `mark`:
   * TAG_WATCHED or TAG_CODE, when only accesses outside the watched bytes or the code may use it; `bits`: where the bits of code are.
   */
  fillData(write: boolean, vaLo: number, vaHi: number, linear: number, mark = 0, bits = 0): void {
    const pageLo = vaLo & ~0xfff;
    const i = (this.current + (write ? TLB_ENTRIES * 16 : 0) + ((vaLo >>> 12) & (TLB_ENTRIES - 1)) * 16) >> 2;
    this.i32[i] = pageLo | mark;
    this.i32[i + 1] = vaHi;
    this.i32[i + 2] = (linear - pageLo) | 0;
    this.i32[i + 3] = bits;
    if (write) this.noteWriter(linear, i);
    this.note(i);
  }

  /** The entry at an index of 32-bit words translates stores to the page at `linear`. */
  private noteWriter(linear: number, i: number): void {
    const place = this.writerOf(linear);
    const known = this.i32[place]!;
    if (known === i << 2) return;
    const another = known === SEVERAL_WRITERS || (known !== 0 && this.writerOf(this.pageOf(known >> 2)) === place);
    this.i32[place] = another ? SEVERAL_WRITERS : i << 2;
  }

  /** Index of the writer of the page at `linear`. */
  private writerOf(linear: number): number {
    return this.writers + ((linear >>> PAGE_BITS) & (PAGE_WRITERS.count - 1));
  }

  /** The page of linear memory of the entry at an index of 32-bit words. */
  private pageOf(i: number): number {
    return ((this.i32[i]! & ~(TAG_WATCHED | TAG_CODE)) + this.i32[i + 2]!) | 0;
  }

  /** An entry of the current set, at an index of 32-bit words, has been filled. */
  private note(i: number): void {
    const set = this.current >> 2;
    const n = this.i32[set + (JOURNAL.filled >> 2)]!++;
    if (n < JOURNAL.length) this.i32[set + (JOURNAL.first >> 2) + n] = (i - set) / WORDS;
  }

  /** Caches a fetch translation. `uops`: linear address of the micro-operations of the page; `linear`: of its instruction words. */
  fillFetch(vaLo: number, vaHi: number, uops: number, linear: number): void {
    const i = (this.current + 2 * TLB_ENTRIES * 16 + ((vaLo >>> 12) & (FETCH_ENTRIES - 1)) * 16) >> 2;
    this.i32[i] = vaLo & ~0xfff;
    this.i32[i + 1] = vaHi;
    this.i32[i + 2] = uops;
    this.i32[i + 3] = linear;
    this.note(i);
  }

  /** The micro-operations of the page of an address in the current context, or −1. */
  fetchEntry(vaLo: number, vaHi: number): number {
    const i = (this.current + 2 * TLB_ENTRIES * 16 + ((vaLo >>> 12) & (FETCH_ENTRIES - 1)) * 16) >> 2;
    return this.i32[i] === (vaLo & ~0xfff) && this.i32[i + 1] === vaHi ? this.i32[i + 2]! : -1;
  }

  /** Drops everything: all contexts. */
  clearAll(): void {
    for (let set = 0; set < TLB_SETS; set++) this.clear(set);
  }

  /** Drops the contexts of one guest (`gid` >= 0), or those of the host (−1). */
  clearWorld(gid: number): void {
    for (let i = 0; i < TLB_SETS; i++) if (this.gid[i] === gid) this.clear(i);
  }

  /** Drops the data translations of the host (−1) or a guest, so that its next access to each page takes the slow path. */
  clearData(gid: number): void {
    for (let set = 0; set < TLB_SETS; set++) {
      if (this.gid[set] !== gid) continue;
      const at = this.base + set * TLB_SET_BYTES;
      this.u8.fill(0xff, at, at + 2 * TLB_ENTRIES * 16);
    }
  }

  /**
   * Drops the pages of one entry (a pair of 2^ps pages at page pair `vppn`) in the contexts of a world.
   * @param space the entry's ASID, or EVERY when it is global
   */
  clearPages(gid: number, space: number, vppn: number, ps: number): void {
    const count = 2 ** (ps - 11);
    // The tags of pages are compared by the low 20 bits of their numbers.
    const first = lowBits(shr(vppn, ps - 12) * count, 32 - PAGE_BITS);
    for (let set = 0; set < TLB_SETS; set++) {
      if (this.gid[set] !== gid || this.space[set] === DIRECT) continue;
      if (space !== EVERY && this.space[set] !== space) continue;
      if (count > MANY_PAGES) {
        this.clear(set);
        continue;
      }
      const at = this.base + set * TLB_SET_BYTES;
      for (let vpn = first; vpn < first + count; vpn++) {
        const page = vpn & (TLB_ENTRIES - 1);
        this.dropPage(at + page * 16, vpn);
        this.dropPage(at + (TLB_ENTRIES + page) * 16, vpn);
        this.dropPage(at + (2 * TLB_ENTRIES + (page & (FETCH_ENTRIES - 1))) * 16, vpn);
      }
    }
  }

  /**
   * Drops the translations of a guest to some pages of linear memory, by whatever address they are found. Where more were cached than the
   * journal of a set keeps, the whole set is dropped.
   */
  clearPlaces(gid: number, linear: number, bytes: number): void {
    for (let set = 0; set < TLB_SETS; set++) {
      if (this.gid[set] !== gid) continue;
      const at = (this.base + set * TLB_SET_BYTES) >> 2;
      const filled = at + (JOURNAL.filled >> 2);
      const first = at + (JOURNAL.first >> 2);
      if (this.i32[filled]! > JOURNAL.length) {
        this.clear(set);
        continue;
      }
      for (let k = this.i32[filled]! - 1; k >= 0; k--) {
        const n = this.i32[first + k]!;
        const i = at + WORDS * n;
        const page = n < 2 * TLB_ENTRIES ? this.pageOf(i) : this.i32[i + 3]!;
        if (this.i32[i] !== TLB_INVALID && (page - linear) >>> 0 >= bytes) continue;
        this.drop(i << 2);
        // The journal forgets it, so that a page which is dropped and filled again and again does not use it up.
        this.i32[first + k] = this.i32[first + --this.i32[filled]!]!;
      }
    }
  }

  private dropPage(at: number, vpn: number): void {
    if (this.i32[at >> 2]! >>> PAGE_BITS === vpn) this.drop(at);
  }

  /** Drops every cached write translation to the page at `linear` (it starts to hold decoded code or a watchpoint). */
  clearWrites(linear: number): void {
    const place = this.writerOf(linear);
    const known = this.i32[place]!;
    if (known === 0) return;
    // What translates stores to pages with the same place after that.
    let rest = 0;
    const look = (i: number): void => {
      if (this.i32[i] === TLB_INVALID) return;
      const page = this.pageOf(i);
      if (page === (linear | 0)) this.i32[i] = TLB_INVALID;
      else if (this.writerOf(page) === place) rest = rest === 0 || rest === i << 2 ? i << 2 : SEVERAL_WRITERS;
    };
    if (known === SEVERAL_WRITERS) this.eachWriter(look);
    else look(known >> 2);
    this.i32[place] = rest;
  }

  /** Calls `look` with the index of every entry for stores that may be valid. */
  private eachWriter(look: (i: number) => void): void {
    for (let set = 0; set < TLB_SETS; set++) {
      const at = (this.base + set * TLB_SET_BYTES) >> 2;
      const filled = this.i32[at + (JOURNAL.filled >> 2)]!;
      if (filled > JOURNAL.length) for (let n = TLB_ENTRIES; n < 2 * TLB_ENTRIES; n++) look(at + WORDS * n);
      else
        for (let k = 0; k < filled; k++) {
          const n = this.i32[at + (JOURNAL.first >> 2) + k]!;
          if (n >= TLB_ENTRIES && n < 2 * TLB_ENTRIES) look(at + WORDS * n);
        }
    }
  }

  /** Drops every cached write translation, in all contexts. */
  clearStores(): void {
    this.eachWriter((i) => {
      this.i32[i] = TLB_INVALID;
    });
    this.i32.fill(0, this.writers, this.writers + PAGE_WRITERS.count);
  }

  /** Drops every cached write translation of the current context. */
  clearStoresHere(): void {
    const at = this.current + TLB_ENTRIES * 16;
    this.u8.fill(0xff, at, at + TLB_ENTRIES * 16);
  }

  /** Drops every cached fetch translation, in all contexts. */
  clearFetches(): void {
    for (let set = 0; set < TLB_SETS; set++) {
      const at = this.base + set * TLB_SET_BYTES + 2 * TLB_ENTRIES * 16;
      this.u8.fill(0xff, at, at + FETCH_ENTRIES * 16);
    }
  }

  private drop(at: number): void {
    this.i32[at >> 2] = -1;
    this.i32[(at >> 2) + 1] = -1;
  }

  private clear(set: number): void {
    const at = this.base + set * TLB_SET_BYTES;
    const filled = (at + JOURNAL.filled) >> 2;
    const n = this.i32[filled]!;
    if (n > JOURNAL.length) this.u8.fill(0xff, at, at + JOURNAL.filled);
    else for (let k = 0; k < n; k++) this.drop(at + this.i32[((at + JOURNAL.first) >> 2) + k]! * 16);
    this.i32[filled] = 0;
  }
}
