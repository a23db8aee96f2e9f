/** Memory as devices see it: physical addresses, RAM alone. */
export interface Dma {
  /** Copies bytes out; undefined when the range leaves RAM. */
  read(pa: number, length: number): Uint8Array | undefined;
  /** Copies bytes in. @returns false, with nothing written, when the range leaves RAM */
  write(pa: number, data: Uint8Array): boolean;
}
