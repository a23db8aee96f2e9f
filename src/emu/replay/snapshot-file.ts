/**
 * The file format of a snapshot (docs/snapshot.md): a description as JSON, and behind it the bytes that it refers to. The caller
 * compresses the file.
 */

import type { BoardModel } from '../board/platform.ts';
import { BOOT_PROTOCOLS, type BootFiles } from '../boot/load.ts';
import { arePackedSymbols, type PackedSymbols } from '../boot/packed-symbols.ts';
import type { CpuFeatures } from '../cpu/features.ts';
import { viewOf } from '../formats/little-endian.ts';
import { decodeValue, encodeParts, encodeValue, HEADER_BYTES, ValueError, type ValueKind } from '../formats/value.ts';
import type { MachineState } from '../machine/machine.ts';
import type { Fields } from '../state/fields.ts';
import {
  isBigint,
  isBytes,
  isEvery,
  isListOf,
  isNumber,
  isObjectWith,
  isOptional,
  isText,
} from '../state/state-check.ts';

/** The version is that of the file format. The content fits only the same version of the program. */
const KIND: ValueKind = { magic: 'LSCOPESN', version: 6 };

/** The properties that a machine must share with the saved machine. */
export interface SnapshotMachine {
  readonly cpus: number;
  readonly ramSize: number;
  readonly model: BoardModel;
  readonly features: CpuFeatures;
  readonly seed: number;
  /** The transport of virtio devices, and their names. */
  readonly slots: readonly string[];
}

export interface MachineImage {
  /** Version of the program that made the file. */
  readonly program: string;
  readonly machine: SnapshotMachine;
  readonly files: BootFiles;
  readonly state: MachineState;
  /** What a debugger has seen of the machine's VMs and vCPUs: the fields of its observers. */
  readonly observers: readonly Fields[];
  /** Symbols of what it runs, for debuggers. */
  readonly symbols?: readonly PackedSymbols[] | undefined;
  /** The descriptor of the hypervisor, as JSON, for debuggers. */
  readonly hypervisor?: string | undefined;
}

/** A file that cannot be loaded; the message says why. */
export class SnapshotError extends Error {}

/** The file of a snapshot. */
export function encodeSnapshot(snapshot: MachineImage): Uint8Array {
  return encodeValue(KIND, snapshot);
}

/** The same in parts, one behind the other. */
export function encodeSnapshotParts(snapshot: MachineImage): readonly Uint8Array[] {
  return encodeParts(KIND, snapshot);
}

/** Longest description, without the bytes behind it. */
const MOST_TEXT = 2 ** 28;
/** Space for firmware, flash and other data whose size is not in the description. */
const MOST_OTHER = 2 ** 27;

/**
 * Upper bound of the length of a snapshot, from the description of its machine at its beginning. It can contain the memory at most three times: as RAM, as image and as initrd.
 * @param beginning its first bytes; a thousand are enough
 * @param diskBytes most bytes that a disk keeps in memory
 * @throws SnapshotError when it is not a snapshot
 */
export function longestSnapshot(beginning: Uint8Array, diskBytes: number): number {
  const text = new TextDecoder('latin1').decode(beginning.subarray(0, 4096));
  if (beginning.length < HEADER_BYTES || !text.startsWith(KIND.magic)) throw new SnapshotError('it is no snapshot');
  const length = viewOf(beginning).getUint32(12, true);
  const ram = Number(/"ramSize":(\d{1,15})\b/.exec(text)?.[1] ?? Number.NaN);
  if (length > MOST_TEXT || Number.isNaN(ram)) throw new SnapshotError('its description is damaged');
  const disks = /"slots":\[([^\]]*)\]/.exec(text)?.[1]?.match(/"disk\d+"/g)?.length ?? 0;
  return HEADER_BYTES + length + 3 * ram + disks * diskBytes + MOST_OTHER;
}

/** @throws SnapshotError when it is not a snapshot, damaged, or of another version */
export function decodeSnapshot(bytes: Uint8Array, program: string): MachineImage {
  let snapshot: MachineImage;
  try {
    snapshot = decodeValue(KIND, bytes, 'snapshot') as MachineImage;
  } catch (error) {
    throw error instanceof ValueError ? new SnapshotError(error.message) : error;
  }
  if (!isSnapshot(snapshot)) throw new SnapshotError('its description is damaged');
  if (snapshot.program !== program)
    throw new SnapshotError(`it was made by version ${snapshot.program} of the program, this is ${program}`);
  return snapshot;
}

const isSwitches = (v: unknown): boolean =>
  isObjectWith({})(v) && Object.values(v as object).every((x) => typeof x === 'boolean');
const isSegment = isObjectWith({ paddr: isBigint, vaddr: isBigint, memsz: isNumber, data: isBytes });

/** Checks the parts that every snapshot has. The machine itself checks its state. */
const isSnapshot = isObjectWith({
  program: isText,
  machine: isObjectWith({
    cpus: isNumber,
    ramSize: isNumber,
    model: isText,
    features: isSwitches,
    seed: isNumber,
    slots: isListOf(isText),
  }),
  files: isObjectWith({
    firmware: isOptional(isObjectWith({ content: isBytes, kernel: isOptional(isBytes) })),
    protocol: isOptional((v) => BOOT_PROTOCOLS.some((p) => p === v)),
    deviceTree: isOptional(isBytes),
    image: isObjectWith({ entry: isBigint, segments: isEvery(isSegment) }),
    commandLine: isText,
    initrd: isOptional(isBytes),
    extra: isEvery(isObjectWith({ pa: isNumber, data: isBytes, size: isOptional(isNumber), name: isOptional(isText) })),
    starts: isOptional(isEvery(isObjectWith({ cpu: isNumber, entry: isBigint }))),
    topology: isOptional(isObjectWith({ sockets: isNumber, cores: isNumber, threads: isNumber })),
    fwCfg: isOptional(isEvery((v) => Array.isArray(v) && isText(v[0]) && isBytes(v[1]))),
    timeOfDay: isOptional(isNumber),
  }),
  state: isObjectWith({}),
  observers: isEvery(isObjectWith({})),
  symbols: isOptional(arePackedSymbols),
  hypervisor: isOptional(isText),
});

/** The reason why a machine cannot restore a snapshot; undefined when it can. */
export function mismatch(saved: SnapshotMachine, machine: SnapshotMachine): string | undefined {
  if (saved.model !== machine.model) return `it is a ${saved.model} board, the machine ${machine.model}`;
  if (saved.cpus !== machine.cpus) return `it has ${saved.cpus} CPUs, the machine ${machine.cpus}`;
  if (saved.ramSize !== machine.ramSize)
    return `it has ${saved.ramSize / 2 ** 20} MiB of RAM, the machine ${machine.ramSize / 2 ** 20}`;
  if (JSON.stringify(saved.features) !== JSON.stringify(machine.features)) return 'its CPUs have other features';
  if (saved.slots.join() !== machine.slots.join())
    return `it has ${saved.slots.join(', ')} in its slots, the machine ${machine.slots.join(', ')}: give the same disks and network card`;
  return undefined;
}
