/** Snapshots (docs/snapshot.md) that the page makes and opens. They are the same as those of the command line. */
import { ImageError } from '../../emu/formats/image-error.ts';
import { storedZstd } from '../../emu/formats/stored-zstd.ts';
import type { Machine } from '../../emu/machine/machine.ts';
import { applyObservers, applySnapshot, takeSnapshot } from '../../emu/replay/machine-snapshot.ts';
import { PackingError } from '../../emu/replay/recording-file.ts';
import { decodeSnapshot, encodeSnapshot, type MachineImage, SnapshotError } from '../../emu/replay/snapshot-file.ts';
import type { Stateful } from '../../emu/state/fields.ts';
import type { OwnProgram } from '../protocol.ts';
import { pageCodec } from './codec.ts';
import { type Names, namesOf } from './names.ts';
import { type Loaded, makeMachine, type Shelf } from './program.ts';

const MIB = 2 ** 20;
/** A page has less memory than a program. */
export const MOST_RAM = 1024 * MIB;
/** A snapshot has RAM, image and initrd, and what is beside them. */
const MOST_UNPACKED = 2 * MOST_RAM;

/** The file of a snapshot. */
export function saveSnapshot(
  machine: Machine,
  observers: readonly Stateful[],
  names: Names,
  version: string,
): Uint8Array<ArrayBuffer> {
  const { packed: symbols, hypervisor } = names;
  return storedZstd(encodeSnapshot({ ...takeSnapshot(machine, version, observers), symbols, hypervisor }));
}

function readSnapshot({ name, bytes }: OwnProgram, version: string): MachineImage {
  try {
    return decodeSnapshot(pageCodec.unpack(bytes, MOST_UNPACKED), version);
  } catch (error) {
    if (error instanceof PackingError) throw new ImageError(`${name} is no snapshot, or damaged: save it again`);
    if (error instanceof SnapshotError)
      throw new ImageError(`${name} cannot be loaded, ${error.message}: save it again`);
    throw error;
  }
}

/** @throws ImageError when the page cannot have its machine */
export function openSnapshot(file: OwnProgram, shelf: Shelf, console: (byte: number) => void): Loaded {
  const { name } = file;
  const snapshot = readSnapshot(file, shelf.content.version);
  const { cpus, ramSize, features, seed, model } = snapshot.machine;
  if (cpus !== 1 || ramSize > MOST_RAM)
    throw new ImageError(
      `${name} has ${cpus} CPUs and ${ramSize / MIB} MiB of RAM, and a page one CPU and at most ${MOST_RAM / MIB}: loongscope debug --snapshot opens it`,
    );
  const fitting = (restore: () => void): void => {
    try {
      restore();
    } catch (error) {
      if (error instanceof SnapshotError) throw new ImageError(`${name} does not fit the page, ${error.message}`);
      throw error;
    }
  };
  const machine = makeMachine(shelf, { ramSize, features, seed, model }, console);
  fitting(() => applySnapshot(machine, snapshot));
  return {
    machine,
    names: namesOf(
      (snapshot.symbols ?? []).filter((s) => s.file === undefined),
      snapshot.hypervisor,
    ),
    program: undefined,
    prepare: ({ observers }) => {
      if (snapshot.observers.length > 0) fitting(() => applyObservers(observers, snapshot.observers));
    },
  };
}
