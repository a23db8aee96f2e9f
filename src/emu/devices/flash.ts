import type { Stateful } from '../state/fields.ts';
import { isBytes, isMapOf } from '../state/state-check.ts';
import type { Device, Width } from './device.ts';
import { NO_OMISSIONS, type Omissions } from './omissions.ts';

/** Commands of Intel's flash (CFI vendor command set 1). A bank is two 16-bit chips, so each half of a word holds the command. */
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
const COMMANDS: ReadonlySet<number> = new Set([0, ...Object.values(COMMAND)]);
const READY = 0x80;
const both = (v: number): number => ((v << 16) | v) >>> 0;
/** Bytes of a sector, which is erased as a whole; and the longest buffered write. */
const SECTOR = 0x40000;
const BUFFER_WORDS = 0x200;
const ID = { maker: 0x89, device: 0x18 } as const;
const SIZE_LOG = 24;

/** The "QRY" structure by word: it describes two chips of half the size, with sectors that can be erased one by one. */
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

/** A bank of flash that software can erase and program. Firmware keeps its variables in it. */
export class Flash implements Device, Stateful {
  readonly stateFields = ['sectors', 'mode', 'status', 'left'];
  readonly stateChecks = { sectors: isMapOf((v) => isBytes(v) && v.length === SECTOR) };
  readonly name = 'flash1';
  readonly size = 2 ** SIZE_LOG;
  /** Sectors that hold data, by number; all others are erased. */
  private readonly sectors = new Map<number, Uint8Array>();
  private mode: number = COMMAND.readArray;
  private status = READY;
  /** Words that are still missing in a buffered write; −1: the count comes next. */
  private left = 0;

  private readonly omissions: Omissions;

  /** @param initial the content at the start; the rest is erased */
  constructor(initial: Uint8Array = new Uint8Array(0), omissions: Omissions = NO_OMISSIONS) {
    this.omissions = omissions;
    for (let at = 0; at < Math.min(initial.length, this.size); at += SECTOR)
      this.sector(at).set(initial.subarray(at, at + SECTOR));
  }

  /** A reset does not erase flash. */
  reset(): void {
    this.mode = COMMAND.readArray;
    this.status = READY;
    this.left = 0;
  }

  /** The sector of an offset, for a change. */
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
        // After the data, software confirms the write or aborts it.
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
    if (!COMMANDS.has(command)) this.omissions.say(this.name, 'a command that it does not know', command);
    else if (command === COMMAND.lock) this.omissions.say(this.name, 'sectors cannot be locked');
    if (command === COMMAND.buffered) this.left = -1;
  }
}

/** The bank that firmware runs from: its content is memory (memory/ram.ts), and writes by software are lost. */
export class RomWindow implements Device {
  readonly name = 'flash0';
  readonly size = 2 ** SIZE_LOG;
  private readonly content: () => Uint8Array;

  private readonly omissions: Omissions;

  constructor(content: () => Uint8Array, omissions: Omissions = NO_OMISSIONS) {
    this.content = content;
    this.omissions = omissions;
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

  write(): void {
    this.omissions.say(this.name, 'stores to the flash that firmware runs from are lost');
  }
}
