/**
 * The file of a recording (docs/recordings.md): a header, and parts that are appended while the machine runs. Each part has a digest
 * of itself and of all before it, so that what is cut off at the end leaves a shorter recording, and what is changed shows.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, readSync } from 'node:fs';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { decodeValue, encodeValue, ValueError, type ValueKind } from '../../emu/formats/value.ts';
import { say } from '../ending.ts';
import { UsageError } from '../errors.ts';
import { writeWhole } from '../write-whole.ts';

const KIND: ValueKind = { magic: 'LSCOPERC', version: 1 };
const HEADER_BYTES = 16;
/** Before each part: its length, the beginning of a digest of the length, and the digest. */
const [LENGTH_BYTES, CHECK_BYTES, DIGEST_BYTES] = [4, 4, 32];
const PART_HEADER_BYTES = LENGTH_BYTES + CHECK_BYTES + DIGEST_BYTES;
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

/** The bytes before a packed part. @param before the digest of the part before it */
function partHeader(before: Uint8Array, packed: Uint8Array): Uint8Array {
  const out = new Uint8Array(PART_HEADER_BYTES);
  new DataView(out.buffer).setUint32(0, packed.length, true);
  const length = out.slice(0, LENGTH_BYTES);
  out.set(sha256(before, length).subarray(0, CHECK_BYTES), LENGTH_BYTES);
  out.set(sha256(before, length, packed), LENGTH_BYTES + CHECK_BYTES);
  return out;
}

/** A recording that is being written. When the disk is full, it ends there, and the machine goes on. */
export class RecordingWriter {
  private readonly fd: number;
  private readonly name: string;
  private digest: Uint8Array;
  private length = 0;
  private open = true;

  /** @throws UsageError when the file cannot be written */
  constructor(name: string) {
    this.name = name;
    try {
      this.fd = openSync(name, 'w');
    } catch (error) {
      throw new UsageError(`--record: cannot write ${name} (${(error as NodeJS.ErrnoException).code}): check the path`);
    }
    this.digest = sha256(header());
    this.write(header());
  }

  /** Appends a part. */
  append(value: unknown): void {
    if (!this.open) return;
    const packed = new Uint8Array(zstdCompressSync(encodeValue(KIND, value), LEVEL));
    const head = partHeader(this.digest, packed);
    const whole = new Uint8Array(head.length + packed.length);
    whole.set(head);
    whole.set(packed, head.length);
    this.digest = head.slice(LENGTH_BYTES + CHECK_BYTES);
    this.write(whole);
  }

  private write(data: Uint8Array): void {
    try {
      writeWhole(this.fd, data);
      this.length += data.length;
    } catch (error) {
      say(
        `warning: the recording ${this.name} ends here (${(error as NodeJS.ErrnoException).code}): what comes from now on is not in it`,
      );
      // Without the part that is not whole.
      if (fstatSync(this.fd).isFile()) ftruncateSync(this.fd, this.length);
      this.close();
    }
  }

  close(): void {
    if (this.open) closeSync(this.fd);
    this.open = false;
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

/** The parts of a recording. */
export interface RecordingParts {
  readonly parts: readonly unknown[];
  /** Bytes at the end that are no whole part: the run was killed while it wrote them. */
  readonly cut: number;
}

/** @throws UsageError when it is no recording, of another version, or damaged */
export function readParts(name: string): RecordingParts {
  let file: Uint8Array;
  try {
    file = new Uint8Array(readFileSync(name));
  } catch (error) {
    throw new UsageError(`cannot read ${name} (${(error as NodeJS.ErrnoException).code}): check the path`);
  }
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
  let digest = sha256(header());
  if (Buffer.compare(digest, sha256(file.subarray(0, HEADER_BYTES))) !== 0) throw damaged(0);
  const parts: unknown[] = [];
  let at = HEADER_BYTES;
  while (at + PART_HEADER_BYTES <= file.length) {
    const length = view.getUint32(at, true);
    const lengthBytes = file.subarray(at, at + LENGTH_BYTES);
    const check = sha256(digest, lengthBytes).subarray(0, CHECK_BYTES);
    if (Buffer.compare(check, file.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + CHECK_BYTES)) !== 0)
      throw damaged(at);
    const first = at + PART_HEADER_BYTES;
    if (first + length > file.length) break;
    const packed = file.subarray(first, first + length);
    const expected = file.slice(at + LENGTH_BYTES + CHECK_BYTES, first);
    if (Buffer.compare(sha256(digest, lengthBytes, packed), expected) !== 0) throw damaged(at);
    digest = expected;
    parts.push(unpacked(packed, () => damaged(at)));
    at = first + length;
  }
  return { parts, cut: file.length - at };
}

function unpacked(packed: Uint8Array, damaged: () => UsageError): unknown {
  try {
    const bytes = zstdDecompressSync(packed, { maxOutputLength: MOST_PART });
    return decodeValue(KIND, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), 'part of a recording');
  } catch (error) {
    if (error instanceof ValueError || /^(ZSTD_|Z_|ERR_)/.test((error as NodeJS.ErrnoException).code ?? ''))
      throw damaged();
    throw error;
  }
}
