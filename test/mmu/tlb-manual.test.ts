/** TLB entries, TLB instructions and page walk instructions against Volume 1: 4.2.4, 4.2.5, 5.4 and the registers of 7.5. */
import { describe, expect, test } from 'vitest';
import { CsrBank } from '../../src/emu/cpu/csr-bank.ts';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { CSR_LIMIT } from '../../src/emu/memory/layout.ts';
import { type AccessType, FETCH, LOAD, STORE, stage1 } from '../../src/emu/mmu/stages.ts';
import { STLB_SETS, STLB_SIZE, TLB_SIZE, Tlb } from '../../src/emu/tlb/tlb.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

const VA = 0xffff_ffff_c000_0000n;
const NE = 1n << 31n;
/** Every bit of TLBELO that exists. */
const DEFINED = 0xe000_ffff_ffff_f07fn;
const ps = (n: number): bigint => BigInt(n) << 24n;

/** Runs instructions in direct address mode. */
function run(m: TestMachine, ...code: string[]): TestMachine {
  m.code(CODE, code);
  m.cpu.pc = BigInt(CODE);
  return m.run(code.length);
}
const entry = (
  values: Partial<Record<'TLBEHI' | 'TLBELO0' | 'TLBELO1' | 'TLBIDX' | 'ASID', bigint | number>>,
): typeof values => ({
  TLBEHI: VA,
  TLBELO0: 0x3_0013n,
  TLBELO1: 0x3_1013n,
  TLBIDX: ps(12),
  ...values,
});
const machine = (): TestMachine => new TestMachine().setHost({ STLBPS: 12 });
const registers = (m: TestMachine): bigint[] =>
  [CSR.TLBIDX, CSR.TLBEHI, CSR.TLBELO0, CSR.TLBELO1].map((n) => m.host(n));

// Manual: 5.4.4, 5.4.3.1, 7.4.4
test('what an entry allows is what the manual’s pseudo-code allows, and the exception is the one it signals', () => {
  const words = new Int32Array(2 * CSR_LIMIT);
  const csr = new CsrBank(words, 0);
  const tlb = new Tlb();
  tlb.e[STLB_SIZE] = 1;
  tlb.setKey(STLB_SIZE, 0x4000_0000 / 0x2000, 12, 0, 0);
  for (let bits = 0; bits < 1 << 8; bits++) {
    const [v, d, nr, nx, rplv] = [0, 1, 2, 3, 4].map((k) => (bits >> k) & 1) as [
      number,
      number,
      number,
      number,
      number,
    ];
    const pagePlv = (bits >> 5) & 3;
    const oddBit = bits >> 7;
    const elo = 0x5000 | v | (d << 1) | (pagePlv << 2);
    const high = (nr << 29) | (nx << 30) | (rplv << 31);
    tlb.setPages(STLB_SIZE, oddBit ? 0 : elo, oddBit ? 0 : high, oddBit ? elo : 0, oddBit ? high : 0);
    for (const plv of [0, 1, 2, 3])
      for (const access of [LOAD, STORE, FETCH] as AccessType[])
        for (const dwpl of [0, 1, 2, 4, 7]) {
          csr.put(CSR.CRMD, BigInt(0x10 | plv));
          csr.put(CSR.MISC, BigInt(dwpl << 16));
          const signal = (): string | undefined => {
            if (v === 0) return ['PIL', 'PIS', 'PIF'][access];
            if (access === FETCH && nx === 1) return 'PNX';
            if ((rplv === 0 && plv > pagePlv) || (rplv === 1 && plv !== pagePlv)) return 'PPI';
            if (access === LOAD && nr === 1) return 'PNR';
            if (access === STORE && d === 0 && (plv === 3 || ((dwpl >> plv) & 1) === 0)) return 'PME';
            return undefined;
          };
          const got = stage1({ csr, tlb, gid: 0 }, 0x4000_0123 + (oddBit << 12), 0, access);
          const wanted = signal();
          expect(typeof got === 'number' ? got : got.exception, `${bits.toString(2)} PLV${plv} ${access}`).toBe(
            wanted ?? 0x5123,
          );
        }
  }
});

