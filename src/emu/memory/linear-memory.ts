import { type Pool, ramBase, WASM_PAGE } from './layout.ts';

/** Largest WebAssembly memory with 32-bit addresses, in 64 KiB pages. */
const MAX_PAGES = 0x10000;
/** Space for firmware in addition to the RAM. */
const ROM_BYTES = 0x1000000;

/** The parts with which several threads use the same memory. */
export interface SharedParts {
  readonly memory: WebAssembly.Memory;
  /** The CPU of this thread; 0 for the main thread, which runs no CPU. */
  readonly cpu: number;
}

/** The machine's linear memory and typed views on it. The memory never grows, so the views stay valid. */
export class LinearMemory {
  readonly memory: WebAssembly.Memory;
  readonly pages: number;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly u64: BigUint64Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  /** The pool of decoded instructions of this thread. */
  readonly pool: Pool;
  /** Do other threads use the memory too? */
  readonly shared: boolean;
  /** Where guest RAM chunks start, and how many bytes there are for them. */
  readonly ramStart: number;
  readonly ramBytes: number;

  /**
   * Reserves address space for `cpus` CPUs and up to `ramSize` bytes of RAM. A page needs memory only after its first access.
   * @param parts memory of a machine with a thread for each CPU, from {@link LinearMemory.forThreads}
   * @param most bytes of RAM that are at most in linear memory at a time
   */
  constructor(cpus: number, ramSize: number, parts?: SharedParts, most = Number.POSITIVE_INFINITY) {
    this.shared = parts !== undefined;
    this.pool = { cpus, pool: parts?.cpu ?? 0 };
    this.ramStart = ramBase(cpus, parts ? cpus : 1);
    this.pages = LinearMemory.pagesFor(this.ramStart, Math.min(ramSize, most));
    this.ramBytes = this.pages * WASM_PAGE - this.ramStart;
    this.memory = parts?.memory ?? new WebAssembly.Memory({ initial: this.pages, maximum: this.pages });
    const buffer = this.memory.buffer;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
  }

  private static pagesFor(ramStart: number, ramSize: number): number {
    return Math.min(MAX_PAGES, Math.ceil((ramStart + ramSize + ROM_BYTES) / WASM_PAGE));
  }

  /** The largest RAM of a machine with a thread for each CPU, in bytes: all of it is in linear memory. */
  static mostForThreads(cpus: number): number {
    const MIB = 2 ** 20;
    return Math.floor((MAX_PAGES * WASM_PAGE - ramBase(cpus, cpus) - ROM_BYTES) / MIB) * MIB;
  }

  /** Memory for a machine with a thread for each CPU, each with its own pool of decoded instructions. */
  static forThreads(cpus: number, ramSize: number): WebAssembly.Memory {
    const pages = LinearMemory.pagesFor(ramBase(cpus, cpus), ramSize);
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  }
}
