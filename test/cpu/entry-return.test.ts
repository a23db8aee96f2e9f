/** Exception entry and return, field by field: what each register gets, and what it keeps. */
import { describe, expect, test } from 'vitest';
import { CRMD, ESTAT, fieldOf, GSTAT, LLBCTL, MERRCTL, PRMD, TLBRPRMD } from '../../src/emu/cpu/csr-fields.ts';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { ecodeOf } from '../../src/emu/cpu/exception-table.ts';
import { assemble, CODE, TestMachine } from '../support/test-machine.ts';

const VECTOR = 0x40000;
const REFILL = 0x50000;
const ONES = 0xffff_ffff_ffff_ffffn;
const KEPT = 0x1234_5678_9abc_def0n;

/** Translation is off and DA set, so that code runs; all other fields of CRMD are as wanted. */
const direct = (more: number): number => CRMD.DA | more;

describe('entry', () => {
  const at = (text: string, crmd: number): TestMachine =>
    new TestMachine({ code: [text] }).setHost({
      CRMD: crmd,
      PRMD: 0,
      EENTRY: VECTOR,
      TLBRENTRY: REFILL,
      ERA: ONES,
      BADV: KEPT,
      BADI: 0xffff_ffffn,
      TLBEHI: KEPT,
      ESTAT: ESTAT.EsubCode | ESTAT.Ecode | 3,
      GSTAT: GSTAT.PGM | 0x10080,
    });

  // Manual: 6.3.3
  test.each([
    ['PLV', CRMD.PLV, PRMD.PPLV],
    ['IE', CRMD.IE, PRMD.PIE],
    ['WE', CRMD.WE, PRMD.PWE],
    ['all of them', CRMD.PLV | CRMD.IE | CRMD.WE, PRMD.PPLV | PRMD.PIE | PRMD.PWE],
  ])('PRMD gets %s, CRMD loses it and nothing else', (_, crmd, prmd) => {
    for (const text of ['syscall 0', 'break 0', '.word 0']) {
      const m = at(text, direct(crmd) | CRMD.DATF | CRMD.DATM).run(1);
      expect([m.host(CSR.PRMD), m.host(CSR.CRMD)], text).toEqual([BigInt(prmd), BigInt(direct(CRMD.DATF | CRMD.DATM))]);
      expect(m.cpu.events.at(0)!.crmd, text).toBe(direct(crmd) | CRMD.DATF | CRMD.DATM);
    }
  });

  test.each([
    ['SYS', 'syscall 7'],
    ['BRK', 'break 7'],
    ['INE', '.word 0'],
  ] as const)('%s: cause, address, word; no bad address; no guest was left', (name, text) => {
    const m = at(text, direct(0)).run(1);
    const estat = Number(m.host(CSR.ESTAT));
    expect([fieldOf(estat, ESTAT.Ecode), fieldOf(estat, ESTAT.EsubCode), estat & ESTAT.SWI]).toEqual([
      ecodeOf(name),
      0,
      3,
    ]);
    expect([m.host(CSR.ERA), m.host(CSR.BADI), m.pc]).toEqual([BigInt(CODE), BigInt(assemble(text)), VECTOR]);
    expect([m.host(CSR.BADV), m.host(CSR.TLBEHI), m.host(CSR.GSTAT)]).toEqual([KEPT, KEPT, 0x10080n]);
    const r = m.cpu.events.at(0)!;
    expect(r).toEqual({
      kind: 'exception',
      time: 0,
      world: -1,
      gid: -1,
      ecode: ecodeOf(name),
      esub: 0,
      pc: BigInt(CODE),
      badv: 0n,
      hasBadv: false,
      badi: assemble(text),
      vector: BigInt(VECTOR),
      va: 0n,
      crmd: direct(0),
      stage2: false,
    });
    expect([m.cpu.events.total, m.cpu.events.hostExceptions[ecodeOf(name)]]).toEqual([1, 1]);
  });

  test('an address error has BADV, and leaves TLBEHI alone', () => {
    const m = at('ld.d $a0, $a1, 0', direct(0)).set({ a1: 0x3000_0000n }).run(1);
    const estat = Number(m.host(CSR.ESTAT));
    expect([fieldOf(estat, ESTAT.Ecode), fieldOf(estat, ESTAT.EsubCode)]).toEqual([ecodeOf('ADEM'), 1]);
    expect([m.host(CSR.BADV), m.host(CSR.TLBEHI)]).toEqual([0x3000_0000n, KEPT]);
    const r = m.cpu.events.at(0)!;
    expect([r.badv, r.va, r.hasBadv, r.esub]).toEqual([0x3000_0000n, 0x3000_0000n, true, 1]);
  });

  // Manual: 7.4.8, 7.5.2
  test('a page fault has TLBEHI too: the page pair, with its sign', () => {
    const window = 0x9000_0000_0000_0000n;
    const va = 0xffff_ffff_8765_4321n;
    const m = new TestMachine({ code: ['tlbfill', 'ld.b $a0, $a1, 0'] }).set({ a1: va });
    // A page pair that is not valid, for loads.
    m.setHost({
      DMW0: window | 0xfn,
      CRMD: CRMD.PG,
      EENTRY: window | BigInt(VECTOR),
      STLBPS: 12,
      TLBEHI: va & ~0x1fffn,
      TLBELO0: 0x40,
      TLBELO1: 0x40,
      TLBIDX: 12n << 24n,
    });
    m.cpu.pc = window | BigInt(CODE);
    m.run(1).setHost({ TLBEHI: 0, BADV: 0 }).run(1);
    expect([m.ecode(), m.host(CSR.BADV), m.host(CSR.TLBEHI)]).toEqual([ecodeOf('PIL'), va, va & ~0x1fffn]);
  });

  // Manual: 6.1.3, 7.4.9
  test('an interrupt leaves BADI and BADV as they were; its number is in the record', () => {
    const m = at('syscall 0', direct(CRMD.IE))
      .setHost({ ECFG: (3 << 16) | 3, ESTAT: 1 })
      .run(1);
    expect([m.host(CSR.BADI), m.host(CSR.BADV), m.pc]).toEqual([0xffff_ffffn, KEPT, VECTOR + 64 * 4 * 8]);
    expect([m.cpu.events.at(0)!.badi, m.cpu.events.hostExceptions[0]]).toEqual([0, 1]);
  });

  // Manual: 6.3.1
  test('slots of the vector: none with VS 0; the offset is joined by OR', () => {
    for (const [vs, slot] of [
      [0, 0],
      [1, 0xb * 8],
      [7, 0xb * 512],
    ] as const) {
      const m = at('syscall 0', direct(0))
        .setHost({ ECFG: vs << 16, EENTRY: 0xffff_f000 })
        .run(1);
      expect(m.cpu.pc, `VS ${vs}`).toBe(0xffff_f000n | BigInt(slot));
    }
  });

  // Manual: 6.3.4, 7.4.9, 7.5.12, 7.5.13, 7.5.16, 7.5.17
  test('a TLB refill has registers of its own: mode, address, page, and PG goes', () => {
    const va = 0xffff_ffff_8765_4321n;
    const window = 0x9000_0000_0000_0000n;
    const m = new TestMachine({ code: ['ld.b $a0, $a1, 0'] }).set({ a1: va }).setHost({
      DMW0: window | 0xfn,
      CRMD: CRMD.PG | CRMD.PLV | CRMD.IE | CRMD.WE | CRMD.DATF,
      TLBRENTRY: REFILL,
      TLBREHI: 0x15,
      PRMD: 0,
      ERA: KEPT,
      BADV: KEPT,
      BADI: 0xffff_ffffn,
      ESTAT: 0,
      GSTAT: GSTAT.PGM | 0x10080,
    });
    m.cpu.pc = window | BigInt(CODE);
    m.run(1);
    expect([m.host(CSR.TLBRPRMD), m.host(CSR.CRMD)]).toEqual([
      BigInt(TLBRPRMD.PPLV | TLBRPRMD.PIE | TLBRPRMD.PWE),
      BigInt(CRMD.DA | CRMD.DATF),
    ]);
    expect([m.host(CSR.TLBRERA), m.host(CSR.TLBRBADV), m.host(CSR.TLBREHI), m.pc]).toEqual([
      window | BigInt(CODE) | 1n,
      va,
      (va & ~0x1fffn) | 0x15n,
      REFILL,
    ]);
    // BADI is written by every exception but interrupts (Vol. 1, 7.4.9). What belongs to the others stays.
    expect(m.host(CSR.BADI)).toBe(BigInt(assemble('ld.b $a0, $a1, 0')));
    expect([CSR.PRMD, CSR.ERA, CSR.BADV, CSR.ESTAT, CSR.GSTAT].map((num) => m.host(num))).toEqual([
      0n,
      KEPT,
      KEPT,
      0n,
      BigInt(GSTAT.PGM | 0x10080),
    ]);
  });
});

