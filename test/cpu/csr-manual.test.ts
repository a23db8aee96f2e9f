/**
 * Chapter 7 of the manual (Vol. 1) as data, read independently of src/emu/cpu/csr-table.ts, and compared with the table and
 * with what instructions do. Registers of LVZ are not in Volume 1: docs/lvz.md and test/lvz judge them.
 */
import { describe, expect, test } from 'vitest';
import { peekCsr } from '../../src/emu/cpu/csr-access.ts';
import { CSR, CSRS, type CsrField, csrByNumber } from '../../src/emu/cpu/csr-table.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

/**
 * What the manual says of a register: its section, number and name, its length in bits, and its fields as
 * `bits NAME attribute`, where bits that are not named are R0 or constant 0.
 */
type Entry = readonly [section: string, num: number, name: string, length: 32 | 64, fields: string];

const LO = '0 V RW, 1 D RW, 3:2 PLV RW, 5:4 MAT RW, 6 G RW, 47:12 PPN RW, 61 NR RW, 62 NX RW, 63 RPLV RW';
const DMW = '0 PLV0 RW, 1 PLV1 RW, 2 PLV2 RW, 3 PLV3 RW, 5:4 MAT RW, 63:60 VSEG RW';
const STATUS = '7:0 Status RW1, 16 Skip RW';
// DMOnly can only be changed in debug mode, which this machine does not have.
const CFG3 = '0 DMOnly R, 1 PLV0 RW, 2 PLV1 RW, 3 PLV2 RW, 4 PLV3 RW, 7 LCL RW';
const each = (count: number, entry: (n: number) => Entry): Entry[] => Array.from({ length: count }, (_, n) => entry(n));

