/** Names addresses of a world; undefined where no symbol is known. */
export type Symbolizer = (world: number, address: bigint) => string | undefined;

/** Files by which addresses are named, beside those of the image. */
export interface SymbolStore {
  /** The number of files. */
  readonly count: number;
  /** One line a file: what it is, and whether it fits what is in memory. */
  describe(): string[];
  /**
   * Adds a file that a client of a port names.
   * @param spec as behind `--symbols`
   * @throws Error when it cannot be used
   */
  add(spec: string): void;
}
