import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { guestTarget, ownTarget } from '../../src/emu/mmu/tlb-instructions.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

const VECTOR = 0x40000;
const REFILL = 0x50000;
const PG = 0x10;
const V_D = 0x13n;

/** A host in paged mode that runs at CODE through a window; 0x9… addresses are physical. */
const WINDOW = 0x9000_0000_0000_0000n;

function paged(code: readonly string[] = []): TestMachine {
  const m = new TestMachine();
  m.code(CODE, code).setHost({
    DMW0: WINDOW | 0xfn,
    CRMD: PG,
    EENTRY: WINDOW + BigInt(VECTOR),
    TLBRENTRY: REFILL,
    STLBPS: 12,
  });
  m.cpu.pc = WINDOW + BigInt(CODE);
  return m;
}

/** Puts an entry in with tlbfill. */
function fill(m: TestMachine, va: bigint, ps: number, even: bigint, odd: bigint, asid = 0): void {
  const { cpu } = m;
  const saved = cpu.pc;
  m.setHost({ TLBEHI: va, TLBELO0: even, TLBELO1: odd, TLBIDX: BigInt(ps) << 24n, ASID: 0xa0000 | asid });
  m.code(0x60000, ['tlbfill']);
  cpu.pc = WINDOW + 0x60000n;
  m.run(1);
  cpu.pc = saved;
}

function load(m: TestMachine, va: bigint, text = 'ld.d $a0, $a1, 0'): TestMachine {
  m.code(0x61000, [text]).set({ a1: va });
  m.cpu.pc = WINDOW + 0x61000n;
  return m.run(1);
}

