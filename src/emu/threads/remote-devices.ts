/** The devices for the thread of a CPU: the main thread makes each access, and this thread waits for the result. */
import type { BusPort } from '../devices/bus.ts';
import type { IocsrPort } from '../devices/iocsr.ts';
import { CALL, type ControlBlock } from './control-block.ts';

/** Waits until `done`, and handles requests of others while it waits. False when the machine has ended before. */
export type WaitFor = (done: () => boolean) => boolean;

class Remote {
  /** Halves of the last read. */
  lo = 0;
  hi = 0;
  private readonly block: ControlBlock;
  private readonly cpu: number;
  private readonly waitFor: WaitFor;

  constructor(block: ControlBlock, cpu: number, waitFor: WaitFor) {
    this.block = block;
    this.cpu = cpu;
    this.waitFor = waitFor;
  }

  /** @returns whether a device answered */
  protected access(kind: number, address: number, size: number, lo = 0, hi = 0): boolean {
    const { block, cpu } = this;
    block.call(cpu, { kind, address, size, lo, hi });
    if (!this.waitFor(() => block.isAnswered(cpu))) return true;
    const result = block.result(cpu);
    this.lo = result.lo;
    this.hi = result.hi;
    return result.answered;
  }
}

export class RemoteBus extends Remote implements BusPort {
  /** Not used here: the main thread knows the CPU of each access. */
  master = 0;

  read(pa: number, size: number): boolean {
    return this.access(CALL.busRead, pa, size);
  }

  write(pa: number, size: number, lo: number, hi: number): boolean {
    return this.access(CALL.busWrite, pa, size, lo, hi);
  }
}

export class RemoteIocsr extends Remote implements IocsrPort {
  read(_cpu: number, address: number, size: number): void {
    this.access(CALL.iocsrRead, address, size);
  }

  write(_cpu: number, address: number, size: number, lo: number, hi: number): void {
    this.access(CALL.iocsrWrite, address, size, lo, hi);
  }
}