// Manual: 4.2.6.1
describe('ertn', () => {
  const BACK = 0x1_2345_6788n;

  // Manual: 6.3.3, 4.2.6.1
  test.each([
    ['PPLV', PRMD.PPLV, CRMD.PLV],
    ['PIE', PRMD.PIE, CRMD.IE],
    ['PWE', PRMD.PWE, CRMD.WE],
    ['nothing', 0, 0],
  ])('CRMD gets %s from PRMD', (_, prmd, crmd) => {
    const before = direct(CRMD.DATF | CRMD.DATM);
    const m = new TestMachine({ code: ['ertn'] }).setHost({
      CRMD: before | CRMD.IE | CRMD.WE,
      PRMD: prmd,
      ERA: BACK,
    });
    m.cpu.nesting = 5;
    m.run(1);
    expect([m.host(CSR.CRMD), m.cpu.pc, m.cpu.nesting]).toEqual([BigInt(before | crmd), BACK, 0]);
    expect([m.host(CSR.PRMD), m.host(CSR.ERA)]).toEqual([BigInt(prmd), BACK]);
  });

  // Manual: 6.3.4, 4.2.6.1, 7.4.17
  test.each([
    ['PPLV', TLBRPRMD.PPLV, CRMD.PLV],
    ['PIE', TLBRPRMD.PIE, CRMD.IE],
    ['PWE', TLBRPRMD.PWE, CRMD.WE],
    ['nothing', 0, 0],
  ])('after a refill CRMD gets %s from TLBRPRMD, and paging is on', (_, prmd, crmd) => {
    const window = 0x9000_0000_0000_0000n;
    const m = new TestMachine({ code: ['ertn'] }).setHost({
      CRMD: direct(CRMD.DATF | CRMD.IE | CRMD.WE),
      TLBRPRMD: prmd,
      TLBRERA: window | 0x50000n | 1n,
      DMW0: window | 0xfn,
      PRMD: PRMD.PPLV,
      ERA: BACK,
      LLBCTL: LLBCTL.KLO,
    });
    m.cpu.setStateI32('llBit', 1);
    m.run(1);
    expect([m.host(CSR.CRMD), m.cpu.pc]).toEqual([BigInt(CRMD.PG | CRMD.DATF | crmd), window | 0x50000n]);
    expect([m.host(CSR.TLBRERA), m.host(CSR.LLBCTL), m.cpu.stateI32('llBit')]).toEqual([window | 0x50000n, 0n, 1]);
  });

  // Manual: 6.3.5, 4.2.6.1
  test.each([
    ['PPLV', MERRCTL.PPLV, CRMD.PLV],
    ['PIE', MERRCTL.PIE, CRMD.IE],
    ['PWE', MERRCTL.PWE, CRMD.WE],
    ['PDA', MERRCTL.PDA, CRMD.DA],
    ['PPG', MERRCTL.PPG, CRMD.PG],
    ['PDATF', MERRCTL.PDATF, CRMD.DATF],
    ['PDATM', MERRCTL.PDATM, CRMD.DATM],
  ])('after a machine error CRMD gets %s, before a refill', (_, merr, crmd) => {
    const m = new TestMachine({ code: ['ertn'] }).setHost({
      CRMD: direct(CRMD.IE),
      MERRCTL: MERRCTL.IsMERR | MERRCTL.Cause | merr,
      MERRERA: BACK,
      TLBRERA: 1,
    });
    m.cpu.setStateI32('llBit', 1);
    m.run(1);
    expect([m.host(CSR.CRMD), m.cpu.pc]).toEqual([BigInt(crmd), BACK]);
    expect([m.host(CSR.MERRCTL), m.host(CSR.TLBRERA)]).toEqual([BigInt(MERRCTL.Cause | merr), 1n]);
    expect(m.cpu.stateI32('llBit')).toBe(0);
  });

  test('without LVZ there are no guests to go to', () => {
    const m = new TestMachine({ code: ['ertn'], features: { lvz: false } });
    m.setHost({ TLBRERA: 0x50001, TLBRPRMD: TLBRPRMD.PGM }).run(1);
    expect([m.cpu.vm, m.pc, m.host(CSR.CRMD), m.cpu.events.total]).toEqual([false, 0x50000, BigInt(CRMD.PG), 0]);
  });

  test('an interrupt that becomes due is taken before the next instruction', () => {
    const m = new TestMachine({ code: ['ertn'] }).code(0x50000, ['addi.d $a0, $a0, 1']);
    m.setHost({ PRMD: PRMD.PIE, ERA: 0x50000, ECFG: 1, ESTAT: 1, EENTRY: VECTOR }).run(2);
    expect([m.get('a0'), m.host(CSR.ERA), m.pc]).toEqual([0n, 0x50000n, VECTOR]);
  });
});
