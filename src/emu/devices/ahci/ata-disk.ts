/** An ATA disk behind a Serial ATA link: its commands (ATA8-ACS) and its answer to IDENTIFY DEVICE. */
import type { Stateful } from '../../state/fields.ts';
import type { Disk } from '../virtio/block.ts';

export const SECTOR = 512;
/** Status bits. */
export const STATUS = { error: 0x01, ready: 0x50 } as const;
/** Error bits: the command is aborted, an address is not found, data cannot be read. */
export const ERROR = { abort: 0x04, notFound: 0x10, uncorrectable: 0x40 } as const;

const SECTORS_28 = 0x0fffffff;
const HEADS = 16;
const SECTORS_PER_TRACK = 63;
const MOST_CYLINDERS = 16383;
/** Sectors of a block of READ MULTIPLE and WRITE MULTIPLE. */
const MOST_MULTIPLE = 16;
const QUEUE_DEPTH = 32;

/** The fields of a register FIS, host to device (Serial ATA 3.x, 10.5.5). */
export interface AtaRegisters {
  readonly command: number;
  readonly features: number;
  /** 48 bits. */
  readonly lba: number;
  readonly device: number;
  /** 16 bits. */
  readonly count: number;
}

/** What a command does. */
export type AtaAction =
  /** It is over. `count` goes into the answer. */
  | { readonly kind: 'done'; readonly count?: number }
  | { readonly kind: 'failed'; readonly error: number }
  /** The disk has a signature to tell (EXECUTE DEVICE DIAGNOSTIC). */
  | { readonly kind: 'signature' }
  | { readonly kind: 'answer'; readonly data: Uint8Array }
  | {
      readonly kind: 'transfer';
      readonly toHost: boolean;
      /** By PIO instead of DMA. */
      readonly pio: boolean;
      /** Bytes. */
      readonly offset: number;
      readonly length: number;
      /** Of queued commands. */
      readonly tag?: number;
      /** The data must be on the medium when the command is over. */
      readonly through: boolean;
    };

const failed = (error: number): AtaAction => ({ kind: 'failed', error });
const DONE: AtaAction = { kind: 'done' };

interface Access {
  readonly toHost: boolean;
  readonly wide: boolean;
  readonly pio?: boolean;
  readonly multiple?: boolean;
  readonly queued?: boolean;
  readonly through?: boolean;
  /** Only looks whether the sectors are there. */
  readonly verify?: boolean;
}
/** Commands that name sectors. */
const ACCESSES: Readonly<Record<number, Access>> = {
  32: { toHost: true, wide: false, pio: true }, // READ SECTORS
  33: { toHost: true, wide: false, pio: true },
  36: { toHost: true, wide: true, pio: true }, // READ SECTORS EXT
  37: { toHost: true, wide: true }, // READ DMA EXT
  41: { toHost: true, wide: true, pio: true, multiple: true }, // READ MULTIPLE EXT
  48: { toHost: false, wide: false, pio: true }, // WRITE SECTORS
  49: { toHost: false, wide: false, pio: true },
  52: { toHost: false, wide: true, pio: true }, // WRITE SECTORS EXT
  53: { toHost: false, wide: true }, // WRITE DMA EXT
  57: { toHost: false, wide: true, pio: true, multiple: true }, // WRITE MULTIPLE EXT
  61: { toHost: false, wide: true, through: true }, // WRITE DMA FUA EXT
  64: { toHost: true, wide: false, verify: true }, // READ VERIFY SECTORS
  65: { toHost: true, wide: false, verify: true },
  66: { toHost: true, wide: true, verify: true }, // READ VERIFY SECTORS EXT
  96: { toHost: true, wide: true, queued: true }, // READ FPDMA QUEUED
  97: { toHost: false, wide: true, queued: true }, // WRITE FPDMA QUEUED
  196: { toHost: true, wide: false, pio: true, multiple: true }, // READ MULTIPLE
  197: { toHost: false, wide: false, pio: true, multiple: true }, // WRITE MULTIPLE
  200: { toHost: true, wide: false }, // READ DMA
  201: { toHost: true, wide: false },
  202: { toHost: false, wide: false }, // WRITE DMA
  203: { toHost: false, wide: false },
};

