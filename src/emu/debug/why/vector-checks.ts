/** Checks of what delivers an event: the vector, and the roots of page tables. */
import { CSR, csrByNumber, fieldNamed } from '../../cpu/csr-table.ts';
import type { EventRecord } from '../../cpu/event-ring.ts';
import { hex } from '../../formats/hex.ts';
import { u32At } from '../../formats/little-endian.ts';
import { decode } from '../../isa/decoder.ts';
import { FETCH } from '../../mmu/stages.ts';
import { type DebugContext, HOST_WORLD, hostContext } from '../context.ts';
import { csrName, describeWrite, hasWritten, lastWrite } from '../csr-words.ts';
import { readVirtual } from '../debug-memory.ts';
import { worldName } from '../vms.ts';
import { walk, walkStage2 } from '../walk.ts';
import { causeOf, type Moment, place } from './moment.ts';
import { walksTables } from './table-checks.ts';
import { unaligned, written } from './values.ts';

/** The world that takes an event. */
export const takerOf = (r: EventRecord): number => (r.kind === 'exit' ? HOST_WORLD : r.world);

/** The register that an event takes its vector from. */
export const vectorRegister = (r: EventRecord): number => (causeOf(r) === 'TLBR' ? CSR.TLBRENTRY : CSR.EENTRY);

/** The taker's registers. */
const takerContext = ({ cpu, ctx, r }: Moment): DebugContext => (r.kind === 'exit' ? hostContext(cpu) : ctx);

const ADDRESS = 0xffff_ffff_ffffn;

export function neverWritten(m: Moment): string | undefined {
  const { cpu, r, name } = m;
  const to = takerOf(r);
  const num = vectorRegister(r);
  const first = `its first ${causeOf(r)}, at ${place(m, r.world, r.pc)}, goes to ${hex(r.vector)}`;
  if (!hasWritten(cpu, to, num)) return `${worldName(cpu, to)} never wrote ${csrName(to, num)}: ${first}`;
  // Firmware may clear it, which is as good as not written; but 0 is an address, too.
  if (takerContext(m).csr(num) !== 0n || hasHandler(m)) return undefined;
  return `${csrName(to, num)} of ${worldName(cpu, to)} is 0 (${describeWrite(lastWrite(cpu, to, num), name)}), and no handler is there: ${first}`;
}

/** Is an instruction at the vector that can be one? Memory that was never written is 0. */
function hasHandler(m: Moment): boolean {
  const { machine, r } = m;
  const ctx = takerContext(m);
  const word = u32At(
    vectorRegister(r) === CSR.TLBRENTRY ? readPhysical(m, r.vector) : readVirtual(machine, ctx, r.vector, 4),
  );
  return word !== undefined && decode(word) !== undefined;
}

/** The word at an address that the taker uses in direct address mode; nothing where no RAM is. */
function readPhysical({ machine, r, ctx }: Moment, at: bigint): Uint8Array {
  const pa = takerOf(r) === HOST_WORLD ? at : walkStage2(ctx, machine.ram, ctx.gid, at).address;
  return pa !== undefined && machine.ram.has(Number(pa)) ? machine.ram.read(Number(pa), 4) : new Uint8Array();
}

export function bitsDropped(m: Moment): string | undefined {
  const { csr } = takerContext(m);
  return unaligned({ ...m, world: takerOf(m.r), csr }, vectorRegister(m.r));
}

export function refillNotPhysical(m: Moment): string | undefined {
  const { cpu, ctx, r, machine, name } = m;
  const to = takerOf(r);
  if (vectorRegister(r) !== CSR.TLBRENTRY) return undefined;
  const write = lastWrite(cpu, to, CSR.TLBRENTRY);
  const value = takerContext(m).csr(CSR.TLBRENTRY);
  const reached = to === HOST_WORLD ? value : walkStage2(ctx, machine.ram, ctx.gid, value).address;
  if (!write) return undefined;
  // Bits that the register drops do no harm, as long as the handler is found.
  const isVirtual = (written(write) & ~ADDRESS) !== 0n;
  const faults = m.then !== undefined && m.then.pc === r.vector;
  if (reached !== undefined && machine.ram.has(Number(reached)) && !(isVirtual && faults)) return undefined;
  const virtual = isVirtual ? `was given the virtual address ${hex(written(write))} and ` : '';
  return `${csrName(to, CSR.TLBRENTRY)} ${virtual}keeps ${hex(value)}, which is not where the handler is: the refill handler runs in direct address mode and needs its physical address (${describeWrite(write, name)})`;
}

