/** A PCI function: its configuration space, base address registers, message-signalled interrupts (PCI Local Bus 3.0, chapter 6). */
import type { Stateful, Wiring } from '../../state/fields.ts';
import type { Line, Width } from '../device.ts';

/** Bytes of PCI Express configuration space. */
export const CONFIG_BYTES = 0x1000;

/** Offsets in configuration space. */
const CFG = {
  vendor: 0x00,
  device: 0x02,
  command: 0x04,
  status: 0x06,
  revision: 0x08,
  classCode: 0x09,
  headerType: 0x0e,
  bar0: 0x10,
  subVendor: 0x2c,
  subDevice: 0x2e,
  capabilities: 0x34,
  interruptLine: 0x3c,
  interruptPin: 0x3d,
  firstCapability: 0x40,
} as const;
const COMMAND = { memory: 2, master: 4, intxOff: 0x400, writable: 0x0547 } as const;
const STATUS_INTX = 8;
const STATUS_CAPABILITIES = 0x10;
const BAR_64 = 4;
const BAR_PREFETCHABLE = 8;

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
  /** A power of two, at least 16. */
  readonly size: number;
  /** A 64-bit register: it takes two places, and the space may be above 4 GiB. */
  readonly wide?: boolean;
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

export class PciFunction implements Stateful {
  readonly stateFields: readonly string[] = ['config', 'msixTable', 'pending', 'asserted'];
  static readonly wiring: Wiring = {
    writable: 'made with the function',
    bars: 'made with the function',
    nextCapability: 'made with the function',
    lastCapability: 'made with the function',
    msixAt: 'made with the function',
    powerOn: 'made with the function',
    ports: 'the host',
  };
  readonly name: string;
  private readonly config = new Uint8Array(CONFIG_BYTES);
  /** Bits that software may write. */
  private readonly writable = new Uint8Array(CONFIG_BYTES);
  private readonly bars = new Map<number, BarSpace>();
  private nextCapability: number = CFG.firstCapability;
  private lastCapability: number = CFG.capabilities;
  private msixAt = 0;
  private msixTable = new Uint32Array(0);
  /** Messages that are pending because they are masked. */
  private pending = new Uint8Array(0);
  private asserted = false;
  protected ports: PciPorts = { intx: () => {}, message: () => {} };

  constructor(name: string, id: PciIdentity) {
    this.name = name;
    const { config } = this;
    this.put(CFG.vendor, 2, id.vendor);
    this.put(CFG.device, 2, id.device);
    config[CFG.revision] = id.revision;
    this.put(CFG.classCode, 2, id.classCode & 0xffff);
    config[CFG.classCode + 2] = id.classCode >> 16;
    this.put(CFG.subVendor, 2, id.subVendor);
    this.put(CFG.subDevice, 2, id.subDevice);
    this.writable[CFG.command] = COMMAND.writable & 0xff;
    this.writable[CFG.command + 1] = COMMAND.writable >> 8;
    this.writable[CFG.interruptLine] = 0xff;
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

  private get(at: number, width: Width): number {
    let v = 0;
    for (let k = 0; k < width; k++) v |= this.config[at + k]! << (8 * k);
    return v >>> 0;
  }

  /** Declares base address register `n`. */
  protected addBar(n: number, space: BarSpace): void {
    this.bars.set(n, space);
    const at = CFG.bar0 + 4 * n;
    this.put(at, 4, space.wide ? BAR_64 | BAR_PREFETCHABLE : 0);
    const mask = (-space.size & ~0xf) >>> 0;
    for (let k = 0; k < 4; k++) this.writable[at + k] = (mask >>> (8 * k)) & 0xff;
    if (space.wide) this.writable.fill(0xff, at + 4, at + 8);
  }

  /** Adds a capability. @param body the bytes behind its number and its link @returns the offset where it begins */
  protected addCapability(id: number, body: readonly number[], writable: readonly number[] = []): number {
    const at = this.nextCapability;
    this.config[this.lastCapability] = at;
    this.config[at] = id;
    body.forEach((b, k) => {
      this.config[at + 2 + k] = b;
      this.writable[at + 2 + k] = writable[k] ?? 0;
    });
    this.put(CFG.status, 2, STATUS_CAPABILITIES);
    this.lastCapability = at + 1;
    this.nextCapability = Math.ceil((at + 2 + body.length) / 4) * 4;
    return at;
  }

  /** Declares that the function uses interrupt pin A. */
  protected addInterruptPin(): void {
    this.config[CFG.interruptPin] = 1;
  }

  /** Adds MSI-X with `vectors` messages, their table behind register `bar`. */
  protected addMsix(vectors: number, bar: number): void {
    this.msixTable = new Uint32Array(4 * vectors);
    this.pending = new Uint8Array(vectors);
    const body = [vectors - 1, (vectors - 1) >> 8, bar, 0, 0, 0, bar, MSIX.pendingAt >> 8, 0, 0];
    this.msixAt = this.addCapability(MSIX_CAPABILITY, body, [0, 0xc0]);
    this.addBar(bar, {
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
    this.msixTable.fill(0);
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

  get usesMsix(): boolean {
    return this.msixAt !== 0 && (this.get(this.msixAt + 2, 2) & MSIX.enable) !== 0;
  }

  /** Sends a message. A masked one becomes pending. */
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
    this.put(CFG.status, 2, (this.get(CFG.status, 2) & ~STATUS_INTX) | (level ? STATUS_INTX : 0));
    this.ports.intx(level && (this.get(CFG.command, 2) & COMMAND.intxOff) === 0);
  }

  /** May the function write to memory? */
  get isMaster(): boolean {
    return (this.get(CFG.command, 2) & COMMAND.master) !== 0;
  }

  /** Reads configuration space. */
  readConfig(at: number, width: Width): number {
    return this.get(at, width);
  }

  writeConfig(at: number, width: Width, value: number): void {
    for (let k = 0; k < width; k++) {
      const mask = this.writable[at + k]!;
      this.config[at + k] = (this.config[at + k]! & ~mask) | ((value >>> (8 * k)) & mask);
    }
    if (at < CFG.command + 2 && at + width > CFG.command) this.setIntx(this.asserted);
    this.sendPending();
  }

  /** The space at an address of PCI memory, and the offset in it. */
  find(address: number): { readonly space: BarSpace; readonly offset: number } | undefined {
    if ((this.get(CFG.command, 2) & COMMAND.memory) === 0) return undefined;
    for (const [n, space] of this.bars) {
      const at = CFG.bar0 + 4 * n;
      const base = (this.get(at, 4) & ~0xf) >>> 0;
      const full = space.wide ? base + this.get(at + 4, 4) * 2 ** 32 : base;
      if (full !== 0 && address >= full && address < full + space.size) return { space, offset: address - full };
    }
    return undefined;
  }
}
