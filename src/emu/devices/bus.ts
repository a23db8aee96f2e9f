import { hex } from '../formats/hex.ts';
import type { Device, Width } from './device.ts';
import { NO_OMISSIONS, type Omissions } from './omissions.ts';

/** A device and where it is in the address space. */
export interface Mapping {
  readonly base: number;
  readonly device: Device;
}

/** What CPUs use of the bus. */
export type BusPort = Pick<Bus, 'read' | 'write' | 'lo' | 'hi' | 'master'>;

/** Physical addresses that are not RAM. */
export class Bus {
  readonly mappings: readonly Mapping[];
  /** Halves of the last read. */
  lo = 0;
  hi = 0;
  /** The CPU that makes the access: some registers exist once for each CPU. */
  master = 0;
  /** Told of each access of a CPU to a device: the value of a load after it, that of a store before it. */
  listener:
    | ((device: Device, offset: number, size: number, write: boolean, lo: number, hi: number) => void)
    | undefined;
  /** When true, every address answers: where no device is, reads give all ones and writes are lost. */
  private readonly open: boolean;
  private readonly omissions: Omissions;

  constructor(mappings: readonly Mapping[], open = false, omissions: Omissions = NO_OMISSIONS) {
    this.mappings = mappings;
    this.open = open;
    this.omissions = omissions;
  }

  /** An access where no device is. An address error tells of itself. */
  private nothing(pa: number, what: string): boolean {
    if (this.open && this.omissions.listener) this.omissions.say('bus', `${what} ${hex(pa)}: nothing is there`);
    return this.open;
  }

  private find(pa: number, size: number): Mapping | undefined {
    for (const m of this.mappings) if (pa >= m.base && pa + size <= m.base + m.device.size) return m;
    return undefined;
  }

  /** Reads `size` (1, 2, 4, 8) bytes into `lo`, `hi`. @returns false when nothing answers at that address */
  read(pa: number, size: number, peek = false): boolean {
    const m = this.find(pa, size);
    if (!m) {
      this.lo = this.hi = -1;
      return peek ? this.open : this.nothing(pa, 'load from');
    }
    const offset = pa - m.base;
    const get = (at: number, width: Width): number => (peek ? m.device.peek(at, width) : m.device.read(at, width)) | 0;
    const { bytewise } = m.device;
    this.lo = get(offset, bytewise ? 1 : size === 8 ? 4 : (size as Width));
    this.hi = size === 8 && !bytewise ? get(offset + 4, 4) : 0;
    if (!peek) this.listener?.(m.device, offset, size, false, this.lo, this.hi);
    return true;
  }

  /** Writes `size` bytes. @returns false when nothing answers at that address */
  write(pa: number, size: number, lo: number, hi: number): boolean {
    const m = this.find(pa, size);
    if (!m) return this.nothing(pa, 'store to');
    const offset = pa - m.base;
    this.listener?.(m.device, offset, size, true, lo, hi);
    if (m.device.bytewise) m.device.write(offset, 1, lo & 0xff);
    else if (size === 8 && m.device.write64) m.device.write64(offset, lo, hi);
    else if (size === 8) {
      m.device.write(offset, 4, lo >>> 0);
      m.device.write(offset + 4, 4, hi >>> 0);
    } else m.device.write(offset, size as Width, (size === 4 ? lo : lo & (2 ** (8 * size) - 1)) >>> 0);
    return true;
  }

  /** The device that answers at `pa`, for reports. */
  at(pa: number): Mapping | undefined {
    return this.find(pa, 1);
  }
}