export function vectorNotMapped(m: Moment): string | undefined {
  const { cpu, r, machine, name } = m;
  const to = takerOf(r);
  const ctx = takerContext(m);
  if (vectorRegister(r) !== CSR.EENTRY || fieldNamed('CRMD', 'DA', ctx.csr(CSR.CRMD))) return undefined;
  const reached = walk(ctx, machine.ram, r.vector, 0n, FETCH);
  if (reached.address !== undefined && !reached.fault) return undefined;
  const value = ctx.csr(CSR.EENTRY);
  const window = closedWindow(ctx, value);
  const physical = value <= ADDRESS >> 1n && machine.ram.has(Number(value)) ? 'a physical address, ' : '';
  const why = window ?? `${physical}which no page and no window maps in the mode of the handler`;
  return `${csrName(to, CSR.EENTRY)} is ${hex(value)}, ${why}: the first ${causeOf(r)}, at ${place(m, r.world, r.pc)}, cannot be delivered (${describeWrite(lastWrite(cpu, to, CSR.EENTRY), name)})`;
}

/** A window that covers an address and is not open to PLV0, in words. */
export function closedWindow(ctx: DebugContext, va: bigint): string | undefined {
  for (let n = 0; n < 4; n++) {
    const value = ctx.csr(CSR.DMW0 + n);
    if (value !== 0n && value >> 60n === va >> 60n && !fieldNamed('DMW0', 'PLV0', value))
      return `in the window of ${csrByNumber(CSR.DMW0 + n)!.name} = ${hex(value)}, which is not open to PLV0 (bit 0)`;
  }
  return undefined;
}

/** An address of a window, which no window has, although there is memory or a device behind it. */
export function noWindow(m: Moment): string | undefined {
  const { r, ctx, cpu, machine, name } = m;
  if (!/^ADE[FM]$/.test(causeOf(r)) || r.kind === 'exit' || fieldNamed('CRMD', 'DA', ctx.csr(CSR.CRMD)))
    return undefined;
  const segment = Number(r.va >> 60n);
  if (segment < 8 || (r.va >> 48n) & 0xfffn) return undefined;
  const pa = BigInt.asUintN(48, r.va);
  const reached = r.world === HOST_WORLD ? pa : walkStage2(ctx, machine.ram, ctx.gid, pa).address;
  if (reached === undefined || !(machine.ram.has(Number(reached)) || machine.bus.at(Number(reached)))) return undefined;
  const closed = closedWindow(ctx, r.va);
  const windows = WINDOWS.map((n) => CSR.DMW0 + n);
  if (!closed && windows.some((num) => ctx.csr(num) >> 60n === r.va >> 60n && ctx.csr(num) !== 0n)) return undefined;
  const unset = windows.filter((num) => !hasWritten(cpu, r.world, num)).map((num) => csrName(r.world, num));
  const set = windows
    .filter((num) => hasWritten(cpu, r.world, num))
    .map(
      (num) => `${csrName(r.world, num)} = ${hex(ctx.csr(num))} ${describeWrite(lastWrite(cpu, r.world, num), name)}`,
    );
  const never = unset.length > 0 ? [`${unset.join(', ')} never written`] : [];
  const why = closed ?? `which no window has (${[...set, ...never].join('; ')})`;
  return `${worldName(cpu, r.world)} uses ${hex(r.va)} at ${place(m, r.world, r.pc)}, ${why}: a window for 0x${segment.toString(16)}… must be set up first`;
}

const WINDOWS = [0, 1, 2, 3];

/** The vector of interrupt line 0, where each cause has one. */
const FIRST_INTERRUPT = 64;
/** Slots of a table of vectors that are compared, and the bytes that they may be apart. */
const SLOTS = 24;
const SPACINGS = [16, 32, 64, 128, 256, 512];

