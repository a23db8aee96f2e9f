/**
 * A disk that goes back in time with its machine. What a write replaces is kept, so that the disk is known at any moment of the past.
 * The disk below has the contents of the latest moment: a machine that repeats its past writes nothing to it.
 */
import type { Disk } from '../devices/virtio/block.ts';
import type { Stateful, Wiring } from '../state/fields.ts';
import type { OutsidePast } from './outside-past.ts';

/** Bytes that are kept together. */
const CHUNK = 4096;

/** What a chunk held before a call. */
interface Replaced {
  readonly call: number;
  readonly position: number;
  readonly bytes: Uint8Array;
}

export class DiskPast implements Disk, Stateful, OutsidePast {
  readonly stateFields = ['calls'];
  static readonly wiring: Wiring = {
    latest: 'the past',
    position: 'the past',
    replaced: 'the past',
    failed: 'the past',
    begun: 'the past',
    bytes: 'the past',
  };
  readonly size: number;
  readonly readOnly: boolean;
  private readonly below: Disk;
  /** Calls up to the present moment, and up to the latest one. */
  private calls = 0;
  private latest = 0;
  private position: (() => number) | undefined;
  /** By number of the chunk, in the order of the calls. */
  private readonly replaced = new Map<number, Replaced[]>();
  /** Calls that have failed. */
  private readonly failed = new Set<number>();
  /** The number of a write that a slow disk has begun, so that what it replaces is kept. */
  private begun: number | undefined;
  bytes = 0;
  /** Only where the disk below can be slow. */
  readonly ready?: NonNullable<Disk['ready']>;

  constructor(below: Disk) {
    this.below = below;
    this.size = below.size;
    this.readOnly = below.readOnly;
    if (below.ready) this.ready = (call, offset, length, data) => this.begins(call, offset, length, data);
  }

  /** It is in the copies of the past alone: a snapshot has nothing of a disk that is a file. */
  stateParts(): readonly Stateful[] {
    return [];
  }

  begin(position: (() => number) | undefined): void {
    this.position = position;
    this.replaced.clear();
    this.failed.clear();
    this.begun = undefined;
    this.bytes = 0;
    this.latest = this.calls;
  }

  readonly obstacle = undefined;

  read(offset: number, length: number): Uint8Array {
    const repeats = this.call();
    const out = this.tried(() => this.below.read(offset, length));
    if (!repeats) return out;
    for (let at = 0; at < length; ) {
      const from = (offset + at) % CHUNK;
      const size = Math.min(length - at, CHUNK - from);
      const then = this.replaced.get(Math.floor((offset + at) / CHUNK))?.find((r) => r.call >= this.calls);
      if (then) out.set(then.bytes.subarray(from, from + size), at);
      at += size;
    }
    return out;
  }

  write(offset: number, data: Uint8Array): void {
    if (this.call()) return;
    this.tried(() => {
      if (this.position && this.begun !== this.calls) this.keep(this.calls, offset, data.length, this.position());
      this.begun = undefined;
      this.below.write(offset, data);
    });
  }

  /** A slow disk begins a call. What a write replaces is read before. */
  private begins(...[call, offset, length, data]: Parameters<NonNullable<Disk['ready']>>): boolean {
    const { below } = this;
    // Of what was done before, a read alone needs the disk, and may wait.
    if (this.calls < this.latest) return true;
    const number = this.calls + 1;
    if (call === 'write' && this.position && this.begun !== number) {
      const { first, end } = this.chunks(offset, length);
      if (!below.ready!('read', first, end - first)) return false;
      try {
        this.keep(number, offset, length, this.position());
      } catch {
        // The call itself fails likewise.
        return true;
      }
      this.begun = number;
    }
    return below.ready!(call, offset, length, data);
  }

  /** The whole chunks of a range, in bytes. */
  private chunks(offset: number, length: number): { first: number; end: number } {
    return {
      first: offset - (offset % CHUNK),
      end: Math.min(this.size, Math.ceil((offset + length) / CHUNK) * CHUNK),
    };
  }

  flush(): void {
    if (!this.call()) this.tried(() => this.below.flush());
  }

  fork(): void {
    if (this.calls === this.latest && this.begun === undefined) return;
    this.begun = undefined;
    for (const [chunk, list] of this.replaced) {
      const first = list.findIndex((r) => r.call > this.calls);
      if (first < 0) continue;
      this.below.write(chunk * CHUNK, list[first]!.bytes);
      this.drop(list.splice(first));
      if (list.length === 0) this.replaced.delete(chunk);
    }
    for (const call of this.failed) if (call > this.calls) this.failed.delete(call);
    this.latest = this.calls;
  }

  forgetBefore(position: number): void {
    for (const [chunk, list] of this.replaced) {
      const kept = list.findIndex((r) => r.position >= position);
      this.drop(list.splice(0, kept < 0 ? list.length : kept));
      if (list.length === 0) this.replaced.delete(chunk);
    }
  }

  /** Keeps what a range holds before a call. */
  private keep(call: number, offset: number, length: number, position: number): void {
    const { first, end } = this.chunks(offset, length);
    const all = this.below.read(first, end - first);
    for (let at = first; at < end; at += CHUNK) {
      const bytes = all.slice(at - first, Math.min(at - first + CHUNK, all.length));
      const chunk = at / CHUNK;
      const list = this.replaced.get(chunk) ?? [];
      list.push({ call, position, bytes });
      this.replaced.set(chunk, list);
      this.bytes += bytes.length;
    }
  }

  private drop(list: readonly Replaced[]): void {
    for (const { bytes } of list) this.bytes -= bytes.length;
  }

  /** @returns whether this call was made before @throws Error when it failed then */
  private call(): boolean {
    this.calls++;
    if (this.calls > this.latest) {
      this.latest = this.calls;
      return false;
    }
    if (this.failed.has(this.calls)) throw new Error('the disk had failed');
    return true;
  }

  private tried<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      if (this.position) this.failed.add(this.calls);
      throw error;
    }
  }
}
