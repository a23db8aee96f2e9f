/** Can Linux use a file as its first root file system? (Documentation/driver-api/early-userspace/buffer-format.rst) */
import { ImageError } from '../formats/image-error.ts';

/** The first bytes of archives and compressed files. */
const BEGINNINGS: readonly (readonly [name: string, bytes: readonly number[]])[] = [
  ['cpio', [0x30, 0x37, 0x30, 0x37, 0x30]],
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ['lz4', [0x02, 0x21, 0x4c, 0x18]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['lzma', [0x5d, 0x00, 0x00]],
  ['lzo', [0x89, 0x4c, 0x5a, 0x4f]],
];
/** The last entry of an archive; padding may follow. */
const TRAILER = 'TRAILER!!!';
const MOST_PADDING = 4096;
/** A file system image, as root=/dev/ram0 takes it: ext2's magic number, squashfs's. */
const EXT2 = { at: 1080, bytes: [0x53, 0xef] } as const;
const SQUASHFS = [0x68, 0x73, 0x71, 0x73] as const;

const has = (data: Uint8Array, at: number, bytes: readonly number[]): boolean =>
  bytes.every((b, n) => data[at + n] === b);

/** @param file name for messages @throws ImageError when it is empty, damaged, or of another kind */
export function checkInitrd(data: Uint8Array, file: string): void {
  if (data.length === 0) throw new ImageError(`--initrd: ${file} is empty: make it again`);
  if (has(data, EXT2.at, EXT2.bytes) || has(data, 0, SQUASHFS)) return;
  // Archives may begin with padding, and several may follow each other.
  const first = data.findIndex((b) => b !== 0);
  const kind = BEGINNINGS.find(([, bytes]) => has(data, Math.max(0, first), bytes))?.[0];
  if (kind === undefined)
    throw new ImageError(
      `--initrd: ${file} is neither a cpio archive nor a compressed one: it is damaged, or something else`,
    );
  const end = new TextDecoder('latin1').decode(data.subarray(Math.max(0, data.length - MOST_PADDING)));
  if (kind === 'cpio' && !end.includes(TRAILER) && !BEGINNINGS.slice(1).some(([, b]) => follows(data, b)))
    throw new ImageError(`--initrd: ${file} is truncated, its archive does not end: copy the file again`);
}

/** Does compressed data follow an uncompressed archive, as on x86, where microcode comes first? */
function follows(data: Uint8Array, bytes: readonly number[]): boolean {
  const trailer = [...TRAILER].map((c) => c.charCodeAt(0));
  for (let at = data.indexOf(trailer[0]!); at >= 0; at = data.indexOf(trailer[0]!, at + 1)) {
    if (!has(data, at, trailer)) continue;
    let next = at + trailer.length;
    while (data[next] === 0) next++;
    if (has(data, next, bytes)) return true;
  }
  return false;
}
