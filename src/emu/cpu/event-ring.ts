/**
 * The last exceptions and world switches of a CPU, and counters of all of them. Recording allocates nothing.
 * Debuggers read it; `monitor explain`, `info exits` and --stats show it.
 */

import { EVENT, EVENT_BYTES, EVENT_KIND, EVENTS, EVENTS_OFFSET, REPORT, STATE } from '../memory/layout.ts';
import type { Stateful, Wiring } from '../state/fields.ts';

export type EventKind = 'exception' | 'exit' | 'entry';
const KINDS: readonly EventKind[] = ['exception', 'exit', 'entry'];

export interface EventRecord {
  readonly kind: EventKind;
  /** Stable counter at the event. */
  readonly time: number;
  /** The world that the event happened in: the number of a VM (without a debugger its GID), −1: the host. */
  readonly world: number;
  /** Its GID, −1: the host. */
  readonly gid: number;
  readonly ecode: number;
  readonly esub: number;
  /** The interrupted or faulting instruction; for an entry the guest's first instruction. */
  readonly pc: bigint;
  /** BADV as reported, and whether the exception defines it. A GPA for stage-2 faults. */
  readonly badv: bigint;
  readonly hasBadv: boolean;
  /** The instruction word; the interrupt's number for INT. */
  readonly badi: number;
  /** Address where execution continued. */
  readonly vector: bigint;
  /** The virtual address whose translation failed (the GVA of a stage-2 fault); for an entry the address of the `ertn`. */
  readonly va: bigint;
  /** CRMD of that world when it happened, before the exception changed it. */
  readonly crmd: number;
  /** The exception is about stage 2. */
  readonly stage2: boolean;
}

const SIZE = EVENTS;
const FIELDS = EVENT_BYTES / 4;
const REPORT_WORDS = (REPORT.badi + 4) / 4;
const { mask: KIND, exit: EXIT } = EVENT_KIND;

/** Halves of an address. */
export interface Halves {
  readonly lo: number;
  readonly hi: number;
}

/** The data of an exception in addition to its code. */
export interface Cause {
  /** BADV, when the exception defines it. */
  readonly badv?: Halves;
  /** The instruction word for BADI; of INT, which leaves BADI alone, the interrupt's number. */
  readonly badi: number;
  /** True: delivered to the host also in guest mode. */
  readonly root?: boolean;
  /** Stage-2 fault: the guest virtual address behind BADV's GPA. */
  readonly gva?: Halves;
}

