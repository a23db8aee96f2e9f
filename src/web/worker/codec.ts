/** Packing and digests in a page: zstd is read with fzstd, and written without entropy coding. */
import { Decompress } from 'fzstd';
import { sha256 } from '../../emu/formats/sha256.ts';
import { storedZstd } from '../../emu/formats/stored-zstd.ts';
import { type Codec, PackingError } from '../../emu/replay/recording-file.ts';

/** Input is given in pieces, so that the output of one that is damaged ends soon. */
const PIECE = 1 << 16;

/**
 * Unpacks zstd.
 * @param most bytes
 * @throws PackingError when it is damaged, or has more
 */
function unzstd(packed: Uint8Array, most: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  let over = false;
  const stream = new Decompress((part, final) => {
    bytes += part.length;
    if (bytes > most) throw new PackingError('it has more than it may have');
    parts.push(part.slice());
    over = final === true;
  });
  try {
    for (let at = 0; at < packed.length; at += PIECE)
      stream.push(packed.subarray(at, at + PIECE), at + PIECE >= packed.length);
  } catch (error) {
    throw error instanceof PackingError ? error : new PackingError(`${error}`);
  }
  if (!over) throw new PackingError('it is cut off');
  const out = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export const pageCodec: Codec = { sha256, pack: storedZstd, unpack: unzstd };
