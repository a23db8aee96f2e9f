import type { Stateful } from '../state/fields.ts';
import type { Device, Line, Width } from './device.ts';

/** Requests that a guest can make of the power control of the board. */
export type PowerRequest = 'poweroff' | 'reset';

const SLEEP_CTL = 0x1c;
const RESET = 0x1e;
/** The event bit of the power button. */
const POWER_BUTTON = 2;
/** SLP_EN with sleep type 5. */
const SLP_EN = 0x20;
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

  constructor(power: (request: PowerRequest) => void, line: Line) {
    this.power = power;
    this.line = line;
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
    return offset === 0 ? this.events : 0;
  }

  read(offset: number, width: Width): number {
    const value = this.peek(offset, width);
    if (offset === 0) this.events = 0;
    return value;
  }

  write(offset: number, _width: Width, value: number): void {
    if (offset === SLEEP_CTL && value & SLP_EN && (value & 0x1c) === SLEEP_TYPE_5) this.power('poweroff');
    else if (offset === RESET && (value & 0xff) === RESET_VALUE) this.power('reset');
  }
}