describe('an entry', () => {
  // Manual: 5.4.2, 7.5.3, 4.2.4.2, 4.2.4.4
  test('has one G, the AND of both halves, and shows it in both', () => {
    for (const [even, odd, both] of [
      [0, 0, 0n],
      [0x40, 0, 0n],
      [0, 0x40, 0n],
      [0x40, 0x40, 0x40n],
    ] as const) {
      const m = machine().setHost(entry({ TLBELO0: 0x3_0013 | even, TLBELO1: 0x3_1013 | odd, ASID: 0xa0005 }));
      run(m, 'tlbfill', 'tlbsrch', 'tlbrd');
      expect(registers(m).slice(2)).toEqual([0x3_0013n | both, 0x3_1013n | both]);
      // In another address space only a global entry is found.
      m.setHost({ ASID: 0xa0006, TLBEHI: VA });
      run(m, 'tlbsrch');
      expect((m.host(CSR.TLBIDX) & NE) === 0n).toBe(both !== 0n);
    }
  });

  // Manual: 5.4.5, 4.2.5.2, 7.5.15, 7.5.3
  test('has no other bits than the manual’s: ldpte ignores the rest of a table entry', () => {
    for (const seq of [0, 1]) {
      const m = machine().setHost({ PWCL: 12n | (9n << 5n), TLBRBADV: VA, TLBRERA: 1 });
      m.poke(0x30000, ~0n, ~0n).set({ t0: 0x30000n });
      run(m, `ldpte $t0, ${seq}`);
      expect(m.host(seq ? CSR.TLBRELO1 : CSR.TLBRELO0)).toBe(DEFINED);
    }
    const m = machine().setHost({ PWCL: 12n | (9n << 5n), TLBRBADV: VA, TLBRERA: 1, TLBREHI: VA, STLBPS: 12 });
    m.poke(0x30000, ~0n, ~0n).set({ t0: 0x30000n });
    run(m, 'ldpte $t0, 0', 'ldpte $t0, 1', 'tlbfill', 'tlbsrch', 'tlbrd');
    expect(registers(m).slice(2)).toEqual([DEFINED, DEFINED]);
  });

  // Manual: 5.4.5
  test('of a huge page has G from bit 12, and its halves', () => {
    const m = machine().setHost({ PWCL: 12n | (9n << 5n) | (21n << 10n) | (9n << 15n), TLBRBADV: VA, TLBRERA: 1 });
    // All bits but those of the address below the page's size; bits 14:13 are where lddir notes a level (docs/isa-notes.md).
    m.set({ t0: 0xffff_ffff_ffe0_1fffn });
    run(m, 'ldpte $t0, 0', 'ldpte $t0, 1');
    const low = 0xe000_ffff_ffe0_007fn;
    expect([m.host(CSR.TLBRELO0), m.host(CSR.TLBRELO1)]).toEqual([low, low | 0x10_0000n]);
    expect(m.host(CSR.TLBREHI) & 0x3fn).toBe(20n);
    // Without bit 12 the entry is not global, though bit 6 is set in it.
    m.set({ t0: 0xffff_ffff_ffe0_0fffn });
    run(m, 'ldpte $t0, 0');
    expect(m.host(CSR.TLBRELO0)).toBe(low & ~0x40n);
  });
});