/** VALEN, PALEN and the width of the timer are 48, Index has 12 bits, there are 8 SAVE registers and 8 watchpoints of each kind. */
// biome-ignore format: a table
const MANUAL: readonly Entry[] = [
  ['7.4.1', 0x0, 'CRMD', 32, '1:0 PLV RW, 2 IE RW, 3 DA RW, 4 PG RW, 6:5 DATF RW, 8:7 DATM RW, 9 WE RW'],
  ['7.4.2', 0x1, 'PRMD', 32, '1:0 PPLV RW, 2 PIE RW, 3 PWE RW'],
  ['7.4.3', 0x2, 'EUEN', 32, '0 FPE RW, 1 SXE RW, 2 ASXE RW, 3 BTE RW'],
  ['7.4.4', 0x3, 'MISC', 32, `1 VA32L1 RW, 2 VA32L2 RW, 3 VA32L3 RW, 5 DRDTL1 RW, 6 DRDTL2 RW, 7 DRDTL3 RW,
    9 RPCNTL1 RW, 10 RPCNTL2 RW, 11 RPCNTL3 RW, 12 ALCL0 RW, 13 ALCL1 RW, 14 ALCL2 RW, 15 ALCL3 RW,
    16 DWPL0 RW, 17 DWPL1 RW, 18 DWPL2 RW`],
  ['7.4.5', 0x4, 'ECFG', 32, '12:0 LIE RW, 18:16 VS RW'],
  ['7.4.6', 0x5, 'ESTAT', 32, '1:0 SWI RW, 9:2 HWI R, 10 PMI R, 11 TI R, 12 IPI R, 21:16 Ecode R, 30:22 EsubCode R'],
  ['7.4.7', 0x6, 'ERA', 64, '63:0 PC RW'],
  ['7.4.8', 0x7, 'BADV', 64, '63:0 VAddr RW'],
  ['7.4.9', 0x8, 'BADI', 32, '31:0 Inst R'],
  ['7.4.10', 0xc, 'EENTRY', 64, '63:12 VPN RW'],
  ['7.4.11', 0x1f, 'RVACFG', 32, '3:0 RBits RW'],
  ['7.4.12', 0x20, 'CPUID', 32, '8:0 CoreID R'],
  ['7.4.13', 0x21, 'PRCFG1', 32, '3:0 SAVENum R, 11:4 TimerBits R, 14:12 VSMax R'],
  ['7.4.14', 0x22, 'PRCFG2', 64, '63:0 PSAVL R'],
  ['7.4.15', 0x23, 'PRCFG3', 32, '3:0 TLBType R, 11:4 MTLBEntries R, 19:12 STLBWays R, 25:20 STLBSets R'],
  ...each(8, (n) => ['7.4.16', 0x30 + n, `SAVE${n}`, 64, '63:0 Data RW']),
  ['7.4.17', 0x60, 'LLBCTL', 32, '0 ROLLB R, 1 WCLLB W1, 2 KLO RW'],
  // The implementation defines these three: storage.
  ['7.4.18', 0x80, 'IMPCTL1', 64, '63:0 Value RW'],
  ['7.4.19', 0x81, 'IMPCTL2', 64, '63:0 Value RW'],
  ['7.4.20', 0x98, 'CTAG', 64, '63:0 Value RW'],
  ['7.5.1', 0x10, 'TLBIDX', 32, '11:0 Index RW, 29:24 PS RW, 31 NE RW'],
  ['7.5.2', 0x11, 'TLBEHI', 64, '47:13 VPPN RW'],
  ['7.5.3', 0x12, 'TLBELO0', 64, LO],
  ['7.5.3', 0x13, 'TLBELO1', 64, LO],
  ['7.5.4', 0x18, 'ASID', 32, '9:0 ASID RW, 23:16 ASIDBITS R'],
  ['7.5.5', 0x19, 'PGDL', 64, '63:12 Base RW'],
  ['7.5.6', 0x1a, 'PGDH', 64, '63:12 Base RW'],
  ['7.5.7', 0x1b, 'PGD', 64, '63:12 Base R'],
  ['7.5.8', 0x1c, 'PWCL', 32, `4:0 PTbase RW, 9:5 PTwidth RW, 14:10 Dir1_base RW, 19:15 Dir1_width RW, 24:20 Dir2_base RW,
    29:25 Dir2_width RW, 31:30 PTEWidth RW`],
  // HPTW_En is in v1.10.
  ['7.5.9', 0x1d, 'PWCH', 32, '5:0 Dir3_base RW, 11:6 Dir3_width RW, 17:12 Dir4_base RW, 23:18 Dir4_width RW, 24 HPTW_En RW'],
  ['7.5.10', 0x1e, 'STLBPS', 32, '5:0 PS RW'],
  ['7.5.11', 0x88, 'TLBRENTRY', 64, '47:12 PPN RW'],
  ['7.5.12', 0x89, 'TLBRBADV', 64, '63:0 VAddr RW'],
  ['7.5.13', 0x8a, 'TLBRERA', 64, '0 IsTLBR RW, 63:2 PC RW'],
  ['7.5.14', 0x8b, 'TLBRSAVE', 64, '63:0 Data RW'],
  ['7.5.15', 0x8c, 'TLBRELO0', 64, LO],
  ['7.5.15', 0x8d, 'TLBRELO1', 64, LO],
  ['7.5.16', 0x8e, 'TLBREHI', 64, '5:0 PS RW, 47:13 VPPN RW'],
  // PGM belongs to LVZ.
  ['7.5.17', 0x8f, 'TLBRPRMD', 32, '1:0 PPLV RW, 2 PIE RW, 3 PGM RW, 4 PWE RW'],
  ...each(4, (n) => ['7.5.18', 0x180 + n, `DMW${n}`, 64, DMW]),
  ['7.6.1', 0x40, 'TID', 32, '31:0 TID RW'],
  ['7.6.2', 0x41, 'TCFG', 64, '0 En RW, 1 Periodic RW, 47:2 InitVal RW'],
  ['7.6.3', 0x42, 'TVAL', 64, '47:0 TimeVal R'],
  ['7.6.4', 0x43, 'CNTC', 64, '63:0 Compensation RW'],
  ['7.6.5', 0x44, 'TICLR', 32, '0 CLR W1'],
  ['7.7.1', 0x90, 'MERRCTL', 32, `0 IsMERR R, 1 Repairable RW, 3:2 PPLV RW, 4 PIE R, 5 PGM RW, 6 PWE RW, 7 PDA RW, 8 PPG RW,
    10:9 PDATF RW, 12:11 PDATM RW, 23:16 Cause R`],
  ['7.7.2', 0x91, 'MERRINFO1', 64, '63:0 Value RW'],
  ['7.7.2', 0x92, 'MERRINFO2', 64, '63:0 Value RW'],
  ['7.7.3', 0x93, 'MERRENTRY', 64, '47:12 PPN RW'],
  ['7.7.4', 0x94, 'MERRERA', 64, '63:0 PC RW'],
  ['7.7.5', 0x95, 'MERRSAVE', 64, '63:0 Data RW'],
  ['7.9.1', 0x300, 'MWPC', 32, '5:0 Num R'],
  ['7.9.2', 0x301, 'MWPS', 32, STATUS],
  ...each(8, (n) => ['7.9.3', 0x310 + 8 * n, `MWP${n}CFG1`, 64, '63:0 VAddr RW']),
  ...each(8, (n) => ['7.9.3', 0x311 + 8 * n, `MWP${n}CFG2`, 64, '63:0 Mask RW']),
  ...each(8, (n) => ['7.9.3', 0x312 + 8 * n, `MWP${n}CFG3`, 32, `${CFG3}, 8 LoadEn RW, 9 StoreEn RW, 11:10 Size RW`]),
  ...each(8, (n) => ['7.9.3', 0x313 + 8 * n, `MWP${n}CFG4`, 32, '9:0 ASID RW']),
  ['7.9.4', 0x380, 'FWPC', 32, '5:0 Num R'],
  ['7.9.5', 0x381, 'FWPS', 32, STATUS],
  ...each(8, (n) => ['7.9.6', 0x390 + 8 * n, `FWP${n}CFG1`, 64, '63:0 VAddr RW']),
  ...each(8, (n) => ['7.9.6', 0x391 + 8 * n, `FWP${n}CFG2`, 64, '63:0 Mask RW']),
  ...each(8, (n) => ['7.9.6', 0x392 + 8 * n, `FWP${n}CFG3`, 32, CFG3]),
  ...each(8, (n) => ['7.9.6', 0x393 + 8 * n, `FWP${n}CFG4`, 32, '9:0 ASID RW']),
  ['7.10.1', 0x500, 'DBG', 32, '0 DST R, 7:1 DRev R, 8 DEI R, 9 DCL R, 10 DFW R, 11 DMW R, 21:16 Ecode R'],
  ['7.10.2', 0x501, 'DERA', 64, '63:0 PC RW'],
  ['7.10.3', 0x502, 'DSAVE', 64, '63:0 Data RW'],
];

