/** The software TLB alone: what each way of dropping takes, for reading, writing and fetching. */
import { describe, expect, test } from 'vitest';
import { CPU_STRIDE, JOURNAL, STATE, TLB_ENTRIES, TLB_SETS } from '../../src/emu/memory/layout.ts';
import { DIRECT, EVERY, FastTlb } from '../../src/emu/tlb/fast-tlb.ts';

const PAGE = 0x1000;
const HOST = 0x500000;
const ASID = 5;
type Kind = 'read' | 'write' | 'fetch';

/** A software TLB in memory of its own, in a context of the host. */
function make(): {
  readonly fast: FastTlb;
  readonly fill: (page: number) => void;
  readonly kept: (page: number) => Kind[];
} {
  const memory = new ArrayBuffer(CPU_STRIDE);
  const i32 = new Int32Array(memory);
  const fast = new FastTlb(new Uint8Array(memory), i32, 0, () => {});
  fast.select(1, 0, -1, ASID);
  const fill = (page: number): void => {
    fast.fillData(false, page * PAGE, 0, HOST);
    fast.fillData(true, page * PAGE, 0, HOST + page * PAGE);
    fast.fillFetch(page * PAGE, 0, 0x1234, HOST);
  };
  const tag = (array: number, page: number): boolean =>
    i32[(i32[array >> 2]! >> 2) + 4 * (page % TLB_ENTRIES)] === page * PAGE;
  const kept = (page: number): Kind[] => [
    ...(tag(STATE.readTlb, page) ? (['read'] as const) : []),
    ...(tag(STATE.writeTlb, page) ? (['write'] as const) : []),
    ...(fast.fetchEntry(page * PAGE, 0) >= 0 ? (['fetch'] as const) : []),
  ];
  return { fast, fill, kept };
}
const ALL: Kind[] = ['read', 'write', 'fetch'];

describe('dropping', () => {
  test('the pages of one entry go, for reading, writing and fetching, and no others', () => {
    const { fast, fill, kept } = make();
    for (const page of [5, 6, 7, 8]) fill(page);
    // The pair of 4 KiB pages 6 and 7.
    fast.clearPages(-1, ASID, 3, 12);
    expect([5, 6, 7, 8].map(kept)).toEqual([ALL, [], [], ALL]);
  });

  test('a pair of 16 KiB pages is eight of the small ones; one of 32 MiB pages takes everything of the world', () => {
    const { fast, fill, kept } = make();
    for (const page of [7, 8, 15, 16]) fill(page);
    fast.clearPages(-1, ASID, 4, 14);
    expect([7, 8, 15, 16].map(kept)).toEqual([ALL, [], [], ALL]);
    fast.clearPages(-1, ASID, 0x100000, 25);
    expect([7, 16].map(kept)).toEqual([[], []]);
  });

  test('another world’s pages are none of it', () => {
    const { fast, fill, kept } = make();
    fill(6);
    fast.clearPages(2, ASID, 3, 12);
    fast.clearWorld(2);
    fast.clearData(2);
    expect(kept(6)).toEqual(ALL);
    fast.clearData(-1);
    expect(kept(6)).toEqual(['fetch']);
  });

  test('another address space’s pages, and those of a context without pages, are none of it; a global entry is for all', () => {
    const { fast, fill, kept } = make();
    fill(6);
    fast.clearPages(-1, ASID + 1, 3, 12);
    fast.clearPages(-1, ASID + 1, 0x100000, 25);
    expect(kept(6)).toEqual(ALL);
    fast.select(2, 0, -1, DIRECT);
    fill(6);
    fast.clearPages(-1, EVERY, 3, 12);
    expect(kept(6)).toEqual(ALL);
    fast.select(1, 0, -1, ASID);
    expect(kept(6)).toEqual([]);
  });

  test('another page at the same place stays', () => {
    const { fast, fill, kept } = make();
    fill(6 + TLB_ENTRIES);
    fast.clearPages(-1, ASID, 3, 12);
    expect(kept(6 + TLB_ENTRIES)).toEqual(ALL);
  });

  test('a guest’s translations to a part of memory go, by whatever address and in each of its contexts; those of others stay', () => {
    const { fast, kept } = make();
    const fill = (page: number, linear: number): void => {
      fast.fillData(false, page * PAGE, 0, linear);
      fast.fillData(true, page * PAGE, 0, linear);
      fast.fillFetch(page * PAGE, 0, 0x1234, linear);
    };
    const contexts = [
      [2, 1, ASID],
      [3, 1, DIRECT],
      [4, 2, ASID],
    ] as const;
    for (const context of [[1, -1, ASID] as const, ...contexts]) {
      fast.select(context[0], 0, context[1], context[2]);
      for (const page of [3, 4, 5, 6, 9]) fill(page, HOST + (page % 8) * PAGE);
    }
    fast.clearPlaces(1, HOST + 4 * PAGE, 2 * PAGE);
    const all = (key: number, gid: number, space: number): Kind[][] => {
      fast.select(key, 0, gid, space);
      return [3, 4, 5, 6, 9].map(kept);
    };
    expect(all(2, 1, ASID)).toEqual([ALL, [], [], ALL, ALL]);
    expect(all(3, 1, DIRECT)).toEqual([ALL, [], [], ALL, ALL]);
    expect(all(4, 2, ASID)).toEqual([ALL, ALL, ALL, ALL, ALL]);
    expect(all(1, -1, ASID)).toEqual([ALL, ALL, ALL, ALL, ALL]);
    fast.clearPlaces(1, HOST + PAGE, PAGE);
    expect(all(2, 1, ASID)).toEqual([ALL, [], [], ALL, []]);
  });

  test('a page that is dropped and filled again and again does not take the others along', () => {
    const { fast, kept } = make();
    fast.select(2, 0, 1, ASID);
    fast.fillData(false, 3 * PAGE, 0, HOST + 3 * PAGE);
    for (let n = 0; n < 2 * JOURNAL.length; n++) {
      fast.fillData(false, 4 * PAGE, 0, HOST + 4 * PAGE);
      fast.clearPlaces(1, HOST + 4 * PAGE, PAGE);
    }
    expect([3, 4].map(kept)).toEqual([['read'], []]);
  });

  test('with more translations than the journal keeps, all of the context go', () => {
    const { fast, kept } = make();
    fast.select(2, 0, 1, ASID);
    for (let page = 0; page <= JOURNAL.length; page++) fast.fillData(false, page * PAGE, 0, HOST + page * PAGE);
    fast.clearPlaces(1, HOST, PAGE);
    expect([0, 1, JOURNAL.length].map(kept)).toEqual([[], [], []]);
  });

  test('writes to one page of memory, fetches, everything', () => {
    const { fast, fill, kept } = make();
    for (const page of [6, 7]) fill(page);
    fast.clearWrites(HOST + 6 * PAGE);
    expect([6, 7].map(kept)).toEqual([['read', 'fetch'], ALL]);
    fast.clearFetches();
    expect([6, 7].map(kept)).toEqual([['read'], ['read', 'write']]);
    fast.clearAll();
    expect([6, 7].map(kept)).toEqual([[], []]);
  });
});

