/** Remarks on values of CSRs, as `info csr` and the auditor make them: each rule, broken and kept. */
import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { guestOwner } from '../../src/emu/cpu/csr-writers.ts';
import { HOST_WORLD } from '../../src/emu/debug/context.ts';
import { hasWritten, lastWrite } from '../../src/emu/debug/csr-words.ts';
import { remarksAt, remarksOn } from '../../src/emu/debug/why/remarks.ts';
import type { Values } from '../../src/emu/debug/why/values.ts';
import { TestMachine } from '../support/test-machine.ts';

/** The host's registers after `csrwr` of values, in their order. */
function host(written: readonly (readonly [num: number, value: bigint])[]): Values {
  const m = new TestMachine({ code: written.map(([num]) => `csrwr $a0, 0x${num.toString(16)}`) });
  for (const [, value] of written) {
    m.set({ a0: value });
    m.run(1);
  }
  const { machine, cpu } = m;
  return { machine, cpu, world: HOST_WORLD, csr: (num) => cpu.host.get(num), name: () => undefined };
}

const textsOn = (num: number, v: Values): string[] => remarksOn(num, v).map((r) => `${r.rule.id}: ${r.text}`);
const idsAt = (when: 'entered' | 'host', v: Values): string[] => remarksAt(when, v).map((r) => r.rule.id);

describe('one register', () => {
  test.each([
    [
      'EENTRY',
      0x9000_0000_0100_4040n,
      /^vector-aligned: eentry was given 0x9000000001004040 and keeps 0x9000000001004000/,
    ],
    ['TLBRENTRY', 0x7_0000_1000n, /^refill-physical: TLBRENTRY is 0x700001000, where no RAM is/],
    ['DMW1', 0x9000_0000_0000_0010n, /^window: dmw1 = 0x9000000000000010 is open to no PLV/],
    [
      'PWCL',
      BigInt(12 | (9 << 5) | (20 << 10) | (9 << 15)),
      /^walk-geometry: PWCL\.Dir1_base is 20, .* ends at bit 21/,
    ],
  ] as const)('%s is wrong', (name, value, says) => {
    expect(textsOn(CSR[name], host([[CSR[name], value]]))).toEqual([expect.stringMatching(says)]);
  });

  test.each([
    ['EENTRY', 0x9000_0000_0100_4000n],
    ['TLBRENTRY', 0x1000n],
    ['DMW1', 0x9000_0000_0000_0011n],
    ['PWCL', BigInt(12 | (9 << 5) | (21 << 10) | (9 << 15))],
  ] as const)('%s is right', (name, value) => {
    expect(textsOn(CSR[name], host([[CSR[name], value]]))).toEqual([]);
  });

  test('what matters at an entry is not said while the host runs', () => {
    expect(textsOn(CSR.GTLBC, host([[CSR.GTLBC, 0x5_1000n]]))).toEqual([]);
  });
});

describe('at a world switch', () => {
  const ready = [
    [CSR.EENTRY, 0x1000n],
    [CSR.TLBRENTRY, 0x2000n],
    [CSR.GSTAT, 0x5_0002n],
    [CSR.GTLBC, 0x5_1000n],
    [CSR.CRMD, 0xcn],
  ] as const;
  const but = (num: number, value: bigint): (readonly [number, bigint])[] =>
    ready.map(([n, v]) => [n, n === num ? value : v]);

  test('nothing is said of a host that has done all', () => expect(idsAt('entered', host(ready))).toEqual([]));

  test.each([
    ['vector-written', ready.filter(([n]) => n !== CSR.EENTRY)],
    ['gid', but(CSR.GSTAT, 2n).map(([n, v]) => [n, n === CSR.GTLBC ? 0x1000n : v] as const)],
    ['tgid-gid', but(CSR.GTLBC, 0x6_1000n)],
    ['host-interrupts', but(CSR.CRMD, 8n)],
  ] as const)('%s', (rule, written) => expect(idsAt('entered', host(written))).toEqual([rule]));

  test('a vCPU without a mode', () => {
    const values = host(ready);
    values.cpu.guest.setLo(CSR.CRMD, 0);
    expect(idsAt('entered', values)).toEqual(['entry-mode']);
  });

  test('what an exit leaves behind', () => {
    expect(idsAt('host', host(ready))).toEqual(['pgm-cleared', 'tgid-cleared']);
    expect(idsAt('host', host([[CSR.GSTAT, 0x5_0000n]]))).toEqual([]);
  });
});

describe('a CSR of a guest that another GID has written', () => {
  test.each([
    ['is not said to be unwritten where GIDs are not known to be VMs', false, true],
    ['is unwritten where VMs are numbered', true, false],
  ])('%s', (_, numbered, written) => {
    const { cpu } = new TestMachine({ code: [] });
    cpu.events.numbered = numbered;
    expect(hasWritten(cpu, 2, CSR.PGDL)).toBe(false);
    cpu.writers.note(guestOwner(1), CSR.PGDL, 0, 0, cpu);
    expect(hasWritten(cpu, 2, CSR.PGDL)).toBe(written);
  });

  test('is the VM’s write, when the VM had that GID then', () => {
    const { cpu } = new TestMachine({ code: [] });
    cpu.events.numbered = true;
    // VM 7 had GID 1 until tick 100, and has GID 2 since.
    cpu.events.vmOf = (gid, time) => (time < 100 === (gid === 1) ? 7 : 8);
    cpu.writers.note(guestOwner(1), CSR.PGDL, 0x1000, 0, { pcLo: 0x20, pcHi: 0, now: 50 });
    expect(lastWrite(cpu, 7, CSR.PGDL)).toMatchObject({ owner: 7, pc: 0x20n, time: 50 });
    expect(lastWrite(cpu, 8, CSR.PGDL)).toBeUndefined();
    cpu.writers.note(guestOwner(2), CSR.PGDL, 0x2000, 0, { pcLo: 0x30, pcHi: 0, now: 150 });
    expect(lastWrite(cpu, 7, CSR.PGDL)).toMatchObject({ pc: 0x30n, time: 150 });
    expect(hasWritten(cpu, 7, CSR.PGDL)).toBe(true);
    expect(hasWritten(cpu, 8, CSR.PGDL)).toBe(false);
  });
});