/** Reset values (6.3, and what the identity registers say); others are 0. */
const RESET: Readonly<Record<string, bigint>> = {
  CRMD: 8n,
  ASID: 10n << 16n,
  // 8 SAVE registers, a timer of 48 bits, VS up to 7.
  PRCFG1: 0x72f8n,
  PRCFG2: 0x3fff_f000n,
  // MTLB of 64 entries; STLB of 8 ways with 2^8 sets.
  PRCFG3: 0x0080_73f2n,
  STLBPS: 12n,
  PWCL: 12n,
  MWPC: 8n,
  FWPC: 8n,
};

/** Registers of LVZ. */
const LVZ = ['GTLBC', 'TRGP', 'GSTAT', 'GCFG', 'GINTC', 'GCNTC'];

interface Field {
  readonly name: string;
  readonly mask: bigint;
  readonly attribute: string;
}
const fieldsOf = (text: string): Field[] =>
  text.split(',').map((part) => {
    const [bits, name, attribute] = part.trim().split(/\s+/) as [string, string, string];
    const [high, low] = [...bits.split(':').map(BigInt), BigInt(bits.split(':')[0]!)] as [bigint, bigint];
    return { name, attribute, mask: (1n << (high + 1n)) - (1n << low) };
  });

const maskOf = (f: CsrField): bigint => ((1n << BigInt(f.width)) - 1n) << BigInt(f.lo);
const ATTRIBUTE = { rw: 'RW', hw: 'R', ro: 'R', w1: 'W1', w1c: 'RW1' } as const;
const byBits = (a: Field, b: Field): number => (a.mask < b.mask ? -1 : 1);

