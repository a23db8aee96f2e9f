/**
 * Describes the last exception or VM exit: what happened, to which instruction, how the address was translated, which CSRs
 * mattered and who wrote them, whether the handler can be reached, what led there, where to look next.
 */

import type { Cpu } from '../cpu/cpu.ts';
import { CSR, csrByNumber, fieldNamed } from '../cpu/csr-table.ts';
import type { CsrWrite } from '../cpu/csr-writers.ts';
import type { EventRecord } from '../cpu/event-ring.ts';
import { exceptionByCode, exceptionByName } from '../cpu/exception-table.ts';
import { hex } from '../formats/hex.ts';
import { u32At } from '../formats/little-endian.ts';
import { decode } from '../isa/decoder.ts';
import { disassemble } from '../isa/disassembler.ts';
import { GPR_NAMES } from '../isa/operands.ts';
import { operandValue } from '../isa/row.ts';
import type { Machine } from '../machine/machine.ts';
import { FETCH } from '../mmu/stages.ts';
import { EXIT_ADVICE, FAULT_ADVICE, RELEVANT, RELEVANT_TO_EXIT } from './advice.ts';
import { anyGuestContext, type DebugContext, HOST_WORLD, hostContext, leftBehind } from './context.ts';
import { address, csrName, describeWrite, hasWritten, lastWrite } from './csr-words.ts';
import { readVirtual } from './debug-memory.ts';
import { fieldsInWords } from './decode-number.ts';
import type { RunControl } from './run-control.ts';
import type { Symbolizer } from './symbolizer.ts';
import { worldName } from './vms.ts';
import { type WalkResult, walk, walkStage2 } from './walk.ts';
import { otherTgid } from './why/values.ts';

/** The registers at an event, as far as they are still known. */
function contextOf(control: RunControl, cpu: Cpu, world: number): DebugContext | undefined {
  if (world === HOST_WORLD) return hostContext(cpu);
  // The copy of the hypervisor may be newer than the event, so it is not used.
  return anyGuestContext(control.machine.cpus, cpu, world, control.vcpuStates) ?? leftBehind(cpu, world);
}

const wordAt = (machine: Machine, ctx: DebugContext, pc: bigint): number | undefined =>
  u32At(readVirtual(machine, ctx, pc, 4));

/** One line about an event, as used in histories. */
export function describeEvent(r: EventRecord, name: Symbolizer): string {
  if (r.kind === 'entry') return `[${r.time}] VM entry -> VM ${r.world} at ${address(name, r.world, r.pc)}`;
  const row = exceptionByCode(r.ecode, r.esub);
  const what = `${row?.name ?? 'reserved'} (Ecode ${hex(r.ecode)})`;
  const where =
    r.kind === 'exit'
      ? `VM exit from VM ${r.world}`
      : `exception in ${r.world === HOST_WORLD ? 'the host' : `VM ${r.world}`}`;
  return `[${r.time}] ${where}: ${what} at ${address(name, r.world, r.pc)}${r.hasBadv ? ` badv ${hex(r.badv)}` : ''}`;
}

/** The register that an exception takes its vector from. */
function vectorRegister(r: EventRecord): number {
  return exceptionByCode(r.ecode, r.esub)?.name === 'TLBR' ? CSR.TLBRENTRY : CSR.EENTRY;
}

/** A CSR of a context with its fields and its last writer. */
function describeCsr(cpu: Cpu, ctx: DebugContext, world: number, num: number, name: Symbolizer): string {
  const value = ctx.csr(num);
  const row = csrByNumber(num);
  const fields = row ? fieldsInWords(row, value) : '';
  const text = `${csrName(world, num)} = ${hex(value)}${fields && ` [${fields}]`}`;
  return `${text}: ${describeWrite(lastWrite(cpu, world, num), name)}`;
}

/** The guest exception whose delivery failed: it is the event before, if the fetch from its vector is what failed. */
function ledHere(cpu: Cpu, r: EventRecord): EventRecord | undefined {
  for (let back = 1; back < 64; back++) {
    const before = cpu.events.at(back);
    if (!before) return undefined;
    if (before.kind === 'exception' && before.world === r.world && before.vector === r.pc) return before;
  }
  return undefined;
}

/** The registers that make up the address of a load or store. */
function addressOperands(ctx: DebugContext, word: number): string | undefined {
  const row = decode(word);
  if (!row?.operands.includes('rj')) return undefined;
  const operands = ['rj', 'rk'] as const;
  const used = operands.filter((o) => row.operands.includes(o)).map((o) => operandValue(row, word, o));
  return used.map((n) => `$${GPR_NAMES[n]} = ${hex(ctx.gpr(n))}`).join(', ');
}

