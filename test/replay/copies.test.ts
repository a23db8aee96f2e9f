/** Copies of the past: what is kept of RAM and of the rest, how much it is, and which copies stay. */
import { describe, expect, test } from 'vitest';
import { stateDigest } from '../../src/emu/check/state-digest.ts';
import { Copies } from '../../src/emu/replay/copies.ts';
import { History } from '../../src/emu/replay/history.ts';
import { applySnapshot, takeSnapshot } from '../../src/emu/replay/machine-snapshot.ts';
import { PageStore } from '../../src/emu/replay/page-store.ts';
import { leastMissed, MOST_COPIES } from '../../src/emu/replay/thinning.ts';
import type { Stateful } from '../../src/emu/state/fields.ts';
import { restoreShared, SharedBytes, saveShared } from '../../src/emu/state/shared-copy.ts';
import { seeded } from '../support/random.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

const MIB = 2 ** 20;
const DATA = 0x100_0000;
const HIGH = 0x8000_0000;

/**
 * Stores of all kinds to random places of 4 MiB at `t0`, some of which hold code that it calls: s0: xorshift generator; s2: mask.
 */
const PROGRAM = [
  ...['slli.d $t1, $s0, 13', 'xor $s0, $s0, $t1', 'srli.d $t1, $s0, 7', 'xor $s0, $s0, $t1'],
  ...['slli.d $t1, $s0, 17', 'xor $s0, $s0, $t1', 'srli.d $t1, $s0, 20', 'and $t1, $t1, $s2', 'add.d $t1, $t1, $t0'],
  ...['ld.d $a0, $t1, 0', 'add.d $s3, $s3, $a0', 'st.d $s0, $t1, 5', 'vst $vr0, $t1, 1', 'vaddi.bu $vr0, $vr0, 1'],
  ...['ll.d $a1, $t1, 0', 'addi.d $a1, $a1, 1', 'sc.d $a1, $t1, 0', 'amadd.d $a2, $s0, $t1'],
  // The function that follows adds a number that the loop writes into it.
  ...['bstrpick.d $a0, $s0, 11, 0', 'slli.d $a0, $a0, 10', 'or $a0, $a0, $s5', 'st.w $a0, $s4, 0', 'jirl $ra, $s4, 0'],
];
const LOOP = [...PROGRAM, `b ${-4 * PROGRAM.length}`];
const LENGTH = LOOP.length + 2;

function busy(options: { linearRam?: number; cpus?: number; ramSize?: number } = {}): TestMachine {
  const far = options.ramSize !== undefined;
  const t = new TestMachine({ ...options, code: LOOP });
  t.code(CODE + 0x3000, ['addi.d $s3, $s3, 0', 'jirl $zero, $ra, 0']);
  t.setHost({ EUEN: 3 });
  t.set({ $t0: far ? HIGH : DATA, $s0: 0x123456789abcdefn, $s2: far ? 0xffffff8 : 0x3ffff8, $s3: 0 });
  t.set({ $s4: CODE + 0x3000, $s5: 0x2c0_0000 | (26 << 5) | 26 });
  for (const cpu of t.machine.cpus.slice(1)) {
    for (let n = 0; n < 32; n++) cpu.setGpr(n, t.cpu.gpr(n));
    cpu.setGpr(23, 0xfedcba987654321n);
    cpu.setGpr(27, BigInt(CODE + 0x4000));
    cpu.host.put(2, 3n);
    cpu.contextChanged();
    cpu.pc = BigInt(CODE);
    cpu.parked = false;
  }
  if (t.machine.cpus.length > 1) t.code(CODE + 0x4000, ['addi.d $s3, $s3, 0', 'jirl $zero, $ra, 0']);
  return t;
}

/** Without linear addresses, which are others when RAM has left and come back. */
const digest = (t: TestMachine): string => JSON.stringify([...stateDigest(t.machine)]);

/** Copies of a machine, and how often they were lost. */
function copiesOf(t: TestMachine, budget = 2 ** 40): { copies: Copies; lost: () => number } {
  let lost = 0;
  const copies = new Copies(t.machine, [], { budget, others: () => 0, lost: () => lost++ });
  return { copies, lost: () => lost };
}

