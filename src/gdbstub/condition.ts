/** Conditions of breakpoints, evaluated on the CPU that has reached one. */
import type { Cpu } from '../emu/cpu/cpu.ts';
import { runningContext } from '../emu/debug/context.ts';
import { readVirtual } from '../emu/debug/debug-memory.ts';
import { evaluate, MOST_OPERATIONS } from './agent-expression.ts';
import { registerByNumber } from './registers.ts';
import type { MachineTarget } from './target.ts';

/** Operations after which the CPU returns to the event loop, so that a turn stays short with any conditions. */
const OPERATIONS_OF_A_TURN = 2 * MOST_OPERATIONS;

/** What conditions need of a session. */
export interface ConditionTarget extends Pick<MachineTarget, 'control' | 'machine'> {
  /** Operations of conditions since a CPU was last asked to come back for them. */
  conditionWork: number;
}

/** True when one of the expressions is not 0, or cannot be evaluated: then the machine stops. */
export function conditionOf(s: ConditionTarget, list: readonly Uint8Array[]): (cpu: Cpu) => boolean {
  return (cpu) => {
    const ctx = runningContext(cpu, s.control.vcpuStates);
    const operands = {
      register: (num: number) => registerByNumber(num)?.read(ctx),
      memory: (address: bigint, size: number) => {
        const bytes = readVirtual(s.machine, ctx, address, size);
        return bytes.length === size ? bytes.reduceRight((v, b) => (v << 8n) | BigInt(b), 0n) : undefined;
      },
    };
    const allowance = { left: MOST_OPERATIONS };
    const met = list.some((code) => evaluate(code, operands, allowance) !== 0n);
    s.conditionWork += MOST_OPERATIONS - allowance.left;
    if (s.conditionWork > OPERATIONS_OF_A_TURN) {
      s.conditionWork = 0;
      cpu.requestStop();
    }
    return met;
  };
}
