/**
 * Limits the file descriptors of a shared folder. An object that is only looked up can live without its descriptor for some time:
 * the one with the longest time since its last use gives its descriptor up first, and is looked up again by its name later.
 */
import { readFileSync } from 'node:fs';
import { ERRNO, P9Error } from '../../emu/devices/virtio/p9-files.ts';

const MOST = 4096;
const LEAST = 64;
/** A folder may use one part in so many of the descriptors of the process, because there may also be other folders, disks and debuggers. */
const PART = 8;
const USUAL_LIMIT = 1024;

/** An object that can give up its descriptor. */
export interface Parkable {
  /** Is it in use now? */
  readonly pinned: boolean;
  park(): void;
}

/** Most descriptors of one folder, from the limit of the process. */
export function descriptorLimit(): number {
  let limit = USUAL_LIMIT;
  try {
    const m = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    if (m) limit = Number(m[1]);
  } catch {
    // The limit cannot be read: use the usual limit.
  }
  return Math.max(LEAST, Math.min(MOST, Math.floor(limit / PART)));
}

export class Descriptors {
  private readonly limit: number;
  /** Objects that can give up their descriptor, those with the oldest use first. */
  private readonly parkable = new Set<Parkable>();
  private fixed = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Descriptors in use. */
  get count(): number {
    return this.parkable.size + this.fixed;
  }

  /** Makes room for descriptors that will be opened now. @throws P9Error when there is none */
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

  /** Call when an object is used and has a descriptor. */
  used(one: Parkable): void {
    this.parkable.delete(one);
    this.parkable.add(one);
  }

  /** Call when an object has closed its descriptor; or when it keeps it, together with {@link fix}. */
  gone(one: Parkable): void {
    this.parkable.delete(one);
  }

  /** Counts one more descriptor that cannot be given up. */
  fix(): void {
    this.fixed++;
  }

  /** Counts one of these less. */
  unfix(): void {
    this.fixed--;
  }
}
