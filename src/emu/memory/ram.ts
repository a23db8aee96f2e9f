import { u32At } from '../formats/little-endian.ts';
import { finish, type Steps } from '../runtime/steps.ts';
import { isBytes } from '../state/state-check.ts';
import { PAGE } from './layout.ts';
import type { LinearMemory } from './linear-memory.ts';
import { PageGuard } from './page-guard.ts';
import { PendingPages } from './pending-pages.ts';
import { HIGH_BASE, LOW_SIZE, PLATFORM } from './physical-map.ts';

const CHUNK = 0x100000;
const ROM = PLATFORM.flash0;
/** Value in the table while a thread allocates the chunk. */
const TAKING = 1;
/**
 * Where RAM is larger than linear memory: so many chunks are free before an instruction begins to use memory. It needs 62 at most
 * (two pages, each found by a walk of five tables, each table by a walk of stage 2); and one instruction more never waits.
 */
const ROOM = 128;
const ZEROS = new Uint8Array(PAGE);
/** An exchange makes room for so many chunks more, because it also empties the software TLBs. */
const BATCH = 32;

/**
 * Guest RAM: 1 MiB chunks of linear memory, allocated at the first access, so that a machine needs only the memory that it uses.
 *
 * When RAM is larger than linear memory, chunks that were not used for a while are kept outside ("away"). They come back at the
 * next access of a CPU; accesses of devices and debuggers leave them where they are. Linear addresses are valid until
 * {@link exchange}, which the machine calls between two instructions when {@link crowded} is true.
 */
export class Ram {
  readonly size: number;
  private readonly mem: LinearMemory;
  /** Linear address of each chunk, 0 when it is untouched; behind them the number of chunks in use. */
  private readonly table: Uint32Array;
  private readonly chunks: Uint32Array;
  private readonly count: number;
  /** The table, when several threads use it. */
  readonly sharedTable: SharedArrayBuffer | undefined;
  /** Is RAM larger than linear memory? */
  readonly exchanges: boolean;
  /** Chunks that linear memory has room for now; counted only when RAM is larger. */
  private room = Number.POSITIVE_INFINITY;
  /** Linear addresses that chunks have left. */
  private readonly left: number[] = [];
  /** The content of the chunks that are away, by number. */
  private readonly away = new Map<number, Uint8Array>();
  /** Contents that copies of the machine share: they must not change. */
  private readonly shared = new WeakSet<Uint8Array>();
  /** Arrays for the next chunks that leave. */
  private readonly spare: Uint8Array[] = [];
  /** Told before a page changes. */
  readonly guard: PageGuard;
  /** Pages that get their content when they are used. Where chunks are exchanged, there are none. */
  readonly pending: PendingPages;
  /** For each chunk: has the CPU asked for its address since the last exchange? */
  private readonly used: Uint8Array;
  /** The chunk that is looked at next. */
  private hand = 0;

  /**
   * @param size bytes, a multiple of 1 MiB
   * @param table of {@link Ram.tableBytes} bytes, zero at first, when several threads share the RAM
   */
  constructor(mem: LinearMemory, size: number, table?: SharedArrayBuffer) {
    this.mem = mem;
    this.size = size;
    this.sharedTable = table;
    this.table = new Uint32Array(table ?? new ArrayBuffer(Ram.tableBytes(size)));
    this.count = size / CHUNK;
    this.chunks = this.table.subarray(0, this.count);
    this.used = new Uint8Array(this.count);
    this.guard = new PageGuard(size / PAGE);
    this.pending = new PendingPages(size / PAGE);
    const places = Math.floor(mem.ramBytes / CHUNK);
    this.exchanges = table === undefined && places < this.count + ROM.size / CHUNK;
    if (this.exchanges) this.room = places;
  }

  /** Bytes of the table that threads share for RAM of `size` bytes. */
  static tableBytes(size: number): number {
    return (size / CHUNK + 2) * 4;
  }

  /** Linear address of the flash that firmware runs from, 0 when there is none. */
  private get rom(): number {
    return this.table[this.count + 1]!;
  }

  /** Puts firmware into the flash that it runs from. Stores cannot change it. */
  placeRom(content: Uint8Array): void {
    if (this.rom === 0) {
      const first = Atomics.add(this.table, this.count, ROM.size / CHUNK);
      this.table[this.count + 1] = this.mem.ramStart + first * CHUNK;
      this.room -= ROM.size / CHUNK;
    }
    this.mem.u8.fill(0xff, this.rom, this.rom + ROM.size);
    this.mem.u8.set(content.subarray(0, ROM.size), this.rom);
  }

  private inRom(pa: number): boolean {
    return pa >= ROM.base && pa < ROM.base + ROM.size && this.rom !== 0;
  }