/** A refill handler is entered in direct address mode, so a virtual address in TLBRENTRY leads to a wrong place. */
const virtualRefill = (register: string, write: CsrWrite): string =>
  `${register} was given a virtual address (${hex(write.high >>> 0)}...): the refill handler runs in direct address mode and needs a physical one`;

/** Problems of a vector: it was never set, it does not translate, or there is no code. */
function vectorDoubts(control: RunControl, cpu: Cpu, r: EventRecord, to: number): string[] {
  const num = vectorRegister(r);
  const register = csrName(to, num);
  const out: string[] = [];
  if (r.kind === 'exception' && !hasWritten(cpu, to, num))
    out.push(`${worldName(cpu, to)} never wrote its ${register}: the vector ${hex(r.vector)} is what it had before`);
  const ctx = contextOf(control, cpu, to);
  if (!ctx) return out;
  // An exception enters at PLV 0, even if the world runs at another level by now.
  const { ram } = control.machine;
  // A refill handler runs in direct address mode.
  const direct = num === CSR.TLBRENTRY;
  const physical = to === HOST_WORLD ? { address: r.vector, steps: [] } : walkStage2(ctx, ram, ctx.gid, r.vector);
  const reached: WalkResult = direct ? physical : walk(ctx, ram, r.vector, 0n, FETCH);
  const word = reached.address === undefined ? undefined : u32At(ram.read(Number(reached.address), 4));
  if (reached.address === undefined)
    out.push(`the vector ${hex(r.vector)} cannot be fetched: ${reached.failure ?? ''}`);
  else if (word === undefined)
    out.push(`the vector ${hex(r.vector)} leads to ${hex(reached.address)}, where no RAM is`);
  else if (reached.fault) {
    const refused = exceptionByName(reached.fault.exception);
    out.push(`the vector ${hex(r.vector)} cannot be fetched: ${refused.name}, ${refused.text}`);
  } else if (!decode(word)) out.push(`at the vector ${hex(r.vector)} is no instruction (word ${hex(word)})`);
  const write = lastWrite(cpu, to, num);
  if (out.length > 0 && num === CSR.TLBRENTRY && write && write.high >>> 16 !== 0)
    out.push(virtualRefill(register, write));
  if (r.kind === 'exception' && r.pc === r.vector)
    out.push('the handler faults on its own first instruction: this goes on for ever');
  return out;
}

/** A problem of the refill after a stage-2 miss: the entry would get the GID of another guest. */
function refillDoubts(control: RunControl, cpu: Cpu, r: EventRecord, name: Symbolizer): string[] {
  if (r.kind !== 'exit' || !r.stage2 || vectorRegister(r) !== CSR.TLBRENTRY) return [];
  const { csr } = hostContext(cpu);
  const text = otherTgid({ cpu, machine: control.machine, world: HOST_WORLD, csr, name });
  return text === undefined ? [] : [text];
}

/**
 * Lines that explain the newest exception or exit of a CPU.
 * @param name names addresses
 */
export function explainLast(control: RunControl, cpu: Cpu, name: Symbolizer): string[] {
  const r = cpu.events.lastException();
  return r ? explainEvent(control, cpu, r, name) : ['no exception or VM exit so far'];
}

/** The same for an event, at which or shortly behind which the machine stands. */
export function explainEvent(control: RunControl, cpu: Cpu, r: EventRecord, name: Symbolizer): string[] {
  const { machine } = control;
  const out: string[] = [];
  const row = exceptionByCode(r.ecode, r.esub);
  const cause = row ? `${row.name}: ${row.text}` : 'reserved code';
  const code = `(Ecode ${hex(r.ecode)}${r.esub ? `, EsubCode ${r.esub}` : ''})`;
  const ctx = contextOf(control, cpu, r.world);
  out.push(
    `${r.kind === 'exit' ? 'VM exit from' : 'exception in'} ${worldName(cpu, r.world)} on cpu${cpu.index}: ${cause} ${code}`,
  );
  const fetch = r.hasBadv && r.va === r.pc;
  const word = ctx && !fetch ? wordAt(machine, ctx, r.pc) : undefined;
  const instruction = fetch
    ? ': the fetch itself failed'
    : word === undefined
      ? ''
      : `: ${disassemble(word)} (word ${hex(word)})`;
  out.push(`  pc          ${address(name, r.world, r.pc)}${instruction}`);
  if (r.hasBadv) {
    const register = row?.name === 'TLBR' ? 'TLBRBADV' : 'BADV';
    if (r.stage2)
      out.push(
        `  address     GVA ${hex(r.va)}, which stage 1 turns into GPA ${hex(r.badv)} (R.${register} holds the GPA)`,
      );
    else out.push(`  address     ${hex(r.badv)} (${register})`);
    const operands = ctx && word !== undefined ? addressOperands(ctx, word) : undefined;
    if (operands) out.push(`  operands    ${operands}`);
    if (ctx) {
      out.push('  translation');
      const { steps, address: reached } = walk(ctx, machine.ram, r.va);
      for (const step of steps) out.push(`    ${step}`);
      const mapped = r.stage2 && reached === undefined ? machine.bus.at(Number(r.badv)) : undefined;
      if (mapped)
        out.push(
          `    GPA ${hex(r.badv)} is the ${mapped.device.name} on this board's own map: an MMIO access, if the VM has the same map`,
        );
    }
  }
  if (row?.name === 'HVC')
    out.push(
      `  hypercall   code ${hex(r.badi & 0x7fff)}, a0 = ${hex(ctx?.gpr(4) ?? 0n)}, a1 = ${hex(ctx?.gpr(5) ?? 0n)}`,
    );
  if (row?.name === 'INT') out.push(`  interrupt   line ${r.badi}`);
  out.push(...relevantCsrs(control, cpu, r, ctx, name));
  const to = r.kind === 'exit' ? HOST_WORLD : r.world;
  out.push(`  delivered   to ${worldName(cpu, to)}, vector ${address(name, to, r.vector)}`);
  out.push(...verdict(control, cpu, r, ctx, name));
  return out;
}

