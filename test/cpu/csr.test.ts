import { describe, expect, test } from 'vitest';
import { CRMD, DMW, ESTAT, fieldOf, GSTAT, inField, TLBEHI, TLBRERA } from '../../src/emu/cpu/csr-fields.ts';
import { CSR, CSRS, type CsrRow, fieldMask } from '../../src/emu/cpu/csr-table.ts';
import { assemble, CODE, TestMachine } from '../support/test-machine.ts';

/** Registers whose written value is not simply stored: each has its own test. */
const OWN_RULE = new Set<number>([CSR.CRMD, CSR.GCFG, CSR.LLBCTL, CSR.TICLR, CSR.PGD, CSR.TVAL, CSR.TCFG]);

const plain = CSRS.filter((r) => !OWN_RULE.has(r.num));

/** csrwr of `value`, then csrrd; the old value comes back in a0, the new one in a1. */
function writeRead(m: TestMachine, num: number, value: bigint): { old: bigint; now: bigint } {
  m.code(CODE, [`csrwr $a0, ${num}`, `csrrd $a1, ${num}`]).set({ a0: value });
  m.pc = CODE;
  m.run(2);
  return { old: m.get('a0'), now: m.get('a1') };
}

describe('CSR table', () => {
  test('masks of fields: at their places, across bit 32 the lower part, above it nothing', () => {
    expect([CRMD.PLV, CRMD.PG, GSTAT.GID, ESTAT.EsubCode]).toEqual([3, 0x10, 0xff0000, 0x7fc00000]);
    expect([TLBEHI.VPPN, TLBRERA.PC, DMW.VSEG]).toEqual([~0x1fff, ~3, 0]);
    expect([fieldOf(0x10082, GSTAT.GID), fieldOf(-1, TLBEHI.VPPN)]).toEqual([1, 0x7ffff]);
    expect([inField(5, GSTAT.GID), inField(0x1ff, GSTAT.GID)]).toEqual([0x50000, 0xff0000]);
  });

  test('numbers and names are unique, fields do not overlap', () => {
    expect(new Set(CSRS.map((r) => r.num)).size).toBe(CSRS.length);
    expect(new Set(CSRS.map((r) => r.name)).size).toBe(CSRS.length);
    for (const r of CSRS) {
      let seen = 0n;
      for (const f of r.fields) {
        const mask = ((1n << BigInt(f.width)) - 1n) << BigInt(f.lo);
        expect(seen & mask, `${r.name}.${f.name}`).toBe(0n);
        seen |= mask;
      }
    }
  });

  test.each(plain.map((r) => [r.name, r] as const))(
    '%s stores its writable fields and nothing else',
    (_, r: CsrRow) => {
      const m = new TestMachine({ features: { ptw: true, lbt: true } });
      const rw = fieldMask(r, ['rw']);
      const first = writeRead(m, r.num, (1n << 64n) - 1n);
      expect(first.old).toBe(r.reset);
      const stored = (r.reset & ~rw) | rw;
      const signed = r.signBit === undefined ? stored : BigInt.asIntN(r.signBit + 1, stored);
      expect(first.now).toBe(BigInt.asUintN(64, signed));
      const second = writeRead(m, r.num, 0n);
      expect(second.old).toBe(first.now);
      expect(second.now).toBe(r.reset & ~rw);
    },
  );

  // Manual: 4.2.1
  test('csrxchg changes the bits of its mask and returns the old value', () => {
    const m = new TestMachine({ code: ['csrxchg $a0, $a1, 0x30'] });
    m.setHost({}).cpu.host.put(0x30, 0x1234_5678_9abc_def0n);
    m.set({ a0: 0xffff_ffff_ffff_ffffn, a1: 0xff00_0000_0000_00ffn }).run(1);
    expect(m.get('a0')).toBe(0x1234_5678_9abc_def0n);
    expect(m.host(0x30)).toBe(0xff34_5678_9abc_deffn);
  });

  // Manual: 7.2.3
  test('a number that does not exist reads 0 and ignores writes', () => {
    const m = new TestMachine();
    for (const num of [0x9, 0x2f, 0x70, 0x5ff, 0x600, 0x3fff])
      expect(writeRead(m, num, 5n)).toEqual({ old: 0n, now: 0n });
  });

  test('without LVZ its registers do not exist and its instructions raise INE', () => {
    const m = new TestMachine({ features: { lvz: false } });
    for (const num of [CSR.GSTAT, CSR.GCFG, CSR.GINTC, CSR.GCNTC, CSR.GTLBC])
      expect(writeRead(m, num, 5n)).toEqual({ old: 0n, now: 0n });
    for (const text of ['gcsrrd $a0, 0', 'gcsrwr $a0, 0', 'gtlbfill', 'gtlbclr', 'hvcl 0']) {
      m.code(CODE, [text]);
      m.pc = CODE;
      m.run(1);
      expect(m.ecode(), text).toBe(0xd);
      expect(m.host(CSR.BADI)).toBe(BigInt(assemble(text)));
    }
    m.code(CODE, ['addi.d $a0, $zero, 2', 'cpucfg $a1, $a0']);
    m.pc = CODE;
    m.run(2);
    expect((m.get('a1') >> 10n) & 0xfn).toBe(0n);
  });

  test('cpucfg reads words, and 0 beyond them', () => {
    const m = new TestMachine({ code: ['cpucfg $a1, $a0'] });
    const word = (n: bigint): bigint => {
      m.set({ a0: n });
      m.pc = CODE;
      return m.run(1).get('a1');
    };
    expect((word(2n) >> 10n) & 0xfn).toBe(3n); // LVZ, version 1
    expect(word(1n) & 3n).toBe(2n); // LA64
    expect(word(4n)).toBe(100_000_000n);
    expect(word(500n)).toBe(0n);
    expect(word(1n << 32n)).toBe(0n);
  });

  test('GCFG takes only modes that its capability bits announce', () => {
    const m = new TestMachine();
    const written = writeRead(m, CSR.GCFG, 0x30n | 0x300000n);
    expect(written.now & 0x300030n).toBe(0n); // MATC 3 and GCI 3 do not exist
    expect(writeRead(m, CSR.GCFG, 0x10n | 0x200000n).now & 0x300030n).toBe(0x200010n);
  });

  test('GSTAT keeps GIDBIT over a write of 0, and VM cannot be set', () => {
    const m = new TestMachine();
    expect(writeRead(m, CSR.GSTAT, 0n).now).toBe(0x80n);
    expect(writeRead(m, CSR.GSTAT, 0xffffffffn).now).toBe(0xff0082n);
  });

  // Manual: 7.5.7
  test('PGD follows the sign of the bad address', () => {
    const m = new TestMachine({ code: ['csrrd $a0, 0x1b'] });
    m.setHost({ PGDL: 0x1000, PGDH: 0x2000, BADV: 0x1234 }).run(1);
    expect(m.get('a0')).toBe(0x1000n);
    m.setHost({ BADV: 0xffff_8000_0000_0000n });
    m.pc = CODE;
    expect(m.run(1).get('a0')).toBe(0x2000n);
    m.setHost({ TLBRERA: 1, TLBRBADV: 0x10 });
    m.pc = CODE;
    expect(m.run(1).get('a0')).toBe(0x1000n);
  });
});
