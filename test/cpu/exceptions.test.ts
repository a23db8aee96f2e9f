import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { STATE } from '../../src/emu/memory/layout.ts';
import { assemble, CODE, TestMachine } from '../support/test-machine.ts';

const VECTOR = 0x40000;
const NAMES: Readonly<Record<string, number>> = { ADE: 8, ALE: 9, BCE: 0xa, SYS: 0xb, BRK: 0xc, INE: 0xd, IPE: 0xe };

function at(code: string[], options: { plv?: number; vs?: number } = {}): TestMachine {
  const m = new TestMachine({ code });
  return m.setHost({ EENTRY: VECTOR, CRMD: 8 | (options.plv ?? 0) | 4, ECFG: (options.vs ?? 0) << 16 });
}

// Manual: 2.1.4, 6.3.3
describe('exceptions', () => {
  test.each([
    ['SYS', 'syscall 3', 0],
    ['BRK', 'break 5', 0],
    ['INE', '.word 0xffffffff', 0],
    ['INE', '.word 0', 0],
    ['INE', 'hvcl 0x100', 0],
    ['INE', 'dbcl 0', 0],
    ['INE', 'amadd.w $a0, $a1, $a0', 0],
    ['INE', 'invtlb 7, $zero, $zero', 0],
    ['IPE', 'csrrd $a0, 0', 3],
    ['IPE', 'ertn', 3],
    ['IPE', 'tlbfill', 1],
    ['IPE', 'idle 0', 2],
    ['IPE', 'gcsrrd $a0, 0', 3],
    ['IPE', 'iocsrrd.w $a0, $a1', 3],
    ['IPE', 'cacop 0, $a0, 0', 3],
    // Manual 4.2: every privileged instruction needs PLV0, the hit types too.
    ['IPE', 'cacop 16, $a0, 0', 3],
    ['INE', 'bstrins.d $a0, $a1, 3, 4', 3],
    ['INE', 'bstrpick.w $a0, $a1, 0, 31', 0],
  ])('%s by "%s" at PLV%i', (name, text, plv) => {
    const m = at([text], { plv }).run(1);
    expect(m.pc).toBe(VECTOR);
    expect(m.ecode()).toBe(NAMES[name]);
    expect(m.host(CSR.ERA)).toBe(BigInt(CODE));
    // A register of 32 bits: bit 31 is copied upwards.
    expect(m.host(CSR.BADI)).toBe(BigInt.asUintN(64, BigInt(assemble(text) | 0)));
    expect(m.host(CSR.PRMD)).toBe(BigInt(plv | 4));
    expect(m.host(CSR.CRMD) & 7n).toBe(0n);
  });

  // Manual: 2.1.5, 2.1.8, 7.4.8
  test('address errors carry BADV and the sub-code', () => {
    const m = at(['ld.d $a0, $a1, 0']).set({ a1: 0x3000_0000 }).run(1);
    expect([m.ecode(), Number((m.host(CSR.ESTAT) >> 22n) & 0x1ffn), m.host(CSR.BADV)]).toEqual([8, 1, 0x3000_0000n]);
    const fetch = at(['jirl $zero, $a1, 0'])
      .set({ a1: CODE + 2 })
      .run(2);
    expect([
      fetch.ecode(),
      Number((fetch.host(CSR.ESTAT) >> 22n) & 0x1ffn),
      fetch.host(CSR.BADV),
      fetch.host(CSR.ERA),
    ]).toEqual([8, 0, BigInt(CODE + 2), BigInt(CODE + 2)]);
  });

  // Manual: 2.1.8, 7.4.4
  test('misaligned atomics raise ALE; loads do only when MISC asks', () => {
    for (const text of [
      'll.w $a0, $a1, 0',
      'sc.d $a0, $a1, 0',
      'amswap.d $a0, $a2, $a1',
      'amadd.h $a0, $a2, $a1',
      'amcas.h $a0, $a2, $a1',
      'llacq.d $a0, $a1',
      'screl.w $a0, $a1',
      'sc.q $a0, $a2, $a1',
    ]) {
      const m = at([text]).set({ a1: 0x30001 }).run(1);
      expect([m.ecode(), m.host(CSR.BADV)], text).toEqual([9, 0x30001n]);
    }
    expect(at(['ld.w $a0, $a1, 0']).set({ a1: 0x30001 }).run(1).pc).toBe(CODE + 4);
    const strict = at(['ld.w $a0, $a1, 0'])
      .set({ a1: 0x30001 })
      .setHost({ MISC: 1 << 12 })
      .run(1);
    expect(strict.ecode()).toBe(9);
  });

  test('bound checks', () => {
    const m = at(['ldgt.d $a0, $a1, $a2']).poke(0x30000, 7n).set({ a1: 0x30000, a2: 0x30000 }).run(1);
    expect([m.ecode(), m.host(CSR.BADV), m.get('a0')]).toEqual([0xa, 0x30000n, 0n]);
    expect(at(['ldle.d $a0, $a1, $a2']).poke(0x30000, 7n).set({ a1: 0x30000, a2: 0x30000 }).run(1).get('a0')).toBe(7n);
    expect(at(['asrtle.d $a1, $a2']).set({ a1: 2, a2: 1 }).run(1).ecode()).toBe(0xa);
    expect(at(['asrtgt.d $a1, $a2']).set({ a1: 2, a2: 1 }).run(1).pc).toBe(CODE + 4);
  });

  // Manual: 6.3.1
  test('vector slots: EENTRY + Ecode · 2^(VS+2)', () => {
    expect(at(['syscall 0'], { vs: 5 }).run(1).pc).toBe(VECTOR + 0xb * 0x80);
    expect(at(['syscall 0'], { vs: 7 }).run(1).pc).toBe(VECTOR + 0xb * 0x200);
  });

  test('ertn restores PLV, IE and PC, and clears the LL bit unless KLO', () => {
    for (const klo of [0, 4]) {
      const m = new TestMachine({ code: ['ll.d $a2, $a0, 0', 'ertn'] }).set({ a0: 0x30000, a3: 1 });
      m.code(0x50000, ['sc.d $a3, $a0, 0']);
      m.setHost({ PRMD: 0xf, ERA: 0x50000, LLBCTL: klo }).run(2);
      expect(m.pc).toBe(0x50000);
      expect(m.host(CSR.CRMD) & 0x207n).toBe(0x207n);
      // KLO is for one return.
      expect(m.host(CSR.LLBCTL)).toBe(0n);
      m.run(1);
      expect(m.get('a3')).toBe(klo ? 1n : 0n);
    }
  });

  test('ertn from a machine error restores the whole mode', () => {
    const m = new TestMachine({ code: ['ertn'] });
    // IsMERR, PPLV 3, PIE, PDA, PPG clear: DA mode at PLV3.
    m.setHost({ MERRCTL: 1 | (3 << 2) | (1 << 4) | (1 << 7), MERRERA: 0x50000 }).run(1);
    expect(m.pc).toBe(0x50000);
    expect(m.host(CSR.CRMD)).toBe(0xfn);
    expect(m.host(CSR.MERRCTL) & 1n).toBe(0n);
  });

  test('a fault in the handler of a fault goes round without disturbing the emulator', () => {
    const m = new TestMachine({ code: ['syscall 0'] });
    m.setHost({ EENTRY: 0x3000_0000 }).run(5000);
    expect(m.cpu.icount).toBe(5000);
    expect(m.ecode()).toBe(8);
  });
});

