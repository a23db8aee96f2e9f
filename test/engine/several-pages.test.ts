/** Regions of several pages: what they find, and that each page must be where it was when they were made. */
import { describe, expect, test } from 'vitest';
import { differences } from '../../src/emu/check/state-digest.ts';
import type { Translation } from '../../src/emu/engine/translator/regions.ts';
import type { EngineKind } from '../../src/emu/machine/processors.ts';
import { THRESHOLD } from '../../src/emu/machine/processors.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

const WINDOW = 0xffff_8000_0000_0000n;
const [EVEN, ODD, OTHER] = [0x40000, 0x42000, 0x44000];
const TRANSLATING: readonly EngineKind[] = ['jit', 'auto'];
/** Often enough for every engine to translate. */
const TURNS = THRESHOLD.auto + 250_000;

/** Maps a pair of pages at WINDOW; execution continues at `offset` there. */
function map(m: TestMachine, even: number, odd: number, offset = 0): void {
  m.setHost({ CRMD: 0x8, TLBIDX: 12 << 24, TLBEHI: WINDOW, TLBELO0: even | 0x13, TLBELO1: odd | 0x13 });
  m.code(CODE, ['invtlb 0, $zero, $zero', 'tlbfill']);
  m.pc = CODE;
  m.run(2);
  m.setHost({ CRMD: 0x10 });
  m.cpu.pc = WINDOW + BigInt(offset);
}

/** The first page calls the second one in a loop of five instructions. */
function calling(engine: EngineKind): TestMachine {
  const m = new TestMachine({ engine });
  m.code(EVEN, ['addi.d $a0, $a0, 1', 'bl 4092', 'b -8']);
  m.code(ODD, ['addi.d $a1, $a1, 1', 'jirl $zero, $ra, 0']);
  m.code(OTHER, ['addi.d $a1, $a1, 256', 'jirl $zero, $ra, 0']);
  map(m, EVEN, ODD);
  return m;
}

const translations = (m: TestMachine): Translation[] => {
  const seen: Translation[] = [];
  m.machine.regions!.observer = { hot: () => {}, translated: (t) => seen.push(t) };
  return seen;
};
const positions = (t: Translation): number[] => t.blocks.flatMap((b) => b.instructions.map((i) => i.at));

describe.each(TRANSLATING)('%s', (engine) => {
  test('a call of another page is in the region of the loop', () => {
    const m = calling(engine);
    const seen = translations(m);
    m.run(5 * TURNS);
    expect([m.get('a0'), m.get('a1')]).toEqual([BigInt(TURNS), BigInt(TURNS)]);
    expect(seen.some((t) => positions(t).includes(1024) && positions(t).includes(0))).toBe(true);
  });

  test('another page is mapped there: the region does not go on with the first one', () => {
    const m = calling(engine);
    m.run(5 * TURNS);
    map(m, EVEN, OTHER);
    m.run(5 * TURNS);
    expect([m.get('a0'), m.get('a1')]).toEqual([BigInt(2 * TURNS), BigInt(257 * TURNS)]);
  });

  test('a store to the second page ends the region', () => {
    const m = calling(engine);
    m.run(5 * TURNS);
    m.code(ODD, ['addi.d $a1, $a1, 16']);
    m.run(5 * TURNS);
    expect([m.get('a0'), m.get('a1')]).toEqual([BigInt(2 * TURNS), BigInt(17 * TURNS)]);
  });

  test('a breakpoint in the second page', () => {
    const m = calling(engine);
    m.run(5 * TURNS);
    const hit: bigint[] = [];
    const set: ReadonlySet<number> = new Set([0]);
    m.machine.engines[0]!.setHooks({
      breakpoints: (_cpu, lo) => ((lo & 0xfffff000) === 0x1000 ? set : undefined),
      breakpointHit: (cpu) => {
        hit.push(cpu.pc);
        return true;
      },
    });
    m.machine.uops.fetchAgain();
    m.machine.run(5 * TURNS);
    expect(hit).toEqual([WINDOW + 0x1000n]);
    expect(m.get('a0')).toBe(BigInt(TURNS + 1));
  });

  test.each(['cpucfg $t0, $t1', 'ld.d $t0, $t1, 0', 'addi.d $t0, $t0, 1'])(
    'the second page calls the first one: %s there',
    (body) => {
      const run = (kind: EngineKind): TestMachine => {
        const m = new TestMachine({ engine: kind });
        m.code(ODD, ['addi.d $a0, $a0, 1', 'bl -4100', 'b -8']);
        m.code(EVEN, ['addi.d $a1, $a1, 1', body, 'addi.d $a1, $a1, 1', 'jirl $zero, $ra, 0']);
        map(m, EVEN, ODD, 0x1000);
        m.set({ t1: WINDOW + 0x800n });
        const seen = kind === 'interpreter' ? [] : translations(m);
        m.run(7 * TURNS + 3);
        if (kind !== 'interpreter') expect(seen.some((t) => positions(t).some((at) => at < 0))).toBe(true);
        return m;
      };
      expect(differences(run(engine).machine, run('interpreter').machine)).toEqual([]);
    },
  );

  test('a table of jumps into the second page, and code that runs on into it', () => {
    const run = (kind: EngineKind): TestMachine => {
      const m = new TestMachine({ engine: kind });
      // target = second page + 64 × (a0 & 7); each place adds its own value, and goes on at the start of the first page.
      m.code(EVEN + 0xfe8, [
        'addi.d $a0, $a0, 1',
        'andi $t0, $a0, 7',
        'slli.d $t0, $t0, 6',
        'add.d $t0, $t0, $t1',
        'jirl $zero, $t0, 0',
      ]);
      m.code(EVEN, ['xor $a1, $a1, $a0', 'bne $a0, $zero, 4068']);
      for (let n = 0; n < 8; n++) m.code(ODD + 64 * n, [`addi.d $a1, $a1, ${3 * n + 1}`, `b ${-4096 - 64 * n - 4}`]);
      map(m, EVEN, ODD, 0xfe8);
      m.set({ t1: WINDOW + 0x1000n });
      return m.run(9 * 8 * TURNS + 5);
    };
    expect(differences(run(engine).machine, run('interpreter').machine)).toEqual([]);
  });

  test('control runs over the end of a page', () => {
    const run = (kind: EngineKind): TestMachine => {
      const m = new TestMachine({ engine: kind });
      m.code(EVEN + 0xff8, ['addi.d $a0, $a0, 1', 'addi.d $a1, $a1, 2']);
      m.code(ODD, ['add.d $a2, $a2, $a1', 'b -12']);
      map(m, EVEN, ODD, 0xff8);
      return m.run(4 * TURNS + 1);
    };
    expect(differences(run(engine).machine, run('interpreter').machine)).toEqual([]);
  });
});

test('what was never executed is not translated before it is', () => {
  const m = new TestMachine({
    engine: 'auto',
    code: ['addi.d $a0, $a0, 1', 'beq $a0, $a1, 12', 'addi.d $a2, $a2, 1', 'b -12', 'addi.d $a3, $a3, 1', 'b -20'],
  });
  const seen = translations(m);
  m.set({ a1: -1 });
  m.run(4 * TURNS);
  expect(seen.length).toBeGreaterThan(0);
  expect(seen.flatMap(positions).map((at) => at - ((CODE & 0xfff) >> 2))).not.toContain(4);
  // Then it is, and counts.
  m.set({ a1: m.get('a0') + 1n });
  m.run(4);
  expect(m.get('a3')).toBe(1n);
});
