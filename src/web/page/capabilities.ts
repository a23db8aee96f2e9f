/** What a browser must have. */

/** `(module (func (param v128 v128 v128) (result v128) local.get 0 local.get 1 local.get 2 f64x2.relaxed_madd))`. */
const RELAXED_SIMD = [
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 8, 1, 0x60, 3, 0x7b, 0x7b, 0x7b, 1, 0x7b, 3, 2, 1, 0],
  ...[10, 13, 1, 11, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfd, 0x87, 2, 0x0b],
];
/** `(module (func return_call 0))`. */
const TAIL_CALLS = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 6, 1, 4, 0, 0x12, 0, 0x0b];

const valid = (module: readonly number[]): boolean => WebAssembly.validate(Uint8Array.from(module));

/** What this browser lacks, in words; undefined: nothing. Without relaxed SIMD everything works, floating point more slowly. */
export function missingCapability(): string | undefined {
  if (typeof WebAssembly === 'undefined') return 'WebAssembly is switched off';
  if (!valid(TAIL_CALLS)) return 'its WebAssembly has no tail calls';
  if (typeof DecompressionStream === 'undefined') return 'it cannot unpack gzip';
  return undefined;
}

/** Can this browser multiply and add in one operation? */
export const hasRelaxedSimd = (): boolean => valid(RELAXED_SIMD);
