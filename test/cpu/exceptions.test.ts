import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { assemble, CODE, TestMachine } from '../support/test-machine.ts';

const VECTOR = 0x40000;
const NAMES: Readonly<Record<string, number>> = { ADE: 8, ALE: 9, BCE: 0xa, SYS: 0xb, BRK: 0xc, INE: 0xd, IPE: 0xe };

function at(code: string[], options: { plv?: number; vs?: number } = {}): TestMachine {
  const m = new TestMachine({ code });
  return m.setHost({ EENTRY: VECTOR, CRMD: 8 | (options.plv ?? 0) | 4, ECFG: (options.vs ?? 0) << 16 });
}

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

  test('misaligned atomics raise ALE; loads do only when MISC asks', () => {
    for (const text of ['ll.w $a0, $a1, 0', 'sc.d $a0, $a1, 0', 'amswap.d $a0, $a2, $a1']) {
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
  test('a software interrupt is taken at once, with its vector', () => {
    const m = new TestMachine({ code: ['csrwr $a0, 5', 'addi.d $a1, $a1, 1'] });
    m.set({ a0: 2 })
      .setHost({ EENTRY: VECTOR, ECFG: (1 << 16) | 3, CRMD: 0xc })
      .run(2);
    expect(m.pc).toBe(VECTOR + (64 + 1) * 8);
    expect([m.ecode(), m.host(CSR.ERA), m.get('a1')]).toEqual([0, BigInt(CODE + 4), 0n]);
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
