/** `--log`: lines about what happens in the machine, on stderr or in a file. */
import type { Cpu } from '../emu/cpu/cpu.ts';
import { CRMD } from '../emu/cpu/csr-fields.ts';
import { CSR } from '../emu/cpu/csr-table.ts';
import type { CpuObserver } from '../emu/cpu/observer.ts';
import { injects, writtenValue } from '../emu/debug/catches.ts';
import { HOST_WORLD, runningContext } from '../emu/debug/context.ts';
import { address, csrName } from '../emu/debug/csr-words.ts';
import { readVirtual } from '../emu/debug/debug-memory.ts';
import { INTERRUPT_LINES } from '../emu/debug/decode-number.ts';
import { describeEvent } from '../emu/debug/explain.ts';
import type { RunControl } from '../emu/debug/run-control.ts';
import type { Symbolizer } from '../emu/debug/symbolizer.ts';
import { describeTlbChange } from '../emu/debug/tlb-change.ts';
import { worldName } from '../emu/debug/vms.ts';
import { hex } from '../emu/formats/hex.ts';
import { u32At } from '../emu/formats/little-endian.ts';
import { disassemble } from '../emu/isa/disassembler.ts';
import type { LogKind } from './log-kinds.ts';
import type { MachineCli } from './options.ts';
import { type Outlet, openOutlet } from './outlet.ts';
import { unwritable } from './unwritable.ts';

/** Opens the destination of log lines. @throws UsageError when the file cannot be written */
export function openLog(file: string | undefined): Outlet {
  if (file === undefined)
    return { write: (text) => void process.stderr.write(text), close: () => {}, reader: undefined };
  try {
    return openOutlet(file, `--log: ${file}`, true);
  } catch (error) {
    throw unwritable(`--log: cannot write ${file}`, error);
  }
}

/** What makes the lines. */
interface Log {
  readonly control: RunControl;
  readonly symbolize: Symbolizer;
  /** Writes a line about a CPU, unless the machine repeats what it has done before. */
  readonly tell: (cpu: Cpu, kind: LogKind, text: () => string) => void;
}

/** Where a CPU is. */
const place = ({ symbolize }: Log, cpu: Cpu): string =>
  `at ${address(symbolize, cpu.world, cpu.pc)} of ${worldName(cpu, cpu.world)}`;

/** Exits, entries, exceptions: `describeEvent` begins with the time. */
function events(log: Log, kinds: ReadonlySet<LogKind>, write: (line: string) => void): CpuObserver<Cpu> {
  const note = (c: Cpu): void => {
    const r = c.events.at(0);
    if (!r || log.control.repeating) return;
    const kind = r.kind === 'exception' ? 'exception' : 'exit';
    if (kinds.has(kind)) write(`cpu${c.index} ${describeEvent(r, log.symbolize)}`);
    // The number of an interrupt is in BADI.
    if (kinds.has('irq') && r.kind !== 'entry' && r.ecode === 0)
      log.tell(c, 'irq', () => {
        const name = INTERRUPT_LINES[r.badi] ?? `${r.badi}`;
        const by = r.kind === 'exit' ? `by the host: ${worldName(c, r.world)} exits` : `by ${worldName(c, r.world)}`;
        return `${name} is taken ${by}, at ${address(log.symbolize, r.world, r.pc)}`;
      });
  };
  let told = !kinds.has('exception');
  return {
    exception: note,
    entered: note,
    undefinedMode: (c) => {
      if (told || log.control.repeating) return;
      told = true;
      const both = c.csr.lo(CSR.CRMD) & CRMD.PG ? 1 : 0;
      write(
        `cpu${c.index} pc ${hex(c.pc)}: CRMD.DA and CRMD.PG are both ${both}, which is undefined: addresses are direct here`,
      );
    },
  };
}

