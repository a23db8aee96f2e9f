import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { hostContext } from '../../src/emu/debug/context.ts';
import { explainLast } from '../../src/emu/debug/explain.ts';
import { RunControl } from '../../src/emu/debug/run-control.ts';
import { walk } from '../../src/emu/debug/walk.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

const WINDOW = 0x9000_0000_0000_0000n;
const HPTW = 1 << 24;
/** Bits of a table entry: V, D, cached; for the walk by hardware present and writable. */
const [VALID, PRESENT, HUGE] = [0x13n, 0x180n, 0x40n];

/** A paged host whose code runs in a window. */
function paged(csrs: Parameters<TestMachine['setHost']>[0]): TestMachine {
  const m = new TestMachine({ features: { ptw: true } });
  m.setHost({ DMW0: WINDOW | 0xfn, CRMD: 0x10, TLBRENTRY: 0x50000, EENTRY: WINDOW + 0x40000n, ...csrs });
  return m;
}

function load(m: TestMachine, va: bigint): bigint {
  m.code(CODE, ['ld.d $a0, $a1, 0']).set({ a0: 0, a1: va });
  m.cpu.pc = WINDOW + BigInt(CODE);
  return m.run(1).get('a0');
}

const looked = (m: TestMachine, va: bigint): bigint | undefined => walk(hostContext(m.cpu), m.machine.ram, va).address;

// Manual: 5.4.5
describe('page walk by hardware', () => {
  test.each([
    [
      'Dir1, 16 KiB pages, no Dir2',
      25,
      { PWCL: 14 | (11 << 5) | (25 << 10) | (11 << 15), PWCH: HPTW | 36 | (11 << 6) },
      36,
    ],
    [
      'Dir2, 4 KiB pages',
      30,
      { PWCL: 12 | (9 << 5) | (21 << 10) | (9 << 15) | (30 << 20) | (9 << 25), PWCH: HPTW },
      30,
    ],
    ['Dir1, 4 KiB pages', 21, { PWCL: 12 | (9 << 5) | (21 << 10) | (9 << 15), PWCH: HPTW }, 21],
  ])('a huge page of %s is as large as what its entry stands for', (_, size, geometry, top) => {
    const [root, directory] = [0x100000, 0x108000];
    const m = paged({ ...geometry, PGDL: root });
    const offset = 0x40_0000_0000n;
    const index = (base: number): number => Number((offset >> BigInt(base)) & 0x7ffn & ((1n << 11n) - 1n));
    const entry = PRESENT | VALID | HUGE | 0x1000n;
    if (top === size) for (let i = 0; i < 512; i++) m.poke(root + 8 * i, entry);
    else {
      m.poke(root + 8 * index(top), BigInt(directory));
      for (let i = 0; i < 2048; i++) m.poke(directory + 8 * i, entry);
    }
    // The halves of the page: an address in each. The second one must lie in RAM.
    for (const place of size > 25 ? [0x8_0008n] : [0x8_0008n, (1n << BigInt(size - 1)) + 0x8_0008n]) {
      m.poke(Number(place), place ^ 0x55n);
      expect(looked(m, offset + place)).toBe(place);
      expect(load(m, offset + place)).toBe(place ^ 0x55n);
    }
    expect([...m.cpu.htlb.entries()].map((e) => [e.ps, e.global])).toEqual([[size - 1, true]]);
  });

  test('a size that the TLB does not hold enters nothing', () => {
    const m = paged({ PWCL: 12 | (9 << 5), PWCH: HPTW | 36 | (9 << 6), PGDL: 0x100000 });
    m.poke(0x100000, PRESENT | VALID | HUGE);
    expect(looked(m, 0x30_0008n)).toBe(undefined);
    load(m, 0x30_0008n);
    expect([m.pc, [...m.cpu.htlb.entries()]]).toEqual([0x50000, []]);
  });

  test('both entries of a pair are as wide as PWCL.PTEWidth says', () => {
    const m = paged({ PWCL: 12 | (9 << 5) | (1 << 30), PWCH: HPTW, PGDL: 0x100000 });
    m.poke(0x100000 + 16 * 4, 0x30_0000n | PRESENT | VALID).poke(0x100000 + 16 * 5, 0x31_0000n | PRESENT | VALID);
    m.poke(0x30_0008, 1n).poke(0x31_0008, 2n);
    expect([looked(m, 0x4008n), looked(m, 0x5008n)]).toEqual([0x30_0008n, 0x31_0008n]);
    expect(load(m, 0x4008n)).toBe(1n);
    // The other half has come with it.
    m.poke(0x100000 + 16 * 5, 0n);
    expect(load(m, 0x5008n)).toBe(2n);
  });
});

// Manual: 4.2.5.2, 5.4.5
describe('ldpte', () => {
  const GEOMETRY = {
    PWCL: 12 | (9 << 5) | (21 << 10) | (9 << 15) | (30 << 20) | (9 << 25),
    PWCH: 39 | (9 << 6),
  };

  test('a huge entry of a size that the CPU does not have changes nothing', () => {
    const m = paged({ ...GEOMETRY, TLBRELO0: 0x155, TLBRELO1: 0x2aa, TLBREHI: 0x20000c });
    // An empty directory entry less the 1 that a handler takes off: huge, level 3, 2^47 bytes.
    m.code(CODE, ['ldpte $t1, 0', 'ldpte $t1, 1']).set({ t1: -1n });
    m.cpu.pc = WINDOW + BigInt(CODE);
    m.run(2);
    expect([CSR.TLBRELO0, CSR.TLBRELO1, CSR.TLBREHI].map((n) => m.host(n))).toEqual([0x155n, 0x2aan, 0x20000cn]);
  });

  test('one of a size that it has is split', () => {
    const m = paged(GEOMETRY);
    m.code(CODE, ['ldpte $t1, 0', 'ldpte $t1, 1']).set({ t1: 0x20_1053n });
    m.cpu.pc = WINDOW + BigInt(CODE);
    m.run(2);
    expect([CSR.TLBRELO0, CSR.TLBRELO1, CSR.TLBREHI].map((n) => m.host(n))).toEqual([0x20_0053n, 0x30_0053n, 20n]);
  });
});

