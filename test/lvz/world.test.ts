/** Guest entry and exit, the guest bank, two-stage translation, interrupts and time of a guest. */
import { describe, expect, test } from 'vitest';
import { MERRCTL } from '../../src/emu/cpu/csr-fields.ts';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { assemble, TestMachine } from '../support/test-machine.ts';

const HOST = 0x10000;
const EXIT = 0x40000;
const REFILL = 0x50000;
const WINDOW = 0x9000_0000_0000_0000n;
const GUEST = 0x20_0000;
const V_D = 0x13n;
const PG = 0x10;
const GSTAT_PGM = 2;
const TGID = (gid: number): number => 0x1000 | (gid << 16);

/** Puts a GPA→HPA pair of pages of guest `gid` into the TLB, as the host's refill would. */
function stage2(m: TestMachine, gid: number, gpa: number, even: bigint, odd: bigint, ps = 12): void {
  const { cpu } = m;
  expect(cpu.vm).toBe(false);
  const saved = cpu.pc;
  m.setHost({ GTLBC: TGID(gid), TLBEHI: gpa, TLBELO0: even, TLBELO1: odd, TLBIDX: BigInt(ps) << 24n, TLBRERA: 0 });
  m.code(0x60000, ['tlbfill']);
  cpu.pc = WINDOW + 0x60000n;
  m.run(1);
  cpu.pc = saved;
}

/** A host with one guest: GPA 0x200000 is HPA 0x400000, and the pair above. The host stands before its ertn. */
function world(guestCode: readonly string[], gid = 1, m = new TestMachine()): TestMachine {
  m.code(HOST, ['ertn']).code(0x40_0000, guestCode);
  m.setHost({ DMW0: WINDOW | 0xfn, CRMD: PG, EENTRY: WINDOW + BigInt(EXIT), TLBRENTRY: REFILL });
  stage2(m, gid, GUEST, 0x40_0000n | V_D, 0x40_1000n | V_D);
  m.setHost({ GSTAT: 0x80 | GSTAT_PGM | (gid << 16), ERA: GUEST, PRMD: 4 });
  m.cpu.pc = WINDOW + BigInt(HOST);
  return m;
}

/** Enters and runs `n` guest instructions. */
const enter = (guestCode: readonly string[], n: number, prepare: (b: TestMachine) => void = () => {}): TestMachine => {
  const m = world(guestCode);
  prepare(m);
  return m.run(1 + n);
};

