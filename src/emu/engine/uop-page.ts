/** Decoded instructions of a page, and the regions that begin in it. */

/** Decoded instructions of one physical page. */
export interface UopPage {
  readonly base: number;
  /** Physical address, and place in linear memory, of the instruction words. */
  readonly pa: number;
  readonly linear: number;
  /** Positions (0..1023) where a breakpoint stands; the page then serves one virtual page of one world only. */
  readonly breakAt: ReadonlySet<number> | undefined;
  /** Translated regions that begin in it, and how often stores have ended some. */
  regions: Region[];
  ends: number;
  /** Would stores of other threads be heard of? */
  claimed: boolean;
  /** Its content, as hot-pages.ts tells contents apart; undefined once it has changed. */
  key: string | undefined;
}

/** A region that can be entered. */
export interface Region {
  readonly page: UopPage;
  /** Position of its first instruction in the page. */
  readonly entry: number;
  /** Its place in the table of regions. */
  readonly slot: number;
  /** Positions of its instructions, in order. */
  readonly covered: Uint16Array;
}
