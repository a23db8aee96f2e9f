/**
 * The file of a recording (docs/recordings.md): a header, and parts that are appended while the machine runs. Each part has a digest
 * of itself and of all before it, so that what is cut off at the end leaves a shorter recording, and what is changed shows.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants as flags, fstatSync, ftruncateSync, openSync, readFileSync, readSync } from 'node:fs';
import { constants, zstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { decodeValue, encodeValue, ValueError, type ValueKind } from '../../emu/formats/value.ts';
import { say } from '../ending.ts';
import { UsageError } from '../errors.ts';
import { unwritable } from '../unwritable.ts';
import { writeWhole } from '../write-whole.ts';

const KIND: ValueKind = { magic: 'LSCOPERC', version: 4 };
const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND } = flags;
export const HEADER_BYTES = 16;
/** Before each part: its length and kind, the beginning of a digest of these, and the digest. */
const [SHAPE_BYTES, CHECK_BYTES, DIGEST_BYTES] = [8, 4, 32];
export const PART_HEADER_BYTES = SHAPE_BYTES + CHECK_BYTES + DIGEST_BYTES;
/** Kinds of parts: what happened; a state of the machine; what a person has noted later, which is not in the chain of digests. */
const PART = { value: 0, state: 1, note: 2 } as const;
/** Before what is packed of a state. */
const STATE_HEAD_BYTES = 24;
/** Most bytes of a part, unpacked. The files of a machine are in the first one. */
const MOST_PART = 2 ** 31 - 1;
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

const sha256 = (...parts: Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256');
  for (const p of parts) hash.update(p);
  return new Uint8Array(hash.digest());
};

function header(): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES);
  out.set(new TextEncoder().encode(KIND.magic));
  new DataView(out.buffer).setUint32(8, KIND.version, true);
  return out;
}
const FIRST_DIGEST = sha256(header());

/** A whole part. @param before the digest of the part before it */
function partOf(kind: number, content: Uint8Array, before: Uint8Array): { bytes: Uint8Array; digest: Uint8Array } {
  const bytes = new Uint8Array(PART_HEADER_BYTES + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length, true);
  view.setUint32(4, kind, true);
  const shape = bytes.slice(0, SHAPE_BYTES);
  const digest = sha256(before, shape, content);
  bytes.set(sha256(before, shape).subarray(0, CHECK_BYTES), SHAPE_BYTES);
  bytes.set(digest, SHAPE_BYTES + CHECK_BYTES);
  bytes.set(content, PART_HEADER_BYTES);
  return { bytes, digest };
}

const packed = (value: unknown): Uint8Array => new Uint8Array(zstdCompressSync(encodeValue(KIND, value), LEVEL));

/** What must be known of a state before it is unpacked. */
export interface StateHead {
  /** Instructions of the machine. */
  readonly at: number;
  /** Inputs and checks before it. */
  readonly entries: number;
  /** Does it have all of RAM, or what has changed since the state before it? */
  readonly whole: boolean;
}

/** A state as a part has it, packed in another thread. */
export function packState(head: StateHead, value: unknown, done: (content: Uint8Array) => void): void {
  zstdCompress(encodeValue(KIND, value), LEVEL, (error, bytes) => {
    if (error) throw error;
    const content = new Uint8Array(STATE_HEAD_BYTES + bytes.length);
    const view = new DataView(content.buffer);
    view.setFloat64(0, head.at, true);
    view.setFloat64(8, head.entries, true);
    view.setUint32(16, Number(head.whole), true);
    content.set(bytes, STATE_HEAD_BYTES);
    done(content);
  });
}

/** A recording that is being written. When the disk is full, it ends there, and the machine goes on. */
export class RecordingWriter {
  private readonly fd: number;
  private readonly name: string;
  private digest = FIRST_DIGEST;
  private open = true;

  /** @throws UsageError when the file cannot be written */
  constructor(name: string) {
    this.name = name;
    try {
      // Others may add notes meanwhile.
      this.fd = openSync(name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);
    } catch (error) {
      throw unwritable(`--record: cannot write ${name}`, error);
    }
    this.write(header());
  }

  /** Appends what happened. */
  append(value: unknown): void {
    if (this.open) this.appendPart(PART.value, packed(value));
  }

  /** Appends a state that {@link packState} has packed. */
  appendState(content: Uint8Array): void {
    if (this.open) this.appendPart(PART.state, content);
  }