/** A value of the register as instructions read it: of 32 bits, or entry-high, with the sign above (7.2.2, 7.5.2). */
function asRead([, , name, length]: Entry, value: bigint): bigint {
  if (length === 32) return BigInt.asUintN(64, BigInt.asIntN(32, value));
  return name.endsWith('EHI') ? BigInt.asUintN(64, BigInt.asIntN(48, value)) : value;
}

/** The value after software has written `value` over `old`, by the attributes of the fields. */
function written(entry: Entry, old: bigint, value: bigint): bigint {
  let now = old;
  for (const { mask, attribute } of fieldsOf(entry[4])) {
    if (attribute === 'RW') now = (now & ~mask) | (value & mask);
    if (attribute === 'RW1') now &= ~(value & mask);
  }
  return asRead(entry, now);
}

/** Values to write. Those of CRMD keep PLV 0, because CSR instructions need it. */
const PATTERNS = [
  ~0n,
  0n,
  0x5555_5555_5555_5555n,
  0xaaaa_aaaa_aaaa_aaaan,
  0x8000_0000n,
  0x8000_0000_0000n,
  0x1_0000_0000n,
];
const values = (name: string): bigint[] =>
  PATTERNS.map((v) => BigInt.asUintN(64, v)).map((v) => (name === 'CRMD' ? v & ~0x13n : v));

const CASES = MANUAL.map((e) => [`${e[0]} ${e[2]}`, e] as const);

const everything = (): TestMachine => new TestMachine({ features: { ptw: true, lbt: true } });

// Manual: 7.1
test('the table has the registers of the manual and of LVZ, and no others', () => {
  expect(
    MANUAL.map((e) => e[2])
      .concat(LVZ)
      .sort(),
  ).toEqual(CSRS.map((r) => r.name).sort());
});

// Manual: 7.2.1
test.each(CASES)('%s: number, fields and attributes', (_, [, num, name, length, text]) => {
  const row = csrByNumber(num)!;
  expect(row.name).toBe(name);
  const declared = row.fields.map((f) => ({ name: f.name, mask: maskOf(f), attribute: ATTRIBUTE[f.access] }));
  const wanted = fieldsOf(text);
  // A register that is one value has no name for its only field.
  const named = declared.map((f) => (f.name === 'Value' ? { ...f, name: wanted[0]!.name } : f));
  expect(named.sort(byBits)).toEqual(wanted.sort(byBits));
  if (length === 32) for (const f of declared) expect(f.mask >> 32n).toBe(0n);
  expect(row.reset).toBe(RESET[name] ?? 0n);
});

