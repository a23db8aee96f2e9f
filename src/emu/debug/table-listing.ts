/** All mappings of a page table, neighbours joined: what `monitor info stage2` and `info pagetable` print. Nothing is changed. */
import type { CsrHalves } from '../cpu/csr-bank.ts';
import { PWCL, TLBELO, TLBELO_HI } from '../cpu/csr-fields.ts';
import { CSR } from '../cpu/csr-table.ts';
import { PAGE } from '../memory/layout.ts';
import type { Ram } from '../memory/ram.ts';
import { addressBits, isHuge, Leaf, levelBase, levelWidth, type TableReader, walkTables } from '../mmu/page-walk.ts';
import { pageAddress } from '../mmu/stages.ts';
import type { Steps } from '../runtime/steps.ts';
import { describeElo } from './walk.ts';

/** A range of addresses that is mapped without a gap, with equal rights. */
export interface MappedRange {
  readonly from: number;
  readonly to: number;
  /** The address in the next space, of the first byte. */
  readonly at: number;
  /** Size of its pages, as a power of two. */
  readonly ps: number;
  readonly rights: string;
}

const NOWHERE = -1;

/** The reader of a walk that notes where it came to nothing. */
class Lister implements TableReader {
  lo = 0;
  hi = 0;
  /** The level of the last entry that was read. */
  level = 0;
  private readonly table: ListedTable;
  /** Levels that the registers describe, from the root down to 0. */
  private readonly levels: readonly number[];
  /** Whether nothing is mapped by a table. Kernels let many entries lead to one table that is empty. */
  private readonly known = new Map<number, boolean>();
  /** Where pages of tables are in physical memory, or NOWHERE. */
  private readonly places = new Map<number, number>();

  constructor(table: ListedTable) {
    this.table = table;
    this.levels = [...DIRECTORIES.filter((level) => levelWidth(table.csr, level) > 0), 0];
  }

  read(table: number, slot: number, level: number): boolean {
    // The level stays that of the entry that has led here: the whole range of that entry is skipped.
    if (this.isEmpty(table, level)) return false;
    this.level = level;
    const pa = this.place(slot);
    const lo = pa === undefined ? undefined : this.table.ram.word(pa);
    const hi = pa === undefined ? undefined : this.table.ram.word(pa + 4);
    if (lo === undefined || hi === undefined) return false;
    this.lo = lo | 0;
    this.hi = hi | 0;
    return true;
  }

  /** The end of the addresses that the levels tell apart. */
  get end(): number {
    const [top] = this.levels;
    return 2 ** Math.min(47, levelBase(this.table.csr, top!) + levelWidth(this.table.csr, top!));
  }

  /** Is nothing mapped by the whole table at the root? */
  get nothing(): boolean {
    return this.isEmpty(this.table.root, this.levels[0]!);
  }

  /** Does an entry of the last level map a page, or, where those are wanted, name one? */
  names(lo: number, hi: number): boolean {
    return (lo & TLBELO.V) !== 0 || (this.table.invalid === true && ((lo & TLBELO.PPN) | (hi & TLBELO_HI.PPN)) !== 0);
  }

  private isEmpty(at: number, level: number): boolean {
    if (at < 4096) return true;
    const { csr } = this.table;
    // Wide entries are rare, and are looked at one by one.
    if (csr.lo(CSR.PWCL) & PWCL.PTEWidth) return false;
    const key = 8 * at + level;
    let empty = this.known.get(key);
    if (empty !== undefined) return empty;
    // A table that leads to itself has nothing new.
    this.known.set(key, true);
    const below = this.levels[this.levels.indexOf(level) + 1];
    const entries = this.words(at, 2 ** levelWidth(csr, level)) ?? new Int32Array(0);
    empty = true;
    for (let n = 0; empty && n < entries.length; n += 2) {
      const lo = entries[n]!;
      if (below === undefined || isHuge(lo)) empty = !this.names(lo, entries[n + 1]!);
      else {
        const next = addressBits(lo, entries[n + 1]!);
        empty = this.isEmpty(next - (next % 4096), below);
      }
    }
    this.known.set(key, empty);
    return empty;
  }

  /** Where an address of the tables is in physical memory. All of a page is in one place. */
  private place(at: number): number | undefined {
    const page = at - (at % PAGE);
    let place = this.places.get(page);
    if (place === undefined) this.places.set(page, (place = this.table.place(page) ?? NOWHERE));
    return place === NOWHERE ? undefined : place + (at % PAGE);
  }

  /** All entries of a table, each as two words; undefined when they are not in RAM. */
  private words(at: number, count: number): Int32Array | undefined {
    const pa = this.place(at);
    const bytes = pa === undefined ? undefined : this.table.ram.read(pa, 8 * count);
    return bytes?.length === 8 * count ? new Int32Array(bytes.buffer, 0, 2 * count) : undefined;
  }
}

/** Directory levels, the root first. */
const DIRECTORIES = [4, 3, 2, 1] as const;
/** Most entries that are looked at. A table may point to itself. */
const MOST_LOOKS = 2_000_000;
const TURN = 2048;

/**
 * The mappings, by address. Addresses above those that the levels tell apart mean the same.
 * @param most ranges, beyond which the list is cut
 */
export function* mappedRanges(
  table: ListedTable,
  most: number,
): Steps<{ readonly ranges: readonly MappedRange[]; readonly cut: boolean }> {
  const ranges: { -readonly [K in keyof MappedRange]: MappedRange[K] }[] = [];
  const { csr, root } = table;
  const leaf = new Leaf();
  const lister = new Lister(table);
  const words = new Map<number, string>();
  /** The rights of an entry. Few are different. */
  const rightsOf = (lo: number, hi: number): string => {
    const bits = ((hi & ~TLBELO_HI.PPN) >>> 0) * 2 ** 32 + ((lo & ~TLBELO.PPN) >>> 0);
    let text = words.get(bits);
    if (text === undefined) words.set(bits, (text = describeElo((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0))));
    return text;
  };
  let looks = 0;
  if (lister.nothing) return { ranges, cut: false };
  for (let at = 0; at < lister.end; looks++) {
    if (looks % TURN === TURN - 1) yield;
    if (looks > MOST_LOOKS) return { ranges, cut: true };
    const found = walkTables(csr, root, at, false, lister, leaf);
    const ps = found ? leaf.ps : levelBase(csr, lister.level);
    const size = 2 ** Math.max(12, Math.min(47, ps));
    const next = (Math.floor(at / size) + 1) * size;
    if (found && lister.names(leaf.lo, leaf.hi)) {
      const to = pageAddress(leaf.lo, leaf.hi, leaf.ps, at | 0, Math.floor(at / 2 ** 32));
      const rights = rightsOf(leaf.lo, leaf.hi);
      const last = ranges.at(-1);
      const joins =
        last && last.to === at && last.rights === rights && last.ps === leaf.ps && last.at + (at - last.from) === to;
      if (joins) last.to = next;
      else if (ranges.length >= most) return { ranges, cut: true };
      else ranges.push({ from: at, to: next, at: to, ps: leaf.ps, rights });
    }
    at = next;
  }
  return { ranges, cut: false };
}

/** A table to be listed. */
export interface ListedTable {
  /** The registers that describe it. */
  readonly csr: CsrHalves;
  readonly ram: Ram;
  readonly root: number;
  /** Where an address of the tables' space is in physical memory. */
  readonly place: (slot: number) => number | undefined;
  /** List entries, too, that are not valid and name a page: Linux KVM makes those of pages that it ages. */
  readonly invalid?: boolean;
}
