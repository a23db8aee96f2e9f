/** What random programs against the oracle do not show of LSX and LASX: gating, memory, aliasing, literals. */
import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { vldiLiteral } from '../../src/emu/engine/vldi-literals.ts';
import { STATE } from '../../src/emu/memory/layout.ts';
import { assemble, CODE, TestMachine } from '../support/test-machine.ts';

const VECTOR = 0x40000;
const A = [0x0102030405060708n, 0x1112131415161718n, 0x2122232425262728n, 0x3132333435363738n] as const;

const at = (m: TestMachine, n: number): number => (m.cpu.base + STATE.fpr + 32 * n) >> 3;
const setVector = (m: TestMachine, n: number, values: readonly bigint[]): void =>
  values.forEach((v, i) => {
    m.cpu.mem.u64[at(m, n) + i] = v;
  });
const vector = (m: TestMachine, n: number): bigint[] => [...m.cpu.mem.u64.subarray(at(m, n), at(m, n) + 4)];

const m = (code: readonly string[], euen = 7, cpus = 1): TestMachine => {
  const b = new TestMachine({ code, cpus });
  return b.setHost({ EENTRY: VECTOR, EUEN: euen });
};

describe('units', () => {
  test('SXE and ASXE are separate; each unit raises its own exception', () => {
    for (const [text, euen, ecode] of [
      ['vadd.b $vr0, $vr1, $vr2', 5, 0x10],
      ['xvadd.b $xr0, $xr1, $xr2', 3, 0x11],
      ['fadd.d $f0, $f1, $f2', 6, 0xf],
    ] as const) {
      const b = m([text], euen).run(1);
      expect([b.pc, b.ecode()], text).toEqual([VECTOR, ecode]);
      expect(b.host(CSR.BADI)).toBe(BigInt(assemble(text)));
    }
    expect(m(['vadd.b $vr0, $vr1, $vr2'], 2).run(1).pc).toBe(CODE + 4);
    expect(m(['xvadd.b $xr0, $xr1, $xr2'], 4).run(1).pc).toBe(CODE + 4);
  });

  test('f, vr and xr are one file; LSX leaves the upper half of its register alone', () => {
    const b = m(['vor.v $vr0, $vr1, $vr1', 'fmov.d $f2, $f1']);
    setVector(b, 0, [9n, 9n, 9n, 9n]);
    setVector(b, 1, A);
    b.run(2);
    expect(vector(b, 0)).toEqual([A[0], A[1], 9n, 9n]);
    expect(b.fpr(2)).toBe(A[0]);
  });

  test('every CPU makes its functions itself', () => {
    const b = m(['xvor.v $xr0, $xr1, $xr1', 'b 0'], 7, 2);
    for (const cpu of b.machine.cpus) {
      cpu.parked = false;
      cpu.host.put(CSR.EUEN, 7n);
      cpu.contextChanged();
      cpu.pc = BigInt(CODE);
      cpu.mem.u64[(cpu.base + STATE.fpr + 32) >> 3] = BigInt(cpu.index + 5);
    }
    b.machine.run(4);
    expect(b.machine.cpus.map((c) => c.mem.u64[(c.base + STATE.fpr) >> 3])).toEqual([5n, 6n]);
  });

  test('a move to r0 leaves it 0', () => {
    const b = m(['vpickve2gr.d $zero, $vr1, 0']);
    setVector(b, 1, A);
    expect(b.run(1).cpu.gpr(0)).toBe(0n);
  });
});

