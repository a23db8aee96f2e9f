/**
 * Frames of zstd (RFC 8878) without its entropy coding: blocks of one repeated byte, and blocks as they are. Every zstd reads them. Most
 * of a machine's RAM is zeros, so that is small enough for a program that has no zstd of its own to write with.
 */
import { viewOf } from './little-endian.ts';
import { xxh64 } from './xxh64.ts';

const MAGIC = 0xfd2fb528;
/** Content size of eight bytes, with a checksum; a window of 128 KiB. */
const [DESCRIPTOR, WINDOW] = [0xc4, 7 << 3];
const HEAD_BYTES = 4 + 1 + 1 + 8;
const MOST_BLOCK = 2 ** 17;
const BLOCK_HEAD = 3;
const KIND = { raw: 0, repeated: 1 } as const;
/** A run of one byte that is shorter is no block of its own. */
const LEAST_RUN = 64;

interface Block {
  readonly kind: (typeof KIND)[keyof typeof KIND];
  readonly at: number;
  readonly length: number;
}

/** Where the run of one byte ends that begins at a place. */
function endOfRun(bytes: Uint8Array, at: number): number {
  const most = Math.min(bytes.length, at + MOST_BLOCK);
  let end = at + 1;
  while (end < most && bytes[end] === bytes[at]) end++;
  return end;
}

function blocksOf(bytes: Uint8Array): Block[] {
  const blocks: Block[] = [];
  let raw = 0;
  const flush = (until: number): void => {
    for (; raw < until; raw += MOST_BLOCK)
      blocks.push({ kind: KIND.raw, at: raw, length: Math.min(MOST_BLOCK, until - raw) });
  };
  for (let at = 0; at < bytes.length; ) {
    const end = endOfRun(bytes, at);
    if (end - at >= LEAST_RUN) {
      flush(at);
      blocks.push({ kind: KIND.repeated, at, length: end - at });
      raw = end;
    }
    at = end;
  }
  flush(bytes.length);
  return blocks.length > 0 ? blocks : [{ kind: KIND.raw, at: 0, length: 0 }];
}

const stored = ({ kind, length }: Block): number => (kind === KIND.raw ? length : 1);

/** A frame with this content. */
export function storedZstd(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const blocks = blocksOf(bytes);
  const out = new Uint8Array(HEAD_BYTES + blocks.reduce((sum, b) => sum + BLOCK_HEAD + stored(b), 0) + 4);
  const view = viewOf(out);
  view.setUint32(0, MAGIC, true);
  out[4] = DESCRIPTOR;
  out[5] = WINDOW;
  view.setBigUint64(6, BigInt(bytes.length), true);
  let at = HEAD_BYTES;
  blocks.forEach((block, n) => {
    const head = Number(n === blocks.length - 1) | (block.kind << 1) | (block.length << 3);
    out.set([head & 0xff, (head >> 8) & 0xff, head >> 16], at);
    out.set(bytes.subarray(block.at, block.at + stored(block)), at + BLOCK_HEAD);
    at += BLOCK_HEAD + stored(block);
  });
  view.setUint32(at, Number(xxh64(bytes) & 0xffffffffn), true);
  return out;
}

/** Does a file begin as a frame of zstd? */
export const beginsAsZstd = (file: Uint8Array): boolean =>
  file.length >= 4 && viewOf(file).getUint32(0, true) === MAGIC;
