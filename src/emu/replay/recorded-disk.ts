/**
 * Disks of a run that is recorded, and of one that is repeated. The machine asks at the same moments when the run is repeated, so the
 * order of its calls is all that must be known.
 */
import { type Disk, partsOfDisk } from '../devices/virtio/block.ts';
import type { Stateful, Wiring } from '../state/fields.ts';
import { isBytes, isMapOf } from '../state/state-check.ts';
import { SectorDigests } from './sector-digests.ts';

/** Bytes that a disk was found to have, or that the machine had written; without bytes, the call has failed. */
export interface DiskEntry {
  readonly kind: 'disk';
  readonly disk: number;
  /** Number of the call of the disk. */
  readonly call: number;
  readonly offset: number;
  readonly bytes: Uint8Array | undefined;
}

/** The state of a disk in copies and in the states of a recording, which has the contents elsewhere. */
const STATE_FIELDS = ['content', 'calls', 'next', 'complete'];
const isContent = isMapOf(isBytes);

/** Bytes that were written and have not been noted, at most. */
const MOST_WRITTEN = 2 ** 23;

/** Where a recorded disk puts its entries. */
export interface DiskNotes {
  readonly note: (entry: DiskEntry) => void;
  /** Is what the machine writes noted, too? Only who enters the run in its middle needs that. */
  readonly keepsWrites: () => boolean;
}

/** A disk whose contents are recorded as they are read: each sector once, and again when somebody else has changed it. */
export class RecordedDisk implements Disk, Stateful {
  readonly stateFields = STATE_FIELDS;
  static readonly wiring: Wiring = {
    begun: 'false only while the machine is loaded',
    written: 'noted before each state',
    writtenBytes: 'noted before each state',
  };
  readonly size: number;
  readonly readOnly: boolean;
  /** The recording has it. */
  readonly content: ReadonlyMap<number, Uint8Array> = new Map();
  readonly complete = false;
  private readonly below: Disk;
  private readonly number: number;
  private readonly notes: DiskNotes;
  private readonly known = new SectorDigests();
  private calls = 0;
  /** Entries so far. */
  next = 0;
  private begun = false;
  private written: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  private writtenBytes = 0;

  /** @param number of the disk in the machine */
  constructor(below: Disk, number: number, notes: DiskNotes) {
    this.below = below;
    this.size = below.size;
    this.readOnly = below.readOnly;
    this.number = number;
    this.notes = notes;
    const { ready } = below;
    if (ready) this.ready = (call, offset, length, data) => below.ready!(call, offset, length, data);
  }

  readonly ready?: NonNullable<Disk['ready']>;

  /** The machine is loaded. Until now its state is that of the disk below, which a snapshot may bring. */
  begin(): void {
    this.begun = true;
  }

  stateParts(): readonly Stateful[] {
    return this.begun ? [this] : partsOfDisk(this.below);
  }

  read(offset: number, length: number): Uint8Array {
    return this.call(offset, () => {
      const bytes = this.below.read(offset, length);
      const changed = this.known.changed(offset, bytes);
      // Somebody else has changed what the machine had written.
      if (changed.some(({ known }) => known)) this.noteWritten();
      for (const { from, to } of changed) this.note(offset + from, bytes.slice(from, to));
      return bytes;
    });
  }

  write(offset: number, data: Uint8Array): void {
    this.call(offset, () => {
      this.below.write(offset, data);
      this.known.changed(offset, data);
      if (!this.notes.keepsWrites()) return;
      this.written.push({ offset, bytes: data.slice() });
      this.writtenBytes += data.length;
    });
    if (this.writtenBytes > MOST_WRITTEN) this.noteWritten();
  }

  flush(): void {
    this.call(0, () => this.below.flush());
  }

  /** Notes what was written since the last call. */
  noteWritten(): void {
    for (const { offset, bytes } of this.written) this.note(offset, bytes);
    this.written = [];
    this.writtenBytes = 0;
  }

  private note(offset: number, bytes: Uint8Array | undefined): void {
    this.next++;
    this.notes.note({ kind: 'disk', disk: this.number, call: this.calls, offset, bytes });
  }

  private call<T>(offset: number, body: () => T): T {
    this.calls++;
    try {
      return body();
    } catch (error) {
      this.note(offset, undefined);
      throw error;
    }
  }
}

/** Bytes that a repeated disk keeps together. */
const CHUNK = 4096;

/** The disk of a recorded run: it has what the recording says that was read, and what the machine has written. */
export class RepeatedDisk implements Disk, Stateful {
  readonly stateFields = STATE_FIELDS;
  readonly sharedFields = ['content'];
  readonly stateChecks = { content: isContent };
  static readonly wiring: Wiring = {
    entries: 'the recording',
    loaded: 'takes the part of a snapshot',
    begun: 'false only while the machine is loaded',
  };
  readonly size: number;
  readonly readOnly: boolean;
  private readonly entries: readonly DiskEntry[];
  private readonly loaded: readonly Stateful[];
  /** By number of the chunk. Arrays never change. */
  private readonly content = new Map<number, Uint8Array>();
  private calls = 0;
  /** Index of the next entry. */
  private next = 0;
  /** False after a state of the recording was entered: the contents are those of the entries before it. */
  private complete = true;
  private begun: boolean;

  /** @param loaded what a snapshot has of the disk, which the entries bring anyway */
  constructor(
    { size, readOnly }: Pick<Disk, 'size' | 'readOnly'>,
    entries: readonly DiskEntry[],
    loaded: readonly Stateful[] | undefined = undefined,
  ) {
    this.size = size;
    this.readOnly = readOnly;
    this.entries = entries;
    this.loaded = loaded ?? [];
    this.begun = loaded === undefined;
  }

  /** The machine is loaded. */
  begin(): void {
    this.begun = true;
  }

  stateParts(): readonly Stateful[] {
    return this.begun ? [this] : this.loaded;
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

  /** Takes what the recording has up to this call. @throws Error when the call had failed */
  private call(): void {
    if (!this.complete) {
      this.complete = true;
      for (const { offset, bytes } of this.entries.slice(0, this.next)) if (bytes) this.put(offset, bytes);
    }
    this.calls++;
    for (let entry = this.entries[this.next]; entry && entry.call <= this.calls; entry = this.entries[this.next]) {
      this.next++;
      if (entry.bytes) this.put(entry.offset, entry.bytes);
      else if (entry.call === this.calls) throw new Error('the disk had failed');
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
