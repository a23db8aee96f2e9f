/** Conditions and commands of breakpoints, evaluated on the CPU that has reached one. */
import type { Cpu } from '../emu/cpu/cpu.ts';
import { runningContext } from '../emu/debug/context.ts';
import { readVirtual } from '../emu/debug/debug-memory.ts';
import { hex } from '../emu/formats/hex.ts';
import { evaluate, MOST_OPERATIONS, type Operands } from './agent-expression.ts';
import { formatted, MOST_STRING } from './agent-printf.ts';
import { registerByNumber } from './registers.ts';
import type { MachineTarget } from './target.ts';

/** Operations after which the CPU returns to the event loop, so that a turn stays short with any conditions. */
const OPERATIONS_OF_A_TURN = 2 * MOST_OPERATIONS;

/** What conditions need of a session. */
export interface ConditionTarget extends Pick<MachineTarget, 'control' | 'machine'> {
  /** Operations of conditions since a CPU was last asked to come back for them. */
  conditionWork: number;
}

/** What expressions read on a CPU. */
function operandsOf(s: ConditionTarget, cpu: Cpu): Operands {
  const ctx = runningContext(cpu, s.control.vcpuStates);
  return {
    register: (num) => registerByNumber(num)?.read(ctx),
    memory: (address, size) => {
      const bytes = readVirtual(s.machine, ctx, address, size);
      return bytes.length === size ? bytes.reduceRight((v, b) => (v << 8n) | BigInt(b), 0n) : undefined;
    },
  };
}

/** Operations were done. After many, the CPU returns to the event loop. */
function worked(s: ConditionTarget, cpu: Cpu, operations: number): void {
  s.conditionWork += operations;
  if (s.conditionWork <= OPERATIONS_OF_A_TURN) return;
  s.conditionWork = 0;
  cpu.requestStop();
}

/** True when one of the expressions is not 0, or cannot be evaluated: then the machine stops. */
export function conditionOf(s: ConditionTarget, list: readonly Uint8Array[]): (cpu: Cpu) => boolean {
  return (cpu) => {
    const operands = operandsOf(s, cpu);
    const allowance = { left: MOST_OPERATIONS };
    const met = list.some((code) => evaluate(code, operands, allowance) !== 0n);
    worked(s, cpu, MOST_OPERATIONS - allowance.left);
    return met;
  };
}

/** Operations that a line counts as, which is told. */
const OPERATIONS_OF_A_LINE = 500;

/**
 * Does the commands of a breakpoint (gdb's `dprintf` with the style `agent`).
 * @param tell tells a line @returns a function that says whether all could be done, and the machine may go on
 */
export function commandsOf(
  s: ConditionTarget,
  list: readonly Uint8Array[],
  tell: (text: string) => boolean,
): (cpu: Cpu) => boolean {
  return (cpu) => {
    let goesOn = true;
    const operands = operandsOf(s, cpu);
    const string = (address: bigint): string | undefined => {
      const bytes = readVirtual(s.machine, runningContext(cpu, s.control.vcpuStates), address, MOST_STRING);
      const end = bytes.indexOf(0);
      return bytes.length === 0 ? undefined : new TextDecoder().decode(bytes.subarray(0, end < 0 ? bytes.length : end));
    };
    const print = (format: string, values: readonly bigint[]): boolean => {
      const text = formatted(format, values, string);
      if (text !== undefined && !tell(text)) goesOn = false;
      worked(s, cpu, OPERATIONS_OF_A_LINE);
      return text !== undefined;
    };
    const allowance = { left: MOST_OPERATIONS };
    for (const code of list)
      if (evaluate(code, { ...operands, print }, allowance) === undefined)
        goesOn = tell(`the command of the breakpoint at ${hex(cpu.pc)} cannot be done on the target\n`) && goesOn;
    return goesOn;
  };
}
