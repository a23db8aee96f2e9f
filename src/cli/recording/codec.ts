/** Digests and zstd of Node, for recordings. */
import { createHash } from 'node:crypto';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type Codec, PackingError } from '../../emu/replay/recording-file.ts';

export const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

export const nodeCodec: Codec = {
  sha256: (...parts) => {
    const hash = createHash('sha256');
    for (const p of parts) hash.update(p);
    return new Uint8Array(hash.digest());
  },
  pack: (bytes) => new Uint8Array(zstdCompressSync(bytes, LEVEL)),
  unpack: (packed, most) => {
    try {
      const bytes = zstdDecompressSync(packed, { maxOutputLength: most });
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    } catch (error) {
      if (/^(ZSTD_|Z_|ERR_)/.test((error as NodeJS.ErrnoException).code ?? ''))
        throw new PackingError((error as Error).message);
      throw error;
    }
  },
};
