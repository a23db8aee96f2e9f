/** Instructions of later versions of the architecture: behaviour, and their absence on a CPU without the feature. */
import { describe, expect, test } from 'vitest';
import { type CpuFeatures, FEATURE_NAMES, FEATURES, featuresOf } from '../../src/emu/cpu/features.ts';
import { decode } from '../../src/emu/isa/decoder.ts';
import { ROWS } from '../../src/emu/isa/table/index.ts';
import { assemble, CODE, TestMachine } from '../support/test-machine.ts';

const PLACE = 0x30000;
const run = (m: TestMachine, text: string): TestMachine => {
  m.code(CODE, [text]);
  m.pc = CODE;
  return m.run(1);
};

const REGISTERS: Readonly<Record<string, number>> = { rd: 6, rj: 4, rk: 5 };

/** Features that change what instructions and CSRs do. */
const WITHOUT_INSTRUCTIONS = new Set(['ual', 'div32', 'dbar_hints', 'ld_seq_sa', 'ptw']);

/** Forgiveness for software that never ran on hardware. No CPU has it, and CPUCFG does not show it. */
const isQuirk = (name: string): boolean => name.startsWith('quirk-');

describe('features', () => {
  test('each one switches its instructions and its CPUCFG bits', () => {
    for (const name of FEATURE_NAMES.filter((n) => !isQuirk(n))) {
      const rows = ROWS.filter((r) => r.ext === name);
      expect(rows.length > 0, name).toBe(!WITHOUT_INSTRUCTIONS.has(name));
      const [on, off] = [
        new TestMachine({ features: { [name]: true } }),
        new TestMachine({ features: { [name]: false } }),
      ];
      expect([...on.cpu.cpucfg], name).not.toEqual([...off.cpu.cpucfg]);
      for (const r of rows) {
        // The row's own pattern with rd = a2, rj = a0, rk = a1.
        let word = r.match;
        for (const p of r.parts) word |= (REGISTERS[p.operand] ?? 0) << p.lo;
        expect(decode(word >>> 0)!.name).toBe(r.name);
        off.set({ a0: PLACE }).setHost({ EENTRY: 0x40000 });
        run(off, `.word ${word >>> 0}`);
        expect([off.pc, off.ecode()], `${r.name} without ${name}`).toEqual([0x40000, 0xd]);
      }
    }
  });

  test('models have what the table says', () => {
    const of = (features: CpuFeatures): string[] => FEATURE_NAMES.filter((n) => features[n]);
    expect(of(featuresOf('la464'))).toEqual(['lvz', 'fpu', 'lsx', 'lasx', 'crc', 'lam', 'ual', 'lspw']);
    expect(of(featuresOf('max'))).toEqual(FEATURE_NAMES.filter((n) => n !== 'ptw' && n !== 'lbt' && !isQuirk(n)));
    expect(featuresOf('max', { lvz: false }).lvz).toBe(false);
    expect(FEATURES.lvz.models).toContain('la464');
  });

  test('what rests on a missing feature goes with it, and is refused when asked for', () => {
    const without = featuresOf('max', { fpu: false });
    expect([without.lsx, without.lasx, without.frecipe]).toEqual([false, false, false]);
    expect(() => featuresOf('max', { lsx: false, lasx: true })).toThrow(/lasx cannot be on while lsx is off/);
  });

  test('EUEN has only the bits of units that are there', () => {
    for (const [features, bits] of [
      [{ lbt: true }, 15n],
      [{}, 7n],
      [{ lasx: false }, 3n],
      [{ fpu: false }, 0n],
    ] as const) {
      const m = new TestMachine({ features });
      m.set({ a0: 0xff });
      m.code(CODE, ['csrwr $a0, 2', 'csrrd $a1, 2']);
      m.pc = CODE;
      expect(m.run(2).get('a1')).toBe(bits);
    }
  });
});

describe('LA64 v1.1 atomics', () => {
  test('amcas stores on a match of its width only', () => {
    for (const db of ['', '_db'])
      for (const [width, old, match] of [
        ['b', 0x80n, 0xffff_ff80n],
        ['h', 0x8001n, 0x7777_8001n],
        ['w', 0x8000_0001n, 0x5555_5555_8000_0001n],
        ['d', 0x8000_0000_0000_0001n, 0x8000_0000_0000_0001n],
      ] as const) {
        const m = new TestMachine().poke(PLACE, old).set({ a0: PLACE, a1: 0x42, a2: match });
        run(m, `amcas${db}.${width} $a2, $a1, $a0`);
        expect(m.peek(PLACE), width).toBe(0x42n);
        expect(m.get('a2') >> 63n).toBe(1n);
        m.poke(PLACE, old).set({ a2: match ^ 1n });
        run(m, `amcas${db}.${width} $a2, $a1, $a0`);
        expect(m.peek(PLACE)).toBe(old);
      }
  });

  test('llacq and screl pair like ll and sc', () => {
    const m = new TestMachine().poke(PLACE, 5n).set({ a0: PLACE, a3: 9 });
    m.code(CODE, ['llacq.d $a2, $a0', 'screl.d $a3, $a0', 'screl.d $a4, $a0']).run(3);
    expect([m.get('a2'), m.get('a3'), m.get('a4'), m.peek(PLACE)]).toEqual([5n, 1n, 0n, 9n]);
  });

  // Manual: 2.2.7.5
  test('sc.q stores 128 bits while the link holds, on a 16-byte boundary', () => {
    const m = new TestMachine().poke(PLACE, 1n, 2n).set({ a0: PLACE, a1: 0x22, a2: 0x11 });
    m.code(CODE, ['ll.d $a3, $a0, 0', 'sc.q $a2, $a1, $a0', 'sc.q $a3, $a1, $a0']).run(3);
    expect([m.get('a2'), m.get('a3'), m.peek(PLACE), m.peek(PLACE + 8)]).toEqual([1n, 0n, 0x11n, 0x22n]);
    m.set({ a0: PLACE + 8 }).setHost({ EENTRY: 0x40000 });
    run(m, 'sc.q $a2, $a1, $a0');
    expect([m.ecode(), m.host(7)]).toEqual([9, BigInt(PLACE + 8)]);
    expect(m.host(8)).toBe(BigInt(assemble('sc.q $a2, $a1, $a0')));
  });
});
