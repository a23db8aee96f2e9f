/**
 * The translated regions of a machine: which instructions are hot, how they are translated in batches, and how regions
 * end when the code that they were made of changes.
 */

import { decode } from '../../isa/decoder.ts';
import type { Row } from '../../isa/row.ts';
import { cellOffset, REGION, REGIONS, sourceOffset, UOP_BYTES, UOPS_PER_PAGE } from '../../memory/layout.ts';
import type { LinearMemory } from '../../memory/linear-memory.ts';
import type { RuntimeClock } from '../../runtime/runtime.ts';
import { assembleModule, type FuncDef, type ModuleParts } from '../../wasm/module.ts';
import { FMA_IMPORTS } from '../fma.ts';
import type { UopCache } from '../uop-cache.ts';
import type { Region, RegionPart, UopPage } from '../uop-page.ts';
import { CodeAround, type CodeSource, DECODE, jumpsInto, type Place, SOME_BRANCHES } from './code-around.ts';
import { type Block, bodyOf, discover, inPage, MAX_INSTRUCTIONS, pageOf } from './discover.ts';
import { HotPages } from './hot-pages.ts';
import { emitRegion } from './region-emitter.ts';
import { BRANCHES_TO_ASK, REGION_FUNCTION } from './region-interface.ts';

/** The number of regions that are translated together in one module. */
const BATCH = 32;
/**
 * Translation may take this part of the running time, plus this many milliseconds. When it takes more, code must be
 * hot for longer before it is translated.
 */
const SHARE = 0.3;
const ALLOWANCE_MS = 100;
/**
 * Code in a long straight run, as unrolled hash functions have it, is hot after fewer branches: as soon as so many instructions were executed
 * behind them.
 */
const WORK = 600_000;
/** The largest number of instructions of a region whose code is in many other regions. */
const LEAST_INSTRUCTIONS = 24;
/**
 * When the regions of a page have ended this often because of writes to the page, the interpreter executes the page
 * for a while.
 */
const MANY_ENDS = 8;

export interface RegionsOptions {
  readonly mem: LinearMemory;
  readonly uops: UopCache;
  /** Does the CPU have this instruction? */
  readonly exists: (row: Row) => boolean;
  /** Must all accesses be aligned? */
  readonly aligned: boolean;
  /** Translate hot code at once, each region in a module of its own. */
  readonly eager: boolean;
  /** Fused multiply-add (fused.ts). */
  readonly fused: Record<string, WebAssembly.ImportValue>;
  /** The clock that measures how long translation takes. */
  readonly clock: RuntimeClock;
}

/** A region that has just been translated. */
export interface Translation {
  /** The page in which it begins, and the page of any position of its instructions. */
  readonly page: UopPage;
  pageOf(at: number): UopPage;
  /** Its blocks. The entry's block is the first. */
  readonly blocks: readonly Block[];
  /** The number of bytes of its function. */
  readonly bytes: number;
  /** A module that contains only its function. */
  readonly parts: ModuleParts;
}

/** The observer of translations. */
export interface TranslationObserver {
  /** An instruction of the page has become hot, in the context that runs. */
  hot(page: UopPage): void;
  translated(translation: Translation): void;
}

/** A region of a batch. */
interface Made {
  readonly region: Region;
  /** Its export. */
  readonly name: string;
  readonly blocks: readonly Block[];
  readonly code: CodeAround;
}

export class Regions {
  readonly table: WebAssembly.Table;
  private readonly mem: LinearMemory;
  private readonly uops: UopCache;
  private readonly codeSource: CodeSource;
  private readonly clock: RuntimeClock;
  private readonly aligned: boolean;
  private readonly cells: number;
  private readonly sources: number;
  /** Micro-ops that are hot and not yet translated, and where they are. */
  private readonly queue = new Map<number, Place | undefined>();
  private readonly batchSize: number;
  private readonly env: Record<string, WebAssembly.ImportValue>;
  private readonly bySlot: (Region | undefined)[] = [];
  /** The number of slots that regions may use. */
  private slots = REGIONS;
  private free: number[] = [];
  /** The number of regions and modules made so far. */
  translated = 0;
  modules = 0;

  constructor({ mem, uops, exists, aligned, eager, fused, clock }: RegionsOptions) {
    this.aligned = aligned;
    this.env = { memory: mem.memory, ...fused };
    this.batchSize = eager ? 1 : BATCH;
    this.mem = mem;
    this.uops = uops;
    this.codeSource = { mem, uops, exists, eager, known: (page) => this.isKnown(page) };
    this.clock = clock;
    this.cells = cellOffset(mem.pool);
    this.sources = sourceOffset(mem.pool);
    this.table = new WebAssembly.Table({ element: 'anyfunc', initial: REGIONS, maximum: REGIONS });
  }

  /** What is hot, by the content of pages: from earlier runs and from this one. */
  hotPages: HotPages | undefined;
  /** The number of branches to an instruction that make it hot. */
  threshold = 0;

  /** Is it known from earlier runs what is hot in a page? */
  private isKnown({ key }: UopPage): boolean {
    return key !== undefined && this.hotPages?.find(key) !== undefined;
  }

