/**
 * One translation with two readers: what the machine does with an address, its refill included, is what the debugger's walk
 * says of it, and the walk leaves no trace. Registers, TLB contents and page tables are random.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { EXCEPTIONS, type ExceptionName } from '../../src/emu/cpu/exception-table.ts';
import { runningContext, VcpuStates } from '../../src/emu/debug/context.ts';
import { walk } from '../../src/emu/debug/walk.ts';
import { translate } from '../../src/emu/mmu/translate.ts';
import { STLB_SETS, STLB_SIZE, Tlb } from '../../src/emu/tlb/tlb.ts';
import { seeded } from '../support/random.ts';
import { TestMachine } from '../support/test-machine.ts';

const GID = 1;
/** Physical places. What an empty directory entry leads to, page 0 and some behind it, is zero. */
const [HOST_REFILL, GUEST_REFILL_HPA, HOST_VECTOR] = [0x18000, 0x1c000, 0x1e000];
/** Guest physical: far from what the tables map. */
const [GUEST_REFILL, GUEST_VECTOR] = [0x5000_0000_0000, 0x5000_0000_1000];
/** Where the access is; nothing is executed there. */
const START = 0x7777_0000n;
/** Tables: room for each level, for the stage that is walked first and for stage 2. */
const [TABLES, LEVEL_BYTES, LEVELS] = [0x10_0000, 0xc000, 5];
const tableOf = (stage: number, level: number): number => TABLES + (stage * LEVELS + level) * LEVEL_BYTES;
const RAM = 32 << 20;

/** PWCL and PWCH of one set of tables. */
interface Geometry {
  readonly base: readonly number[];
  readonly width: readonly number[];
  readonly entry: number;
  readonly hardware: boolean;
}

/** Levels one above the other; a width of 0 leaves a directory out. */
const sane: fc.Arbitrary<Geometry> = fc
  .record({
    ps: fc.constantFrom(12, 12, 13, 14, 16),
    widths: fc.tuple(fc.integer({ min: 3, max: 9 }), ...Array.from({ length: 4 }, () => fc.constantFrom(0, 3, 5, 9))),
    entry: fc.nat(3),
    hardware: fc.boolean(),
  })
  .map(({ ps, widths, entry, hardware }) => {
    const base: number[] = [];
    const width: number[] = [];
    let next = ps;
    for (const [level, w] of widths.entries()) {
      // PWCL has 5 bits for the base of a level, PWCH 6.
      const fits = level > 2 || next < 32;
      base.push(fits ? next : 0);
      width.push(fits ? w : 0);
      if (fits) next += w;
    }
    return { base, width, entry, hardware };
  });

/** Whatever the registers hold. */
const insane: fc.Arbitrary<Geometry> = fc.record({
  base: fc.tuple(fc.nat(31), fc.nat(31), fc.nat(31), fc.nat(63), fc.nat(63)),
  width: fc.tuple(fc.nat(31), fc.nat(31), fc.nat(31), fc.nat(63), fc.nat(63)),
  entry: fc.nat(3),
  hardware: fc.boolean(),
});

const pwcl = ({ base, width, entry }: Geometry): bigint =>
  [0, 1, 2].reduce((v, n) => v | (BigInt(base[n]! | (width[n]! << 5)) << BigInt(10 * n)), BigInt(entry) << 30n);
const pwch = ({ base, width, hardware }: Geometry): bigint =>
  [3, 4].reduce((v, n) => v | (BigInt(base[n]! | (width[n]! << 6)) << BigInt(12 * (n - 3))), hardware ? 1n << 24n : 0n);

/** A refill handler for tables of this shape. */
const handler = ({ width }: Geometry, root: string): string[] => [
  'csrwr $t0, 0x8b',
  `csrrd $t0, ${root}`,
  ...[4, 3, 2, 1].filter((level) => width[level]! > 0).map((level) => `lddir $t0, $t0, ${level}`),
  'ldpte $t0, 0',
  'ldpte $t0, 1',
  'tlbfill',
  'csrrd $t0, 0x8b',
  'ertn',
];

