/**
 * How many descriptors of the host a shared folder takes. Objects that are only looked up can do without theirs for a while:
 * those that have not been used for the longest time give them up first, and are looked up again by their names.
 */
import { readFileSync } from 'node:fs';
import { ERRNO, P9Error } from '../../emu/devices/virtio/p9-files.ts';

const MOST = 4096;
const LEAST = 64;
/** A folder takes one part in so many of what the process may have: there may be several, and disks, and debuggers. */
const PART = 8;
const USUAL_LIMIT = 1024;

/** What gives its descriptor up. */
export interface Parkable {
  /** Is it in use at this moment? */
  readonly pinned: boolean;
  park(): void;
}

/** Descriptors that one folder may take, from what the process may have. */
export function descriptorLimit(): number {
  let limit = USUAL_LIMIT;
  try {
    const m = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    if (m) limit = Number(m[1]);
  } catch {
    // Not to be read: the usual limit is a safe guess.
  }
  return Math.max(LEAST, Math.min(MOST, Math.floor(limit / PART)));
}

export class Descriptors {
  private readonly limit: number;
  /** Those that can be parked, the longest unused one first. */
  private readonly parkable = new Set<Parkable>();
  private fixed = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Descriptors in use. */
  get count(): number {
    return this.parkable.size + this.fixed;
  }

  /** Makes room for descriptors that are about to be opened. @throws P9Error when there is none */
  reserve(count = 1): void {
    if (this.count + count <= this.limit) return;
    for (const one of this.parkable) {
      if (one.pinned) continue;
      this.parkable.delete(one);
      one.park();
      if (this.count + count <= this.limit) return;
    }
    throw new P9Error(ERRNO.ENFILE);
  }

  /** It is in use now, and has a descriptor. */
  used(one: Parkable): void {
    this.parkable.delete(one);
    this.parkable.add(one);
  }

  /** It has closed its descriptor, or will keep it: then with {@link fix}. */
  gone(one: Parkable): void {
    this.parkable.delete(one);
  }

  /** One more that cannot be parked. */
  fix(): void {
    this.fixed++;
  }

  /** One of these less. */
  unfix(): void {
    this.fixed--;
  }
}