describe('copies that keep only what has changed', () => {
  test.each([
    ['with all RAM in linear memory', {}, 120],
    ['on two CPUs', { cpus: 2 }, 80],
    ['with RAM that leaves linear memory', { ramSize: 512 * MIB, linearRam: 224 * MIB }, 25],
  ])('are equal to full ones, whatever comes between: %s', { timeout: 120_000 }, (_, options, rounds) => {
    const t = busy(options);
    const { machine } = t;
    const { copies } = copiesOf(t);
    const random = seeded(rounds);
    const below = (n: number): number => random() % n;
    const full = new Map<number, string>();
    const run = (until: number): void => {
      while (machine.instructions < until) machine.run(2 ** 40, until);
    };
    /** A digest looks at all of RAM, so no page is pending behind it. Often there is none. */
    const check = (what: string): void => {
      const hash = digest(t);
      const known = full.get(machine.instructions);
      if (known !== undefined) expect(hash, what).toBe(known);
      full.set(machine.instructions, hash);
    };
    const take = (): void => {
      copies.take(0);
      if (below(3)) check('a new copy');
    };
    /** A device stores at places that depend on the moment alone, so that a repeated run is the same. */
    const device = (): void => {
      const at = machine.instructions;
      const n = (at * 2654435761) % 2 ** 32;
      machine.store(DATA + (n % (2 * MIB)), new Uint8Array(1 + (n % 9000)).fill(n));
    };
    run(1000);
    take();
    for (let n = 0; n < rounds; n++) {
      const list = copies.all;
      const index = below(list.length);
      const act = below(10);
      if (act < 4) {
        // On to a new moment. It may be between two copies, when the machine has gone back.
        const from = machine.instructions;
        const next = list[copies.indexBefore(from) + 1]?.position;
        const until = next === undefined ? from + 1 + below(2000 * LENGTH) : from + below(next - from);
        if (until > from) {
          run(until);
          if (next === undefined) device();
          take();
        }
      } else if (act < 8) {
        copies.restore(index);
        if (below(2)) check(`copy ${index} of ${list.length}`);
        // A device may have stored at the next copy.
        const next = list[index + 1]?.position ?? Number.POSITIVE_INFINITY;
        if (below(2)) run(Math.min(machine.instructions + below(500), next - 1));
      } else if (act === 8 && index > 0 && copies.indexBefore(machine.instructions) >= index) {
        copies.restore(index);
        copies.forgetAfter(index);
        for (const at of full.keys()) if (at > list[index]!.position) full.delete(at);
      } else copies.forgetOldest();
    }
    expect(copies.all.length).toBeGreaterThan(3);
    for (let n = 0; n < copies.all.length; n++) {
      copies.restore(n);
      check(`copy ${n}`);
    }
  });
});