interface Case {
  readonly tables: Geometry;
  readonly stage2: Geometry;
  readonly orderly: boolean;
  readonly stlb: number;
  readonly stlb2: number;
  readonly asid: number;
  readonly plv: number;
  /** Direct address mode. With a stage 2 that no system has, stage 1 must not have left anything in the TLB. */
  readonly direct: boolean;
  readonly windows: readonly { readonly segment: number; readonly plvs: number }[];
  readonly misc: number;
  /** MISC.VA32L1–3 and RVACFG. */
  readonly short: number;
  readonly reduced: number;
  readonly segment: number;
  readonly va: bigint;
  readonly access: number;
  readonly seed: number;
}

const geometries = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ tables: sane, stage2: sane, orderly: fc.constant(true), strangeStage2: fc.constant(false) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      tables: insane,
      stage2: sane,
      orderly: fc.constant(false),
      strangeStage2: fc.constant(false),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      tables: sane,
      stage2: insane,
      orderly: fc.constant(false),
      strangeStage2: fc.constant(true),
    }),
  },
);
const pageSizes = fc.constantFrom(12, 12, 14, 16, 21);
const cases: fc.Arbitrary<Case> = fc
  .tuple(
    geometries,
    fc.record({
      stlb: pageSizes,
      stlb2: pageSizes,
      asid: fc.nat(2),
      plv: fc.nat(3),
      direct: fc.nat(9).map((n) => n === 0),
      windows: fc.array(fc.record({ segment: fc.nat(15), plvs: fc.nat(15) }), { minLength: 4, maxLength: 4 }),
      misc: fc.nat(7),
      short: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.constantFrom(2, 4, 8, 14)),
      reduced: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 15 })),
      // Sign extension most of the time: other addresses meet a window or nothing.
      segment: fc.oneof({ weight: 8, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: fc.nat(0xffff) }),
      va: fc.oneof(fc.bigInt({ min: 0n, max: (1n << 30n) - 1n }), fc.bigInt({ min: 0n, max: (1n << 48n) - 1n })),
      access: fc.nat(2),
      seed: fc.integer({ min: 1, max: 0x7fffffff }),
    }),
  )
  .map(([g, rest]) => ({ ...g, ...rest, direct: rest.direct || g.strangeStage2 }));

const addressOf = ({ segment, va }: Case): bigint =>
  segment < 0 ? BigInt.asUintN(64, BigInt.asIntN(48, va)) : va | (BigInt(segment) << 48n);

/** Fills the room of each level: words that mostly point into the next level's room, and pages at the end. */
function fillTables(m: TestMachine, stage: number, { width }: Geometry, random: () => number): void {
  const chance = (n: number): boolean => random() % n === 0;
  const page = (): [number, number] => {
    const flags = (chance(6) ? 0 : 1) | (random() & 0xfbe) | (chance(4) ? 0 : 0x182);
    const restricted = (chance(8) ? 0x80000000 : 0) | (chance(5) ? 0x40000000 : 0) | (chance(5) ? 0x20000000 : 0);
    return [(random() & (RAM - 1) & ~0xfff) | (flags & ~0x40) | (chance(3) ? 0x40 : 0), restricted];
  };
  for (let level = 0; level < LEVELS; level++) {
    const words = new Int32Array(LEVEL_BYTES / 4);
    for (let i = 0; i < words.length; i += 2) {
      const entry = level === 0 ? page() : directory(level);
      words[i] = entry[0];
      words[i + 1] = entry[1];
    }
    m.machine.ram.write(tableOf(stage, level), new Uint8Array(words.buffer));
  }
  function directory(level: number): [number, number] {
    const kind = random() % 16;
    if (kind === 0) return [0, 0];
    // In stage 2 no huge pages of wrong sizes: what the walk of stage 1 leaves in the TLB would answer for others.
    if (kind === 1) return [random() & (stage === 1 ? ~0x40 : -1), random()];
    if (kind <= 3) {
      const [lo, hi] = page();
      return [(lo & ~0x6000) | 0x40 | (chance(2) ? 0x1000 : 0), hi];
    }
    const next = Math.max(
      0,
      width.findLastIndex((w, lower) => lower < level && w > 0),
    );
    return [tableOf(stage, next) | ((random() & 7) << 12) | (random() & 0xf3f), 0];
  }
}