describe('guest entry and exit', () => {
  test('ertn with PGM enters the guest: its PC, its CRMD', () => {
    const m = enter([], 0);
    expect([m.cpu.vm, m.pc, m.cpu.gid]).toEqual([true, GUEST, 1]);
    expect(m.host(CSR.CRMD) & 4n).toBe(4n);
    expect(m.guest(CSR.CRMD)).toBe(8n);
  });

  test('after a machine error MERRCTL.PGM says where ertn goes, whatever GSTAT.PGM says', () => {
    for (const pgm of [0, MERRCTL.PGM]) {
      const merr = { MERRCTL: MERRCTL.IsMERR | MERRCTL.PPG | pgm, MERRERA: GUEST };
      const m = world([])
        .setHost({ ...merr, GSTAT: pgm ? 0x10080 : 0x10082 })
        .run(1);
      expect([m.cpu.vm, m.pc]).toEqual([pgm !== 0, GUEST]);
    }
  });

  test('ertn without PGM stays in the host', () => {
    const m = world([])
      .setHost({ GSTAT: 0x10080, ERA: WINDOW + 0x10000n })
      .run(1);
    expect(m.cpu.vm).toBe(false);
  });

  test('a hypercall exits: ERA is the hvcl, BADI its word, PGM is set, the guest bank untouched', () => {
    const m = enter(['hvcl 0x123'], 1);
    expect([m.cpu.vm, m.cpu.pc, m.ecode()]).toEqual([false, WINDOW + BigInt(EXIT), 0x17]);
    expect([m.host(CSR.ERA), m.host(CSR.BADI)]).toEqual([BigInt(GUEST), BigInt(assemble('hvcl 0x123'))]);
    expect(m.host(CSR.GSTAT) & 2n).toBe(2n);
    expect(m.host(CSR.PRMD)).toBe(4n);
    expect([m.guest(CSR.ESTAT), m.guest(CSR.ERA), m.guest(CSR.CRMD)]).toEqual([0n, 0n, 8n]);
  });

  test('a host exception afterwards clears PGM (rule A), so that its ertn returns to the host', () => {
    const m = enter(['hvcl 0'], 1);
    m.code(EXIT, ['syscall 0']).run(1);
    expect(m.host(CSR.GSTAT) & 2n).toBe(0n);
  });

  test.each([
    ['cpucfg $a0, $a1', 0],
    ['cpucfg $a0, $a1', 3],
    ['iocsrrd.w $a0, $a1', 0],
    ['iocsrwr.d $a0, $a1', 0],
    ['idle 0', 0],
    ['csrrd $a0, 0x50', 0],
    ['csrwr $a0, 0x15', 0],
    ['csrrd $a0, 0x80', 0],
    ['csrrd $a0, 0x500', 0],
    ['csrrd $a0, 0x200', 0],
    ['csrrd $a0, 0x300', 0],
    ['csrrd $a0, 0xc0', 0],
    ['dbcl 0', 0],
  ])('%s at PLV%i exits with GSPR', (text, plv) => {
    const m = enter([text], 1, (b) => b.setGuest({ CRMD: 8 | plv }));
    expect([m.cpu.vm, m.ecode(), m.host(CSR.ERA), m.host(CSR.BADI)]).toEqual([
      false,
      0x16,
      BigInt(GUEST),
      BigInt(assemble(text)),
    ]);
  });

  test.each([
    ['SYS', 'syscall 0', 0, 0xb],
    ['BRK', 'break 0', 0, 0xc],
    ['INE', '.word 0', 0, 0xd],
    ['INE', 'gcsrrd $a0, 0', 0, 0xd],
    ['INE', 'gtlbfill', 3, 0xd],
    ['IPE', 'csrrd $a0, 0x50', 3, 0xe],
    ['IPE', 'iocsrrd.w $a0, $a1', 3, 0xe],
    ['IPE', 'idle 0', 3, 0xe],
    ['IPE', 'hvcl 0', 3, 0xe],
    ['IPE', 'invtlb 0x12, $zero, $zero', 0, 0xe],
    ['ALE', 'll.w $a0, $a1, 0', 0, 9],
  ])('%s by "%s" at PLV%i stays inside the guest', (_, text, plv, ecode) => {
    const m = enter([text], 1, (b) => b.setGuest({ CRMD: 8 | plv, EENTRY: GUEST + 0x1000 }).set({ a1: GUEST + 1 }));
    expect([m.cpu.vm, m.pc, m.ecode(true)]).toEqual([true, GUEST + 0x1000, ecode]);
    expect([m.guest(CSR.ERA), m.ecode()]).toEqual([BigInt(GUEST), 0]);
    expect(m.cpu.events.exits.reduce((a, b) => a + b)).toBe(0);
  });

  test('a unit needs the guest’s EUEN and the host’s: the guest is told first', () => {
    for (const [guest, host, exits] of [
      [0, 7, false],
      [2, 0, true],
    ] as const) {
      const m = enter(['vadd.b $vr0, $vr0, $vr0'], 1, (b) =>
        b.setHost({ EUEN: host }).setGuest({ EUEN: guest, EENTRY: GUEST }),
      );
      expect([m.cpu.vm, m.ecode(!exits)]).toEqual([!exits, 0x10]);
    }
    const both = enter(['vadd.b $vr0, $vr0, $vr0'], 1, (b) => b.setHost({ EUEN: 2 }).setGuest({ EUEN: 2 }));
    expect([both.cpu.vm, both.pc]).toEqual([true, GUEST + 4]);
  });

  test('watchpoints of the host leave guests alone, whatever their CRMD.WE says', () => {
    const m = enter(['andi $zero, $zero, 0'], 1, (b) => {
      b.cpu.host.put(0x390, BigInt(GUEST));
      b.cpu.host.put(0x392, 0x1en);
      b.cpu.watchpoints.changed();
      b.setGuest({ CRMD: 0x208 });
    });
    expect([m.cpu.vm, m.pc]).toEqual([true, GUEST + 4]);
  });

  test('cacop: index types exit with GCI 2, hit types do not', () => {
    const gci = (b: TestMachine): void => void b.setHost({ GCFG: 0x270113 });
    expect(enter(['cacop 0, $a1, 0'], 1, gci).ecode()).toBe(0x16);
    const hit = enter(['cacop 16, $a1, 0'], 1, (b) => {
      gci(b);
      b.set({ a1: GUEST });
    });
    expect([hit.cpu.vm, hit.pc]).toEqual([true, GUEST + 4]);
  });

  test('GCFG.TIT makes guest timer CSRs exit', () => {
    expect(enter(['csrrd $a0, 0x41'], 1).cpu.vm).toBe(true);
    expect(enter(['csrrd $a0, 0x41'], 1, (b) => b.setHost({ GCFG: 0x70103 | 0x200 })).ecode()).toBe(0x16);
  });

  test('GTLBC.TOTI makes guest TLB maintenance exit', () => {
    for (const text of ['tlbclr', 'tlbflush', 'invtlb 0, $zero, $zero']) {
      expect(enter([text], 1).cpu.vm, text).toBe(true);
      expect(enter([text], 1, (b) => b.setHost({ GTLBC: 0x3000 })).ecode(), text).toBe(0x16);
    }
  });

  test('csr instructions act on the guest bank, gcsr on it from the host, with old values', () => {
    const m = enter(['csrwr $a0, 0x30', 'csrxchg $a1, $a2, 0x30', 'hvcl 0'], 3, (b) =>
      b.set({ a0: 0x1234, a1: 0xff, a2: 0xf0 }),
    );
    expect([m.guest(0x30), m.host(0x30), m.get('a1')]).toEqual([0x12f4n, 0n, 0x1234n]);
    m.code(EXIT, ['gcsrrd $a0, 0x30', 'gcsrwr $a1, 0x30', 'gcsrxchg $a3, $a2, 0x30', 'gcsrrd $a4, 0x50'])
      .set({ a1: 5, a3: 0xff, a4: 1 })
      .run(4);
    expect([m.get('a0'), m.get('a1'), m.get('a3'), m.get('a4'), m.guest(0x30)]).toEqual([
      0x12f4n,
      0x12f4n,
      5n,
      0n,
      0xf5n,
    ]);
  });

  test('a refill inside the guest notes the instruction in the guest’s BADI', () => {
    const m = enter(['ld.d $a0, $a1, 0'], 1, (b) => {
      b.cpu.guest.put(CSR.CRMD, BigInt(PG));
      b.cpu.guest.put(CSR.DMW0, 0xfn);
      b.cpu.guest.put(CSR.BADI, 0n);
      b.cpu.guest.put(CSR.TLBRENTRY, BigInt(GUEST + 0x800));
      b.set({ a1: 0xffff_ffff_8000_0000n });
      b.cpu.contextChanged();
    });
    expect([m.cpu.vm, m.pc, m.guest(CSR.BADI)]).toEqual([true, GUEST + 0x800, BigInt(assemble('ld.d $a0, $a1, 0'))]);
  });

  test('each world has its own LL bit', () => {
    const m = enter(['ll.d $a0, $a1, 0', 'hvcl 0', 'sc.d $a2, $a1, 0'], 2, (b) => b.set({ a1: GUEST + 0x100, a2: 7 }));
    // The host returns past the hypercall; its own ertn does not break the guest's link.
    m.code(EXIT, ['csrwr $t0, 6', 'ertn'])
      .set({ t0: GUEST + 8 })
      .run(3);
    expect(m.get('a2')).toBe(1n);
    // LLBCTL.WCLLB through gcsr does.
    const cleared = enter(['ll.d $a0, $a1, 0', 'hvcl 0', 'sc.d $a2, $a1, 0'], 2, (b) =>
      b.set({ a1: GUEST + 0x100, a2: 7 }),
    );
    cleared
      .code(EXIT, ['gcsrwr $t1, 0x60', 'csrwr $t0, 6', 'ertn'])
      .set({ t0: GUEST + 8, t1: 2 })
      .run(4);
    expect(cleared.get('a2')).toBe(0n);
  });
});

