/** Corners of exception entry and return, and of registers that are computed. */
import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { interruptDue } from '../../src/emu/cpu/interrupts.ts';
import { TestMachine } from '../support/test-machine.ts';

// Manual: 6.3.1
describe('exception entry', () => {
  test.each([
    [0xffff_f000, 0xffff_f000n],
    [0xffff_e000, 0xffff_f000n],
  ])(
    'with EENTRY %i and the widest slots, the vector of ADEM is joined by OR and carries nowhere',
    (eentry, vector) => {
      // Slots of 512 bytes: Ecode 8 is 4 KiB behind.
      const m = new TestMachine({ code: ['ld.w $a0, $a1, 0'] })
        .set({ a1: 0x18000000 })
        .setHost({ EENTRY: BigInt(eentry), ECFG: 7 << 16 })
        .run(1);
      expect([m.ecode(), m.cpu.pc]).toEqual([8, vector]);
    },
  );
});

// Manual: 6.3.5, 4.2.6.1, 7.7.1, 7.7.4
describe('return from a machine error', () => {
  test('CRMD comes back out of MERRCTL: PLV, IE, WE, and the modes of translation', () => {
    const PLV = 1 << 2;
    const IE = 1 << 4;
    const WE = 1 << 6;
    const DA_DATM = (1 << 7) | (2 << 11);
    const back = (merrctl: number): bigint =>
      new TestMachine({ code: ['ertn'] })
        .setHost({ MERRCTL: 1 | merrctl, MERRERA: 0x20000 })
        .run(1)
        .host(CSR.CRMD);
    expect(back(DA_DATM)).toBe(0x108n);
    expect(back(DA_DATM | WE)).toBe(0x308n);
    expect(back(DA_DATM | IE)).toBe(0x10cn);
    expect(back(DA_DATM | PLV)).toBe(0x109n);
  });
});

// Manual: 6.1.4
describe('interrupts', () => {
  test.each([
    [0, 0x1fff, 4, false],
    [1, 1, 4, true],
    [1, 2, 4, false],
    [1, 1, 0, false],
    [2, 3, 4, true],
  ])('pending %i, enabled %i, CRMD.IE %i: due %s', (pending, enabled, ie, due) => {
    const m = new TestMachine().setHost({ ESTAT: pending, ECFG: enabled, CRMD: 8 | ie });
    expect(interruptDue(m.cpu)).toBe(due);
  });
});

describe('PGD', () => {
  test.each([
    [0x1_0000_0000n, 'PGDL'],
    [0x7fff_ffff_f000n, 'PGDL'],
    [0xffff_8000_0000_0000n, 'PGDH'],
    [0x8000_0000_0000n, 'PGDH'],
  ] as const)('is chosen by bit 47 of BADV alone: %i leads to %s', (badv, root) => {
    const m = new TestMachine({ code: ['csrrd $a0, 0x1b'] }).setHost({ BADV: badv, PGDL: 0x1000, PGDH: 0x2000 }).run(1);
    expect(m.get('a0')).toBe(root === 'PGDL' ? 0x1000n : 0x2000n);
  });
});
