/** The devices of the board at their addresses (platform.ts; docs/board.md). */
import { Bus, type Mapping } from '../devices/bus.ts';
import { ChipConfig } from '../devices/chip-config.ts';
import type { CpuLines, Device, DeviceTime, Timed, Worker } from '../devices/device.ts';
import type { Dma } from '../devices/dma.ts';
import { Eiointc } from '../devices/eiointc.ts';
import { FwCfg } from '../devices/fw-cfg.ts';
import type { Ged, PowerRequest } from '../devices/ged.ts';
import { Iocsr } from '../devices/iocsr.ts';
import { Ipi } from '../devices/ipi.ts';
import { Omissions } from '../devices/omissions.ts';
import { PchMsi } from '../devices/pch-msi.ts';
import { PchPic } from '../devices/pch-pic.ts';
import { PciRootComplex } from '../devices/pci/root-complex.ts';
import type { Uart16550 } from '../devices/uart16550.ts';
import { VirtioConsole } from '../devices/virtio/console.ts';
import { VirtioMmio } from '../devices/virtio/mmio.ts';
import { VirtioNet } from '../devices/virtio/net.ts';
import type { VirtioSurroundings } from '../devices/virtio/transport.ts';
import { PLATFORM } from '../memory/physical-map.ts';
import type { RuntimeClock } from '../runtime/runtime.ts';
import type { Stateful } from '../state/fields.ts';
import { type Card, functionOf, placeCards, type VirtioBus, virtioOf } from './cards.ts';
import { type BoardModel, DEVICES, ls3a5000Devices, virtioMmioSlot } from './platform.ts';

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
  readonly time: DeviceTime;
  /** The runtime's clock: how long work for the guest takes. */
  readonly clock: RuntimeClock;
  /** Content of the flash that firmware runs from. */
  readonly firmware: () => Uint8Array;
  /**
   * A CPU that waits in firmware starts at the address that its first mailbox holds.
   * @returns false when it does not wait
   */
  readonly start: (cpu: number, entryLo: number, entryHi: number) => boolean;
  /** By how many ticks at most the requests of a notification to a virtio device are late; left out: never. */
  readonly spread?: (() => number) | undefined;
  /** A device has more work than fits into one go: call {@link Board.goOn} soon. */
  readonly unfinished: () => void;
  readonly model?: BoardModel | undefined;
  /** Cards for the PCI slots; virtio devices among them (see `virtioOn`) for the memory-mapped bus. */
  readonly cards?: readonly Card[] | undefined;
  readonly virtioOn?: VirtioBus | undefined;
}

const isStateful = (x: Device): x is Device & Stateful => 'stateFields' in x;
const isTimed = <T extends object>(x: T): x is T & Timed => 'deadline' in x;

export class Board {
  readonly bus: Bus;
  readonly iocsr: Iocsr;
  readonly pci: PciRootComplex;
  readonly fwCfg: FwCfg;
  /** What devices leave out; a log listens. */
  readonly omissions = new Omissions();
  private readonly ipi: Ipi;
  private readonly eiointc: Eiointc;
  private readonly mmio: readonly VirtioMmio[];
  /** Devices that may leave work for later. */
  private readonly workers: readonly Worker[];
  private readonly timed: readonly Timed[];
  private readonly console: { receive(bytes: Iterable<number>): void; readonly backlog: number };
  private readonly card: VirtioNet | undefined;