  /** A page begins to hold code. What was hot in it earlier is translated at the next branch to it. */
  pageMade(page: UopPage): void {
    if (!this.hotPages) return;
    const first = page.linear >>> 2;
    page.key = HotPages.key(this.mem.u32.subarray(first, first + UOPS_PER_PAGE));
    const known = this.hotPages.find(page.key);
    if (!known || page.breakAt) return;
    for (const entry of known.entries) this.setCell(page.base + entry * UOP_BYTES, this.threshold - 1);
    for (const [to, from] of known.jumps)
      this.mem.i32[((this.sources + page.base / 2) >> 2) + to] = page.base + from * UOP_BYTES;
  }

  /** Called once, with the reason, when nothing is translated any more. */
  onFailure: (reason: string) => void = () => {};
  private failed = false;
  observer: TranslationObserver | undefined;

  /** The program has branched to the micro-op at `p` some times. `place` says where, so that other pages can be found. */
  hot(p: number, place?: Place): void {
    if (this.cell(p) < this.enough(p)) return;
    this.setCell(p, Math.min(SOME_BRANCHES, this.threshold - 1));
    // It is counted again. When it stays hot, this method is called again.
    if (this.failed || this.postponing) return;
    if (this.observer) this.tellHot(p, this.observer);
    this.queue.set(p, place);
    if (this.queue.size >= this.batchSize) this.translate();
  }

  /** How many branches to a micro-op make it hot. */
  private enough(p: number): number {
    const { threshold } = this;
    return threshold <= BRANCHES_TO_ASK ? threshold : Math.min(threshold, WORK / this.straight(p));
  }

  /** How many instructions from the micro-op at `p` on are executed in any case: those up to a branch that were decoded, in its page. */
  private straight(p: number): number {
    const page = this.uops.pageAt(p);
    if (!page || page.linear === 0) return 1;
    const { u16, u32 } = this.mem;
    const first = (p - page.base) / UOP_BYTES;
    const end = Math.min(first + MAX_INSTRUCTIONS, UOPS_PER_PAGE);
    for (let i = first; i < end; i++) {
      if (u16[(page.base + i * UOP_BYTES) >> 1] === DECODE) return i - first || 1;
      const row = decode(u32[(page.linear >>> 2) + i]!);
      if (!row || bodyOf(row).some(({ s }) => s === 'branch' || s === 'jump')) return i - first + 1;
    }
    return end - first;
  }

  private tellHot(p: number, observer: TranslationObserver): void {
    const page = this.uops.pageAt(p);
    if (page) observer.hot(page);
  }

  /** How many milliseconds translation has taken, and when the first translation began. */
  private spent = 0;
  private began = 0;
  private postponing = false;

  /** Translates what is hot. Call it often: it also decides how much may be translated. */
  translate(): void {
    if (this.queue.size > 0) {
      const before = this.clock.now();
      this.began ||= before;
      this.translateQueue();
      this.spent += this.clock.now() - before;
    }
    // With a batch size of 1 the user has asked to translate all hot code at once, so there is no limit.
    if (this.batchSize > 1 && this.began > 0)
      this.postponing = this.spent > ALLOWANCE_MS + SHARE * (this.clock.now() - this.began);
  }

  private translateQueue(): void {
    const entries = [...this.queue];
    this.queue.clear();
    if (this.free.length + this.slots - this.bySlot.length < entries.length) this.clear();
    this.batch(entries);
  }

  private batch(entries: readonly (readonly [p: number, place: Place | undefined])[]): void {
    const made: Made[] = [];
    const functions: FuncDef[] = [];
    // To claim a page may remove other pages, so all pages are claimed before any is read.
    for (const [p] of entries) {
      const page = this.uops.pageAt(p);
      if (page) this.uops.claim(page);
    }
    for (const [p, place] of entries) {
      const page = this.uops.pageAt(p);
      if (!page || page.linear === 0 || this.cell(p) >= REGION || (this.mem.shared && !page.claimed)) continue;
      const entry = (p - page.base) / UOP_BYTES;
      if (page.ends >= MANY_ENDS) {
        // The count decreases, so that the page gets another chance later.
        page.ends--;
        continue;
      }
      // Code that other regions contain already is worth less when many regions contain it.
      let limit = MAX_INSTRUCTIONS;
      for (const r of page.regions) {
        if (r.page === page && covers(r, page, entry, entry)) limit = Math.max(LEAST_INSTRUCTIONS, limit >> 1);
        if (limit === LEAST_INSTRUCTIONS) break;
      }
      const code = new CodeAround(this.codeSource, page, place);
      const blocks = discover(code, entry, limit);
      const parts = partsOf(blocks, code);
      if (parts.length === 0) continue;
      const slot = this.takeSlot();
      const name = `${functions.length}`;
      const { pool, shared } = this.mem;
      const uops = (distance: number): number => code.page(distance)!.base;
      functions.push(emitRegion(name, blocks, { uops, pool, shared, aligned: this.aligned }));
      made.push({ region: { page, entry, slot, parts }, name, blocks, code });
    }
    if (made.length === 0) return;
    let exports: WebAssembly.Exports;
    try {
      exports = this.instantiate(functions);
    } catch (error) {
      // The runtime has no memory left for code. What is translated stays, and the interpreter executes the rest.
      this.failed = true;
      for (const { region } of made) this.free.push(region.slot);
      this.onFailure(error instanceof Error ? error.message : String(error));
      return;
    }
    this.modules++;
    this.translated += made.length;
    for (const { region, name } of made) {
      this.table.set(region.slot, exports[name]);
      this.bySlot[region.slot] = region;
      for (const { page, covered } of region.parts) {
        page.regions.push(region);
        for (const at of covered) this.uops.noteCode(page, at);
      }
      if (region.page.key) this.hotPages?.note(region.page.key, region.entry, this.jumpsOf(region.page));
      this.setCell(region.page.base + region.entry * UOP_BYTES, REGION + region.slot);
    }
    if (this.observer) this.tellTranslated(made, functions, this.observer);
  }

