/**
 * The one linear memory: per-CPU state, software TLBs, decoded instructions and guest RAM.
 * Addresses are byte offsets into the WebAssembly memory.
 *
 *   0x0000_0000  64 KiB   unused, so that offset 0 is never valid
 *   per CPU      1.7 MiB  state page, software TLB sets, entries of the TLBs
 *   then                  the pool of decoded instructions; with a thread for each CPU, a pool for each:
 *                           micro-op pages
 *                           a cell of two bytes for each micro-op: a counter of branches to it, or its region
 *                           four bytes for each micro-op: the micro-op that last jumped there
 *                           for each micro-op page the words of its page that are code, a bit each
 *                           for each page of linear memory whether it may hold code, a bit each
 *   then                  guest RAM chunks, allocated at the first access
 */
export const WASM_PAGE = 0x10000;
export const CPU_BASE = 0x10000;
export const CPU_STRIDE = 0x1b0000;

/** Offsets inside a CPU's state page, in bytes. */
export const STATE = {
  /** 32 × i64. r0 is never written. */
  gpr: 0x000,
  /** i64: address of the next instruction whenever the engine is stopped. */
  pc: 0x100,
  /** i32: the rest of the instruction budget when `run` returns. */
  left: 0x108,
  /** i64 scratch: virtual address of a slow access. */
  va: 0x110,
  /** i64 scratch: helper arguments. */
  argA: 0x118,
  argB: 0x120,
  /** 32 bytes scratch: value of a slow access, result of a helper. */
  value: 0x128,
  /** i32, i32, i64: LL bit of the running world, linear address and value of the last LL. */
  llBit: 0x148,
  llLinear: 0x14c,
  llValue: 0x150,
  /** i32: offsets of the software TLB arrays of the current translation context. */
  readTlb: 0x158,
  writeTlb: 0x15c,
  fetchTlb: 0x160,
  /** i32: PLV in bits 1:0, and MODE_ bits. */
  mode: 0x164,
  /** 32 × 32 bytes: f/vr/xr file. */
  fpr: 0x200,
  fcsr: 0x600,
  fcc: 0x608,
  /** LBT: scr0–3, 8 bytes each; i64 flags at their places in x86's EFLAGS; i64 top of the x87 stack. */
  scr: 0x610,
  eflags: 0x630,
  ftop: 0x638,
  /**
   * i32: 0, or one more than the code of a floating-point operation whose Cause must still be computed (fpu/fpu.ts,
   * "settle"); from VECTOR_PENDING on, of a vector operation. 3 × 32 bytes: its operands.
   */
  fpPending: 0x640,
  /** i32: exceptions delivered since the last `ertn`. */
  nesting: 0x644,
  fpA: 0x660,
  fpB: 0x680,
  fpC: 0x6a0,
  /** CSR banks, 8 bytes a register, indexed by CSR number. */
  hostCsr: 0x1000,
  guestCsr: 0x4000,
  /** The following fields are not part of a snapshot. i32: there is an observer of CSR accesses. */
  csrWatched: 0x8000,
  /** i32: there is an observer of exceptions that are not VM exits. */
  exceptionsWatched: 0x8004,
  /** f64: stable counter at the end of the slice. */
  sliceEnd: 0x8008,
  /** i32: the stable counter follows real time, or there is an observer of reads of it. */
  timeWatched: 0x8010,
  /** i32 of {@link FILLS}: what the software TLB may be filled with by generated code (mmu/resolve.ts). */
  fills: 0x8014,
  /** {@link REPORT}: the description of the exception that TypeScript delivers next. */
  report: 0x8018,
  /** By CSR number: a byte of CSR_RULE bits; 8 bytes each: bits that the owner and that root may write. */
  csrRules: 0x8800,
  csrOwnMask: 0x9000,
  csrRootMask: 0xc000,
  /**
   * By contextSlot (cpu/context-slot.ts): i32 address of the software TLB set, 0 when it is not known,
   * and i32 mode word (cpu.ts, "modeChanged").
   */
  contextSets: 0xf000,
  contextModes: 0xf080,
  /** A bit for each 8 bytes of a page: they are watched in at least one watched page. */
  watchedOffsets: 0xf100,
  /** i32: where {@link codePagesBase} is. */
  codePages: 0xf140,
  /** i32: where {@link openPagesBase} is, if emitted code may fill in stores to these pages only; otherwise 0. */
  openPages: 0xf148,
  /** i32: the last access that the software TLB did not have has no entry in the TLB of its world either (mmu/resolve.ts). */
  missed: 0xf144,
  /** i32: where the gates of the CPU are in the table of regions (engine/gates.ts). */
  gates: 0xf14c,
} as const;
/** In STATE.fills: translations for loads, and those for stores. */
export const FILLS = { loads: 1, stores: 2 } as const;
/**
 * In the tag of a data translation: parts of the page are watched; or (for writing) parts of it hold code. With such a bit the
 * tag is never equal to an address.
 */
