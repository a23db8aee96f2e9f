import { viewOf } from '../formats/little-endian.ts';
import type { Stateful, Wiring } from '../state/fields.ts';
import type { Device, Width } from './device.ts';
import type { Dma } from './dma.ts';
import { NO_OMISSIONS, type Omissions } from './omissions.ts';
import { registerTable } from './register-table.ts';

export const FW_CFG_REGISTERS = registerTable({
  device: 'fw-cfg',
  source: 'QEMU, docs/specs/fw_cfg.rst',
  registers: [
    { offset: 0x00, width: 8, name: 'DATA', access: 'ro', live: true, text: 'the next bytes of the item' },
    { offset: 0x08, width: 2, name: 'SELECTOR', access: 'wo', live: true, text: 'big-endian; selects an item' },
    {
      ...{ offset: 0x10, width: 8, name: 'DMA', access: 'rw', reset: 0x47464320554d4551n, live: true },
      text: 'big-endian; the address of a request: reads and skips, no writes. Reads “QEMU CFG”',
    },
  ],
});

/** Selectors of the items with fixed numbers (QEMU docs/specs/fw_cfg.rst). */
export const FW_CFG = {
  signature: 0x00,
  id: 0x01,
  ramSize: 0x03,
  cpus: 0x05,
  kernelSize: 0x08,
  initrdSize: 0x0b,
  maxCpus: 0x0f,
  kernel: 0x11,
  initrd: 0x12,
  commandLineSize: 0x14,
  commandLine: 0x15,
  directory: 0x19,
  firstFile: 0x20,
} as const;
/** Feature bits: the traditional interface and DMA. */
const ID = 3;
const REG = { data: 0, selector: 8, dmaHigh: 0x10, dmaLow: 0x14 } as const;
const DMA = { error: 1, read: 2, skip: 4, select: 8, write: 16 } as const;
const NAME_BYTES = 56;

/** The items that firmware can read: some by selector, files by name. */
export interface FwCfgContents {
  readonly items: ReadonlyMap<number, Uint8Array>;
  readonly files: readonly (readonly [name: string, data: Uint8Array])[];
}

const swap32 = (v: number): number =>
  (((v & 0xff) << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24)) >>> 0;

/** QEMU's firmware configuration device. */
export class FwCfg implements Device, Stateful {
  readonly stateFields = ['selector', 'at', 'dmaHigh'];
  static readonly wiring: Wiring = {
    items: 'filled with what is loaded',
  };
  readonly name = 'fw-cfg';
  readonly size = 0x18;
  private readonly dma: Dma;
  private readonly omissions: Omissions;
  private readonly items = new Map<number, Uint8Array>();
  private selector = 0;
  private at = 0;
  private dmaHigh = 0;

  constructor(dma: Dma, omissions: Omissions = NO_OMISSIONS) {
    this.dma = dma;
    this.omissions = omissions;
  }

  /** Sets the items that firmware can read from now on. */
  fill({ items, files }: FwCfgContents): void {
    this.items.clear();
    this.items.set(FW_CFG.signature, new TextEncoder().encode('QEMU'));
    this.items.set(FW_CFG.id, Uint8Array.of(ID, 0, 0, 0));
    for (const [n, data] of items) this.items.set(n, data);
    const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
    const directory = new DataView(new ArrayBuffer(4 + 64 * sorted.length));
    directory.setUint32(0, sorted.length);
    sorted.forEach(([name, data], n) => {
      const key = FW_CFG.firstFile + n;
      this.items.set(key, data);
      directory.setUint32(4 + 64 * n, data.length);
      directory.setUint16(8 + 64 * n, key);
      new Uint8Array(directory.buffer).set(new TextEncoder().encode(name).subarray(0, NAME_BYTES - 1), 12 + 64 * n);
    });
    this.items.set(FW_CFG.directory, new Uint8Array(directory.buffer));
  }

  reset(): void {
    this.selector = this.at = this.dmaHigh = 0;
  }

  private next(): number {
    return this.items.get(this.selector)?.[this.at++] ?? 0;
  }

  peek(offset: number, _width: Width): number {
    return offset < REG.selector ? (this.items.get(this.selector)?.[this.at] ?? 0) : 0;
  }

  read(offset: number, width: Width): number {
    // "QEMU CFG" says that the DMA address register exists.
    if (offset === REG.dmaHigh) return swap32(0x51454d55);
    if (offset === REG.dmaLow) return swap32(0x20434647);
    if (offset >= REG.selector) return 0;
    let v = 0;
    for (let k = 0; k < width; k++) v |= this.next() << (8 * k);
    return v >>> 0;
  }

  write(offset: number, _width: Width, value: number): void {
    if (offset === REG.selector) this.select(((value & 0xff) << 8) | ((value >> 8) & 0xff));
    else if (offset === REG.dmaHigh) this.dmaHigh = swap32(value);
    else if (offset === REG.dmaLow) {
      this.transfer(this.dmaHigh * 2 ** 32 + swap32(value));
      this.dmaHigh = 0;
    } else this.omissions.noRegister(this.name, offset, true, value);
  }

  private select(key: number): void {
    this.selector = key & 0x3fff;
    this.at = 0;
  }

  /** Carries out the request at a physical address. */
  private transfer(pa: number): void {
    const bytes = this.dma.read(pa, 16);
    if (!bytes) return;
    const request = viewOf(bytes);
    const control = request.getUint32(0);
    const length = request.getUint32(4);
    const address = Number(request.getBigUint64(8));
    if (control & DMA.write) this.omissions.say(this.name, 'items cannot be written', control >>> 16);
    if (control & DMA.select) this.select(control >>> 16);
    const item = this.items.get(this.selector)?.subarray(this.at, this.at + length) ?? new Uint8Array(0);
    // Behind the end of an item are zeros, written in pieces. A much too large length is refused, because it would take seconds.
    let failed = (control & DMA.write) !== 0 || ((control & DMA.read) !== 0 && length - item.length > MOST_ZEROS);
    if (control & DMA.read) {
      for (let done = 0; done < length && !failed; done += PIECE) {
        const piece = new Uint8Array(Math.min(PIECE, length - done));
        piece.set(item.subarray(done, done + piece.length));
        failed = !this.dma.write(address + done, piece);
      }
    }
    if (control & (DMA.read | DMA.skip)) this.at += length;
    this.dma.write(pa, Uint8Array.of(0, 0, 0, failed ? DMA.error : 0));
  }
}

const PIECE = 2 ** 20;
/** Most bytes beyond an item's end that one request reads. */
const MOST_ZEROS = 64 * 2 ** 20;