/** ECFG.VS beside the code at the vectors: a table with a vector for each cause, or one handler for all. */
export function spacing(m: Moment): string | undefined {
  const { cpu, machine, name } = m;
  const ctx = takerContext(m);
  const r = deliveredByVector(m);
  if (!r) return undefined;
  const vs = fieldNamed('ECFG', 'VS', ctx.csr(CSR.ECFG));
  const apart = vs === 0 ? 0 : 4 << vs;
  if (causeOf(r) === 'INT' && vs === 0) return undefined;
  const slot = causeOf(r) === 'INT' ? FIRST_INTERRUPT + r.badi : r.ecode;
  const base = r.vector - BigInt(slot * apart);
  const bytes = readVirtual(machine, ctx, base, SLOTS * SPACINGS.at(-1)!);
  const register = `${csrName(takerOf(r), CSR.ECFG)}.VS is ${vs}`;
  const wrote = `(ECFG ${describeWrite(lastWrite(cpu, takerOf(r), CSR.ECFG), name)})`;
  const found = SPACINGS.find((bytesApart) => isTable(bytes, bytesApart));
  if (found !== undefined && found !== apart) {
    const arrives =
      vs === 0
        ? `${causeOf(r)} arrives at the first vector of ${hex(base)}, where a table has one for each cause, ${found} bytes apart`
        : `${causeOf(r)} arrives at ${hex(r.vector)}, as if vectors were ${apart} bytes apart; the table at ${hex(base)} has one for each cause, ${found} bytes apart`;
    return `${register}, so ${arrives}: VS must be ${Math.log2(found / 4)} ${wrote}`;
  }
  if (found === undefined && vs > 0 && r.vector > base && isOneHandler(bytes, apart))
    return `${register}, so ${causeOf(r)} arrives at ${hex(r.vector)}, ${hex(r.vector - base)} bytes behind the one handler at ${place(m, takerOf(r), base)}: VS must be 0 where one handler serves all causes ${wrote}`;
  return undefined;
}

/** The event, or the last one before it, that arrived at a vector of its own of the same world. */
function deliveredByVector({ r, past }: Moment): EventRecord | undefined {
  const arrives = (e: EventRecord): boolean =>
    e.kind !== 'entry' && takerOf(e) === takerOf(r) && vectorRegister(e) === CSR.EENTRY;
  if (arrives(r)) return r;
  return past.steps.findLast((s) => s.events.some(arrives))?.events.find(arrives);
}

/** Instructions that end a piece of code, and the one that fills space. */
const ENDS: ReadonlySet<string> = new Set(['b', 'jirl', 'ertn', 'break', 'idle']);
const NOP = 0x0340_0000;

/** Does the code of the first vector go on through the second one? Then it is no table of vectors. */
function isOneHandler(bytes: Uint8Array, apart: number): boolean {
  if (bytes.length <= apart) return false;
  for (let at = 0; at <= apart; at += 4) {
    const word = u32At(bytes.subarray(at, at + 4)) ?? 0;
    const row = decode(word);
    if (!row || word === NOP || ENDS.has(row.name)) return false;
  }
  return true;
}

/** Do slots begin with the same instruction, and are they not the same as a whole? */
function isTable(bytes: Uint8Array, apart: number): boolean {
  if (bytes.length < SLOTS * apart) return false;
  const word = (at: number): number => u32At(bytes.subarray(at, at + 4)) ?? 0;
  let differ = 0;
  for (let slot = 1; slot < SLOTS; slot++) {
    if (word(slot * apart) !== word(0)) return false;
    for (let at = 4; at < apart; at += 4) if (word(slot * apart + at) !== word(at)) differ++;
  }
  return word(0) !== 0 && differ >= SLOTS;
}

export function rootNeverWritten(m: Moment): string | undefined {
  const { cpu, ctx, r } = m;
  if (r.kind === 'exit' || !r.hasBadv || !/^(TLBR|PI[LSF])$/.test(causeOf(r))) return undefined;
  if (!walksTables(m, r.world)) return undefined;
  const num = (r.va >> 47n) & 1n ? CSR.PGDH : CSR.PGDL;
  if (fieldNamed('CRMD', 'DA', ctx.csr(CSR.CRMD)) || ctx.csr(num) !== 0n) return undefined;
  const half = num === CSR.PGDH ? 'upper' : 'lower';
  const state = hasWritten(cpu, r.world, num) ? 'is 0' : 'was never written';
  return `${csrName(r.world, num)} ${state}, and ${hex(r.va)} is in the ${half} half: the refill handler has no table for it`;
}
