import type { Stateful } from '../state/fields.ts';
import type { Device, Line, Width } from './device.ts';

/** Register offsets (stride 1) and bits of the National Semiconductor 16550A. */
const REG = { data: 0, ier: 1, iirFcr: 2, lcr: 3, mcr: 4, lsr: 5, msr: 6, scr: 7 } as const;
const IER_RX = 1;
const IER_TX = 2;
const LCR_DLAB = 0x80;
const MCR_LOOP = 0x10;
const LSR_READY = 1;
const LSR_OVERRUN = 2;
const LSR_IDLE = 0x60;
const FIFO_DEPTH = 16;

/** The outside of the UART. */
export interface UartBackend {
  /** A byte leaves the machine. */
  send(byte: number): void;
}

/** A 16550A UART with FIFOs; the divisor is stored and has no effect on speed. */
export class Uart16550 implements Device, Stateful {
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
  ];
  readonly name: string;
  readonly size = 8;
  private readonly line: Line;
  private readonly backend: UartBackend;
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

  constructor(name: string, line: Line, backend: UartBackend) {
    this.name = name;
    this.line = line;
    this.backend = backend;
  }

  reset(): void {
    this.rx.length = 0;
    this.waiting.length = 0;
    this.taken = 0;
    this.ier = this.fcr = this.lcr = this.mcr = this.scr = this.dll = this.dlm = 0;
    this.overrun = false;
    this.txInterrupt = false;
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

  /** Loopback: a byte goes directly from the transmitter to the receiver. When the FIFO is full, the byte is lost. */
  private loopBack(byte: number): void {
    if (this.rx.length < FIFO_DEPTH) this.rx.push(byte);
    else this.overrun = true;
  }

  private refill(): void {
    while (this.taken < this.waiting.length && this.rx.length < FIFO_DEPTH) this.rx.push(this.waiting[this.taken++]!);
    if (this.taken < Math.max(FIFO_DEPTH, this.waiting.length / 2)) return;
    this.waiting.splice(0, this.taken);
    this.taken = 0;
  }

  /** Highest pending interrupt as IIR bits 3:0; 1 when none. */
  private pending(): number {
    if (this.overrun && this.ier & 4) return 6;
    if (this.rx.length && this.ier & IER_RX) return 4;
    if (this.txInterrupt && this.ier & IER_TX) return 2;
    return 1;
  }

  private update(): void {
    this.line(this.pending() !== 1);
  }

  peek(offset: number, _width: Width): number {
    switch (offset) {
      case REG.data:
        return this.lcr & LCR_DLAB ? this.dll : (this.rx[0] ?? 0);
      case REG.ier:
        return this.lcr & LCR_DLAB ? this.dlm : this.ier;
      case REG.iirFcr:
        return this.pending() | (this.fcr & 1 ? 0xc0 : 0);
      case REG.lcr:
        return this.lcr;
      case REG.mcr:
        return this.mcr;
      case REG.lsr:
        return LSR_IDLE | (this.rx.length ? LSR_READY : 0) | (this.overrun ? LSR_OVERRUN : 0);
      case REG.msr:
        // Loopback wires the modem outputs to the inputs: RTS→CTS, DTR→DSR, OUT1→RI, OUT2→DCD.
        return this.mcr & MCR_LOOP
          ? ((this.mcr & 2) << 3) | ((this.mcr & 1) << 5) | ((this.mcr & 4) << 4) | ((this.mcr & 8) << 4)
          : 0xb0;
      default:
        return this.scr;
    }
  }

  read(offset: number, width: Width): number {
    const value = this.peek(offset, width);
    if (offset === REG.data && !(this.lcr & LCR_DLAB)) {
      this.rx.shift();
      this.refill();
    } else if (offset === REG.iirFcr && (value & 0xf) === 2) this.txInterrupt = false;
    else if (offset === REG.lsr) this.overrun = false;
    else return value;
    this.update();
    return value;
  }

  write(offset: number, _width: Width, wide: number): void {
    const value = wide & 0xff;
    switch (offset) {
      case REG.data:
        if (this.lcr & LCR_DLAB) this.dll = value;
        else {
          if (this.mcr & MCR_LOOP) this.loopBack(value);
          else this.backend.send(value);
          this.txInterrupt = true;
        }
        break;
      case REG.ier:
        if (this.lcr & LCR_DLAB) this.dlm = value;
        else {
          // Enabling the transmit interrupt while the transmitter is empty raises it at once.
          if (value & IER_TX && !(this.ier & IER_TX)) this.txInterrupt = true;
          this.ier = value & 0xf;
        }
        break;
      case REG.iirFcr:
        if (value & 2) this.rx.length = 0;
        this.fcr = value;
        this.refill();
        break;
      case REG.lcr:
        this.lcr = value;
        break;
      case REG.mcr:
        this.mcr = value & 0x1f;
        break;
      case REG.scr:
        this.scr = value;
        break;
      default:
        break;
    }
    this.update();
  }
}