  private tellTranslated(made: readonly Made[], functions: readonly FuncDef[], observer: TranslationObserver): void {
    made.forEach(({ region, blocks, code }, n) => {
      const f = functions[n]!;
      const page = (at: number): UopPage => code.page(pageOf(at))!;
      observer.translated({ page: region.page, pageOf: page, blocks, bytes: f.body.length, parts: this.parts([f]) });
    });
  }

  private parts(functions: readonly FuncDef[]): ModuleParts {
    return {
      shared: this.mem.shared,
      tables: [{ name: 'regions', size: REGIONS }],
      types: [REGION_FUNCTION],
      imports: FMA_IMPORTS,
      functions,
    };
  }

  /** @throws RangeError, WebAssembly.CompileError when the runtime accepts no more code */
  private instantiate(functions: readonly FuncDef[]): WebAssembly.Exports {
    const code = assembleModule(this.parts(functions));
    return new WebAssembly.Instance(new WebAssembly.Module(code), { env: { ...this.env, regions: this.table } })
      .exports;
  }

  /** Computed jumps inside a page, by target: from where they jumped. */
  private jumpsOf(page: UopPage): Map<number, number> {
    const out = new Map<number, number>();
    for (const [from, list] of jumpsInto(this.mem, page)) {
      const at = (from - page.base) / UOP_BYTES;
      if (at >= 0 && at < UOPS_PER_PAGE) for (const to of list) out.set(to, at);
    }
    return out;
  }

  /** Puts the gates of a CPU behind the regions. @returns the slot of the first */
  placeGates(cpu: number, gates: readonly WebAssembly.ExportValue[]): number {
    const first = REGIONS - gates.length * (cpu + 1);
    for (const [k, gate] of gates.entries()) this.table.set(first + k, gate);
    this.slots = Math.min(this.slots, first);
    return first;
  }

  private takeSlot(): number {
    return this.free.pop() ?? this.bySlot.push(undefined) - 1;
  }

  /** Instructions `first` to `last` of a page have changed: the regions that contain one of them end. */
  written(page: UopPage, first: number, last: number): void {
    const hit = page.regions.filter((r) => covers(r, page, first, last));
    if (hit.length === 0) return;
    page.ends++;
    for (const r of hit) this.end(r);
  }

  /** The decoded instructions of the page are dropped. */
  dropPage(page: UopPage): void {
    for (const r of page.regions) this.end(r);
  }

  /** All regions end. */
  clear(): void {
    for (const r of this.bySlot) if (r) this.end(r);
    this.queue.clear();
    this.bySlot.length = 0;
    this.free = [];
  }

  private end(r: Region): void {
    this.setCell(r.page.base + r.entry * UOP_BYTES, 0);
    this.table.set(r.slot, null);
    this.bySlot[r.slot] = undefined;
    this.free.push(r.slot);
    for (const { page } of r.parts) page.regions = page.regions.filter((other) => other !== r);
  }

  private cell(p: number): number {
    return this.mem.u16[(this.cells + (p >>> 2)) >> 1]!;
  }

  private setCell(p: number, value: number): void {
    this.mem.u16[(this.cells + (p >>> 2)) >> 1] = value;
  }
}

function covers({ parts }: Region, page: UopPage, first: number, last: number): boolean {
  const covered = parts.find((part) => part.page === page)!.covered;
  let lo = 0;
  let hi = covered.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (covered[mid]! < first) lo = mid + 1;
    else hi = mid;
  }
  return lo < covered.length && covered[lo]! <= last;
}

/** The instructions of a region, by page. */
function partsOf(blocks: readonly Block[], code: CodeAround): RegionPart[] {
  const byPage = new Map<UopPage, number[]>();
  const add = (at: number): void => {
    const page = code.page(pageOf(at))!;
    const list = byPage.get(page);
    if (list) list.push(inPage(at));
    else byPage.set(page, [inPage(at)]);
  };
  for (const { instructions, end } of blocks) {
    for (const { at } of instructions) add(at);
    if (end.kind === 'stop' && end.gate) add(end.at);
  }
  return [...byPage].map(([page, list]) => ({ page, covered: Uint16Array.from(list).sort() }));
}
