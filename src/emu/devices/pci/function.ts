/**
 * A conventional PCI function: its configuration space of 256 bytes, base address registers, message-signalled interrupts (PCI Local
 * Bus 3.0, chapter 6). On QEMU's `virt`, too, the functions of the root bus are conventional ones.
 */
import type { Stateful, Wiring } from '../../state/fields.ts';
import type { Line, Width } from '../device.ts';
import type { RegisterDeclaration, RegisterTable } from '../register-table.ts';

/** Bytes of the configuration space. What lies behind them reads as all ones. */
export const CONFIG_BYTES = 0x100;

/** The header of type 0 (section 6.2). Base address registers: see {@link BarSpace}. */
const CFG = {
  vendor: { name: 'Vendor ID', offset: 0x00, width: 2, access: 'ro', reset: 'by device', section: '6.2.1' },
  device: { name: 'Device ID', offset: 0x02, width: 2, access: 'ro', reset: 'by device', section: '6.2.1' },
  /** I/O space, memory space, bus master, SERR# enable, interrupt disable. */
  command: { name: 'Command', offset: 0x04, width: 2, access: 'rw', reset: 0, bits: 0x0507, section: '6.2.2' },
  status: { name: 'Status', offset: 0x06, width: 2, access: 'ro', reset: 'by device', section: '6.2.3' },
  revision: { name: 'Revision ID', offset: 0x08, width: 1, access: 'ro', reset: 'by device', section: '6.2.1' },
  /** 24 bits; the first byte is the programming interface. */
  classCode: { name: 'Class Code', offset: 0x09, width: 1, access: 'ro', reset: 'by device', section: '6.2.1' },
  subclass: {
    name: 'Class Code, upper half',
    offset: 0x0a,
    width: 2,
    access: 'ro',
    reset: 'by device',
    section: '6.2.1',
  },
  cacheLine: { name: 'Cache Line Size', offset: 0x0c, width: 1, access: 'rw', reset: 0, section: '6.2.4' },
  latency: { name: 'Latency Timer', offset: 0x0d, width: 1, access: 'ro', reset: 0, section: '6.2.4' },
  headerType: { name: 'Header Type', offset: 0x0e, width: 1, access: 'ro', reset: 0, section: '6.2.1' },
  bist: { name: 'BIST', offset: 0x0f, width: 1, access: 'ro', reset: 0, section: '6.2.4' },
  cis: { name: 'CardBus CIS Pointer', offset: 0x28, width: 4, access: 'ro', reset: 0, section: '6.2.4' },
  subVendor: {
    name: 'Subsystem Vendor ID',
    offset: 0x2c,
    width: 2,
    access: 'ro',
    reset: 'by device',
    section: '6.2.4',
  },
  subDevice: { name: 'Subsystem ID', offset: 0x2e, width: 2, access: 'ro', reset: 'by device', section: '6.2.4' },
  rom: { name: 'Expansion ROM Base Address', offset: 0x30, width: 4, access: 'ro', reset: 0, section: '6.2.5.2' },
  capabilities: {
    name: 'Capabilities Pointer',
    offset: 0x34,
    width: 1,
    access: 'ro',
    reset: 'by device',
    section: '6.7',
  },
  interruptLine: { name: 'Interrupt Line', offset: 0x3c, width: 1, access: 'rw', reset: 0, section: '6.2.4' },
  interruptPin: { name: 'Interrupt Pin', offset: 0x3d, width: 1, access: 'ro', reset: 'by device', section: '6.2.4' },
} as const satisfies Readonly<Record<string, RegisterDeclaration>>;
const BAR0 = 0x10;
const FIRST_CAPABILITY = 0x40;

export const PCI_HEADER: RegisterTable = {
  device: 'PCI function',
  source: 'PCI Local Bus 3.0',
  registers: [
    ...Object.values(CFG),
    ...[0, 1, 2, 3, 4, 5].map(
      (n): RegisterDeclaration => ({
        name: `Base Address Register ${n}`,
        offset: BAR0 + 4 * n,
        width: 4,
        access: 'rw',
        reset: 'by device',
        section: '6.2.5',
      }),
    ),
  ].sort((a, b) => a.offset - b.offset),
};

