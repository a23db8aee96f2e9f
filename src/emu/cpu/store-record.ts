/** Who records the stores of a CPU: in a perturbed run, while stores may wait (perturb/store-buffers.ts). */
export interface StoreRecorder {
  /**
   * Bytes of RAM are about to change, by a store of the instruction that runs. Told of every store to RAM.
   * @param pa a physical address in RAM; the range is within a page
   */
  stored(pa: number, size: number): void;
  /** The instruction that runs does what no store may wait for. */
  complete(): void;
}
