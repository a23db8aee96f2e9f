/** Decompression of kernel images with Node's zlib. */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Decompress } from '../emu/boot/linux-image.ts';

/**
 * A kernel must fit into the 256 MiB of low RAM. If the result is larger, it is not a kernel. Most fit into one piece of output, which is
 * then not copied; only the pages of it that are used cost memory.
 */
const MOST = { maxOutputLength: 2 ** 28, chunkSize: 2 ** 25 } as const;
/** Names of compressions in zboot headers. The size of what is inside follows the payload for all but zstd. */
const UNPACK: Readonly<Record<string, (data: Uint8Array) => Uint8Array>> = {
  gzip: (data) => gunzipSync(data, MOST),
  zstd: (data) => zstdDecompressSync(data, MOST),
};

export const decompress: Decompress = (compression, data) => {
  const out = UNPACK[compression]?.(data);
  return out && new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
};
