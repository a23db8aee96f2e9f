/** The console of the machine: its output goes to the terminal or a file, and keys are its input. */
import { constants, existsSync, openSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import type { CharacterSpec } from './character.ts';
import { CharacterSocket } from './character-socket.ts';
import { say } from './ending.ts';
import { UsageError } from './errors.ts';
import { type Outlet, openOutlet } from './outlet.ts';
import { neverBlock, type Reader } from './slow-reader.ts';
import { unwritable } from './unwritable.ts';

/** When more bytes wait for the reader of an output, the machine waits, too. */
const MOST_UNREAD = 1 << 20;
/** Most bytes of input that wait for the guest, and the time between two checks whether it has read some. */
const MOST_INPUT = 1 << 16;
const LOOK_MS = 20;
/** How long the last output may wait for a reader, when the run was ended from outside. */
const LAST_WORDS_MS = 200;

/** What Ctrl-A H says. */
const KEYS = 'Ctrl-A X ends the run, Ctrl-A Ctrl-A sends Ctrl-A, Ctrl-A H shows this; all other keys go to the guest';

const ignore = (): void => {};

/** The outputs of the program. When nobody reads a pipe, the machine waits, like every Unix program. */
export class Outputs {
  private readonly streams: readonly Reader[];
  private readonly console: ConsoleOutput;
  private readonly onDrain: () => void;
  private readonly onError: () => void;

  /**
   * @param control called when a reader has closed its end, and when it has read
   * @param console the buffer of the output of the guest
   * @param more outputs beside stdout and stderr
   */
  constructor(
    control: { kick(): void; quit(): void },
    console: ConsoleOutput,
    more: readonly (Reader | undefined)[] = [],
  ) {
    this.console = console;
    this.streams = [...new Set([process.stdout, process.stderr, ...more.filter((r) => r !== undefined)])];
    this.onDrain = () => {
      console.offer();
      control.kick();
    };
    // Like SIGPIPE: nobody would read any further output.
    this.onError = () => control.quit();
    for (const s of this.streams) {
      s.on('drain', this.onDrain);
      s.on('error', this.onError);
      // After the run there is no reader for an error.
      if (!s.listeners('error').includes(ignore)) s.on('error', ignore);
    }
  }

  /** Must the machine wait for a reader? */
  readonly full = (): boolean =>
    this.console.waiting > MOST_UNREAD || this.streams.some((s) => s.writableLength > MOST_UNREAD);

  /**
   * The run is over.
   * @param code exit code, when the end of the program must not wait for readers; undefined: it may wait
   */
  close(code: number | undefined): void {
    for (const s of this.streams) {
      s.off('drain', this.onDrain);
      s.off('error', this.onError);
    }
    if (code === undefined || this.streams.every((s) => s.writableLength === 0)) return;
    setTimeout(() => process.exit(code), LAST_WORDS_MS).unref();
  }
}

/** Console output. It is collected and written once in each turn of the event loop; in larger pieces while its reader is slow. */
export class ConsoleOutput {
  private bytes: number[] = [];
  private scheduled = false;
  private readonly sink: (bytes: Uint8Array) => void;
  private readonly busy: () => boolean;

  /** @param busy returns true while the reader has not read its last output */
  constructor(sink: (bytes: Uint8Array) => void, busy: () => boolean = () => false) {
    this.sink = sink;
    this.busy = busy;
  }

  readonly put = (byte: number): void => {
    this.bytes.push(byte);
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.offer();
    });
  };

  /** Bytes that have not been written. */
  get waiting(): number {
    return this.bytes.length;
  }

  /** Writes the collected output. While the reader is slow, the write happens at its next `drain`. */
  offer(): void {
    if (!this.busy()) this.flush();
  }

  flush(): void {
    if (this.bytes.length === 0) return;
    const bytes = Uint8Array.from(this.bytes);
    this.bytes = [];
    this.sink(bytes);
  }
}

/** Input that comes in pieces, from a socket or a FIFO. */
export interface LineInput {
  onData: (bytes: Uint8Array) => void;
  pause(): void;
  resume(): void;
}

/** The serial line outside the machine. */
export interface SerialLine {
  readonly sink: (bytes: Uint8Array) => void;
  readonly close: () => void;
  /** Its stream, if its reader can be slow. */
  readonly reader?: Reader | undefined;
  /** Its input, if it is not the terminal. */
  readonly input?: LineInput;
  /** Resolves when the machine may start. */
  readonly ready?: () => Promise<void>;
}

/** Opens a file or FIFO for output. @throws UsageError when it cannot be written */
function openFile(path: string, append = false): Outlet {
  try {
    return openOutlet(path, `--serial: ${path}`, append);
  } catch (error) {
    throw unwritable(`--serial: cannot write ${path}`, error);
  }
}

/** The input side of a FIFO. */
class FifoInput implements LineInput {
  onData: (bytes: Uint8Array) => void = () => {};
  private readonly stream: Socket;

