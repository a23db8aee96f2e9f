import type { Stateful, Wiring } from '../state/fields.ts';
import type { CsrBank } from './csr-bank.ts';
import { ESTAT, TCFG } from './csr-fields.ts';
import { CSR } from './csr-table.ts';

/** Timer width: PRCFG1.TimerBits + 1. A one-shot that has fired reads all ones in this width. */
export const TIMER_BITS = 48;
const ALL_ONES = 2 ** TIMER_BITS - 1;

/**
 * The stable timer of one CSR file (host or guest). The timer of a guest is a full copy that always runs,
 * also while the CPU is in the host (docs/lvz.md Q14).
 * Vol. 1, section 7.6; guest rules in docs/lvz.md. Times are ticks of the stable counter.
 */
export class Timer implements Stateful {
  readonly stateFields = ['deadline', 'frozen', 'late'];
  static readonly wiring: Wiring = { lateness: 'perturbation' };
  /** Tick of the next expiry, Infinity when nothing is due. */
  deadline = Number.POSITIVE_INFINITY;
  private frozen = 0;
  /** Ticks by which the expiry comes after the end of the count. */
  private late = 0;
  /** How late the next expiry is, where a run is perturbed. */
  lateness: (() => number) | undefined;
  private readonly bank: CsrBank;

  constructor(bank: CsrBank) {
    this.bank = bank;
  }

  reset(): void {
    this.deadline = Number.POSITIVE_INFINITY;
    this.frozen = 0;
    this.late = 0;
  }

  private initVal(): number {
    return this.bank.number(CSR.TCFG) - (this.bank.lo(CSR.TCFG) & ~TCFG.InitVal);
  }

  /** TCFG has been written at tick `now`. `before`: the count until then. */
  configure(now: number, before: number): void {
    if (this.bank.lo(CSR.TCFG) & TCFG.En) this.expect(now + this.initVal());
    else {
      this.frozen = before;
      this.deadline = Number.POSITIVE_INFINITY;
    }
  }

  /** The count ends at a tick. */
  private expect(end: number): void {
    this.late = this.lateness?.() ?? 0;
    this.deadline = end + this.late;
  }

  /** The next expiry that has an effect. If the interrupt is already pending, an expiry wakes no CPU. */
  get wakeTime(): number {
    return this.bank.lo(CSR.ESTAT) & ESTAT.TI ? Number.POSITIVE_INFINITY : this.deadline;
  }

  /** The value of TVAL at tick `now`. */
  value(now: number): number {
    return this.deadline === Number.POSITIVE_INFINITY ? this.frozen : Math.max(0, this.deadline - this.late - now);
  }

  /** Sets the count (a root gcsrwr of TVAL). An enabled timer continues from there. */
  setValue(now: number, value: number): void {
    if (this.bank.lo(CSR.TCFG) & TCFG.En) this.expect(now + value);
    else this.frozen = value;
  }

  /** Fires when due. @returns true when TI has been raised */
  expire(now: number): boolean {
    if (now < this.deadline) return false;
    this.bank.update(CSR.ESTAT, ESTAT.TI, ESTAT.TI);
    if (this.bank.lo(CSR.TCFG) & TCFG.Periodic) {
      // InitVal counts in fours, so the shortest period is four ticks. With 0 the period is one tick.
      const period = Math.max(1, this.initVal());
      const end = this.deadline - this.late;
      this.expect(end + period * (1 + Math.floor((now - end) / period)));
    } else {
      this.deadline = Number.POSITIVE_INFINITY;
      this.frozen = ALL_ONES;
    }
    return true;
  }
}