// Manual: 7.5.8
test('the debugger reads table entries of every width', () => {
  for (const width of [0, 1, 2, 3]) {
    const size = 8 * (width + 1);
    const m = paged({ PWCL: 12 | (9 << 5) | (21 << 10) | (9 << 15) | (width << 30), PWCH: 0, PGDL: 0x200000 });
    m.poke(0x200000 + 1 * size, 0x210000n).poke(0x210000 + 4 * size, 0x30_0000n | VALID);
    const { address, steps } = walk(hostContext(m.cpu), m.machine.ram, 0x204008n);
    expect(address, `${size} bytes`).toBe(0x30_0008n);
    expect(steps).toContain(`host: level 1 [1] at 0x${(0x200000 + size).toString(16)} = 0x210000`);
  }
});

test('explain says that a vector is on a page that is not executable', () => {
  const NX = 1n << 62n;
  for (const [bits, said] of [
    [NX, ['the vector 0x4000 cannot be fetched: PNX, page not executable']],
    [0n, []],
  ] as const) {
    const m = paged({ PWCL: 12 | (9 << 5), PWCH: 0, PGDL: 0x100000, EENTRY: 0x4000 });
    m.poke(0x100000 + 8 * 4, 0x30_0000n | VALID | bits)
      .code(0x30_0000, ['ertn'])
      .code(CODE, ['syscall 0']);
    m.cpu.host.put(CSR.ESTAT, 0n);
    m.cpu.noteCsrWrite(CSR.EENTRY, false, 0, 0);
    m.cpu.pc = WINDOW + BigInt(CODE);
    m.run(1);
    const lines = explainLast(new RunControl(m.machine), m.cpu, () => undefined);
    const suspicious = lines.filter((l) => l.includes('suspicious')).map((l) => l.replace(/^ *suspicious */, ''));
    expect(suspicious).toEqual(said);
  }
});

describe('the page walk by hardware in the host', () => {
  const GEOMETRY = { PWCL: 12 | (9 << 5) | (21 << 10) | (9 << 15), PWCH: HPTW, PGDL: 0x100000 };

  // Manual: 5.4.5
  test('belongs to GID 0, whatever a hypervisor has left in GTLBC', () => {
    const m = paged({ ...GEOMETRY, GTLBC: 0x1000 | (7 << 16) });
    m.poke(0x100000, 0x110000n)
      .poke(0x110000 + 8 * 4, 0x30_0000n | PRESENT | VALID)
      .poke(0x30_0008, 9n);
    expect(load(m, 0x4008n)).toBe(9n);
    expect([...m.cpu.htlb.entries()].map((e) => e.gid)).toEqual([0]);
  });

  // Manual: 5.4.5, 5.4.1
  test('leaves no entry of another size beside the one that it enters', () => {
    const m = paged(GEOMETRY);
    // Software has left an entry of a small page that is not valid: the walk finds a huge page there.
    m.setHost({ TLBEHI: 0x20_4000, TLBELO0: 0, TLBELO1: 0, TLBIDX: 12n << 24n }).code(CODE, ['tlbfill']);
    m.cpu.pc = WINDOW + BigInt(CODE);
    m.run(1);
    m.poke(0x100000 + 8, 0x20_0000n | PRESENT | VALID | HUGE).poke(0x20_4008, 7n);
    expect(load(m, 0x20_4008n)).toBe(7n);
    expect([...m.cpu.htlb.entries()].map((e) => e.ps)).toEqual([20]);
  });

  // Manual: 5.4.5, 7.5.8
  test.each([0, 1, 2, 3])(
    'reads entries of every width (PTEWidth %i), also a pair on two pages of the table',
    (width) => {
      const size = 8 * (width + 1);
      const m = paged({ ...GEOMETRY, PWCL: GEOMETRY.PWCL | (width << 30) });
      m.poke(0x100000, 0x110000n);
      for (const index of [4, 170, 510]) {
        m.poke(0x110000 + size * index, 0x30_0000n | PRESENT | VALID);
        m.poke(0x110000 + size * (index + 1), 0x31_0000n | PRESENT | VALID);
        m.poke(0x30_0008, 1n).poke(0x31_0008, 2n);
        const va = BigInt(index) << 12n;
        expect([load(m, va + 8n), load(m, va + 0x1008n)]).toEqual([1n, 2n]);
      }
    },
  );

  // Manual: 5.4.5, 5.4.1
  test('enters pages of each size that the CPU has', () => {
    for (let ps = 12; ps <= 29; ps++) {
      // One table of two entries: PTbase is the page size.
      const m = paged({ PWCL: ps | (1 << 5), PWCH: HPTW, PGDL: 0x100000, STLBPS: 14 });
      m.poke(0x100000, PRESENT | VALID)
        .poke(0x100008, PRESENT | VALID)
        .poke(0x8_0008, 3n);
      expect(looked(m, 0x8_0008n)).toBe(0x8_0008n % (1n << BigInt(ps)));
      load(m, 0x8_0008n);
      expect([...m.cpu.htlb.entries()].map((e) => e.ps)).toEqual([ps]);
    }
  });
});
