/** Checks of interrupts, of waiting, and of the handlers of a world. */
import { fieldOf, GINTC } from '../../cpu/csr-fields.ts';
import { CSR, fieldNamed } from '../../cpu/csr-table.ts';
import { ecodeOf, exceptionByCode } from '../../cpu/exception-table.ts';
import { hex } from '../../formats/hex.ts';
import { u32At } from '../../formats/little-endian.ts';
import { decode } from '../../isa/decoder.ts';
import { disassemble } from '../../isa/disassembler.ts';
import { HOST_WORLD } from '../context.ts';
import { describeWrite, hasWritten, lastWrite } from '../csr-words.ts';
import { readVirtual } from '../debug-memory.ts';
import { INTERRUPT_LINES } from '../decode-number.ts';
import { worldName } from '../vms.ts';
import { whyNotInjected, whyNotTaken, whyNoWake } from '../waits.ts';
import { causeOf, isFetchFault, type Moment, place } from './moment.ts';
import { instructionAt } from './provenance.ts';
import { takerOf } from './vector-checks.ts';

const INT = ecodeOf('INT');
/** Exits that come beside others. */
const BESIDE: ReadonlySet<number> = new Set([INT, ecodeOf('TLBR')]);
const TI = 11;
const IPI = 12;
const HWI0 = 2;

export function storm(m: Moment): string | undefined {
  const { r, loop, cpu } = m;
  if (!loop || r.ecode !== INT) return undefined;
  const line = r.badi;
  const who = worldName(cpu, takerOf(r));
  const hwis = fieldOf(cpu.host.lo(CSR.GINTC), GINTC.HWIS);
  const how = ((): string => {
    const bank = takerOf(r) === HOST_WORLD ? 'host' : 'guest';
    const acknowledged = m.whole.steps.some(({ csr }) =>
      csr.some((c) => c.bank === bank && c.num === CSR.TICLR && (c.value & 1n) !== 0n),
    );
    const waits = m.whole.steps.findLastIndex((s, n) => s.world === HOST_WORLD && m.whole.row(n)?.name === 'idle');
    if (line === TI && acknowledged && r.kind === 'exit' && waits >= 0)
      return `${who} waits in ${instructionAt(m.whole, waits, m.name)} until the timer expires, and so it is pending again when it goes on there`;
    if (line === TI)
      return acknowledged
        ? `the handler of ${who} clears it, and the timer has expired again before it returns: make TCFG.InitVal longer`
        : `the handler of ${who} must write 1 to TICLR.CLR`;
    if (line === IPI) return `the handler of ${who} must clear the bits of the IPI status by IOCSR`;
    if (line < HWI0) return `the handler of ${who} must clear ESTAT.IS[${line}]`;
    if (r.world !== HOST_WORLD && r.kind === 'exception' && (hwis >> (line - HWI0)) & 1)
      return `the hypervisor holds it up: GINTC.HWIS = ${hex(hwis)}; it must lower the line when the guest has served the device`;
    return `the handler of ${who} must serve the device, so that its line falls`;
  })();
  return `interrupt line ${line} (${INTERRUPT_LINES[line] ?? '?'}) is taken again at ${place(m, r.world, r.pc)} before an instruction is executed there: ${how}`;
}

export function cannotWake(m: Moment): string | undefined {
  const { r, ctx, cpu } = m;
  if (r.kind !== 'exit' || decode(r.badi)?.name !== 'idle' || causeOf(r) !== 'GSPR') return undefined;
  const why = whyNoWake((num) => ctx.csr(num)) ?? (m.loop ? whyNotTaken((num) => ctx.csr(num)) : undefined);
  return why && `${worldName(cpu, r.world)} waits in idle at ${place(m, r.world, r.pc)}, and ${why}`;
}

/** A guest in `idle` that waits for another line than the one that is injected. */
export function otherLine({ r, cpu, loop, name }: Moment): string | undefined {
  if (!loop || r.kind !== 'exit') return undefined;
  const idles = decode(r.badi)?.name === 'idle' && causeOf(r) === 'GSPR';
  const why = whyNotInjected(cpu, idles);
  const write = describeWrite(lastWrite(cpu, HOST_WORLD, CSR.GINTC), name);
  return why && `${worldName(cpu, r.world)} waits at ${hex(r.pc)}; ${why} (GINTC ${write})`;
}

