/**
 * The TLB of the LA464: an 8-way, 256-set STLB with one page size, and a 64-entry MTLB where each entry has its own size.
 * Two of them exist: host-type entries (VA→PA for GID 0, GPA→HPA for a guest) and guest-type entries (GVA→GPA).
 * docs/lvz.md, "TLB", says why they are two arrays.
 *
 * Addresses are handled as numbers of 8 KiB page pairs (`vppn` = address[47:13]), exact in a double.
 */
import type { Stateful } from '../state/fields.ts';

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

export class Tlb implements Stateful {
  readonly stateFields = ['e', 'ps', 'gid', 'g', 'asid', 'vppn', 'eloLo', 'eloHi', 'stlbSizes'];
  readonly e = new Uint8Array(TLB_SIZE);
  readonly ps = new Uint8Array(TLB_SIZE);
  readonly gid = new Uint8Array(TLB_SIZE);
  readonly g = new Uint8Array(TLB_SIZE);
  readonly asid = new Uint16Array(TLB_SIZE);
  readonly vppn = new Float64Array(TLB_SIZE);
  /** TLBELO of the even (index 2i) and odd (2i+1) page, low and high halves. */
  readonly eloLo = new Int32Array(TLB_SIZE * 2);
  readonly eloHi = new Int32Array(TLB_SIZE * 2);

  /** For each page size (as a power of two): 1 if the STLB has got an entry with this size. */
  private readonly stlbSizes = new Uint8Array(64);

  reset(): void {
    this.e.fill(0);
    this.stlbSizes.fill(0);
  }

  /** Sets which addresses entry `i` is for: a pair of pages of 2^ps bytes in an address space of a GID. */
  setKey(i: number, vppn: number, ps: number, gid: number, asid: number): void {
    this.vppn[i] = vppn;
    this.ps[i] = ps;
    this.gid[i] = gid;
    this.asid[i] = asid;
    if (i < STLB_SIZE) this.stlbSizes[ps] = 1;
  }

  /**
   * Sets what entry `i` maps to: TLBELO of the even and of the odd page. An entry has one G, set when both halves say so
   * (Vol. 1, 5.4.2); both halves show it.
   */
  setPages(i: number, lo0: number, hi0: number, lo1: number, hi1: number): void {
    const g = lo0 & lo1 & GLOBAL;
    this.g[i] = g ? 1 : 0;
    this.eloLo[2 * i] = (lo0 & ~GLOBAL) | g;
    this.eloHi[2 * i] = hi0;
    this.eloLo[2 * i + 1] = (lo1 & ~GLOBAL) | g;
    this.eloHi[2 * i + 1] = hi1;
  }

  /** Calls `f` with every index where an entry for a page pair can be. */
  eachPlace(vppn: number, f: (i: number) => void): void {
    for (let ps = 12; ps < 64; ps++) {
      if (!this.stlbSizes[ps]) continue;
      const set = Tlb.set(vppn, ps);
      for (let way = 0; way < STLB_WAYS; way++) f(way * STLB_SETS + set);
    }
    for (let i = STLB_SIZE; i < TLB_SIZE; i++) f(i);
  }

  /** The STLB set of a page pair. */
  static set(vppn: number, ps: number): number {
    return lowBits(shr(vppn, ps - 12), STLB_SET_BITS);
  }

  private matches(i: number, vppn: number, gid: number, asid: number): boolean {
    if (!this.e[i] || this.gid[i] !== gid) return false;
    const drop = this.ps[i]! - 12;
    if (shr(this.vppn[i]!, drop) !== shr(vppn, drop)) return false;
    return asid < 0 || this.g[i] === 1 || this.asid[i] === asid;
  }

  /**
   * The index of the entry that maps a page pair, or −1.
   * @param asid address space, or −1 to ignore ASID and G (stage 2)
   * @param stlbPs page size of the STLB as a power of two
   */
  find(vppn: number, gid: number, asid: number, stlbPs: number): number {
    const set = Tlb.set(vppn, stlbPs);
    for (let way = 0; way < STLB_WAYS; way++) {
      const i = way * STLB_SETS + set;
      if (this.ps[i] === stlbPs && this.matches(i, vppn, gid, asid)) return i;
    }
    for (let i = STLB_SIZE; i < TLB_SIZE; i++) if (this.matches(i, vppn, gid, asid)) return i;
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
