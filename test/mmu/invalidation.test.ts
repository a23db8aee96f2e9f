/**
 * Every way in which a cached translation or decoded instruction can become wrong (docs/ARCHITECTURE.md, "What makes a
 * cached translation wrong"): the scenario is right, and wrong when only that invalidation is removed.
 */
import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { STATE, TLB_SETS } from '../../src/emu/memory/layout.ts';
import { DIRECT } from '../../src/emu/tlb/fast-tlb.ts';
import { assemble, CODE, TestMachine } from '../support/test-machine.ts';

const VA = 0x50000;
const [ONE, TWO] = [0x30_0000, 0x31_0000];
const V_D = 0x13n;
const WINDOW = 0x9000_0000_0000_0000n;
const GUEST = 0x20_0000;

/** A paged host with VA at page ONE, which holds 1; page TWO holds 2. Its code runs in a window. */
function paged(): TestMachine {
  const m = new TestMachine().poke(ONE, 1n).poke(TWO, 2n);
  m.setHost({ DMW0: WINDOW | 0xfn, CRMD: 0x10, EENTRY: WINDOW + 0x40000n, TLBRENTRY: 0x41000 });
  map(m, VA, BigInt(ONE) | V_D);
  return m;
}
/** CSRs of a bank without what {@link TestMachine.setHost} clears: only instructions may invalidate here. */
function put(
  m: TestMachine,
  values: Readonly<Partial<Record<keyof typeof CSR, bigint | number>>>,
  bank = m.cpu.host,
): void {
  for (const [name, v] of Object.entries(values)) bank.put(CSR[name as keyof typeof CSR], BigInt(v));
  m.cpu.contextChanged();
}

/** Puts an entry for an even page at `va` through tlbfill, as GID `gid`. */
function map(m: TestMachine, va: number, even: bigint, gid = 0, op = 'tlbfill', ps = 12): void {
  put(m, {
    GTLBC: 0x1000 | (gid << 16),
    TLBEHI: va,
    TLBELO0: even,
    TLBELO1: even + (1n << BigInt(ps)),
    TLBIDX: BigInt(ps) << 24n,
  });
  run(m, [op]);
  put(m, { GTLBC: 0x1000 });
}
/** Executes host code in the window. */
function run(m: TestMachine, code: readonly string[]): void {
  m.code(CODE, code);
  m.cpu.pc = WINDOW + BigInt(CODE);
  m.run(code.length);
}
const load = (m: TestMachine, va = VA): bigint => {
  m.set({ a1: va });
  run(m, ['ld.d $a0, $a1, 0']);
  return m.get('a0');
};

/** A guest whose GPA 0x200000 is HPA 0x400000 and that stands before `ld.d a0, a1, 0; b 0`. GPA 0x210000 is ONE. */
function guest(): TestMachine {
  const m = paged();
  m.code(0x40_0000, ['ld.d $a0, $a1, 0', 'b 0']);
  map(m, GUEST, 0x40_0000n | V_D, 1);
  map(m, 0x21_0000, BigInt(ONE) | V_D, 1);
  return m;
}
function enter(m: TestMachine, address = 0x21_0000): bigint {
  put(m, { GSTAT: 0x10082, ERA: GUEST, PRMD: 0 });
  m.set({ a0: 0, a1: address });
  run(m, ['ertn']);
  m.run(1);
  // Back in the host, without an exit's side effects.
  m.cpu.vm = false;
  m.cpu.contextChanged();
  return m.get('a0');
}
/** Reads page TWO through the odd page of a stage-2 entry with pages of 2^ps bytes, whose first one is at HPA `from`; then without the entry. */
function unmapsLarge(m: TestMachine, ps: number, from: number): boolean {
  map(m, 0x80_0000, BigInt(from) | V_D, 1, 'tlbfill', ps);
  const address = 0x80_0000 + TWO - from;
  const first = enter(m, address);
  m.set({ t0: 0x1_0000, t1: address });
  run(m, ['invtlb 0x16, $t0, $t1']);
  enter(m, address);
  return first === 2n && m.host(CSR.TLBRBADV) === BigInt(address);
}

