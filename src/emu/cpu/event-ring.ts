/**
 * The last exceptions and world switches of a CPU, and counters of all of them, kept without allocating.
 * Debuggers read it; `monitor explain`, `info exits` and --stats are views of it.
 */
import type { Stateful } from '../replay/fields.ts';
import { EVENT_BYTES, EVENTS, EVENTS_OFFSET } from './layout.ts';

export type EventKind = 'exception' | 'exit' | 'entry';
const KINDS: readonly EventKind[] = ['exception', 'exit', 'entry'];

export interface EventRecord {
  readonly kind: EventKind;
  /** Stable counter at the event. */
  readonly time: number;
  /** GID the event happened in, −1: the host. */
  readonly world: number;
  readonly ecode: number;
  readonly esub: number;
  /** The interrupted or faulting instruction; for an entry the guest's first instruction. */
  readonly pc: bigint;
  /** BADV as reported, and whether the exception defines it. A GPA for stage-2 faults. */
  readonly badv: bigint;
  readonly hasBadv: boolean;
  /** The instruction word; the interrupt's number for INT. */
  readonly badi: number;
  /** Where execution went on. */
  readonly vector: bigint;
  /** The virtual address whose translation failed (the GVA of a stage-2 fault); for an entry the address of the `ertn`. */
  readonly va: bigint;
  /** The exception is about stage 2. */
  readonly stage2: boolean;
}

const SIZE = EVENTS;
const FIELDS = EVENT_BYTES / 4;

/** The records are in linear memory: generated code adds to them too. */
export class EventRing implements Stateful {
  readonly stateFields = [
    'data',
    'times',
    'next',
    'count',
    'hostExceptions',
    'guestExceptions',
    'exits',
    'entries',
    'entryTime',
  ];
  readonly data: Int32Array;
  readonly times: Float64Array;
  /** The next place in the ring, and events so far. */
  readonly next: Int32Array;
  readonly count: Float64Array;
  /** Exceptions delivered in the host (without VM exits), in guests, VM exits; by Ecode. */
  readonly hostExceptions: Float64Array;
  readonly guestExceptions: Float64Array;
  readonly exits: Float64Array;
  entries = 0;
  private entryTime = -1;

  /** @param base the CPU's state page in `buffer` */
  constructor(buffer: ArrayBufferLike, base: number) {
    const doubles = (offset: number, length: number): Float64Array => new Float64Array(buffer, base + offset, length);
    this.data = new Int32Array(buffer, base + EVENTS_OFFSET.records, SIZE * FIELDS);
    this.times = doubles(EVENTS_OFFSET.times, SIZE);
    this.hostExceptions = doubles(EVENTS_OFFSET.hostExceptions, 64);
    this.guestExceptions = doubles(EVENTS_OFFSET.guestExceptions, 64);
    this.exits = doubles(EVENTS_OFFSET.exits, 64);
    this.next = new Int32Array(buffer, base + EVENTS_OFFSET.next, 1);
    this.count = doubles(EVENTS_OFFSET.total, 1);
  }

  /** Place in the ring of the newest record. */
  private get newest(): number {
    return (this.next[0]! + SIZE - 1) % SIZE;
  }

  /** Appends a record; all 64-bit values as halves. */
  push(
    kind: number,
    time: number,
    world: number,
    ecode: number,
    esub: number,
    pcLo: number,
    pcHi: number,
    hasBadv: boolean,
    badvLo: number,
    badvHi: number,
    badi: number,
    vaLo: number,
    vaHi: number,
    stage2: boolean,
  ): void {
    const slot = this.next[0]!;
    this.next[0] = (slot + 1) % SIZE;
    this.count[0]!++;
    const d = this.data;
    const at = slot * FIELDS;
    this.times[slot] = time;
    d[at] = kind | (hasBadv ? 4 : 0) | (stage2 ? 8 : 0);
    d[at + 1] = world;
    d[at + 2] = ecode;
    d[at + 3] = esub;
    d[at + 4] = pcLo;
    d[at + 5] = pcHi;
    d[at + 6] = badvLo;
    d[at + 7] = badvHi;
    d[at + 8] = badi;
    d[at + 9] = vaLo;
    d[at + 10] = vaHi;
    if (kind === 0) (world < 0 ? this.hostExceptions : this.guestExceptions)[ecode]!++;
    else if (kind === 1) this.exits[ecode]!++;
    else {
      this.entries++;
      this.entryTime = time;
    }
  }

  /** Completes the newest record with the address where execution goes on. */
  setVector(lo: number, hi: number): void {
    const at = this.newest * FIELDS;
    this.data[at + 11] = lo;
    this.data[at + 12] = hi;
  }

  /**
   * Is the newest record an exit, for a cause of the guest's own, before the guest has executed anything? The entry is noted
   * before its `ertn` is counted, hence the one tick.
   */
  get lastIsIdleExit(): boolean {
    const n = this.newest;
    const at = n * FIELDS;
    return (this.data[at]! & 3) === 1 && this.data[at + 2] !== 0 && this.times[n]! - this.entryTime <= 1;
  }

  /** Kind of the newest record. */
  get lastKind(): EventKind {
    return KINDS[this.data[this.newest * FIELDS]! & 3]!;
  }

  /** Is the newest record a VM exit? */
  get lastIsExit(): boolean {
    return (this.data[this.newest * FIELDS]! & 3) === 1;
  }

  /** Ecode of the newest record. */
  get lastEcode(): number {
    return this.data[this.newest * FIELDS + 2]!;
  }

  /** Events so far. */
  get total(): number {
    return this.count[0]!;
  }

  /** The record `back` places before the newest (0), or undefined when it is gone or never was. */
  at(back: number): EventRecord | undefined {
    if (back >= this.total || back >= SIZE) return undefined;
    const n = (this.next[0]! + 2 * SIZE - 1 - back) % SIZE;
    const at = n * FIELDS;
    const d = this.data;
    const u64 = (i: number): bigint => (BigInt(d[at + i + 1]! >>> 0) << 32n) | BigInt(d[at + i]! >>> 0);
    return {
      kind: KINDS[d[at]! & 3]!,
      time: this.times[n]!,
      world: d[at + 1]!,
      ecode: d[at + 2]!,
      esub: d[at + 3]!,
      pc: u64(4),
      badv: u64(6),
      hasBadv: (d[at]! & 4) !== 0,
      badi: d[at + 8]! >>> 0,
      vector: u64(11),
      va: u64(9),
      stage2: (d[at]! & 8) !== 0,
    };
  }

  /** The newest VM entry. */
  lastEntry(): EventRecord | undefined {
    for (let back = 0; back < SIZE; back++) {
      const r = this.at(back);
      if (!r || r.kind === 'entry') return r;
    }
    return undefined;
  }

  /** The newest record that is not a VM entry. */
  lastException(): EventRecord | undefined {
    for (let back = 0; back < SIZE; back++) {
      const r = this.at(back);
      if (r?.kind !== 'entry') return r;
    }
    return undefined;
  }
}
