/**
 * The file format of a snapshot (docs/snapshot.md): a description as JSON, and behind it the bytes that it refers to. The caller
 * compresses the file.
 */

import type { BoardModel } from '../board/platform.ts';
import { BOOT_PROTOCOLS, type BootFiles } from '../boot/load.ts';
import { arePackedSymbols, type PackedSymbols } from '../boot/packed-symbols.ts';
import type { CpuFeatures } from '../cpu/features.ts';
import { viewOf } from '../formats/little-endian.ts';
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

const MAGIC = 'LSCOPESN';
/** Version of the file format. The content fits only the same version of the program. */
const VERSION = 2;
const HEADER_BYTES = 16;
const ALIGN = 8;

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

const TYPES = { Uint8Array, Uint16Array, Uint32Array, Int16Array, Int32Array, Float64Array, BigUint64Array } as const;
type TypeName = keyof typeof TYPES;
type Typed = InstanceType<(typeof TYPES)[TypeName]>;

const isTyped = (v: object): v is Typed => v.constructor.name in TYPES;
type Json = null | boolean | number | string | Json[] | { readonly [key: string]: Json };

class Writer {
  private readonly blobs: Uint8Array[] = [];
  private at = 0;

  /** Writes a value as JSON. A value that JSON does not have becomes an object with one key that begins with `$`. */
  json(v: unknown): Json {
    if (v === null || typeof v === 'string' || typeof v === 'boolean') return v;
    if (typeof v === 'number')
      return Number.isFinite(v) && !Object.is(v, -0) ? v : { $number: Object.is(v, -0) ? '-0' : `${v}` };
    if (typeof v === 'bigint') return { $bigint: `${v}` };
    if (v === undefined) return { $undefined: true };
    // An element that was never set is saved as undefined.
    if (Array.isArray(v)) return Array.from(v, (x) => this.json(x));
    if (v instanceof Map) return { $map: [...v].map(([k, x]) => [this.json(k), this.json(x)]) };
    if (isTyped(v as object)) return { $bytes: this.blob(v as Typed) };
    return Object.fromEntries(Object.entries(v as object).map(([k, x]) => [k, this.json(x)]));
  }

  private blob(v: Typed): Json {
    const bytes = new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
    const at = this.at;
    this.blobs.push(bytes);
    this.at = Math.ceil((at + bytes.length) / ALIGN) * ALIGN;
    return [v.constructor.name, at, bytes.length];
  }

  finish(description: Json): Uint8Array {
    const text = new TextEncoder().encode(JSON.stringify(description));
    const first = Math.ceil((HEADER_BYTES + text.length) / ALIGN) * ALIGN;
    const out = new Uint8Array(first + this.at);
    const header = new DataView(out.buffer);
    out.set(new TextEncoder().encode(MAGIC));
    header.setUint32(8, VERSION, true);
    header.setUint32(12, text.length, true);
    out.set(text, HEADER_BYTES);
    let at = first;
    for (const b of this.blobs) {
      out.set(b, at);
      at = Math.ceil((at + b.length) / ALIGN) * ALIGN;
    }
    return out;
  }
}

/** The file of a snapshot. */
export function encodeSnapshot(snapshot: MachineImage): Uint8Array {
  const w = new Writer();
  return w.finish(w.json(snapshot));
}

/** Reads values that {@link Writer} wrote. @param blobs the bytes behind the description */
function reader(blobs: Uint8Array): (v: Json) => unknown {
  const read = (v: Json): unknown => {
    if (v === null || typeof v !== 'object') return v;
    if (Array.isArray(v)) return v.map(read);
    const [[key, value] = ['', null], ...more] = Object.entries(v);
    if (more.length === 0)
      switch (key) {
        case '$number':
          return Number(value);
        case '$bigint':
          return BigInt(value as string);
        case '$undefined':
          return undefined;
        case '$map':
          return new Map((value as Json[][]).map(([k, x]) => [read(k!), read(x!)]));
        case '$bytes': {
          const [type, at, length] = value as [TypeName, number, number];
          if (!(type in TYPES) || !(at >= 0) || !(at + length <= blobs.length))
            throw new SnapshotError('it is truncated or damaged');
          const bytes = blobs.slice(at, at + length);
          return new TYPES[type](bytes.buffer);
        }
        default:
      }
    return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, read(x)]));
  };
  return read;
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
  if (beginning.length < HEADER_BYTES || !text.startsWith(MAGIC)) throw new SnapshotError('it is no snapshot');
  const length = viewOf(beginning).getUint32(12, true);
  const ram = Number(/"ramSize":(\d{1,15})\b/.exec(text)?.[1] ?? Number.NaN);
  if (length > MOST_TEXT || Number.isNaN(ram)) throw new SnapshotError('its description is damaged');
  const disks = /"slots":\[([^\]]*)\]/.exec(text)?.[1]?.match(/"disk\d+"/g)?.length ?? 0;
  return HEADER_BYTES + length + 3 * ram + disks * diskBytes + MOST_OTHER;
}

/** @throws SnapshotError when it is not a snapshot, damaged, or of another version */
export function decodeSnapshot(bytes: Uint8Array, program: string): MachineImage {
  if (bytes.length < HEADER_BYTES || new TextDecoder().decode(bytes.subarray(0, 8)) !== MAGIC)
    throw new SnapshotError('it is no snapshot');
  const header = viewOf(bytes);
  const version = header.getUint32(8, true);
  if (version !== VERSION) throw new SnapshotError(`it has format ${version}, this program reads ${VERSION}`);
  const length = header.getUint32(12, true);
  if (HEADER_BYTES + length > bytes.length) throw new SnapshotError('it is truncated');
  const first = Math.ceil((HEADER_BYTES + length) / ALIGN) * ALIGN;
  let snapshot: MachineImage;
  try {
    const text = new TextDecoder().decode(bytes.subarray(HEADER_BYTES, HEADER_BYTES + length));
    snapshot = reader(bytes.subarray(first))(JSON.parse(text) as Json) as MachineImage;
  } catch (error) {
    // Invalid numbers, lists and types.
    throw error instanceof SnapshotError ? error : new SnapshotError('its description is damaged');
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