  private appendPart(kind: number, content: Uint8Array): void {
    const { bytes, digest } = partOf(kind, content, this.digest);
    this.digest = digest;
    this.write(bytes);
  }

  private write(data: Uint8Array): void {
    const before = fstatSync(this.fd).size;
    try {
      writeWhole(this.fd, data);
    } catch (error) {
      say(
        `warning: the recording ${this.name} ends here (${(error as NodeJS.ErrnoException).code}): what comes from now on is not in it`,
      );
      // Without the part that is not whole.
      if (fstatSync(this.fd).isFile()) ftruncateSync(this.fd, before);
      this.close();
    }
  }

  close(): void {
    if (this.open) closeSync(this.fd);
    this.open = false;
  }
}

/** Adds notes to a recording that is whole. Several programs may do so at a time, and the run itself may go on. */
export class NoteWriter {
  private readonly fd: number;

  /** @throws Error with a code when the file cannot be written */
  constructor(name: string) {
    this.fd = openSync(name, 'a');
  }

  /** @throws Error with a code when the file cannot be written */
  add(note: unknown): void {
    writeWhole(this.fd, partOf(PART.note, packed(note), FIRST_DIGEST).bytes);
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** Does a file begin as a recording? One that cannot be read does not. */
export function isRecording(name: string): boolean {
  let fd: number;
  try {
    fd = openSync(name, 'r');
  } catch {
    return false;
  }
  try {
    const beginning = new Uint8Array(KIND.magic.length);
    return fstatSync(fd).isFile() && readSync(fd, beginning) > 0 && new TextDecoder().decode(beginning) === KIND.magic;
  } finally {
    closeSync(fd);
  }
}

/** A state in a recording. */
export interface PackedState extends StateHead {
  /** @throws UsageError when it is no value */
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

/** @throws UsageError when it is no recording, of another version, or damaged */
export function readParts(name: string): RecordingParts {
  const file = readAll(name);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < HEADER_BYTES || new TextDecoder('latin1').decode(file.subarray(0, 8)) !== KIND.magic)
    throw new UsageError(`${name} is no recording: give a file of run --record`);
  const version = view.getUint32(8, true);
  if (version !== KIND.version)
    throw new UsageError(
      `${name} has format ${version}, this program reads ${KIND.version}: use the program that recorded it`,
    );
  const damaged = (at: number): UsageError =>
    new UsageError(`${name} is damaged at byte ${at}, or was changed: record again, or get the file again`);
  if (Buffer.compare(FIRST_DIGEST, sha256(file.subarray(0, HEADER_BYTES))) !== 0) throw damaged(0);
  const [values, states, notes]: [unknown[], PackedState[], unknown[]] = [[], [], []];
  let digest = FIRST_DIGEST;
  let at = HEADER_BYTES;
  while (at + PART_HEADER_BYTES <= file.length) {
    const start = at;
    const kind = view.getUint32(at + 4, true);
    const before = kind === PART.note ? FIRST_DIGEST : digest;
    const shape = file.subarray(at, at + SHAPE_BYTES);
    const check = sha256(before, shape).subarray(0, CHECK_BYTES);
    if (Buffer.compare(check, file.subarray(at + SHAPE_BYTES, at + SHAPE_BYTES + CHECK_BYTES)) !== 0) throw damaged(at);
    const first = at + PART_HEADER_BYTES;
    const next = first + view.getUint32(at, true);
    if (next > file.length) break;
    const content = file.subarray(first, next);
    const expected = file.slice(at + SHAPE_BYTES + CHECK_BYTES, first);
    if (Buffer.compare(sha256(before, shape, content), expected) !== 0) throw damaged(at);
    const unpack = (from = 0): unknown => unpacked(content.subarray(from), () => damaged(start));
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

function stateHead(content: Uint8Array): StateHead {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  return { at: view.getFloat64(0, true), entries: view.getFloat64(8, true), whole: view.getUint32(16, true) === 1 };
}

function readAll(name: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(name));
  } catch (error) {
    throw new UsageError(`cannot read ${name} (${(error as NodeJS.ErrnoException).code}): check the path`);
  }
}

function unpacked(content: Uint8Array, damaged: () => UsageError): unknown {
  try {
    const bytes = zstdDecompressSync(content, { maxOutputLength: MOST_PART });
    return decodeValue(KIND, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), 'part of a recording');
  } catch (error) {
    if (error instanceof ValueError || /^(ZSTD_|Z_|ERR_)/.test((error as NodeJS.ErrnoException).code ?? ''))
      throw damaged();
    throw error;
  }
}