describe('memory', () => {
  test('loads and stores across a page boundary', () => {
    const b = m(['xvst $xr1, $a0, 0', 'xvld $xr2, $a0, 0', 'vst $vr1, $a1, 0', 'vld $vr3, $a1, 0']);
    setVector(b, 1, A);
    b.set({ a0: 0x30ff3, a1: 0x32ff9 }).run(4);
    expect(vector(b, 2)).toEqual([...A]);
    expect(vector(b, 3).slice(0, 2)).toEqual([A[0], A[1]]);
  });

  test('a store that faults in its second page writes nothing in the first', () => {
    const end = 32 << 20;
    const b = m(['xvst $xr1, $a0, 0']).poke(end - 16, 7n, 8n);
    setVector(b, 1, A);
    b.set({ a0: end - 16 }).run(1);
    expect([b.pc, b.ecode(), b.peek(end - 16), b.peek(end - 8)]).toEqual([VECTOR, 8, 7n, 8n]);
  });

  test('a load where there is nothing raises ADEM and leaves the register', () => {
    const b = m(['vld $vr1, $a0, 0']);
    setVector(b, 1, A);
    b.set({ a0: 0x3000_0000 }).run(1);
    expect([b.pc, b.ecode(), b.host(CSR.BADV), vector(b, 1)[0]]).toEqual([VECTOR, 8, 0x3000_0000n, A[0]]);
  });

  test('a store into code is executed as stored', () => {
    const b = m(
      ['vst $vr1, $a0, 0', 'ori $a1, $zero, 1', 'ori $a1, $zero, 1', 'nop', 'nop'].map((t) =>
        t.replace('nop', 'andi $zero, $zero, 0'),
      ),
    );
    const word = BigInt(assemble('ori $a1, $zero, 42'));
    setVector(b, 1, [word | (word << 32n), word | (word << 32n)]);
    // Once before, so that the page is decoded and the translation for the store is looked at again.
    b.set({ a0: 0x30000 }).run(3);
    b.pc = CODE;
    b.set({ a0: CODE + 4 }).run(3);
    expect(b.get('a1')).toBe(42n);
  });

  test('without UAL a misaligned vector raises ALE', () => {
    const b = new TestMachine({ code: ['vld $vr1, $a0, 8', 'vld $vr1, $a0, 0'], features: { ual: false } });
    b.setHost({ EENTRY: VECTOR, EUEN: 7 }).set({ a0: 0x30000 }).run(1);
    expect([b.pc, b.ecode(), b.host(CSR.BADV)]).toEqual([VECTOR, 9, 0x30008n]);
    b.pc = CODE + 4;
    expect(b.run(1).pc).toBe(CODE + 8);
  });
});

describe('floating point', () => {
  test('an enabled exception traps with the cause of all elements, and nothing is written', () => {
    const b = m(['vfdiv.s $vr0, $vr1, $vr2']);
    setVector(b, 0, [9n, 9n]);
    // 1/0, 1/3, 0/0 and an overflow.
    setVector(b, 1, [0x3f8000003f800000n, 0x7f7fffff00000000n]);
    setVector(b, 2, [0x4040000000000000n, 0x0080000000000000n]);
    b.cpu.setStateI32('fcsr', 0x8);
    b.run(1);
    expect([b.pc, b.ecode()]).toEqual([VECTOR, 0x12]);
    expect(vector(b, 0).slice(0, 2)).toEqual([9n, 9n]);
    expect(b.cpu.stateI32('fcsr')).toBe(0x1d000008);
  });
});

describe('vldi', () => {
  test.each([
    [0x0ff, 0xffffffffffffffffn],
    [0x07a, 0x7a7a7a7a7a7a7a7an],
    [0x5ff, 0x01ff01ff01ff01ffn],
    [0x600, 0xfe00fe00fe00fe00n],
    [0x801, 0x0000000100000001n],
    [0xe00, 0xfffffffffffffe00n],
    [0x10ab, 0x000000ab000000abn],
    [0x11ab, 0x0000ab000000ab00n],
    [0x12ab, 0x00ab000000ab0000n],
    [0x13ab, 0xab000000ab000000n],
    [0x14ab, 0x00ab00ab00ab00abn],
    [0x15ab, 0xab00ab00ab00ab00n],
    [0x16ab, 0x0000abff0000abffn],
    [0x17ab, 0x00abffff00abffffn],
    [0x18ab, 0xababababababababn],
    [0x19a5, 0xff00ff0000ff00ffn],
    [0x1a70, 0x3f8000003f800000n],
    [0x1bf0, 0x00000000bf800000n],
    [0x1c70, 0x3ff0000000000000n],
  ])('immediate %x', (imm, value) => {
    expect(vldiLiteral(imm)).toBe(value);
    const b = m([`xvldi $xr3, ${imm >= 0x1000 ? imm - 0x2000 : imm}`]).run(1);
    expect(vector(b, 3)).toEqual([value, value, value, value]);
  });

  test('a reserved immediate raises INE', () => {
    for (const imm of [0x1d00, 0x1e12, 0x1fff]) {
      const b = m([`vldi $vr3, ${imm - 0x2000}`]).run(1);
      expect([b.pc, b.ecode()]).toEqual([VECTOR, 0xd]);
    }
  });
});
