/** Explains the event at which the machine stands, where that is no exception and no exit: a write, a change of a TLB, an entry. */

import type { Cpu } from '../cpu/cpu.ts';
import { CRMD } from '../cpu/csr-fields.ts';
import { CSR, csrByNumber } from '../cpu/csr-table.ts';
import { IS_MASK } from '../cpu/interrupts.ts';
import type { CsrWriting, TlbChange } from '../cpu/observer.ts';
import { hex } from '../formats/hex.ts';
import { u32At } from '../formats/little-endian.ts';
import { disassemble } from '../isa/disassembler.ts';
import type { Steps } from '../runtime/steps.ts';
import { injects, writtenValue } from './catches.ts';
import { runningContext } from './context.ts';
import { readVirtual } from './debug-memory.ts';
import { fieldsInWords, INTERRUPT_LINES } from './decode-number.ts';
import { describeEvent, explainLast } from './explain.ts';
import { parkedForEver } from './explain-parked.ts';
import type { RunControl } from './run-control.ts';
import type { Symbolizer } from './symbolizer.ts';
import { worldName } from './vms.ts';
import { describeEntry } from './walk.ts';
import { causeOfNewest, explainLoop } from './why/report.ts';

/** How the lines of a verdict begin. */
const ROOT = '  root cause  ';
const LOOK = '  look at ';
/** An event that is older than this many ticks is said to be old. */
const OLD = 10_000;

/**
 * Lines that explain what the machine of a CPU stands at: the loop or the event that stopped it, otherwise the newest exception or
 * exit; with its cause, where the past is kept and a rule names it.
 */
export function* explaining(control: RunControl, cpu: Cpu, name: Symbolizer): Steps<string[]> {
  const stop = control.stoppedAt;
  if (stop?.kind === 'loop' && stop.cpu === cpu) return yield* explainLoop(control, cpu, stop.loop, name);
  const special = explainStop(control, cpu, name);
  if (special) return special;
  const lines = explainNewest(control, cpu, name);
  const verdict = lines.some((l) => l.startsWith(ROOT));
  // The vector that was never written is told already. Another cause is the deeper one.
  const cause = yield* causeOfNewest(control, cpu, name, verdict ? 'vector-written' : undefined);
  if (cause.length === 0 || !verdict) return [...lines, ...cause];
  const chain = lines.filter((l) => !l.startsWith(LOOK)).map((l) => l.replace(ROOT, '  before      '));
  return [...chain, ...cause];
}

/** What the machine stands at, where that is no exception and no exit. */
function explainStop(control: RunControl, cpu: Cpu, name: Symbolizer): string[] | undefined {
  const stop = control.stoppedAt;
  if (stop?.kind !== 'catch' || stop.cpu !== cpu) return undefined;
  if (stop.write) return explainWrite(control, cpu, stop.write, name);
  if (stop.change) return explainChange(control, cpu, stop.change, name);
  return cpu.events.lastKind === 'entry' ? explainEntry(control, cpu, name) : undefined;
}

function explainNewest(control: RunControl, cpu: Cpu, name: Symbolizer): string[] {
  const newest = cpu.events.lastException();
  const age = newest ? cpu.now - newest.time : 0;
  return [
    ...explainLast(control, cpu, name),
    ...(age > OLD ? [`  when        ${age} ticks ago; ${position(cpu, name)}`] : []),
    ...(newest?.kind === 'exit' ? [] : parkedForEver(control, name).map((text) => `  waiting     ${text}`)),
  ];
}

const place = (name: Symbolizer, world: number, at: bigint): string => {
  const symbol = name(world, at);
  return symbol ? `${hex(at)} <${symbol}>` : hex(at);
};

function position(cpu: Cpu, name: Symbolizer): string {
  return `cpu${cpu.index} is at ${place(name, cpu.world, cpu.pc)} in ${worldName(cpu, cpu.world)}`;
}

/** The instruction at PC, where it can be read. */
function instruction(control: RunControl, cpu: Cpu, name: Symbolizer, label: string): string {
  const word = u32At(readVirtual(control.machine, runningContext(cpu, control.vcpuStates), cpu.pc, 4));
  const text = word === undefined ? '' : `: ${disassemble(word)} (word ${hex(word)})`;
  return `  ${label}${place(name, cpu.world, cpu.pc)}${text}`;
}

