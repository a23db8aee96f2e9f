/** The devices of QEMU's `virt` board at their addresses (docs/board.md). */
import { Bus } from '../devices/bus.ts';
import type { CpuLines } from '../devices/device.ts';
import { Eiointc } from '../devices/eiointc.ts';
import { Ged, type PowerRequest } from '../devices/ged.ts';
import { Iocsr } from '../devices/iocsr.ts';
import { Ipi } from '../devices/ipi.ts';
import { PchPic } from '../devices/pch-pic.ts';
import { Uart16550 } from '../devices/uart16550.ts';
import type { Stateful } from '../replay/fields.ts';

/** Physical addresses of the board. */
export const BOARD = {
  pchPic: 0x10000000,
  ged: 0x100e0000,
  uart: [0x1fe001e0, 0x1fe002e0, 0x1fe003e0, 0x1fe004e0],
  /** Command line (a1) and EFI system table (a2) of a direct boot. */
  commandLine: 0x0,
  systemTable: 0x200,
} as const;
/** PCH-PIC inputs. */
const PIC_INPUT = { uart0: 2 } as const;

/** How the devices reach what is outside them. */
export interface BoardPorts {
  /** How many CPUs there are. */
  readonly cpus: number;
  readonly lines: CpuLines;
  /** The guest switches the machine off or resets it. */
  readonly power: (request: PowerRequest) => void;
  /** Bytes that UART0 sends. */
  readonly console: (byte: number) => void;
  /** A parked CPU may start at the address that its first mailbox holds. */
  readonly start: (cpu: number, entry: bigint) => void;
}

const noop = (): void => {};

export class Board {
  readonly bus: Bus;
  readonly iocsr: Iocsr;
  readonly uarts: readonly Uart16550[];
  private readonly ipi: Ipi;
  private readonly eiointc: Eiointc;
  private readonly pic: PchPic;
  private readonly ged: Ged;

  constructor(ports: BoardPorts) {
    this.ipi = new Ipi(ports.cpus, ports.lines);
    this.eiointc = new Eiointc(ports.cpus, ports.lines);
    this.pic = new PchPic(this.eiointc);
    this.iocsr = new Iocsr(ports.cpus, this.ipi, this.eiointc);
    this.ged = new Ged(ports.power);
    this.uarts = BOARD.uart.map(
      (_, n) =>
        new Uart16550(`uart${n}`, this.pic.input(PIC_INPUT.uart0 + n), { send: n === 0 ? ports.console : noop }),
    );
    this.bus = new Bus([
      { base: BOARD.pchPic, device: this.pic },
      { base: BOARD.ged, device: this.ged },
      ...this.uarts.map((device, n) => ({ base: BOARD.uart[n]!, device })),
    ]);
    // Like the boot stub of real firmware: the low half of mailbox 0 is the signal.
    this.ipi.onMail = (n) => {
      const entry = this.ipi.mailbox(n, 0);
      if ((entry & 0xffffffffn) !== 0n) ports.start(n, entry);
    };
  }

  /** Power-on state of every device. */
  reset(): void {
    this.ipi.reset();
    this.eiointc.reset();
    this.pic.reset();
    this.iocsr.reset();
    this.ged.reset();
    for (const u of this.uarts) u.reset();
  }

  /** Every device with state of its own, in a fixed order. */
  parts(): Stateful[] {
    return [this.ipi, this.eiointc, this.pic, this.iocsr, this.ged, ...this.uarts];
  }
}
