/**
 * Code at PC that cannot be read, because its page is not mapped yet: a hypervisor that maps lazily (as Linux KVM does) has nothing
 * at the first instruction of a guest, nor has a kernel at that of a program. gdb reads the instruction before each step, and without
 * it steps no more. It then gets a word that is no instruction, and the step executes what the machine finds there. The stop before
 * says so, because a user may read the same place.
 */
import type { DebugContext } from '../emu/debug/context.ts';
import { readVirtual } from '../emu/debug/debug-memory.ts';
import type { RunControl } from '../emu/debug/run-control.ts';
import { walk } from '../emu/debug/walk.ts';
import { hex } from '../emu/formats/hex.ts';
import { contextOf, type Thread } from './threads.ts';

const WORD_BYTES = 4;
/** The largest value that gdb reads in one piece for a watchpoint or an expression. Its disassembler reads lines of 64 bytes. */
const LARGEST_VALUE = 8;
/** Stands for an instruction that is not known: all ones is none. gdb expects the next one behind it. */
const UNKNOWN = new Uint8Array(WORD_BYTES).fill(0xff);

/** A line for each place where threads of a client stand and the instruction cannot be read; '' when there is none. */
function unknownCode(control: RunControl, threads: readonly Thread[]): string {
  const { ram } = control.machine;
  const lines = new Map<string, string>();
  for (const thread of threads) {
    if (thread.cpu.parked) continue;
    const ctx = contextOf(thread, control);
    const pc = ctx.pc();
    const place = `${ctx.world}:${ctx.vcpu}:${pc}`;
    if (lines.has(place) || readVirtual(control.machine, ctx, pc, WORD_BYTES).length === WORD_BYTES) continue;
    const why = walk(ctx, ram, pc).failure ?? 'no memory is there';
    const who = `thread ${thread.pid}.${thread.tid}`;
    lines.set(
      place,
      `[lvz] ${who}: the instruction at PC ${hex(pc)} is not known (${why}). gdb reads 0xffffffff for it, so that it can step.\n`,
    );
  }
  return [...lines.values()].join('');
}

/** Knows which reads of a client are those of a step. */
export class UnknownCode {
  /** The last packet was a longer read around PC, and failed. gdb's disassembler then asks for less. */
  private asksAgain = false;
  private said = '';

  /** What to say at a stop: a line for each place where the instruction cannot be read. It is not said twice in a row. */
  atStop(control: RunControl, threads: readonly Thread[]): string {
    const text = unknownCode(control, threads);
    const isNew = text !== this.said;
    this.said = text;
    return isNew ? text : '';
  }

  /** A packet that is no read: gdb's disassembler asks again at once. */
  heardOther(): void {
    this.asksAgain = false;
  }

  /**
   * The word for a read that has failed, if it is the one that gdb makes before a step: an instruction at PC.
   * @param ctx the selected thread
   */
  wordFor(ctx: DebugContext, address: bigint, length: number): Uint8Array | undefined {
    const { asksAgain } = this;
    const pc = ctx.pc();
    this.asksAgain = length > LARGEST_VALUE && address <= pc && pc < address + BigInt(length);
    return pc === address && length === WORD_BYTES && !asksAgain ? UNKNOWN : undefined;
  }
}
