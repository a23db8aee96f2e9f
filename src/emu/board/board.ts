/** The devices of the board at their addresses (platform.ts; docs/board.md). */
import { Bus, type Mapping } from '../devices/bus.ts';
import type { CpuLines } from '../devices/device.ts';
import type { Dma } from '../devices/dma.ts';
import { Eiointc } from '../devices/eiointc.ts';
import { FwCfg } from '../devices/fw-cfg.ts';
import type { PowerRequest } from '../devices/ged.ts';
import { Iocsr } from '../devices/iocsr.ts';
import { Ipi } from '../devices/ipi.ts';
import { PchMsi } from '../devices/pch-msi.ts';
import { PchPic } from '../devices/pch-pic.ts';
import { PciHost } from '../devices/pci/host.ts';
import type { Uart16550 } from '../devices/uart16550.ts';
import type { VirtioKind } from '../devices/virtio/device.ts';
import { VirtioPci } from '../devices/virtio/pci.ts';
import type { Stateful } from '../replay/fields.ts';
import { type BoardModel, DEVICES, LS3A5000_DEVICES, PLATFORM } from './platform.ts';

/** How the devices reach what is outside them. */
export interface BoardPorts {
  /** How many CPUs there are. */
  readonly cpus: number;
  readonly lines: CpuLines;
  readonly dma: Dma;
  /** The guest switches the machine off or resets it. */
  readonly power: (request: PowerRequest) => void;
  /** Bytes that UART0 sends. */
  readonly console: (byte: number) => void;
  /** The time of day in milliseconds since 1970. */
  readonly now: () => number;
  /** Content of the flash that firmware runs from. */
  readonly firmware: () => Uint8Array;
  /** A parked CPU may start at the address that its first mailbox holds. */
  readonly start: (cpu: number, entry: bigint) => void;
  readonly model?: BoardModel | undefined;
  /** Devices for the PCI slots. */
  readonly virtio?: readonly VirtioKind[] | undefined;
}

const isStateful = (x: object): x is Stateful => 'stateFields' in x;

export class Board {
  readonly bus: Bus;
  readonly iocsr: Iocsr;
  readonly pci: PciHost;
  readonly fwCfg: FwCfg;
  private readonly ipi: Ipi;
  private readonly eiointc: Eiointc;
  private readonly virtio: readonly VirtioPci[];
  private readonly console: Uart16550;

  constructor(ports: BoardPorts) {
    this.ipi = new Ipi(ports.cpus, ports.lines);
    this.eiointc = new Eiointc(ports.cpus, ports.lines);
    this.iocsr = new Iocsr(ports.cpus, this.ipi, this.eiointc);
    this.fwCfg = new FwCfg(ports.dma);
    const pic = new PchPic(this.eiointc);
    const msi = new PchMsi(this.eiointc);
    this.pci = new PciHost({
      lines: [0, 1, 2, 3].map((n) => pic.input(PLATFORM.pciInput + n)),
      message: (address, data) => void this.bus.write(address, 4, data, 0),
      memoryBase: PLATFORM.pciMemory.base,
    });
    this.virtio = (ports.virtio ?? []).map((kind) => new VirtioPci(kind, ports.dma));
    for (const f of this.virtio) this.pci.add(f);
    const { power, now } = ports;
    const send = (uart: number, byte: number): void => {
      if (uart === 0) ports.console(byte);
    };
    const parts = {
      pic,
      msi,
      pci: this.pci,
      iocsr: this.iocsr,
      master: () => this.bus.master,
      power,
      now,
      send,
      fwCfg: this.fwCfg,
      firmware: ports.firmware,
    };
    const loongson = ports.model === 'ls3a5000';
    const declared = loongson ? [...DEVICES, ...LS3A5000_DEVICES] : DEVICES;
    const mappings: Mapping[] = declared.map((d) => ({ base: d.base, device: d.make(parts) }));
    this.bus = new Bus(mappings, loongson);
    this.console = this.bus.at(PLATFORM.uarts[0]!.base)!.device as Uart16550;
    // Like the boot stub of real firmware: the low half of mailbox 0 is the signal.
    this.ipi.onMail = (n) => {
      const entry = this.ipi.mailbox(n, 0);
      if ((entry & 0xffffffffn) !== 0n) ports.start(n, entry);
    };
  }

  /** Input for UART0. */
  consoleInput(bytes: Uint8Array): void {
    this.console.receive(bytes);
  }

  /** Power-on state of every device. */
  reset(): void {
    this.ipi.reset();
    this.eiointc.reset();
    this.iocsr.reset();
    for (const { device } of this.bus.mappings) device.reset();
    this.pci.reset();
  }

  /** Everything with state of its own, in a fixed order. */
  parts(): Stateful[] {
    const devices = this.bus.mappings.map((m) => m.device as object).filter(isStateful);
    const functions = this.pci.list.flatMap(({ function: f }) => (f instanceof VirtioPci ? f.parts() : [f]));
    return [this.ipi, this.eiointc, this.iocsr, ...devices, ...functions];
  }
}