describe('pages that have not been used since the machine went back', () => {
  const PAGES = 600;
  const value = (t: TestMachine, n: number): number => t.machine.ram.read(DATA + n * 0x1000, 1)[0]!;

  /** A machine that was copied with ones in its pages, and again with twos, and has gone back to the ones. */
  function gone(code: readonly string[]): { t: TestMachine; copies: Copies } {
    const t = new TestMachine({ code });
    t.set({ $t0: DATA, $t1: DATA });
    const { machine } = t;
    const fill = (n: number): void => machine.store(DATA, new Uint8Array(PAGES * 0x1000).fill(n));
    fill(1);
    const { copies } = copiesOf(t);
    copies.take(0);
    machine.run(10);
    fill(2);
    copies.take(0);
    copies.restore(0);
    return { t, copies };
  }

  test('are not copied, and get their content when a CPU, a device or a debugger uses them', () => {
    const { t, copies } = gone(['ld.bu $a0, $t0, 0', 'addi.d $a0, $a0, 5', 'st.b $a0, $t1, 0', 'b 0']);
    const { machine } = t;
    const { bytes } = copies;
    const before = machine.ram.pending.count;
    expect(before).toBe(PAGES);
    t.set({ $t0: DATA + 0x1234, $t1: DATA + 0x3000 });
    machine.run(5);
    expect(t.cpu.gpr(4)).toBe(6n);
    expect(machine.ram.read(DATA + 0x3000, 2)).toEqual(Uint8Array.of(6, 1));
    machine.store(DATA + 0x5ffe, Uint8Array.of(7, 7, 7));
    expect(machine.ram.read(DATA + 0x5ffd, 6)).toEqual(Uint8Array.of(1, 7, 7, 7, 1, 1));
    expect(value(t, 100)).toBe(1);
    expect(before - machine.ram.pending.count).toBe(5);
    // What these pages held at the newest copy is kept now, and for the others nothing.
    expect(copies.bytes - bytes).toBe(5 * 0x1000);
    copies.restore(1);
    expect(machine.ram.pending.count).toBe(0);
    expect([1, 3, 5, 6, 100, 101].map((n) => value(t, n))).toEqual([2, 2, 2, 2, 2, 2]);
    copies.restore(0);
    expect([1, 3, 5, 6, 100, 101].map((n) => value(t, n))).toEqual([1, 1, 1, 1, 1, 1]);
  });

  test('are as they should be in what is saved of the machine, and when the past is forgotten', () => {
    const { t, copies } = gone(['b 0']);
    const saved = t.machine.save();
    expect(saved.ram.get(DATA / MIB)!.every((b) => b === 1)).toBe(true);
    copies.restore(1);
    copies.restore(0);
    copies.clear();
    expect(value(t, 7)).toBe(1);
    expect(t.machine.ram.pending.count).toBe(0);
  });

  test('come all at once where a part of RAM is used again and again', () => {
    const { t } = gone(['ld.bu $a0, $t0, 0', 'add.d $t0, $t0, $t1', 'b -8']);
    t.set({ $t0: DATA, $t1: 0x1000 });
    t.machine.run(3 * 80);
    // The first 256 pages are a chunk of RAM.
    expect(t.machine.ram.pending.count).toBe(PAGES - 256);
  });
});