const COMMAND = { io: 1, memory: 2, master: 4, intxOff: 0x400 } as const;
const STATUS_INTX = 8;
const STATUS_CAPABILITIES = 0x10;
/** Type bits of a base address register. */
const BAR_TYPE = { io: 1, memory: 0, memory64: 0xc } as const;

const MSI_CAPABILITY = 5;
const MSI = { enable: 1, wide: 0x80, address: 4, upper: 8, data: 12 } as const;
const MSIX_CAPABILITY = 0x11;
const MSIX = { enable: 0x8000, mask: 0x4000, entryBytes: 16, pendingAt: 0x800, bytes: 0x1000 } as const;

export interface PciIdentity {
  readonly vendor: number;
  readonly device: number;
  readonly revision: number;
  /** Base class, subclass and programming interface, 24 bits. */
  readonly classCode: number;
  readonly subVendor: number;
  readonly subDevice: number;
}

/** The address space behind a base address register. */
export interface BarSpace {
  /**
   * I/O ports, memory, or memory with a 64-bit register: that takes two places, and the space is prefetchable and may be above 4 GiB.
   */
  readonly kind: 'io' | 'memory' | 'memory64';
  /** A power of two, at least 16. */
  readonly size: number;
  readonly read: (offset: number, width: Width) => number;
  /** Like read, without side effects. */
  readonly peek?: (offset: number, width: Width) => number;
  readonly write: (offset: number, width: Width, value: number) => void;
}

/** The connections of a function to the rest of the machine. */
export interface PciPorts {
  /** The interrupt line of its pin A. */
  readonly intx: Line;
  /** A message: a write of 32 bits to an address. */
  readonly message: (address: number, data: number) => void;
}

interface Bar {
  readonly at: number;
  readonly space: BarSpace;
}

export class PciFunction implements Stateful {
  readonly stateFields: readonly string[] = ['config', 'msixTable', 'pending', 'asserted'];
  static readonly wiring: Wiring = {
    writable: 'made with the function',
    bars: 'made with the function',
    nextCapability: 'made with the function',
    msiAt: 'made with the function',
    msixAt: 'made with the function',
    powerOn: 'made with the function',
    ports: 'the host',
  };
  readonly name: string;
  private readonly config = new Uint8Array(CONFIG_BYTES);
  /** Bits that software may write. */
  private readonly writable = new Uint8Array(CONFIG_BYTES);
  private readonly bars: Bar[] = [];
  private nextCapability: number = FIRST_CAPABILITY;
  private msiAt = 0;
  private msixAt = 0;
  private msixTable = new Uint32Array(0);
  /** Messages that are pending because they are masked. */
  private pending = new Uint8Array(0);
  private asserted = false;
  protected ports: PciPorts = { intx: () => {}, message: () => {} };

  constructor(name: string, id: PciIdentity) {
    this.name = name;
    this.put(CFG.vendor.offset, 2, id.vendor);
    this.put(CFG.device.offset, 2, id.device);
    this.put(CFG.revision.offset, 1, id.revision);
    this.put(CFG.classCode.offset, 1, id.classCode & 0xff);
    this.put(CFG.subclass.offset, 2, id.classCode >> 8);
    this.put(CFG.subVendor.offset, 2, id.subVendor);
    this.put(CFG.subDevice.offset, 2, id.subDevice);
    for (const register of Object.values(CFG) as readonly RegisterDeclaration[]) {
      if (register.access !== 'rw') continue;
      const bits = Number(register.bits ?? 2 ** (8 * register.width) - 1);
      for (let k = 0; k < register.width; k++) this.writable[register.offset + k] = (bits >>> (8 * k)) & 0xff;
    }
  }

  /** The function, and the parts that belong to it. */
  parts(): Stateful[] {
    return [this];
  }

  connect(ports: PciPorts): void {
    this.ports = ports;
  }

