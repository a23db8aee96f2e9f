import type { Stateful } from '../state/fields.ts';
import { isBytes, isMapOf } from '../state/state-check.ts';
import type { Device, Width } from './device.ts';

/** Commands of Intel's flash (CFI vendor command set 1), as a bank of two 16-bit chips takes them: once in each half. */
const COMMAND = {
  readArray: 0xff,
  readId: 0x90,
  query: 0x98,
  readStatus: 0x70,
  clearStatus: 0x50,
  erase: 0x20,
  confirm: 0xd0,
  program: 0x40,
  programToo: 0x10,
  buffered: 0xe8,
  lock: 0x60,
} as const;
const READY = 0x80;
const both = (v: number): number => ((v << 16) | v) >>> 0;
/** Bytes that are erased together, and longest buffer. */
const SECTOR = 0x40000;
const BUFFER_WORDS = 0x200;
const ID = { maker: 0x89, device: 0x18 } as const;
const SIZE_LOG = 24;

/** What the "QRY" structure says, by word: two chips of half the size, whose sectors are erased alone. */
function query(word: number): number {
  const halfSector = SECTOR / 2 / 256;
  const sectors = 2 ** SIZE_LOG / SECTOR - 1;
  const table: Readonly<Record<number, number>> = {
    ...{ 16: 0x51, 17: 0x52, 18: 0x59, 19: 1, 21: 0x31 },
    ...{ 27: 0x45, 28: 0x55, 31: 7, 32: 7, 33: 10, 35: 4, 36: 4, 37: 4 },
    ...{ 39: SIZE_LOG - 1, 40: 2, 42: 10, 44: 1 },
    ...{ 45: sectors & 0xff, 46: sectors >> 8, 47: halfSector & 0xff, 48: halfSector >> 8 },
    ...{ 49: 0x50, 50: 0x52, 51: 0x49, 52: 0x31, 53: 0x30 },
  };
  return table[word] ?? 0;
}

/** A bank of flash that software erases and programs: what firmware keeps its variables in. */
export class Flash implements Device, Stateful {
  readonly stateFields = ['sectors', 'mode', 'status', 'left'];
  readonly stateChecks = { sectors: isMapOf((v) => isBytes(v) && v.length === SECTOR) };
  readonly name = 'flash1';
  readonly size = 2 ** SIZE_LOG;
  /** Sectors that are not erased as a whole, by number. */
  private readonly sectors = new Map<number, Uint8Array>();
  private mode: number = COMMAND.readArray;
  private status = READY;
  /** Words that a buffered write still wants; −1: the count comes next. */
  private left = 0;

  /** @param initial what is in it when it is new; the rest is erased */
  constructor(initial: Uint8Array = new Uint8Array(0)) {
    for (let at = 0; at < Math.min(initial.length, this.size); at += SECTOR)
      this.sector(at).set(initial.subarray(at, at + SECTOR));
  }

  /** A reset does not erase flash. */
  reset(): void {
    this.mode = COMMAND.readArray;
    this.status = READY;
    this.left = 0;
  }

  /** The sector of an offset, to be changed. */
  private sector(offset: number): Uint8Array {
    const n = Math.floor(offset / SECTOR);
    let bytes = this.sectors.get(n);
    if (!bytes) {
      bytes = new Uint8Array(SECTOR).fill(0xff);
      this.sectors.set(n, bytes);
    }
    return bytes;
  }

  peek(offset: number, width: Width): number {
    let value: number;
    if (this.mode === COMMAND.readArray) {
      const bytes = this.sectors.get(Math.floor(offset / SECTOR));
      let v = 0;
      for (let k = 0; k < width; k++) v |= (bytes?.[(offset % SECTOR) + k] ?? 0xff) << (8 * k);
      return v >>> 0;
    }
    const word = (offset & (SECTOR - 1)) >> 2;
    if (this.mode === COMMAND.readId) value = both(word === 0 ? ID.maker : word === 1 ? ID.device : 0);
    else if (this.mode === COMMAND.query) value = both(query(offset >> 2));
    else value = both(this.status);
    return (value >>> (8 * (offset & 3))) & (2 ** (8 * width) - 1);
  }

  read(offset: number, width: Width): number {
    return this.peek(offset, width) >>> 0;
  }

  /** Programming only clears bits. */
  private program(offset: number, width: Width, value: number): void {
    const bytes = this.sector(offset);
    for (let k = 0; k < width; k++) bytes[(offset % SECTOR) + k]! &= (value >>> (8 * k)) & 0xff;
  }

  write(offset: number, width: Width, value: number): void {
    const command = value & 0xff;
    if (this.left > 0) {
      this.program(offset, width, value);
      this.left--;
      return;
    }
    switch (this.mode) {
      case COMMAND.program:
      case COMMAND.programToo:
        this.program(offset, width, value);
        this.mode = COMMAND.readStatus;
        return;
      case COMMAND.buffered:
        if (this.left < 0) {
          this.left = Math.min(value & 0xffff, BUFFER_WORDS) + 1;
          return;
        }
        // The confirmation behind the data, or an end to it.
        this.mode = COMMAND.readStatus;
        return;
      case COMMAND.erase:
        if (command === COMMAND.confirm) this.sectors.delete(Math.floor(offset / SECTOR));
        this.mode = COMMAND.readStatus;
        return;
      case COMMAND.lock:
        this.mode = COMMAND.readStatus;
        return;
      default:
        break;
    }
    if (command === COMMAND.clearStatus) this.status = READY;
    else if (command === 0 || command === COMMAND.confirm) this.mode = COMMAND.readArray;
    else this.mode = command;
    if (command === COMMAND.buffered) this.left = -1;
  }
}

/** The bank that firmware runs from: its content is memory (board/ram.ts); what software writes is lost. */
export class RomWindow implements Device {
  readonly name = 'flash0';
  readonly size = 2 ** SIZE_LOG;
  private readonly content: () => Uint8Array;

  constructor(content: () => Uint8Array) {
    this.content = content;
  }

  reset(): void {}

  peek(offset: number, width: Width): number {
    const bytes = this.content();
    let v = 0;
    for (let k = 0; k < width; k++) v |= (bytes[offset + k] ?? 0xff) << (8 * k);
    return v >>> 0;
  }

  read(offset: number, width: Width): number {
    return this.peek(offset, width);
  }

  write(): void {}
}
