/** Which of several causes an instruction raises (Vol. 1, 6.3.2: fetch before decode before execution). */
import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

const VECTOR = 0x40000;
const NAMES = { INT: 0, TLBR: 0x3f, ADE: 8, ALE: 9, BCE: 0xa, INE: 0xd, IPE: 0xe, FPD: 0xf, WPE: 0x13 } as const;
const WE = 0x200;
const PLV0 = 2;
const LOAD = 0x100;

// Manual: 6.3.2
describe('priority of exceptions', () => {
  test.each<[keyof typeof NAMES, string, string, (b: TestMachine) => void]>([
    [
      'INT',
      'an interrupt before a word that does not exist',
      '.word 0xffffffff',
      (b) => b.setHost({ CRMD: 0xc, ECFG: 1, ESTAT: 1 }),
    ],
    ['WPE', 'a fetch watchpoint before a word that does not exist', '.word 0xffffffff', (b) => watchFetch(b, CODE)],
    [
      'IPE',
      'a missing privilege before what the instruction would do',
      'iocsrrd.d $a0, $a1',
      (b) => b.setHost({ CRMD: 0xb }),
    ],
    ['FPD', 'a disabled unit before the address', 'fld.d $f0, $a0, 0', (b) => b.set({ a0: 0x3000_0000 })],
    ['FPD', 'a disabled unit before a bound', 'fldgt.d $f0, $a0, $a0', (b) => b.set({ a0: 0x3000_0001 })],
    ['ALE', 'alignment before a bound', 'ldgt.d $a1, $a0, $a0', (b) => b.set({ a0: 0x3000_0001 })],
    [
      'ALE',
      'the same for floating point',
      'fstgt.s $f1, $a0, $a0',
      (b) => b.set({ a0: 0x3000_0002 }).setHost({ EUEN: 1 }),
    ],
    ['BCE', 'a bound before what is there', 'ldgt.d $a1, $a0, $a0', (b) => b.set({ a0: 0x3000_0000 })],
    ['ALE', 'alignment before the address', 'amadd.d $a1, $a2, $a0', (b) => b.set({ a0: 0x3000_0001 })],
    [
      'WPE',
      'a load watchpoint before the address',
      'ld.d $a1, $a0, 0',
      (b) => watchLoad(b.set({ a0: 0x3000_0000 }), 0x3000_0000),
    ],
    [
      'INE',
      'equal registers of an atomic before its address',
      'amadd.d $a1, $a1, $a0',
      (b) => b.set({ a0: 0x3000_0001 }),
    ],
  ])('%s: %s', (name, _, text, prepare) => {
    const m = new TestMachine({ code: [text] });
    m.setHost({ EENTRY: VECTOR, TLBRENTRY: VECTOR });
    prepare(m);
    m.run(1);
    expect([m.pc, m.ecode()]).toEqual([VECTOR, NAMES[name]]);
  });

  test('a fetch that misses the TLB comes before the instruction there', () => {
    const m = new TestMachine().setHost({ CRMD: 0x10, TLBRENTRY: VECTOR, EENTRY: 0x50000 }).run(1);
    expect([m.pc, m.host(CSR.TLBRBADV)]).toEqual([VECTOR, BigInt(CODE)]);
  });

  test('a fetch watchpoint comes before a miss of the TLB', () => {
    const m = watchFetch(new TestMachine(), CODE).setHost({ CRMD: 0x10 | WE, TLBRENTRY: 0x50000, EENTRY: VECTOR });
    m.run(1);
    expect([m.pc, m.ecode(), m.host(CSR.ERA)]).toEqual([VECTOR, NAMES.WPE, BigInt(CODE)]);
  });

  test('a misaligned fetch comes before its page', () => {
    const m = new TestMachine().setHost({ CRMD: 0x10, TLBRENTRY: VECTOR, EENTRY: 0x50000 });
    m.pc = CODE + 2;
    m.run(1);
    expect([m.ecode(), m.host(CSR.BADV)]).toEqual([NAMES.ADE, BigInt(CODE + 2)]);
  });
});

/** Registers of the first watchpoint of each kind: address, mask, control. */
function watchFetch(b: TestMachine, address: number): TestMachine {
  b.cpu.host.put(0x390, BigInt(address));
  b.cpu.host.put(0x392, BigInt(PLV0));
  b.cpu.watchpoints.changed();
  return b.setHost({ CRMD: 8 | WE });
}
function watchLoad(b: TestMachine, address: number): TestMachine {
  b.cpu.host.put(0x310, BigInt(address));
  b.cpu.host.put(0x312, BigInt(PLV0 | LOAD));
  b.cpu.watchpoints.changed();
  return b.setHost({ CRMD: 8 | WE });
}

describe('watchpoints', () => {
  // Manual: 7.9.6
  test('masks, PLV and ASID decide; a debugger’s breakpoint at the same place stops first', () => {
    const code = ['andi $zero, $zero, 0', 'andi $zero, $zero, 0', 'b -8'];
    const hit = (control: number, mask: number, asid: number, setup: (b: TestMachine) => void = () => {}): boolean => {
      const b = new TestMachine({ code }).setHost({ EENTRY: VECTOR });
      b.cpu.host.put(0x391, BigInt(mask));
      b.cpu.host.put(0x393, BigInt(asid));
      watchFetch(b, CODE + 4).cpu.host.put(0x392, BigInt(control));
      b.cpu.watchpoints.changed();
      b.setHost({ CRMD: 8 | WE });
      setup(b);
      return b.run(2).pc === VECTOR;
    };
    expect(hit(PLV0, 0, 0)).toBe(true);
    expect(hit(4, 0, 0)).toBe(false);
    expect(hit(PLV0 | 0x80, 0, 5)).toBe(false);
    expect(hit(PLV0 | 0x80, 0, 0)).toBe(true);
    // With the mask the watchpoint covers the instruction before as well.
    expect(hit(PLV0, 4, 0, (b) => b.setHost({ CRMD: 8 | WE }))).toBe(true);
    const b = new TestMachine({ code }).setHost({ EENTRY: VECTOR });
    watchFetch(b, CODE + 4);
    let stopped = 0;
    b.machine.engines[0]!.setHooks({
      breakpoints: (() => {
        const set = new Set([1]);
        return () => set;
      })(),
      breakpointHit: () => {
        stopped++;
        return true;
      },
    });
    b.machine.run(5);
    expect([b.pc, stopped]).toEqual([CODE + 4, 1]);
    b.machine.clearStops();
    b.machine.engines[0]!.setHooks({});
    b.cpu.fast.clearAll();
    expect(b.run(1).pc).toBe(VECTOR);
  });
});
