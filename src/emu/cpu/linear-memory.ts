import { ramBase, WASM_PAGE } from './layout.ts';

/** Largest WebAssembly memory with 32-bit addresses, in 64 KiB pages. */
const MAX_PAGES = 0x10000;

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
  /** Where guest RAM chunks start, and how many bytes there are for them. */
  readonly ramStart: number;
  readonly ramBytes: number;

  /** Reserves address space for `cpus` CPUs and up to `ramSize` bytes of RAM; pages cost memory once touched. */
  constructor(cpus: number, ramSize: number) {
    this.ramStart = ramBase(cpus);
    this.pages = Math.min(MAX_PAGES, Math.ceil((this.ramStart + ramSize) / WASM_PAGE));
    this.ramBytes = this.pages * WASM_PAGE - this.ramStart;
    this.memory = new WebAssembly.Memory({ initial: this.pages, maximum: this.pages });
    const buffer = this.memory.buffer;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
  }
}
