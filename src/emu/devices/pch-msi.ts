import type { Device, Width } from './device.ts';
import type { Eiointc } from './eiointc.ts';

/** The doorbell of message-signalled interrupts: a write names the EIOINTC vector. A message cannot be withdrawn. */
export class PchMsi implements Device {
  readonly name = 'pch-msi';
  readonly size = 8;
  private readonly eiointc: Eiointc;

  constructor(eiointc: Eiointc) {
    this.eiointc = eiointc;
  }

  reset(): void {}

  peek(): number {
    return 0;
  }

  read(): number {
    return 0;
  }

  write(offset: number, _width: Width, value: number): void {
    if (offset === 0) this.eiointc.set(value & 0xff, true);
  }
}