interface Way {
  readonly name: string;
  /** True when the machine did right. */
  readonly right: (m: TestMachine) => boolean;
  readonly start: () => TestMachine;
  /** Takes the invalidation out. */
  readonly without: (m: TestMachine) => void;
}
type Clear = (gid: number, vppn: number, ps: number) => void;
/** Replaces a method of the software TLB by nothing, where `when` holds. */
function cut<K extends 'clearPages' | 'clearPlaces' | 'clearWorld' | 'clearAll' | 'clearFetches' | 'clearWrites'>(
  m: TestMachine,
  method: K,
  when: (...args: number[]) => boolean = () => true,
): void {
  const { fast } = m.cpu;
  const original = (fast[method] as Clear).bind(fast);
  Object.assign(fast, {
    [method]: (...args: [number, number, number]) => {
      if (!when(...args)) original(...args);
    },
  });
}

const WAYS: readonly Way[] = [
  {
    name: 'an entry of the host is replaced (tlbfill)',
    start: paged,
    right: (b) => {
      const first = load(b);
      map(b, VA, BigInt(TWO) | V_D);
      return first === 1n && load(b) === 2n;
    },
    without: (b) => cut(b, 'clearPages', (gid) => gid === -1),
  },
  {
    name: 'an entry of the host is invalidated (invtlb)',
    start: paged,
    right: (b) => {
      load(b);
      run(b, ['invtlb 2, $zero, $zero', 'invtlb 3, $zero, $zero']);
      b.set({ a0: 0 });
      load(b);
      return b.pc === 0x41000;
    },
    without: (b) => cut(b, 'clearPages', (gid) => gid === -1),
  },
  {
    name: 'everything is invalidated (invtlb 0)',
    start: paged,
    right: (b) => {
      load(b);
      run(b, ['invtlb 0, $zero, $zero']);
      load(b);
      return b.pc === 0x41000;
    },
    without: (b) => cut(b, 'clearAll'),
  },
  {
    name: 'a stage-2 entry is replaced: any page of its guest may rest on it',
    start: guest,
    right: (b) => {
      const first = enter(b);
      map(b, 0x21_0000, BigInt(TWO) | V_D, 1);
      return first === 1n && enter(b) === 2n;
    },
    without: (b) => cut(b, 'clearPlaces', (gid) => gid === 1),
  },
  {
    name: 'a stage-2 entry of the guest’s code is replaced',
    start: () => guest().code(0x50_0000, ['ori $a0, $zero, 7', 'b 0']),
    right: (b) => {
      const first = enter(b);
      map(b, GUEST, 0x50_0000n | V_D, 1);
      return first === 1n && enter(b) === 7n;
    },
    without: (b) => cut(b, 'clearPlaces', (gid) => gid === 1),
  },
  {
    name: 'a stage-2 entry of the largest pages that lie in one chunk of RAM is invalidated',
    start: guest,
    right: (b) => unmapsLarge(b, 20, 0x20_0000),
    without: (b) => cut(b, 'clearPlaces', (gid) => gid === 1),
  },
  {
    name: 'a stage-2 entry of pages larger than a chunk of RAM is invalidated',
    start: guest,
    right: (b) => unmapsLarge(b, 21, 0),
    without: (b) => cut(b, 'clearWorld', (gid) => gid === 1),
  },
  {
    name: 'a stage-2 entry is invalidated (invtlb 0x16)',
    start: guest,
    right: (b) => {
      enter(b);
      b.set({ t0: 0x1_0000, t1: 0x21_0000 });
      run(b, ['invtlb 0x16, $t0, $t1']);
      enter(b);
      return b.host(CSR.TLBRBADV) === 0x21_0000n;
    },
    without: (b) => cut(b, 'clearPlaces', (gid) => gid === 1),
  },
  {
    name: 'a guest-type entry is replaced (gtlbfill)',
    start: () => {
      const b = guest();
      b.setGuest({ CRMD: 0x10, DMW0: 1, STLBPS: 12, TLBRENTRY: GUEST });
      return b;
    },
    right: (b) => {
      const stage1 = (gpa: number): void => {
        put(b, { GSTAT: 0x10080, GTLBC: 0x11000 });
        put(
          b,
          { TLBEHI: 0xffff_ffff_f000_0000n, TLBELO0: BigInt(gpa) | V_D, TLBELO1: 0, TLBIDX: 12n << 24n },
          b.cpu.guest,
        );
        run(b, ['gtlbfill']);
      };
      const read = (): bigint => {
        put(b, { GSTAT: 0x10082, ERA: GUEST, PRMD: 0 });
        b.set({ a0: 0, a1: 0xffff_ffff_f000_0000n });
        run(b, ['ertn']);
        b.run(1);
        b.cpu.vm = false;
        b.cpu.contextChanged();
        return b.get('a0');
      };
      map(b, 0x21_2000, BigInt(TWO) | V_D, 1);
      stage1(0x21_0000);
      const first = read();
      stage1(0x21_2000);
      return first === 1n && read() === 2n;
    },
    without: (b) => cut(b, 'clearPages', (gid) => gid === 1),
  },
  {
    name: 'STLBPS changes: the STLB is looked up otherwise',
    start: paged,
    right: (b) => {
      load(b);
      b.set({ t0: 14 });
      run(b, ['csrwr $t0, 0x1e']);
      load(b);
      return b.pc === 0x41000;
    },
    without: (b) => cut(b, 'clearAll'),
  },
  {
    name: 'MISC.ALCL comes on: misaligned accesses must be looked at',
    start: paged,
    right: (b) => {
      load(b);
      b.set({ t0: 0x1000 });
      run(b, ['csrwr $t0, 3']);
      load(b, VA + 1);
      return b.ecode() === 9;
    },
    without: (b) => cut(b, 'clearAll'),
  },
  {
    name: 'a page begins to hold code: stores into it must be seen',
    start: () => new TestMachine({ code: ['st.w $t0, $t1, 0'] }),
    right: (b) => {
      // The store comes first, so that its translation is cached before the page is decoded.
      const other = 0x20_000;
      b.code(other, ['ori $a0, $zero, 1', 'b 0']).set({ t0: assemble('ori $a0, $zero, 1'), t1: other });
      b.run(1);
      b.pc = other;
      b.run(1);
      b.set({ t0: assemble('ori $a0, $zero, 2') });
      b.pc = CODE;
      b.run(1);
      b.pc = other;
      return b.run(1).get('a0') === 2n;
    },
    without: (b) => cut(b, 'clearWrites'),
  },
  {
    name: 'the pool of decoded pages is emptied: fetches must not find the old places',
    start: () => new TestMachine({ code: ['ori $a0, $zero, 1', 'b 0'] }),
    right: (b) => {
      b.run(1);
      b.machine.uops.clear();
      // Another page takes the place that the first one had.
      b.code(0x2_0000, ['ori $a0, $zero, 2', 'b 0']);
      b.pc = 0x2_0000;
      b.run(1);
      b.pc = CODE;
      return b.run(1).get('a0') === 1n;
    },
    without: (b) => cut(b, 'clearFetches'),
  },
  {
    name: 'a watchpoint is set on a page that is cached',
    start: () =>
      new TestMachine({ code: ['ld.d $a0, $a1, 0', 'csrwr $t0, 0x310', 'csrwr $t1, 0x312', 'ld.d $a0, $a1, 0'] }),
    right: (b) => {
      b.setHost({ CRMD: 0x208, EENTRY: 0x40000 });
      b.set({ a1: 0x30000, t0: 0x30000, t1: 0x102 });
      // Another watchpoint is in force already, so that the context stays the same.
      b.cpu.host.put(0x31a, 0x2n);
      b.cpu.watchpoints.changed();
      b.cpu.contextChanged();
      b.run(4);
      return b.ecode() === 0x13;
    },
    without: (b) => cut(b, 'clearAll'),
  },
];