const before = (cpu: Cpu, back: number, name: Symbolizer): string[] => {
  const r = cpu.events.at(back);
  return r ? [`  before      ${describeEvent(r, name)}`] : [];
};

/** A write of a CSR comes next. */
function explainWrite(control: RunControl, cpu: Cpu, write: CsrWriting, name: Symbolizer): string[] {
  const lines = injects(cpu, write);
  const row = csrByNumber(write.num)!;
  const register = `${write.bank === 'guest' ? 'g_' : ''}${row.name.toLowerCase()}`;
  const { value, mask } = writtenValue(write);
  const old = (write.bank === 'guest' ? cpu.guest : cpu.host).get(write.num);
  const inWords = (v: bigint): string => `${hex(v)}${fieldsInWords(row, v) && ` [${fieldsInWords(row, v)}]`}`;
  const vm = worldName(cpu, cpu.events.vmOf(cpu.gid, cpu.now));
  const injected = INTERRUPT_LINES.flatMap((line, n) => ((lines >> n) & 1 ? [`line ${n} (${line})`] : []));
  const head = lines
    ? `an interrupt is about to be injected into ${vm} on cpu${cpu.index}: ${injected.join(', ')}`
    : `${register} is about to be written on cpu${cpu.index} by ${worldName(cpu, cpu.world)}`;
  return [
    head,
    instruction(control, cpu, name, 'pc          '),
    `  csr         ${register} = ${inWords(old)}, becomes ${inWords((old & ~mask) | value)}`,
    ...(lines ? [`  delivery    ${delivery(cpu, lines)}`] : []),
    ...before(cpu, 0, name),
  ];
}

/** When will a guest take these lines? */
function delivery(cpu: Cpu, lines: number): string {
  const enabled = cpu.guest.lo(CSR.ECFG) & IS_MASK;
  const masked = lines & ~enabled;
  if (masked === lines) return `the guest has it masked: g_ecfg.LIE = ${hex(enabled)}`;
  if (!(cpu.guest.lo(CSR.CRMD) & CRMD.IE)) return 'when the guest sets CRMD.IE, which is 0 now';
  return 'at the next entry: g_crmd.IE is 1 and g_ecfg.LIE has the line';
}

/** A TLB has been changed by the instruction before PC. */
function explainChange(control: RunControl, cpu: Cpu, change: TlbChange, name: Symbolizer): string[] {
  const whose =
    change.gid < 0
      ? 'of all guests'
      : change.gid === 0
        ? 'of the host'
        : `of ${worldName(cpu, cpu.events.vmOf(change.gid, cpu.now))} (gid ${change.gid})`;
  const stage = change.guestType ? 'stage 1 ' : change.gid === 0 ? '' : 'stage 2 ';
  const what = change.index < 0 ? 'entries removed' : 'entry written';
  const entry =
    change.index < 0
      ? []
      : [`  entry       ${describeEntry((change.guestType ? cpu.gtlb : cpu.htlb).view(change.index))}`];
  return [
    `${change.by} on cpu${cpu.index}: ${what}, ${stage}${whose}`,
    instruction(control, cpu, name, 'next        '),
    ...entry,
    ...before(cpu, 0, name),
  ];
}

/** A guest has been entered and has executed nothing yet. */
function explainEntry(control: RunControl, cpu: Cpu, name: Symbolizer): string[] {
  const entry = cpu.events.at(0)!;
  const crmd = csrByNumber(CSR.CRMD)!;
  const mode = cpu.guest.get(CSR.CRMD);
  const pending = cpu.guest.lo(CSR.ESTAT) & IS_MASK;
  return [
    `VM entry into ${worldName(cpu, entry.world)} (gid ${entry.gid}) on cpu${cpu.index}, by the ertn at ${place(name, -1, entry.va)}`,
    instruction(control, cpu, name, 'pc          '),
    `  csr         g_crmd = ${hex(mode)} [${fieldsInWords(crmd, mode)}]`,
    ...(pending ? [`  interrupts  pending in the guest: g_estat.IS = ${hex(pending)}`] : []),
    ...before(cpu, 1, name),
  ];
}