/** CSRs that matter to an event, each with its last writer. */
function relevantCsrs(
  control: RunControl,
  cpu: Cpu,
  r: EventRecord,
  ctx: DebugContext | undefined,
  name: Symbolizer,
): string[] {
  const cause = exceptionByCode(r.ecode, r.esub)?.name ?? '';
  const lines: string[] = [];
  if (r.kind === 'exit') {
    const host = hostContext(cpu);
    for (const num of RELEVANT_TO_EXIT[cause] ?? []) lines.push(describeCsr(cpu, host, HOST_WORLD, num, name));
  }
  if (ctx && (r.kind === 'exception' || r.stage2)) {
    // Without paging only CRMD matters.
    const crmd = ctx.csr(CSR.CRMD);
    const flat = fieldNamed('CRMD', 'DA', crmd) === 1 && fieldNamed('CRMD', 'PG', crmd) === 0;
    const list = (r.kind === 'exit' ? [CSR.CRMD] : (RELEVANT[cause] ?? [])).filter(
      (n) => !flat || n === CSR.CRMD || !r.hasBadv,
    );
    for (const num of list) lines.push(describeCsr(cpu, ctx, r.world, num, name));
  }
  if (r.kind === 'exception') {
    const target = contextOf(control, cpu, r.world);
    if (target) lines.push(describeCsr(cpu, target, r.world, vectorRegister(r), name));
  }
  return lines.map((l) => `  csr         ${l}`);
}

/** What is wrong, as far as it is known, and where to look. */
function verdict(
  control: RunControl,
  cpu: Cpu,
  r: EventRecord,
  ctx: DebugContext | undefined,
  name: Symbolizer,
): string[] {
  // Only a failed fetch can be the failed delivery of another exception.
  const guilty = r.hasBadv && r.va === r.pc ? ledHere(cpu, r) : undefined;
  const cause = exceptionByCode(r.ecode, r.esub)?.name ?? '';
  if (!guilty) {
    const to = r.kind === 'exit' ? HOST_WORLD : r.world;
    const doubts = [...vectorDoubts(control, cpu, r, to), ...refillDoubts(control, cpu, r, name)];
    const out = doubts.map((d) => `  suspicious  ${d}`);
    const advice = (r.kind === 'exit' ? EXIT_ADVICE : FAULT_ADVICE)[cause];
    if (advice) out.push(`  look at     ${advice}`);
    return out;
  }
  const g = exceptionByCode(guilty.ecode, guilty.esub);
  const num = vectorRegister(guilty);
  const register = csrByNumber(num)!.name;
  const value = ctx?.csr(num) ?? 0n;
  const own = hasWritten(cpu, guilty.world, num);
  const write = lastWrite(cpu, guilty.world, num);
  const virtual = num === CSR.TLBRENTRY && write !== undefined && write.high >>> 16 !== 0;
  const why = !own
    ? `${register} was never written, so the exception went to address ${hex(guilty.vector)}`
    : virtual
      ? `${virtualRefill(register, write)} (${describeWrite(write, name)})`
      : `where nothing can be fetched (${describeWrite(write, name)})`;
  return [
    `  root cause  this address is a vector: ${worldName(cpu, guilty.world)} took ${g?.name} (${g?.text}) at ${address(name, guilty.world, guilty.pc)} before`,
    `              and its ${register} is ${hex(value)}${own ? `, ${why}` : `: ${why}`}`,
    `  look at     where ${guilty.world === HOST_WORLD ? 'the host' : 'the guest'} sets ${register} (csrwr ${register}), before the first instruction that can raise ${g?.name}`,
  ];
}
