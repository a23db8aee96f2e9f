/** CPUCFG words, compared with those of the chip and of QEMU. */
import { describe, expect, test } from 'vitest';
import { CPUCFG_FIELDS, cpucfgWords } from '../../src/emu/cpu/cpucfg.ts';
import { type CpuModel, featuresOf } from '../../src/emu/cpu/features.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

type Words = Readonly<Record<number, number>>;
/** Bits that differ from ours, by word, each with its reason. */
type Different = readonly (readonly [word: number, bits: number, why: string])[];

/** Words that all have. */
const COMMON: Words = {
  0: 0x14c010,
  4: 0x05f5e100,
  5: 0x00010001,
  16: 0x00002c3d,
  17: 0x06080003,
  18: 0x06080003,
  19: 0x0608000f,
  20: 0x060e000f,
};

const JUDGES: readonly {
  readonly name: string;
  readonly model: CpuModel;
  readonly words: Words;
  readonly different: Different;
}[] = [
  {
    // Read on a 3C5000 (four dies of a 3A5000), with the PRID of the 3A5000.
    name: 'the LA464 core of a 3A5000',
    model: 'la464',
    words: { ...COMMON, 1: 0x03f2f2fe, 2: 0x007ccfc7, 3: 0x0000fcff, 6: 0x00007f33, 48: 0x0000000e },
    different: [
      [2, 0x000008, 'FP_ver 1, the first version by the manual; as QEMU'],
      [2, 0x000300, 'COMPLEX and CRYPTO: instructions that no manual describes'],
      [2, 0x1c0000, 'LBT: its arithmetic is not here'],
      [6, 0x007f33, 'no performance counters'],
      [48, 0x00000e, 'clock gating, which no manual describes'],
    ],
  },
  {
    name: "QEMU 11's la464",
    model: 'la464',
    words: { ...COMMON, 1: 0x03f2f2fe, 2: 0x0060c0cf, 3: 0x00000cfd },
    different: [
      [2, 0x000c00, 'LVZ'],
      [3, 0x00f002, 'SFB and RVA: as the chip; KVM offers a guest RVA only if its host has it'],
    ],
  },
  {
    name: "QEMU 11's max",
    model: 'max',
    words: { ...COMMON, 1: 0x07f2f2fe, 2: 0x7b60c0cf, 3: 0x00020cfd },
    different: [
      [1, 1 << 26, 'no interrupts by message to a CPU'],
      [2, 0x000c00, 'LVZ'],
      [2, 1 << 24, 'the page walk by hardware is on with ptw=on only'],
      [2, 1 << 26, 'DIV32: always so here'],
      [3, 0x00f002, 'SFB and RVA: as the chip'],
      [3, 1 << 23, 'LD_SEQ_SA: always so here'],
    ],
  },
];

const wordsOf = (features: Parameters<typeof cpucfgWords>[0]): Map<number, number> =>
  new Map([...cpucfgWords(features)].map((word, n) => [n, word]));

describe('CPUCFG', () => {
  test.each(JUDGES)('as $name, except for bits with a reason', ({ model, words, different }) => {
    const ours = wordsOf(featuresOf(model));
    for (const n of new Set([...ours.keys(), ...Object.keys(words).map(Number)])) {
      const apart = different.filter(([word]) => word === n).reduce((bits, [, b]) => bits | b, 0);
      expect(((ours.get(n) ?? 0) ^ (words[n] ?? 0)).toString(16), `word ${n}`).toBe(apart.toString(16));
    }
  });

  test('max has more than la464, never less', () => {
    const least = wordsOf(featuresOf('la464'));
    for (const [n, word] of wordsOf(featuresOf('max'))) {
      expect((least.get(n)! & ~word) >>> 0, `word ${n}`).toBe(0);
      const added = CPUCFG_FIELDS.filter((f) => f.word === n && f.feature);
      const possible = added.reduce((bits, f) => bits | (f.value << f.lo), 0);
      expect((word & ~least.get(n)! & ~possible) >>> 0, `word ${n}: bits of no feature`).toBe(0);
    }
  });

  test('no two fields share a bit', () => {
    const taken = new Map<number, number>();
    for (const { word, name, lo, value } of CPUCFG_FIELDS) {
      const bits = value << lo;
      expect((taken.get(word) ?? 0) & bits, `${word} ${name}`).toBe(0);
      taken.set(word, (taken.get(word) ?? 0) | bits);
    }
  });

  test('a word is sign-extended (Vol. 1, section 2.2.10.5)', () => {
    const bench = new TestMachine({ code: ['cpucfg $a1, $a0'] });
    bench.cpu.cpucfg[3] = 0x8000_0001;
    bench.set({ a0: 3n });
    bench.pc = CODE;
    expect(bench.run(1).get('a1')).toBe(0xffff_ffff_8000_0001n);
  });
});
