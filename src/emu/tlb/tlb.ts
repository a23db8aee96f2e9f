/**
 * The TLB of the LA464: an 8-way, 256-set STLB with one page size, and a 64-entry MTLB where each entry has its own size.
 * Two of them exist: host-type entries (VA→PA for GID 0, GPA→HPA for a guest) and guest-type entries (GVA→GPA).
 * docs/lvz.md, "TLB", says why they are two arrays.
 *
 * Addresses are handled as numbers of 8 KiB page pairs (`vppn` = address[47:13]), exact in a double.
 */
import type { Stateful, Wiring } from '../state/fields.ts';

const STLB_SET_BITS = 8;
export const STLB_SETS = 1 << STLB_SET_BITS;
export const STLB_WAYS = 8;
export const STLB_SIZE = STLB_SETS * STLB_WAYS;
export const MTLB_SIZE = 64;
export const TLB_SIZE = STLB_SIZE + MTLB_SIZE;

const INVERSE = Float64Array.from({ length: 64 }, (_, n) => 2 ** -n);
/** Shifts right a number of up to 53 bits. */
export const shr = (value: number, by: number): number => Math.floor(value * INVERSE[by]!);

export const POWER = Float64Array.from({ length: 64 }, (_, n) => 2 ** n);
/** The low bits of a number of up to 53 bits. */
export const lowBits = (value: number, bits: number): number => value - shr(value, bits) * POWER[bits]!;

/** Page sizes that the TLBs hold, 4 KiB to 512 MiB: bit n stands for 2^n bytes. PRCFG2 announces them. */
export const PAGE_SIZES = 0x3ffff000;
/** Does a TLB hold pages of 2^ps bytes? */
export const legalSize = (ps: number): boolean => ps < 32 && ((PAGE_SIZES >>> ps) & 1) === 1;

/** The smallest and the largest page size, as powers of two. */
const SMALLEST = 12;
const LARGEST = 31 - Math.clz32(PAGE_SIZES);
/** The bit G of TLBELO. */
const GLOBAL = 1 << 6;

/** A readable copy of one entry, for debuggers and tests. */
export interface TlbEntryView {
  readonly index: number;
  readonly vppn: number;
  readonly ps: number;
  readonly gid: number;
  readonly asid: number;
  readonly global: boolean;
  readonly elo: readonly [bigint, bigint];
}

/**
 * Where the parts of the entries are, for emitted code (mmu/resolve.ts): by entry i64 of the key, i32 of the address space; i32 of each
 * half's TLBELO, low and high; i32 of the MTLB entries that may be valid, from the first one on.
 * Key: bits 34:0 VPPN without the bits that the page size ignores, 47:40 GID, 53:48 page size, 56 E. Address space: 9:0 ASID, 16 G.
 */
export const TLB_ARRAYS = {
  key: 0,
  space: 8 * TLB_SIZE,
  eloLo: 12 * TLB_SIZE,
  eloHi: 20 * TLB_SIZE,
  mtlbUsed: 28 * TLB_SIZE,
  bytes: 28 * TLB_SIZE + 8,
} as const;
export const KEY = { gid: 40, ps: 48, valid: 56 } as const;
export const SPACE_GLOBAL = 0x10000;
/** In the high half of a key. */
const KEY_HI = { gid: KEY.gid - 32, ps: KEY.ps - 32, valid: 1 << (KEY.valid - 32) } as const;

