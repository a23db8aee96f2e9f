/** Split virtqueues (Virtual I/O Device 1.2, section 2.7). */
import type { Stateful } from '../../replay/fields.ts';
import type { Dma } from '../dma.ts';

const DESCRIPTOR_BYTES = 16;
const FLAG = { next: 1, write: 2, indirect: 4 } as const;
const NO_INTERRUPT = 1;
/** Largest queue that is offered. */
export const QUEUE_SIZE = 256;
/** What one request may hold, so that a guest's nonsense ends. */
const MOST_BYTES = 64 * 2 ** 20;

/** The driver has broken the rules; the device asks to be reset. */
export class QueueError extends Error {}

interface Buffer {
  readonly pa: number;
  readonly length: number;
}

/** A request: what the device reads, and room for what it writes. */
export class Chain {
  readonly head: number;
  private readonly dma: Dma;
  private readonly readable: readonly Buffer[];
  private readonly writable: readonly Buffer[];
  /** Bytes written so far. */
  written = 0;

  constructor(head: number, dma: Dma, readable: readonly Buffer[], writable: readonly Buffer[]) {
    this.head = head;
    this.dma = dma;
    this.readable = readable;
    this.writable = writable;
  }

  get readableBytes(): number {
    return this.readable.reduce((sum, b) => sum + b.length, 0);
  }

  get writableBytes(): number {
    return this.writable.reduce((sum, b) => sum + b.length, 0);
  }

  /** Everything that the driver hands over. @throws QueueError when it is not in RAM */
  read(): Uint8Array {
    const out = new Uint8Array(this.readableBytes);
    let at = 0;
    for (const { pa, length } of this.readable) {
      const part = this.dma.read(pa, length);
      if (!part) throw new QueueError('a buffer is not in RAM');
      out.set(part, at);
      at += length;
    }
    return out;
  }

  /** Writes behind what has been written; what does not fit is lost. @throws QueueError when the room is not in RAM */
  write(data: Uint8Array): void {
    let skip = this.written;
    let done = 0;
    for (const { pa, length } of this.writable) {
      if (skip >= length) {
        skip -= length;
        continue;
      }
      const n = Math.min(length - skip, data.length - done);
      if (n <= 0) break;
      if (!this.dma.write(pa + skip, data.subarray(done, done + n))) throw new QueueError('a buffer is not in RAM');
      done += n;
      skip = 0;
    }
    this.written += done;
  }
}

export class VirtQueue implements Stateful {
  readonly stateFields = ['size', 'ready', 'vector', 'desc', 'driver', 'device', 'seen', 'used'];
  private readonly dma: Dma;
  size = QUEUE_SIZE;
  ready = false;
  /** MSI-X vector, 0xffff when none. */
  vector = 0xffff;
  /** Physical addresses of descriptors, available ring and used ring. */
  desc = 0;
  driver = 0;
  device = 0;
  private seen = 0;
  private used = 0;

  constructor(dma: Dma) {
    this.dma = dma;
  }

  reset(): void {
    this.size = QUEUE_SIZE;
    this.ready = false;
    this.vector = 0xffff;
    this.desc = this.driver = this.device = 0;
    this.seen = this.used = 0;
  }

  private view(pa: number, length: number): DataView {
    const bytes = this.dma.read(pa, length);
    if (!bytes) throw new QueueError('a queue is not in RAM');
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  private put(pa: number, write: (v: DataView) => void, length: number): void {
    const v = new DataView(new ArrayBuffer(length));
    write(v);
    if (!this.dma.write(pa, new Uint8Array(v.buffer))) throw new QueueError('a queue is not in RAM');
  }

  /** The next request, if the driver has made one. @throws QueueError when it is malformed */
  pop(): Chain | undefined {
    if (!this.ready) return undefined;
    const available = this.view(this.driver + 2, 2).getUint16(0, true);
    if (available === this.seen) return undefined;
    const head = this.view(this.driver + 4 + 2 * (this.seen % this.size), 2).getUint16(0, true);
    this.seen = (this.seen + 1) & 0xffff;
    return this.chain(head);
  }

  private chain(head: number): Chain {
    const readable: Buffer[] = [];
    const writable: Buffer[] = [];
    let table = this.desc;
    let count = this.size;
    let index = head;
    let bytes = 0;
    for (let left = count; ; left--) {
      if (index >= count || left === 0) throw new QueueError('a chain of descriptors leaves its table or does not end');
      const d = this.view(table + DESCRIPTOR_BYTES * index, DESCRIPTOR_BYTES);
      const pa = Number(d.getBigUint64(0, true));
      const length = d.getUint32(8, true);
      const flags = d.getUint16(12, true);
      if (flags & FLAG.indirect) {
        if (table !== this.desc || length % DESCRIPTOR_BYTES !== 0 || length === 0)
          throw new QueueError('an indirect table is malformed');
        table = pa;
        count = length / DESCRIPTOR_BYTES;
        index = 0;
        left = count + 1;
        continue;
      }
      bytes += length;
      if (bytes > MOST_BYTES) throw new QueueError('a request is longer than any can be');
      if (flags & FLAG.write) writable.push({ pa, length });
      else if (writable.length > 0) throw new QueueError('a buffer to read follows one to write');
      else readable.push({ pa, length });
      if ((flags & FLAG.next) === 0) return new Chain(head, this.dma, readable, writable);
      index = d.getUint16(14, true);
    }
  }

  /** Gives a request back. @returns whether the driver wants an interrupt */
  push(chain: Chain): boolean {
    const at = this.device + 4 + 8 * (this.used % this.size);
    this.put(
      at,
      (v) => {
        v.setUint32(0, chain.head, true);
        v.setUint32(4, chain.written, true);
      },
      8,
    );
    this.used = (this.used + 1) & 0xffff;
    this.put(this.device + 2, (v) => v.setUint16(0, this.used, true), 2);
    return (this.view(this.driver, 2).getUint16(0, true) & NO_INTERRUPT) === 0;
  }
}
