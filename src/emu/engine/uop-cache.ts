import { decode } from '../isa/decoder.ts';
import type { Row } from '../isa/row.ts';
import {
  CODE_BITS_BYTES,
  cellOffset,
  codeBitsBase,
  codePagesBase,
  PAGE,
  PAGE_BITS_BYTES,
  sourceOffset,
  UOP_BYTES,
  UOP_PAGE_BYTES,
  UOP_PAGES,
  UOPS_PER_PAGE,
  uopBase,
} from '../memory/layout.ts';
import type { LinearMemory } from '../memory/linear-memory.ts';
import { type HandlerMap, leavesBlock, PSEUDO, pairKey, writeUop } from './uop.ts';
import type { UopPage } from './uop-page.ts';

/** Keeps decoded code correct when other threads store to it. `linear`: the address of a page in linear memory. */
export interface CodeCoherence {
  /** The page is about to be decoded. From now on the stores of other threads to it are reported. */
  claimCode(linear: number): void;
  /** The page is about to be stored to. Other threads drop what they have decoded of it. */
  claimStores(linear: number): void;
  /** Does what other threads have asked for. */
  synchronize(): void;
}

/** The translator of decoded code. */
export interface Translator {
  /** A page begins to hold decoded code. */
  pageMade(page: UopPage): void;
  /** Instructions `first` to `last` of a page have changed. */
  written(page: UopPage, first: number, last: number): void;
  /** A page is dropped. */
  dropPage(page: UopPage): void;
  /** All pages are dropped. */
  clear(): void;
}

const DECODE_AHEAD = 32;
const RECENT_PAGES = 1024;
/**
 * When so many stores in a row have changed decoded instructions of a page, and none was decoded in between, the page holds data
 * now: all of its instructions are dropped.
 */
const MANY_HITS = 16;

/**
 * The pool of decoded pages, shared by all CPUs. Pages are decoded as they are executed, a straight run of
 * instructions at a time. A write to a page makes only the written words undecoded again, so decoded code is never
 * stale.
 */
export class UopCache {
  readonly mem: LinearMemory;
  readonly map: HandlerMap;
  private readonly start: number;
  private readonly slots: (UopPage | undefined)[] = [];
  private readonly free: number[] = [];
  private readonly byPa = new Map<number, UopPage[]>();
  /** Pages that were asked for last, by the low bits of their numbers. */
  private readonly recent: (UopPage | undefined)[] = new Array(RECENT_PAGES);
  /** Called when the fetch translations of all CPUs must be dropped because pages are reused. */
  private readonly dropFetches: () => void;
  /** Called when a page begins to hold code, or holds none any more: cached write translations to it must be dropped. */
  private readonly dropWrites: (linear: number) => void;
  /** False for instructions of features that the CPU does not have: they raise INE. */
  private readonly exists: (row: Row) => boolean;
  private readonly decodeHandler = PSEUDO.indexOf('decode');
  private readonly cells: number;
  private readonly sources: number;
  private readonly bits: number;
  private readonly codePages: number;
  translator: Translator | undefined;
  /**
   * Told of what is executed for the first time: `words` instructions from a physical address on, to the end of their basic block,
   * and whether a guest executes them. To be set before the machine runs; then decoding ends where a block may end.
   */
  covered: ((pa: number, words: number, guest: boolean) => void) | undefined;
  /** Present where other threads store to the same RAM. */
  coherence: CodeCoherence | undefined;

  constructor(
    mem: LinearMemory,
    map: HandlerMap,
    exists: (row: Row) => boolean,
    dropFetches: () => void,
    dropWrites: (linear: number) => void,
  ) {
    this.mem = mem;
    this.map = map;
    this.start = uopBase(mem.pool);
    this.cells = cellOffset(mem.pool);
    this.sources = sourceOffset(mem.pool);
    this.bits = codeBitsBase(mem.pool);
    this.codePages = codePagesBase(mem.pool);
    this.exists = exists;
    this.dropFetches = dropFetches;
    this.dropWrites = dropWrites;
  }

  /** True when the page at `pa` (page-aligned) holds decoded code. */
  hasCode(pa: number): boolean {
    return this.byPa.get(pa)?.some((page) => page.code > 0) ?? false;
  }

  /** Where the bits are that say which words of a page are code. Undefined when they do not cover all its code. */
  codeBits(pa: number): number | undefined {
    const pages = this.byPa.get(pa);
    const [page] = pages ?? [];
    return pages?.length === 1 && page && !page.breakAt ? this.bitsOf(page) : undefined;
  }

  private bitsOf(page: UopPage): number {
    return this.bits + ((page.base - this.start) / UOP_PAGE_BYTES) * CODE_BITS_BYTES;
  }

