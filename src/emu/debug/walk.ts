/**
 * Translation for a debugger. It uses the same stages and the same page walk as the machine (mmu/stages.ts, mmu/page-walk.ts),
 * with a reader that changes nothing, and describes each step. When the TLB has no entry, it walks the page tables: software
 * refills the TLB, so "not in the TLB" does not mean "not mapped".
 */

import { addressHigh } from '../cpu/address-mode.ts';
import type { CsrHalves } from '../cpu/csr-bank.ts';
import { ASID, CRMD, TLBELO, wideMask } from '../cpu/csr-fields.ts';
import { CSR, type FieldName, fieldNamed } from '../cpu/csr-table.ts';
import type { ExceptionName } from '../cpu/exception-table.ts';
import type { TranslationStage } from '../cpu/translation-stage.ts';
import { hex } from '../formats/hex.ts';
import { viewOf } from '../formats/little-endian.ts';
import type { Ram } from '../memory/ram.ts';
import { accessed, entryRefusal, rootFor, walksByHardware } from '../mmu/hardware-walk.ts';
import {
  addressBits,
  entryIndex,
  hasTables,
  isHuge,
  Leaf,
  otherSlot,
  type TableReader,
  walkTables,
} from '../mmu/page-walk.ts';
import {
  type AccessType,
  type Fault,
  FETCH,
  fault,
  INVALID,
  LOAD,
  LOOK,
  LOOK_AT_CODE,
  pageAddress,
  refusal,
  refusal2,
  STORE,
  type StageReport,
  stage1,
  stage2,
} from '../mmu/stages.ts';
import { legalSize, shr, type Tlb, type TlbEntryView } from '../tlb/tlb.ts';
import { type DebugContext, HOST_WORLD } from './context.ts';

/** Outcome of one stage or of both. */
export interface WalkResult {
  /** The address reached, undefined when the walk failed. */
  readonly address: bigint | undefined;
  /** A description of each step. */
  readonly steps: readonly string[];
  /** Why it failed. */
  readonly failure?: string;
  /** The exception of the machine at such an access: at once, or after a refill has put the table entries into the TLB. */
  readonly fault?: Fault;
  /** The last page-table entry, when tables were walked to their end. */
  readonly leaf?: TableLeaf;
  /** Where the page was by the last valid translation of stage 2 that was seen, when there is none now. It may have other content. */
  readonly remembered?: bigint;
}

/** A page-table entry that maps a page. */
export interface TableLeaf {
  readonly slot: bigint;
  readonly entry: bigint;
  readonly huge: boolean;
  /** Addresses of the table entries for the pair of a TLB entry: even and odd page, or the one entry of a huge page. */
  readonly pair: readonly bigint[];
}

/** Outcome without a description. */
interface Reached {
  readonly address?: number | undefined;
  readonly fault?: Fault | undefined;
  readonly leaf?: TableLeaf | undefined;
  readonly remembered?: number | undefined;
}