export const TAG_WATCHED = 0x800;
export const TAG_CODE = 0x400;
/**
 * Accesses that need only the memory of the CSR: reads and writes by the host and by the guest of its own register, and `gcsr` by root.
 * `switchIe`: those writes of the host that change nothing but CRMD.IE, while no interrupt waits for it. `unchanged`: those that change
 * nothing.
 */
// biome-ignore format: one line
export const CSR_RULE = { hostRead: 1, guestRead: 2, hostWrite: 4, switchIe: 8, rootRead: 16, rootWrite: 32, unchanged: 64 } as const;
/** From a host CSR to the same one of the guest, in bytes, divided by MODE_GUEST. */
export const GUEST_BANK_FACTOR = 0xc00;
export type StateField = keyof typeof STATE;

/** In STATE.fpPending, codes from here on are vector operations. */
export const VECTOR_PENDING = 0x10000;

/** A CPU's state page: registers and CSR banks. */
export const CPU_STATE_BYTES = 0x8000;

/** CSR numbers below this have storage. */
export const CSR_LIMIT = 0x600;
/** Bits of the mode word beside PLV: guest mode, and from bit 3 on the units that are disabled, in the order of EUEN. */
export const MODE_GUEST = 4;
export const MODE_UNITS_OFF = 8;

/** Software TLB geometry: entries of 16 bytes {i64 tag, i32 value, i32 unused}. */
export const TLB_ENTRIES = 4096;
export const FETCH_ENTRIES = 1024;
export const TLB_SETS = 8;
/**
 * Behind the entries of a set: i32 of how many were filled since it was empty, and from `first` on the numbers of those, one i32 each.
 * More than `length` are not recorded.
 */
export const JOURNAL = {
  filled: (2 * TLB_ENTRIES + FETCH_ENTRIES) * 16,
  first: (2 * TLB_ENTRIES + FETCH_ENTRIES) * 16 + 16,
  length: 256,
} as const;
export const TLB_SET_BYTES = JOURNAL.first + 4 * JOURNAL.length;
export const TLB_SETS_OFFSET = 0x50000;
/** The entries of the TLBs (tlb/tlb.ts), by type: those of each type are TLB_ARRAYS.bytes long. */
export const TLB_ARRAYS_OFFSET = { host: 0x173000, guest: 0x173000 + 0xe800 } as const;
/**
 * Writers of pages: for pages of linear memory, by the low bits of their number, i32 of the address of the software TLB entry that
 * translates stores to them (tlb/fast-tlb.ts); 0: none does.
 */
export const PAGE_WRITERS = { offset: 0x190000, count: 0x8000 } as const;
/** In place of the address: more than one entry may. */
export const SEVERAL_WRITERS = -1;
/**
 * Chunks of RAM that the slow path has met, by the low bits of their number: i32 of the number plus one, i32 of the linear address.
 * Empty where chunks may leave linear memory.
 */
export const CHUNKS = { offset: 0x43000, count: 1024, shift: 20 } as const;
/** The last write of each CSR (csr-writers.ts): by the host to its own CSRs, and by the host to the guest bank. */
export const WRITERS_OFFSET = { hostOwn: 0x10000, hostToBank: 0x20000 } as const;
/**
 * The event ring (event-ring.ts): EVENTS records of EVENT_BYTES, then f64 of their times, then f64 counters by Ecode of exceptions in
 * the host, exceptions in guests and VM exits; i32 of the next place in the ring, f64 of events so far.
 */
