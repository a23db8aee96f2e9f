/**
 * The file of a recording (docs/recordings.md): a header, and parts that are appended while the machine runs. Each part has a digest
 * of itself and of all before it, so that what is cut off at the end leaves a shorter recording, and what is changed shows.
 */
import { viewOf } from '../formats/little-endian.ts';
import { decodeValue, encodeValue, ValueError, type ValueKind } from '../formats/value.ts';

const KIND: ValueKind = { magic: 'LSCOPERC', version: 6 };
export const HEADER_BYTES = 16;
/** Before each part: its length and kind, the beginning of a digest of these, and the digest. */
const [SHAPE_BYTES, CHECK_BYTES, DIGEST_BYTES] = [8, 4, 32];
export const PART_HEADER_BYTES = SHAPE_BYTES + CHECK_BYTES + DIGEST_BYTES;
/** Kinds of parts: what happened; a state of the machine; what a person has noted later, which is not in the chain of digests. */
export const PART = { value: 0, state: 1, note: 2 } as const;
type PartKind = (typeof PART)[keyof typeof PART];
/** Before what is packed of a state. */
const STATE_HEAD_BYTES = 24;
/** Most bytes of a part, unpacked. The files of a machine are in the first one. */
const MOST_PART = 2 ** 31 - 1;

/** A recording that cannot be read; the message says why, and what to do. */
export class RecordingError extends Error {}
/** Bytes that are not packed as they should be. */
export class PackingError extends Error {}

/** What the runtime has for digests and for zstd. */
export interface Codec {
  /** SHA-256 of all of it. */
  readonly sha256: (...parts: readonly Uint8Array[]) => Uint8Array;
  readonly pack: (bytes: Uint8Array) => Uint8Array;
  /** @param most bytes @throws PackingError when it is damaged, or has more */
  readonly unpack: (packed: Uint8Array, most: number) => Uint8Array;
}

/** The bytes of any value of a recording, not packed. */
export const encodeContent = (value: unknown): Uint8Array => encodeValue(KIND, value);

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((x, n) => x === b[n]);

export function fileHeader(): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES);
  out.set(new TextEncoder().encode(KIND.magic));
  viewOf(out).setUint32(8, KIND.version, true);
  return out;
}

/** Does a file begin as a recording? */
export const beginsAsRecording = (file: Uint8Array): boolean =>
  String.fromCharCode(...file.subarray(0, KIND.magic.length)) === KIND.magic;

/** Makes the parts of a recording, in their order. */
export class PartMaker {
  private readonly codec: Codec;
  private digest: Uint8Array;

  constructor(codec: Codec) {
    this.codec = codec;
    this.digest = codec.sha256(fileHeader());
  }

  /** A part with what happened. */
  value(value: unknown): Uint8Array {
    return this.packed(PART.value, this.codec.pack(encodeContent(value)));
  }

  /** A part with content that is packed already. */
  packed(kind: PartKind, content: Uint8Array): Uint8Array {
    const { sha256 } = this.codec;
    const bytes = new Uint8Array(PART_HEADER_BYTES + content.length);
    const view = viewOf(bytes);
    view.setUint32(0, content.length, true);
    view.setUint32(4, kind, true);
    const shape = bytes.slice(0, SHAPE_BYTES);
    const digest = sha256(this.digest, shape, content);
    bytes.set(sha256(this.digest, shape).subarray(0, CHECK_BYTES), SHAPE_BYTES);
    bytes.set(digest, SHAPE_BYTES + CHECK_BYTES);
    bytes.set(content, PART_HEADER_BYTES);
    this.digest = digest;
    return bytes;
  }
}

/** A note, which may be added at any time: it is not in the chain of digests. */
export const notePart = (note: unknown, codec: Codec): Uint8Array =>
  new PartMaker(codec).packed(PART.note, codec.pack(encodeContent(note)));

/** What must be known of a state before it is unpacked. */
export interface StateHead {
  /** Instructions of the machine. */
  readonly at: number;
  /** Inputs and checks before it. */
  readonly entries: number;
  /** Does it have all of RAM, or what has changed since the state before it? */
  readonly whole: boolean;
}

