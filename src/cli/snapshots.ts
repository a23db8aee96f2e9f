/** Snapshots in files, packed with zstd. */

import { constants as buffers } from 'node:buffer';
import type { Transform } from 'node:stream';
import { constants, createZstdCompress, createZstdDecompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { SnapshotStore } from '../emu/debug/stop.ts';
import type { Machine } from '../emu/machine/machine.ts';
import { applyObservers, applySnapshot, takingSnapshot } from '../emu/replay/machine-snapshot.ts';
import {
  decodeSnapshot,
  encodeSnapshotParts,
  longestSnapshot,
  type MachineImage,
  SnapshotError,
} from '../emu/replay/snapshot-file.ts';
import { finish, type Steps, WAITING } from '../emu/runtime/steps.ts';
import type { Stateful } from '../emu/state/fields.ts';
import { MOST_CHANGED } from './drives.ts';
import { UsageError } from './errors.ts';
import type { NamedFiles } from './file-service.ts';
import { COMPUTER, type Surroundings } from './surroundings.ts';
import { VERSION } from './version.ts';

/** Most of a snapshot is RAM, and the fastest level packs it well enough. A checksum detects damage. */
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 } };

/** What a debugger knows of the program that runs. */
type Names = Partial<Pick<MachineImage, 'symbols' | 'hypervisor'>>;

/** Bytes that are packed at a time, in another thread. */
const PART = 2 ** 24;

/** zlib counts input with 32 bits, and says nothing when there is more. */
const MOST_PACKED = 2 ** 32 - 1;

/**
 * The content of a snapshot file for a machine.
 * @param observers parts of a debugger whose state goes with it
 * @throws SnapshotError when the machine has more state than a file can have
 */
export function packSnapshot(machine: Machine, observers: readonly Stateful[] = [], names: Names = {}): Uint8Array {
  return new Uint8Array(zstdCompressSync(Buffer.concat(finish(contentOf(machine, observers, names))), LEVEL));
}

/** {@link packSnapshot} while the event loop goes on. */
function* packing(machine: Machine, observers: readonly Stateful[], names: Names): Steps<Uint8Array> {
  const content = yield* contentOf(machine, observers, names);
  yield;
  return new Uint8Array(Buffer.concat(yield* through(createZstdCompress({ ...LEVEL, chunkSize: PART }), content)));
}

/**
 * What a stream makes of its input, while the event loop goes on.
 * @param most bytes of output @throws Error of the stream, SnapshotError when there is more output
 */
function* through(
  stream: Transform,
  input: Iterable<Uint8Array>,
  most = Number.POSITIVE_INFINITY,
): Steps<readonly Buffer[]> {
  const out: Buffer[] = [];
  let over = false;
  let failed: Error | undefined;
  let bytes = 0;
  stream
    .on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes > most) failed = new SnapshotError('it has more than such a machine can have');
      else out.push(part);
    })
    .on('end', () => {
      over = true;
    })
    .on('error', (error) => {
      failed = error;
    });
  const waiting = (): boolean => {
    if (failed) throw failed;
    return stream.writableNeedDrain;
  };
  try {
    for (const bytes of input) {
      for (let at = 0; at < bytes.length; at += PART) stream.write(bytes.subarray(at, at + PART));
      while (waiting()) yield WAITING;
    }
    stream.end();
    while (!over) {
      waiting();
      yield WAITING;
    }
  } finally {
    stream.destroy();
  }
  return out;
}

/** The content of a snapshot file, not packed, in parts. */
function* contentOf(machine: Machine, observers: readonly Stateful[], names: Names = {}): Steps<readonly Uint8Array[]> {
  const checked = (bytes: number): void => {
    if (bytes > MOST_PACKED)
      throw new SnapshotError(
        `the machine has ${Math.ceil(bytes / 2 ** 20)} MiB of state, and a snapshot holds less than 4096: give it less --memory`,
      );
  };
  checked(machine.ram.touched);
  const content = encodeSnapshotParts({ ...(yield* takingSnapshot(machine, VERSION, observers)), ...names });
  checked(content.reduce((sum, { length }) => sum + length, 0));
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
  return zstdDecompressSync(packed, { maxOutputLength: mostUnpacked(packed) });
}

const mostUnpacked = (packed: Uint8Array): number =>
  Math.min(longestSnapshot(beginningOf(packed), MOST_CHANGED), buffers.MAX_LENGTH);

/** {@link unpack} while the event loop goes on. */
function* unpacking(packed: Uint8Array): Steps<Buffer> {
  const parts = yield* through(createZstdDecompress({ chunkSize: PART }), [packed], mostUnpacked(packed));
  const out = Buffer.allocUnsafeSlow(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    at += part.copy(out, at);
    yield;
  }
  return out;
}

/** @throws UsageError when the file is unusable */
export const readSnapshot = (file: string, { read }: Pick<Surroundings, 'read'> = COMPUTER): MachineImage =>
  unpackSnapshot(read(file), file);

/** @param file its name, for messages @throws UsageError when it is unusable */
export function unpackSnapshot(packed: Uint8Array, file: string): MachineImage {
  try {
    return decoded(unpack(packed));
  } catch (error) {
    throw unusable(error, file);
  }
}

/** {@link unpackSnapshot} while the event loop goes on. */
function* unpackingSnapshot(packed: Uint8Array, file: string): Steps<MachineImage> {
  try {
    const bytes = yield* unpacking(packed);
    yield;
    return decoded(bytes);
  } catch (error) {
    throw unusable(error, file);
  }
}

const decoded = (bytes: Buffer): MachineImage =>
  decodeSnapshot(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), VERSION);

/** What is said of a snapshot that is damaged, and other errors as they are. */
function unusable(error: unknown, file: string): unknown {
  if ((error as NodeJS.ErrnoException).code?.match(/^(ZSTD_|Z_|ERR_)/))
    return new UsageError(`--snapshot: ${file} is no snapshot, or damaged: save it again`);
  if (!(error instanceof SnapshotError)) return error;
  return new UsageError(`--snapshot: ${file} cannot be loaded, ${error.message}: save it again`);
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
    files.mayWrite(name);
    const packed = yield* packing(machine, observers, names());
    yield WAITING;
    files.write(name, packed);
    return packed.length;
  },
  *load(machine, name, observers) {
    const snapshot = yield* unpackingSnapshot(files.read(name), name);
    yield;
    restoreSnapshot(machine, snapshot, name, observers);
  },
});