const MASK48 = (1n << 48n) - 1n;
const CRMD_PLV = wideMask('CRMD', 'PLV');
const whole = (lo: number, hi: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
const low = (v: bigint): number => Number(BigInt.asIntN(32, v));
const high = (v: bigint): number => low(v >> 32n);

/** Permission and attribute bits of a TLBELO value or page-table entry, in words. */
export function describeElo(elo: bigint): string {
  const field = (name: FieldName<'TLBELO0'>): number => fieldNamed('TLBELO0', name, elo);
  const parts = [
    field('V') ? 'V' : 'not valid (V=0)',
    field('D') ? 'D (writable)' : 'clean (D=0)',
    `PLV${field('PLV')}`,
    `MAT=${field('MAT')}`,
  ];
  for (const name of ['G', 'NR', 'NX'] as const) if (field(name)) parts.push(name);
  return parts.join(' ');
}

/** One TLB entry as a line. */
export function describeEntry(e: TlbEntryView): string {
  const va = BigInt(e.vppn) << 13n;
  return `#${e.index} ${e.gid ? `gid ${e.gid} ` : ''}asid ${e.asid}${e.global ? ' G' : ''} VPPN ${hex(va)} PS ${e.ps}: even ${hex(e.elo[0])}, odd ${hex(e.elo[1])}`;
}

/** The registers of a context in halves. `plv`: with this privilege level. */
export function registersOf(ctx: DebugContext, plv: bigint | undefined): CsrHalves {
  const { cpu } = ctx;
  if (ctx.live && plv === undefined && ctx.world === cpu.world) return cpu.csr;
  const value = (num: number): bigint =>
    num === CSR.CRMD && plv !== undefined ? (ctx.csr(num) & ~CRMD_PLV) | plv : ctx.csr(num);
  return { lo: (num) => low(value(num)), hi: (num) => high(value(num)) };
}

/** The steps of one stage in words. */
class Words implements StageReport {
  failure: string | undefined;
  readonly what: string;
  private readonly steps: string[];
  private readonly csr: CsrHalves;
  private readonly address: bigint;
  /** Text for the case that no entry matches. */
  private readonly missed: string;

  constructor(what: string, steps: string[], csr: CsrHalves, address: bigint, missed: string) {
    this.what = what;
    this.steps = steps;
    this.csr = csr;
    this.address = address;
    this.missed = missed;
  }

  say(text: string): void {
    this.steps.push(`${this.what}: ${text}`);
  }

  /** Says why the stage fails. */
  fail(text: string): void {
    this.failure = `${this.what}: ${text}`;
    this.steps.push(this.failure);
  }

  direct(): void {
    this.say(`direct address mode (CRMD.DA=1): ${hex(this.address & MASK48)}`);
  }

  window(n: number): void {
    const value = whole(this.csr.lo(CSR.DMW0 + n), this.csr.hi(CSR.DMW0 + n));
    this.say(`direct mapping window DMW${n} (${hex(value)}): ${hex(this.address & MASK48)}`);
  }

  notCanonical(): void {
    const plv = this.csr.lo(CSR.CRMD) & CRMD.PLV;
    const vseg = hex(fieldNamed('DMW0', 'VSEG', this.address));
    this.fail(`${hex(this.address)} is not canonical and no DMW window with VSEG=${vseg} is open to PLV${plv}`);
  }

  miss(): void {
    this.say(this.missed);
  }

  entry(tlb: Tlb, i: number, odd: number): void {
    const view = tlb.view(i);
    const elo = view.elo[odd]!;
    this.say(`TLB entry ${describeEntry(view)}`);
    this.say(describeElo(elo));
    if (!fieldNamed('TLBELO0', 'V', elo)) this.failure = `${this.what}: the TLB entry is not valid (V=0)`;
  }
}

/** A question about one stage. */
interface Query {
  readonly ctx: DebugContext;
  readonly ram: Ram;
  readonly access: AccessType;
  /** Told of each step. */
  readonly words?: Words | undefined;
}

/** A walk of page tables. */
interface TableWalk extends Omit<Query, 'ctx'> {
  /** The registers that describe the tables. */
  readonly csr: CsrHalves;
  readonly root: number;
  readonly address: number;
  /** As the hardware walks, or as a refill handler does. */
  readonly byHardware: boolean;
  /** What the page that is found says against the access. */
  readonly refuses: (eloLo: number, eloHi: number) => ExceptionName | undefined;
}

/** Reads table entries without any change, and describes each one. */
class PeekingReader implements TableReader {
  lo = 0;
  hi = 0;
  /** The stage-2 fault that the machine would raise if it read the table. */
  unreachable: Fault | undefined;
  private readonly ram: Ram;
  private readonly csr: CsrHalves;
  private readonly byHardware: boolean;
  private readonly words: Words | undefined;
  private readonly place: (slot: number) => Reached;
  /** The level read before. */
  private before = -1;

  /** @param place where an address of the tables' space is in physical memory */
  constructor(walk: TableWalk, place: (slot: number) => Reached) {
    this.ram = walk.ram;
    this.csr = walk.csr;
    this.byHardware = walk.byHardware;
    this.words = walk.words;
    this.place = place;
  }

  read(table: number, slot: number, level: number): boolean {
    const { words, byHardware } = this;
    // Refill handlers look for empty entries. The walk by hardware goes on with a table at 0.
    if (table < 4096 && !byHardware) {
      words?.fail(this.before < 0 ? 'no page table (PGD is 0)' : `the level-${this.before} entry is empty`);
      return false;
    }
    this.before = level;
    const { address: now, remembered, fault: refused } = this.place(slot);
    this.unreachable ??= refused;
    if (now === undefined && remembered !== undefined)
      words?.say(`the page of the table at ${hex(slot)} is read by its last valid translation`);
    const address = now ?? remembered;
    const bytes = address === undefined ? new Uint8Array(0) : this.ram.read(address, 8);
    if (bytes.length < 8) {
      const text = `the table at ${hex(table - (table % 4096))} (level ${level}) is not in memory`;
      this.lo = 0;
      this.hi = 0;
      if (byHardware) words?.say(`${text}: it reads as 0`);
      else words?.fail(text);
      return byHardware;
    }
    const view = viewOf(bytes);
    this.lo = view.getInt32(0, true);
    this.hi = view.getInt32(4, true);
    const huge = level > 0 && isHuge(this.lo) ? ' (huge page)' : '';
    words?.say(
      `level ${level} [${entryIndex(this.csr, table, slot)}] at ${hex(slot)} = ${hex(whole(this.lo, this.hi))}${huge}`,
    );
    return true;
  }
}

/** The tables have no entry for a refill. */
const NOWHERE: Reached = { fault: fault('TLBR', false) };

/** Walks page tables from their root to the page. */
function walkFrom(walk: TableWalk, reader: PeekingReader): Reached {
  const { csr, root, address, byHardware, access, words } = walk;
  words?.say(`page tables at ${hex(root)}`);
  if (root >= 4096 && !byHardware && !hasTables(csr)) {
    words?.fail('PWCL/PWCH describe no levels');
    return NOWHERE;
  }
  const leaf = new Leaf();
  if (!walkTables(csr, root, address, byHardware, reader, leaf)) return NOWHERE;
  const place: TableLeaf = {
    slot: BigInt(leaf.slot),
    entry: whole(leaf.entryLo, leaf.entryHi),
    huge: leaf.level > 0,
    pair:
      leaf.level > 0
        ? [BigInt(leaf.slot)]
        : [leaf.slot, otherSlot(csr, leaf)].sort((a, b) => a - b).map((slot) => BigInt(slot)),
  };
  let refused = byHardware ? entryRefusal(leaf.entryLo, access) : undefined;
  if (refused)
    words?.fail(
      refused === 'PME' ? 'the page-table entry forbids writing (W=0)' : 'the page-table entry is not present (P=0)',
    );
  else if (!legalSize(leaf.ps)) {
    refused = 'TLBR';
    words?.fail(`the page has 2^${leaf.ps} bytes, a size that the TLB does not hold`);
  } else if (!byHardware && !(leaf.lo & TLBELO.V)) {
    refused = INVALID[access]!;
    words?.fail('the page-table entry is not valid (V=0)');
  }
  if (refused) return { fault: fault(refused, false), leaf: place };
  const lo = byHardware ? accessed(leaf.lo, access) : leaf.lo;
  words?.say(describeElo(whole(lo, leaf.hi)));
  refused = walk.refuses(lo, leaf.hi);
  return {
    address: pageAddress(lo, leaf.hi, leaf.ps, low(BigInt(address)), high(BigInt(address))),
    fault: refused && fault(refused, false),
    leaf: place,
  };
}

/** Exceptions after which the hardware walks the tables, so that they may not be raised. */
const WALKED: readonly string[] = ['TLBR', 'PME', ...INVALID];

/** Stage 1 of a context, or the only stage of the host. */
function first(query: Query, csr: CsrHalves, va: bigint): Reached {
  const { ctx, ram, access, words } = query;
  const { cpu, world } = ctx;
  const guest = world !== HOST_WORLD;
  const stage: TranslationStage = guest
    ? { csr, tlb: cpu.gtlb, gid: tagOf(ctx, ctx.gid) }
    : { csr, tlb: cpu.htlb, gid: 0 };
  const [lo, hi] = [low(va), addressHigh(csr, high(va))];
  const led = stage1(stage, lo, hi, access === FETCH ? LOOK_AT_CODE : LOOK, words);
  const found = access === LOOK ? led : stage1(stage, lo, hi, access);
  if (typeof found === 'number') return { address: found };
  const byHardware = walksByHardware(cpu.features, csr);
  if (!WALKED.includes(found.exception) || (!byHardware && typeof led === 'number'))
    return { address: typeof led === 'number' ? led : undefined, fault: found };
  const tables: TableWalk = {
    ...{ csr, ram, access, words, byHardware },
    root: rootFor(csr, hi),
    address: addressBits(lo, hi),
    refuses: (eloLo, eloHi) => refusal(csr, eloLo, eloHi, csr.lo(CSR.CRMD) & CRMD.PLV, access),
  };
  const asTable: Query = { ctx, ram, access: byHardware ? STORE : LOAD };
  const reader = new PeekingReader(tables, (slot) => (guest ? second(asTable, ctx.gid, slot) : { address: slot }));
  const walked = walkFrom(tables, reader);
  // An entry that exists and is not valid faults without a refill.
  const atOnce = byHardware || found.exception === 'TLBR' ? reader.unreachable : found;
  return atOnce ? { ...walked, fault: atOnce } : walked;
}

/** No GID of a TLB entry. */
const NO_TAG = -1;

/** The GID by which the TLB entries of a guest are found. A parked vCPU may have lost its GID to another VM. */
const tagOf = (ctx: DebugContext, gid: number): number =>
  ctx.live || ctx.world === HOST_WORLD || ctx.cpu.events.vmOf(gid, ctx.cpu.now) === ctx.world ? gid : NO_TAG;

/** Stage 2 of guest `gid`: now, otherwise as it was seen last. */
function second(query: Query, gid: number, gpa: number): Reached {
  const reached = secondNow(query, gid, gpa);
  const last = reached.address === undefined ? query.ctx.lastTranslation(gpa) : undefined;
  if (!last) return reached;
  const remembered = pageAddress(last.lo, last.hi, last.ps, gpa | 0, Math.floor(gpa / 0x100000000));
  const { words } = query;
  words?.say(
    `last valid translation, at instruction ${last.position}: GPA ${hex(gpa)} was at ${hex(remembered)}; the host has since ${removal(reached, remembered, last.ps)}`,
  );
  return { ...reached, remembered };
}

/** What the host has done to a page that was mapped. */
function removal({ leaf }: Reached, remembered: number, ps: number): string {
  const names = leaf && pageAddress(low(leaf.entry), high(leaf.entry), ps, 0, 0) === shr(remembered, ps) * 2 ** ps;
  return names ? 'made its entry invalid, which still names this page' : 'removed it';
}

/** Stage 2 of guest `gid` now: from the TLB, or from the tables last used for that guest. */
function secondNow(query: Query, gid: number, gpa: number): Reached {
  const { ctx, access, words } = query;
  const { cpu } = ctx;
  const stage: TranslationStage = { csr: cpu.host, tlb: cpu.htlb, gid: tagOf(ctx, gid) };
  const led = stage2(stage, gpa, LOOK, words);
  const found = access === LOOK ? led : stage2(stage, gpa, access);
  if (typeof led === 'number') return { address: led, fault: typeof found === 'number' ? undefined : found };
  const root = ctx.stage2Root();
  if (root === undefined) {
    if (led.exception !== 'TLBR') words?.fail('the TLB entry is not valid (V=0)');
    else words?.fail(`no TLB entry, and no stage-2 table is known for gid ${gid}`);
    return { fault: led };
  }
  const walked = walkStage2Tables(query, cpu.host, root, gpa);
  const refused = typeof found === 'number' || found.exception === 'TLBR' ? walked.fault : found;
  return { ...walked, fault: refused && fault(refused.exception, true) };
}

function walkStage2Tables(query: Omit<Query, 'ctx'>, host: CsrHalves, root: bigint, gpa: number): Reached {
  const { ram, access, words } = query;
  const tables: TableWalk = {
    ...{ csr: host, ram, access, words, byHardware: false },
    root: addressBits(low(root), high(root)),
    address: gpa,
    refuses: (eloLo, eloHi) => refusal2(eloLo, eloHi, access),
  };
  return walkFrom(tables, new PeekingReader(tables, (slot) => ({ address: slot })));
}

const wordsOfStage1 = (ctx: DebugContext, csr: CsrHalves, va: bigint, steps: string[]): Words => {
  const asid = csr.lo(CSR.ASID) & ASID.ASID;
  const missed = `no DMW window and no TLB entry for ${hex(va)}, asid ${asid}`;
  return new Words(ctx.world === HOST_WORLD ? 'host' : 'stage 1', steps, csr, va, missed);
};

const wordsOfStage2 = (ctx: DebugContext, gid: number, gpa: bigint, steps: string[]): Words =>
  new Words('stage 2', steps, ctx.cpu.host, gpa, `no TLB entry for GPA ${hex(gpa)} of gid ${gid}`);

const resultOf = (r: Reached, steps: readonly string[], failure: string | undefined): WalkResult => ({
  address: r.address === undefined ? undefined : BigInt(r.address),
  steps,
  ...(r.address === undefined && failure !== undefined ? { failure } : {}),
  ...(r.fault ? { fault: r.fault } : {}),
  ...(r.leaf ? { leaf: r.leaf } : {}),
  ...(r.remembered === undefined ? {} : { remembered: BigInt(r.remembered) }),
});

/** GPA → HPA for guest `gid`, from the TLB or the stage-2 tables last used for that guest. */
export function walkStage2(ctx: DebugContext, ram: Ram, gid: number, gpa: bigint): WalkResult {
  const steps: string[] = [];
  const words = wordsOfStage2(ctx, gid, gpa, steps);
  const reached = second({ ctx, ram, access: LOOK, words }, gid, addressBits(low(gpa), high(gpa)));
  return resultOf(reached, steps, words.failure);
}

/** An address through the page tables from a root alone, whatever the TLB has: as the refill handler of the host would. */
export function walkTable(
  host: DebugContext,
  ram: Ram,
  root: bigint,
  va: bigint,
  access: AccessType = LOOK,
): WalkResult {
  const steps: string[] = [];
  const csr = registersOf(host, undefined);
  const words = new Words('stage 2', steps, csr, va, '');
  const walked = walkStage2Tables({ ram, access, words }, csr, root, addressBits(low(va), high(va)));
  return resultOf(walked, steps, words.failure);
}

/**
 * VA → host physical address through every stage of the context's world.
 * @param plv privilege level of the access; default: that of the context
 * @param access the access that `fault` of the result is for; a debugger's own read follows every valid entry
 */
export function walk(ctx: DebugContext, ram: Ram, va: bigint, plv?: bigint, access: AccessType = LOOK): WalkResult {
  const csr = registersOf(ctx, plv);
  const steps: string[] = [];
  const words = wordsOfStage1(ctx, csr, va, steps);
  const one = first({ ctx, ram, access, words }, csr, va);
  if (ctx.world === HOST_WORLD || one.address === undefined) return resultOf(one, steps, words.failure);
  const more = wordsOfStage2(ctx, ctx.gid, BigInt(one.address), steps);
  const two = second({ ctx, ram, access, words: more }, ctx.gid, one.address);
  return resultOf({ ...two, fault: one.fault ?? two.fault }, steps, more.failure);
}

/** The result of {@link walk} without a description: `remembered` as well as `address`. */
export function reachedBy(ctx: DebugContext, ram: Ram, va: bigint, plv?: bigint): Omit<Reached, 'leaf'> {
  const query: Query = { ctx, ram, access: LOOK };
  const one = first(query, registersOf(ctx, plv), va);
  if (ctx.world === HOST_WORLD || one.address === undefined) return one;
  return second(query, ctx.gid, one.address);
}

/** The result address of {@link walk}, without a description. */
export const physicalAddress = (ctx: DebugContext, ram: Ram, va: bigint, plv?: bigint): number | undefined =>
  reachedBy(ctx, ram, va, plv).address;
