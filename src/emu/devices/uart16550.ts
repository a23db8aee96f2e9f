import { TIMER_HZ } from '../cpu/clock.ts';
import type { Stateful } from '../state/fields.ts';
import type { Device, DeviceTime, Line, Timed, Width } from './device.ts';
import { NO_OMISSIONS, type Omissions } from './omissions.ts';
import { offsetsOf, registerTable } from './register-table.ts';

/** The registers of the 16550A. */
export const UART_REGISTERS = registerTable({
  device: 'uart0 … uart3',
  source: 'National Semiconductor PC16550D data sheet (June 1995), section 8',
  registers: [
    {
      offset: 0,
      width: 1,
      name: 'RBR',
      access: 'ro',
      live: true,
      when: 'DLAB = 0',
      text: 'takes a byte from the FIFO',
    },
    { offset: 0, width: 1, name: 'THR', access: 'wo', live: true, when: 'DLAB = 0', text: 'sends a byte, at once' },
    { offset: 0, width: 1, name: 'DLL', access: 'rw', when: 'DLAB = 1', text: 'how long a character time-out is' },
    {
      ...{ offset: 1, width: 1, name: 'IER', access: 'rw', bits: 0xfn, when: 'DLAB = 0' },
      text: 'all four interrupts',
    },
    { offset: 1, width: 1, name: 'DLM', access: 'rw', when: 'DLAB = 1', text: 'as DLL' },
    {
      ...{ offset: 2, width: 1, name: 'IIR', access: 'ro', reset: 0x01n, live: true },
      text: 'reading it takes the transmitter’s interrupt away',
    },
    {
      ...{ offset: 2, width: 1, name: 'FCR', access: 'wo', live: true },
      text: 'FIFOs on and off, their resets, trigger level; the DMA mode of the pins RXRDY and TXRDY is missing',
    },
    {
      ...{ offset: 3, width: 1, name: 'LCR', access: 'rw' },
      text: 'divisor latch, break (nothing is sent), and how long a character is; whole bytes pass, and parity is not computed',
    },
    {
      ...{ offset: 4, width: 1, name: 'MCR', access: 'rw', bits: 0x1fn },
      text: 'loopback; the outputs have no other effect',
    },
    {
      ...{ offset: 5, width: 1, name: 'LSR', access: 'ro', reset: 0x60n, live: true },
      text: 'data ready, overrun in loopback; the transmitter is always empty, and no byte arrives damaged',
    },
    {
      ...{ offset: 6, width: 1, name: 'MSR', access: 'ro', reset: 0xb0n, live: true },
      text: 'a modem that is ready, or the outputs in loopback; their changes',
    },
    { offset: 7, width: 1, name: 'SCR', access: 'rw', text: 'keeps a byte' },
  ],
});
const REG = offsetsOf(UART_REGISTERS);

const IER = { received: 1, transmitter: 2, line: 4, modem: 8 } as const;
/** Interrupt codes of IIR, in the order of their priority. */
const IIR = { line: 6, timeout: 0xc, received: 4, transmitter: 2, modem: 0, none: 1, fifo: 0xc0 } as const;
const FCR = { enable: 1, clearReceiver: 2, dmaMode: 8, kept: 0xc9, triggerShift: 6 } as const;
const LCR = { length: 3, stop: 4, parity: 8, breakOn: 0x40, dlab: 0x80 } as const;
const MCR = { dtr: 1, rts: 2, out1: 4, out2: 8, loop: 0x10 } as const;
const LSR = { ready: 1, overrun: 2, idle: 0x60 } as const;
const MSR = { dcts: 1, ddsr: 2, teri: 4, ddcd: 8, cts: 0x10, dsr: 0x20, ri: 0x40, dcd: 0x80 } as const;
/** The modem outside is ready: CTS, DSR and DCD. */
const MODEM_READY = MSR.cts | MSR.dsr | MSR.dcd;
const FIFO_DEPTH = 16;
/** FIFO levels that raise the receiver's interrupt, by FCR[7:6]. */
const TRIGGERS = [1, 4, 8, 14] as const;
/** A character time-out is so many character times without an arrival and without a read. */
const TIMEOUT_CHARACTERS = 4;
/** Input clock of the baud generator in Hz. */
export const UART_CLOCK = 100_000_000;
/** The divisor where software has left 0: 115200 baud, as firmware sets it. */
const FIRMWARE_DIVISOR = Math.round(UART_CLOCK / 16 / 115_200);

/** The outside of the UART. */
export interface UartBackend {
  /** A byte leaves the machine. */
  send(byte: number): void;
}

const STANDING: DeviceTime = { ticks: () => 0, timeOfDay: () => 0, sooner: () => {} };

/**
 * A 16550A UART with FIFOs. It sends a byte in no time. The outside waits for room in its FIFO, so that only loopback overruns
 * it. In loopback nothing comes in from outside.
 */
