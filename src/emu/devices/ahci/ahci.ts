/** Serial ATA controller: Intel's ICH9 in AHCI mode, as QEMU's `-device ahci` is one (Serial ATA AHCI 1.3.1). */
import type { Stateful } from '../../state/fields.ts';
import type { Width } from '../device.ts';
import { PciFunction } from '../pci/function.ts';
import { partsOfDisk } from '../virtio/block.ts';
import type { VirtioSurroundings } from '../virtio/transport.ts';
import type { AhciDrive } from './ata-disk.ts';
import { AhciPort } from './port.ts';
import { GHC, HOST, PORT_BASE, PORT_BYTES, PORTS } from './registers.ts';

export type { AhciDrive } from './ata-disk.ts';

const IDENTITY = {
  vendor: 0x8086,
  device: 0x2922,
  revision: 2,
  classCode: 0x010601,
  subVendor: 0x1af4,
  subDevice: 0x1100,
} as const;
/** Base address registers: index and data of registers as I/O ports, and the registers themselves. */
const INDEX_BAR = 4;
const MEMORY_BAR = 5;
const INDEX = { bytes: 0x20, index: 0x10, data: 0x14 } as const;
const MEMORY_BYTES = 0x1000;
const MSI_AT = 0x80;
/** ICH9's MAP register: AHCI mode. */
const MAP = { at: 0x90, ahci: 0x40 } as const;
/** The Serial ATA capability: revision 1.0; index and data are in BAR 4 (as a place in words, 8), from word 4 on. */
const SATA = { at: 0xa8, id: 0x12, body: [0x10, 0, 0x48, 0, 0, 0] } as const;
/** Longest time of work on commands in one go, in milliseconds. */
const MOST_MS = 10;

export class Ahci extends PciFunction {
  override readonly stateFields: readonly string[];
  readonly sata: readonly AhciPort[];
  private readonly surroundings: VirtioSurroundings;
  protected control: number = HOST.ghc.reset;
  protected pendingPorts = 0;
  protected index = 0;

  /** @param drives by port */
  constructor(drives: readonly (AhciDrive | undefined)[], surroundings: VirtioSurroundings) {
    super('ahci', IDENTITY);
    this.surroundings = surroundings;
    this.sata = Array.from({ length: PORTS }, (_, n) => new AhciPort(surroundings.dma, drives[n]));
    this.addInterruptPin();
    this.addCapability(SATA.id, SATA.body, [], SATA.at);
    this.addMsi(MSI_AT);
    this.addRegister(MAP.at, MAP.ahci);
    this.addBar(INDEX_BAR, {
      kind: 'io',
      size: INDEX.bytes,
      read: (at, width) => this.readIndex(at, width),
      write: (at, width, value) => this.writeIndex(at, width, value),
    });
    this.addBar(MEMORY_BAR, {
      kind: 'memory',
      size: MEMORY_BYTES,
      read: (at, width) => this.read(at, width),
      write: (at, width, value) => this.write(at, width, value),
    });
    this.stateFields = ['config', 'msixTable', 'pending', 'asserted', 'control', 'pendingPorts', 'index'];
    this.seal();
  }

  /** The controller, its ports, and the disks behind them. */
  override parts(): Stateful[] {
    return [
      this,
      ...this.sata.flatMap((p): Stateful[] => {
        const content = p.disk?.disk;
        return [p, ...(p.disk ? [p.disk] : []), ...(content ? partsOfDisk(content) : [])];
      }),
    ];
  }

  override reset(): void {
    super.reset();
    for (const p of this.sata) p.reset();
    this.clear();
  }

  private clear(): void {
    this.control = HOST.ghc.reset;
    this.pendingPorts = 0;
    this.index = 0;
    this.setIntx(false);
  }