  constructor(ports: BoardPorts) {
    const { omissions } = this;
    this.ipi = new Ipi(ports.cpus, ports.lines, omissions);
    this.eiointc = new Eiointc(ports.cpus, ports.lines);
    const loongson = ports.model === 'ls3a5000';
    this.iocsr = new Iocsr(ports.cpus, this.ipi, this.eiointc, new ChipConfig(loongson), omissions);
    this.fwCfg = new FwCfg(ports.dma, omissions);
    const pic = new PchPic(this.eiointc, omissions);
    const msi = new PchMsi(this.eiointc);
    this.pci = new PciRootComplex({
      lines: [0, 1, 2, 3].map((n) => pic.input(PLATFORM.pciInput + n)),
      // A message to any other address is lost. Otherwise a device could write to itself without end.
      message: (address, data) => {
        if (this.bus.at(address)?.device === msi) this.bus.write(address, 4, data, 0);
      },
      memoryBase: PLATFORM.pciMemory.base,
      firstPort: PLATFORM.pciIo.first,
    });
    const { cards = [] } = ports;
    const { mmio, slots: inSlots } = placeCards(cards, ports.virtioOn);
    const surroundings: VirtioSurroundings = {
      dma: ports.dma,
      now: () => ports.clock.now(),
      ...(ports.spread && {
        late: {
          ticks: () => ports.time.ticks(),
          sooner: () => ports.time.sooner(),
          spread: ports.spread,
        },
      }),
      unfinished: ports.unfinished,
      omissions,
    };
    this.mmio = mmio.map((kind, n) => new VirtioMmio(kind, surroundings, pic.input(virtioMmioSlot(n).input)));
    const functions = inSlots.map(({ slot, card }) => {
      const f = functionOf(card, surroundings);
      this.pci.add(f, slot);
      return f;
    });
    this.workers = [...this.mmio.map((d) => d.transport), ...functions];
    const { power, time } = ports;
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
      time,
      omissions,
      send,
      fwCfg: this.fwCfg,
      firmware: ports.firmware,
    };
    const declared = loongson ? [...DEVICES, ...ls3a5000Devices(ports.cpus)] : DEVICES;
    const mappings: Mapping[] = declared.map((d) => ({ base: d.base, device: d.make(parts) }));
    const slots = this.mmio.map((device, n) => ({ base: virtioMmioSlot(n).base, device }));
    this.bus = new Bus([...mappings, ...slots], loongson, omissions);
    this.timed = [...this.bus.mappings.map((m) => m.device).filter(isTimed), ...this.workers.filter(isTimed)];
    const uart = this.bus.at(PLATFORM.uarts[0]!.base)!.device as Uart16550;
    const kinds = cards.map(virtioOf);
    this.console = kinds.find((k) => k instanceof VirtioConsole) ?? uart;
    this.card = kinds.find((k) => k instanceof VirtioNet);
    this.ipi.onSignal = ports.start;
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

  /** Tick at which a device must be called ({@link expire}); Infinity: none waits. */
  get deadline(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const d of this.timed) if (d.deadline < next) next = d.deadline;
    return next;
  }

  /** Calls the devices whose time has come. */
  expire(now: number): void {
    for (const d of this.timed) if (d.deadline <= now) d.expire(now);
  }

  /** A frame from outside arrives at the network card. */
  networkInput(frame: Uint8Array): void {
    this.card?.receive(frame);
  }

  /** Frames that wait in the network card, because the driver has no buffer for them. */
  get networkBacklog(): number {
    return this.card?.backlog ?? 0;
  }

  /** Why devices do nothing any more, those of them that have refused. */
  get refusals(): readonly string[] {
    return this.workers.flatMap((w) => w.refusal ?? []);
  }

  /** May a device interrupt a CPU? */
  get mayInterrupt(): boolean {
    return this.eiointc.enabled;
  }

  /** May a device write there at any time, because something arrives from outside? @param pa a physical address */
  mayReceiveAt(pa: number): boolean {
    return this.workers.some((w) => w.mayReceiveAt?.(pa) === true);
  }

  /** Lets devices go on with work that they have left for later. @returns whether there is still more */
  goOn(): boolean {
    let more = false;
    for (const w of this.workers) more = w.goOn() || more;
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
    return [this.ipi, this.eiointc, this.iocsr, this.iocsr.chip, ...devices, ...this.pci.parts()];
  }
}
