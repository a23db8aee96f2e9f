/** Words that the architecture answers with INE because of the registers that they name, in translated code too. */
import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import type { EngineKind } from '../../src/emu/machine/processors.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

const INE = 0xd;

/**
 * An instruction behind a loop that is translated with it, and that has stored where it stores: nothing leaves it to the
 * interpreter. Exceptions end in a loop at 0x40000.
 */
const run = (engine: EngineKind, line: string): TestMachine =>
  new TestMachine({ engine, code: ['addi.d $t0, $t0, 1', 'st.d $zero, $a1, 0', 'blt $t0, $t1, -8', line, 'b 0'] })
    .code(0x40000, ['b 0'])
    .setHost({ EENTRY: 0x40000 })
    .set({ t1: 50, a0: 1, a1: 0x30000, a2: 1, a3: 0x30000 })
    .run(5000);

describe.each(['interpreter', 'jit'] as EngineKind[])('a register that must differ (%s)', (engine) => {
  test.each([
    ['amadd.d $a1, $a0, $a1', 'rd = rj'],
    ['amadd.d $a0, $a0, $a1', 'rd = rk'],
    ['amcas.d $a1, $a0, $a1', 'rd = rj'],
  ])('%s (%s)', (line) => {
    const m = run(engine, line);
    expect([m.ecode(), Number(m.host(CSR.ERA)), m.get('t0')]).toEqual([INE, CODE + 12, 50n]);
    expect([m.get('a1'), m.get('a0'), m.peek(0x30000)]).toEqual([0x30000n, 1n, 0n]);
  });

  test.each(['amadd.d $zero, $zero, $a1', 'amadd.d $a1, $a2, $a3'])('%s is no mistake', (line) => {
    const m = run(engine, line);
    expect([m.host(CSR.ESTAT), m.pc]).toEqual([0n, CODE + 16]);
  });
});
