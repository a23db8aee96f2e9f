/** Checks of the switch between host, guest and refill handlers. */
import { CRMD } from '../../cpu/csr-fields.ts';
import { CSR, fieldNamed } from '../../cpu/csr-table.ts';
import { HOST_TO_BANK } from '../../cpu/csr-writers.ts';
import type { EventRecord } from '../../cpu/event-ring.ts';
import { ecodeOf } from '../../cpu/exception-table.ts';
import { hex } from '../../formats/hex.ts';
import { u32At } from '../../formats/little-endian.ts';
import { decode } from '../../isa/decoder.ts';
import { operandValue } from '../../isa/row.ts';
import { FETCH } from '../../mmu/stages.ts';
import { HOST_WORLD, hostContext } from '../context.ts';
import { describeWrite, hasWritten, lastWrite } from '../csr-words.ts';
import { readVirtual } from '../debug-memory.ts';
import { worldName } from '../vms.ts';
import { walk } from '../walk.ts';
import { causeOf, isFetchFault, type Moment, place } from './moment.ts';
import { instructionAt, provenance } from './provenance.ts';
import type { Stretch } from './stretch.ts';
import * as values from './values.ts';
import { bitsDropped, closedWindow, neverWritten, refillNotPhysical } from './vector-checks.ts';

const TLBR = ecodeOf('TLBR');
const PG = (crmd: bigint): number => fieldNamed('CRMD', 'PG', crmd);

export function pagingTooEarly(m: Moment): string | undefined {
  const { past, r, ctx, name, machine } = m;
  const last = cameFrom(m);
  if (last < 0 || !isFetchFault(r)) return undefined;
  const wrote = past.steps[last]!.csr.some((c) => c.num === CSR.CRMD && PG(c.value));
  if (!wrote || PG(BigInt(r.crmd)) === 0 || ctx.world !== past.steps[last]!.world) return undefined;
  // Tables that map it are right: the refill handler must have been wrong.
  if (walk(ctx, machine.ram, r.pc, undefined, FETCH).address !== undefined) return undefined;
  return `${instructionAt(past, last, name)} turns paging on, and the next PC, ${hex(r.pc)}, is ${closedWindow(ctx, r.pc) ?? 'mapped by no page and no window'}`;
}

/** The last step of the event's world before its PC was reached; −1 when there is none. Refills are left out. */
function cameFrom({ past, r }: Moment): number {
  let inside = false;
  for (let k = past.length - 1; k >= 0; k--) {
    const s = past.steps[k]!;
    if (s.world !== r.world || (r.world === HOST_WORLD && refill(past, k))) continue;
    const missed = s.events.some((e) => e.kind === 'exception' && e.ecode === TLBR);
    // The refill of a guest ends by ertn, at its PC.
    if (r.world !== HOST_WORLD && past.row(k)?.name === 'ertn' && isRefillOf(past, k, r)) inside = true;
    else if (missed) inside = false;
    else if (!inside && s.pc !== r.pc) return k;
  }
  return -1;
}

/** Is the `ertn` at step `k` that of a refill for the PC of an event? */
function isRefillOf({ steps }: Stretch, k: number, r: EventRecord): boolean {
  const miss = steps.slice(0, k).findLast((s) => s.events.some((e) => e.kind === 'exception' && e.world === r.world));
  return miss?.events.some((e) => e.ecode === TLBR && e.pc === r.pc) === true;
}

/** The last `ertn` of the host before the moment that stayed in the host; −1 when there is none. */
function lastReturn(s: Stretch): number {
  for (let n = s.length - 1; n >= 0; n--) {
    const { world, events } = s.steps[n]!;
    if (events.some((e) => e.kind === 'entry')) return -1;
    if (world === HOST_WORLD && s.row(n)?.name === 'ertn') return n;
  }
  return -1;
}

const refill = (s: Stretch, n: number): boolean => fieldNamed('TLBRERA', 'IsTLBR', s.csr(n, CSR.TLBRERA)) === 1;

export function pgmNotSet(m: Moment): string | undefined {
  const { past, r, cpu, name } = m;
  if (r.world !== HOST_WORLD) return undefined;
  const n = lastOrdinaryReturn(past);
  if (n < 0) return undefined;
  const gstat = past.csr(n, CSR.GSTAT);
  const gid = fieldNamed('GSTAT', 'GID', gstat);
  const tgid = fieldNamed('GTLBC', 'TGID', past.csr(n, CSR.GTLBC));
  if (fieldNamed('GSTAT', 'PGM', gstat) || gid === 0 || tgid !== gid) return undefined;
  return `${instructionAt(past, n, name)} did not enter the guest: GSTAT.PGM is 0 (GID = ${gid}), so the host itself goes on at ERA, ${hex(past.csr(n, CSR.ERA))}${hasWritten(cpu, HOST_WORLD, CSR.ERA) ? '' : ', which nobody wrote'}; set PGM with the GID (GSTAT ${describeWrite(lastWrite(cpu, HOST_WORLD, CSR.GSTAT), name)})`;
}