  /**
   * Gives chunk number `index` a linear address, and its content if it was away. Another thread may do the same at this time.
   * @returns its linear address
   */
  private take(index: number): number {
    const free = this.left.pop();
    if (free !== undefined) {
      this.room--;
      this.table[index] = free;
      this.bring(index, free);
      return free;
    }
    if (Atomics.compareExchange(this.table, index, 0, TAKING) === 0) {
      const at = this.mem.ramStart + Atomics.add(this.table, this.count, 1) * CHUNK;
      if (at + CHUNK > this.mem.ramStart + this.mem.ramBytes) {
        Atomics.sub(this.table, this.count, 1);
        Atomics.store(this.table, index, 0);
        throw new Error('guest RAM: the guest has touched more RAM than the emulator can hold: use a smaller --memory');
      }
      this.room--;
      if (this.away.has(index)) this.bring(index, at);
      Atomics.store(this.table, index, at);
    }
    for (;;) {
      const at = Atomics.load(this.table, index);
      if (at !== TAKING) return at;
    }
  }

  /** Puts the content of a chunk to the linear address that it has got. */
  private bring(index: number, at: number): void {
    const content = this.away.get(index);
    if (!content) {
      this.mem.u8.fill(0, at, at + CHUNK);
      return;
    }
    this.mem.u8.set(content, at);
    this.away.delete(index);
    if (!this.shared.has(content) && this.spare.length < BATCH) this.spare.push(content);
  }

  /** Must an exchange come before the next use of memory? */
  get crowded(): boolean {
    return this.room < ROOM;
  }

  /**
   * Takes chunks out of linear memory that were not used since the last exchange. Linear addresses of RAM that are kept anywhere
   * are wrong afterwards.
   * @param pinned linear addresses whose chunks stay
   * @throws Error when the computer has no memory left
   */
  exchange(pinned: readonly number[]): void {
    const stays = (at: number): boolean => pinned.some((p) => p >= at && p < at + CHUNK);
    // In the second round no chunk counts as used.
    for (let looked = 0; this.room < ROOM + BATCH && looked < 2 * this.count; looked++) {
      const index = this.hand;
      this.hand = (index + 1) % this.count;
      const at = this.chunks[index]!;
      if (at === 0) continue;
      if (this.used[index]) this.used[index] = 0;
      else if (!stays(at)) this.dismiss(index, at);
    }
  }

  private static newContent(): Uint8Array {
    try {
      return new Uint8Array(CHUNK);
    } catch {
      throw new Error(
        'guest RAM: the computer has no memory left for what the guest has touched: use a smaller --memory',
      );
    }
  }

  private dismiss(index: number, at: number): void {
    const content = this.spare.pop() ?? Ram.newContent();
    content.set(this.mem.u8.subarray(at, at + CHUNK));
    this.away.set(index, content);
    this.chunks[index] = 0;
    this.left.push(at);
    this.room++;
  }

  /** The content of a chunk that is away, or that goes there because linear memory is full, to be changed; undefined else. */
  private outside(index: number): Uint8Array | undefined {
    if (!this.exchanges || this.chunks[index] !== 0) return undefined;
    const content = this.away.get(index);
    if (!content && this.room > ROOM + BATCH) return undefined;
    if (content && !this.shared.has(content)) return content;
    const own = content?.slice() ?? Ram.newContent();
    this.away.set(index, own);
    return own;
  }

  /** Contents that lie outside linear memory. */
  get outsideContents(): Iterable<Uint8Array> {
    return this.away.values();
  }

  /** The physical address of a linear one in RAM, or −1. */
  physicalAddress(linear: number): number {
    const index = this.chunks.findIndex((at) => at > TAKING && linear >= at && linear < at + CHUNK);
    return index < 0 ? -1 : this.firstOf(index) + linear - this.chunks[index]!;
  }

  /** Linear address of the end of the chunks in use. */
  private get next(): number {
    return this.mem.ramStart + this.table[this.count]! * CHUNK;
  }

  /** RAM byte number of a physical address, or −1 outside RAM. */
  private block(pa: number): number {
    if (pa < Math.min(this.size, LOW_SIZE)) return pa;
    if (pa >= HIGH_BASE && pa < HIGH_BASE + this.size - LOW_SIZE) return pa - HIGH_BASE + LOW_SIZE;
    return -1;
  }

  /** True when `pa` is RAM. */
  has(pa: number): boolean {
    return this.block(pa) >= 0;
  }

  /** True when a whole range is RAM. */
  covers(pa: number, length: number): boolean {
    return length === 0 || (this.has(pa) && this.block(pa + length - 1) - this.block(pa) === length - 1);
  }

