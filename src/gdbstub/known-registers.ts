/**
 * What a gdb believes of the registers of its threads. gdb keeps the registers of a thread until it resumes that thread. When it
 * resumes one process, the machine runs as a whole, and the registers that gdb has of other processes become old.
 */
import { type Thread, threadId } from './threads.ts';

export class KnownRegisters {
  private readonly pcs = new Map<string, bigint>();
  /** The last values of registers that cannot be written, by thread and number. */
  private readonly readOnly = new Map<string, bigint>();

  /** gdb has got the PC of a thread. */
  shown(thread: Thread, pc: bigint): void {
    this.pcs.set(threadId(thread), pc);
  }

  /** gdb has read a register that cannot be written. */
  read(thread: Thread, register: number, value: bigint): void {
    this.readOnly.set(`${threadId(thread)}:${register}`, value);
  }

  /** Is this the value of such a register that gdb has read? */
  wasRead(thread: Thread, register: number, value: bigint): boolean {
    return this.readOnly.get(`${threadId(thread)}:${register}`) === value;
  }

  /** gdb resumes threads, and forgets their registers. */
  resumed(threads: readonly Thread[]): void {
    for (const t of threads) this.pcs.delete(threadId(t));
  }

  /** Does gdb believe that a thread stands elsewhere than at `pc`? */
  isOld(thread: Thread, pc: bigint): boolean {
    const known = this.pcs.get(threadId(thread));
    return known !== undefined && known !== pc;
  }
}