  /** The word at an address that is a multiple of 4. */
  private word(at: number): number {
    if (at >= PORT_BASE)
      return this.sata[Math.floor((at - PORT_BASE) / PORT_BYTES)]?.read((at - PORT_BASE) % PORT_BYTES) ?? 0;
    switch (at) {
      case HOST.cap.offset:
        return HOST.cap.reset;
      case HOST.ghc.offset:
        return this.control;
      case HOST.is.offset:
        return this.pendingPorts;
      case HOST.pi.offset:
        return HOST.pi.reset;
      case HOST.vs.offset:
        return HOST.vs.reset;
      default:
        return 0;
    }
  }

  private read(at: number, width: Width): number {
    const value = this.word(at & ~3) >>> (8 * (at & 3));
    return width === 4 ? value : value & (2 ** (8 * width) - 1);
  }

  /** Registers are words (section 3). A narrower write changes its bytes alone; the others are as if 0 was written to bits that 1 changes. */
  private write(at: number, width: Width, value: number): void {
    const shift = 8 * (at & 3);
    const bytes = ((width === 4 ? 0xffffffff : 2 ** (8 * width) - 1) << shift) >>> 0;
    this.writeWord(at & ~3, bytes, (value << shift) >>> 0);
    this.work();
  }

  private writeWord(at: number, bytes: number, value: number): void {
    if (at >= PORT_BASE) {
      this.sata[Math.floor((at - PORT_BASE) / PORT_BYTES)]?.write((at - PORT_BASE) % PORT_BYTES, bytes, value);
      return;
    }
    if (at === HOST.is.offset) {
      this.pendingPorts &= ~(value & bytes);
      this.signal(this.pendingPorts !== 0);
    } else if (at === HOST.ghc.offset) {
      if (value & bytes & GHC.reset) {
        for (const p of this.sata) p.resetController();
        this.clear();
        return;
      }
      if (bytes & GHC.interrupts) this.control = (HOST.ghc.reset | (value & GHC.interrupts)) >>> 0;
      this.signal((value & bytes & GHC.interrupts) !== 0);
    }
  }

  private readIndex(at: number, width: Width): number {
    if (at === INDEX.index) return this.index;
    return at === INDEX.data ? this.read(this.index, width) : 0;
  }

  private writeIndex(at: number, width: Width, value: number): void {
    if (at === INDEX.index) this.index = value & (MEMORY_BYTES - 4);
    else if (at === INDEX.data) this.write(this.index, width, value);
  }

  /** Carries out commands, for some time; the rest is left for later. */
  private work(): boolean {
    const waiting = this.isMaster ? this.sata.filter((p) => p.waits) : [];
    // The clock is read from the second command on, because most writes are for none or one.
    let began: number | undefined;
    let more = false;
    for (const p of waiting)
      while (!more && p.waits) {
        p.next();
        if (!p.waits && p === waiting.at(-1)) break;
        began ??= this.surroundings.now();
        more = this.surroundings.now() - began >= MOST_MS;
      }
    more &&= waiting.some((p) => p.waits);
    this.notice();
    if (more) this.surroundings.unfinished();
    return more;
  }

  /** Goes on with commands that were left for later. @returns whether there are still more */
  goOn(): boolean {
    return this.work();
  }

  /** Ports with interrupts appear in IS, which keeps them until software clears them. */
  private notice(): void {
    let now = this.pendingPorts;
    this.sata.forEach((p, n) => {
      if (p.interrupts) now |= 1 << n;
    });
    const fresh = (now & ~this.pendingPorts) !== 0;
    this.pendingPorts = now;
    this.signal(fresh);
  }

  /** The level on the pin, or a message. @param fresh there is something that no message has told of */
  private signal(fresh: boolean): void {
    const wanted = (this.control & GHC.interrupts) !== 0 && this.pendingPorts !== 0;
    if (!this.usesMsi) this.setIntx(wanted);
    else {
      this.setIntx(false);
      if (wanted && fresh) this.messageMsi();
    }
  }

  override writeConfig(at: number, width: Width, value: number): void {
    super.writeConfig(at, width, value);
    // The function may have become a bus master, or its driver may have chosen messages.
    this.work();
  }
}