export class Uart16550 implements Device, Stateful, Timed {
  readonly stateFields = [
    'rx',
    'waiting',
    'taken',
    'ier',
    'fcr',
    'lcr',
    'mcr',
    'scr',
    'dll',
    'dlm',
    'overrun',
    'txInterrupt',
    'modemChanges',
    'timedOut',
    'deadline',
  ];
  readonly name: string;
  readonly size = 8;
  readonly bytewise = true;
  private readonly line: Line;
  private readonly backend: UartBackend;
  private readonly time: DeviceTime;
  private readonly omissions: Omissions;
  private readonly rx: number[] = [];
  /** Input that waits for room in the FIFO. */
  private readonly waiting: number[] = [];
  /** How many bytes of {@link waiting} the FIFO has taken. They are removed together, so that the cost of a byte does not grow with the input. */
  private taken = 0;
  private ier = 0;
  private fcr = 0;
  private lcr = 0;
  private mcr = 0;
  private scr = 0;
  private dll = 0;
  private dlm = 0;
  private overrun = false;
  private txInterrupt = false;
  /** MSR[3:0]. */
  private modemChanges = 0;
  /** The bytes in the FIFO have waited for longer than a character time-out. */
  private timedOut = false;
  deadline = Number.POSITIVE_INFINITY;

  constructor(
    name: string,
    line: Line,
    backend: UartBackend,
    time: DeviceTime = STANDING,
    omissions: Omissions = NO_OMISSIONS,
  ) {
    this.name = name;
    this.line = line;
    this.backend = backend;
    this.time = time;
    this.omissions = omissions;
  }

  reset(): void {
    this.waiting.length = 0;
    this.taken = 0;
    this.ier = this.fcr = this.lcr = this.mcr = this.scr = this.dll = this.dlm = 0;
    this.overrun = false;
    this.txInterrupt = false;
    this.modemChanges = 0;
    this.emptyReceiver();
    this.update();
  }

  /** Bytes arrive from outside; they wait for room in the FIFO. */
  receive(bytes: Iterable<number>): void {
    for (const b of bytes) this.waiting.push(b);
    this.refill();
    this.update();
  }

  /** About how many bytes from outside wait for room in the FIFO. */
  get backlog(): number {
    return this.waiting.length;
  }

  private get fifo(): boolean {
    return (this.fcr & FCR.enable) !== 0;
  }

  private get loops(): boolean {
    return (this.mcr & MCR.loop) !== 0;
  }

  private get depth(): number {
    return this.fifo ? FIFO_DEPTH : 1;
  }

  private emptyReceiver(): void {
    this.rx.length = 0;
    this.timedOut = false;
    this.deadline = Number.POSITIVE_INFINITY;
  }

  /** A byte goes from the transmitter to the receiver. A full FIFO keeps its bytes; without FIFO the new byte replaces the old one. */
  private loopBack(byte: number): void {
    if (this.rx.length < this.depth) this.rx.push(byte);
    else {
      this.overrun = true;
      if (!this.fifo) this.rx[0] = byte;
    }
    this.wait();
  }

  private refill(): void {
    if (this.loops) return;
    const before = this.rx.length;
    while (this.taken < this.waiting.length && this.rx.length < this.depth) this.rx.push(this.waiting[this.taken++]!);
    if (this.rx.length > before) this.wait();
    if (this.taken < Math.max(FIFO_DEPTH, this.waiting.length / 2)) return;
    this.waiting.splice(0, this.taken);
    this.taken = 0;
  }

  /** The time of a character with its start, parity and stop bits, in ticks. */
  private get characterTicks(): number {
    const bits = 1 + 5 + (this.lcr & LCR.length) + (this.lcr & LCR.parity ? 1 : 0) + (this.lcr & LCR.stop ? 2 : 1);
    const divisor = (this.dlm << 8) | this.dll || FIRMWARE_DIVISOR;
    return Math.ceil((bits * 16 * divisor * TIMER_HZ) / UART_CLOCK);
  }

  /** A byte has arrived or was read: the character time-out begins again, if there is something to wait for. */
  private wait(): void {
    const before = this.deadline;
    this.deadline =
      this.fifo && this.rx.length > 0
        ? this.time.ticks() + TIMEOUT_CHARACTERS * this.characterTicks
        : Number.POSITIVE_INFINITY;
    if (this.deadline < before) this.time.sooner();
  }

  expire(): void {
    this.deadline = Number.POSITIVE_INFINITY;
    this.timedOut = this.rx.length > 0;
    this.update();
  }

