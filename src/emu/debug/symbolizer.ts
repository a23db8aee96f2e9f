/** Names addresses of a world; undefined where no symbol is known. */
export type Symbolizer = (world: number, address: bigint) => string | undefined;