describe('what copies keep', () => {
  test('is a page of RAM for each that has changed, whatever the size of RAM', () => {
    const t = new TestMachine({ ramSize: 512 * MIB, code: ['b 0'] });
    const { machine } = t;
    machine.store(DATA, new Uint8Array(64 * MIB).fill(1));
    const { copies } = copiesOf(t);
    copies.take(0);
    machine.run(100);
    copies.take(0);
    const empty = copies.bytes;
    expect(empty).toBeLessThan(2 * MIB);
    machine.store(DATA + 0x5ff0, new Uint8Array(0x20).fill(2));
    machine.store(HIGH, new Uint8Array(0x1000).fill(3));
    // A page that was all zeros needs nothing.
    expect(copies.bytes - empty).toBe(2 * 0x1000);
    machine.run(100);
    copies.take(0);
    machine.store(DATA + 0x6000, new Uint8Array(1).fill(4));
    expect(copies.pagesOfLast).toBe(3);
    copies.restore(1);
    expect([machine.ram.read(DATA + 0x6000, 1)[0], machine.ram.read(HIGH, 1)[0]]).toEqual([1, 0]);
    copies.restore(2);
    expect([machine.ram.read(DATA + 0x6000, 1)[0], machine.ram.read(HIGH, 1)[0]]).toEqual([2, 3]);
    copies.clear();
    expect(copies.bytes).toBe(0);
  });

  test('is shared where other state has not changed', () => {
    const t = new TestMachine({ code: ['addi.d $a0, $a0, 1', 'b -4'] });
    const { machine } = t;
    const first = machine.copy();
    machine.run(1000);
    const second = machine.copy(first);
    const same = second.parts.filter((part, n) => part === first.parts[n]).length;
    expect(same).toBeGreaterThan(second.parts.length - 5);
    const [page, other] = [first.cpus[0]!, second.cpus[0]!];
    expect(other.blocks.filter((b, n) => b !== page.blocks[n]).length).toBe(1);
    expect(machine.copy(second)).toEqual(second);
    expect(machine.copy(second).parts.every((part, n) => part === second.parts[n])).toBe(true);
  });

  test('is restored in any kind of field', () => {
    const part = {
      stateFields: ['large', 'pairs', 'map', 'records', 'n'],
      large: Int32Array.from({ length: 1000 }, (_, n) => n),
      pairs: [new Float64Array(300).fill(1.5), new Float64Array(300).fill(2.5)],
      map: new Map<string, { x: BigUint64Array; n: number }>([['a', { x: new BigUint64Array(400).fill(7n), n: 1 }]]),
      records: [undefined, { pc: new Uint16Array(2000).fill(5) }] as ({ pc: Uint16Array } | undefined)[],
      n: 5,
    } satisfies Stateful & Record<string, unknown>;
    const { large, pairs, map } = part;
    const first = saveShared(part, undefined);
    part.large[999] = -1;
    part.pairs[1]![0] = Number.NaN;
    const second = saveShared(part, first);
    expect(Object.keys(first).filter((k) => first[k] === second[k])).toEqual(['map', 'records', 'n']);
    expect(saveShared(part, second)).toBe(second);
    part.large.fill(0);
    part.map.get('a')!.x.fill(0n);
    part.map.set('b', { x: new BigUint64Array(1), n: 2 });
    part.records[1]!.pc.fill(0);
    part.n = 6;
    restoreShared(part, second);
    expect([part.large, part.pairs[1], part.map]).toEqual([large, pairs[1], map]);
    expect([part.large[998], part.large[999], part.pairs[1]![0], part.map.size, part.map.get('a')!.x[399]]).toEqual([
      ...[998, -1, Number.NaN, 1, 7n],
    ]);
    expect([part.records[0], part.records[1]!.pc[1999], part.n]).toEqual([undefined, 5, 5]);
    restoreShared(part, first);
    expect([part.large[999], part.pairs[1]![0]]).toEqual([999, 2.5]);
  });

  test('is counted once, however many copies have it', () => {
    const [a, b] = [new Uint8Array(100), new Uint8Array(10)];
    const bytes = new SharedBytes();
    const [one, two] = [{ list: [a, b] }, { list: [a], n: 1 }];
    bytes.add(one);
    bytes.add(two);
    expect(bytes.bytes(new Set())).toBe(110);
    expect(bytes.bytes(new Set([a]))).toBe(10);
    bytes.remove(one);
    expect(bytes.bytes(new Set([b]))).toBe(100);
    bytes.remove(two);
    expect(bytes.bytes(new Set())).toBe(0);
  });

  test('is a content of a page as long as somebody owns it', () => {
    const store = new PageStore();
    const page = new Uint8Array(0x1000).fill(7);
    const first = store.keep(page);
    expect(store.keep(new Uint8Array(0x1000))).toBe(store.keep(undefined));
    store.share(first);
    store.release(first);
    expect([store.bytes, store.content(first)![5]]).toEqual([0x1000, 7]);
    store.release(first);
    expect(store.bytes).toBe(0);
    const many = Array.from({ length: 600 }, (_, n) => store.keep(page.fill(1 + (n % 200))));
    expect(new Set(many).size).toBe(600);
    expect(many.every((number, n) => store.content(number)![9] === 1 + (n % 200))).toBe(true);
  });
});

