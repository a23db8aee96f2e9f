/** The code that a region may consist of: the page in which it begins, and pages that are near it in the address space. */
import { decode } from '../../isa/decoder.ts';
import type { Row } from '../../isa/row.ts';
import {
  CSR_LIMIT,
  cellOffset,
  cpuBase,
  FETCH_ENTRIES,
  STATE,
  sourceOffset,
  UOP_BYTES,
  UOPS_PER_PAGE,
} from '../../memory/layout.ts';
import type { LinearMemory } from '../../memory/linear-memory.ts';
import { PSEUDO } from '../uop.ts';
import type { UopCache } from '../uop-cache.ts';
import type { UopPage } from '../uop-page.ts';
import { type Code, inPage, pageOf } from './discover.ts';
import { FARTHEST } from './region-emitter.ts';

/** Where code runs: the fetch translations of its context, and its virtual address as the number of its page. */
export interface Place {
  readonly fetches: number;
  readonly vpn: number;
}

/** What is the same for all regions of a machine. */
export interface CodeSource {
  readonly mem: LinearMemory;
  readonly uops: UopCache;
  /** Does the CPU have this instruction? */
  readonly exists: (row: Row) => boolean;
  /** Code is translated before it was executed. */
  readonly eager: boolean;
  /** Is it known from earlier runs what is hot in a page? */
  readonly known: (page: UopPage) => boolean;
}

/** A region has instructions of at most this many pages. */
const MAX_PAGES = 8;
/** With fewer branches to an instruction, the code there is not worth translating before it is hot. */
export const SOME_BRANCHES = 1500;
/** The handler of a micro-op that was never executed. */
export const DECODE = PSEUDO.indexOf('decode');
/** Address spaces have this many pages. */
const PAGES = 2 ** 52;

/** Where control came from by computed jumps into a page: targets in the page, by the micro-op of the jump. */
export function jumpsInto({ i32, pool }: LinearMemory, page: UopPage): Map<number, number[]> {
  const out = new Map<number, number[]>();
  const first = (sourceOffset(pool) + page.base / 2) >> 2;
  for (let to = 0; to < UOPS_PER_PAGE; to++) {
    const from = i32[first + to]!;
    if (from === 0) continue;
    const list = out.get(from);
    if (list) list.push(to);
    else out.set(from, [to]);
  }
  return out;
}

export class CodeAround implements Code {
  private readonly source: CodeSource;
  private readonly place: Place | undefined;
  /** Pages by their distance from the first one; undefined: not known. */
  private readonly pages = new Map<number, UopPage | undefined>();
  private readonly jumps = new Map<UopPage, Map<number, number[]>>();
  private count = 1;

  constructor(source: CodeSource, page: UopPage, place: Place | undefined) {
    this.source = source;
    this.pages.set(0, page);
    // The context may be another one meanwhile.
    this.place = place && this.fetch(place, 0) === page.base ? place : undefined;
  }

  /** The page at a distance, where it is known. */
  page(distance: number): UopPage | undefined {
    if (this.pages.has(distance)) return this.pages.get(distance);
    const found = this.count < MAX_PAGES ? this.find(distance) : undefined;
    if (found) this.count++;
    this.pages.set(distance, found);
    return found;
  }

  private find(distance: number): UopPage | undefined {
    const { uops, mem } = this.source;
    if (!this.place || Math.abs(distance) >= FARTHEST / UOPS_PER_PAGE - 1) return undefined;
    const base = this.fetch(this.place, distance);
    const page = base < 0 ? undefined : uops.pageAt(base);
    return page && page.base === base && page.linear !== 0 && (!mem.shared || page.claimed) ? page : undefined;
  }

  /** The micro-ops of the page at a distance from a place, or −1. */
  private fetch({ fetches, vpn }: Place, distance: number): number {
    const { i32 } = this.source.mem;
    const wanted = vpn + distance;
    if (wanted < 0 || wanted >= PAGES) return -1;
    const lo = (wanted % 2 ** 20) << 12;
    const hi = Math.floor(wanted / 2 ** 20) | 0;
    const entry = (fetches >> 2) + (wanted % FETCH_ENTRIES) * 4;
    return i32[entry] === lo && i32[entry + 1] === hi ? i32[entry + 2]! : -1;
  }

  knows(at: number): boolean {
    return this.page(pageOf(at)) !== undefined;
  }

  worth(at: number, taken: boolean): boolean {
    const { eager, known, mem } = this.source;
    const page = this.page(pageOf(at))!;
    if (eager || known(page)) return true;
    const p = page.base + inPage(at) * UOP_BYTES;
    // What was never executed is not decoded. Of branches that are not taken, no more is known.
    if (!taken) return mem.u16[p >> 1] !== DECODE;
    return mem.u16[(cellOffset(mem.pool) + (p >>> 2)) >> 1]! >= SOME_BRANCHES;
  }

  word(at: number): number {
    return this.source.mem.u32[(this.page(pageOf(at))!.linear >>> 2) + inPage(at)]!;
  }

  row(word: number): Row | undefined {
    const row = decode(word);
    return row && this.source.exists(row) ? row : undefined;
  }

  stopsAt(at: number): boolean {
    return this.page(pageOf(at))!.breakAt?.has(inPage(at)) ?? false;
  }

  csrRules(num: number): number {
    const { mem } = this.source;
    return num < CSR_LIMIT ? mem.u8[cpuBase(mem.pool.pool) + STATE.csrRules + num]! : 0;
  }

  jumpTargets(at: number): readonly number[] {
    const from = this.page(pageOf(at))!.base + inPage(at) * UOP_BYTES;
    const out: number[] = [];
    for (const [distance, page] of this.pages) {
      if (!page) continue;
      let jumps = this.jumps.get(page);
      if (!jumps) this.jumps.set(page, (jumps = jumpsInto(this.source.mem, page)));
      for (const to of jumps.get(from) ?? []) out.push(distance * UOPS_PER_PAGE + to);
    }
    return out;
  }
}