/** Writes of CSRs, and those that give a guest an interrupt. */
function csrWrites(log: Log, kinds: ReadonlySet<LogKind>): CpuObserver<Cpu> {
  return {
    csrWrite: (c, w) => {
      if (kinds.has('csr'))
        log.tell(c, 'csr', () => {
          const { mask, value } = writtenValue(w);
          const old = (w.bank === 'guest' ? c.guest : c.host).get(w.num);
          const owner = w.bank === 'guest' ? Math.max(c.world, 0) : HOST_WORLD;
          return `${csrName(owner, w.num)} ${hex(old)} -> ${hex((old & ~mask) | value)} ${place(log, c)}`;
        });
      const lines = kinds.has('irq') ? injects(c, w) : 0;
      if (lines)
        log.tell(c, 'irq', () => {
          const names = INTERRUPT_LINES.filter((_, n) => lines & (1 << n));
          return `${names.join(', ')} is given to the guest ${place(log, c)}`;
        });
      return false;
    },
  };
}

/** Accesses of devices. */
function watchDevices(log: Log, write: (line: string) => void): void {
  const { machine } = log.control;
  machine.bus.listener = (device, offset, size, store, lo, hi) => {
    const cpu = machine.running;
    if (log.control.repeating) return;
    const value = BigInt.asUintN(8 * size, (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0));
    const text = `${device.name}+${hex(offset)} ${store ? '<-' : '->'} ${hex(value)} (${size})`;
    if (cpu) log.tell(cpu, 'mmio', () => `${text} ${place(log, cpu)}`);
    else write(`mmio ${text}`);
  };
}

/** What models of devices leave out. */
function watchOmissions({ control: { machine }, symbolize }: Log, write: (line: string) => void): void {
  machine.omissions.listener = (line) => {
    const cpu = machine.running;
    const name = cpu && symbolize(cpu.world, cpu.pc);
    const where = cpu ? ` (cpu${cpu.index} at ${hex(cpu.pc)}${name === undefined ? '' : ` ${name}`})` : '';
    write(`device ${line}${where}`);
  };
}

/** Each instruction with its word. */
function watchInstructions(log: Log): void {
  log.control.hooks.traceInstructions((cpu) =>
    log.tell(cpu, 'insn', () => {
      const { control, symbolize } = log;
      const word = u32At(readVirtual(control.machine, runningContext(cpu, control.vcpuStates), cpu.pc, 4));
      return `${address(symbolize, cpu.world, cpu.pc)} ${word === undefined ? 'cannot be read' : disassemble(word)}`;
    }),
  );
}

/**
 * Begins to write the lines of the chosen kinds.
 * @returns the function that writes log lines of the gdb server
 */
export function startLog(
  { log: spec }: MachineCli,
  outlet: Outlet,
  control: RunControl,
  symbolize: Symbolizer,
): (line: string) => void {
  if (!spec) return () => {};
  const { kinds } = spec;
  const write = (line: string): void => outlet.write(`${line}\n`);
  const log: Log = {
    control,
    symbolize,
    tell: (cpu, kind, text) => {
      if (control.repeating) return;
      write(`${kind} cpu${cpu.index} [${cpu.now}] ${text()}`);
      // In one slice the machine can produce more lines than a slow reader takes.
      if (control.mustWait()) cpu.requestStop();
    },
  };
  const has = (...list: LogKind[]): boolean => list.some((kind) => kinds.has(kind));
  for (const cpu of control.machine.cpus) {
    if (has('exit', 'exception', 'irq')) cpu.observe(events(log, kinds, write));
    if (has('csr', 'irq')) cpu.observe(csrWrites(log, kinds));
    if (has('tlb'))
      cpu.observe({
        tlbChanged: (c, change) => log.tell(c, 'tlb', () => `${describeTlbChange(c, change)} ${place(log, c)}`),
      });
  }
  if (has('mmio')) watchDevices(log, write);
  if (has('device')) watchOmissions(log, write);
  if (has('insn')) watchInstructions(log);
  return has('gdb') ? (line) => write(`gdb ${line}`) : () => {};
}
