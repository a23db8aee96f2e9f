/**
 * Which instruction last wrote each CSR, and when: what `explain` and the world-switch auditor tell. A guest's own writes
 * are kept by GID; writes of the host to the guest bank (gcsrwr) are kept apart, because the bank gets its guest later.
 */
import type { Stateful } from '../replay/fields.ts';
import { CSR_LIMIT } from './layout.ts';

/** Owners of records: the host for its own CSRs, the host for the guest bank; guests have their GID, 1 and up. */
export const HOST_OWN = 0;
export const HOST_TO_BANK = -1;

/** The last write of a CSR. */
export interface CsrWrite {
  /** Who wrote: HOST_OWN, HOST_TO_BANK, or a GID. */
  readonly owner: number;
  readonly pc: bigint;
  /** Stable counter at the write. */
  readonly time: number;
  /** Bits 63:32 as software wrote them, whatever of them the register keeps. */
  readonly high: number;
}

interface Records {
  readonly lo: Int32Array;
  readonly hi: Int32Array;
  readonly high: Int32Array;
  /** −1: never written. */
  readonly time: Float64Array;
}

export class CsrWriters implements Stateful {
  readonly stateFields = ['owners'];
  /** At owner + 1. */
  private readonly owners: (Records | undefined)[] = [];

  reset(): void {
    this.owners.length = 0;
  }

  /** Notes that the instruction at a PC writes a CSR. */
  note(owner: number, num: number, pcLo: number, pcHi: number, time: number, high: number): void {
    let r = this.owners[owner + 1];
    if (!r) {
      const halves = (): Int32Array => new Int32Array(CSR_LIMIT);
      r = { lo: halves(), hi: halves(), high: halves(), time: new Float64Array(CSR_LIMIT).fill(-1) };
      this.owners[owner + 1] = r;
    }
    r.lo[num] = pcLo;
    r.hi[num] = pcHi;
    r.high[num] = high;
    r.time[num] = time;
  }

  /** The last write by an owner, undefined when there was none. */
  last(owner: number, num: number): CsrWrite | undefined {
    const r = this.owners[owner + 1];
    const time = r?.time[num] ?? -1;
    if (!r || time < 0) return undefined;
    const pc = (BigInt(r.hi[num]! >>> 0) << 32n) | BigInt(r.lo[num]! >>> 0);
    return { owner, pc, time, high: r.high[num]! };
  }

  /** The last write of a guest's CSR, by the guest itself or by the host on its behalf. */
  lastOfGuest(gid: number, num: number): CsrWrite | undefined {
    const own = this.last(gid, num);
    const host = this.last(HOST_TO_BANK, num);
    return own && host ? (own.time >= host.time ? own : host) : (own ?? host);
  }
}