describe('two-stage translation', () => {
  test('a stage-2 miss refills through TLBRENTRY and goes straight back, whatever GSTAT.PGM says', () => {
    const m = enter(['ld.d $a0, $a1, 0'], 1, (b) => b.set({ a1: 0x80_0008 }).poke(0x50_0008, 77n));
    expect([m.cpu.vm, m.pc]).toEqual([false, REFILL]);
    expect(m.host(CSR.BADI)).toBe(BigInt(assemble('ld.d $a0, $a1, 0')));
    expect([m.host(CSR.TLBRBADV), m.host(CSR.TLBRPRMD), m.host(CSR.TLBRERA)]).toEqual([
      0x80_0008n,
      0xcn,
      BigInt(GUEST + 1),
    ]);
    m.code(REFILL, ['csrwr $t0, 0x8c', 'csrwr $t1, 0x8d', 'csrwr $t2, 0x8e', 'tlbfill', 'ertn']);
    m.set({ t0: 0x50_0000n | V_D, t1: 0x50_1000n | V_D, t2: 0x80_000c })
      .setHost({ GSTAT: 0x10080 })
      .run(6);
    expect([m.cpu.vm, m.pc, m.get('a0')]).toEqual([true, GUEST + 4, 77n]);
  });

  test.each([
    ['PIL', 1, 'ld.d $a0, $a1, 0', 0n],
    ['PIS', 2, 'st.d $a0, $a1, 0', 0n],
    ['PME', 4, 'st.d $a0, $a1, 0', 1n],
    ['PNR', 5, 'ld.d $a0, $a1, 0', 3n | (1n << 61n)],
  ])('%s of stage 2 exits with the exact GPA and the instruction word', (_, ecode, text, flags) => {
    const m = enter([text], 1, (b) => {
      stage2(b, 1, 0x80_0000, 0x50_0000n | flags, 0n);
      b.setHost({ ERA: GUEST, GSTAT: 0x10082 }).set({ a1: 0x80_0123 });
      b.cpu.pc = WINDOW + BigInt(HOST);
    });
    expect([m.cpu.vm, m.ecode(), m.host(CSR.BADV), m.host(CSR.TLBEHI), m.host(CSR.BADI)]).toEqual([
      false,
      ecode,
      0x80_0123n,
      0x80_0000n,
      BigInt(assemble(text)),
    ]);
  });

  test('a stage-2 fetch fault reports BADI = 0', () => {
    for (const [flags, ecode] of [
      [0n, 3],
      [3n | (1n << 62n), 6],
    ] as const) {
      const m = enter(['jirl $zero, $a1, 0'], 2, (b) => {
        stage2(b, 1, 0x80_0000, 0x50_0000n | flags, 0n);
        b.setHost({ ERA: GUEST, GSTAT: 0x10082, BADI: 0x123 }).set({ a1: 0x80_0100 });
      });
      expect([m.ecode(), m.host(CSR.BADV), m.host(CSR.ERA), m.host(CSR.BADI)]).toEqual([
        ecode,
        0x80_0100n,
        0x80_0100n,
        0n,
      ]);
    }
  });

  /** Fills one stage-1 entry inside the guest; the guest itself runs in a direct mapping window. */
  const GUEST_FILL = ['csrwr $s0, 0x11', 'csrwr $s1, 0x12', 'csrwr $s2, 0x13', 'csrwr $s3, 0x10', 'tlbfill'];
  const guestPaging = (b: TestMachine, va: bigint, even: bigint, odd: bigint, ps: number): void => {
    b.set({ s0: va, s1: even, s2: odd, s3: ps << 24 });
    b.setGuest({ CRMD: 0x10, DMW0: WINDOW | 0xfn, STLBPS: 12, TLBRENTRY: GUEST + 0x1000 });
    b.setHost({ ERA: WINDOW + BigInt(GUEST), GSTAT: 0x10082 });
  };

  test('stage 1 then stage 2: the guest sees its own page, faults of stage 1 stay inside', () => {
    const m = enter([...GUEST_FILL, 'ld.d $a0, $a1, 0', 'ld.d $a0, $a2, 0'], 6, (b) => {
      guestPaging(b, 0x4000_0000n, BigInt(GUEST) | V_D, BigInt(GUEST + 0x1000) | V_D, 12);
      b.set({ a1: 0x4000_1010, a2: 0x5000_0000 }).poke(0x40_1010, 123n);
    });
    expect([m.cpu.vm, m.get('a0')]).toEqual([true, 123n]);
    m.run(1);
    expect([m.cpu.vm, m.pc, m.guest(CSR.TLBRBADV)]).toEqual([true, GUEST + 0x1000, 0x5000_0000n]);
  });

  test('a guest page that stage 1 does not know raises TLBR inside the guest', () => {
    const m = enter(['ld.d $a0, $a1, 0'], 1, (b) => {
      b.set({ a1: 0x1000_4000_0000n }).setGuest({
        CRMD: 0x10,
        DMW0: 0x9000_0000_0000_000fn,
        TLBRENTRY: GUEST + 0x1000,
      });
      b.setHost({ ERA: WINDOW + BigInt(GUEST) });
    });
    expect([m.cpu.vm, m.pc, m.guest(CSR.TLBRBADV)]).toEqual([true, GUEST + 0x1000, 0x1000_4000_0000n]);
    expect(m.guest(CSR.CRMD) & 0x18n).toBe(8n);
  });

  test('a guest’s page walk by hardware reads its tables through stage 2, and exits where that misses', () => {
    const m = world(['ld.d $a0, $a1, 8', 'ld.d $a0, $a2, 0'], 1, new TestMachine({ features: { ptw: true } }));
    const [PRESENT, CC] = [0x80n, 0x10n];
    // One level: entries of the table at GPA 0x201000 by address bits 20:12; entry 0 maps the code itself.
    m.poke(0x40_1000, BigInt(GUEST) | PRESENT | CC).poke(0x40_1008 + 8 * 4, 0x20_1000n | PRESENT | CC, 0x777n);
    m.setGuest({
      CRMD: PG,
      PGDL: GUEST + 0x1000,
      PWCL: 12 | (9 << 5),
      PWCH: 1 << 24,
      STLBPS: 12,
      EENTRY: GUEST,
      TLBRENTRY: GUEST,
    });
    m.set({ a1: 0x5000 + 8 * 5, a2: 0x5000 }).run(2);
    expect([m.cpu.vm, m.pc, m.get('a0')]).toEqual([true, GUEST + 4, 0x777n]);
    expect(m.peek(0x40_1028) & 3n).toBe(1n);
    // A table that stage 2 does not map: a refill of the host, for the table's address.
    m.setGuest({ PGDL: 0x70_0000 }).set({ a2: 0x9000 });
    m.run(1);
    expect([m.cpu.vm, m.pc, m.host(CSR.TLBRBADV) >> 12n]).toEqual([false, REFILL, 0x700n]);
  });

  test('two guests with equal addresses do not see each other; a change of GID takes effect at once', () => {
    const m = world(['ld.d $a0, $a1, 0', 'hvcl 0']);
    m.code(0x70_0000, ['ld.d $a0, $a1, 0', 'hvcl 0']).poke(0x40_1008, 111n).poke(0x70_1008, 222n);
    stage2(m, 2, GUEST, 0x70_0000n | V_D, 0x70_1000n | V_D);
    m.set({ a1: GUEST + 0x1008 });
    for (const [gid, value] of [
      [1, 111n],
      [2, 222n],
      [1, 111n],
      [2, 222n],
    ] as const) {
      m.setHost({}).cpu.host.put(CSR.GSTAT, BigInt(0x82 | (gid << 16)));
      m.cpu.host.put(CSR.ERA, BigInt(GUEST));
      m.cpu.pc = WINDOW + BigInt(HOST);
      m.run(3);
      expect(m.get('a0'), `gid ${gid}`).toBe(value);
    }
  });

  test('stage-2 entries of a guest are invisible to the host, and the host’s to guests', () => {
    const m = enter(['ld.d $a0, $a1, 0'], 1, (b) => {
      stage2(b, 0, 0x90_0000, 0x50_0000n | V_D, 0n);
      b.set({ a1: 0x90_0000 }).setHost({ ERA: GUEST, GSTAT: 0x10082 });
    });
    expect(m.pc).toBe(REFILL);
    const host = world([]);
    host.code(HOST, ['ld.d $a0, $a1, 0']).set({ a1: GUEST }).run(1);
    expect(host.pc).toBe(REFILL);
  });

  test('effective page size is the intersection: a guest 2 MiB page over 4 KiB stage-2 pages', () => {
    const m = enter([...GUEST_FILL, 'ld.d $a0, $a1, 0', 'ld.d $a2, $a3, 0'], 7, (b) => {
      stage2(b, 1, 0x60_0000, 0x50_0000n | V_D, 0x5a_0000n | V_D);
      guestPaging(b, 0x4000_0000n, 0x60_0000n | V_D, V_D, 21);
      b.set({ a1: 0x4000_0008, a3: 0x4000_1008 }).poke(0x50_0008, 1n).poke(0x5a_0008, 2n);
    });
    expect([m.get('a0'), m.get('a2')]).toEqual([1n, 2n]);
  });

  test.each([
    ['invtlb 0, $zero, $zero', true],
    ['invtlb 0x12, $zero, $zero', true],
    ['invtlb 0x11, $zero, $zero', true],
    ['invtlb 0x14, $t0, $zero', true],
    ['invtlb 0x15, $t0, $zero', true],
    ['invtlb 0x16, $t0, $t1', true],
    ['invtlb 1, $zero, $zero', false],
    ['invtlb 0x10, $zero, $zero', false],
    ['invtlb 0x13, $t0, $zero', false],
    ['invtlb 0x16, $t2, $t1', false],
    ['invtlb 0x14, $t2, $zero', false],
  ])('%s of the host removes stage-2 entries of guest 1: %s', (text, removes) => {
    const m = enter(['ld.d $a0, $a1, 0', 'hvcl 0'], 2, (b) => b.set({ a1: GUEST + 0x1000 }));
    m.code(EXIT, [text, 'csrwr $t3, 6', 'ertn'])
      .set({ t0: 1 << 16, t1: GUEST, t2: 2 << 16, t3: GUEST })
      .run(4);
    // A fetch that misses refills; one that hits has run the load.
    expect(m.pc === REFILL).toBe(removes);
  });

  test('every pair of page sizes of both stages: each address goes where the arithmetic says', () => {
    const SIZES = [12, 14, 16, 21, 25, 29];
    const GVA = 0xffff_fff0_0000_0000n;
    for (const ps1 of SIZES)
      for (const ps2 of SIZES) {
        const m = world(['ld.d $a0, $a1, 0', 'b -4'], 1, new TestMachine({ ramSize: 64 << 20 }));
        // GPA 0 and up; where the stage-2 page is small enough, it lies elsewhere in RAM.
        const hpa = ps2 <= 21 ? 0x80_0000n : 0n;
        const elo = (base: bigint, ps: number): { even: bigint; odd: bigint } => ({
          even: base | V_D,
          odd: (base + (1n << BigInt(ps))) | V_D,
        });
        const two = elo(hpa, ps2);
        // The guest's own code at GPA 0x200000 keeps its entry unless the big page covers it: two would be undefined.
        const ertn = m.cpu.pc;
        if (ps2 >= 21) {
          m.code(0x60000, ['invtlb 0x12, $zero, $zero']);
          m.cpu.pc = WINDOW + 0x60000n;
          m.run(1);
          m.cpu.pc = ertn;
        }
        stage2(m, 1, 0, two.even, two.odd, ps2);
        const one = elo(0n, ps1);
        m.setGuest({
          CRMD: PG,
          DMW0: 1,
          STLBPS: 12,
          TLBEHI: GVA,
          TLBELO0: one.even,
          TLBELO1: one.odd,
          TLBIDX: BigInt(ps1) << 24n,
          EENTRY: GUEST,
          TLBRENTRY: GUEST,
        });
        m.setHost({ GTLBC: TGID(1) }).code(0x60000, ['gtlbfill']);
        const entry = m.cpu.pc;
        m.cpu.pc = WINDOW + 0x60000n;
        m.run(1);
        m.cpu.pc = entry;
        // Offsets in both pages of both stages' pairs, and inside RAM.
        const span = Math.min(2 ** (ps1 + 1), 2 ** (ps2 + 1), 8 << 20);
        const offsets = [0, 8, 0xff8, span / 2 - 8, span / 2, span - 8].filter(
          (o) => Math.floor(o / 0x1000) !== GUEST / 0x1000 && (o < 0x20_0000 || ps2 < 25),
        );
        m.code(0x40_0000, ['ld.d $a0, $a1, 0', 'b -4']);
        if (ps2 >= 21) m.code(0x20_0000 + Number(hpa), ['ld.d $a0, $a1, 0', 'b -4']);
        m.run(1);
        // The host's code lies among them: it has done its part.
        for (const o of offsets) m.poke(Number(hpa) + o, BigInt(o) * 7n + 1n);
        for (const o of offsets) {
          m.set({ a1: GVA + BigInt(o), a0: 0 });
          m.cpu.pc = BigInt(GUEST);
          m.run(1);
          expect([m.cpu.vm, m.get('a0')], `${ps1} over ${ps2} at 0x${o.toString(16)}`).toEqual([
            true,
            BigInt(o) * 7n + 1n,
          ]);
        }
      }
  });

  test('a stage-2 entry that is replaced does not live on in cached translations', () => {
    const m = enter(['ld.d $a0, $a1, 0', 'hvcl 0'], 2, (b) =>
      b
        .set({ a1: GUEST + 0x1000 })
        .poke(0x40_1000, 1n)
        .poke(0x55_1000, 2n)
        .code(0x55_0000, ['ld.d $a0, $a1, 0', 'hvcl 0']),
    );
    expect(m.get('a0')).toBe(1n);
    stage2(m, 1, GUEST, 0x55_0000n | V_D, 0x55_1000n | V_D);
    m.setHost({}).cpu.host.put(CSR.ERA, BigInt(GUEST));
    m.cpu.host.put(CSR.GSTAT, 0x10082n);
    m.cpu.pc = WINDOW + BigInt(HOST);
    m.run(2);
    expect(m.get('a0')).toBe(2n);
  });
});