  private put(at: number, width: Width, value: number): void {
    for (let k = 0; k < width; k++) this.config[at + k] = (value >>> (8 * k)) & 0xff;
  }

  protected get(at: number, width: Width): number {
    let v = 0;
    for (let k = 0; k < width; k++) v |= this.config[at + k]! << (8 * k);
    return v >>> 0;
  }

  /** Declares base address register `n`. */
  protected addBar(n: number, space: BarSpace): void {
    const at = BAR0 + 4 * n;
    this.bars.push({ at, space });
    this.put(at, 4, BAR_TYPE[space.kind]);
    const mask = (-space.size & ~0xf) >>> 0;
    for (let k = 0; k < 4; k++) this.writable[at + k] = (mask >>> (8 * k)) & 0xff;
    if (space.kind === 'memory64') this.writable.fill(0xff, at + 4, at + 8);
  }

  /**
   * Puts a capability in front of the list, where QEMU puts it, too.
   * @param body the bytes behind its number and its link
   * @param writable bits of the body that software may write
   * @param at its place; default: behind the one before
   * @returns the offset where it begins
   */
  protected addCapability(
    id: number,
    body: readonly number[],
    writable: readonly number[] = [],
    at: number = this.nextCapability,
  ): number {
    this.config[at] = id;
    this.config[at + 1] = this.config[CFG.capabilities.offset]!;
    this.config[CFG.capabilities.offset] = at;
    body.forEach((b, k) => {
      this.config[at + 2 + k] = b;
      this.writable[at + 2 + k] = writable[k] ?? 0;
    });
    this.put(CFG.status.offset, 2, STATUS_CAPABILITIES);
    this.nextCapability = Math.ceil((at + 2 + body.length) / 4) * 4;
    return at;
  }

  /** A register of the device's own, behind the header. */
  protected addRegister(at: number, value: number): void {
    this.put(at, 1, value);
  }

  /** Declares that the function uses interrupt pin A. */
  protected addInterruptPin(): void {
    this.config[CFG.interruptPin.offset] = 1;
  }