  /** The bytes of a range that is RAM as a whole; undefined else. */
  whole(pa: number, length: number): Uint8Array | undefined {
    return this.covers(pa, length) ? this.read(pa, length) : undefined;
  }

  /**
   * The linear address of a physical address, or −1 outside RAM. It is valid up to the end of its page, and until the next
   * {@link exchange}.
   * @throws Error when more RAM has been touched than 32-bit linear memory holds
   */
  linearAddress(pa: number): number {
    const block = this.block(pa);
    if (block < 0) return this.inRom(pa) ? this.rom + pa - ROM.base : -1;
    if (this.pending.count > 0) this.pending.use(Math.floor(block / PAGE));
    const index = Math.floor(block / CHUNK);
    this.used[index] = 1;
    let at = this.chunks[index]!;
    if (at <= TAKING) at = this.take(index);
    return at + (block % CHUNK);
  }

  /** Does the 1 MiB chunk of a physical address in RAM hold what it should? */
  settled(pa: number): boolean {
    return !this.pending.near(Math.floor(this.block(pa) / PAGE));
  }

  /** The linear address that a physical address has now, or −1: outside RAM, not touched yet, or away. Nothing changes. */
  presentAt(pa: number): number {
    const block = this.block(pa);
    if (block < 0) return this.inRom(pa) ? this.rom + pa - ROM.base : -1;
    const at = this.chunks[Math.floor(block / CHUNK)]!;
    return at <= TAKING ? -1 : at + (block % CHUNK);
  }

  /** {@link linearAddress} for a store: −1 where stores are impossible. */
  storable(pa: number): number {
    return this.has(pa) ? this.linearAddress(pa) : -1;
  }

  /** The linear address of the page of `pa`, or −1. */
  linearPage(pa: number): number {
    return this.linearAddress(pa - (pa % PAGE));
  }

  /** The page of a physical address in RAM is about to change. Every change of RAM begins with this. */
  touch(pa: number): void {
    if (!this.guard.on) return;
    const block = this.block(pa);
    if (block >= 0) this.guard.touch(Math.floor(block / PAGE));
  }

  /** Copies bytes in. @throws RangeError when the range leaves RAM */
  write(pa: number, data: Uint8Array): void {
    if (this.guard.on) this.touchAll(pa, data.length);
    this.put(pa, data);
  }

  private touchAll(pa: number, length: number): void {
    for (let at = pa; at < pa + length; at += PAGE - (at % PAGE)) this.touch(at);
  }

  private put(pa: number, data: Uint8Array): void {
    for (let done = 0; done < data.length; ) {
      const n = Math.min(data.length - done, CHUNK - ((pa + done) % CHUNK));
      const part = data.subarray(done, done + n);
      const block = this.block(pa + done);
      const outside = block < 0 ? undefined : this.outside(Math.floor(block / CHUNK));
      if (outside) outside.set(part, block % CHUNK);
      else {
        const at = this.linearAddress(pa + done);
        if (at < 0) throw new RangeError(`physical address 0x${(pa + done).toString(16)} is not RAM`);
        this.mem.u8.set(part, at);
      }
      done += n;
    }
  }

  /** Physical address of a page by number. */
  pageAddress(page: number): number {
    const block = page * PAGE;
    return block < LOW_SIZE ? block : block - LOW_SIZE + HIGH_BASE;
  }

  /** The content of a page by number, to be read at once; undefined: it was never touched, and is all zeros. */
  page(page: number): Uint8Array | undefined {
    this.pending.settle(page);
    const index = Math.floor((page * PAGE) / CHUNK);
    const from = (page * PAGE) % CHUNK;
    const at = this.chunks[index]!;
    if (at > TAKING) return this.mem.u8.subarray(at + from, at + from + PAGE);
    return this.away.get(index)?.subarray(from, from + PAGE);
  }

  /** Gives a page an earlier content; the guard is not told. @param content undefined: zeros */
  putPage(page: number, content: Uint8Array | undefined): void {
    const index = Math.floor((page * PAGE) / CHUNK);
    const at = this.chunks[index]!;
    if (at > TAKING) {
      const from = at + ((page * PAGE) % CHUNK);
      this.used[index] = 1;
      if (content) this.mem.u8.set(content, from);
      else this.mem.u8.fill(0, from, from + PAGE);
    } else if (content) this.put(this.pageAddress(page), content);
    else if (this.page(page)) this.put(this.pageAddress(page), ZEROS);
  }

