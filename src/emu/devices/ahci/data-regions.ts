/** The memory that a command names for its data: its physical region descriptor table (AHCI 1.3.1, 4.2.3.3). */
import { viewOf } from '../../formats/little-endian.ts';
import type { Dma } from '../dma.ts';

const ENTRY_BYTES = 16;
/** Entries that are read at a time. */
const BATCH = 64;
/**
 * Upper half of the highest address that counts. The machine has nothing there, and numbers are exact up to it. A higher address is treated
 * like this one.
 */
const HIGHEST = 0x1fffff;

/** A 64-bit address of two registers. */
export const addressOf = (low: number, high: number): number => Math.min(high, HIGHEST) * 2 ** 32 + low;

/** An address leads nowhere. */
export class BusError extends Error {}

interface Region {
  readonly pa: number;
  readonly length: number;
  readonly interrupt: boolean;
}

export class DataRegions {
  private readonly dma: Dma;
  private readonly regions: Generator<Region>;
  private now: Region | undefined;
  /** Bytes of the present region that are done. */
  private inRegion = 0;
  /** Bytes done so far. */
  done = 0;
  /** A region that asks for an interrupt has been finished. */
  interrupt = false;

  /** @param table physical address @param entries at most 65535 */
  constructor(dma: Dma, table: number, entries: number) {
    this.dma = dma;
    this.regions = DataRegions.read(dma, table, entries);
    this.next();
  }

  private static *read(dma: Dma, table: number, entries: number): Generator<Region> {
    for (let first = 0; first < entries; first += BATCH) {
      const count = Math.min(BATCH, entries - first);
      const bytes = dma.read(table + first * ENTRY_BYTES, count * ENTRY_BYTES);
      if (!bytes) throw new BusError();
      const v = viewOf(bytes);
      for (let at = 0; at < count * ENTRY_BYTES; at += ENTRY_BYTES) {
        const flags = v.getUint32(at + 12, true);
        // Addresses and lengths are even.
        const pa = addressOf(v.getUint32(at, true) - (v.getUint32(at, true) & 1), v.getUint32(at + 4, true));
        yield { pa, length: ((flags & 0x3fffff) | 1) + 1, interrupt: flags >>> 31 === 1 };
      }
    }
  }

  private next(): void {
    const { value, done } = this.regions.next();
    this.now = done ? undefined : value;
    this.inRegion = 0;
  }

  /** Calls `body` for pieces of up to `length` bytes in all. @returns bytes there was room for */
  private forPieces(length: number, body: (pa: number, at: number, size: number) => void): number {
    let at = 0;
    while (at < length && this.now) {
      const { pa, length: whole, interrupt } = this.now;
      const size = Math.min(length - at, whole - this.inRegion);
      body(pa + this.inRegion, at, size);
      at += size;
      this.inRegion += size;
      if (this.inRegion < whole) break;
      this.interrupt ||= interrupt;
      this.next();
    }
    this.done += at;
    return at;
  }

  /** Puts data into memory. @returns bytes that there was room for @throws BusError when a region is not in RAM */
  put(data: Uint8Array): number {
    return this.forPieces(data.length, (pa, at, size) => {
      if (!this.dma.write(pa, data.subarray(at, at + size))) throw new BusError();
    });
  }

  /** Takes data out of memory; fewer bytes when the regions end. @throws BusError when a region is not in RAM */
  take(length: number): Uint8Array {
    const out = new Uint8Array(length);
    const size = this.forPieces(length, (pa, at, n) => {
      const part = this.dma.read(pa, n);
      if (!part) throw new BusError();
      out.set(part, at);
    });
    return out.subarray(0, size);
  }
}
