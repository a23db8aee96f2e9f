/** Recordings on the disk: written part by part while the machine runs, and read. */
import { closeSync, constants as flags, fstatSync, ftruncateSync, openSync, readFileSync, readSync } from 'node:fs';
import { zstdCompress } from 'node:zlib';
import { type Recording, recordingOf, upTo } from '../../emu/debug/recording.ts';
import {
  beginsAsRecording,
  encodeContent,
  fileHeader,
  HEADER_BYTES,
  notePart,
  PART,
  PartMaker,
  RecordingError,
  type StateHead,
  stateContent,
} from '../../emu/replay/recording-file.ts';
import { say } from '../ending.ts';
import { UsageError } from '../errors.ts';
import { unwritable } from '../unwritable.ts';
import { VERSION } from '../version.ts';
import { writeWhole } from '../write-whole.ts';
import { LEVEL, nodeCodec } from './codec.ts';

const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND } = flags;

/** A state as a part has it, packed in another thread. */
export function packState(head: StateHead, value: unknown, done: (content: Uint8Array) => void): void {
  zstdCompress(encodeContent(value), LEVEL, (error, bytes) => {
    if (error) throw error;
    done(stateContent(head, bytes));
  });
}

/** A recording that is being written. When the disk is full, it ends there, and the machine goes on. */
export class RecordingWriter {
  private readonly fd: number;
  private readonly name: string;
  private readonly parts = new PartMaker(nodeCodec);
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
    this.write(fileHeader());
  }

  /** Appends what happened. */
  append(value: unknown): void {
    if (this.open) this.write(this.parts.value(value));
  }

  /** Appends a state that {@link packState} has packed. */
  appendState(content: Uint8Array): void {
    if (this.open) this.write(this.parts.packed(PART.state, content));
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
    writeWhole(this.fd, notePart(note, nodeCodec));
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
    const beginning = new Uint8Array(HEADER_BYTES);
    return fstatSync(fd).isFile() && readSync(fd, beginning) > 0 && beginsAsRecording(beginning);
  } finally {
    closeSync(fd);
  }
}

/** @throws UsageError when it cannot be repeated by this program */
export function readRecording(name: string): Recording {
  const recording = asUsage(() => recordingOf(readAll(name), name, { codec: nodeCodec, version: VERSION }));
  const states = recording.states.map((state) => ({
    ...state,
    hadGuests: () => asUsage(state.hadGuests),
    content: () => asUsage(state.content),
  }));
  return { ...recording, states };
}

/** A recording up to an instruction. @throws UsageError when it does not come so far */
export const recordingUpTo = (recording: Recording, end: number): Recording => asUsage(() => upTo(recording, end));

function asUsage<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof RecordingError ? new UsageError(error.message) : error;
  }
}

function readAll(name: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(name));
  } catch (error) {
    throw new UsageError(`cannot read ${name} (${(error as NodeJS.ErrnoException).code}): check the path`);
  }
}