describe('which copies stay', () => {
  /** Distances of copies after so many, each this many milliseconds of running after the one before. */
  function thinned(count: number, ms: number, most: number): number[] {
    const work: number[] = [];
    for (let n = 0; n < count; n++) {
      work.push(ms);
      if (work.length <= most) continue;
      const gone = leastMissed(work, () => false)!;
      work[gone - 1]! += work[gone]!;
      work.splice(gone, 1);
    }
    return work;
  }

  test.each([
    [20_000, 40, MOST_COPIES],
    [20_000, 40, 200],
    [3_000, 200, 100],
  ])(
    'of %i copies at intervals of %i ms %i, close together near now, and further apart with their age',
    (count, ms, most) => {
      const work = thinned(count, ms, most);
      expect(work.length).toBe(most);
      const all = work.reduce((sum, w) => sum + w, 0);
      expect(all).toBe(count * ms);
      // Where copies are apart in proportion to 30 s and their age, so many of them are so far apart.
      const even = Math.log(1 + all / 30_000) / most;
      let age = 0;
      for (const gap of work.toReversed()) {
        expect(gap, `${gap} ms apart, ${age} ms ago`).toBeLessThanOrEqual(2.5 * Math.max(ms, even * (30_000 + age)));
        age += gap;
      }
    },
  );

  test('the oldest one, the newest one, and those that are needed', () => {
    expect(leastMissed([1, 1], () => false)).toBeUndefined();
    expect(leastMissed([1, 1, 1], () => false)).toBe(1);
    expect(leastMissed([1, 1, 1], (n) => n === 1)).toBeUndefined();
    // The gap that would be left counts, for its age.
    expect(leastMissed([500, 500, 10, 10, 500], () => false)).toBe(3);
    expect(leastMissed([60_000, 900, 900, 60_000, 800, 800, 1], () => false)).toBe(2);
  });
});

describe('the budget', () => {
  test.each([24, 64])(
    'of %i MiB is obeyed at each moment, and any kept moment is right',
    { timeout: 60_000 },
    (mib) => {
      const t = busy();
      const { machine } = t;
      const history = new History(machine, [], mib * MIB);
      history.enable(true);
      // A copy for each piece, as if it had taken long to run.
      const digests = new Map<number, string>();
      let most = 0;
      for (let n = 0; n < 150; n++) {
        const until = history.position + 3000 * LENGTH;
        while (history.position < until) {
          history.run(2 ** 40, until);
          most = Math.max(most, history.copies.bytes);
        }
        digests.set(until, digest(t));
        // A look at the past and back makes a copy here.
        if (history.position > history.beginning) history.goto(history.position - 1);
        history.goto(until);
      }
      expect(most).toBeLessThanOrEqual(mib * MIB);
      expect(history.copies.positions.length).toBeGreaterThan(3);
      const kept = [...digests].filter(([at]) => at >= history.beginning);
      expect(kept.length).toBeGreaterThan(3);
      for (const [at, want] of kept.filter((_, n) => n % 7 === 0)) {
        expect(history.goto(at)).toBe(at);
        expect(digest(t), `at ${at}`).toBe(want);
      }
    },
  );

  test('can become smaller', () => {
    const t = busy();
    const history = new History(t.machine, []);
    history.enable(true);
    for (let n = 1; n < 100; n++) {
      history.replay(n * 2000 * LENGTH);
      history.goto(history.position - 1);
      history.goto(n * 2000 * LENGTH);
    }
    expect(history.copies.bytes).toBeGreaterThan(12 * MIB);
    history.budget = 12 * MIB;
    expect(history.copies.bytes).toBeLessThanOrEqual(12 * MIB);
    expect(history.goto(0)).toBe(history.beginning);
  });

  test('that cannot hold the way from one copy to the next lets the history begin anew', () => {
    const t = busy();
    const history = new History(t.machine, [], MIB);
    history.enable(true);
    for (let n = 1; n < 10; n++) history.run(2 ** 40, n * 20_000 * LENGTH);
    expect(history.beginning).toBeGreaterThan(0);
    const end = history.position;
    const want = digest(t);
    history.goto(history.beginning);
    history.goto(end);
    expect(digest(t)).toBe(want);
  });

  test('does not outlast a machine that is restored from elsewhere', () => {
    const t = busy();
    const { machine } = t;
    const history = new History(machine, []);
    history.enable(true);
    history.replay(1000 * LENGTH);
    const snapshot = takeSnapshot(machine, 'test');
    history.replay(2000 * LENGTH);
    applySnapshot(machine, snapshot);
    history.replay(1500 * LENGTH);
    expect(history.beginning).toBe(1000 * LENGTH);
    const want = digest(t);
    history.goto(0);
    expect(history.goto(1500 * LENGTH)).toBe(1500 * LENGTH);
    expect(digest(t)).toBe(want);
  });
});