/** Entries around an address, some of them that answer. */
function fillTlb(tlb: Tlb, address: number, gids: readonly number[], stlb: number, random: () => number): void {
  const pick = (list: readonly number[]): number => list[random() % list.length]!;
  tlb.reset();
  for (let n = random() % 12; n > 0; n--) {
    const small = random() % 2 === 0;
    // Now and then an entry from before STLBPS was changed.
    const ps = small ? (random() % 5 === 0 ? 12 : stlb) : pick([12, 14, 16, 20, 21, 29]);
    const vppn = (Math.floor(address / 0x2000) + (random() % 3)) % 2 ** 35;
    const i = small ? (random() % 8) * STLB_SETS + Tlb.set(vppn, ps) : STLB_SIZE + (random() % 48);
    tlb.e[i] = 1;
    tlb.setKey(i, vppn, ps, pick(gids), random() % 3);
    tlb.g[i] = random() % 4 === 0 ? 1 : 0;
    for (const k of [2 * i, 2 * i + 1]) {
      tlb.eloLo[k] = (random() & (RAM - 1) & ~0xfff) | (random() & 0x7f) | (random() % 5 ? 1 : 0);
      tlb.eloHi[k] = random() % 3 ? 0 : random() & 0xe0000000;
    }
  }
  tlb.restored();
}

/** Puts a machine into the state of a case. */
function arrange(m: TestMachine, c: Case, guest: boolean): void {
  const { cpu } = m;
  const random = seeded(c.seed);
  const va = addressOf(c);
  cpu.vm = false;
  fillTables(m, 0, c.tables, random);
  if (guest) fillTables(m, 1, c.stage2, random);
  const flat = Number(va & 0xffff_ffff_ffffn);
  fillTlb(cpu.gtlb, flat, [GID, GID, 2], c.stlb, random);
  // Stage 2 is asked for what the tables of stage 1 lead to, and for the tables themselves.
  fillTlb(
    cpu.htlb,
    guest ? random() % RAM : flat,
    guest ? [0, GID, GID] : [0, 0, GID],
    guest ? c.stlb2 : c.stlb,
    random,
  );
  const lowest = (g: Geometry): number =>
    Math.max(
      0,
      g.width.findLastIndex((w) => w > 0),
    );
  const world = {
    CRMD: (c.direct ? 8 : 0x10) | c.plv,
    ASID: c.asid,
    MISC: (c.misc << 16) | c.short,
    RVACFG: c.reduced,
    STLBPS: c.stlb,
    PWCL: pwcl(c.tables),
    PWCH: pwch(c.tables),
    PGDL: tableOf(0, lowest(c.tables)),
    PGDH: tableOf(0, lowest(c.tables)) + 0x1000,
    TLBRERA: 0,
    TLBRPRMD: 0,
    TLBRELO0: 0,
    TLBRELO1: 0,
    TLBREHI: 0,
    ...Object.fromEntries(
      c.windows.map(({ segment, plvs }, n) => [`DMW${n}`, (BigInt(segment) << 60n) | BigInt(plvs)]),
    ),
  };
  m.setGuest({ ...world, EENTRY: GUEST_VECTOR, TLBRENTRY: GUEST_REFILL });
  const own = {
    EENTRY: HOST_VECTOR,
    TLBRENTRY: HOST_REFILL,
    GSTAT: GID << 16,
    TLBRERA: 0,
    TLBRPRMD: 0,
    TLBRELO0: 0,
    TLBRELO1: 0,
  };
  if (!guest) {
    m.setHost({ ...world, ...own, GTLBC: 0 });
    m.code(HOST_REFILL, handler(c.tables, '0x1b'));
    return;
  }
  m.setHost({
    ...own,
    CRMD: 0x10,
    STLBPS: c.stlb2,
    PWCL: pwcl(c.stage2),
    PWCH: pwch(c.stage2),
    PGDL: tableOf(1, lowest(c.stage2)),
    PGDH: 0,
    GTLBC: 0x1000 | (GID << 16),
  });
  m.code(HOST_REFILL, handler(c.stage2, '0x19'));
  m.code(GUEST_REFILL_HPA, handler(c.tables, '0x1b'));
  const { htlb } = cpu;
  const last = STLB_SIZE + 63;
  htlb.e[last] = 1;
  htlb.setKey(last, GUEST_REFILL / 0x2000, 12, GID, 0);
  htlb.eloLo.fill(GUEST_REFILL_HPA | 1, 2 * last, 2 * last + 2);
  htlb.eloHi.fill(0, 2 * last, 2 * last + 2);
  cpu.vm = true;
  cpu.contextChanged();
}

