/** What walks of page tables put into the TLB: huge entries of `ldpte`, and both halves of a pair by hardware. */
import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { TestMachine } from '../support/test-machine.ts';

/** Two levels: a directory by bits 29:21, tables by bits 20:12. */
const PWCL = 12 | (9 << 5) | (21 << 10) | (9 << 15);
const [V, D, G, HUGE, PRESENT, WRITE, HGLOBAL] = [1n, 2n, 0x40n, 0x40n, 0x80n, 0x100n, 0x1000n];

// Manual: 4.2.5.2, 5.4.5
describe('ldpte of a huge entry', () => {
  const PA = 0x4000000n;
  const HALF = 1n << 20n;
  /** TLBRELO0, TLBRELO1 and the page size. */
  function halves(entry: bigint): [bigint, bigint, bigint] {
    const m = new TestMachine({ code: ['ldpte $a0, 0', 'ldpte $a0, 1'] }).set({ a0: entry }).setHost({ PWCL }).run(2);
    return [m.host(CSR.TLBRELO0), m.host(CSR.TLBRELO1), m.host(CSR.TLBREHI) & 0x3fn];
  }

  test('each half maps half of it; the mark of a huge entry is none of G', () => {
    expect(halves(PA | HUGE | V | D)).toEqual([PA | V | D, PA | HALF | V | D, 20n]);
  });

  test('HGlobal becomes G, and leaves the address', () => {
    expect(halves(PA | HUGE | HGLOBAL | V | D)).toEqual([PA | V | D | G, PA | HALF | V | D | G, 20n]);
  });
});

describe('the walk by hardware', () => {
  const VA = 0xffff_ffff_c000_0000n;
  const [DIRECTORY, TABLE, FIRST, SECOND] = [0x100000, 0x101000, 0x104000, 0x103000];

  test.each([
    ['even', 0n],
    ['odd', 0x1000n],
  ])('fills both pages of a pair, from the %s one too', (_, offset) => {
    const bits = PRESENT | WRITE | V | D;
    const m = new TestMachine({ features: { ptw: true }, code: ['ld.d $a0, $s0, 0', 'ld.d $a1, $s1, 0'] })
      .poke(DIRECTORY, BigInt(TABLE))
      .poke(TABLE, BigInt(FIRST) | bits, BigInt(SECOND) | bits)
      .poke(FIRST, 111n)
      .poke(SECOND, 222n)
      .setHost({ PWCL, PWCH: 1 << 24, PGDH: DIRECTORY, DMW0: 0x11, STLBPS: 12, CRMD: 0x10, EENTRY: 0x40000 })
      .set({ s0: VA + offset, s1: VA + (offset ^ 0x1000n) })
      .run(1)
      // The second page must come out of the TLB: its entry is there no more.
      .poke(TABLE, 0n, 0n)
      .run(1);
    expect([m.get('a0'), m.get('a1')]).toEqual(offset === 0n ? [111n, 222n] : [222n, 111n]);
    expect(m.host(CSR.ESTAT)).toBe(0n);
  });
});
