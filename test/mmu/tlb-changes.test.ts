/** Reports to observers about `invtlb` in the host: owner and type of the entries, and the address. */

import { expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import type { TlbChange } from '../../src/emu/cpu/observer.ts';
import { TestMachine } from '../support/test-machine.ts';

const [HOST, GUEST, GID, ALL, PAIR] = [false, true, 3, -1, 2];

test.each([
  [
    0,
    [
      [GUEST, ALL, -1],
      [HOST, ALL, -1],
    ],
  ],
  [1, [[HOST, 0, -1]]],
  [4, [[HOST, 0, -1]]],
  [5, [[HOST, 0, PAIR]]],
  [6, [[HOST, 0, PAIR]]],
  [9, [[GUEST, GID, -1]]],
  [13, [[GUEST, GID, PAIR]]],
  [14, [[GUEST, GID, PAIR]]],
  [16, [[GUEST, ALL, -1]]],
  [17, [[HOST, ALL, -1]]],
  [
    18,
    [
      [GUEST, ALL, -1],
      [HOST, ALL, -1],
    ],
  ],
  [19, [[GUEST, GID, -1]]],
  [20, [[HOST, GID, -1]]],
  [
    21,
    [
      [GUEST, GID, -1],
      [HOST, GID, -1],
    ],
  ],
  [22, [[HOST, GID, PAIR]]],
] as [number, [boolean, number, number][]][])('operation %i', (op, expected) => {
  const m = new TestMachine({ code: [`invtlb ${op}, $a0, $a1`] }).set({ a0: 7 | (GID << 16), a1: 0x5000 });
  const told: TlbChange[] = [];
  m.cpu.observe({ tlbChanged: (_, change) => told.push(change) });
  m.run(1);
  expect(told).toEqual(
    expected.map(([guestType, gid, vppn]) => ({ guestType, gid, index: -1, vppn, by: `invtlb 0x${op.toString(16)}` })),
  );
});

test.each(['tlbwr', 'tlbfill'])('%s is named as what it is, in a refill handler and outside', (name) => {
  for (const isRefill of [0, 1]) {
    const m = new TestMachine({ code: [name] });
    m.cpu.host.setLo(CSR.TLBRERA, isRefill);
    m.cpu.host.setLo(CSR.STLBPS, 12);
    m.cpu.host.setLo(CSR.TLBIDX, 12 << 24);
    m.cpu.host.setLo(CSR.TLBREHI, 12);
    const told: TlbChange[] = [];
    m.cpu.observe({ tlbChanged: (_, change) => told.push(change) });
    m.run(1);
    expect(told.map((change) => change.by)).toEqual([name]);
  }
});
