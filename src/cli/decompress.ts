/** Unpacking of kernel images: what Node's zlib knows. */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Decompress } from '../emu/boot/linux-image.ts';

/** No kernel is larger: what unpacks to more is a bomb. */
const MOST = { maxOutputLength: 2 ** 30 } as const;
/** Names of compressions in zboot headers. The size of what is inside follows the payload for all but zstd. */
const UNPACK: Readonly<Record<string, (data: Uint8Array) => Uint8Array>> = {
  gzip: (data) => gunzipSync(data, MOST),
  zstd: (data) => zstdDecompressSync(data, MOST),
};

export const decompress: Decompress = (compression, data) => {
  const out = UNPACK[compression]?.(data);
  return out && new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
};