describe('writes to one page of memory', () => {
  /** The page of memory at which all of these virtual pages are. */
  const LINEAR = HOST + 9 * PAGE;

  test('go from every virtual page and every context that has it', () => {
    const { fast, kept } = make();
    fast.fillData(true, 3 * PAGE, 0, LINEAR);
    fast.fillData(true, 4 * PAGE, 0, LINEAR);
    fast.select(2, 0, -1, ASID);
    fast.fillData(true, 3 * PAGE, 0, LINEAR);
    fast.clearWrites(LINEAR);
    expect(kept(3)).toEqual([]);
    fast.select(1, 0, -1, ASID);
    expect([kept(3), kept(4)]).toEqual([[], []]);
  });

  test('go from the entry that was filled last, when another page had taken the first one', () => {
    const { fast, kept } = make();
    fast.fillData(true, 3 * PAGE, 0, LINEAR);
    fast.fillData(true, (3 + TLB_ENTRIES) * PAGE, 0, HOST);
    fast.fillData(true, 5 * PAGE, 0, LINEAR);
    fast.clearWrites(LINEAR);
    expect(kept(5)).toEqual([]);
    // The other page is another one's.
    expect(kept(3 + TLB_ENTRIES)).toEqual(['write']);
  });
});

describe('sets', () => {
  test('a context has its own again when it comes back; the one used longest ago makes room', () => {
    const { fast, fill, kept } = make();
    fill(6);
    for (let key = 2; key <= TLB_SETS; key++) fast.select(key, 0, -1, ASID);
    fast.select(1, 0, -1, ASID);
    expect(kept(6)).toEqual(ALL);
    // Context 2 is the oldest now: a new one takes its place, and 1 keeps its own.
    fast.select(TLB_SETS + 1, 0, -1, ASID);
    fast.select(1, 0, -1, ASID);
    expect(kept(6)).toEqual(ALL);
    for (let key = 2; key <= TLB_SETS + 1; key++) fast.select(key + 100, 0, -1, ASID);
    fast.select(1, 0, -1, ASID);
    expect(kept(6)).toEqual([]);
  });
});