export class Tlb implements Stateful {
  readonly stateFields = ['e', 'ps', 'gid', 'g', 'asid', 'vppn', 'eloLo', 'eloHi', 'stlbSizes', 'filledAt'];
  static readonly wiring: Wiring = { keys: 'derived', spaces: 'derived', mtlbUsed: 'derived', valid: 'derived' };
  readonly e = new Uint8Array(TLB_SIZE);
  readonly ps = new Uint8Array(TLB_SIZE);
  readonly gid = new Uint8Array(TLB_SIZE);
  readonly g = new Uint8Array(TLB_SIZE);
  readonly asid = new Uint16Array(TLB_SIZE);
  readonly vppn = new Float64Array(TLB_SIZE);
  /** In a perturbed run: instructions of the CPU when software filled the entry. */
  readonly filledAt = new Float64Array(TLB_SIZE);
  /** TLBELO of the even (index 2i) and odd (2i+1) page, low and high halves. */
  readonly eloLo: Int32Array;
  readonly eloHi: Int32Array;
  /** {@link TLB_ARRAYS}: derived from the state. Halves of the keys, low at 2i. */
  private readonly keys: Int32Array;
  private readonly spaces: Int32Array;
  private readonly mtlbUsed: Int32Array;
  /** The same as `e`, a bit for each entry. */
  private readonly valid = new Int32Array(TLB_SIZE / 32);

  /** For each page size (as a power of two): 1 if the STLB has got an entry with this size. */
  private readonly stlbSizes = new Uint8Array(64);

  /** @param offset where its arrays are in `buffer` */
  constructor(buffer: ArrayBufferLike = new ArrayBuffer(TLB_ARRAYS.bytes), offset = 0) {
    const ints = (at: number, length: number): Int32Array => new Int32Array(buffer, offset + at, length);
    this.keys = ints(TLB_ARRAYS.key, 2 * TLB_SIZE);
    this.spaces = ints(TLB_ARRAYS.space, TLB_SIZE);
    this.eloLo = ints(TLB_ARRAYS.eloLo, 2 * TLB_SIZE);
    this.eloHi = ints(TLB_ARRAYS.eloHi, 2 * TLB_SIZE);
    this.mtlbUsed = ints(TLB_ARRAYS.mtlbUsed, 1);
  }

  reset(): void {
    this.stlbSizes.fill(0);
    this.empty();
  }

  /** Makes all entries invalid. */
  empty(): void {
    this.e.fill(0);
    this.keys.fill(0);
    this.valid.fill(0);
    this.mtlbUsed[0] = 0;
  }

  /** The state has been restored. */
  restored(): void {
    this.mtlbUsed[0] = 0;
    for (let i = 0; i < TLB_SIZE; i++) this.derive(i);
  }

  /** Makes entry `i` invalid. */
  invalidate(i: number): void {
    this.e[i] = 0;
    this.keys[2 * i + 1]! &= ~KEY_HI.valid;
    this.valid[i >> 5]! &= ~(1 << (i & 31));
  }

  /** Updates what is derived from entry `i`. */
  private derive(i: number): void {
    const page = shr(this.vppn[i]!, this.ps[i]! - 12);
    this.keys[2 * i] = page | 0;
    this.keys[2 * i + 1] =
      Math.floor(page / 0x100000000) |
      (this.gid[i]! << KEY_HI.gid) |
      (this.ps[i]! << KEY_HI.ps) |
      (this.e[i] ? KEY_HI.valid : 0);
    this.spaces[i] = this.asid[i]! | (this.g[i] ? SPACE_GLOBAL : 0);
    if (this.e[i]) this.valid[i >> 5]! |= 1 << (i & 31);
    else this.valid[i >> 5]! &= ~(1 << (i & 31));
    if (this.e[i] && i - STLB_SIZE >= this.mtlbUsed[0]!) this.mtlbUsed[0] = i - STLB_SIZE + 1;
  }

  /** Sets which addresses entry `i` is for: a pair of pages of 2^ps bytes in an address space of a GID. `e` says whether it is valid. */
  setKey(i: number, vppn: number, ps: number, gid: number, asid: number): void {
    this.vppn[i] = vppn;
    this.ps[i] = ps;
    this.gid[i] = gid;
    this.asid[i] = asid;
    if (i < STLB_SIZE) this.stlbSizes[ps] = 1;
    this.derive(i);
  }

