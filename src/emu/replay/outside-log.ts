/**
 * What the machine has read from outside by itself: contents of disks, answers of shared folders. The machine asks at the same moments
 * when the run is repeated, so the order is all that must be known.
 */
import type { Disk } from '../devices/virtio/block.ts';
import type { P9Server, P9State } from '../devices/virtio/p9.ts';
import type { Stateful, Wiring } from '../state/fields.ts';
import { SectorDigests } from './sector-digests.ts';

/** Bytes that a disk was found to have; without bytes, the call has failed. */
export interface DiskEntry {
  readonly kind: 'disk';
  readonly disk: number;
  /** Number of the call of the disk. */
  readonly call: number;
  readonly offset: number;
  readonly bytes: Uint8Array | undefined;
}

/** An answer of a shared folder. */
export interface ShareEntry {
  readonly kind: 'share';
  readonly share: number;
  readonly bytes: Uint8Array;
}

export type OutsideEntry = DiskEntry | ShareEntry;

/** A disk whose contents are recorded as they are read: each sector once, and again when somebody else has changed it. */
export class RecordedDisk implements Disk {
  readonly size: number;
  readonly readOnly: boolean;
  private readonly below: Disk;
  private readonly number: number;
  private readonly note: (entry: DiskEntry) => void;
  private readonly known = new SectorDigests();
  private calls = 0;

  /** @param number of the disk in the machine */
  constructor(below: Disk, number: number, note: (entry: DiskEntry) => void) {
    this.below = below;
    this.size = below.size;
    this.readOnly = below.readOnly;
    this.number = number;
    this.note = note;
    const { ready } = below;
    if (ready) this.ready = (call, offset, length, data) => below.ready!(call, offset, length, data);
  }

  ready?: NonNullable<Disk['ready']>;

  read(offset: number, length: number): Uint8Array {
    return this.call(offset, () => {
      const bytes = this.below.read(offset, length);
      for (const { from, to } of this.known.changed(offset, bytes))
        this.note({
          kind: 'disk',
          disk: this.number,
          call: this.calls,
          offset: offset + from,
          bytes: bytes.slice(from, to),
        });
      return bytes;
    });
  }

  write(offset: number, data: Uint8Array): void {
    this.call(offset, () => {
      this.below.write(offset, data);
      this.known.changed(offset, data);
    });
  }

  flush(): void {
    this.call(0, () => this.below.flush());
  }

  private call<T>(offset: number, body: () => T): T {
    this.calls++;
    try {
      return body();
    } catch (error) {
      this.note({ kind: 'disk', disk: this.number, call: this.calls, offset, bytes: undefined });
      throw error;
    }
  }
}

/** Bytes that a repeated disk keeps together. */
const CHUNK = 4096;

/** The disk of a recorded run: it has what the recording says that was read, and what the machine has written. */
export class RepeatedDisk implements Disk, Stateful {
  readonly stateFields = ['content', 'calls', 'next'];
  readonly sharedFields = ['content'];
  static readonly wiring: Wiring = {
    entries: 'the recording',
  };
  readonly size: number;
  readonly readOnly: boolean;
  private readonly entries: readonly DiskEntry[];
  /** By number of the chunk. Arrays never change. */
  private readonly content = new Map<number, Uint8Array>();
  private calls = 0;
  /** Index of the next entry. */
  private next = 0;

  constructor({ size, readOnly }: Pick<Disk, 'size' | 'readOnly'>, entries: readonly DiskEntry[]) {
    this.size = size;
    this.readOnly = readOnly;
    this.entries = entries;
  }

  read(offset: number, length: number): Uint8Array {
    this.call();
    const out = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const from = (offset + at) % CHUNK;
      const n = Math.min(length - at, CHUNK - from);
      const chunk = this.content.get(Math.floor((offset + at) / CHUNK));
      if (chunk) out.set(chunk.subarray(from, from + n), at);
      at += n;
    }
    return out;
  }

  write(offset: number, data: Uint8Array): void {
    this.call();
    this.put(offset, data);
  }

  flush(): void {
    this.call();
  }

  /** Takes what the recording has of this call. @throws Error when the call had failed */
  private call(): void {
    this.calls++;
    for (;;) {
      const entry = this.entries[this.next];
      if (entry?.call !== this.calls) return;
      this.next++;
      if (!entry.bytes) throw new Error('the disk had failed');
      this.put(entry.offset, entry.bytes);
    }
  }

  private put(offset: number, data: Uint8Array): void {
    for (let at = 0; at < data.length; ) {
      const number = Math.floor((offset + at) / CHUNK);
      const from = (offset + at) % CHUNK;
      const part = data.subarray(at, at + CHUNK - from);
      const chunk = this.content.get(number)?.slice() ?? new Uint8Array(CHUNK);
      chunk.set(part, from);
      this.content.set(number, chunk);
      at += part.length;
    }
  }
}

/** A shared folder whose answers are recorded. */
export class RecordedShare implements P9Server {
  private readonly below: P9Server;
  private readonly number: number;
  private readonly note: (entry: ShareEntry) => void;

  constructor(below: P9Server, number: number, note: (entry: ShareEntry) => void) {
    this.below = below;
    this.number = number;
    this.note = note;
  }

  answer(message: Uint8Array, room: number): Uint8Array {
    const bytes = this.below.answer(message, room);
    this.note({ kind: 'share', share: this.number, bytes: bytes.slice() });
    return bytes;
  }

  reset(): void {
    this.below.reset();
  }

  save(): P9State {
    return this.below.save();
  }

  restore(state: P9State): void {
    this.below.restore(state);
  }
}

/** The shared folder of a recorded run. */
export class RepeatedShare implements P9Server {
  private readonly entries: readonly ShareEntry[];
  private answered = 0;

  constructor(entries: readonly ShareEntry[]) {
    this.entries = entries;
  }

  /** @throws Error when the machine asks more than it had asked */
  answer(): Uint8Array {
    const entry = this.entries[this.answered++];
    if (!entry) throw new Error('the run is no longer the recorded one: a shared folder is asked more often');
    return entry.bytes;
  }

  reset(): void {}

  save(): P9State {
    return { handles: { nodes: [], fids: [] }, most: 0, answered: this.answered };
  }

  restore({ answered = 0 }: P9State): void {
    this.answered = answered;
  }
}