// Manual: 5.4.3.2, 7.3
describe('what makes a cached translation wrong', () => {
  test.each(WAYS.map((w) => [w.name, w] as const))('%s', (_, way) => {
    expect(way.right(way.start()), 'as it is').toBe(true);
    const m = way.start();
    way.without(m);
    expect(way.right(m), 'with the invalidation taken out').toBe(false);
  });

  test('a change of GID, ASID, PLV, mode or window selects another set and clears nothing', () => {
    const b = paged();
    load(b);
    let cleared = 0;
    for (const method of ['clearAll', 'clearPages', 'clearWorld'] as const)
      cut(b, method, () => {
        cleared++;
        return false;
      });
    b.set({ t0: 5, t1: 0 });
    run(b, ['csrwr $t0, 0x18', 'csrwr $t1, 0x18']);
    b.set({ a0: 0 });
    expect([load(b), cleared]).toEqual([1n, 0]);
  });
});

describe('a set of the software TLB with more entries than its journal keeps', () => {
  /** Entries of the set in use after it has been given `count`: fetches and stores. */
  function filled(count: number): { m: TestMachine; fetches: () => number; stores: () => number } {
    const m = new TestMachine();
    const { fast, mem, base } = m.cpu;
    fast.clearAll();
    for (let n = 0; n < count; n++) {
      fast.fillFetch(n << 12, 0, 0x1000 * n, 0);
      fast.fillData(true, n << 12, 0, 0x100_0000 + (n << 12));
    }
    const pages = Array.from({ length: count }, (_, n) => n);
    const writes = (base + STATE.writeTlb) >> 2;
    return {
      m,
      fetches: () => pages.filter((n) => fast.fetchEntry(n << 12, 0) >= 0).length,
      stores: () => pages.filter((n) => mem.i32[(mem.i32[writes]! >> 2) + 4 * n] === n << 12).length,
    };
  }

  test.each([64, 128, 129, 200])('of %i pages none stays when it is emptied', (count) => {
    const { m, fetches, stores } = filled(count);
    expect([fetches(), stores()]).toEqual([count, count]);
    m.cpu.fast.clearAll();
    expect([fetches(), stores()]).toEqual([0, 0]);
    // It is used again as an empty one.
    m.cpu.fast.fillFetch(0, 0, 0, 0);
    m.cpu.fast.clearAll();
    expect(fetches()).toBe(0);
  });

  test.each([64, 129, 200])('of %i pages each one loses its stores when it begins to hold code', (count) => {
    const { m, stores } = filled(count);
    for (let n = 0; n < count; n++) {
      m.cpu.fast.clearWrites(0x100_0000 + (n << 12));
      expect(stores()).toBe(count - n - 1);
    }
  });

  test('other sets keep their journals', () => {
    const { fast } = new TestMachine().cpu;
    fast.clearAll();
    for (let set = 0; set < TLB_SETS; set++) {
      fast.select(2 ** 40 + set, 0, 1, DIRECT);
      fast.fillFetch(0x5000, 0, 0, 0);
    }
    fast.select(2 ** 40, 0, 1, DIRECT);
    for (let n = 0; n < 400; n++) fast.fillFetch(n << 12, 0, 0, 0);
    fast.clearWorld(1);
    for (let set = 0; set < TLB_SETS; set++) {
      fast.select(2 ** 40 + set, 0, 1, DIRECT);
      expect(fast.fetchEntry(0x5000, 0), `set ${set}`).toBe(-1);
    }
  });
});
