/** Snapshots in files, packed with zstd. */
import { readFileSync } from 'node:fs';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Machine } from '../emu/board/machine.ts';
import type { SnapshotStore } from '../emu/debug/run-control.ts';
import { decodeSnapshot, encodeSnapshot, type Snapshot, SnapshotError } from '../emu/replay/snapshot-file.ts';
import { UsageError } from './errors.ts';
import type { NamedFiles } from './file-service.ts';
import { VERSION } from './version.ts';

/** Most of it is RAM: the quickest level packs it well enough. A checksum tells of damage. */
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 } };

/** A machine as a file holds it. */
export const packSnapshot = (machine: Machine): Uint8Array =>
  zstdCompressSync(encodeSnapshot(machine.snapshot(VERSION)), LEVEL);

/** @throws UsageError when the file is unusable */
export function readSnapshot(file: string): Snapshot {
  let packed: Uint8Array;
  try {
    packed = new Uint8Array(readFileSync(file));
  } catch (error) {
    throw new UsageError(`--snapshot: cannot read ${file} (${(error as NodeJS.ErrnoException).code}): check the path`);
  }
  return unpackSnapshot(packed, file);
}

/** @param file its name, for messages @throws UsageError when it is unusable */
export function unpackSnapshot(packed: Uint8Array, file: string): Snapshot {
  let bytes: Buffer;
  try {
    bytes = zstdDecompressSync(packed);
  } catch {
    throw new UsageError(`--snapshot: ${file} is no snapshot, or damaged: save it again`);
  }
  try {
    return decodeSnapshot(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), VERSION);
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    throw new UsageError(`--snapshot: ${file} cannot be loaded, ${error.message}: save it again`);
  }
}

/** Puts a machine into the state of a snapshot. @throws UsageError when it is of another kind of machine */
export function restoreSnapshot(machine: Machine, snapshot: Snapshot, file: string): void {
  try {
    machine.loadSnapshot(snapshot);
  } catch (error) {
    if (!(error instanceof SnapshotError)) throw error;
    throw new UsageError(`--snapshot: ${file} does not fit, ${error.message}`);
  }
}

/** Snapshots that clients name, in their folder. */
export const snapshotStore = (files: NamedFiles): SnapshotStore => ({
  save: (machine, name) => {
    const packed = packSnapshot(machine);
    files.write(name, packed);
    return packed.length;
  },
  load: (machine, name) => restoreSnapshot(machine, unpackSnapshot(files.read(name), name), name),
});