  /** Copies bytes out. Untouched RAM reads 0 and stays untouched. Stops at the end of RAM. */
  read(pa: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const block = this.block(pa + done);
      if (block < 0) {
        if (!this.inRom(pa + done)) break;
        out[done] = this.mem.u8[this.linearAddress(pa + done)]!;
        done++;
        continue;
      }
      const n = Math.min(length - done, CHUNK - ((pa + done) % CHUNK));
      if (this.pending.count > 0)
        for (let at = block; at < block + n; at += PAGE - (at % PAGE)) this.pending.settle(Math.floor(at / PAGE));
      const index = Math.floor(block / CHUNK);
      const chunk = this.chunks[index]!;
      const from = block % CHUNK;
      if (chunk !== 0) out.set(this.mem.u8.subarray(chunk + from, chunk + from + n), done);
      else if (this.away.size > 0) {
        const outside = this.away.get(index);
        if (outside) out.set(outside.subarray(from, from + n), done);
      }
      done += n;
    }
    return out.subarray(0, done);
  }

  /** The aligned word at a physical address, or undefined outside RAM. Like {@link read} it changes nothing. */
  word(pa: number): number | undefined {
    const block = this.block(pa);
    if (this.pending.count > 0 && block >= 0) this.pending.settle(Math.floor(block / PAGE));
    const at = block < 0 ? 0 : this.chunks[Math.floor(block / CHUNK)]!;
    return at > TAKING ? this.mem.u32[(at + (block % CHUNK)) >>> 2] : u32At(this.read(pa, 4));
  }

  /** Copies of the touched chunks by chunk number. */
  save(): Map<number, Uint8Array> {
    return finish(this.saving());
  }

  /** {@link save} in pieces, between which RAM must not change. */
  *saving(): Steps<Map<number, Uint8Array>> {
    this.pending.settleAll();
    const out = new Map<number, Uint8Array>();
    for (const [n, at] of this.chunks.entries()) {
      if (at === 0) continue;
      out.set(n, this.mem.u8.slice(at, at + CHUNK));
      yield;
    }
    for (const [n, bytes] of this.away) {
      this.shared.add(bytes);
      out.set(n, bytes);
    }
    return out;
  }

  /** Is it a copy that {@link restore} can take? */
  accepts(copy: unknown): copy is ReadonlyMap<number, Uint8Array> {
    const isChunk = ([n, bytes]: [unknown, unknown]): boolean =>
      Number.isInteger(n) &&
      (n as number) >= 0 &&
      (n as number) < this.count &&
      isBytes(bytes) &&
      bytes.length === CHUNK;
    return copy instanceof Map && [...copy].every(isChunk);
  }

  /** Restores RAM from a copy. Chunks that are not in it become zero. */
  restore(copy: ReadonlyMap<number, Uint8Array>): void {
    this.pending.forget();
    this.guard.replaced();
    this.away.clear();
    for (const [n, bytes] of copy) {
      if (this.exchanges && this.chunks[n] === 0) {
        this.shared.add(bytes);
        this.away.set(n, bytes);
      } else this.linearAddress(this.firstOf(n));
    }
    this.chunks.forEach((at, n) => {
      if (at === 0) return;
      const bytes = copy.get(n);
      if (bytes) this.mem.u8.set(bytes, at);
      else this.mem.u8.fill(0, at, at + CHUNK);
    });
  }

  /** Physical address of the first byte of a chunk. */
  private firstOf(n: number): number {
    const block = n * CHUNK;
    return block < LOW_SIZE ? block : block - LOW_SIZE + HIGH_BASE;
  }

  /** The touched chunks in ascending order: physical address and content. */
  touchedChunks(): [pa: number, content: Uint8Array][] {
    this.pending.settleAll();
    return [...this.chunks].flatMap((at, n): [number, Uint8Array][] => {
      const content = at === 0 ? this.away.get(n) : this.mem.u8.subarray(at, at + CHUNK);
      return content ? [[this.firstOf(n), content]] : [];
    });
  }

  /** The pages of the touched chunks in ascending order: number, and content to be read at once. */
  *touchedPages(): Generator<[page: number, content: Uint8Array]> {
    this.pending.settleAll();
    for (let n = 0; n < this.count; n++) {
      const at = this.chunks[n]!;
      const content = at === 0 ? this.away.get(n) : this.mem.u8.subarray(at, at + CHUNK);
      if (!content) continue;
      for (let from = 0; from < CHUNK; from += PAGE)
        yield [(n * CHUNK + from) / PAGE, content.subarray(from, from + PAGE)];
    }
  }

  /** Bytes of memory in use for RAM. */
  get touched(): number {
    return this.next - this.mem.ramStart + (this.away.size - this.left.length) * CHUNK;
  }

  /** Power-on contents: all zero. */
  clear(): void {
    if (this.guard.on) for (const [pa, content] of this.touchedChunks()) this.touchAll(pa, content.length);
    this.away.clear();
    this.mem.u8.fill(0, this.mem.ramStart, this.next);
  }
}
