/** Load/store and fetch watchpoints against the manual's own description of a hit (Vol. 1, 7.9). */
import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { seeded } from '../support/random.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

const VECTOR = 0x40000;
const DATA = 0x30000;
const WE = 0x200;
const DIRECT = 8;

/** "Definition of load/store watchpoint bytemask": bytes that are left out, by Size and VAddr[2:0]. */
const BYTEMASK = [
  [0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
  [0xf0, 0xf0, 0xf0, 0xf0, 0x0f, 0x0f, 0x0f, 0x0f],
  [0xfc, 0xfc, 0xf3, 0xf3, 0xcf, 0xcf, 0x3f, 0x3f],
  [0xfe, 0xfd, 0xfb, 0xf7, 0xef, 0xdf, 0xbf, 0x7f],
];
/** "Definition of … mbyten": bytes that an aligned access of `size` bytes reaches. */
const mbyten = (address: number, size: number): number => (((1 << size) - 1) << (address & 7)) & 0xff;

interface Watch {
  readonly vaddr: number;
  readonly mask: number;
  readonly control: number;
  readonly asid: number;
}

interface Access {
  readonly address: number;
  readonly size: number;
  readonly loads: boolean;
  readonly stores: boolean;
  readonly plv: number;
  readonly asid: number;
  readonly enabled: boolean;
}

/** The steps 1 to 7 of 7.9.3. Steps 6 and 7 divide the address: the doubleword is compared in 6, its bytes in 7. */
function hits(w: Watch, a: Access): boolean {
  if (!a.enabled) return false;
  if (!((w.control >> (1 + a.plv)) & 1)) return false;
  if (!((a.loads && w.control & 0x100) || (a.stores && w.control & 0x200))) return false;
  if (w.control & 0x80 && a.asid !== w.asid) return false;
  if ((a.address & ~w.mask & ~7) !== (w.vaddr & ~w.mask & ~7)) return false;
  const bytemask = BYTEMASK[(w.control >> 10) & 3]![w.vaddr & 7]!;
  return (~bytemask & mbyten(a.address, a.size)) !== 0;
}

const LOADS: Readonly<Record<number, string>> = { 1: 'ld.bu', 2: 'ld.h', 4: 'ld.w', 8: 'ld.d' };
const STORES: Readonly<Record<number, string>> = { 1: 'st.b', 2: 'st.h', 4: 'st.w', 8: 'st.d' };

function setUp(m: TestMachine, first: number, w: Watch): void {
  [BigInt(w.vaddr), BigInt(w.mask), BigInt(w.control), BigInt(w.asid)].forEach((v, k) => {
    m.cpu.host.put(first + k, v);
  });
  m.cpu.watchpoints.changed();
  m.cpu.fast.clearAll();
}

describe('load/store watchpoints', () => {
  // Manual: 7.9.3, 7.4.1
  test.each(['interpreter', 'jit'] as const)('a hit is what the manual says (%s)', (engine) => {
    const m = new TestMachine({ engine });
    const random = seeded(17);
    const pick = <T>(list: readonly T[]): T => list[random() % list.length]!;
    let hit = 0;
    for (let n = 0; n < 2000; n++) {
      const size = pick([1, 2, 4, 8]);
      const address = DATA + (random() % 32) - (random() % 32 === 0 ? 0x1000 : 0);
      const w: Watch = {
        vaddr: DATA + (random() % 16),
        mask: pick([0, 0, 0, 7, 8, 0xf, 0xfff]),
        control:
          (random() & 0x1e) |
          pick([0, 0, 0x80]) |
          pick([0x100, 0x200, 0x300, 0x300]) |
          ((random() % 4) << 10) |
          pick([0x1e, 0]),
        asid: pick([3, 4]),
      };
      const store = random() % 2 === 0;
      const a: Access = {
        address: address - (address % size),
        size,
        loads: !store,
        stores: store,
        plv: random() % 4,
        asid: pick([3, 4]),
        enabled: random() % 8 !== 0,
      };
      setUp(m, CSR.MWP0CFG1, w);
      m.code(CODE, [`${(store ? STORES : LOADS)[size]} $a0, $a1, 0`]).set({ a1: a.address });
      m.setHost({
        CRMD: DIRECT | a.plv | (a.enabled ? WE : 0),
        EENTRY: VECTOR,
        ESTAT: 0,
        ASID: 0xa0000 | a.asid,
        BADV: 0x77,
        MWPS: 0,
      });
      m.cpu.pc = BigInt(CODE);
      m.run(1);
      const wanted = hits(w, a);
      const what = JSON.stringify({ w, a });
      expect(m.cpu.pc, what).toBe(BigInt(wanted ? VECTOR : CODE + 4));
      expect(m.host(CSR.MWPS), what).toBe(wanted ? 1n : 0n);
      // WPEM: Ecode 0x13, EsubCode 1. BADV is not among what it writes (7.4.8).
      if (wanted)
        expect([(m.host(CSR.ESTAT) >> 16n) & 0x7fffn, m.host(CSR.BADV)], what).toEqual([0x13n | (1n << 6n), 0x77n]);
      if (wanted) hit++;
    }
    expect(hit).toBeGreaterThan(200);
  });

  // Manual: 7.9.3
  test('atomic operations read and write, ll reads, sc writes', () => {
    for (const [text, loads, stores] of [
      ['amadd.d $a0, $a2, $a1', true, true],
      ['amswap_db.w $a0, $a2, $a1', true, true],
      ['ll.d $a0, $a1, 0', true, false],
      ['ll.w $a0, $a1, 0', true, false],
    ] as const)
      for (const control of [0x100, 0x200]) {
        const m = new TestMachine({ code: [text] }).set({ a1: DATA });
        setUp(m, CSR.MWP0CFG1, { vaddr: DATA, mask: 0, control: control | 2, asid: 0 });
        m.setHost({ CRMD: DIRECT | WE, EENTRY: VECTOR }).run(1);
        expect(m.pc === VECTOR, `${text} ${control.toString(16)}`).toBe(control === 0x100 ? loads : stores);
      }
    for (const control of [0x100, 0x200]) {
      const m = new TestMachine({ code: ['ll.d $a0, $a1, 0', 'sc.d $a0, $a1, 0'] }).set({ a1: DATA });
      setUp(m, CSR.MWP0CFG1, { vaddr: DATA, mask: 0, control: control | 2, asid: 0 });
      m.setHost({ CRMD: DIRECT, EENTRY: VECTOR })
        .run(1)
        .setHost({ CRMD: DIRECT | WE })
        .run(1);
      expect(m.pc === VECTOR, `sc.d ${control.toString(16)}`).toBe(control === 0x200);
    }
  });

  // Manual: 7.9.2
  test('MWPS: a bit for each watchpoint, kept until software writes 1; Skip lets one hit pass and marks none', () => {
    const m = new TestMachine({ code: ['st.d $a0, $a1, 0'] }).set({ a1: DATA });
    const control = 0x202;
    setUp(m, CSR.MWP0CFG1 + 8 * 5, { vaddr: DATA, mask: 0, control, asid: 0 });
    const go = (): number => {
      m.setHost({ CRMD: DIRECT | WE, EENTRY: VECTOR });
      m.cpu.pc = BigInt(CODE);
      return m.run(1).pc;
    };
    expect([go(), m.host(CSR.MWPS)]).toEqual([VECTOR, 0x20n]);
    setUp(m, CSR.MWP0CFG1 + 8 * 5, { vaddr: 0, mask: 0, control: 0, asid: 0 });
    setUp(m, CSR.MWP0CFG1 + 8 * 7, { vaddr: DATA, mask: 0, control, asid: 0 });
    expect([go(), m.host(CSR.MWPS)]).toEqual([VECTOR, 0xa0n]);
    // Writing 0 clears nothing, writing 1 its own bit.
    const write = (value: bigint): void => {
      m.code(0x20000, ['csrwr $a2, 0x301']).set({ a2: value }).setHost({ CRMD: DIRECT });
      m.cpu.pc = 0x20000n;
      m.run(1);
    };
    write(0x1_0020n);
    expect(m.host(CSR.MWPS)).toBe(0x1_0080n);
    expect([go(), m.host(CSR.MWPS)]).toEqual([CODE + 4, 0x80n]);
    expect(go()).toBe(VECTOR);
  });

  // Manual: 6.3.2, 7.9.3
  test('a misaligned access that must be aligned raises ALE; a watched page that is missing WPEM', () => {
    const m = new TestMachine({ code: ['ll.d $a0, $a1, 0'] }).set({ a1: DATA + 1 });
    setUp(m, CSR.MWP0CFG1, { vaddr: DATA, mask: 0, control: 0x302, asid: 0 });
    expect(
      m
        .setHost({ CRMD: DIRECT | WE, EENTRY: VECTOR })
        .run(1)
        .ecode(),
    ).toBe(9);
    const p = new TestMachine({ code: ['ld.d $a0, $a1, 0'] }).set({ a1: 0x1_0000_0000n });
    setUp(p, CSR.MWP0CFG1, { vaddr: 0x1_0000_0000, mask: 0, control: 0x302, asid: 0 });
    p.setHost({ CRMD: 0x10 | WE, DMW0: 0x9000_0000_0000_0001n, EENTRY: VECTOR, TLBRENTRY: 0x50000 });
    p.cpu.pc = 0x9000_0000_0000_0000n | BigInt(CODE);
    expect(p.run(1).ecode()).toBe(0x13);
  });
});

describe('fetch watchpoints', () => {
  const PC_MASK = 0xffff_ffff_ffff_ffffn;
  // Manual: 7.9.6, 7.4.1
  test('every bit of PC that the mask does not leave out is compared', () => {
    const m = new TestMachine();
    const random = seeded(4);
    const pick = <T>(list: readonly T[]): T => list[random() % list.length]!;
    let count = 0;
    for (let n = 0; n < 600; n++) {
      const pc = CODE + 4 * (random() % 8);
      const vaddr = CODE + pick([0, 4, 8, 12, 16, 2, 6]);
      const mask = pick([0, 0, 4, 0xc, 3, 0xff, 0xffff_0000]);
      const [plv, asid] = [random() % 4, pick([3, 4])];
      const control = (random() & 0x1e) | pick([0, 0x80]);
      const enabled = random() % 6 !== 0;
      setUp(m, CSR.FWP0CFG1, { vaddr, mask, control, asid: 3 });
      m.code(
        CODE,
        Array.from({ length: 8 }, () => 'addi.d $a0, $a0, 1'),
      );
      m.setHost({ CRMD: DIRECT | plv | (enabled ? WE : 0), EENTRY: VECTOR, ASID: 0xa0000 | asid, BADV: 0x55, FWPS: 0 });
      m.cpu.pc = BigInt(pc);
      m.run(1);
      const wanted =
        enabled &&
        ((control >> (1 + plv)) & 1) === 1 &&
        (!(control & 0x80) || asid === 3) &&
        (BigInt(pc) & ~BigInt(mask) & PC_MASK) === (BigInt(vaddr) & ~BigInt(mask) & PC_MASK);
      const what = `${pc.toString(16)} ${vaddr.toString(16)} ${mask.toString(16)} ${control.toString(16)} PLV${plv} ${asid}`;
      expect(m.pc, what).toBe(wanted ? VECTOR : pc + 4);
      if (!wanted) continue;
      count++;
      expect([m.host(CSR.ESTAT) >> 16n, m.host(CSR.FWPS), m.host(CSR.ERA), m.host(CSR.BADV)], what).toEqual([
        0x13n,
        1n,
        BigInt(pc),
        0x55n,
      ]);
    }
    expect(count).toBeGreaterThan(30);
  });

  // Manual: 6.3.2, 7.9.5
  test('WPEF comes before ADEF and before a refill; Skip waits for a fetch without a fault', () => {
    const m = new TestMachine();
    setUp(m, CSR.FWP0CFG1, { vaddr: CODE + 2, mask: 0, control: 2, asid: 0 });
    m.setHost({ CRMD: DIRECT | WE, EENTRY: VECTOR });
    m.cpu.pc = BigInt(CODE + 2);
    expect(m.run(1).ecode()).toBe(0x13);
    const at = 0x1_0000_0000;
    const missing = (fwps: number): TestMachine => {
      const p = new TestMachine();
      setUp(p, CSR.FWP0CFG1, { vaddr: at, mask: 0, control: 2, asid: 0 });
      p.setHost({ CRMD: 0x10 | WE, EENTRY: VECTOR, TLBRENTRY: 0x50000, DMW0: 1, FWPS: fwps });
      p.cpu.pc = BigInt(at);
      // DMW0 is for segment 0, so the address must be outside it.
      p.setHost({ DMW0: 0x9000_0000_0000_0001n });
      return p.run(1);
    };
    expect(missing(0).ecode()).toBe(0x13);
    const skipping = missing(0x10000);
    expect([skipping.pc, skipping.host(CSR.FWPS)]).toEqual([0x50000, 0x10000n]);
  });
});