// Manual: 4.2.1, 7.2.1, 7.2.2
// Manual: 7.4.1, 7.4.2, 7.4.3, 7.4.4, 7.4.5, 7.4.6, 7.4.7, 7.4.8, 7.4.9, 7.4.10, 7.4.11, 7.4.12, 7.4.13, 7.4.14, 7.4.15
// Manual: 7.4.16, 7.4.17, 7.4.18, 7.4.19, 7.4.20
// Manual: 7.5.1, 7.5.2, 7.5.3, 7.5.4, 7.5.5, 7.5.6, 7.5.7, 7.5.8, 7.5.9, 7.5.10, 7.5.11, 7.5.12, 7.5.13, 7.5.14, 7.5.15
// Manual: 7.5.16, 7.5.17, 7.5.18, 7.6.1, 7.6.2, 7.6.3, 7.6.4, 7.6.5, 7.7.1, 7.7.2, 7.7.3, 7.7.4, 7.7.5
// Manual: 7.9.1, 7.9.2, 7.9.3, 7.9.4, 7.9.5, 7.9.6, 7.10.1, 7.10.2, 7.10.3
describe.each(['interpreter', 'jit'] as const)('CSR instructions (%s)', (engine) => {
  test.each(CASES)('%s: csrwr, csrxchg and csrrd', (_, entry) => {
    const [, num, name] = entry;
    const m = new TestMachine({ features: { ptw: true, lbt: true }, engine });
    // Writes clear status bits and leave the timer alone, whatever they are.
    let old = asRead(entry, RESET[name] ?? 0n);
    const run = (...code: string[]): void => {
      m.code(CODE, code).setHost({ CRMD: name === 'CRMD' ? old : 8n });
      m.cpu.pc = BigInt(CODE);
      m.run(code.length);
    };
    const skip = [CSR.PGD, CSR.TVAL].includes(num as never);
    for (const value of values(name))
      for (const mask of [~0n, 0n, 0x0f0f_f0f0_0f0f_f0f0n]) {
        m.set({ a0: value, a1: BigInt.asUintN(64, mask), a2: 0x77n });
        const all = mask === ~0n;
        // With a count that the timer has not come to.
        if (name === 'TCFG') m.cpu.hostTimer.reset();
        run(all ? `csrwr $a0, ${num}` : `csrxchg $a0, $a1, ${num}`, `csrrd $a2, ${num}`);
        const wanted = written(entry, old, (value & mask) | (old & ~mask & ~statusOf(entry)));
        if (!skip) {
          expect(m.get('a0'), 'the old value').toBe(old);
          expect(m.get('a2'), `${value.toString(16)} under ${mask.toString(16)}`).toBe(wanted);
          expect(peekCsr(m.cpu, false, num), 'as a debugger sees it').toBe(wanted);
        } else expect(m.get('a2')).toBe(0n);
        old = wanted;
      }
    expect(m.ecode()).toBe(0);
  });
});

/** Bits that writing 1 clears: leaving them out of a mask must not write them back. */
const statusOf = (entry: Entry): bigint =>
  fieldsOf(entry[4]).reduce((bits, f) => (f.attribute === 'RW1' ? bits | f.mask : bits), 0n);

// Manual: 7.2.2
test('a host reads the registers of a guest with their signs too', () => {
  const m = everything();
  for (const entry of MANUAL) {
    const [, num, name] = entry;
    if (
      csrByNumber(num)!.guest !== 'own' ||
      ['PGD', 'TVAL', 'LLBCTL', 'TICLR', 'TCFG', 'ESTAT', 'TLBRPRMD'].includes(name)
    )
      continue;
    for (const value of values(name)) {
      m.set({ a0: value, a1: 0n }).code(CODE, [`gcsrwr $a0, ${num}`, `gcsrrd $a1, ${num}`]);
      m.cpu.pc = BigInt(CODE);
      m.run(2);
      // Root may also restore what hardware keeps; constants stay.
      const restorable = csrByNumber(num)!.fields.reduce(
        (bits, f) => (f.access === 'ro' ? bits : bits | maskOf(f)),
        0n,
      );
      const wanted = asRead(entry, ((RESET[name] ?? 0n) & ~restorable) | (value & restorable));
      expect(m.get('a1'), `${name} = ${value.toString(16)}`).toBe(wanted);
    }
  }
});

