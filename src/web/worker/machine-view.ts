/** What the panels of the page show of a machine that stands still. */
import type { Cpu } from '../../emu/cpu/cpu.ts';
import { CSRS, type CsrRow, fieldValue, isHidden } from '../../emu/cpu/csr-table.ts';
import {
  anyGuestContext,
  type DebugContext,
  HOST_WORLD,
  hostContext,
  runningContext,
} from '../../emu/debug/context.ts';
import { describeWrite, lastWrite } from '../../emu/debug/csr-words.ts';
import { readVirtual } from '../../emu/debug/debug-memory.ts';
import { describeEvent } from '../../emu/debug/explain.ts';
import type { RunControl } from '../../emu/debug/run-control.ts';
import type { Symbolizer } from '../../emu/debug/symbolizer.ts';
import { worldName } from '../../emu/debug/vms.ts';
import { hex } from '../../emu/formats/hex.ts';
import { u32At } from '../../emu/formats/little-endian.ts';
import { disassemble } from '../../emu/isa/disassembler.ts';
import { GPR_NAMES } from '../../emu/isa/operands.ts';
import type { CodeLine, CsrView, EventView, RegisterView, WorldView } from '../protocol.ts';
import type { LoggedEvent } from './event-log.ts';

/** Instructions that are shown before PC, and behind it. */
const [BEFORE, BEHIND] = [4, 12];
/** Values below are numbers, and no addresses of anything. */
const LEAST_ADDRESS = 0x1000n;

/** `host`, `VM 1`. */
export const worldText = (cpu: Cpu, world: number): string => (world === HOST_WORLD ? 'host' : worldName(cpu, world));

export function codeView(control: RunControl, cpu: Cpu, symbolize: Symbolizer): CodeLine[] {
  const ctx = runningContext(cpu, control.vcpuStates);
  const pc = ctx.pc();
  const lines: CodeLine[] = [];
  for (let n = -BEFORE; n <= BEHIND; n++) {
    const at = BigInt.asUintN(64, pc + BigInt(4 * n));
    const word = u32At(readVirtual(control.machine, ctx, at, 4));
    if (word === undefined) continue;
    const symbol = symbolize(ctx.world, at);
    lines.push({ address: hex(at), text: disassemble(word), symbol, here: n === 0 });
  }
  return lines;
}

/** The host, and each VM that has been entered. */
export function worldViews(control: RunControl, cpu: Cpu, symbolize: Symbolizer): WorldView[] {
  const { machine, vcpuStates, contexts } = control;
  const host = hostContext(cpu, cpu.vm ? contexts?.host(cpu) : undefined);
  const guests = vcpuStates.vms
    .all()
    .flatMap(({ number }) => anyGuestContext(machine.cpus, cpu, number, vcpuStates, contexts) ?? []);
  return [host, ...guests].map((ctx) => worldView(ctx, cpu, symbolize));
}

function worldView(ctx: DebugContext, cpu: Cpu, symbolize: Symbolizer): WorldView {
  const symbolOf = (value: bigint): string | undefined =>
    value < LEAST_ADDRESS ? undefined : symbolize(ctx.world, value);
  return {
    name: worldText(cpu, ctx.world),
    live: ctx.live,
    pc: hex(ctx.pc()),
    place: symbolOf(ctx.pc()),
    registers: GPR_NAMES.map((name, n): RegisterView => {
      const value = ctx.gpr(n);
      return { name, value: hex(value), symbol: symbolOf(value) };
    }),
    csrs: CSRS.filter(
      (row) => !isHidden(cpu.features, row.num) && (ctx.world === HOST_WORLD || row.guest === 'own'),
    ).map((row) => csrView(row, ctx, cpu, symbolize)),
  };
}

function csrView(row: CsrRow, ctx: DebugContext, cpu: Cpu, symbolize: Symbolizer): CsrView {
  const value = ctx.csr(row.num);
  const whole = row.fields.length === 1 && row.fields[0]!.width >= 32;
  return {
    name: row.name,
    text: row.text,
    value: hex(value),
    writer: describeWrite(lastWrite(cpu, ctx.world, row.num), symbolize),
    fields: whole
      ? []
      : row.fields.map((f) => ({
          name: f.name,
          bits: f.width === 1 ? `${f.lo}` : `${f.lo + f.width - 1}:${f.lo}`,
          value: hex(fieldValue(f, value)),
        })),
  };
}

export const eventViews = (events: readonly LoggedEvent[], symbolize: Symbolizer): EventView[] =>
  events.map(({ at, record }) => ({ kind: record.kind, at, text: describeEvent(record, symbolize) }));
