/**
 * Coherence between decoded code and the stores of other threads. A participant holds a page of RAM either for stores, or
 * for the code that it has decoded. Before it takes the page for one use, all others give up the other use. So a store to code of another
 * CPU costs a round trip only if it is the first one since that CPU has decoded the code.
 *
 * Participants give up pages between slices of instructions, at `ibar`, and while they wait. At all other times the pages that
 * a participant holds do not change.
 */
import type { CodeCoherence } from '../engine/uop-cache.ts';
import { COMMAND, type ControlBlock } from './control-block.ts';

const PAGE_BITS = 12;
/** Kinds of requests, in the low bit. */
const GIVE_UP_STORES = 0;
const GIVE_UP_CODE = 1;
/** A wait checks the bell again after so many milliseconds, in case that a ring was missed. */
const PATIENCE_MS = 1;

/** The actions of a participant on requests of others. `linear`: linear address of a page of RAM. */
export interface Holder {
  giveUpStores(linear: number): void;
  giveUpCode(linear: number): void;
}

export class Coherence implements CodeCoherence {
  private readonly block: ControlBlock;
  private readonly self: number;
  private readonly mine: number;
  private readonly ramStart: number;
  private readonly holder: Holder;

  /** @param ramStart where RAM begins in linear memory */
  constructor(block: ControlBlock, self: number, ramStart: number, holder: Holder) {
    this.block = block;
    this.self = self;
    this.mine = 1 << self;
    this.ramStart = ramStart;
    this.holder = holder;
  }

  private pageOf(linear: number): number {
    return (linear - this.ramStart) >>> PAGE_BITS;
  }

  claimCode(linear: number): void {
    const page = this.pageOf(linear);
    const { stores, code } = this.block;
    while (!this.ended) {
      this.haveGivenUp(page, stores, GIVE_UP_STORES);
      Atomics.or(code, page, this.mine);
      // A participant that has begun to store in the meantime has either not seen the bit, or requests the page.
      if ((Atomics.load(stores, page) & ~this.mine) === 0) return;
      Atomics.and(code, page, ~this.mine);
    }
  }

  claimStores(linear: number): void {
    const page = this.pageOf(linear);
    const { stores, code } = this.block;
    if (Atomics.load(stores, page) & this.mine && (Atomics.load(code, page) & ~this.mine) === 0) return;
    while (!this.ended) {
      Atomics.or(stores, page, this.mine);
      if ((Atomics.load(code, page) & ~this.mine) === 0) return;
      this.haveGivenUp(page, code, GIVE_UP_CODE);
    }
  }

  private get ended(): boolean {
    return this.self < this.block.cpus && this.block.command(this.self) !== COMMAND.run;
  }

  /** Waits until no other participant holds the page in that way. */
  private haveGivenUp(page: number, table: Uint16Array<SharedArrayBuffer>, kind: number): void {
    const { block, self } = this;
    const others = Atomics.load(table, page) & ~this.mine;
    if (others === 0) return;
    for (let n = 0; n <= block.cpus; n++) if (others & (1 << n)) block.ask(n, self, page * 2 + kind + 1);
    for (let n = 0; n <= block.cpus; n++) {
      while (others & (1 << n) && block.request(n, self) !== 0 && !this.ended) {
        const heard = block.bell(self);
        this.synchronize();
        if (block.request(n, self) !== 0) block.sleep(self, heard, PATIENCE_MS);
      }
    }
  }

  synchronize(): void {
    const { block, self } = this;
    for (let from = 0; from <= block.cpus; from++) {
      const request = block.request(self, from);
      if (request === 0) continue;
      const page = (request - 1) >>> 1;
      const linear = this.ramStart + page * 2 ** PAGE_BITS;
      if ((request - 1) & GIVE_UP_CODE) {
        this.holder.giveUpCode(linear);
        Atomics.and(block.code, page, ~this.mine);
      } else {
        this.holder.giveUpStores(linear);
        Atomics.and(block.stores, page, ~this.mine);
      }
      block.grant(self, from);
    }
  }
}