/** The hypervisor has injected an exception into a guest that has no vector: the guest is entered at 0. */
export function injectedNowhere({ r, cpu, past, name }: Moment): string | undefined {
  if (r.kind !== 'exit' || !isFetchFault(r) || hasWritten(cpu, r.world, CSR.EENTRY)) return undefined;
  const left = past.steps.findLastIndex((s) => s.events.some((e) => e.kind === 'exit' && !BESIDE.has(e.ecode)));
  const exit = past.steps[left]?.events.find((e) => e.kind === 'exit');
  const entry = past.steps.findIndex((s, n) => n > left && s.events.some((e) => e.kind === 'entry'));
  if (!exit || entry < 0 || exit.pc === r.pc || past.guestVector(entry) !== r.pc) return undefined;
  if (past.steps[entry]!.events.find((e) => e.kind === 'entry')!.pc !== r.pc) return undefined;
  const by = past.steps.findIndex((s, n) => n > left && s.csr.some((c) => c.bank === 'guest' && c.num === CSR.ESTAT));
  if (by < 0) return undefined;
  const ecode = fieldNamed('ESTAT', 'Ecode', past.steps[by]!.csr.find((c) => c.num === CSR.ESTAT)!.value);
  return `the host injects ${exceptionByCode(ecode, 0)?.name ?? hex(ecode)} into ${worldName(cpu, r.world)} at its ${causeOf(exit)} exit at ${hex(exit.pc)} (${instructionAt(past, by, name)}), and the guest never wrote EENTRY: it is entered at ${hex(r.pc)}`;
}

/** Exceptions after which the program goes on behind the instruction. */
const BEHIND = /^(SYS|BRK|BCE)$/;

export function sameAgain(m: Moment): string | undefined {
  const { r, loop, cpu } = m;
  if (!loop || r.kind !== 'exception' || !BEHIND.test(causeOf(r)) || r.pc === r.vector) return undefined;
  if (m.then && m.then.pc !== r.pc) return undefined;
  return `${worldName(cpu, r.world)} returns from ${causeOf(r)} to the same instruction, ${place(m, r.world, r.pc)}: its handler must add 4 to ERA`;
}

const UNITS: Readonly<Record<string, string>> = {
  FPD: 'EUEN.FPE',
  SXD: 'EUEN.SXE',
  ASXD: 'EUEN.ASXE',
  BTD: 'EUEN.BTE',
};

export function unitDisabled(m: Moment): string | undefined {
  const { r, loop, cpu } = m;
  const bit = UNITS[causeOf(r)];
  if (!loop || bit === undefined) return undefined;
  const who = r.kind === 'exit' ? 'the host' : worldName(cpu, r.world);
  return `${who} takes ${causeOf(r)} at ${place(m, r.world, r.pc)} and returns with ${bit} still 0`;
}

export function handlerFaults(m: Moment): string | undefined {
  const { r, then, cpu } = m;
  if (then?.kind !== 'exception' || then.pc < r.vector || takerOf(r) !== then.world) return undefined;
  const who = worldName(cpu, then.world);
  const how = then.pc === r.vector ? 'faults on its own first instruction' : 'faults itself';
  const badv = then.hasBadv ? ` for ${hex(then.badv)}` : '';
  return `the handler of ${who} at ${place(m, then.world, r.vector)} ${how}, by ${causeOf(then)}${badv} at ${place(m, then.world, then.pc)}, when it handles ${causeOf(r)} at ${place(m, r.world, r.pc)}`;
}

/** Causes that no handler repairs. */
const FATAL = /^(INE|IPE|ADE[FM]|BRK|BCE|FPE)$/;

/** Causes that a program asks for, or that a kernel waits for. */
const ASKED_FOR = /^(SYS|FPD|SXD|ASXD|BTD)$/;

/** The guest's own fault whose handler has called the hypervisor, and not returned. */
export function died(m: Moment): string | undefined {
  const { r, then, cpu, ctx, machine, ended } = m;
  const cause = exceptionByCode(r.ecode, r.esub);
  if (r.kind !== 'exception' || r.world === HOST_WORLD || then?.kind !== 'exit' || !cause) return undefined;
  if (!FATAL.test(cause.name) && (!ended || ASKED_FOR.test(cause.name))) return undefined;
  const word = isFetchFault(r) ? undefined : u32At(readVirtual(machine, ctx, r.pc, 4));
  const what = word === undefined ? '' : `: ${disassemble(word)}`;
  const badv = r.hasBadv ? ` for ${hex(r.badv)}` : '';
  return `${worldName(cpu, r.world)} took ${cause.name} (${cause.text})${badv} at ${place(m, r.world, r.pc)}${what}, and its handler did not return but left with ${causeOf(then)} at ${place(m, then.world, then.pc)}: it gave up`;
}
