/**
 * The last write of each CSR: which instruction, and when. `explain` and the world-switch auditor use it. Writes by a guest
 * are kept by GID. Writes by the host to the guest bank (gcsrwr) are kept separately, because it is not known yet for which guest they are.
 */

import { CSR_LIMIT, WRITERS, WRITERS_OFFSET } from '../memory/layout.ts';
import type { Stateful, Versioned, Wiring } from '../state/fields.ts';
import { isEvery, isNumber, isObjectWith, isOptional } from '../state/state-check.ts';

/** Owners of records: the host for its own CSRs, the host for the guest bank; guests have {@link guestOwner}. */
export const HOST_OWN = 0;
export const HOST_TO_BANK = -1;
/** A guest that runs with GID 0, that of the host. Other GIDs have at most eight bits. */
const GUEST_WITHOUT_GID = 256;

/** The owner of what a guest writes. */
export const guestOwner = (gid: number): number => gid || GUEST_WITHOUT_GID;

/** The last write of a CSR. */
export interface CsrWrite {
  /** Who wrote: HOST_OWN, HOST_TO_BANK, or a guest: {@link guestOwner}, in reports the number of its VM. */
  readonly owner: number;
  readonly pc: bigint;
  /** Stable counter at the write. */
  readonly time: number;
  /** The halves as software wrote them (for csrxchg under the mask), including bits that the register does not keep. */
  readonly high: number;
  readonly low: number;
}

interface Records {
  /** Halves of the PC, low first. */
  readonly pc: Int32Array;
  readonly high: Int32Array;
  readonly low: Int32Array;
  /** −1: never written. */
  readonly time: Float64Array;
}

/** Records of a guest. A hypervisor may use all GIDs, and few of them between two copies of the machine. */
interface GuestRecords extends Records, Versioned {
  version: number;
}

const newRecords = (): GuestRecords => ({
  version: 0,
  pc: new Int32Array(2 * CSR_LIMIT),
  high: new Int32Array(CSR_LIMIT),
  low: new Int32Array(CSR_LIMIT),
  time: new Float64Array(CSR_LIMIT).fill(-1),
});

const isRecords = isObjectWith({
  version: isNumber,
  pc: (v) => v instanceof Int32Array && v.length === 2 * CSR_LIMIT,
  high: (v) => v instanceof Int32Array && v.length === CSR_LIMIT,
  low: (v) => v instanceof Int32Array && v.length === CSR_LIMIT,
  time: (v) => v instanceof Float64Array && v.length === CSR_LIMIT,
});

/** Where and when an instruction executes: its PC in halves, and the stable counter. A CPU is one. */
export interface Moment {
  readonly pcLo: number;
  readonly pcHi: number;
  readonly now: number;
}

export class CsrWriters implements Stateful {
  readonly stateFields = [
    ...['hostPc', 'hostHigh', 'hostLow', 'hostTime'],
    ...['bankPc', 'bankHigh', 'bankLow', 'bankTime'],
    'guests',
  ];
  readonly stateChecks = { guests: isEvery(isOptional(isRecords)) };
  static readonly wiring: Wiring = {
    host: 'the arrays that are saved one by one',
    bank: 'the arrays that are saved one by one',
  };
  // Records of the host are in linear memory, where generated code writes them too.
  readonly hostPc: Int32Array;
  readonly hostHigh: Int32Array;
  readonly hostLow: Int32Array;
  readonly hostTime: Float64Array;
  readonly bankPc: Int32Array;
  readonly bankHigh: Int32Array;
  readonly bankLow: Int32Array;
  readonly bankTime: Float64Array;
  /** By GID. */
  private readonly guests: (GuestRecords | undefined)[] = [];
  private readonly host: Records;
  private readonly bank: Records;

  /** @param base the CPU's state page in `buffer` */
  constructor(buffer: ArrayBufferLike, base: number) {
    const at = (offset: number): Records => ({
      pc: new Int32Array(buffer, base + offset + WRITERS.pc, 2 * CSR_LIMIT),
      high: new Int32Array(buffer, base + offset + WRITERS.high, CSR_LIMIT),
      low: new Int32Array(buffer, base + offset + WRITERS.low, CSR_LIMIT),
      time: new Float64Array(buffer, base + offset + WRITERS.time, CSR_LIMIT),
    });
    this.host = at(WRITERS_OFFSET.hostOwn);
    this.bank = at(WRITERS_OFFSET.hostToBank);
    ({ pc: this.hostPc, high: this.hostHigh, low: this.hostLow, time: this.hostTime } = this.host);
    ({ pc: this.bankPc, high: this.bankHigh, low: this.bankLow, time: this.bankTime } = this.bank);
    this.reset();
  }

  reset(): void {
    this.hostTime.fill(-1);
    this.bankTime.fill(-1);
    this.guests.length = 0;
  }

  private of(owner: number): Records | undefined {
    return owner === HOST_OWN ? this.host : owner === HOST_TO_BANK ? this.bank : this.guests[owner];
  }

  /** The records of a guest, which change now. */
  private changed(owner: number): GuestRecords {
    const r = (this.guests[owner] ??= newRecords());
    r.version++;
    return r;
  }

  /** Notes that the instruction at hand writes a CSR, and the halves of what it writes. */
  note(owner: number, num: number, low: number, high: number, moment: Moment): void {
    const r = owner > 0 ? this.changed(owner) : this.of(owner)!;
    r.pc[2 * num] = moment.pcLo;
    r.pc[2 * num + 1] = moment.pcHi;
    r.high[num] = high;
    r.low[num] = low;
    r.time[num] = moment.now;
  }

  /** Has a guest, under whatever GID, written its CSR? */
  writtenByGuest(num: number): boolean {
    return this.guests.some((r) => r !== undefined && r.time[num]! >= 0);
  }

  /** The last write by an owner, undefined when there was none. */
  last(owner: number, num: number): CsrWrite | undefined {
    const r = this.of(owner);
    const time = r?.time[num] ?? -1;
    if (!r || time < 0) return undefined;
    const pc = (BigInt(r.pc[2 * num + 1]! >>> 0) << 32n) | BigInt(r.pc[2 * num]! >>> 0);
    return { owner, pc, time, high: r.high[num]!, low: r.low[num]! };
  }

  /**
   * The last write of its own CSR by a guest.
   * @param isIts was a GID the guest's at a time? A hypervisor may give it another one at each entry
   */
  lastByGuest(num: number, isIts: (gid: number, time: number) => boolean): CsrWrite | undefined {
    let newest: CsrWrite | undefined;
    for (let owner = 1; owner < this.guests.length; owner++) {
      const time = this.guests[owner]?.time[num] ?? -1;
      if (time < 0 || (newest && newest.time > time)) continue;
      if (isIts(owner === GUEST_WITHOUT_GID ? 0 : owner, time)) newest = this.last(owner, num);
    }
    return newest;
  }

  /** The same by the guest itself or by the host on its behalf. */
  lastOfGuest(num: number, isIts: (gid: number, time: number) => boolean): CsrWrite | undefined {
    const own = this.lastByGuest(num, isIts);
    const host = this.last(HOST_TO_BANK, num);
    return own && host ? (own.time >= host.time ? own : host) : (own ?? host);
  }
}
