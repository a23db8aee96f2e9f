/** Split virtqueues (Virtual I/O Device 1.2, section 2.7). */
import { viewOf } from '../../formats/little-endian.ts';
import type { Stateful, Wiring } from '../../state/fields.ts';
import { isEvery, isNumber, isObjectWith } from '../../state/state-check.ts';
import type { Dma } from '../dma.ts';

const DESCRIPTOR_BYTES = 16;
const FLAG = { next: 1, write: 2, indirect: 4 } as const;
const NO_INTERRUPT = 1;
/** The used ring: its flags and index, then entries. */
const USED_HEAD_BYTES = 4;
const USED_BYTES = 8;
/** Largest queue size. */
export const QUEUE_SIZE = 256;
/** Longest request, in bytes. It bounds the work that a bad guest can cause. */
export const MOST_BYTES = 64 * 2 ** 20;

/** Zeros that are written in one step. */
const ZEROS = 0x10000;

/** The driver has broken the rules. The device then needs a reset. */
export class QueueError extends Error {}

interface Buffer {
  readonly pa: number;
  readonly length: number;
}

/** A request: buffers that the device reads, and buffers that it writes. */
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

  /** All data of the buffers that the device reads. @throws QueueError when a buffer is not in RAM */
  read(): Uint8Array {
    // The buffers are checked before memory is allocated, because a descriptor can contain any length.
    const parts = this.readable.map(({ pa, length }) => {
      const part = this.dma.read(pa, length);
      if (!part) throw new QueueError('a buffer is not in RAM');
      return part;
    });
    if (parts.length === 1) return parts[0]!;
    const out = new Uint8Array(this.readableBytes);
    let at = 0;
    for (const part of parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }

  /** Writes zeros until `length` bytes are written in total. @throws QueueError when a buffer is not in RAM */
  writeZeros(length: number): void {
    const end = Math.min(length, this.writableBytes);
    const zeros = new Uint8Array(Math.max(0, Math.min(ZEROS, end - this.written)));
    while (this.written < end) this.write(zeros.subarray(0, end - this.written));
  }

  /** Appends to the bytes written so far. Bytes that do not fit are lost. @throws QueueError when a buffer is not in RAM */
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

/** A request that the device answers later. */
interface Held {
  /** Its first descriptor. */
  readonly head: number;
  /** The tick of the stable counter at which the device works on it. */
  readonly due: number;
}

/**
 * How many ticks late a request is, when those of one notification are spread.
 * @param spread ticks at most; 0: none is late
 * @param n its number among them; the first one is always late, so that others overtake it
 */
export function lateness(spread: number, n: number): number {
  if (spread === 0 || n === 0) return spread;
  // Two rounds of a multiplicative hash (Knuth, 6.4): neighbours get numbers that have nothing to do with each other.
  const first = Math.imul(spread + Math.imul(n, 0x9e3779b1), 0x85ebca6b);
  const h = Math.imul(first ^ (first >>> 15), 0xc2b2ae35) >>> 0;
  return h & 0x80000000 ? 0 : 1 + (h % spread);
}

export class VirtQueue implements Stateful {
  readonly stateFields = [
    ...['size', 'ready', 'vector', 'desc', 'driver', 'device', 'seen', 'used', 'unfinished'],
    ...['held', 'spread', 'spreadSoFar'],
  ];
  readonly stateChecks = { held: isEvery(isObjectWith({ head: isNumber, due: isNumber })) };
  static readonly wiring: Wiring = { taken: 'the request that is worked on' };
  private readonly dma: Dma;
  private readonly ticks: () => number;
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
  /** The device has left requests in the queue for later, because they are too much work for one go. */
  unfinished = false;
  /** Requests that are late, in a perturbed run. */
  private readonly held: Held[] = [];
  /** By how many ticks at most the requests of a notification are late, and how many of them there have been. */
  private spread = 0;
  private spreadSoFar = 0;
  /** The late request that was taken last; undefined: the last one was not late. */
  private taken: Held | undefined;

  /** @param ticks the stable counter */
  constructor(dma: Dma, ticks: () => number) {
    this.dma = dma;
    this.ticks = ticks;
  }

  reset(): void {
    this.size = QUEUE_SIZE;
    this.ready = false;
    this.vector = 0xffff;
    this.desc = this.driver = this.device = 0;
    this.seen = this.used = 0;
    this.unfinished = false;
    this.spreadOut(0);
    this.drop();
  }

  /** The requests that come from now on are late, each by other ticks. @param most ticks; 0: none is late */
  spreadOut(most: number): void {
    this.spread = most;
    this.spreadSoFar = 0;
  }

  /** Forgets the requests that are late. */
  drop(): void {
    this.held.length = 0;
  }

  /** The tick at which the device must look after a late request; Infinity: there is none. */
  get deadline(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { due } of this.held) if (due < next) next = due;
    return next;
  }

  /** Takes the late request whose time came first, if any has come. */
  private takeDue(): Held | undefined {
    const due = this.deadline;
    if (due > this.ticks()) return undefined;
    const [first] = this.held.splice(
      this.held.findIndex((h) => h.due === due),
      1,
    );
    return first;
  }

  private view(pa: number, length: number): DataView {
    const bytes = this.dma.read(pa, length);
    if (!bytes) throw new QueueError('a queue is not in RAM');
    return viewOf(bytes);
  }

  private put(pa: number, write: (v: DataView) => void, length: number): void {
    const v = new DataView(new ArrayBuffer(length));
    write(v);
    if (!this.dma.write(pa, new Uint8Array(v.buffer))) throw new QueueError('a queue is not in RAM');
  }

  /** May the device write there, when it returns a request? That is in the used ring, or in a buffer that it may write. */
  mayWrite(pa: number): boolean {
    if (pa >= this.device && pa < this.device + USED_HEAD_BYTES + USED_BYTES * this.size) return true;
    const table = this.dma.read(this.desc, DESCRIPTOR_BYTES * this.size);
    if (!table) return false;
    const v = viewOf(table);
    for (let at = 0; at < table.length; at += DESCRIPTOR_BYTES) {
      const flags = v.getUint16(at + 12, true);
      // Where the buffers of an indirect table are is not looked up: they may be anywhere.
      if (flags & FLAG.indirect) return true;
      const first = Number(v.getBigUint64(at, true));
      if (flags & FLAG.write && pa >= first && pa < first + v.getUint32(at + 8, true)) return true;
    }
    return false;
  }

  /** Is there a request that the device can take? @throws QueueError when the queue is not in RAM */
  get waits(): boolean {
    if (!this.ready) return false;
    return this.deadline <= this.ticks() || this.view(this.driver + 2, 2).getUint16(0, true) !== this.seen;
  }

  /** Takes the next request, if there is one. @throws QueueError when it is malformed */
  pop(): Chain | undefined {
    if (!this.ready) return undefined;
    this.taken = this.takeDue();
    if (this.taken) return this.chain(this.taken.head);
    for (let head = this.offered(); head !== undefined; head = this.offered()) {
      const late = lateness(this.spread, this.spreadSoFar++);
      if (late === 0) return this.chain(head);
      if (this.held.length >= this.size) throw new QueueError('more requests are offered than the queue holds');
      this.held.push({ head, due: this.ticks() + late });
    }
    return undefined;
  }

  /** The first descriptor of the next request in the ring, if there is one. */
  private offered(): number | undefined {
    const available = this.view(this.driver + 2, 2).getUint16(0, true);
    if (available === this.seen) return undefined;
    // A ring cannot hold more requests than it has entries.
    if (((available - this.seen) & 0xffff) > this.size)
      throw new QueueError('more requests are offered than the queue holds');
    const head = this.view(this.driver + 4 + 2 * (this.seen % this.size), 2).getUint16(0, true);
    this.seen = (this.seen + 1) & 0xffff;
    return head;
  }

  /** Puts the request that was taken last back, for a later go: the device needs time for it. */
  postpone(): void {
    if (this.taken) this.held.unshift(this.taken);
    else {
      this.seen = (this.seen - 1) & 0xffff;
      this.spreadSoFar--;
    }
    this.unfinished = true;
  }

  /**
   * Follows the descriptors of a request. A chain, in whichever table it is, has no more descriptors than the queue has entries
   * (Virtio 1.2, sections 2.7.5.2 and 2.7.5.3.1).
   */
  private chain(head: number): Chain {
    const readable: Buffer[] = [];
    const writable: Buffer[] = [];
    let table = this.desc;
    let count = this.size;
    let index = head;
    let bytes = 0;
    let indirect = false;
    for (let left = this.size; ; ) {
      if (index >= count || left === 0) throw new QueueError('a chain of descriptors leaves its table or does not end');
      const d = this.view(table + DESCRIPTOR_BYTES * index, DESCRIPTOR_BYTES);
      const pa = Number(d.getBigUint64(0, true));
      const length = d.getUint32(8, true);
      const flags = d.getUint16(12, true);
      if (flags & FLAG.indirect) {
        if (indirect || flags & FLAG.next || length % DESCRIPTOR_BYTES !== 0 || length === 0)
          throw new QueueError('an indirect table is malformed');
        indirect = true;
        table = pa;
        count = length / DESCRIPTOR_BYTES;
        index = 0;
        continue;
      }
      left--;
      bytes += length;
      if (bytes > MOST_BYTES) throw new QueueError('a request is longer than any can be');
      if (flags & FLAG.write) writable.push({ pa, length });
      else if (writable.length > 0) throw new QueueError('a buffer to read follows one to write');
      else readable.push({ pa, length });
      if ((flags & FLAG.next) === 0) return new Chain(head, this.dma, readable, writable);
      index = d.getUint16(14, true);
    }
  }

  /** Returns a request to the driver. @returns whether the driver wants an interrupt */
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