/** The content of a part with a state. @param packed its value */
export function stateContent(head: StateHead, packed: Uint8Array): Uint8Array {
  const content = new Uint8Array(STATE_HEAD_BYTES + packed.length);
  const view = viewOf(content);
  view.setFloat64(0, head.at, true);
  view.setFloat64(8, head.entries, true);
  view.setUint32(16, Number(head.whole), true);
  content.set(packed, STATE_HEAD_BYTES);
  return content;
}

function stateHead(content: Uint8Array): StateHead {
  const view = viewOf(content);
  return { at: view.getFloat64(0, true), entries: view.getFloat64(8, true), whole: view.getUint32(16, true) === 1 };
}

/** A state in a recording. */
export interface PackedState extends StateHead {
  /** @throws RecordingError when it is no value */
  readonly unpack: () => unknown;
}

/** The parts of a recording. */
export interface RecordingParts {
  /** What happened. */
  readonly values: readonly unknown[];
  readonly states: readonly PackedState[];
  /** What was noted later. */
  readonly notes: readonly unknown[];
  /** Bytes at the end that are no whole part: the run was killed while it wrote them. */
  readonly cut: number;
}

/**
 * @param name of the file, for messages
 * @throws RecordingError when it is no recording, of another version, or damaged
 */
export function partsOf(file: Uint8Array, name: string, codec: Codec): RecordingParts {
  const { sha256 } = codec;
  const view = viewOf(file);
  if (file.length < HEADER_BYTES || !beginsAsRecording(file))
    throw new RecordingError(`${name} is no recording: give a file of run --record`);
  const version = view.getUint32(8, true);
  if (version !== KIND.version)
    throw new RecordingError(
      `${name} has format ${version}, this program reads ${KIND.version}: use the program that recorded it`,
    );
  const damaged = (at: number): RecordingError =>
    new RecordingError(`${name} is damaged at byte ${at}, or was changed: record again, or get the file again`);
  const first = sha256(fileHeader());
  if (!sameBytes(first, sha256(file.subarray(0, HEADER_BYTES)))) throw damaged(0);
  const [values, states, notes]: [unknown[], PackedState[], unknown[]] = [[], [], []];
  let digest = first;
  let at = HEADER_BYTES;
  while (at + PART_HEADER_BYTES <= file.length) {
    const start = at;
    const kind = view.getUint32(at + 4, true);
    const before = kind === PART.note ? first : digest;
    const shape = file.subarray(at, at + SHAPE_BYTES);
    const check = sha256(before, shape).subarray(0, CHECK_BYTES);
    if (!sameBytes(check, file.subarray(at + SHAPE_BYTES, at + SHAPE_BYTES + CHECK_BYTES))) throw damaged(at);
    const begin = at + PART_HEADER_BYTES;
    const next = begin + view.getUint32(at, true);
    if (next > file.length) break;
    const content = file.subarray(begin, next);
    const expected = file.slice(at + SHAPE_BYTES + CHECK_BYTES, begin);
    if (!sameBytes(sha256(before, shape, content), expected)) throw damaged(at);
    const unpack = (from = 0): unknown => unpacked(content.subarray(from), codec, () => damaged(start));
    if (kind !== PART.note) digest = expected;
    if (kind === PART.state) {
      if (content.length < STATE_HEAD_BYTES) throw damaged(at);
      states.push({ ...stateHead(content), unpack: () => unpack(STATE_HEAD_BYTES) });
    }
    if (kind !== PART.state) (kind === PART.note ? notes : values).push(unpack());
    at = next;
  }
  return { values, states, notes, cut: file.length - at };
}

function unpacked(content: Uint8Array, { unpack }: Codec, damaged: () => RecordingError): unknown {
  try {
    return decodeValue(KIND, unpack(content, MOST_PART), 'part of a recording');
  } catch (error) {
    if (error instanceof ValueError || error instanceof PackingError) throw damaged();
    throw error;
  }
}
