import type { Stateful } from '../state/fields.ts';
import type { Device, Line, Width } from './device.ts';
import { NO_OMISSIONS, type Omissions } from './omissions.ts';
import { offsetsOf, registerAt, registerTable } from './register-table.ts';

/** Requests that a guest can make of the power control of the board. */
export type PowerRequest = 'poweroff' | 'reset';

export const GED_REGISTERS = registerTable({
  device: 'ged',
  source: 'ACPI specification 6.5, sections 4.8.3.7 and 5.6.9; addresses as QEMU’s virt board has them',
  registers: [
    {
      offset: 0x00,
      width: 4,
      name: 'EVENTS',
      access: 'ro',
      live: true,
      text: 'reading it clears it; bit 1: the power button',
    },
    { offset: 0x1c, width: 1, name: 'SLEEP_CONTROL', access: 'wo', live: true, text: '0x34: power off' },
    { offset: 0x1d, width: 1, name: 'SLEEP_STATUS', access: 'ro', text: 'reads 0' },
    { offset: 0x1e, width: 1, name: 'RESET', access: 'wo', live: true, text: '0x42: reset' },
  ],
});
const REG = offsetsOf(GED_REGISTERS);
/** The event bit of the power button. */
const POWER_BUTTON = 2;
/** SLP_EN with sleep type 5. */
const SLP_EN = 0x20;
const SLEEP_TYPE = 0x1c;
const SLEEP_TYPE_5 = 5 << 2;
const RESET_VALUE = 0x42;

/**
 * ACPI Generic Event Device as QEMU's `virt` board maps it: the event register and the power registers
 * (docs/board.md). There are no windows for memory and CPU hotplug.
 */
export class Ged implements Device, Stateful {
  readonly stateFields = ['events'];
  readonly name = 'ged';
  readonly size = 0x20;
  private events = 0;
  private readonly power: (request: PowerRequest) => void;
  private readonly line: Line;
  private readonly omissions: Omissions;

  constructor(power: (request: PowerRequest) => void, line: Line, omissions: Omissions = NO_OMISSIONS) {
    this.power = power;
    this.line = line;
    this.omissions = omissions;
  }

  /** Somebody presses the power button: an event, and a pulse of the interrupt line (QEMU hw/acpi/generic_event_device.c). */
  pressPowerButton(): void {
    this.events |= POWER_BUTTON;
    this.line(true);
    this.line(false);
  }

  reset(): void {
    this.events = 0;
  }

  peek(offset: number, _width: Width): number {
    return offset === REG.EVENTS ? this.events : 0;
  }

  read(offset: number, width: Width): number {
    if (this.omissions.listener && !registerAt(GED_REGISTERS, offset))
      this.omissions.noRegister(this.name, offset, false);
    const value = this.peek(offset, width);
    if (offset === REG.EVENTS) this.events = 0;
    return value;
  }

  write(offset: number, width: Width, value: number): void {
    for (let k = 0; k < width; k++) this.writeByte(offset + k, (value >>> (8 * k)) & 0xff);
  }

  private writeByte(offset: number, value: number): void {
    if (offset === REG.SLEEP_CONTROL) {
      if (!(value & SLP_EN)) return;
      if ((value & SLEEP_TYPE) === SLEEP_TYPE_5) this.power('poweroff');
      else this.omissions.say(this.name, 'there is no sleep but power-off', value);
    } else if (offset === REG.RESET) {
      if (value === RESET_VALUE) this.power('reset');
    } else if (this.omissions.listener && !registerAt(GED_REGISTERS, offset))
      this.omissions.noRegister(this.name, offset, true, value);
  }
}