  /** @throws UsageError when it is no FIFO */
  constructor(path: string) {
    if (statSync(path, { throwIfNoEntry: false })?.isFIFO() !== true)
      throw new UsageError(`--serial: ${path} is no FIFO: make it with mkfifo`);
    // It is opened for writing too, so that it does not end when a writer goes.
    this.stream = new Socket({ fd: openSync(path, constants.O_RDWR | constants.O_NONBLOCK), writable: false });
    this.stream.on('data', (bytes) => this.onData(bytes as Buffer));
    this.stream.on('error', ignore);
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  close(): void {
    this.stream.destroy();
  }
}

/** Two FIFOs, or one for both directions. @throws UsageError */
function openPipe(path: string): SerialLine {
  const two = existsSync(`${path}.in`);
  const input = new FifoInput(two ? `${path}.in` : path);
  const outlet = openFile(two ? `${path}.out` : path);
  return {
    sink: (b) => outlet.write(b),
    close: () => {
      outlet.close();
      input.close();
    },
    reader: outlet.reader,
    input,
  };
}

/** @throws UsageError when the file cannot be written, or the address cannot be used */
export async function openSerial(spec: CharacterSpec): Promise<SerialLine> {
  switch (spec.kind) {
    case 'null':
      return { sink: () => {}, close: () => {} };
    case 'stdio':
      neverBlock(process.stdout);
      return { sink: (b) => void process.stdout.write(b), close: () => {}, reader: process.stdout };
    case 'file': {
      const outlet = openFile(spec.path, spec.append);
      return { sink: (b) => outlet.write(b), close: () => outlet.close(), reader: outlet.reader };
    }
    case 'pipe':
      return openPipe(spec.path);
    case 'socket': {
      const socket = await CharacterSocket.open(spec, '--serial');
      return {
        sink: (b) => socket.write(b),
        close: () => socket.close(),
        reader: socket,
        input: socket,
        ready: () => socket.ready(),
      };
    }
  }
}

/** The part of run control that the console needs. */
export interface ConsoleUser {
  input(bytes: Uint8Array): void;
  /** Bytes of input that the guest has not read yet. */
  readonly inputWaiting: number;
  /** Input may have become possible or impossible. */
  kick(): void;
  /** Ends the machine from outside. */
  quit(): void;
  /** Sets the function that returns true while input may still arrive. */
  expectInput(mayCome: () => boolean): void;
}

/** Lets input wait outside while the guest does not read it. */
class Rest {
  private readonly control: ConsoleUser;
  private readonly source: { pause(): unknown; resume(): unknown };
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(control: ConsoleUser, source: { pause(): unknown; resume(): unknown }) {
    this.control = control;
    this.source = source;
  }

  /** Input has arrived. */
  look(): void {
    if (this.timer !== undefined || this.control.inputWaiting <= MOST_INPUT) return;
    this.source.pause();
    this.timer = setInterval(() => {
      if (this.control.inputWaiting > MOST_INPUT / 2) return;
      this.end();
      this.source.resume();
    }, LOOK_MS);
  }

  end(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }
}

/** Input from a socket or a FIFO. It may always come. @returns the function that ends it */
function connectLine(input: LineInput, control: ConsoleUser): () => void {
  control.expectInput(() => true);
  const rest = new Rest(control, input);
  input.onData = (bytes) => {
    control.input(bytes);
    rest.look();
  };
  return () => {
    rest.end();
    input.onData = ignore;
  };
}

/** Sends keys to the guest. Ctrl-C ends the run, except on a terminal in raw mode, which passes it to the guest (there, Ctrl-A X ends the run). */
export function connectInput(spec: CharacterSpec, control: ConsoleUser, line: SerialLine): () => void {
  const onSignal = (): void => control.quit();
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const stop = (): void => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
  if (line.input) {
    const end = connectLine(line.input, control);
    return () => {
      stop();
      end();
    };
  }
  if (spec.kind !== 'stdio') return stop;
  const { stdin } = process;
  let open = true;
  control.expectInput(() => open);
  let escaped = false;
  const raw = stdin.isTTY;
  if (raw) {
    stdin.setRawMode(true);
    if (process.stderr.isTTY) say('Ctrl-A H shows the keys of this terminal, Ctrl-A X ends the run');
  }
  const rest = new Rest(control, stdin);
  const onData = (data: Buffer): void => {
    const keep: number[] = [];
    for (const b of data) {
      if (raw && escaped) {
        escaped = false;
        const key = String.fromCharCode(b).toLowerCase();
        if (key === 'x') {
          control.quit();
          return;
        }
        if (key === 'h') say(KEYS);
        else keep.push(b);
      } else if (raw && b === 1) escaped = true;
      else keep.push(b);
    }
    // The program must always read keys, for Ctrl-A X. Keys that the guest does not read are lost. Other input can wait.
    const room = raw ? Math.max(0, MOST_INPUT - control.inputWaiting) : keep.length;
    control.input(Uint8Array.from(keep.slice(0, room)));
    if (!raw) rest.look();
  };
  const onEnd = (): void => {
    open = false;
    control.kick();
  };
  stdin.on('data', onData);
  stdin.on('end', onEnd);
  return () => {
    stop();
    rest.end();
    stdin.off('data', onData);
    stdin.off('end', onEnd);
    if (raw) stdin.setRawMode(false);
    stdin.pause();
    stdin.unref?.();
  };
}
