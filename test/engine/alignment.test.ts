/** A CPU that wants aligned accesses (`ual=off`): pages that are cached serve them at once, and misaligned ones still raise ALE. */
import { describe, expect, test, vi } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { MemoryAccess } from '../../src/emu/engine/memory-access.ts';
import type { EngineKind } from '../../src/emu/machine/processors.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

const DATA = 0x30_0000;
const ALE = 9n;
const LOOP = ['ld.d $t0, $a0, 0', 'st.d $t0, $a0, 8', 'addi.d $a1, $a1, -1', 'bne $a1, $zero, -12'];

describe.each(['interpreter', 'jit'] as const satisfies readonly EngineKind[])('aligned accesses, %s', (engine) => {
  const machine = (ual: boolean, last: string): TestMachine => {
    const m = new TestMachine({ engine, features: { ual }, code: [...LOOP, last, 'b 0'] });
    m.setHost({ EENTRY: 0x40000n });
    m.code(0x40000, ['b 0']);
    return m.set({ a0: DATA, a1: 1000 });
  };

  test.each(['ld.h $t1, $a0, 1', 'ld.w $t1, $a0, 2', 'ld.d $t1, $a0, 4', 'st.w $t1, $a0, 6', 'st.h $t1, $a0, 7'])(
    '%s raises ALE though its page is cached, and only without ual',
    (last) => {
      for (const ual of [false, true]) {
        const m = machine(ual, last);
        m.run(20_000);
        expect((m.cpu.host.get(CSR.ESTAT) >> 16n) & 0x3fn).toBe(ual ? 0n : ALE);
        if (!ual) expect(m.cpu.host.get(CSR.ERA)).toBe(BigInt(CODE + 4 * LOOP.length));
      }
    },
  );

  test('aligned ones take the slow path only once for each page', () => {
    const slow = [vi.spyOn(MemoryAccess.prototype, 'load'), vi.spyOn(MemoryAccess.prototype, 'store')];
    const m = machine(false, 'or $t1, $t0, $t0');
    m.run(20_000);
    expect(m.get('a1')).toBe(0n);
    for (const s of slow) {
      expect(s.mock.calls.length).toBeLessThan(3);
      s.mockRestore();
    }
  });
});
