/** Floating point in the CPU: enables, traps, FCSR views, moves, branches, memory; the world of a guest. */
import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { assemble, CODE, TestMachine } from '../support/test-machine.ts';

const VECTOR = 0x40000;
const ONE = 0x3ff0000000000000n;
const THREE = 0x4008000000000000n;
const m = (code: readonly string[], euen = 1): TestMachine =>
  new TestMachine({ code }).setHost({ EUEN: euen, EENTRY: VECTOR });

describe('floating-point unit', () => {
  test('disabled in EUEN: FPD for every kind of instruction', () => {
    for (const text of [
      'fadd.d $f0, $f1, $f2',
      'fld.s $f0, $a0, 0',
      'movgr2fr.d $f0, $a0',
      'bceqz $fcc0, 8',
      'fcmp.ceq.s $fcc0, $f1, $f2',
      'movfcsr2gr $a0, $fcsr0',
    ]) {
      const b = m([text], 0).run(1);
      expect([b.pc, b.ecode(), b.host(CSR.BADI)], text).toEqual([VECTOR, 0xf, BigInt(assemble(text))]);
    }
  });

  test('enabling it takes effect at the next instruction', () => {
    const b = m(['csrwr $a0, 2', 'movgr2fr.d $f0, $a1'], 0).set({ a0: 1, a1: 5 }).run(2);
    expect(b.fpr(0)).toBe(5n);
  });

  // Manual: 3.1.4, 3.1.3.3
  test('an enabled exception traps: Cause is set, Flags and destination are not', () => {
    const b = m(['movgr2fcsr $fcsr0, $a0', 'fdiv.d $f3, $f0, $f1', 'movfcsr2gr $a1, $fcsr0']);
    b.set({ a0: 8 }).setFpr(0, ONE).setFpr(1, 0n).setFpr(3, 77n).run(2);
    expect([b.pc, b.ecode(), b.fpr(3)]).toEqual([VECTOR, 0x12, 77n]);
    b.pc = CODE + 8;
    expect(b.run(1).get('a1')).toBe(8n | (8n << 24n));
  });

  // Manual: 3.1.3.3, 3.1.4
  test('flags accumulate, Cause is of the last operation; the views of FCSR', () => {
    const b = m([
      'fdiv.d $f3, $f0, $f1',
      'fadd.d $f4, $f0, $f0',
      'movfcsr2gr $a0, $fcsr0',
      'movfcsr2gr $a1, $fcsr1',
      'movfcsr2gr $a2, $fcsr2',
      'movgr2fcsr $fcsr3, $a4',
      'movfcsr2gr $a3, $fcsr3',
      'movfcsr2gr $a5, $fcsr0',
    ]);
    b.set({ a4: 0xffffffff }).setFpr(0, ONE).setFpr(1, THREE).run(8);
    expect([b.get('a0'), b.get('a1'), b.get('a2'), b.get('a3'), b.get('a5')]).toEqual([
      1n << 16n,
      0n,
      1n << 16n,
      0x300n,
      (1n << 16n) | 0x300n,
    ]);
  });

  // Manual: 3.2.6.1, 3.2.7.1
  test('loads and stores; bound-checked ones fault before they touch memory', () => {
    const b = m([
      'fst.d $f1, $a0, 0',
      'fld.s $f2, $a0, 4',
      'fst.s $f2, $a0, 16',
      'fldx.d $f3, $a0, $zero',
      'fstle.d $f1, $a0, $a1',
      'fldgt.s $f4, $a0, $a1',
    ]);
    b.set({ a0: 0x30000, a1: 0x30000 }).setFpr(1, 0x4000_0000_1234_5678n).run(5);
    expect([b.fpr(2) & 0xffffffffn, b.peek(0x30010), b.fpr(3), b.pc]).toEqual([
      0x4000_0000n,
      0x4000_0000n,
      0x4000_0000_1234_5678n,
      CODE + 20,
    ]);
    expect([b.run(1).ecode(), b.host(CSR.BADV)]).toEqual([0xa, 0x30000n]);
  });

  // Manual: 3.1.3.2, 3.2.5.1
  test('condition flags, branches on them, fsel', () => {
    const b = m([
      'fcmp.clt.d $fcc2, $f0, $f1',
      'bcnez $fcc2, 8',
      'break 0',
      'bceqz $fcc2, 8',
      'fsel $f3, $f0, $f1, $fcc2',
      'movcf2gr $a0, $fcc2',
      'movgr2cf $fcc2, $zero',
      'fsel $f4, $f0, $f1, $fcc2',
    ]);
    b.setFpr(0, ONE).setFpr(1, THREE).run(7);
    expect([b.fpr(3), b.get('a0'), b.fpr(4)]).toEqual([THREE, 1n, ONE]);
  });
});

describe('floating point of a guest', () => {
  const WINDOW = 0x9000_0000_0000_0000n;
  const GUEST = 0x20_0000;
  /** A guest about to execute an fadd.d with the given EUENs. */
  const guest = (hostEuen: number, guestEuen: number): TestMachine => {
    const b = new TestMachine({ code: ['tlbfill', 'ertn'] }).code(0x40_0000, ['fadd.d $f2, $f0, $f0']);
    b.setHost({
      DMW0: WINDOW | 0xfn,
      CRMD: 0x10,
      EENTRY: WINDOW + BigInt(VECTOR),
      GTLBC: 0x11000,
      TLBIDX: 12 << 24,
      EUEN: hostEuen,
    });
    b.setHost({ TLBEHI: GUEST, TLBELO0: 0x40_0013, GSTAT: 0x10082, ERA: GUEST }).setGuest({
      EUEN: guestEuen,
      EENTRY: GUEST + 0x1000,
    });
    b.cpu.pc = WINDOW + BigInt(CODE);
    return b.setFpr(0, ONE).run(3);
  };

  test('its own EUEN first, then the host’s: FPD inside, then an exit, then it runs', () => {
    const inside = guest(0, 0);
    expect([inside.cpu.vm, inside.ecode(true), inside.pc]).toEqual([true, 0xf, GUEST + 0x1000]);
    const exit = guest(0, 1);
    expect([exit.cpu.vm, exit.ecode(), exit.host(CSR.ERA)]).toEqual([false, 0xf, BigInt(GUEST)]);
    const runs = guest(1, 1);
    expect([runs.cpu.vm, runs.fpr(2)]).toEqual([true, 0x4000000000000000n]);
  });
});