/** The last `ertn` of the host that is no return from a refill, when no guest was entered since. */
function lastOrdinaryReturn(s: Stretch): number {
  for (let n = s.length - 1; n >= 0; n--) {
    const { world, events } = s.steps[n]!;
    if (events.some((e) => e.kind === 'entry')) return -1;
    if (world === HOST_WORLD && s.row(n)?.name === 'ertn' && !refill(s, n)) return n;
  }
  return -1;
}

/** An `ertn` of the host that stays in the host and goes to the PC at which the guest has left. */
export function returnedToGuestPc(m: Moment): string | undefined {
  const { past, r, cpu, name } = m;
  const n = lastOrdinaryReturn(past);
  if (r.world !== HOST_WORLD || !isFetchFault(r) || n < 0 || n !== cameFrom(m)) return undefined;
  const left = past.steps.findLast((s) => s.events.some((e) => e.kind === 'exit'));
  const exit = left?.events.find((e) => e.kind === 'exit');
  if (!exit || exit.pc !== r.pc || fieldNamed('GSTAT', 'PGM', past.csr(n, CSR.GSTAT))) return undefined;
  return `${instructionAt(past, n, name)} stays in the host (GSTAT.PGM = 0) and goes to ERA = ${hex(r.pc)}, where ${worldName(cpu, exit.world)} left: a return of the host needs its own PC in ERA, an entry needs PGM (ERA ${describeWrite(lastWrite(cpu, HOST_WORLD, CSR.ERA), name)})`;
}

/** A guest whose first instruction is fetched with paging on, because the host has set it. */
export function entryMode(m: Moment): string | undefined {
  const { past, r, ctx, cpu, name } = m;
  if (r.kind !== 'exception' || r.world === HOST_WORLD || !isFetchFault(r)) return undefined;
  const entry = past.steps.findLast((s) => s.events.length > 0)?.events.find((e) => e.kind === 'entry');
  const write = lastWrite(cpu, r.world, CSR.CRMD);
  if (entry?.pc !== r.pc || write?.owner !== HOST_TO_BANK || !PG(ctx.csr(CSR.CRMD))) return undefined;
  if (hasWritten(cpu, r.world, CSR.TLBRENTRY) || !neverWritten(m)) return undefined;
  return `the guest is entered at ${place(m, r.world, r.pc)} with g_crmd = ${hex(ctx.csr(CSR.CRMD))} (PG = 1), and has neither page tables nor handlers: a vCPU begins in direct address mode, CRMD.DA = 1 (g_crmd ${describeWrite(write, name)})`;
}

export function refillPgmLost(m: Moment): string | undefined {
  const { past, r, cpu, name } = m;
  const n = lastReturn(past);
  if (r.world !== HOST_WORLD || n < 0 || n < past.length - 1 || !isFetchFault(r) || !refill(past, n)) return undefined;
  const miss = past.steps.slice(0, n).findLast((s) => s.events.some((e) => e.kind !== 'entry'));
  const exit = miss?.events.find((e) => e.kind === 'exit' && e.pc === r.pc);
  if (!exit || fieldNamed('TLBRPRMD', 'PGM', past.csr(n, CSR.TLBRPRMD))) return undefined;
  return `the refill of VM ${exit.world} returned to the host: TLBRPRMD.PGM is 0 at ${instructionAt(past, n, name)}, so the guest's PC ${hex(r.pc)} is fetched by the host (TLBRPRMD ${describeWrite(lastWrite(cpu, HOST_WORLD, CSR.TLBRPRMD), name)})`;
}

export const gidZero = (m: Moment): string | undefined =>
  m.r.kind === 'exit' && m.r.gid === 0
    ? values.gidZero({ ...m, world: HOST_WORLD, csr: hostContext(m.cpu).csr })
    : undefined;

/** The last step that entered a guest, returns from refills left out; −1 when there is none. */
const ordinaryEntry = (past: Stretch): number =>
  past.steps.findLastIndex((s, n) => s.events.some((e) => e.kind === 'entry') && !refill(past, n));

/** The host left PGM set at an exit, and an ertn of its own went into the guest. */
export function pgmNotCleared(m: Moment): string | undefined {
  const { past, r, cpu, name } = m;
  if (r.world === HOST_WORLD || !isFetchFault(r) || r.pc >> 47n === 0n) return undefined;
  const entry = ordinaryEntry(past);
  if (past.steps[entry]?.events.find((e) => e.kind === 'entry')?.pc !== r.pc) return undefined;
  const exit = past.steps.findLastIndex((s, n) => n < entry && s.events.some((e) => e.kind === 'exit'));
  if (entry < 0 || exit < 0) return undefined;
  if (past.steps.slice(exit + 1, entry).some((s) => s.csr.some((c) => c.num === CSR.GSTAT))) return undefined;
  return `${instructionAt(past, entry, name)}, a return of the host, entered the guest at ${place(m, HOST_WORLD, r.pc)}: GSTAT.PGM is still 1 from the exit before (GSTAT ${describeWrite(lastWrite(cpu, HOST_WORLD, CSR.GSTAT), name)})`;
}