  /** Highest pending interrupt as IIR bits 3:0. */
  private pending(): number {
    if (this.overrun && this.ier & IER.line) return IIR.line;
    if (this.timedOut && this.ier & IER.received) return IIR.timeout;
    const level = this.fifo ? TRIGGERS[this.fcr >> FCR.triggerShift]! : 1;
    if (this.rx.length >= level && this.ier & IER.received) return IIR.received;
    if (this.txInterrupt && this.ier & IER.transmitter) return IIR.transmitter;
    if (this.modemChanges && this.ier & IER.modem) return IIR.modem;
    return IIR.none;
  }

  /** Each interrupt raises the line, whether it is high already or not. The PCH-PIC looks again each time. */
  private update(): void {
    this.line(this.pending() !== IIR.none);
  }

  /** MSR[7:4]. Loopback wires the modem outputs to the inputs. */
  private get modemInputs(): number {
    if (!this.loops) return MODEM_READY;
    const wire = (output: number, input: number): number => (this.mcr & output ? input : 0);
    return wire(MCR.rts, MSR.cts) | wire(MCR.dtr, MSR.dsr) | wire(MCR.out1, MSR.ri) | wire(MCR.out2, MSR.dcd);
  }

  peek(offset: number, _width: Width): number {
    const latch = (this.lcr & LCR.dlab) !== 0;
    switch (offset) {
      case REG.RBR:
        return latch ? this.dll : (this.rx[0] ?? 0);
      case REG.IER:
        return latch ? this.dlm : this.ier;
      case REG.IIR:
        return this.pending() | (this.fifo ? IIR.fifo : 0);
      case REG.LCR:
        return this.lcr;
      case REG.MCR:
        return this.mcr;
      case REG.LSR:
        return LSR.idle | (this.rx.length ? LSR.ready : 0) | (this.overrun ? LSR.overrun : 0);
      case REG.MSR:
        return this.modemInputs | this.modemChanges;
      default:
        return this.scr;
    }
  }

  read(offset: number, width: Width): number {
    const value = this.peek(offset, width);
    if (offset === REG.RBR && !(this.lcr & LCR.dlab)) {
      this.rx.shift();
      this.timedOut = false;
      this.wait();
      this.refill();
    } else if (offset === REG.IIR && (value & 0xf) === IIR.transmitter) this.txInterrupt = false;
    else if (offset === REG.LSR && this.overrun) this.overrun = false;
    else if (offset === REG.MSR && this.modemChanges) this.modemChanges = 0;
    else return value;
    this.update();
    return value;
  }

  write(offset: number, _width: Width, wide: number): void {
    const value = wide & 0xff;
    switch (offset) {
      case REG.THR:
        if (this.lcr & LCR.dlab) this.dll = value;
        else this.transmit(value);
        return;
      case REG.IER:
        if (this.lcr & LCR.dlab) {
          this.dlm = value;
          return;
        }
        // Enabling the transmit interrupt while the transmitter is empty raises it at once.
        if (value & IER.transmitter && !(this.ier & IER.transmitter)) this.txInterrupt = true;
        this.ier = value & 0xf;
        break;
      case REG.FCR:
        this.setFifo(value);
        break;
      case REG.LCR:
        if (value & ~this.lcr & LCR.breakOn) this.omissions.say(this.name, 'a break is not passed on');
        this.lcr = value;
        return;
      case REG.MCR:
        this.setModem(value);
        break;
      case REG.SCR:
        this.scr = value;
        return;
      default:
        this.omissions.say(this.name, 'LSR and MSR are written in factory tests only', value);
        return;
    }
    this.update();
  }

  /** The byte takes the transmitter's interrupt away, and as the byte is sent at once, it comes again: two edges. */
  private transmit(byte: number): void {
    this.txInterrupt = false;
    this.update();
    if (this.loops) this.loopBack(byte);
    // A break holds the line, and the byte is lost.
    else if ((this.lcr & LCR.breakOn) === 0) this.backend.send(byte);
    this.txInterrupt = true;
    this.update();
  }

  /** Bits of FCR are set only together with the enable bit. Its change empties the FIFOs. */
  private setFifo(value: number): void {
    const on = value & FCR.enable;
    if (on !== (this.fcr & FCR.enable) || (on && value & FCR.clearReceiver)) this.emptyReceiver();
    this.fcr = on ? value & FCR.kept : 0;
    if (this.fcr & FCR.dmaMode) this.omissions.say(this.name, 'there are no DMA requests');
    this.refill();
  }

  private setModem(value: number): void {
    const before = this.modemInputs;
    this.mcr = value & 0x1f;
    const changed = before ^ this.modemInputs;
    if (changed & MSR.cts) this.modemChanges |= MSR.dcts;
    if (changed & MSR.dsr) this.modemChanges |= MSR.ddsr;
    // Only the end of a ring counts.
    if (changed & before & MSR.ri) this.modemChanges |= MSR.teri;
    if (changed & MSR.dcd) this.modemChanges |= MSR.ddcd;
    this.refill();
  }
}