describe('interrupts and timers', () => {
  // Manual: 6.1.1, 6.1.3
  test('a software interrupt is taken at once, with its vector', () => {
    const m = new TestMachine({ code: ['csrwr $a0, 5', 'addi.d $a1, $a1, 1'] });
    m.set({ a0: 2 })
      .setHost({ EENTRY: VECTOR, ECFG: (1 << 16) | 3, CRMD: 0xc })
      .run(2);
    expect(m.pc).toBe(VECTOR + (64 + 1) * 8);
    expect([m.ecode(), m.host(CSR.ERA), m.get('a1')]).toEqual([0, BigInt(CODE + 4), 0n]);
  });

  // Manual: 6.1.2, 6.1.4
  test('the interrupt with the highest number comes first', () => {
    for (const [pending, enabled, number] of [
      [0x1803, 0x1fff, 12],
      [0x803, 0x1fff, 11],
      [0x1803, 0x7ff, 1],
      [0x1003, 1, 0],
    ] as const) {
      const m = new TestMachine({ code: ['andi $zero, $zero, 0'] });
      m.setHost({ EENTRY: VECTOR, ECFG: (1 << 16) | enabled, ESTAT: pending, CRMD: 0xc }).run(1);
      expect(m.pc, `${pending.toString(16)} of ${enabled.toString(16)}`).toBe(VECTOR | ((64 + number) * 8));
    }
  });

  // Manual: 2.1.3, 2.1.3.1, 4.1
  test('performance counters do not exist, so PLV3 may not read them whatever MISC says', () => {
    const m = at(['csrrd $a0, 0x201'], { plv: 3 })
      .setHost({ MISC: 7 << 9 })
      .run(1);
    expect(m.ecode()).toBe(NAMES.IPE);
  });

  // Manual: 6.4, 2.1.2.2
  test('reset: direct address mode at PLV0, everything off', () => {
    const m = new TestMachine();
    m.cpu.mem.i32.fill(-1, (m.cpu.base + STATE.hostCsr) >> 2, (m.cpu.base + STATE.hostCsr + 8 * 0x600) >> 2);
    m.cpu.setStateI32('llBit', 1);
    m.machine.reset();
    const RVACFG = 0x1f;
    const { CRMD, EUEN, MISC, ECFG, ESTAT, TCFG, LLBCTL, TLBRERA, MERRCTL, DMW0, MWPS, FWPS } = CSR;
    expect([m.host(CRMD), m.host(EUEN), m.host(MISC), m.host(ECFG), m.host(ESTAT), m.host(RVACFG)]).toEqual([
      8n,
      0n,
      0n,
      0n,
      0n,
      0n,
    ]);
    expect(
      [TCFG, LLBCTL, TLBRERA, MERRCTL, DMW0, DMW0 + 1, DMW0 + 2, DMW0 + 3, MWPS, FWPS].map((n) => m.host(n)),
    ).toEqual(Array.from({ length: 10 }, () => 0n));
    expect([m.cpu.stateI32('llBit'), m.pc]).toEqual([0, CODE]);
  });

  // Manual: 7.6.2, 7.6.3, 7.6.5
  test('a one-shot timer fires on its tick, reads all ones and keeps En', () => {
    const m = new TestMachine({
      code: ['csrwr $a0, 0x41', ...Array.from({ length: 100 }, () => 'addi.d $a1, $a1, 1')],
    });
    m.set({ a0: 40 | 1 })
      .setHost({ EENTRY: VECTOR, ECFG: 1 << 11, CRMD: 0xc })
      .run(41);
    // The write itself ends at tick 1; 40 ticks later the interrupt comes before the next instruction.
    expect(m.get('a1')).toBe(39n);
    expect(m.host(CSR.ERA)).toBe(BigInt(CODE + 40 * 4));
    m.code(VECTOR, ['csrrd $a2, 0x42', 'csrrd $a3, 0x41', 'csrwr $a4, 0x44']).set({ a4: 1 });
    m.pc = VECTOR;
    m.run(3);
    expect([m.get('a2'), m.get('a3') & 1n, m.host(CSR.ESTAT) & 0x800n]).toEqual([(1n << 48n) - 1n, 1n, 0n]);
  });

  // Manual: 7.6.2
  test('a periodic timer keeps its period', () => {
    const m = new TestMachine({ code: ['csrwr $a0, 0x41', 'b 0'] });
    m.set({ a0: 1000 | 3 });
    let fired = 0;
    m.run(1);
    for (let n = 0; n < 10_000; n += 100) {
      m.run(100);
      if (m.host(CSR.ESTAT) & 0x800n) {
        fired++;
        m.cpu.host.update(CSR.ESTAT, 0x800, 0);
      }
    }
    expect(fired).toBe(10);
  });

  // Manual: 7.6.2, 7.6.3
  test('TCFG = 0 stops the timer without an interrupt', () => {
    const m = new TestMachine({ code: ['csrwr $a0, 0x41', 'csrwr $zero, 0x41', 'csrrd $a2, 0x42', 'b 0'] });
    m.set({ a0: 400 | 1 }).run(2000);
    expect(m.host(CSR.ESTAT)).toBe(0n);
    expect(m.get('a2')).toBe(399n);
  });

  // Manual: 4.2.6.3
  test('idle waits for an enabled interrupt, also with IE = 0, and time jumps to it', () => {
    const m = new TestMachine({
      code: ['csrwr $a0, 0x41', 'idle 0', 'addi.d $a1, $zero, 7', 'addi.d $a2, $zero, 1', 'csrwr $a2, 0x44', 'idle 0'],
    });
    m.set({ a0: 1_000_000 | 1 }).setHost({ ECFG: 1 << 11 });
    expect(m.machine.run(100)).toBe('waiting');
    expect(m.get('a1')).toBe(7n);
    expect(m.machine.time).toBeGreaterThanOrEqual(1_000_000);
    expect(m.cpu.icount).toBeLessThan(10);
  });

  // Manual: 2.1.3.2, 2.2.10.4, 7.4.4
  test('rdtime counts instructions and adds CNTC; MISC.DRDTL forbids it to PLV3', () => {
    const m = new TestMachine({ code: ['rdtime.d $a0, $a1', 'rdtime.d $a2, $zero'] }).setHost({
      CNTC: -50n & ((1n << 64n) - 1n),
      TID: 9,
    });
    m.run(2);
    expect([BigInt.asIntN(64, m.get('a0')), m.get('a1'), BigInt.asIntN(64, m.get('a2'))]).toEqual([-50n, 9n, -49n]);
    const user = new TestMachine({ code: ['rdtime.d $a0, $a1'] })
      .setHost({ MISC: 1 << 7, CRMD: 0xb, EENTRY: VECTOR })
      .run(1);
    expect(user.ecode()).toBe(0xe);
  });
});
