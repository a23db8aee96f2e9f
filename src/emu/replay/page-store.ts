import { PAGE } from '../memory/layout.ts';

/** Pages of a slab. */
const SLAB = 256;
/** The number of the page of zeros. It needs no memory. */
export const ZERO_PAGE = 0;

/** Eight words at a time: pages of zeros are looked at to their end. */
function isZero(page: Uint8Array): boolean {
  const w = new Int32Array(page.buffer, page.byteOffset, PAGE / 4);
  for (let i = 0; i < PAGE / 4; i += 8) {
    const any = w[i]! | w[i + 1]! | w[i + 2]! | w[i + 3]! | w[i + 4]! | w[i + 5]! | w[i + 6]! | w[i + 7]!;
    if (any !== 0) return false;
  }
  return true;
}

/** Contents of pages, by number, each kept as long as it has an owner. */
export class PageStore {
  private readonly slabs: Uint8Array[] = [];
  /** Owners of each content. Number 0 is not in use. */
  private readonly owners: number[] = [0];
  private readonly free: number[] = [];
  private used = 0;

  /** Bytes in use. */
  get bytes(): number {
    return this.used * PAGE;
  }

  /** Copies a page, for one owner. @param page aligned in its buffer; undefined: zeros @returns the number of its content */
  keep(page: Uint8Array | undefined): number {
    if (!page || isZero(page)) return ZERO_PAGE;
    this.used++;
    const n = this.free.pop() ?? this.owners.length;
    if (n > this.slabs.length * SLAB) this.slabs.push(new Uint8Array(SLAB * PAGE));
    this.owners[n] = 1;
    this.place(n).set(page);
    return n;
  }

  /** The content has one more owner. */
  share(n: number): number {
    if (n !== ZERO_PAGE) this.owners[n]!++;
    return n;
  }

  /** The content has one owner less. */
  release(n: number): void {
    if (n === ZERO_PAGE || --this.owners[n]! > 0) return;
    this.used--;
    this.free.push(n);
  }

  /** The content, to be read at once; undefined: zeros. */
  content(n: number): Uint8Array | undefined {
    return n === ZERO_PAGE ? undefined : this.place(n);
  }

  private place(n: number): Uint8Array {
    const at = ((n - 1) % SLAB) * PAGE;
    return this.slabs[Math.floor((n - 1) / SLAB)]!.subarray(at, at + PAGE);
  }
}