/** Commands without data. */
const COMMAND = {
  recalibrate: 0x10,
  seek: 0x70,
  diagnostic: 0x90,
  parameters: 0x91,
  standbyNow: 0xe0,
  idleNow: 0xe1,
  standby: 0xe2,
  idle: 0xe3,
  checkPower: 0xe5,
  sleep: 0xe6,
  flush: 0xe7,
  flushExt: 0xea,
  identify: 0xec,
  setFeatures: 0xef,
  setMultiple: 0xc6,
} as const;
/** What CHECK POWER MODE answers: active or idle. */
const ACTIVE = 0xff;
const FEATURE = { writeCache: 0x02, mode: 0x03, noWriteCache: 0x82, noReadAhead: 0x55, readAhead: 0xaa } as const;
/** Transfer modes in SET FEATURES: the kind in the upper bits, the number in the lower three. */
const MODE = { pio: 0x00, pioFlow: 0x08, multiword: 0x20, ultra: 0x40 } as const;
const FORCE_UNIT_ACCESS = 0x80;
const LBA_MODE = 0x40;

/** A disk on a port. */
export interface AhciDrive {
  readonly disk: Disk;
  /** At most 20 characters. */
  readonly serial: string;
}

export class AtaDisk implements Stateful {
  readonly stateFields = ['multiple', 'writeCache', 'ultraMode', 'multiwordMode', 'heads', 'sectorsPerTrack'];
  readonly disk: Disk;
  private readonly serial: string;
  private multiple = MOST_MULTIPLE;
  private writeCache = true;
  /** The modes that are chosen: a bit each, of words 88 and 63. */
  private ultraMode = 0x20;
  private multiwordMode = 0;
  /** The geometry for addresses by cylinder, head and sector. */
  private heads = HEADS;
  private sectorsPerTrack = SECTORS_PER_TRACK;

  constructor({ disk, serial }: AhciDrive) {
    this.disk = disk;
    this.serial = serial;
  }

  /** Power-on, or a reset by the link. */
  reset(): void {
    this.multiple = MOST_MULTIPLE;
    this.writeCache = true;
    this.ultraMode = 0x20;
    this.multiwordMode = 0;
    this.heads = HEADS;
    this.sectorsPerTrack = SECTORS_PER_TRACK;
  }

  private get sectors(): number {
    return this.disk.size / SECTOR;
  }

  /** Decodes a command. Errors of the disk come with its transfer. */
  decode(r: AtaRegisters): AtaAction {
    const access = ACCESSES[r.command];
    if (access) return this.access(r, access);
    switch (r.command) {
      case COMMAND.identify:
        return { kind: 'answer', data: this.identify() };
      case COMMAND.setFeatures:
        return this.setFeatures(r.features & 0xff, r.count & 0xff);
      case COMMAND.setMultiple: {
        const n = r.count & 0xff;
        if (n > MOST_MULTIPLE || (n & (n - 1)) !== 0) return failed(ERROR.abort);
        this.multiple = n;
        return DONE;
      }
      case COMMAND.parameters: {
        const sectors = r.count & 0xff;
        if (sectors === 0) return failed(ERROR.abort);
        this.heads = (r.device & 0xf) + 1;
        this.sectorsPerTrack = sectors;
        return DONE;
      }
      case COMMAND.flush:
      case COMMAND.flushExt:
        try {
          this.disk.flush();
          return DONE;
        } catch {
          return failed(ERROR.abort);
        }
      case COMMAND.checkPower:
        return { kind: 'done', count: ACTIVE };
      case COMMAND.diagnostic:
        return { kind: 'signature' };
      case COMMAND.recalibrate:
      case COMMAND.seek:
      case COMMAND.standbyNow:
      case COMMAND.idleNow:
      case COMMAND.standby:
      case COMMAND.idle:
      case COMMAND.sleep:
        return DONE;
      default:
        return failed(ERROR.abort);
    }
  }

  /** The first sector that a command names; undefined when the address is impossible. */
  private firstSector({ lba, device }: AtaRegisters, wide: boolean): number | undefined {
    if (wide) return lba;
    const low = lba % 2 ** 24;
    if (device & LBA_MODE) return low + (device & 0xf) * 2 ** 24;
    const [sector, cylinder, head] = [low & 0xff, low >> 8, device & 0xf];
    if (sector === 0 || sector > this.sectorsPerTrack || head >= this.heads) return undefined;
    return (cylinder * this.heads + head) * this.sectorsPerTrack + sector - 1;
  }

  private access(r: AtaRegisters, a: Access): AtaAction {
    // Queued commands have their length in the features.
    const field = a.queued ? r.features : r.count;
    const sectors = a.wide ? field || 2 ** 16 : field & 0xff || 2 ** 8;
    const first = this.firstSector(r, a.wide);
    const tag = a.queued ? r.count >> 3 : undefined;
    if ((tag ?? 0) >= QUEUE_DEPTH || (a.multiple && this.multiple === 0)) return failed(ERROR.abort);
    if (first === undefined || first + sectors > this.sectors) return failed(ERROR.notFound);
    if (a.verify) return DONE;
    if (!a.toHost && this.disk.readOnly) return failed(ERROR.abort);
    return {
      kind: 'transfer',
      toHost: a.toHost,
      pio: a.pio === true,
      offset: first * SECTOR,
      length: sectors * SECTOR,
      through:
        !a.toHost &&
        (a.through === true || !this.writeCache || (a.queued === true && (r.device & FORCE_UNIT_ACCESS) !== 0)),
      ...(tag !== undefined && { tag }),
    };
  }