  /** The instruction at a position of a page has been decoded or translated. */
  noteCode(page: UopPage, at: number): void {
    const { u8 } = this.mem;
    const place = this.bitsOf(page) + (at >> 3);
    const bit = 1 << (at & 7);
    if (u8[place]! & bit) return;
    u8[place]! |= bit;
    // When another page holds code of the same words, the bits of that one do not cover all code any more.
    if (page.code++ > 0) return;
    this.markPage(page.linear, true);
    this.dropWrites(page.linear);
  }

  /** Says to emitted code whether a page of linear memory may hold code. */
  private markPage(linear: number, code: boolean): void {
    const place = this.codePages + (linear >>> 15);
    const bit = 1 << ((linear >>> 12) & 7);
    if (code) this.mem.u8[place]! |= bit;
    else this.mem.u8[place]! &= ~bit;
  }

  /** The instructions from `first` to `last` are no longer decoded or translated. @returns were there any? */
  private forgetCode(page: UopPage, first: number, last: number): boolean {
    const { u8 } = this.mem;
    const bits = this.bitsOf(page);
    const before = page.code;
    for (let at = first; at <= last && page.code > 0; at++) {
      const bit = 1 << (at & 7);
      if (!(u8[bits + (at >> 3)]! & bit)) continue;
      u8[bits + (at >> 3)]! &= ~bit;
      page.code--;
    }
    if (before > 0 && page.code === 0) {
      this.markPage(page.linear, this.hasCode(page.pa));
      this.dropWrites(page.linear);
    }
    return page.code < before;
  }

  /** The decoded page of physical page `pa`. It is made when it does not exist yet. */
  page(pa: number, linear: number, breakAt: ReadonlySet<number> | undefined): UopPage {
    const place = (pa / PAGE) % RECENT_PAGES;
    const recent = this.recent[place];
    if (recent && recent.pa === pa && recent.breakAt === breakAt) {
      recent.linear = linear;
      return recent;
    }
    const page = this.find(pa, linear, breakAt);
    this.recent[place] = page;
    return page;
  }

  private find(pa: number, linear: number, breakAt: ReadonlySet<number> | undefined): UopPage {
    let pages = this.byPa.get(pa);
    const known = pages?.find((p) => p.breakAt === breakAt);
    if (known) {
      known.linear = linear;
      return known;
    }
    let slot = this.free.pop();
    if (slot === undefined && this.slots.length < UOP_PAGES) slot = this.slots.length;
    if (slot === undefined) {
      this.clear();
      slot = 0;
      pages = undefined;
    }
    const page: UopPage = {
      base: this.start + slot * UOP_PAGE_BYTES,
      pa,
      linear,
      breakAt,
      regions: [],
      ends: 0,
      code: 0,
      hits: 0,
      claimed: false,
      key: undefined,
    };
    this.slots[slot] = page;
    this.mem.u8.fill(0, page.base, page.base + UOP_PAGE_BYTES);
    const cells = this.cells + page.base / 4;
    this.mem.u8.fill(0, cells, cells + UOP_PAGE_BYTES / 4);
    const sources = this.sources + page.base / 2;
    this.mem.u8.fill(0, sources, sources + UOP_PAGE_BYTES / 2);
    this.mem.u16[(page.base + UOPS_PER_PAGE * UOP_BYTES) >> 1] = PSEUDO.indexOf('pageEnd');
    const bits = this.bitsOf(page);
    this.mem.u8.fill(0, bits, bits + CODE_BITS_BYTES);
    this.translator?.pageMade(page);
    if (pages) pages.push(page);
    else this.byPa.set(pa, [page]);
    return page;
  }

  /** The decoded page that contains a micro-op address, if the page is still in use. */
  pageAt(p: number): UopPage | undefined {
    return this.slots[Math.floor((p - this.start) / UOP_PAGE_BYTES)];
  }

  /** The decoded page that contains the address of a live micro-op. */
  pageOf(p: number): UopPage {
    return this.slots[Math.floor((p - this.start) / UOP_PAGE_BYTES)]!;
  }

  /** Decodes the micro-op at `p` and the straight run of code after it. @param guest a guest executes it */
  decode(p: number, guest: boolean): void {
    const page = this.pageOf(p);
    this.claim(page);
    page.hits = 0;
    const first = (p - page.base) / UOP_BYTES;
    const last = this.decodeRun(page, first);
    this.covered?.(page.pa + 4 * first, last - first, guest);
  }

