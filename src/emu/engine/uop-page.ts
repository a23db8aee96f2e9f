/** Decoded instructions of a page, and the regions that begin in it. */

/** Decoded instructions of one physical page. */
export interface UopPage {
  readonly base: number;
  /** Physical address of the instruction words, and their address in linear memory; 0 while they are not there. */
  readonly pa: number;
  linear: number;
  /** Positions (0..1023) of breakpoints. A page with breakpoints serves only one virtual page of one world. */
  readonly breakAt: ReadonlySet<number> | undefined;
  /** Translated regions with instructions of it, and how often stores have ended some of them. */
  regions: Region[];
  ends: number;
  /** Instructions that are decoded or translated: with none of them, the page is one like any other. */
  code: number;
  /** Stores that have changed some of them since the last one was decoded. */
  hits: number;
  /** Are stores of other threads to this page reported? */
  claimed: boolean;
  /** The key of its content, by which hot-pages.ts recognizes contents. Undefined when the content has changed. */
  key: string | undefined;
}

/** A region that can be entered. */
export interface Region {
  /** The page in which it begins. */
  readonly page: UopPage;
  /** Position of its first instruction in the page. */
  readonly entry: number;
  /** Its index in the table of regions. */
  readonly slot: number;
  readonly parts: readonly RegionPart[];
}

/** The instructions of a region that are in one page. */
export interface RegionPart {
  readonly page: UopPage;
  /** Their positions in the page, in order. */
  readonly covered: Uint16Array;
}