describe('TLB instructions', () => {
  // Manual: 4.2.4.1, 7.2.2, 7.5.1
  test('tlbsrch of nothing makes TLBIDX negative: bltz branches', () => {
    for (const engine of ['interpreter', 'jit'] as const) {
      const m = new TestMachine({ engine }).setHost({ TLBEHI: VA, STLBPS: 12 });
      run(m, 'tlbsrch', 'csrrd $a0, 0x10', 'blt $a0, $zero, 8');
      expect([m.get('a0'), m.pc]).toEqual([0xffff_ffff_8000_0000n, CODE + 16]);
    }
  });

  // Manual: 4.2.4.1, 7.5.1, 7.5.2
  test('tlbsrch finds an entry by page and ASID, writes its index, and leaves PS alone', () => {
    const m = machine().setHost(entry({ ASID: 0xa0007, TLBIDX: ps(12) | 5n }));
    run(m, 'tlbfill');
    const index = [...m.cpu.htlb.entries()][0]!.index;
    m.setHost({ TLBIDX: ps(33) | NE | 0x123n, TLBEHI: VA });
    run(m, 'tlbsrch');
    expect(m.host(CSR.TLBIDX)).toBe(ps(33) | BigInt(index));
    m.setHost({ ASID: 0xa0008, TLBIDX: ps(33) | 0x123n });
    run(m, 'tlbsrch');
    expect(BigInt.asUintN(32, m.host(CSR.TLBIDX))).toBe(ps(33) | NE | 0x123n);
  });

  // Manual: 4.2.4.2, 7.5.1, 7.5.2, 7.5.3, 7.5.4
  test('tlbrd shows an entry, with the signs of its registers; an invalid one as zeros with NE', () => {
    const m = machine().setHost(entry({ TLBELO0: DEFINED & ~0x40n, TLBELO1: 0x3_1013n, ASID: 0xa0155 }));
    run(m, 'tlbfill');
    m.setHost({ ASID: 0xa0000, TLBEHI: 0, TLBELO0: 0, TLBELO1: 0 });
    const { index } = [...m.cpu.htlb.entries()][0]!;
    m.setHost({ TLBIDX: NE | BigInt(index) });
    run(m, 'tlbrd', 'csrrd $a0, 0x11');
    expect([...registers(m), m.host(CSR.ASID), m.get('a0')]).toEqual([
      ps(12) | BigInt(index),
      VA,
      DEFINED & ~0x40n,
      0x3_1013n,
      0xa0155n,
      VA,
    ]);
    m.setHost({ TLBIDX: ps(12) | 2047n });
    run(m, 'tlbrd', 'csrrd $a0, 0x10');
    expect([...registers(m).slice(1), m.get('a0')]).toEqual([0n, 0n, 0n, 0xffff_ffff_8000_07ffn]);
  });

  // Manual: 4.2.4.3, 7.5.1
  test('tlbwr writes the entry of Index: STLB way by way, then MTLB; with NE it makes it invalid', () => {
    for (const [way, line] of [
      [0, 3],
      [5, 200],
    ] as const) {
      const index = way * STLB_SETS + line;
      const va = BigInt(line) << 13n;
      const m = machine().setHost(entry({ TLBEHI: va, TLBIDX: ps(12) | BigInt(index) }));
      run(m, 'tlbwr');
      expect([...m.cpu.htlb.entries()].map((e) => [e.index, BigInt(e.vppn) << 13n])).toEqual([[index, va]]);
      m.setHost({ TLBIDX: ps(12) | NE | BigInt(index) });
      run(m, 'tlbwr');
      expect([...m.cpu.htlb.entries()]).toEqual([]);
    }
    // The MTLB holds each size that PRCFG2 has, and no other.
    for (let size = 0; size < 64; size++) {
      const m = machine().setHost(entry({ TLBEHI: 0, TLBIDX: ps(size) | BigInt(TLB_SIZE - 1) }));
      run(m, 'tlbwr');
      expect([...m.cpu.htlb.entries()].map((e) => e.ps)).toEqual(size >= 12 && size <= 29 ? [size] : []);
    }
  });

  // Manual: 4.2.4.4, 5.4.1, 7.5.10
  test('tlbfill: pages of STLBPS go into their set of the STLB, others into the MTLB, and those of a size without PRCFG2 nowhere', () => {
    for (const stlb of [12, 14, 21])
      for (let size = 0; size < 64; size++) {
        const m = machine().setHost({ STLBPS: stlb, ...entry({ TLBEHI: 0x7654_3210_0000n, TLBIDX: ps(size) }) });
        run(m, 'tlbfill');
        const found = [...m.cpu.htlb.entries()];
        expect(found.map((e) => e.ps)).toEqual(size >= 12 && size <= 29 ? [size] : []);
        for (const { index, vppn } of found)
          if (size === stlb)
            expect(index % STLB_SETS).toBe(Number((BigInt(vppn) << 13n) >> BigInt(size + 1)) % STLB_SETS);
          else expect(index).toBeGreaterThanOrEqual(STLB_SIZE);
      }
    // NE writes an entry that does not exist.
    const m = machine().setHost(entry({ TLBIDX: ps(12) | NE }));
    run(m, 'tlbfill');
    expect([...m.cpu.htlb.entries()]).toEqual([]);
  });

  // Manual: 7.5.13, 7.5.15, 7.5.16, 7.5.1
  test('in a refill the registers are TLBREHI and TLBRELO, NE does not count, and tlbrd uses the others', () => {
    const m = machine().setHost({
      ...entry({ TLBEHI: 0, TLBELO0: 1, TLBELO1: 1, TLBIDX: NE | ps(16) }),
      TLBRERA: 1,
      TLBREHI: VA | 12n,
      TLBRELO0: 0x5_0013,
      TLBRELO1: 0x5_1013,
    });
    run(m, 'tlbfill');
    expect([...m.cpu.htlb.entries()].map((e) => [e.ps, e.elo])).toEqual([[12, [0x5_0013n, 0x5_1013n]]]);
    run(m, 'tlbsrch', 'tlbrd');
    expect(registers(m).slice(1)).toEqual([VA, 0x5_0013n, 0x5_1013n]);
    expect([CSR.TLBREHI, CSR.TLBRELO0, CSR.TLBRELO1].map((n) => m.host(n))).toEqual([VA | 12n, 0x5_0013n, 0x5_1013n]);
  });

  /** A TLB with four kinds of entries in set 0 of the STLB, in another set, and in the MTLB. @returns the names of those left */
  function left(
    code: string,
    setup: Parameters<TestMachine['setHost']>[0],
    regs: Readonly<Record<string, bigint>> = {},
  ): string[] {
    const m = machine();
    const names = new Map<string, string>();
    let index = 0;
    for (const [where, va, size, first] of [
      ['set0', 0n, 12, 0],
      ['set1', 0x2000n, 12, 1],
      ['mtlb', 0x4000_0000n, 14, STLB_SIZE],
    ] as const)
      for (const [kind, asid, g] of [
        ['mine', 5, 0],
        ['other', 6, 0],
        ['global', 6, 0x40],
      ] as const) {
        const at = first + (where === 'mtlb' ? index++ % 3 : STLB_SETS * (index++ % 3));
        names.set(String(at), `${where} ${kind}`);
        m.setHost(
          entry({ TLBEHI: va, TLBELO0: 1 | g, TLBELO1: 1 | g, TLBIDX: ps(size) | BigInt(at), ASID: 0xa0000 | asid }),
        );
        run(m, 'tlbwr');
      }
    m.setHost(setup).set(regs);
    run(m, code);
    return [...m.cpu.htlb.entries()].map((e) => names.get(String(e.index))!).sort();
  }
  const ALL = ['set0', 'set1', 'mtlb'].flatMap((w) => ['mine', 'other', 'global'].map((k) => `${w} ${k}`));
  const without = (gone: (name: string) => boolean): string[] => ALL.filter((n) => !gone(n)).sort();

  // Manual: 4.2.4.5, 4.2.4.6, 5.4.3.2
  test('tlbclr and tlbflush work on the set that the low bits of Index name, or on the MTLB', () => {
    const at = (index: number): Parameters<typeof left>[1] => ({ TLBIDX: index, ASID: 0xa0005 });
    expect(left('tlbclr', at(3 * STLB_SETS))).toEqual(without((n) => n === 'set0 mine'));
    expect(left('tlbclr', at(STLB_SETS + 1))).toEqual(without((n) => n === 'set1 mine'));
    expect(left('tlbclr', at(STLB_SIZE + 40))).toEqual(without((n) => n === 'mtlb mine'));
    expect(left('tlbflush', at(0))).toEqual(without((n) => n.startsWith('set0')));
    expect(left('tlbflush', at(STLB_SIZE))).toEqual(without((n) => n.startsWith('mtlb')));
  });

  // Manual: 4.2.4.7, 5.4.3.2
  test('invtlb: the operations of the table, others raise INE', () => {
    const op = (n: number, va = 0n): string[] => left(`invtlb ${n}, $a0, $a1`, { ASID: 0xa0001 }, { a0: 5n, a1: va });
    expect([op(0), op(1)]).toEqual([[], []]);
    expect(op(2)).toEqual(without((n) => n.endsWith('global')));
    expect(op(3)).toEqual(without((n) => !n.endsWith('global')));
    expect(op(4)).toEqual(without((n) => n.endsWith('mine')));
    // An address anywhere in the pair of pages.
    for (const [va, where] of [
      [0x1ff8n, 'set0'],
      [0x2000n, 'set1'],
      [0x4000_7fffn, 'mtlb'],
    ] as const) {
      expect(op(5, va)).toEqual(without((n) => n === `${where} mine`));
      expect(op(6, va)).toEqual(without((n) => n === `${where} mine` || n === `${where} global`));
    }
    const m = new TestMachine({ features: { lvz: false } });
    for (let n = 7; n < 32; n++) {
      m.setHost({ CRMD: 8, ESTAT: 0, EENTRY: 0x40000 });
      run(m, `invtlb ${n}, $zero, $zero`);
      expect(m.ecode(), `invtlb ${n}`).toBe(0xd);
    }
  });

  // Manual: 5.4.3.4, 4.2.4.7
  test('invtlb 0 with two zeros makes a TLB whose entries are all in use empty, as software does that boots', () => {
    const m = machine();
    for (let i = 0; i < TLB_SIZE; i++) {
      m.cpu.htlb.e[i] = 1;
      m.cpu.htlb.setKey(i, i, 12, 0, i & 0x3ff);
    }
    expect([...m.cpu.htlb.entries()]).toHaveLength(TLB_SIZE);
    run(m, 'invtlb 0, $zero, $zero');
    expect([...m.cpu.htlb.entries()]).toEqual([]);
  });

  // Manual: 4.1, 5.4.3.2
  test('all of them belong to PLV 0', () => {
    for (const code of [
      'tlbsrch',
      'tlbrd',
      'tlbwr',
      'tlbfill',
      'tlbclr',
      'tlbflush',
      'invtlb 0, $zero, $zero',
      'lddir $a0, $a0, 1',
      'ldpte $a0, 0',
    ])
      for (const plv of [1, 2, 3]) {
        const m = machine().setHost({ CRMD: 8 | plv, EENTRY: 0x40000 });
        expect(run(m, code).ecode(), code).toBe(0xe);
      }
  });
});

