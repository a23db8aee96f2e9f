/** Checks of the switch between host, guest and refill handlers. */
import { CSR, fieldNamed } from '../../cpu/csr-table.ts';
import { hex } from '../../formats/hex.ts';
import { u32At } from '../../formats/little-endian.ts';
import { decode } from '../../isa/decoder.ts';
import { operandValue } from '../../isa/row.ts';
import { HOST_WORLD } from '../context.ts';
import { describeWrite, lastWrite } from '../csr-words.ts';
import { readVirtual } from '../debug-memory.ts';
import { walk } from '../walk.ts';
import { causeOf, isFetchFault, type Moment, place } from './moment.ts';
import { instructionAt, provenance } from './provenance.ts';
import type { Stretch } from './stretch.ts';
import { bitsDropped, neverWritten, refillNotPhysical } from './vector-checks.ts';

const PG = (crmd: bigint): number => fieldNamed('CRMD', 'PG', crmd);

export function pagingTooEarly(m: Moment): string | undefined {
  const { past, r, ctx, name } = m;
  const last = cameFrom(m);
  if (last < 0 || !isFetchFault(r)) return undefined;
  const wrote = past.steps[last]!.csr.some((c) => c.num === CSR.CRMD && PG(c.value));
  if (!wrote || PG(BigInt(r.crmd)) === 0 || ctx.world !== past.steps[last]!.world) return undefined;
  return `${instructionAt(past, last, name)} turns paging on, and the next PC, ${hex(r.pc)}, is mapped by no page and no window`;
}

/** The last step of the event's world before its PC was reached; −1 when there is none. Refills of the host are left out. */
const cameFrom = ({ past, r }: Moment): number =>
  past.steps.findLastIndex(
    (s, k) => s.world === r.world && s.pc !== r.pc && (s.world !== HOST_WORLD || !refill(past, k)),
  );

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
  return `${instructionAt(past, n, name)} did not enter the guest: GSTAT.PGM is 0 (GID = ${gid}), so the host itself goes on at ERA, ${hex(past.csr(n, CSR.ERA))}; set PGM with the GID (GSTAT ${describeWrite(lastWrite(cpu, HOST_WORLD, CSR.GSTAT), name)})`;
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

export function refillPgmLost(m: Moment): string | undefined {
  const { past, r, cpu, name } = m;
  const n = lastReturn(past);
  if (r.world !== HOST_WORLD || n < 0 || n < past.length - 1 || !isFetchFault(r) || !refill(past, n)) return undefined;
  const miss = past.steps.slice(0, n).findLast((s) => s.events.some((e) => e.kind !== 'entry'));
  const exit = miss?.events.find((e) => e.kind === 'exit' && e.pc === r.pc);
  if (!exit || fieldNamed('TLBRPRMD', 'PGM', past.csr(n, CSR.TLBRPRMD))) return undefined;
  return `the refill of VM ${exit.world} returned to the host: TLBRPRMD.PGM is 0 at ${instructionAt(past, n, name)}, so the guest's PC ${hex(r.pc)} is fetched by the host (TLBRPRMD ${describeWrite(lastWrite(cpu, HOST_WORLD, CSR.TLBRPRMD), name)})`;
}

export function gidZero({ r }: Moment): string | undefined {
  if (r.kind !== 'exit' || r.gid !== 0) return undefined;
  return 'the guest runs with GSTAT.GID 0, the GID of the host: its translations are mixed with those of the host, and no invtlb of a guest meets them';
}

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
  return `GTLBC.TGID is ${tgid} while the host misses its own page ${hex(r.va)}: tlbfill makes an entry of GID ${tgid}, which the host never finds (GTLBC ${describeWrite(lastWrite(cpu, HOST_WORLD, CSR.GTLBC), name)}); set TGID in the last code before the entry that cannot miss, and clear it first at the exit`;
}

/** A refill handler that was left by a jump to an address that needs paging. The event is the refill. */
export function leftRefill(m: Moment): string | undefined {
  const { r, then, past, whole, name } = m;
  if (causeOf(r) !== 'TLBR' || !then || !isFetchFault(then) || then.pc >> 48n === 0n) return undefined;
  // What was no refill handler was not left by a jump.
  if (neverWritten(m) ?? bitsDropped(m) ?? refillNotPhysical(m)) return undefined;
  if (!fieldNamed('CRMD', 'DA', BigInt(then.crmd))) return undefined;
  for (let n = past.length + 1; n < whole.length; n++) {
    if (whole.steps[n]!.pc !== then.pc || n === 0) continue;
    return `${instructionAt(whole, n - 1, name)} leaves the refill handler by a jump: CRMD.DA is still 1, so ${place(m, then.world, then.pc)} cannot be fetched, and the vector of that fault neither; only ertn leaves a refill`;
  }
  return undefined;
}

/** Faults whose cause is an address. */
const ADDRESS_FAULTS = /^(TLBR|PI[LSF]|PME|PN[RX]|PPI|ADE[FM]|ALE)$/;

export function lostRegister(m: Moment): string | undefined {
  const { r, past, ctx, machine, name } = m;
  if (!ADDRESS_FAULTS.test(causeOf(r)) || past.length === 0) return undefined;
  if (walk(ctx, machine.ram, r.va).address !== undefined && causeOf(r) !== 'ALE') return undefined;
  if (isFetchFault(r)) return jumpedTo(m);
  if (r.kind === 'exit') return undefined;
  const word = u32At(readVirtual(machine, ctx, r.pc, 4));
  const row = word === undefined ? undefined : decode(word);
  if (!row?.operands.includes('rj')) return undefined;
  // A guest that faults does so for its own reasons, unless it died of it.
  if (r.world !== HOST_WORLD && m.then?.kind !== 'exit') return undefined;
  return provenance(past, past.length, operandValue(row, word!, 'rj'), name, { reader: r.world });
}

/** Where the PC came from. */
function jumpedTo(m: Moment): string | undefined {
  const { past, name, r } = m;
  const n = cameFrom(m);
  if (n < 0 || past.row(n)?.name !== 'jirl') return undefined;
  const why = provenance(past, n, past.operand(n, 'rj'), name, { reader: r.world });
  return `${instructionAt(past, n, name)} jumped there${why ? `: ${why}` : ''}`;
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