// Manual: 4.2.1, 7.2.3, 7.8.1, 7.8.2
test('numbers without a register read 0 and ignore writes: SAVE8 and up, performance counters that CPUCFG does not announce', () => {
  const m = everything();
  expect(m.cpu.cpucfg[6]).toBe(0);
  for (const num of [0x9, 0x14, 0x38, 0x3f, 0x61, 0x99, 0x184, 0x200, 0x201, 0x23f, 0x350, 0x503, 0x3fff]) {
    m.set({ a0: 0x1234n, a1: 5n }).code(CODE, [`csrwr $a0, ${num}`, `csrrd $a1, ${num}`]);
    m.cpu.pc = BigInt(CODE);
    m.run(2);
    expect([m.get('a0'), m.get('a1'), m.ecode()], num.toString(16)).toEqual([0n, 0n, 0]);
  }
});

// Manual: 4.1, 4.2.1, 7.8.2
test('CSR instructions belong to PLV 0, and MISC.RPCNTL opens only counters that exist', () => {
  for (const plv of [1, 2, 3])
    for (const code of ['csrrd $a0, 0x30', 'csrwr $a0, 0x30', 'csrxchg $a0, $a1, 0x30', 'csrrd $a0, 0x201']) {
      const m = new TestMachine({ code: [code] }).setHost({ CRMD: 8 | plv, MISC: 7 << 9, EENTRY: 0x40000 }).run(1);
      expect([m.ecode(), m.pc], `${code} at PLV ${plv}`).toEqual([0xe, 0x40000]);
    }
});

// Manual: 7.6.1
test('after a reset the timer of each CPU has the number of the CPU', () => {
  const m = new TestMachine({ cpus: 2 });
  for (const cpu of m.machine.cpus) expect(cpu.host.get(CSR.TID)).toBe(BigInt(cpu.index));
});

// Manual: 7.6.1, 7.6.4
test('rdtime gives TID as csrrd does, with its sign, and adds CNTC', () => {
  for (const engine of ['interpreter', 'jit'] as const)
    for (const code of ['rdtime.d $a0, $a1', 'rdtimel.w $a0, $a1', 'rdtimeh.w $a0, $a1']) {
      const m = new TestMachine({ engine }).code(CODE, ['csrwr $a2, 0x40', 'csrwr $a3, 0x43', code, 'csrrd $a4, 0x40']);
      m.set({ a2: 0xffff_ffff_8765_4321n, a3: 0x7_0000_0000n }).run(4);
      expect([m.get('a1'), m.get('a4')]).toEqual([0xffff_ffff_8765_4321n, 0xffff_ffff_8765_4321n]);
      if (code.startsWith('rdtimel')) expect(m.get('a0')).toBeLessThan(0x1000n);
      else expect(m.get('a0') >> (code.startsWith('rdtimeh') ? 0n : 32n)).toBe(7n);
    }
});

// Manual: 7.4.4
test('on a CPU that has no misaligned accesses MISC.ALCL is the constant 1', () => {
  const m = new TestMachine({ features: { ual: false }, code: ['csrwr $a0, 3', 'csrrd $a1, 3'] }).run(2);
  expect([m.get('a0'), m.get('a1')]).toEqual([0xf000n, 0xf000n]);
});

// Manual: 7.5.7
test('PGD follows the highest bit of the bad address, BADV or in a refill TLBRBADV', () => {
  const m = new TestMachine();
  const pgd = (badv: bigint, refill: bigint, isTlbr: bigint): bigint => {
    m.setHost({ PGDL: 0x1000, PGDH: 0x2000, BADV: badv, TLBRBADV: refill, TLBRERA: isTlbr });
    return peekCsr(m.cpu, false, CSR.PGD);
  };
  expect([pgd(0n, -1n, 0n), pgd(-1n, 0n, 0n), pgd(0n, -1n, 1n), pgd(-1n, 0n, 1n)]).toEqual([
    0x1000n,
    0x2000n,
    0x2000n,
    0x1000n,
  ]);
});