describe('lddir and ldpte', () => {
  const GEOMETRY = {
    PWCL: 12n | (9n << 5n) | (21n << 10n) | (8n << 15n) | (29n << 20n) | (7n << 25n),
    PWCH: 36 | (5 << 6) | (41 << 12) | (6 << 18),
  };

  // Manual: 4.2.5.1, 4.2.5.2, 5.4.5, 7.5.8, 7.5.9
  test('index each level by the bits that PWCL and PWCH give it, in entries of 64, 128, 192 and 256 bits', () => {
    const badv = 0x0000_6a35_91c5_b7d8n;
    for (const width of [0n, 1n, 2n, 3n]) {
      const bytes = 8n * (width + 1n);
      for (const [level, base, bits] of [
        [1, 21n, 8n],
        [2, 29n, 7n],
        [3, 36n, 5n],
        [4, 41n, 6n],
      ] as const) {
        const m = machine().setHost({ PWCL: GEOMETRY.PWCL | (width << 30n), PWCH: GEOMETRY.PWCH, TLBRBADV: badv });
        const index = (badv >> base) & ((1n << bits) - 1n);
        m.poke(0x30000 + Number(index * bytes), 0x5000n | BigInt(level)).set({ a0: 0x30000n });
        run(m, `lddir $a1, $a0, ${level}`);
        // What is read is a physical address: the offset inside a table page does not belong to it.
        expect(m.get('a1') & ~0xfffn, `level ${level}, ${bytes} bytes`).toBe(0x5000n);
      }
      const index = (badv >> 12n) & 0x1ffn & ~1n;
      const m = machine().setHost({ PWCL: GEOMETRY.PWCL | (width << 30n), TLBRBADV: badv });
      m.poke(0x30000 + Number(index * bytes), 0x7011n)
        .poke(0x30000 + Number((index + 1n) * bytes), 0x8011n)
        .set({ a0: 0x30000n });
      run(m, 'ldpte $a0, 0', 'ldpte $a0, 1');
      expect([m.host(CSR.TLBRELO0), m.host(CSR.TLBRELO1), m.host(CSR.TLBREHI) & 0x3fn]).toEqual([
        0x7011n,
        0x8011n,
        12n,
      ]);
    }
  });

  // Manual: 4.2.5.1
  test('a huge entry in rj passes through lddir; levels that do not exist give rj back', () => {
    const m = machine()
      .setHost({ ...GEOMETRY, TLBRBADV: 0 })
      .set({ a0: 0x60_0040n });
    m.poke(0x60_0000, 1n);
    run(m, 'lddir $a1, $a0, 1');
    expect(m.get('a1') & ~0x6000n).toBe(0x60_0040n);
    for (const level of [0, 5, 31]) {
      m.set({ a0: 0x3_0000n });
      run(m, `lddir $a1, $a0, ${level}`);
      expect(m.get('a1')).toBe(0x3_0000n);
    }
  });
});
