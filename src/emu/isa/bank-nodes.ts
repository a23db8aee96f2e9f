/** The CSR banks in the nodes of routines (routine.ts). */
import { GUEST_BANK_FACTOR, MODE_GUEST, STATE } from '../memory/layout.ts';
import type { Routine } from './routine.ts';
import { and, c32, mul, type Node } from './semantics.ts';

const keep = (value: Node, without: number): Node => and(value, c32(~without));

/** A bank of CSRs: its distance from the host bank in bytes (i32). */
export class Bank {
  private readonly r: Routine;
  readonly offset: Node;

  constructor(r: Routine, offset: Node) {
    this.r = r;
    this.offset = offset;
  }

  lo(num: number): Node {
    return this.r.i32(STATE.hostCsr + 8 * num, this.offset);
  }

  hi(num: number): Node {
    return this.r.i32(STATE.hostCsr + 8 * num + 4, this.offset);
  }

  wide(num: number): Node {
    return this.r.i64(STATE.hostCsr + 8 * num, this.offset);
  }

  set(num: number, value: Node): void {
    this.r.put(STATE.hostCsr + 8 * num, value, this.offset);
  }

  /** Clears bits of the low half. */
  clear(num: number, bits: number): void {
    this.set(num, keep(this.lo(num), bits));
  }
}

export const guestMode = (r: Routine): Node => and(r.i32(STATE.mode), c32(MODE_GUEST));
/** The bank of the world whose guest-mode bit is `guest`. */
export const bankOf = (r: Routine, guest: Node): Bank => new Bank(r, r.let(mul(guest, c32(GUEST_BANK_FACTOR))));