describe('interrupts and time of a guest', () => {
  test('a host interrupt exits at any guest PLV and IE', () => {
    const m = enter(['addi.d $a0, $a0, 1', 'b -4'], 4, (b) => b.setGuest({ CRMD: 8 | 3 }).setHost({ ECFG: 1 }));
    m.cpu.host.update(CSR.ESTAT, 1, 1);
    m.run(1);
    expect([m.cpu.vm, m.ecode(), m.host(CSR.ESTAT) & 1n]).toEqual([false, 0, 1n]);
  });

  test('GINTC injects levels that gcsr cannot latch; the guest takes them at entry', () => {
    const m = world(['addi.d $a0, $a0, 1']);
    m.code(HOST, [
      'csrwr $t0, 0x52',
      'gcsrrd $t1, 5',
      'gcsrwr $t2, 5',
      'gcsrrd $t3, 5',
      'csrwr $zero, 0x52',
      'gcsrrd $t4, 5',
      'csrwr $t5, 0x52',
      'ertn',
    ]);
    m.set({ t0: 2, t2: 0x3fc, t5: 2 })
      .setGuest({ CRMD: 0xc, ECFG: (1 << 16) | 8, EENTRY: GUEST + 0x1000 })
      .run(9);
    expect([m.get('t1'), m.get('t3'), m.get('t4')]).toEqual([8n, 8n, 0n]);
    expect([m.cpu.vm, m.pc, m.get('a0')]).toEqual([true, GUEST + 0x1000 + (64 + 3) * 8, 0n]);
  });

  test('TI, IPI and SWI are injected through gcsr ESTAT', () => {
    for (const bit of [0, 1, 10, 11, 12]) {
      const m = world([]);
      m.code(HOST, ['gcsrxchg $t0, $t1, 5', 'ertn']).set({ t0: 1 << bit, t1: 1 << bit });
      m.setGuest({ CRMD: 0xc, ECFG: 0x1fff, EENTRY: GUEST + 0x1000 }).run(3);
      expect([m.pc, m.ecode(true)], `bit ${bit}`).toEqual([GUEST + 0x1000, 0]);
    }
  });

  test('an interrupt becomes deliverable by the guest’s own writes and its ertn', () => {
    const pending = { ECFG: 1, ESTAT: 1, EENTRY: GUEST + 0x1000 };
    const byCrmd = enter(['csrwr $a0, 0', 'addi.d $a1, $a1, 1'], 2, (b) => b.set({ a0: 0xc }).setGuest(pending));
    expect([byCrmd.pc, byCrmd.get('a1')]).toEqual([GUEST + 0x1000, 0n]);
    const byEcfg = enter(['csrwr $a0, 4', 'addi.d $a1, $a1, 1'], 2, (b) =>
      b.set({ a0: 1 }).setGuest({ ...pending, ECFG: 0, CRMD: 0xc }),
    );
    expect([byEcfg.pc, byEcfg.get('a1')]).toEqual([GUEST + 0x1000, 0n]);
    const byEstat = enter(['csrwr $a0, 5', 'addi.d $a1, $a1, 1'], 2, (b) =>
      b.set({ a0: 1 }).setGuest({ ...pending, ESTAT: 0, CRMD: 0xc }),
    );
    expect([byEstat.pc, byEstat.get('a1')]).toEqual([GUEST + 0x1000, 0n]);
    const byErtn = enter(['ertn'], 2, (b) => b.setGuest({ ...pending, PRMD: 4, ERA: GUEST + 0x10 }));
    expect([byErtn.pc, byErtn.guest(CSR.ERA)]).toEqual([GUEST + 0x1000, BigInt(GUEST + 0x10)]);
  });

  test('the guest timer runs while the host runs, and fires there', () => {
    const m = enter(['csrwr $a0, 0x41', 'hvcl 0'], 2, (b) => b.set({ a0: 100 | 1 }));
    m.code(EXIT, [
      'gcsrrd $t0, 0x42',
      ...Array.from({ length: 120 }, () => 'addi.d $t5, $t5, 1'),
      'gcsrrd $t1, 0x42',
      'gcsrrd $t2, 5',
      'gcsrrd $t3, 0x41',
      'gcsrwr $t4, 0x44',
      'gcsrrd $t6, 5',
    ]);
    m.set({ t4: 1 }).run(126);
    expect(m.get('t0')).toBeLessThan(100n);
    expect([m.get('t1'), m.get('t2') & 0x800n, m.get('t3') & 1n, m.get('t6') & 0x800n]).toEqual([
      (1n << 48n) - 1n,
      0x800n,
      1n,
      0n,
    ]);
  });

  test('gcsrwr TVAL = 0 raises TI at once; TCFG = 0 is quiet', () => {
    const m = enter(['csrwr $a0, 0x41', 'hvcl 0'], 2, (b) => b.set({ a0: 0x10000 | 1 }));
    m.code(EXIT, ['gcsrwr $zero, 0x42', 'gcsrrd $t0, 5']).run(2);
    expect(m.get('t0') & 0x800n).toBe(0x800n);
    const quiet = enter(['csrwr $a0, 0x41', 'csrwr $zero, 0x41', 'b 0'], 3000, (b) => b.set({ a0: 100 | 1 }));
    expect(quiet.guest(CSR.ESTAT)).toBe(0n);
  });

  test('rdtime of the guest adds GCNTC and its own CNTC', () => {
    const plain = enter(['rdtime.d $a0, $a1'], 1).get('a0');
    const m = enter(['rdtime.d $a0, $a1'], 1, (b) => b.setHost({ GCNTC: 1000 }).setGuest({ CNTC: 100, TID: 5 }));
    expect([m.get('a0') - plain, m.get('a1')]).toEqual([1100n, 5n]);
  });
});
