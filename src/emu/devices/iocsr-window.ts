import type { Stateful } from '../state/fields.ts';
import type { Device, Width } from './device.ts';
import type { Iocsr } from './iocsr.ts';
import { IPI } from './ipi.ts';

const SIZE = 0x10000;

/**
 * The IOCSR space as memory, at the address that Loongson's chips use: each CPU sees its own space. Configuration registers
 * of the chip that are not in the IOCSR space store what is written to them.
 */
export class IocsrWindow implements Device, Stateful {
  readonly stateFields = ['stored', 'low'];
  readonly name = 'iocsr-window';
  readonly size = SIZE;
  private readonly iocsr: Iocsr;
  /** The CPU that makes the access. */
  private readonly master: () => number;
  private low = 0;
  private readonly stored = new Map<number, number>();

  constructor(iocsr: Iocsr, master: () => number) {
    this.iocsr = iocsr;
    this.master = master;
  }

  reset(): void {
    this.stored.clear();
    this.low = 0;
  }

  peek(offset: number, width: Width): number {
    this.iocsr.read(this.master(), offset, width);
    const kept = this.stored.get(offset & ~3);
    const v = this.iocsr.lo | (kept === undefined ? 0 : kept >>> (8 * (offset & 3)));
    return width === 4 ? v >>> 0 : v & (2 ** (8 * width) - 1);
  }

  read(offset: number, width: Width): number {
    return this.peek(offset, width);
  }

  write(offset: number, width: Width, value: number): void {
    const sends = [IPI.mailSend, IPI.anySend].find((at) => (offset & ~7) === at);
    // A send register takes 64 bits in one step, and the bus delivers the low half first.
    if (sends !== undefined) {
      if (offset === sends) this.low = value;
      else this.iocsr.write(this.master(), sends, 8, this.low | 0, value | 0);
    } else if (this.iocsr.has(offset)) this.iocsr.write(this.master(), offset, width, value, 0);
    else if (width === 4) this.stored.set(offset & ~3, value);
  }
}
