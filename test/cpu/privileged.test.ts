/** Privileged instructions that have no file of their own: IOCSR, cacop, dbcl, idle (Vol. 1, 4.2). */
import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { ROWS } from '../../src/emu/isa/table/index.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

const VECTOR = 0x40000;
const REFILL = 0x50000;
const [INE, IPE] = [0xd, 0xe];
/** An IOCSR whose 64 bits software may write: the IPI block's first mailbox. */
const MAILBOX = 0x1020n;

describe('IOCSR instructions', () => {
  // Manual: 4.2.2.1
  test('read with a sign, write little-endian parts, and use all 64 bits of the address', () => {
    const m = new TestMachine().set({
      a0: MAILBOX,
      a1: 0x91a2_3344_8899_aabbn,
      a2: MAILBOX | (1n << 32n),
      a3: MAILBOX | (1n << 63n),
    });
    m.code(CODE, [
      'iocsrwr.d $a1, $a0',
      'iocsrrd.b $t0, $a0',
      'iocsrrd.h $t1, $a0',
      'iocsrrd.w $t2, $a0',
      'iocsrrd.d $t3, $a0',
      'iocsrrd.d $t4, $a2',
      'iocsrrd.w $t5, $a3',
    ]).run(7);
    expect(['t0', 't1', 't2', 't3', 't4', 't5'].map((r) => m.get(r))).toEqual([
      0xffff_ffff_ffff_ffbbn,
      0xffff_ffff_ffff_aabbn,
      0xffff_ffff_8899_aabbn,
      0x91a2_3344_8899_aabbn,
      0n,
      0n,
    ]);
    // A write there changes nothing below.
    m.code(CODE, ['iocsrwr.w $zero, $a2', 'iocsrwr.d $zero, $a3', 'iocsrrd.w $t0, $a0']);
    m.pc = CODE;
    expect(m.run(3).get('t0')).toBe(0xffff_ffff_8899_aabbn);
    expect(m.ecode()).toBe(0);
  });

  test.each([
    ['b', 0x91a2_3344_8899_aa10n],
    ['h', 0x91a2_3344_8899_3210n],
    ['w', 0x91a2_3344_7654_3210n],
    ['d', 0xfedc_ba98_7654_3210n],
  ])('iocsrwr.%s writes no more than its width', (width, all) => {
    const m = new TestMachine().set({ a0: MAILBOX, a1: 0x91a2_3344_8899_aabbn, a2: 0xfedc_ba98_7654_3210n });
    m.code(CODE, ['iocsrwr.d $a1, $a0', `iocsrwr.${width} $a2, $a0`, 'iocsrrd.d $t0, $a0']).run(3);
    expect(m.get('t0')).toBe(all);
  });
});

describe('cacop', () => {
  const mapped = (crmd: number): TestMachine =>
    new TestMachine().setHost({ CRMD: crmd, DMW0: 0xfn, EENTRY: VECTOR, TLBRENTRY: REFILL, ESTAT: 0 });

  // Manual: 4.2.3.1
  test('types by index need PLV 0 and no address; the hit type translates its address as a load, at any alignment', () => {
    for (const op of [0, 1, 2, 3, 8, 9, 0xa, 0xb, 0x18]) {
      const m = mapped(0x10)
        .set({ a1: 0xffff_ffff_c000_0001n })
        .code(CODE, [`cacop ${op}, $a1, 3`])
        .run(1);
      expect([m.pc, m.ecode()], `op ${op}`).toEqual([CODE + 4, 0]);
      expect(
        mapped(0x13)
          .code(CODE, [`cacop ${op}, $a1, 0`])
          .run(1)
          .ecode(),
        `op ${op} at PLV 3`,
      ).toBe(IPE);
    }
    for (const op of [0x10, 0x11]) {
      const miss = mapped(0x10)
        .set({ a1: 0xffff_ffff_c000_0001n })
        .code(CODE, [`cacop ${op}, $a1, -1`])
        .run(1);
      expect([miss.pc, miss.host(CSR.TLBRBADV)]).toEqual([REFILL, 0xffff_ffff_c000_0000n]);
      const hit = mapped(0x10)
        .set({ a1: 0x3_0001n })
        .code(CODE, [`cacop ${op}, $a1, 0`])
        .run(1);
      expect([hit.pc, hit.ecode()]).toEqual([CODE + 4, 0]);
    }
  });
});

// Manual: 4.2.6.2, 7.10.1
test('dbcl: there is no debug mode to enter, and DBG says so', () => {
  const m = new TestMachine({ code: ['dbcl 0'] }).setHost({ EENTRY: VECTOR }).run(1);
  expect([m.ecode(), m.host(0x500)]).toEqual([INE, 0n]);
});

// Manual: 4.2.6.3
test('idle waits for an interrupt that ECFG enables, and goes on behind itself', () => {
  const m = new TestMachine({ code: ['idle 0', 'addi.d $a0, $zero, 7'] }).setHost({ ECFG: 0x800, EENTRY: VECTOR });
  m.run(1);
  expect([m.cpu.idle, m.pc]).toEqual([true, CODE + 4]);
  m.setHost({ ESTAT: 0x800 });
  m.run(1);
  expect([m.cpu.idle, m.get('a0')]).toEqual([false, 7n]);
});

// Manual: 4.1, 4.2.1, 4.2.2.1, 4.2.3.1, 4.2.4.1, 4.2.4.2, 4.2.4.3, 4.2.4.4, 4.2.4.5, 4.2.4.6, 4.2.4.7, 4.2.5.1, 4.2.5.2, 4.2.6.1, 4.2.6.2, 4.2.6.3
test('every privileged instruction of the table raises IPE at PLV 1, 2 and 3', () => {
  const privileged = ROWS.filter((r) => r.priv);
  expect(privileged.length).toBeGreaterThan(20);
  for (const row of privileged)
    for (const plv of [1, 2, 3]) {
      const m = new TestMachine().code(CODE, [`.word ${row.match >>> 0}`]);
      m.setHost({ CRMD: 8 | plv, EENTRY: VECTOR }).run(1);
      expect(m.ecode(), `${row.name} at PLV ${plv}`).toBe(IPE);
    }
});

// Manual: 5.3, 7.4.1, 7.5.18
test('memory access types change nothing that a program sees: there are no caches', () => {
  for (const mat of [0, 1, 2]) {
    const m = new TestMachine().poke(0x30000, 5n).set({ a1: 0x30000n, a2: 6n });
    m.setHost({ DMW0: 1n | BigInt(mat << 4), CRMD: 0x10 | (mat << 5) | (mat << 7) });
    m.code(CODE, ['ld.d $a0, $a1, 0', 'st.d $a2, $a1, 8', 'll.d $a3, $a1, 8', 'sc.d $a2, $a1, 8']).run(4);
    expect([m.get('a0'), m.get('a3'), m.get('a2'), m.ecode()]).toEqual([5n, 6n, 1n, 0]);
    const d = new TestMachine()
      .poke(0x30000, 5n)
      .set({ a1: 0x30000n })
      .setHost({ CRMD: 8 | (mat << 5) | (mat << 7) });
    expect(d.code(CODE, ['ld.d $a0, $a1, 0']).run(1).get('a0')).toBe(5n);
  }
});
