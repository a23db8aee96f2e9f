/**
 * Samples of what a CPU is in the middle of: its registers, and the stack above its stack pointer. A program that goes round comes back to
 * one of them, even if a round has millions of instructions, when so many were taken as the root of its length, at places without a period
 * of their own (the birthday problem). A program that computes seldom does.
 */
import type { Cpu } from '../cpu/cpu.ts';
import { STATE } from '../memory/layout.ts';
import { runningContext } from './context.ts';
import { mixed, registerHash } from './register-state.ts';
import type { RoundSurroundings } from './round-watch.ts';
import { physicalAddress } from './walk.ts';

/** Offset of $sp in the state of a CPU, and the words above it that belong to a sample, as long as they are in its page. */
const SP = STATE.gpr + 8 * 3;
const STACK = 32;
const PAGE = 0x1000;
/** After so many samples it is looked again where the page of the stack is. */
const FRESH = 32;
/** Most samples that are kept: enough for rounds of many more instructions than are looked for. */
const MOST = 8192;

export class StateSamples {
  private readonly around: Pick<RoundSurroundings, 'machine' | 'vcpuStates'>;
  /** Where the stack was at the last sample: its page and its world, and the linear address of that. */
  private readonly stack = { lo: 0, hi: 0, world: -1, linear: -1, used: FRESH };
  private readonly seen = new Set<number>();
  private last = 0;

  constructor(around: Pick<RoundSurroundings, 'machine' | 'vcpuStates'>) {
    this.around = around;
  }

  /**
   * Takes a sample, between two instructions.
   * @param position instructions of the machine so far
   * @returns whether there was the same one before. Now and then that is chance: samples are compared by 32 bits
   */
  take(cpu: Cpu, position: number): boolean {
    // In its past the machine would meet its own samples.
    if (position <= this.last || this.seen.size >= MOST) this.seen.clear();
    this.last = position;
    const hash = this.stackHash(cpu, registerHash(cpu));
    if (this.seen.has(hash)) return true;
    this.seen.add(hash);
    return false;
  }

  private stackHash(cpu: Cpu, registers: number): number {
    const { i32 } = cpu.mem;
    const at = (cpu.base + SP) >> 2;
    const lo = i32[at]! & -4;
    const page = this.linearPage(cpu, lo & -PAGE, i32[at + 1]!);
    if (page < 0) return registers;
    const first = (page + (lo & (PAGE - 1))) >> 2;
    const end = Math.min(first + STACK, (page + PAGE) >> 2);
    let hash = registers;
    for (let n = first; n < end; n++) hash = mixed(hash, i32[n]!);
    return hash;
  }

  /** Linear address of the page of the stack; −1: it is not in RAM. */
  private linearPage(cpu: Cpu, lo: number, hi: number): number {
    const { stack } = this;
    if (lo !== stack.lo || hi !== stack.hi || cpu.world !== stack.world || ++stack.used > FRESH) {
      const { machine, vcpuStates } = this.around;
      const va = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
      const pa = physicalAddress(runningContext(cpu, vcpuStates), machine.ram, va);
      const linear = pa === undefined || !machine.ram.has(pa) ? -1 : machine.ram.presentAt(pa);
      Object.assign(stack, { lo, hi, world: cpu.world, used: 0, linear });
    }
    return stack.linear;
  }

  clear(): void {
    this.seen.clear();
  }
}