/** The records are in linear memory, because emitted code adds them (entry-return.ts). */
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
  readonly stateChecks = {
    // Emitted code goes to this place without another look.
    next: (v: unknown): boolean => v instanceof Int32Array && v.length === 1 && v[0]! >= 0 && v[0]! < EVENTS,
  };
  static readonly wiring: Wiring = {
    numbered: 'set by the debugger',
    vmOf: 'set by the debugger',
    gidOf: 'set by the debugger',
    reported: 'the report under way',
    reportedTime: 'the report under way',
  };
  readonly data: Int32Array;
  readonly times: Float64Array;
  /** The next index in the ring, and the number of events so far. */
  readonly next: Int32Array;
  readonly count: Float64Array;
  /** Exceptions delivered in the host (without VM exits), in guests, VM exits; by Ecode. */
  readonly hostExceptions: Float64Array;
  readonly guestExceptions: Float64Array;
  readonly exits: Float64Array;
  entries = 0;
  /** Does a debugger number the VMs? */
  numbered = false;
  /** The number of the VM that had a GID on this CPU at a tick. */
  vmOf: (gid: number, time: number) => number = (gid) => gid;
  /** The GID of a VM on this CPU. */
  gidOf: (vm: number) => number = (vm) => vm;
  private entryTime = -1;
  /** STATE.report. */
  private readonly reported: Int32Array;
  private readonly reportedTime: Float64Array;

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
    this.reported = new Int32Array(buffer, base + STATE.report, REPORT_WORDS);
    this.reportedTime = doubles(STATE.report + REPORT.time, 1);
  }

  private word(place: number, field: keyof typeof EVENT): number {
    return this.data[place * FIELDS + (EVENT[field] >> 2)]!;
  }

  /** Index of the newest record. */
  private get newest(): number {
    return (this.next[0]! + SIZE - 1) % SIZE;
  }

  /**
   * Fills in the next record.
   * @param kind exception or exit, of EVENT_KIND
   * @param code Ecode and EsubCode as in ESTAT 30:16
   */
  report(kind: number, code: number, time: number, { badv, gva, badi }: Cause): void {
    const r = this.reported;
    r[REPORT.kind >> 2] = kind | (badv ? EVENT_KIND.hasBadv : 0) | (gva ? EVENT_KIND.stage2 : 0);
    r[REPORT.code >> 2] = code;
    r[REPORT.badi >> 2] = badi;
    r[REPORT.badv >> 2] = badv ? badv.lo : 0;
    r[(REPORT.badv >> 2) + 1] = badv ? badv.hi : 0;
    const va = gva ?? badv;
    r[REPORT.va >> 2] = va ? va.lo : 0;
    r[(REPORT.va >> 2) + 1] = va ? va.hi : 0;
    this.reportedTime[0] = time;
  }

  /** A guest has been entered. The record is added next. */
  entered(time: number): void {
    this.reportedTime[0] = time;
    this.entries++;
    this.entryTime = time;
  }

  /**
   * Is the newest record an exit that the guest has caused, before it has executed any instruction? The entry is recorded
   * before its `ertn` is counted, so the difference is one tick.
   */
  get lastIsIdleExit(): boolean {
    return this.lastIsExit && this.lastEcode !== 0 && this.times[this.newest]! - this.entryTime <= 1;
  }

  /** Kind of the newest record. */
  get lastKind(): EventKind {
    return this.kindAt(0);
  }

  /** Kind of the record `back` places before the newest (0). It must be there. */
  kindAt(back: number): EventKind {
    return KINDS[this.word((this.next[0]! + 2 * SIZE - 1 - back) % SIZE, 'kind') & KIND]!;
  }

  /** Did the event of the record `back` places before the newest (0) happen in the host? It must be there. */
  inHost(back: number): boolean {
    return this.word((this.next[0]! + 2 * SIZE - 1 - back) % SIZE, 'world') < 0;
  }

  /** Is the newest record a VM exit? */
  get lastIsExit(): boolean {
    return (this.word(this.newest, 'kind') & KIND) === EXIT;
  }

  /** Ecode of the newest record. */
  get lastEcode(): number {
    return this.word(this.newest, 'ecode');
  }

  /** Events so far. */
  get total(): number {
    return this.count[0]!;
  }

  /** The record `back` places before the newest (0), or undefined when it was overwritten or never existed. */
  at(back: number): EventRecord | undefined {
    if (back >= this.total || back >= SIZE) return undefined;
    const n = (this.next[0]! + 2 * SIZE - 1 - back) % SIZE;
    const i32 = (field: keyof typeof EVENT): number => this.word(n, field);
    const u64 = (field: keyof typeof EVENT): bigint => {
      const low = n * FIELDS + (EVENT[field] >> 2);
      return (BigInt(this.data[low + 1]! >>> 0) << 32n) | BigInt(this.data[low]! >>> 0);
    };
    const kind = i32('kind');
    const gid = i32('world');
    const time = this.times[n]!;
    return {
      kind: KINDS[kind & KIND]!,
      time,
      world: gid < 0 ? gid : this.vmOf(gid, time),
      gid,
      ecode: i32('ecode'),
      esub: i32('esub'),
      pc: u64('pc'),
      badv: u64('badv'),
      hasBadv: (kind & EVENT_KIND.hasBadv) !== 0,
      badi: i32('badi') >>> 0,
      vector: u64('vector'),
      va: u64('va'),
      crmd: i32('crmd'),
      stage2: (kind & EVENT_KIND.stage2) !== 0,
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

/** Fields that are the same in events that repeat. */
const IDENTITY = [EVENT.kind, EVENT.world, EVENT.ecode, EVENT.pc, EVENT.pc + 4, EVENT.badv, EVENT.badv + 4].map(
  (at) => at >> 2,
);

/** Are two records, counted back from the newest (0), the same event at two times? Both must be there. */
export function sameEvent({ data, next }: EventRing, one: number, other: number): boolean {
  const [a, b] = [placeOf(next[0]!, one), placeOf(next[0]!, other)];
  for (let n = 0; n < IDENTITY.length; n++) if (data[a + IDENTITY[n]!] !== data[b + IDENTITY[n]!]) return false;
  return true;
}

/** Is the record `back` places before the newest (0) the exit of a guest for an interrupt of the host? It must be there. */
export function isInterruptExit({ data, next }: EventRing, back: number): boolean {
  const at = placeOf(next[0]!, back);
  return (data[at + (EVENT.kind >> 2)]! & KIND) === EXIT && data[at + (EVENT.ecode >> 2)] === 0;
}

/** The Ecode of the record `back` places before the newest (0). It must be there. */
export const ecodeAt = ({ data, next }: EventRing, back: number): number =>
  data[placeOf(next[0]!, back) + (EVENT.ecode >> 2)]!;

const placeOf = (next: number, back: number): number => ((next + 2 * SIZE - 1 - back) % SIZE) * FIELDS;