export const EVENTS = 1024;
export const EVENT_BYTES = 64;
/** A record: i32 of EVENT_KIND, i32 of the world, i32 of the codes, i64 of the PC, of BADV and so on (event-ring.ts). */
export const EVENT = {
  kind: 0,
  world: 4,
  ecode: 8,
  esub: 12,
  pc: 16,
  badv: 24,
  badi: 32,
  va: 36,
  vector: 44,
  crmd: 52,
} as const;
/** The kind of event, in the bits of `mask`, and flags that say which fields of the record are valid. */
export const EVENT_KIND = { exception: 0, exit: 1, entry: 2, mask: 3, hasBadv: 4, stage2: 8 } as const;
/**
 * STATE.report: i64 of BADV and of the virtual address behind it, f64 of the time, i32 of the codes as in ESTAT 30:16, i32 of
 * EVENT_KIND, i32 of the instruction word or the interrupt's number.
 */
export const REPORT = { badv: 0, va: 8, time: 16, code: 24, kind: 28, badi: 32 } as const;
export const EVENTS_OFFSET = {
  records: 0x30000,
  times: 0x40000,
  hostExceptions: 0x42000,
  guestExceptions: 0x42200,
  exits: 0x42400,
  next: 0x42600,
  total: 0x42608,
} as const;
/** Inside each: 8 bytes of PC, 8 bytes of time (f64) and 4 bytes of each half of the value, by CSR number. */
export const WRITERS = { pc: 0, time: 0x3000, high: 0x6000, low: 0x7800 } as const;
/** A tag that no address is equal to, because a masked address never has all of bits 11:0 set. */
export const TLB_INVALID = -1;

/** Page size of software TLB entries, RAM chunk granularity of translation. */
export const PAGE = 4096;
/** Micro-ops: 8 bytes an instruction, 1024 a page, one sentinel. */
export const UOP_BYTES = 8;
export const UOPS_PER_PAGE = PAGE / 4;
export const UOP_PAGE_BYTES = UOPS_PER_PAGE * UOP_BYTES + UOP_BYTES;
/** How many pages of decoded instructions are kept. */
export const UOP_PAGES = 4096;

/** Offset of CPU `n`'s state page. */
export const cpuBase = (n: number): number => CPU_BASE + n * CPU_STRIDE;
/** A bit for each instruction of a decoded page: it was decoded or translated, and has not changed since. */
export const CODE_BITS_BYTES = UOPS_PER_PAGE / 8;
const ALL_UOPS = UOP_PAGES * UOP_PAGE_BYTES;
/** A bit for each page of linear memory. */
export const PAGE_BITS_BYTES = 2 ** 32 / PAGE / 8;
const POOL_BYTES =
  Math.ceil(((ALL_UOPS * 7) / 4 + UOP_PAGES * CODE_BITS_BYTES + 2 * PAGE_BITS_BYTES) / WASM_PAGE) * WASM_PAGE;

/** The number of a pool of decoded instructions, and the number of CPUs of the machine. */
export interface Pool {
  readonly cpus: number;
  readonly pool: number;
}
/** Offset of a pool: its micro-ops come first. */
export const uopBase = ({ cpus, pool }: Pool): number => cpuBase(cpus) + pool * POOL_BYTES;
/**
 * The address of the cell of a micro-op is a quarter of the address of the micro-op plus this. A cell below {@link REGION} counts
 * branches to the instruction; from there on it is REGION plus the number of the translated region that begins there.
 */
export const cellOffset = (p: Pool): number => uopBase(p) + ALL_UOPS - uopBase(p) / 4;
export const REGION = 0x8000;
/** Most regions. */
export const REGIONS = 0x8000;
/** Half of the address of a micro-op plus this is the address of the word that holds the last computed jump to it. */
export const sourceOffset = (p: Pool): number => uopBase(p) + (ALL_UOPS * 5) / 4 - uopBase(p) / 2;
/** Offset of the bits of code for slot 0 of a pool; CODE_BITS_BYTES for each. */
export const codeBitsBase = (p: Pool): number => uopBase(p) + (ALL_UOPS * 7) / 4;
/** Offset of {@link PAGE_BITS_BYTES} of a pool, by page of linear memory: it may hold code. */
export const codePagesBase = (p: Pool): number => codeBitsBase(p) + UOP_PAGES * CODE_BITS_BYTES;
/** The same: somebody who keeps what pages held has been told that the page changes (memory/page-guard.ts). */
export const openPagesBase = (p: Pool): number => codePagesBase(p) + PAGE_BITS_BYTES;
/** Offset of the RAM chunks on a machine with `cpus` CPUs and `pools` pools, 64 KiB aligned. */
export const ramBase = (cpus: number, pools: number): number => uopBase({ cpus, pool: pools });
