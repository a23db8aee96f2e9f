/** Snapshots in files, packed with zstd. */

import { constants as buffers } from 'node:buffer';
import { constants, createZstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { SnapshotStore } from '../emu/debug/stop.ts';
import type { Machine } from '../emu/machine/machine.ts';
import { applyObservers, applySnapshot, takeSnapshot } from '../emu/replay/machine-snapshot.ts';
import {
  decodeSnapshot,
  encodeSnapshot,
  longestSnapshot,
  type MachineImage,
  SnapshotError,
} from '../emu/replay/snapshot-file.ts';
import type { Steps } from '../emu/replay/steps.ts';
import type { Stateful } from '../emu/state/fields.ts';
import { MOST_CHANGED } from './drives.ts';
import { UsageError } from './errors.ts';
import type { NamedFiles } from './file-service.ts';
import { COMPUTER, type Surroundings } from './surroundings.ts';
import { VERSION } from './version.ts';

/** Most of a snapshot is RAM, and the fastest level packs it well enough. A checksum detects damage. */
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 } };

/** What a debugger knows of the program that runs. */
type Names = Pick<MachineImage, 'symbols' | 'hypervisor'>;

/** Bytes that are packed at a time, in another thread. */
const PART = 2 ** 24;

/** zlib counts input with 32 bits, and says nothing when there is more. */
const MOST_PACKED = 2 ** 32 - 1;

/**
 * The content of a snapshot file for a machine.
 * @param observers parts of a debugger whose state goes with it
 * @throws SnapshotError when the machine has more state than a file can have
 */
export function packSnapshot(machine: Machine, observers: readonly Stateful[] = []): Uint8Array {
  return new Uint8Array(zstdCompressSync(contentOf(machine, observers), LEVEL));
}

/** {@link packSnapshot} while the event loop goes on. */
function* packing(machine: Machine, observers: readonly Stateful[], names: Names): Steps<Uint8Array> {
  const content = contentOf(machine, observers, names);
  // A turn of the event loop brings a chunk: with Node's chunks of 16 KiB, 500 MiB would take minutes.
  const stream = createZstdCompress({ ...LEVEL, chunkSize: PART });
  const out: Buffer[] = [];
  let over = false;
  stream
    .on('data', (part: Buffer) => out.push(part))
    .on('end', () => {
      over = true;
    });
  try {
    for (let at = 0; at < content.length; at += PART) {
      stream.write(content.subarray(at, at + PART));
      while (stream.writableNeedDrain) yield;
    }
    stream.end();
    while (!over) yield;
  } finally {
    stream.destroy();
  }
  return new Uint8Array(Buffer.concat(out));
}

/** The content of a snapshot file, not packed. */
function contentOf(machine: Machine, observers: readonly Stateful[], names: Names = {}): Uint8Array {
  const checked = (bytes: number): void => {
    if (bytes > MOST_PACKED)
      throw new SnapshotError(
        `the machine has ${Math.ceil(bytes / 2 ** 20)} MiB of state, and a snapshot holds less than 4096: give it less --memory`,
      );
  };
  checked(machine.ram.touched);
  const content = encodeSnapshot({ ...takeSnapshot(machine, VERSION, observers), ...names });
  checked(content.length);
  return content;
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
export const readSnapshot = (file: string, { read }: Pick<Surroundings, 'read'> = COMPUTER): MachineImage =>
  unpackSnapshot(read(file), file);

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

/**
 * Restores the state of a snapshot in a machine.
 * @param observers of which it has the state, too
 * @throws UsageError when the snapshot is from another kind of machine
 */
export function restoreSnapshot(
  machine: Machine,
  snapshot: MachineImage,
  file: string,
  observers: readonly Stateful[] = [],
): void {
  fitting(file, () => applySnapshot(machine, snapshot, observers));
}

/** Restores what a debugger had seen of the machine of a snapshot. @throws UsageError when it is damaged */
export function restoreObservers(observers: readonly Stateful[], snapshot: MachineImage, file: string): void {
  fitting(file, () => applyObservers(observers, snapshot.observers));
}

function fitting(file: string, restore: () => void): void {
  try {
    restore();
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    throw new UsageError(`--snapshot: ${file} does not fit, ${error.message}`);
  }
}

/** Snapshots that clients name, in their folder. @param names what a snapshot keeps of names */
export const snapshotStore = (files: NamedFiles, names: () => Names): SnapshotStore => ({
  *save(machine, name, observers) {
    const packed = yield* packing(machine, observers, names());
    files.write(name, packed);
    return packed.length;
  },
  load: (machine, name, observers) => restoreSnapshot(machine, unpackSnapshot(files.read(name), name), name, observers),
});