export function entryPc(m: Moment): string | undefined {
  const { past, r, ctx, cpu, name } = m;
  if (pgmNotCleared(m)) return undefined;
  const entry = past.steps
    .findLast((s) => s.events.some((e) => e.kind !== 'exit'))
    ?.events.find((e) => e.kind === 'entry');
  if (r.kind !== 'exit' || !isFetchFault(r) || entry?.pc !== r.pc) return undefined;
  const write = lastWrite(cpu, HOST_WORLD, CSR.ERA);
  if (!write) return `the guest is entered at ${hex(r.pc)}, and the host never wrote ERA: it must hold the guest's PC`;
  const direct = fieldNamed('CRMD', 'DA', ctx.csr(CSR.CRMD)) === 1;
  if (!direct || r.pc >> 48n === 0n) return undefined;
  return `the guest is entered at ${place(m, HOST_WORLD, r.pc)}, an address of the host: ERA must hold the guest's PC (ERA ${describeWrite(write, name)})`;
}

export function tgidInHost(m: Moment): string | undefined {
  const { r, cpu, ctx, machine, name } = m;
  if (r.world !== HOST_WORLD || r.kind !== 'exception' || !/^(TLBR|PI[LSF])$/.test(causeOf(r))) return undefined;
  const gtlbc = cpu.host.get(CSR.GTLBC);
  const tgid = fieldNamed('GTLBC', 'TGID', gtlbc);
  if (!fieldNamed('GTLBC', 'USETGID', gtlbc) || tgid === 0) return undefined;
  if (walk(ctx, machine.ram, r.va).address === undefined || pgmNotSet(m) || refillPgmLost(m)) return undefined;
  return `GTLBC.TGID is ${tgid} while the host misses its own page ${hex(r.va)}: tlbfill makes an entry of GID ${tgid}, which the host never finds (GTLBC ${describeWrite(lastWrite(cpu, HOST_WORLD, CSR.GTLBC), name)}); set TGID in the last code before the entry that cannot miss, and clear it first at the exit. With --cpu max,quirk-host-refill-gid=on, software that has only run where this is forgiven goes on`;
}

/** A refill handler that was left by a jump to an address that needs paging. The event is the refill. */
export function leftRefill(m: Moment): string | undefined {
  const { r, then, past, whole, name } = m;
  if (causeOf(r) !== 'TLBR' || !then || !isFetchFault(then) || then.pc >> 48n === 0n) return undefined;
  // What was no refill handler was not left by a jump.
  if (neverWritten(m) ?? bitsDropped(m) ?? refillNotPhysical(m)) return undefined;
  if (!fieldNamed('CRMD', 'DA', BigInt(then.crmd))) return undefined;
  for (let n = past.length + 1; n < whole.length; n++) {
    const cleared = whole.steps[n]!.csr.some((c) => c.num === CSR.TLBRERA && !(c.value & 1n));
    const back = cleared ? whole.steps.findIndex((_, k) => k > n && whole.row(k)?.name === 'ertn') : -1;
    if (back >= 0)
      return `${instructionAt(whole, n, name)} clears TLBRERA.IsTLBR, so ${instructionAt(whole, back, name)} returns by ERA and leaves CRMD.DA at 1: ${place(m, then.world, then.pc)} cannot be fetched, and the vector of that fault neither; a refill is left by ertn with IsTLBR = 1`;
    if (whole.steps[n]!.pc !== then.pc) continue;
    return `${instructionAt(whole, n - 1, name)} leaves the refill handler by a jump: CRMD.DA is still 1, so ${place(m, then.world, then.pc)} cannot be fetched, and the vector of that fault neither; only ertn leaves a refill`;
  }
  return undefined;
}

/** Faults whose cause is an address. */
const ADDRESS_FAULTS = /^(TLBR|PI[LSF]|PME|PN[RX]|PPI|ADE[FM]|ALE)$/;

/** ra, tp, sp, fp, s0–s8: what a function preserves. */
const PRESERVED: ReadonlySet<number> = new Set([1, 2, 3, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31]);

export const lostRegister = (m: Moment): string | undefined =>
  m.r.world === HOST_WORLD && !PRESERVED.has(baseOf(m) ?? 0) ? badAddress(m) : undefined;