interface Outcome {
  readonly address?: number;
  readonly exception?: ExceptionName;
  readonly root?: boolean;
}

const halves = (va: bigint): [number, number] => [Number(BigInt.asIntN(32, va)), Number(BigInt.asIntN(32, va >> 32n))];

/** What the machine makes of the access; refill handlers run. */
function access(m: TestMachine, c: Case, guest: boolean): Outcome {
  const { cpu } = m;
  const va = addressOf(c);
  for (let round = 0; round < 5; round++) {
    cpu.pc = START;
    const pa = translate(cpu, ...halves(va), c.access as 0 | 1 | 2, 0);
    if (pa >= 0) return { address: pa };
    let left = 200;
    while (left-- > 0) {
      const inGuest = cpu.vm;
      if (cpu.pc === START && inGuest === guest && !(cpu.csr.lo(CSR.TLBRERA) & 1)) break;
      if (cpu.pc === BigInt(inGuest ? GUEST_VECTOR : HOST_VECTOR)) {
        const estat = cpu.csr.get(CSR.ESTAT);
        const [ecode, esub] = [Number((estat >> 16n) & 0x3fn), Number((estat >> 22n) & 0x1ffn)];
        const root = guest && !inGuest;
        // In 32-bit address mode an address has no upper half.
        const used = c.short & (1 << c.plv) && c.plv > 0 ? va & 0xffff_ffffn : va;
        if (!root) expect(cpu.csr.get(CSR.BADV)).toBe(used);
        if (!root && ecode < 8) expect(cpu.csr.get(CSR.TLBEHI)).toBe(BigInt.asUintN(64, used & ~0x1fffn));
        return { exception: EXCEPTIONS.find((e) => e.ecode === ecode && e.esub === esub)!.name, root };
      }
      m.machine.run(1);
    }
    if (left < 0) break;
  }
  return { exception: 'TLBR' };
}

/** What a walk must leave alone. */
function trace(m: TestMachine): unknown[] {
  const { cpu } = m;
  const sum = (list: ArrayLike<number>): number => {
    let s = 0;
    for (let i = 0; i < list.length; i++) s = (Math.imul(s, 31) + list[i]!) | 0;
    return s;
  };
  const tables = m.machine.ram.read(TABLES, 2 * LEVELS * LEVEL_BYTES);
  return [
    ...[cpu.htlb, cpu.gtlb].flatMap((t) => [sum(t.e), sum(t.eloLo), sum(t.eloHi)]),
    sum(new Int32Array(tables.slice().buffer)),
    [CSR.ESTAT, CSR.BADV, CSR.TLBRERA, CSR.TLBREHI, CSR.TLBRELO0].flatMap((n) => [cpu.host.get(n), cpu.guest.get(n)]),
    cpu.pc,
    cpu.vm,
  ];
}

