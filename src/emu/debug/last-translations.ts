/**
 * The last valid stage-2 translations that a machine has seen: what each refill of a guest entered into the TLB. A hypervisor may
 * remove a page from its tables while a guest keeps its work there (Linux KVM does, when it takes memory back or ages pages), and
 * a debugger still wants to read the code at PC. Bounded: a new page replaces the oldest one of its set.
 */
import { TLBELO } from '../cpu/csr-fields.ts';
import type { Stateful } from '../state/fields.ts';
import { lowBits, shr, type Tlb } from '../tlb/tlb.ts';

/** A translation that was valid once. */
export interface LastTranslation {
  /** TLBELO of the page, in halves. */
  readonly lo: number;
  readonly hi: number;
  /** Page size as a power of two. */
  readonly ps: number;
  /** Instruction count of the machine when it was seen last. */
  readonly position: number;
}

const SETS = 4096;
const WAYS = 4;
const ENTRIES = SETS * WAYS;
/** Spreads the numbers of pairs that follow each other, and those of different VMs. */
const SPREAD = 0x9e3779b1;
const { V } = TLBELO;

export class LastTranslations implements Stateful {
  readonly stateFields = ['vm', 'ps', 'pair', 'elo', 'seen', 'sizes'];
  /** VM of an entry; 0: the entry is free. */
  private readonly vm = new Uint16Array(ENTRIES);
  private readonly ps = new Uint8Array(ENTRIES);
  /** Number of its pair of pages: GPA >> (ps + 1). */
  private readonly pair = new Float64Array(ENTRIES);
  /** TLBELO of the even and the odd page, low and high halves. V = 0: that page was never valid. */
  private readonly elo = new Int32Array(4 * ENTRIES);
  /** Instruction counts of the machine, for the even and the odd page. */
  private readonly seen = new Float64Array(2 * ENTRIES);
  /** By page size: 1 if there is an entry of this size. */
  private readonly sizes = new Uint8Array(64);

  /** Notes entry `i` of a TLB, which a refill for a VM has written. */
  note(vm: number, tlb: Tlb, i: number, position: number): void {
    if (!((tlb.eloLo[2 * i]! | tlb.eloLo[2 * i + 1]!) & V)) return;
    const ps = tlb.ps[i]!;
    const pair = shr(tlb.vppn[i]!, ps - 12);
    const at = this.placeFor(vm, ps, pair);
    for (const odd of [0, 1]) {
      const lo = tlb.eloLo[2 * i + odd]!;
      if (!(lo & V)) continue;
      this.elo[4 * at + 2 * odd] = lo;
      this.elo[4 * at + 2 * odd + 1] = tlb.eloHi[2 * i + odd]!;
      this.seen[2 * at + odd] = position;
    }
  }

  /** The translation of a GPA that was seen last; undefined when none is kept. */
  find(vm: number, gpa: number): LastTranslation | undefined {
    let best: LastTranslation | undefined;
    for (let ps = 0; ps < this.sizes.length; ps++) {
      if (!this.sizes[ps]) continue;
      const at = this.placeOf(vm, ps, shr(gpa, ps + 1));
      if (at < 0) continue;
      const odd = lowBits(shr(gpa, ps), 1);
      const lo = this.elo[4 * at + 2 * odd]!;
      const position = this.seen[2 * at + odd]!;
      if (lo & V && (!best || position > best.position))
        best = { lo, hi: this.elo[4 * at + 2 * odd + 1]!, ps, position };
    }
    return best;
  }

  clear(): void {
    this.vm.fill(0);
    this.sizes.fill(0);
  }

  private placeOf(vm: number, ps: number, pair: number): number {
    const first = setOf(vm, pair);
    for (let at = first; at < first + WAYS; at++)
      if (this.vm[at] === vm && this.ps[at] === ps && this.pair[at] === pair) return at;
    return -1;
  }

  /** The entry of a pair: its own, a free one, or the one that was seen longest ago. */
  private placeFor(vm: number, ps: number, pair: number): number {
    const own = this.placeOf(vm, ps, pair);
    if (own >= 0) return own;
    const first = setOf(vm, pair);
    const age = (n: number): number => (this.vm[n] === 0 ? -1 : Math.max(this.seen[2 * n]!, this.seen[2 * n + 1]!));
    let at = first;
    for (let n = first + 1; n < first + WAYS; n++) if (age(n) < age(at)) at = n;
    this.vm[at] = vm;
    this.ps[at] = ps;
    this.pair[at] = pair;
    this.elo.fill(0, 4 * at, 4 * at + 4);
    this.seen.fill(0, 2 * at, 2 * at + 2);
    this.sizes[ps] = 1;
    return at;
  }
}

/** First entry of the set that a pair belongs to. */
const setOf = (vm: number, pair: number): number => {
  const key = Math.imul((pair | 0) ^ Math.imul(vm, 0x85ebca6b), SPREAD);
  return (key >>> 20) * WAYS;
};
