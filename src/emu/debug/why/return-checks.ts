/** Checks of the host's own way: where its returns lead, the mode it runs in, and interrupts before it has left the exit path. */
import { CRMD } from '../../cpu/csr-fields.ts';
import { CSR, fieldNamed } from '../../cpu/csr-table.ts';
import { ecodeOf } from '../../cpu/exception-table.ts';
import { hex } from '../../formats/hex.ts';
import { HOST_WORLD } from '../context.ts';
import { describeWrite, hasWritten, lastWrite } from '../csr-words.ts';
import { worldName } from '../vms.ts';
import { causeOf, isFetchFault, type Moment, place } from './moment.ts';
import { instructionAt } from './provenance.ts';
import type { Step, Stretch } from './stretch.ts';
import { pgmNotSet, returnedToGuestPc } from './world-checks.ts';

const [INT, TLBR] = (['INT', 'TLBR'] as const).map(ecodeOf);

/** Instructions before an `ertn` in which it is prepared. */
const NEAR = 32;

/** The step before the first one at the place of the event, of the host; −1 when it came there in order. */
function jumpTo({ past, r }: Moment): number {
  for (let n = past.length - 1; n >= 0; n--) {
    const { world, pc, events } = past.steps[n]!;
    if (world !== HOST_WORLD || events.some((e) => e.kind !== 'exception' || e.ecode !== TLBR)) return -1;
    if (pc !== r.pc && !inRefill(past, n)) return n;
  }
  return -1;
}

const inRefill = (s: Stretch, n: number): boolean => fieldNamed('TLBRERA', 'IsTLBR', s.csr(n, CSR.TLBRERA)) === 1;

/** An `ertn` of the host that stays in the host, and goes where ERA has never been meant to lead. */
export function returnedNowhere(m: Moment): string | undefined {
  const { past, r, cpu, name } = m;
  const n = jumpTo(m);
  if (r.world !== HOST_WORLD || n < 0 || past.row(n)?.name !== 'ertn') return undefined;
  if (!isFetchFault(r) && causeOf(r) !== 'INE') return undefined;
  const era = past.csr(n, CSR.ERA);
  // An entry that is none, and the PC of the last exit, are told as such.
  if (era !== r.pc || pgmNotSet(m) || returnedToGuestPc(m)) return undefined;
  const gid = fieldNamed('GSTAT', 'GID', past.csr(n, CSR.GSTAT));
  const guest = gid ? `; to enter the guest of GID ${gid}, GSTAT.PGM must be 1` : '';
  const writes = (num: number): number =>
    past.steps.findLastIndex((s, k) => k < n && s.csr.some((c) => c.bank === 'host' && c.num === num));
  const write = writes(CSR.ERA);
  const wrote =
    write >= 0
      ? `written by ${instructionAt(past, write, name)}`
      : hasWritten(cpu, HOST_WORLD, CSR.ERA)
        ? `ERA ${describeWrite(lastWrite(cpu, HOST_WORLD, CSR.ERA), name)}`
        : 'which nobody wrote';
  const back = writes(CSR.TLBRERA);
  const refill =
    gid === 0 && back > n - NEAR
      ? `; to return by TLBRERA, which ${instructionAt(past, back, name)} has written, its bit 0, IsTLBR, must be 1`
      : '';
  return `${instructionAt(past, n, name)} stays in the host (GSTAT.PGM = 0) and goes to ERA, ${hex(era)}, ${wrote}${guest}${refill}`;
}

/** Where the host has turned paging off, and its PC is an address that needs it. */
export function pagingOff(m: Moment): string | undefined {
  const { past, r, name, then } = m;
  if (r.world !== HOST_WORLD || !isFetchFault(r) || r.pc >> 48n === 0n || !(r.crmd & CRMD.DA)) return undefined;
  for (let n = past.length - 1; n >= 0; n--) {
    const step = past.steps[n]!;
    if (step.world !== HOST_WORLD || step.events.length > 0 || inRefill(past, n)) return undefined;
    const mode = step.csr.find((c) => c.bank === 'host' && c.num === CSR.CRMD);
    if (!mode || fieldNamed('CRMD', 'DA', past.csr(n, CSR.CRMD))) continue;
    const vector = then && then.pc === r.vector ? ', and the vector of that fault neither' : '';
    return `${instructionAt(past, n, name)} sets DA in the CRMD of the host: from there on addresses are physical, so ${place(m, HOST_WORLD, r.pc)} cannot be fetched${vector}; the mode of a guest is in its own CRMD (gcsrwr)`;
  }
  return undefined;
}

/** Does an instruction of the host turn interrupts on? */
const turnsOn = ({ csr }: Step): boolean =>
  csr.some((c) => c.bank === 'host' && c.num === CSR.CRMD && (c.value & BigInt(CRMD.IE)) !== 0n);

/** A handler of the host's interrupts that turns them on before the line has fallen. */
function interruptedHandler({ r, loop, whole, past, name }: Moment): string | undefined {
  if (!loop || r.kind !== 'exception' || r.world !== HOST_WORLD || r.ecode !== INT) return undefined;
  const again = whole.steps.findIndex((s, n) => n > past.length && s.events.some((e) => e.ecode === INT));
  const on = whole.steps.findIndex((s, n) => n > past.length && n < again && turnsOn(s));
  if (on < 0) return undefined;
  return `${instructionAt(whole, on, name)} turns interrupts on, ${on - past.length} instructions behind the vector, and interrupt line ${r.badi} is still pending: it is taken again before its handler has done anything, and what was not saved yet is lost; interrupts stay off until the handler has saved its registers and made the line fall`;
}

/** An interrupt of the host that comes before it has left the exit path: GSTAT.PGM is still 1. */
export function interruptedExit(m: Moment): string | undefined {
  const { past, whole, name, cpu } = m;
  for (let n = Math.min(past.length, whole.length - 1); n > 0; n--) {
    const step = whole.steps[n]!;
    const taken = step.events.find((e) => e.kind === 'exception' && e.world === HOST_WORLD && e.ecode === INT);
    if (!taken || !fieldNamed('GSTAT', 'PGM', whole.csr(n, CSR.GSTAT))) continue;
    const left = whole.lastStep(0, n, ({ events }) => events.some((e) => e.kind !== 'exception'));
    const exit = left < 0 ? undefined : whole.steps[left]!.events.find((e) => e.kind === 'exit');
    if (!exit) continue;
    const on = whole.lastStep(left + 1, n + 1, turnsOn);
    if (on < 0) continue;
    return `${instructionAt(whole, on, name)} turns interrupts on, ${on - left} instructions behind an exit of ${worldName(cpu, exit.world)}, and interrupt line ${taken.badi} is taken at ${hex(taken.pc)} while GSTAT.PGM is still 1: it is handled as if the guest had left again, and what the exit has not saved yet is lost; interrupts stay off until the host has its own registers back`;
  }
  return interruptedHandler(m);
}