/**
 * Did a page walk by hardware find a page of another size than the TLB's entry for the same address? Both are in the TLB then,
 * which is undefined: software has forgotten an invalidation.
 */
function overlaps(m: TestMachine, c: Case, guest: boolean, steps: readonly string[]): boolean {
  if (!c.tables.hardware || !steps.some((step) => /^(host|stage 1): page tables/.test(step))) return false;
  const { cpu } = m;
  const vppn = Number((addressOf(c) & 0xffff_ffff_ffffn) >> 13n);
  return (guest ? cpu.gtlb : cpu.htlb).find(vppn, guest ? GID : 0, c.asid, c.stlb) >= 0;
}

/** Failures that a handler which looks for empty entries would report; the machine reads zeros there. */
const NO_TABLE = /is empty|is not in memory|no page table|describe no levels/;
/** What `ldpte` then leaves of an earlier refill is not valid here. */
const NO_SIZE = /does not hold/;
const INVALID = ['PIL', 'PIS', 'PIF', 'TLBR'];

function compare(m: TestMachine, c: Case, guest: boolean, faults: boolean): Outcome {
  arrange(m, c, guest);
  const before = trace(m);
  const ctx = runningContext(m.cpu, new VcpuStates(m.machine.ram));
  const said = walk(ctx, m.machine.ram, addressOf(c), undefined, c.access as 0 | 1 | 2);
  const looked = walk(ctx, m.machine.ram, addressOf(c));
  expect(trace(m)).toEqual(before);
  const overlapping = overlaps(m, c, guest, said.steps);
  const done = access(m, c, guest);
  const words = [...said.steps, said.failure ?? ''].join('\n');
  // In tables that no system has, the zeros behind an empty entry may be another table.
  if (overlapping || (NO_TABLE.test(words) && !c.orderly)) return done;
  // The zeros behind an empty entry of a guest are where stage 2 has its page 0.
  if (guest && said.steps.some((step) => step.startsWith('stage 1') && NO_TABLE.test(step))) return done;
  // A walk by hardware that finds no size for the TLB leaves the rest to the refill handler, which may find one.
  if (NO_SIZE.test(words) && c.tables.hardware) return done;
  if (done.address !== undefined) {
    expect(said.address, words).toBe(BigInt(done.address));
    // A store by hardware may find a newer entry than the TLB's; a look takes the TLB's.
    // Windows 2 and 3 show data to a debugger, and no code to the machine.
    const differently = c.access === 2 && looked.steps.some((s) => /DMW[23]/.test(s));
    if (c.access !== 1 && !differently) expect(looked.address, words).toBe(said.address);
  }
  if (!faults) return done;
  if ((NO_TABLE.test(words) || NO_SIZE.test(words)) && said.fault?.exception === 'TLBR')
    expect(INVALID, words).toContain(done.exception);
  else expect({ exception: said.fault?.exception }, words).toEqual({ exception: done.exception });
  if (done.root !== undefined) expect(said.fault?.root, words).toBe(done.root);
  return done;
}

// Manual: 5.2, 5.2.1, 5.2.2, 5.2.3, 5.4.4, 5.4.5
describe('the machine and the debugger translate alike', () => {
  test.each([
    ['the host', false],
    ['a guest', true],
  ])('in %s', (_, guest) => {
    const m = new TestMachine({ features: { ptw: true } });
    m.machine.ram.write(0, new Uint8Array(0x10000));
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(cases, (c) => {
        const { address, exception } = compare(m, c, guest, true);
        const key = address === undefined ? exception! : 'address';
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }),
      { seed: 2026, numRuns: 700, endOnFailure: true },
    );
    // The cases reach everything that a translation can come to.
    for (const key of ['address', 'TLBR', 'PIL', 'PIS', 'PIF', 'PME', 'PNR', 'PNX', 'PPI', 'ADEM', 'ADEF'])
      expect(seen.get(key), key).toBeGreaterThan(3);
  });
});
