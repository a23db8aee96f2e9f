/** The devices of the board at their addresses (platform.ts; docs/board.md). */
import { Bus, type Mapping } from '../devices/bus.ts';
import type { CpuLines, Device } from '../devices/device.ts';
import type { Dma } from '../devices/dma.ts';
import { Eiointc } from '../devices/eiointc.ts';
import { FwCfg } from '../devices/fw-cfg.ts';
import type { Ged, PowerRequest } from '../devices/ged.ts';
import { Iocsr } from '../devices/iocsr.ts';
import { Ipi } from '../devices/ipi.ts';
import { PchMsi } from '../devices/pch-msi.ts';
import { PchPic } from '../devices/pch-pic.ts';
import { PciRootComplex } from '../devices/pci/root-complex.ts';
import type { Uart16550 } from '../devices/uart16550.ts';
import { VirtioConsole } from '../devices/virtio/console.ts';
import type { VirtioKind } from '../devices/virtio/device.ts';
import { VirtioMmio } from '../devices/virtio/mmio.ts';
import { VirtioPci } from '../devices/virtio/pci.ts';
import type { VirtioTransport } from '../devices/virtio/transport.ts';
import { PLATFORM } from '../memory/physical-map.ts';
import type { RuntimeClock } from '../runtime/runtime.ts';
import type { Stateful } from '../state/fields.ts';
import { type BoardModel, DEVICES, LS3A5000_DEVICES, virtioMmioSlot } from './platform.ts';

/** The connections of the devices to the rest of the machine. */
export interface BoardPorts {
  /** Number of CPUs. */
  readonly cpus: number;
  readonly lines: CpuLines;
  readonly dma: Dma;
  /** The guest switches the machine off or resets it. */
  readonly power: (request: PowerRequest) => void;
  /** Bytes that UART0 sends. */
  readonly console: (byte: number) => void;
  /** The time of day in milliseconds since 1970. */
  readonly now: () => number;
  /** The runtime's clock: how long work for the guest takes. */
  readonly clock: RuntimeClock;
  /** Content of the flash that firmware runs from. */
  readonly firmware: () => Uint8Array;
  /** A parked CPU may start at the address that its first mailbox holds. */
  readonly start: (cpu: number, entry: bigint) => void;
  /** A device has more work than fits into one go: call {@link Board.goOn} soon. */
  readonly unfinished: () => void;
  readonly model?: BoardModel | undefined;
  /** Devices for the PCI slots, or (see `virtioOn`) for the memory-mapped bus. */
  readonly virtio?: readonly VirtioKind[] | undefined;
  readonly virtioOn?: VirtioBus | undefined;
}

/** The transport of virtio devices. */
export type VirtioBus = 'pci' | 'mmio';

const isStateful = (x: Device): x is Device & Stateful => 'stateFields' in x;

export class Board {
  readonly bus: Bus;
  readonly iocsr: Iocsr;
  readonly pci: PciRootComplex;
  readonly fwCfg: FwCfg;
  private readonly ipi: Ipi;
  private readonly eiointc: Eiointc;
  private readonly mmio: readonly VirtioMmio[];
  private readonly transports: readonly VirtioTransport[];
  private readonly console: { receive(bytes: Iterable<number>): void; readonly backlog: number };

  constructor(ports: BoardPorts) {
    this.ipi = new Ipi(ports.cpus, ports.lines);
    this.eiointc = new Eiointc(ports.cpus, ports.lines);
    this.iocsr = new Iocsr(ports.cpus, this.ipi, this.eiointc);
    this.fwCfg = new FwCfg(ports.dma);
    const pic = new PchPic(this.eiointc);
    const msi = new PchMsi(this.eiointc);
    this.pci = new PciRootComplex({
      lines: [0, 1, 2, 3].map((n) => pic.input(PLATFORM.pciInput + n)),
      // A message to any other address is lost. Otherwise a device could write to itself without end.
      message: (address, data) => {
        if (this.bus.at(address)?.device === msi) this.bus.write(address, 4, data, 0);
      },
      memoryBase: PLATFORM.pciMemory.base,
    });
    const kinds = ports.virtio ?? [];
    const onBus = ports.virtioOn === 'mmio' ? kinds.slice(0, PLATFORM.virtioMmio.most) : [];
    const surroundings = { dma: ports.dma, now: () => ports.clock.now(), unfinished: ports.unfinished };
    this.mmio = onBus.map((kind, n) => new VirtioMmio(kind, surroundings, pic.input(virtioMmioSlot(n).input)));
    const functions = kinds.slice(onBus.length).map((kind) => new VirtioPci(kind, surroundings));
    for (const f of functions) this.pci.add(f);
    this.transports = [...this.mmio, ...functions].map((d) => d.transport);
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
    const slots = this.mmio.map((device, n) => ({ base: virtioMmioSlot(n).base, device }));
    this.bus = new Bus([...mappings, ...slots], loongson);
    const uart = this.bus.at(PLATFORM.uarts[0]!.base)!.device as Uart16550;
    this.console = kinds.find((k) => k instanceof VirtioConsole) ?? uart;
    // As in the boot code of real firmware, a write to the low half of mailbox 0 is the signal.
    this.ipi.onMail = (n) => {
      const entry = this.ipi.mailbox(n, 0);
      if ((entry & 0xffffffffn) !== 0n) ports.start(n, entry);
    };
  }

  /** The power button of the board. */
  pressPowerButton(): void {
    (this.bus.at(PLATFORM.ged.base)!.device as Ged).pressPowerButton();
  }

  /** Input for the console: a virtio console if there is one, otherwise UART0. */
  consoleInput(bytes: Uint8Array): void {
    this.console.receive(bytes);
  }

  /** Bytes of input that the guest has not read yet. */
  get inputWaiting(): number {
    return this.console.backlog;
  }

  /** Lets devices go on with work that they have left for later. @returns whether there is still more */
  goOn(): boolean {
    let more = false;
    for (const t of this.transports) more = t.goOn() || more;
    return more;
  }

  /** Power-on state of every device. */
  reset(): void {
    this.ipi.reset();
    this.eiointc.reset();
    this.iocsr.reset();
    for (const { device } of this.bus.mappings) device.reset();
    this.pci.reset();
  }

  /** All parts that have state, in a fixed order. */
  parts(): Stateful[] {
    const devices = this.bus.mappings.flatMap(({ device }) =>
      device instanceof VirtioMmio ? device.parts() : isStateful(device) ? [device] : [],
    );
    return [this.ipi, this.eiointc, this.iocsr, ...devices, ...this.pci.parts()];
  }
}
