/**
 * The links that `ll` makes, as the other agents of the machine break them (Vol. 1, 2.2.7.4): the store of another CPU or of a
 * device to the cache line takes the link away, whatever value it stores. Stores of the CPU itself do not.
 *
 * One thread runs all CPUs in turns, so only the CPU whose turn it is can store. While another CPU has a link in a page, running code
 * has no cached write translation for the page, and its stores come here. Pages without a link cost nothing.
 */
import { PAGE } from '../memory/layout.ts';
import { CPUCFG_FIELDS } from './cpucfg.ts';

const LINE_SIZE_LOG2 = 24;
/** Bytes of a cache line, as CPUCFG tells them. */
export const CACHE_LINE = 2 ** ((CPUCFG_FIELDS.find((f) => f.name === 'L1D')!.value >>> LINE_SIZE_LOG2) & 0x7f);

const lineOf = (linear: number): number => linear - (linear % CACHE_LINE);
const pageOf = (linear: number): number => linear - (linear % PAGE);

/** What a CPU tells of its links: one of the running world, and one of the world that is not running. */
export interface Linked {
  /** The address in linear memory, −1 when the LL bit is clear. */
  readonly linkedAt: number;
  readonly parkedLinkedAt: number;
  breakLink(): void;
  breakParkedLink(): void;
  /** Cached translations. */
  readonly fast: { clearWrites(linear: number): void };
}

export class Links {
  private readonly cpus: readonly Linked[];

  /** @param cpus all CPUs of the machine */
  constructor(cpus: readonly Linked[]) {
    this.cpus = cpus;
  }

  /** The turn of a CPU begins: its stores to pages with links of others must not pass unseen. */
  beginTurn(cpu: Linked): void {
    for (const other of this.cpus) {
      if (other === cpu) continue;
      const running = other.linkedAt;
      const parked = other.parkedLinkedAt;
      if (running >= 0) cpu.fast.clearWrites(pageOf(running));
      if (parked >= 0) cpu.fast.clearWrites(pageOf(parked));
    }
  }

  /** Does another CPU have a link anywhere? */
  othersLinked(cpu: Linked): boolean {
    for (const other of this.cpus) if (other !== cpu && (other.linkedAt >= 0 || other.parkedLinkedAt >= 0)) return true;
    return false;
  }

  /** Does another CPU have a link in the page at `linear`? */
  othersHave(cpu: Linked, linear: number): boolean {
    const page = pageOf(linear);
    for (const other of this.cpus) {
      if (other === cpu) continue;
      if (pageOf(other.linkedAt) === page || pageOf(other.parkedLinkedAt) === page) return true;
    }
    return false;
  }

  /**
   * An agent stores to a range within a page.
   * @param by the CPU; undefined: a device or a debugger
   */
  stored(by: Linked | undefined, linear: number, size: number): void {
    const first = lineOf(linear);
    const last = lineOf(linear + size - 1);
    for (const cpu of this.cpus) {
      if (cpu === by) continue;
      const running = cpu.linkedAt;
      const parked = cpu.parkedLinkedAt;
      if (running >= first && lineOf(running) <= last) cpu.breakLink();
      if (parked >= first && lineOf(parked) <= last) cpu.breakParkedLink();
    }
  }
}
