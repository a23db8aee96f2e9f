/**
 * Decoded code and the stores of other threads. A page of RAM is held by participants as a place that they may store to, or
 * as code that they have decoded; whoever wants the one has all others give up the other first. So a store to code of another
 * CPU costs a round trip when it is the first since that CPU decoded it, and nothing in between.
 *
 * Participants give pages up between slices of instructions, at `ibar`, and while they wait for something themselves. What one
 * holds is stable otherwise.
 */
import type { CodeCoherence } from '../engine/uop-cache.ts';
import { COMMAND, type ControlBlock } from './control-block.ts';

const PAGE_BITS = 12;
/** Kinds of requests, in the low bit. */
const GIVE_UP_STORES = 0;
const GIVE_UP_CODE = 1;
/** A bell that is rung while nobody listens is heard after so many milliseconds. */
const PATIENCE_MS = 1;

/** What a participant does when others ask. `linear`: place of a page of RAM in linear memory. */
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
      // Whoever has come to store in between has not seen the bit, or else asks for it.
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