  /** Adds MSI with one message and a 64-bit address (section 6.8.1). @param at its place in configuration space */
  protected addMsi(at: number): void {
    const body = [MSI.wide, 0, ...new Array<number>(10).fill(0)];
    const writable = [MSI.enable, 0, 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    this.msiAt = this.addCapability(MSI_CAPABILITY, body, writable, at);
  }

  /** Adds MSI-X with `vectors` messages, their table behind register `bar`. */
  protected addMsix(vectors: number, bar: number): void {
    this.msixTable = new Uint32Array(4 * vectors);
    this.pending = new Uint8Array(vectors);
    const body = [vectors - 1, (vectors - 1) >> 8, bar, 0, 0, 0, bar, MSIX.pendingAt >> 8, 0, 0];
    this.msixAt = this.addCapability(MSIX_CAPABILITY, body, [0, 0xc0]);
    this.addBar(bar, {
      kind: 'memory',
      size: MSIX.bytes,
      read: (offset) => {
        if (offset < MSIX.pendingAt) return this.msixTable[offset >> 2] ?? 0;
        const word = (offset - MSIX.pendingAt) >> 2;
        let v = 0;
        for (let k = 0; k < 32; k++) if (this.pending[word * 32 + k]) v |= 1 << k;
        return v >>> 0;
      },
      write: (offset, _width, value) => {
        if (offset >= 4 * this.msixTable.length) return;
        this.msixTable[offset >> 2] = value;
        this.sendPending();
      },
    });
    for (let v = 0; v < vectors; v++) this.msixTable[4 * v + 3] = 1;
  }

  /** Call at the end of the constructor: it keeps the configuration at power-on. */
  protected seal(): void {
    this.powerOn = this.config.slice();
  }
  private powerOn: Uint8Array | undefined;

  reset(): void {
    if (this.powerOn) this.config.set(this.powerOn);
    this.msixTable.fill(0);
    for (let v = 0; v < this.pending.length; v++) this.msixTable[4 * v + 3] = 1;
    this.pending.fill(0);
    this.setIntx(false);
  }

  /** Does the driver get messages instead of a level on the pin? */
  get usesMsi(): boolean {
    return this.msiAt !== 0 && (this.get(this.msiAt + 2, 2) & MSI.enable) !== 0;
  }

  get usesMsix(): boolean {
    return this.msixAt !== 0 && (this.get(this.msixAt + 2, 2) & MSIX.enable) !== 0;
  }

  /** Sends the message of MSI. */
  protected messageMsi(): void {
    const { msiAt } = this;
    if (!this.isMaster) return;
    const address = this.get(msiAt + MSI.address, 4) + this.get(msiAt + MSI.upper, 4) * 2 ** 32;
    this.ports.message(address, this.get(msiAt + MSI.data, 2));
  }

  /** Sends a message of MSI-X. A masked one becomes pending. */
  protected message(vector: number): void {
    if (vector >= this.pending.length) return;
    this.pending[vector] = 1;
    this.sendPending();
  }

  private sendPending(): void {
    const control = this.msixAt === 0 ? 0 : this.get(this.msixAt + 2, 2);
    if ((control & MSIX.enable) === 0 || control & MSIX.mask || !this.isMaster) return;
    this.pending.forEach((waits, v) => {
      if (!waits || this.msixTable[4 * v + 3]! & 1) return;
      this.pending[v] = 0;
      this.ports.message(this.msixTable[4 * v]! + this.msixTable[4 * v + 1]! * 2 ** 32, this.msixTable[4 * v + 2]!);
    });
  }

  /** Raises or lowers the interrupt pin. */
  protected setIntx(level: boolean): void {
    this.asserted = level;
    const status = this.get(CFG.status.offset, 2) & ~STATUS_INTX;
    this.put(CFG.status.offset, 2, status | (level ? STATUS_INTX : 0));
    this.ports.intx(level && (this.get(CFG.command.offset, 2) & COMMAND.intxOff) === 0);
  }

  /** May the function write to memory? */
  get isMaster(): boolean {
    return (this.config[CFG.command.offset]! & COMMAND.master) !== 0;
  }

  /** Makes the function a bus master, as its driver should have done. */
  protected becomeMaster(): void {
    this.config[CFG.command.offset]! |= COMMAND.master;
  }

  /** Reads configuration space. A read behind its end gives all ones. */
  readConfig(at: number, width: Width): number {
    return this.peekConfig(at, width);
  }

  /** Like {@link readConfig}, without side effects. */
  peekConfig(at: number, width: Width): number {
    return at + width > CONFIG_BYTES ? 2 ** (8 * width) - 1 : this.get(at, width);
  }

  writeConfig(at: number, width: Width, value: number): void {
    if (at + width > CONFIG_BYTES) return;
    for (let k = 0; k < width; k++) {
      const mask = this.writable[at + k]!;
      this.config[at + k] = (this.config[at + k]! & ~mask) | ((value >>> (8 * k)) & mask);
    }
    if (at < CFG.command.offset + 2 && at + width > CFG.command.offset) this.setIntx(this.asserted);
    this.sendPending();
  }

  /** The space at an address of PCI memory or at an I/O port, and the offset in it. */
  find(address: number, io = false): { readonly space: BarSpace; readonly offset: number } | undefined {
    if ((this.config[CFG.command.offset]! & (io ? COMMAND.io : COMMAND.memory)) === 0) return undefined;
    for (const { at, space } of this.bars) {
      if ((space.kind === 'io') !== io) continue;
      const low = (this.get(at, 4) & ~0xf) >>> 0;
      const base = space.kind === 'memory64' ? low + this.get(at + 4, 4) * 2 ** 32 : low;
      if (base !== 0 && address >= base && address < base + space.size) return { space, offset: address - base };
    }
    return undefined;
  }

  /** The space behind base address register `n`. */
  protected barSpace(n: number): BarSpace | undefined {
    return this.bars.find(({ at }) => at === BAR0 + 4 * n)?.space;
  }
}
