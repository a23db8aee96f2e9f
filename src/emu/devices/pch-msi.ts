import type { Device, Width } from './device.ts';
import type { Eiointc } from './eiointc.ts';
import { registerTable } from './register-table.ts';

export const PCH_MSI_REGISTERS = registerTable({
  device: 'pch-msi',
  source: 'Loongson 7A1000 user manual, section 5.3 (device interrupt types)',
  registers: [
    {
      ...{ offset: 0, width: 4, name: 'MESSAGE', access: 'wo', live: true },
      text: 'bits 7:0 name an EIOINTC vector; a message cannot be withdrawn',
    },
  ],
});

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
    if (offset === 0) this.eiointc.message(value & 0xff);
  }
}