describe('translation', () => {
  // Manual: 5.2.1, 7.5.18
  test('direct mapping windows compare VSEG and PLV', () => {
    const m = paged().poke(0x30000, 42n);
    expect(load(m, WINDOW + 0x30000n).get('a0')).toBe(42n);
    load(m, 0xa000_0000_0003_0000n);
    expect(m.ecode()).toBe(8); // no window: not canonical
  });

  // Manual: 5.4.1, 5.4.2, 5.4.4
  test('4 KiB, 64 KiB, 2 MiB and 512 MiB entries, both halves', () => {
    for (const [ps, va, even, odd] of [
      [12, 0x4000_0000n, 0x100000n, 0x203000n],
      [16, 0x4_0000_0000n, 0x110000n, 0x220000n],
      [21, 0x8_0000_0000n, 0x400000n, 0x600000n],
      [29, 0x40_0000_0000n, 0n, 0n],
    ] as const) {
      const m = paged();
      fill(m, va, ps, even | V_D, odd | V_D);
      const offset = 1n << BigInt(ps) > 0x1000n ? 0x1008n : 0x8n;
      m.poke(Number(even + offset), 0xeeeen).poke(Number(odd + offset), 0xddddn);
      expect(load(m, va + offset).get('a0'), `ps ${ps} even`).toBe(even === odd ? 0xddddn : 0xeeeen);
      expect(load(m, va + (1n << BigInt(ps)) + offset).get('a0'), `ps ${ps} odd`).toBe(0xddddn);
    }
  });

  // Manual: 5.4.3.1, 5.4.3.3, 6.3.4, 7.5.12, 7.5.13
  test('a miss raises TLBR with its own registers and direct addresses', () => {
    const m = paged();
    load(m, 0x1234_5678n);
    expect(m.cpu.pc).toBe(BigInt(REFILL));
    expect(m.host(CSR.TLBRERA)).toBe((WINDOW + 0x61000n) | 1n);
    expect([m.host(CSR.TLBRBADV), m.host(CSR.TLBREHI) & ~0x3fn]).toEqual([0x1234_5678n, 0x1234_4000n]);
    expect(m.host(CSR.CRMD) & 0x18n).toBe(8n);
    expect(m.host(CSR.ESTAT)).toBe(0n);
  });

  test.each([
    ['PIL', 1, 'ld.d $a0, $a1, 0', 0n, 0],
    ['PIS', 2, 'st.d $a0, $a1, 0', 0n, 0],
    ['PIF', 3, 'jirl $zero, $a1, 0', 0n, 0],
    ['PME', 4, 'st.d $a0, $a1, 0', 1n, 0],
    ['PNR', 5, 'ld.d $a0, $a1, 0', 3n | (1n << 61n), 0],
    ['PNX', 6, 'jirl $zero, $a1, 0', 3n | (1n << 62n), 0],
    ['PPI', 7, 'ld.d $a0, $a1, 0', 3n, 3],
    ['PPI', 7, 'ld.d $a0, $a1, 0', 3n | (3n << 2n) | (1n << 63n), 0],
  ])('%s', (_, ecode, text, flags, plv) => {
    const m = paged();
    fill(m, 0x4000_0000n, 12, 0x30000n | flags, 0x31000n | flags);
    m.setHost({ CRMD: PG | plv });
    load(m, 0x4000_0010n, text);
    if (m.cpu.pc === 0x4000_0010n) m.run(1);
    expect(m.ecode()).toBe(ecode);
    expect(m.host(CSR.BADV)).toBe(0x4000_0010n);
    expect(m.host(CSR.TLBEHI)).toBe(0x4000_0000n);
  });

  // Manual: 5.4.2, 5.4.4, 7.5.4
  test('ASID separates, G joins; a change of ASID takes effect at once', () => {
    const m = paged().poke(0x30000, 1n).poke(0x32000, 2n);
    fill(m, 0x4000_0000n, 12, 0x30000n | V_D, 0n, 5);
    fill(m, 0x4000_0000n, 12, 0x32000n | V_D, 0n, 6);
    m.setHost({ ASID: 0xa0005 });
    expect(load(m, 0x4000_0000n).get('a0')).toBe(1n);
    m.setHost({ ASID: 0xa0006 });
    expect(load(m, 0x4000_0000n).get('a0')).toBe(2n);
    m.setHost({ ASID: 0xa0007 });
    load(m, 0x4000_0000n);
    expect(m.pc).toBe(REFILL);
  });

  // Manual: 4.2.4.1, 4.2.4.2, 4.2.4.3, 7.5.1, 7.5.2, 7.5.3
  test('tlbsrch, tlbrd and tlbwr', () => {
    const m = paged();
    fill(m, 0x4000_0000n, 12, 0x30000n | V_D, 0x31000n | V_D, 3);
    m.setHost({ TLBEHI: 0x4000_0000n });
    m.code(CODE, ['tlbsrch', 'csrwr $zero, 0x11', 'tlbrd']);
    m.cpu.pc = WINDOW + BigInt(CODE);
    m.run(3);
    expect(m.host(CSR.TLBIDX) >> 31n).toBe(0n);
    expect([m.host(CSR.TLBEHI), m.host(CSR.TLBELO0), m.host(CSR.TLBELO1), m.host(CSR.ASID) & 0x3ffn]).toEqual([
      0x4000_0000n,
      0x30013n,
      0x31013n,
      3n,
    ]);
    expect((m.host(CSR.TLBIDX) >> 24n) & 0x3fn).toBe(12n);
    m.setHost({ TLBEHI: 0x7777_0000n });
    m.cpu.pc = WINDOW + BigInt(CODE);
    m.run(1);
    expect(m.host(CSR.TLBIDX) >> 31n).toBe(0x1_ffff_ffffn);
  });

  // Manual: 4.2.4.3, 7.3
  test('tlbwr of the entry in use changes the mapping at once; NE = 1 removes it', () => {
    const m = paged().poke(0x30000, 1n).poke(0x32000, 2n);
    fill(m, 0x4000_0000n, 12, 0x30000n | V_D, 0n);
    expect(load(m, 0x4000_0000n).get('a0')).toBe(1n);
    m.setHost({ TLBEHI: 0x4000_0000n });
    m.code(CODE, ['tlbsrch', 'csrwr $a2, 0x12', 'tlbwr']).set({ a2: 0x32000n | V_D });
    m.cpu.pc = WINDOW + BigInt(CODE);
    m.run(3);
    expect(load(m, 0x4000_0000n).get('a0')).toBe(2n);
    m.setHost({ TLBIDX: m.host(CSR.TLBIDX) | (1n << 31n) });
    m.cpu.pc = WINDOW + BigInt(CODE + 8);
    m.run(1);
    load(m, 0x4000_0000n);
    expect(m.pc).toBe(REFILL);
  });

  // Manual: 5.4.3.2, 4.2.4.7
  test('stale entries stay until they are invalidated', () => {
    // The refill walks a table; changing the table alone changes nothing.
    const m = paged().poke(0x30000, 1n).poke(0x32000, 2n);
    fill(m, 0x4000_0000n, 12, 0x30000n | V_D, 0n);
    expect(load(m, 0x4000_0000n).get('a0')).toBe(1n);
    expect(load(m, 0x4000_0000n).get('a0')).toBe(1n);
    load(m, 0n, 'invtlb 0, $zero, $zero');
    load(m, 0x4000_0000n);
    expect(m.pc).toBe(REFILL);
  });

  test.each([
    [0, 'everything', []],
    [1, 'everything', []],
    [2, 'global entries', ['asid5', 'asid5b', 'asid6']],
    [3, 'the others', ['global']],
    [4, 'those of the ASID', ['asid6', 'global']],
    [5, 'one address of the ASID', ['asid5b', 'asid6', 'global']],
    [6, 'one address, of the ASID or global', ['asid5', 'asid5b', 'asid6']],
  ] as const)('invtlb %i removes %s', (op, _, kept) => {
    const m = paged();
    const G = 0x40n;
    const places: Record<string, [bigint, number]> = {
      asid5: [0x4000_0000n, 5],
      asid5b: [0x5000_0000n, 5],
      asid6: [0x4000_0000n, 6],
      global: [0x6000_0000n, 1],
    };
    for (const [name, [va, asid]] of Object.entries(places))
      fill(
        m,
        va,
        12,
        0x30000n | V_D | (name === 'global' ? G : 0n),
        0x31000n | V_D | (name === 'global' ? G : 0n),
        asid,
      );
    for (const [va, asid] of Object.values(places)) {
      m.setHost({ ASID: 0xa0000 | asid });
      load(m, va); // so that the software TLB knows it too
    }
    const address = op === 6 ? 0x6000_0000n : 0x4000_0000n;
    m.set({ a2: 5, a3: address });
    load(m, 0n, `invtlb ${op}, $a2, $a3`);
    const still = Object.entries(places)
      .filter(([, [va, asid]]) => {
        m.setHost({ ASID: 0xa0000 | asid });
        load(m, va);
        const hit = m.pc !== REFILL;
        m.setHost({ CRMD: PG, TLBRERA: 0 });
        return hit;
      })
      .map(([name]) => name);
    expect(still.sort()).toEqual([...kept]);
  });

  // Manual: 4.2.5.1, 4.2.5.2, 5.4.5, 7.5.8, 7.5.9
  test('lddir and ldpte walk four levels and build huge pages', () => {
    const m = paged();
    const [root, l2, l1, pt] = [0x100000, 0x101000, 0x102000, 0x103000];
    const va = 0x0000_1234_5678_9000n;
    const index = (shift: bigint): number => Number((va >> shift) & 511n) * 8;
    m.poke(root + index(39n), BigInt(l2))
      .poke(l2 + index(30n), BigInt(l1))
      .poke(l1 + index(21n), BigInt(pt));
    m.poke(pt + (index(12n) & ~8), 0x30013n, 0x31013n).poke(0x31008, 0x77n);
    m.code(REFILL, [
      'csrwr $t0, 0x8b',
      'csrrd $t0, 0x1b',
      'lddir $t0, $t0, 3',
      'lddir $t0, $t0, 2',
      'lddir $t0, $t0, 1',
      'ldpte $t0, 0',
      'ldpte $t0, 1',
      'tlbfill',
      'csrrd $t0, 0x8b',
      'ertn',
    ]);
    m.setHost({
      PGDL: root,
      PWCL: 12 | (9 << 5) | (21 << 10) | (9 << 15) | (30 << 20) | (9 << 25),
      PWCH: 39 | (9 << 6),
    });
    m.set({ t0: 0x55n });
    load(m, va + 8n);
    m.run(11);
    expect([m.get('a0'), m.get('t0')]).toEqual([0x77n, 0x55n]);
    // The same with a 2 MiB page at level 1.
    m.poke(l1 + index(21n), 0x600000n | 0x53n).poke(0x600000 + Number((va + 8n) & 0x1fffffn), 0x99n);
    load(m, 0n, 'invtlb 0, $zero, $zero');
    load(m, va + 8n);
    m.run(11);
    expect(m.get('a0')).toBe(0x99n);
    expect([...m.cpu.htlb.entries()][0]!.ps).toBe(20);
  });

  // Manual: 5.4.1, 7.5.10
  test('the STLB answers for its own page size alone', () => {
    const m = paged().poke(0x30000, 1n);
    // Set 0 for pages of any size, and the page pair is the first one of any size.
    fill(m, 0n, 12, 0x30000n | V_D, 0x31000n | V_D);
    expect(load(m, 0n).get('a0')).toBe(1n);
    m.setHost({ STLBPS: 14 });
    load(m, 0n);
    expect(m.pc).toBe(REFILL);
  });

  // Manual: 4.2.4.3
  test('tlbwr of another page size than the STLB has writes no STLB entry, and removes the one there', () => {
    const m = paged();
    for (const [ps, entries] of [
      [12, 1],
      [14, 0],
    ] as const) {
      m.setHost({ TLBEHI: 0x4000_0000n, TLBELO0: 0x30000n | V_D, TLBELO1: 0, TLBIDX: BigInt(ps) << 24n });
      load(m, 0n, 'tlbwr');
      expect([...m.cpu.htlb.entries()], `ps ${ps}`).toHaveLength(entries);
    }
  });

  test.each([0, 1, 2, 3])('MISC.DWPL lets PLV %i write to a clean page, PLV 3 never', (plv) => {
    const clean = 1n | (3n << 2n);
    for (let misc = 0; misc < 16; misc++) {
      const m = paged();
      fill(m, 0x4000_0000n, 12, 0x30000n | clean, 0x31000n | clean);
      m.setHost({ CRMD: PG | plv, MISC: misc << 16, ESTAT: 0 });
      m.set({ a0: 7 });
      load(m, 0x4000_0010n, 'st.d $a0, $a1, 0');
      const allowed = plv < 3 && ((misc >> plv) & 1) === 1;
      expect([m.ecode(), m.peek(0x30010)], `DWPL ${misc}`).toEqual(allowed ? [0, 7n] : [4, 0n]);
    }
  });
});

test('what a TLB instruction works on belongs to its CPU: another machine of the process does not change it', () => {
  const [one, other] = [new TestMachine({ cpus: 2 }), new TestMachine()];
  const [first, second] = one.machine.cpus;
  const target = ownTarget(first!);
  guestTarget(second!);
  guestTarget(other.cpu);
  expect(target.tlb).toBe(first!.htlb);
  expect(target.bank).toBe(first!.host);
  expect(target.guestType).toBe(false);
});