/** The host misses a register that it has before it enters a guest. */
export const lostHostRegister = (m: Moment): string | undefined =>
  m.r.world === HOST_WORLD && PRESERVED.has(baseOf(m) ?? 0) ? badAddress(m) : undefined;
export const lostInGuest = (m: Moment): string | undefined => (m.r.world === HOST_WORLD ? undefined : badAddress(m));

/** The register that the address of a fault of the host comes from. */
function baseOf(m: Moment): number | undefined {
  const { r, past, ctx, machine } = m;
  if (isFetchFault(r) || causeOf(r) === 'INE') {
    const n = cameFrom(m);
    return n >= 0 && past.row(n)?.name === 'jirl' ? past.operand(n, 'rj') : undefined;
  }
  const word = u32At(readVirtual(machine, ctx, r.pc, 4));
  const row = word === undefined ? undefined : decode(word);
  return row?.operands.includes('rj') ? operandValue(row, word!, 'rj') : undefined;
}

/** Addresses that programs of a kernel have, and no context of a hypervisor. */
const [USER_FROM, USER_END] = [2n ** 32n, 2n ** 47n];

/** Where an address comes from at which nothing is. */
function badAddress(m: Moment): string | undefined {
  const { r, past, ctx, machine, name } = m;
  // A jump into memory that holds zeros.
  if (causeOf(r) === 'INE' && u32At(readVirtual(machine, ctx, r.pc, 4)) === 0) return jumpedTo(m);
  if (!ADDRESS_FAULTS.test(causeOf(r)) || past.length === 0) return undefined;
  if (walk(ctx, machine.ram, r.va).address !== undefined && causeOf(r) !== 'ALE') return undefined;
  if (isFetchFault(r)) return jumpedTo(m);
  if (r.kind === 'exit') return undefined;
  // A kernel that copies to or from a program faults there, and maps the page then.
  if (r.va >= USER_FROM && r.va < USER_END) return undefined;
  const word = u32At(readVirtual(machine, ctx, r.pc, 4));
  const row = word === undefined ? undefined : decode(word);
  if (!row?.operands.includes('rj')) return undefined;
  // A guest that faults does so for its own reasons, unless it died of it.
  if (r.world !== HOST_WORLD && m.then?.kind !== 'exit') return undefined;
  return provenance(past, past.length, operandValue(row, word!, 'rj'), name, { reader: r.world })?.text;
}

/** Where the PC came from. */
function jumpedTo(m: Moment): string | undefined {
  const { past, name, r } = m;
  const n = cameFrom(m);
  if (n < 0) return undefined;
  if (past.row(n)?.name === 'ertn' && r.world !== HOST_WORLD) return returnedTo(m, n);
  if (past.row(n)?.name !== 'jirl') return undefined;
  const why = provenance(past, n, past.operand(n, 'rj'), name, { reader: r.world });
  return `${instructionAt(past, n, name)} jumped there${why ? `: ${why.text}` : ''}`;
}

/** The `ertn` of a guest at step `n`, and who wrote its ERA. */
function returnedTo({ past, name, r, ctx, machine }: Moment, n: number): string | undefined {
  const plv = r.crmd & CRMD.PLV;
  if (plv > 0 && walk(ctx, machine.ram, r.pc, 0n, FETCH).address !== undefined)
    return `${instructionAt(past, n, name)} returned to ${hex(r.pc)} at PLV ${plv} (PRMD.PPLV), where no page and no window is open to it`;
  const wrote = past.steps.findLastIndex(
    (s, k) => k < n && s.world === r.world && s.csr.some((c) => c.num === CSR.ERA && c.value === r.pc),
  );
  if (wrote < 0) return undefined;
  return `${instructionAt(past, n, name)} returned there: ERA was written (${hex(r.pc)}) by ${instructionAt(past, wrote, name)}`;
}

export function notSkipped(m: Moment): string | undefined {
  const { r, loop, ctx, machine } = m;
  if (!loop?.round.some((e) => e.kind === 'exit') || r.kind !== 'exit') return undefined;
  const cause = causeOf(r);
  const entry = m.past.steps.findLast((s) => s.events.length > 0)?.events.find((e) => e.kind === 'entry');
  if (entry?.pc !== r.pc) return undefined;
  if (cause === 'GSPR' || cause === 'HVC')
    return `the guest is entered again at the ${cause} that it left with: the hypervisor must add 4 to its PC when it has handled it`;
  if (!/^PI[LSF]$/.test(cause) || walk(ctx, machine.ram, r.va).address !== undefined) return undefined;
  const device = machine.bus.at(Number(r.badv))?.device.name;
  const where = device === undefined ? '' : ` (where this board has its ${device})`;
  return `the guest is entered again at the ${cause} that it left with, and stage 2 still maps nothing at GPA ${hex(r.badv)}${where}: an emulated access must be skipped (PC + 4), a page must be mapped`;
}