  /** @returns the position behind the last instruction that was decoded */
  private decodeRun(page: UopPage, first: number): number {
    const { u16, u32 } = this.mem;
    const end = Math.min(first + DECODE_AHEAD, UOPS_PER_PAGE);
    let before = -1;
    for (let i = first; i < end; i++) {
      const at = page.base + i * UOP_BYTES;
      if (u16[at >> 1] !== this.decodeHandler) return i;
      if (page.breakAt?.has(i)) {
        u16[at >> 1] = PSEUDO.indexOf('breakpoint');
        return i + 1;
      }
      this.noteCode(page, i);
      const word = u32[(page.linear + i * 4) >>> 2]!;
      const row = decode(word);
      if (!row || !this.exists(row)) {
        u16[at >> 1] = PSEUDO.indexOf('ine');
        return i + 1;
      }
      const ends = writeUop(this, row, word, i, at);
      const number = u16[at >> 1]!;
      const pair = this.map.pairs.get(pairKey(before, number));
      if (pair !== undefined) u16[(at - UOP_BYTES) >> 1] = pair;
      if (ends || (this.covered && leavesBlock(row))) return i + 1;
      before = number;
    }
    return end;
  }

  /** Call this before words of a page are read to be executed: other threads may be storing to it. */
  claim(page: UopPage): void {
    if (!this.coherence || page.claimed) return;
    this.coherence.claimCode(page.linear);
    page.claimed = true;
  }

  /** Drops what is decoded of the page at `linear`. */
  forget(linear: number): void {
    for (const pages of this.byPa.values())
      for (const page of pages) {
        if (page.linear !== linear) continue;
        page.claimed = false;
        this.changed(page, 0, UOPS_PER_PAGE - 1);
      }
  }

  /** RAM has moved in linear memory. A page is found again when it is fetched from. */
  moved(): void {
    for (const pages of this.byPa.values()) for (const page of pages) page.linear = 0;
  }

  /** Puts the instruction itself in the place of a breakpoint. */
  reveal(p: number): void {
    const page = this.pageOf(p);
    const { u16, u32 } = this.mem;
    const i = (p - page.base) / UOP_BYTES;
    const word = u32[(page.linear + i * 4) >>> 2]!;
    const row = decode(word);
    if (row && this.exists(row)) writeUop(this, row, word, i, p);
    else u16[p >> 1] = PSEUDO.indexOf('ine');
  }

  /** Puts the breakpoint back. */
  conceal(p: number): void {
    this.mem.u16[p >> 1] = PSEUDO.indexOf('breakpoint');
  }

  /** Bytes at physical `pa` are about to change. */
  written(pa: number, size: number): void {
    const pageAddress = pa - (pa % PAGE);
    const pages = this.byPa.get(pageAddress);
    if (!pages) return;
    const first = Math.floor((pa - pageAddress) / 4);
    const last = Math.min(UOPS_PER_PAGE - 1, Math.floor((pa + size - 1 - pageAddress) / 4));
    for (const page of pages) this.changed(page, first, last);
  }

  /** The same for a range of any length. */
  writtenRange(pa: number, size: number): void {
    for (let at = pa; at < pa + size; ) {
      const next = Math.min(pa + size, at - (at % PAGE) + PAGE);
      this.written(at, next - at);
      at = next;
    }
  }

  /** Instructions `first` to `last` of a page must be decoded again. */
  private changed(page: UopPage, first: number, last: number): void {
    page.key = undefined;
    if (!this.forgetCode(page, first, last)) return;
    if (++page.hits === MANY_HITS) {
      first = 0;
      last = UOPS_PER_PAGE - 1;
      this.forgetCode(page, first, last);
    }
    // The micro-op before them may be a pair that executes the first of them too.
    for (let i = Math.max(0, first - 1); i <= last; i++)
      this.mem.u16[(page.base + i * UOP_BYTES) >> 1] = this.decodeHandler;
    if (page.regions.length > 0) this.translator?.written(page, first, last);
  }

  /** Breakpoints have changed: pages that contain some are dropped. */
  dropBreakpointPages(): void {
    for (const [pa, pages] of this.byPa) {
      const keep = pages.filter((p) => !p.breakAt);
      if (keep.length === pages.length) continue;
      for (const p of pages) {
        if (!p.breakAt) continue;
        this.translator?.dropPage(p);
        const slot = (p.base - this.start) / UOP_PAGE_BYTES;
        this.slots[slot] = undefined;
        this.free.push(slot);
        this.recent.fill(undefined);
      }
      if (keep.length) this.byPa.set(pa, keep);
      else this.byPa.delete(pa);
    }
    this.dropFetches();
  }

  /** Breakpoints apply, or do not apply any more: each page is found anew, with or without them. */
  fetchAgain(): void {
    this.dropFetches();
  }

  /** Drops all decoded code. */
  clear(): void {
    this.translator?.clear();
    this.mem.u8.fill(0, this.codePages, this.codePages + PAGE_BITS_BYTES);
    this.byPa.clear();
    this.recent.fill(undefined);
    this.slots.length = 0;
    this.free.length = 0;
    this.dropFetches();
  }
}