  private setFeatures(feature: number, value: number): AtaAction {
    switch (feature) {
      case FEATURE.writeCache:
        this.writeCache = true;
        return DONE;
      case FEATURE.noWriteCache:
        this.writeCache = false;
        return DONE;
      case FEATURE.readAhead:
      case FEATURE.noReadAhead:
        return DONE;
      case FEATURE.mode:
        return this.setMode(value & 0xf8, value & 7);
      default:
        return failed(ERROR.abort);
    }
  }

  private setMode(kind: number, n: number): AtaAction {
    const most: Readonly<Record<number, number>> = {
      [MODE.pio]: 1,
      [MODE.pioFlow]: 4,
      [MODE.multiword]: 2,
      [MODE.ultra]: 5,
    };
    if (n > (most[kind] ?? -1)) return failed(ERROR.abort);
    // PIO modes leave the mode for DMA alone.
    if (kind === MODE.ultra || kind === MODE.multiword) {
      this.ultraMode = kind === MODE.ultra ? 1 << n : 0;
      this.multiwordMode = kind === MODE.multiword ? 1 << n : 0;
    }
    return DONE;
  }

  /** The answer to IDENTIFY DEVICE (ATA8-ACS, 7.16.7). */
  private identify(): Uint8Array {
    const words = new Uint16Array(SECTOR / 2);
    const cylinders = Math.max(1, Math.min(MOST_CYLINDERS, Math.floor(this.sectors / (HEADS * SECTORS_PER_TRACK))));
    const current = Math.min(65535, Math.floor(this.sectors / (this.heads * this.sectorsPerTrack)));
    const text = (at: number, length: number, value: string): void => {
      const padded = value.padEnd(2 * length).slice(0, 2 * length);
      for (let k = 0; k < length; k++) words[at + k] = (padded.charCodeAt(2 * k) << 8) | padded.charCodeAt(2 * k + 1);
    };
    const wide = (at: number, value: number, length: number): void => {
      for (let k = 0; k < length; k++) words[at + k] = Math.floor(value / 2 ** (16 * k)) % 2 ** 16;
    };
    words[0] = 0x0040; // not removable
    [words[1], words[3], words[6]] = [cylinders, HEADS, SECTORS_PER_TRACK];
    text(10, 10, this.serial);
    text(23, 4, '1.0');
    text(27, 20, 'loongscope HARDDISK');
    words[47] = 0x8000 | MOST_MULTIPLE;
    words[49] = 0x0b00; // DMA, LBA, IORDY
    words[53] = 0x0007; // words 54 to 58, 64 to 70 and 88 are valid
    [words[54], words[55], words[56]] = [current, this.heads, this.sectorsPerTrack];
    wide(57, current * this.heads * this.sectorsPerTrack, 2);
    words[59] = this.multiple === 0 ? 0 : 0x100 | this.multiple;
    wide(60, Math.min(this.sectors, SECTORS_28), 2);
    words[63] = 0x07 | (this.multiwordMode << 8);
    words[64] = 0x03; // PIO modes 3 and 4
    words.fill(120, 65, 69); // nanoseconds of a cycle
    words[75] = QUEUE_DEPTH - 1;
    words[76] = 0x0102; // native command queueing, generation 1
    words[80] = 0x00f0; // ATA/ATAPI-4 to -7
    words[81] = 0x0016;
    words[82] = 0x4020; // NOP, write cache
    words[83] = 0x7400; // flushes, 48-bit addresses
    words[84] = 0x4040; // WRITE DMA FUA EXT
    words[85] = 0x4000 | (this.writeCache ? 0x20 : 0);
    words[86] = 0x3400;
    words[87] = 0x4040;
    words[88] = 0x3f | (this.ultraMode << 8);
    wide(100, this.sectors, 4);
    words[106] = 0x4000; // a logical sector is a physical one
    const bytes = new Uint8Array(words.buffer);
    // The sum of all bytes is 0.
    bytes[510] = 0xa5;
    bytes[511] = -bytes.subarray(0, 511).reduce((sum, b) => sum + b, 0) & 0xff;
    return bytes;
  }
}