  /**
   * Sets what entry `i` maps to: TLBELO of the even and of the odd page. An entry has one G, set when both halves say so
   * (Vol. 1, 5.4.2); both halves show it.
   */
  setPages(i: number, lo0: number, hi0: number, lo1: number, hi1: number): void {
    const g = lo0 & lo1 & GLOBAL;
    this.g[i] = g ? 1 : 0;
    this.spaces[i] = this.asid[i]! | (g ? SPACE_GLOBAL : 0);
    this.eloLo[2 * i] = (lo0 & ~GLOBAL) | g;
    this.eloHi[2 * i] = hi0;
    this.eloLo[2 * i + 1] = (lo1 & ~GLOBAL) | g;
    this.eloHi[2 * i + 1] = hi1;
  }

  /** Calls `f` with every index where a valid entry for a page pair can be. */
  eachPlace(vppn: number, f: (i: number) => void): void {
    for (let ps = SMALLEST; ps <= LARGEST; ps++) {
      if (!this.stlbSizes[ps]) continue;
      for (let i = Tlb.set(vppn, ps); i < STLB_SIZE; i += STLB_SETS) f(i);
    }
    for (let i = STLB_SIZE; i < STLB_SIZE + this.mtlbUsed[0]!; i++) f(i);
  }

  /** Calls `f` with the index of every valid entry. `f` may make it invalid. */
  eachValid(f: (i: number) => void): void {
    for (let word = 0; word < this.valid.length; word++)
      for (let left = this.valid[word]!; left !== 0; left &= left - 1) f(32 * word + 31 - Math.clz32(left & -left));
  }

  /** The STLB set of a page pair. */
  static set(vppn: number, ps: number): number {
    return lowBits(shr(vppn, ps - 12), STLB_SET_BITS);
  }

  /** Is an entry for this address space? */
  private serves(i: number, asid: number): boolean {
    const space = this.spaces[i]!;
    return asid < 0 || (space & SPACE_GLOBAL) !== 0 || space === asid;
  }

  /**
   * The index of the entry that maps a page pair, or −1.
   * @param asid address space, or −1 to ignore ASID and G (stage 2)
   * @param stlbPs page size of the STLB as a power of two
   */
  find(vppn: number, gid: number, asid: number, stlbPs: number): number {
    const { keys } = this;
    const owner = (gid << KEY_HI.gid) | KEY_HI.valid;
    if (stlbPs >= SMALLEST) {
      const page = shr(vppn, stlbPs - SMALLEST);
      const lo = page | 0;
      const hi = Math.floor(page / 0x100000000) | owner | (stlbPs << KEY_HI.ps);
      for (let i = lo & (STLB_SETS - 1); i < STLB_SIZE; i += STLB_SETS)
        if (keys[2 * i] === lo && keys[2 * i + 1] === hi && this.serves(i, asid)) return i;
    }
    for (let i = STLB_SIZE; i < STLB_SIZE + this.mtlbUsed[0]!; i++) {
      const ps = this.ps[i]!;
      if (!this.e[i]) continue;
      const page = shr(vppn, ps - SMALLEST);
      if (keys[2 * i] !== (page | 0)) continue;
      const hi = Math.floor(page / 0x100000000) | owner | (ps << KEY_HI.ps);
      if (keys[2 * i + 1] === hi && this.serves(i, asid)) return i;
    }
    return -1;
  }

  /** Which half of entry `i` maps the page with number `vpn` (address[47:12]): 0 even, 1 odd. */
  half(i: number, vpn: number): number {
    return lowBits(shr(vpn, this.ps[i]! - 12), 1);
  }

  /** The entry as data. */
  view(i: number): TlbEntryView {
    const elo = (k: number): bigint =>
      (BigInt(this.eloHi[2 * i + k]! >>> 0) << 32n) | BigInt(this.eloLo[2 * i + k]! >>> 0);
    return {
      index: i,
      vppn: this.vppn[i]!,
      ps: this.ps[i]!,
      gid: this.gid[i]!,
      asid: this.asid[i]!,
      global: this.g[i] === 1,
      elo: [elo(0), elo(1)],
    };
  }

  /** All entries with E = 1. */
  *entries(): Generator<TlbEntryView> {
    for (let i = 0; i < TLB_SIZE; i++) if (this.e[i]) yield this.view(i);
  }
}
