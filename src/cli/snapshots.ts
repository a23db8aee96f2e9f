/** Snapshots in files, packed with zstd. */

import { constants as buffers } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { PackedSymbols } from '../emu/boot/packed-symbols.ts';
import type { SnapshotStore } from '../emu/debug/stop.ts';
import type { Machine } from '../emu/machine/machine.ts';
import { applySnapshot, takeSnapshot } from '../emu/replay/machine-snapshot.ts';
import {
  decodeSnapshot,
  encodeSnapshot,
  longestSnapshot,
  type MachineImage,
  SnapshotError,
} from '../emu/replay/snapshot-file.ts';
import { MOST_CHANGED } from './drives.ts';
import { UsageError } from './errors.ts';
import type { NamedFiles } from './file-service.ts';
import { VERSION } from './version.ts';

/** Most of a snapshot is RAM, and the fastest level packs it well enough. A checksum detects damage. */
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 } };

/** zlib counts input with 32 bits, and says nothing when there is more. */
const MOST_PACKED = 2 ** 32 - 1;

/** The content of a snapshot file for a machine, with symbols for debuggers. @throws SnapshotError when the machine has more state than a file can have */
export function packSnapshot(machine: Machine, symbols?: readonly PackedSymbols[]): Uint8Array {
  const checked = (bytes: number): void => {
    if (bytes > MOST_PACKED)
      throw new SnapshotError(
        `the machine has ${Math.ceil(bytes / 2 ** 20)} MiB of state, and a snapshot holds less than 4096: give it less --memory`,
      );
  };
  checked(machine.ram.touched);
  const content = encodeSnapshot({ ...takeSnapshot(machine, VERSION), symbols });
  checked(content.length);
  return zstdCompressSync(content, LEVEL);
}

/** Of zstd: most bytes of a block, packed or unpacked. A kilobyte of input gives no more than {@link MOST_BEGINNING}. */
const BLOCK = 2 ** 17;
const STEP = 1024;
const MOST_BEGINNING = 2 ** 26;

/** The first bytes of the unpacked snapshot. It reads as little of the file as possible. */
function beginningOf(packed: Uint8Array): Uint8Array {
  for (let n = STEP; ; n += STEP) {
    const part = zstdDecompressSync(packed.subarray(0, n), {
      finishFlush: constants.ZSTD_e_flush,
      maxOutputLength: MOST_BEGINNING,
    });
    if (part.length > 0) return new Uint8Array(part);
    // The file or a block has ended without content: this call throws the reason.
    if (n >= packed.length || n > 2 * BLOCK)
      return new Uint8Array(zstdDecompressSync(packed, { maxOutputLength: MOST_BEGINNING }));
  }
}

/**
 * Unpacks a snapshot, up to the size that the described machine can have.
 * @throws Error of zlib when it is damaged or longer, SnapshotError when it is not a snapshot
 */
function unpack(packed: Uint8Array): Buffer {
  const longest = longestSnapshot(beginningOf(packed), MOST_CHANGED);
  return zstdDecompressSync(packed, { maxOutputLength: Math.min(longest, buffers.MAX_LENGTH) });
}

/** @throws UsageError when the file is unusable */
export function readSnapshot(file: string): MachineImage {
  let packed: Uint8Array;
  try {
    packed = new Uint8Array(readFileSync(file));
  } catch (error) {
    throw new UsageError(`--snapshot: cannot read ${file} (${(error as NodeJS.ErrnoException).code}): check the path`);
  }
  return unpackSnapshot(packed, file);
}

/** @param file its name, for messages @throws UsageError when it is unusable */
export function unpackSnapshot(packed: Uint8Array, file: string): MachineImage {
  try {
    const bytes = unpack(packed);
    return decodeSnapshot(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), VERSION);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.match(/^(ZSTD_|Z_|ERR_)/))
      throw new UsageError(`--snapshot: ${file} is no snapshot, or damaged: save it again`);
    if (!(error instanceof SnapshotError)) throw error;
    throw new UsageError(`--snapshot: ${file} cannot be loaded, ${error.message}: save it again`);
  }
}

/** Restores the state of a snapshot in a machine. @throws UsageError when the snapshot is from another kind of machine */
export function restoreSnapshot(machine: Machine, snapshot: MachineImage, file: string): void {
  try {
    applySnapshot(machine, snapshot);
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    throw new UsageError(`--snapshot: ${file} does not fit, ${error.message}`);
  }
}

/** Snapshots that clients name, in their folder. @param symbols those that a snapshot keeps */
export const snapshotStore = (files: NamedFiles, symbols: () => readonly PackedSymbols[]): SnapshotStore => ({
  save: (machine, name) => {
    const packed = packSnapshot(machine, symbols());
    files.write(name, packed);
    return packed.length;
  },
  load: (machine, name) => restoreSnapshot(machine, unpackSnapshot(files.read(name), name), name),
});
