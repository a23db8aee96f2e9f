/** The console of the machine: its output goes to the terminal or a file, and keys are its input. */
import { UsageError } from './errors.ts';
import type { SerialSpec } from './options.ts';
import { type Outlet, openOutlet } from './outlet.ts';
import { neverBlock, type Reader } from './slow-reader.ts';

/** When more bytes wait for the reader of an output, the machine waits, too. */
const MOST_UNREAD = 1 << 20;
/** Most bytes of input that wait for the guest, and the time between two checks whether it has read some. */
const MOST_INPUT = 1 << 16;
const LOOK_MS = 20;
/** How long the last output may wait for a reader, when the run was ended from outside. */
const LAST_WORDS_MS = 200;

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

/** The destination of console bytes. */
export interface SerialOutput {
  readonly sink: (bytes: Uint8Array) => void;
  readonly close: () => void;
  /** Its stream, if its reader can be slow. */
  readonly reader?: Reader | undefined;
}

/** @throws UsageError when the file cannot be written */
export function openSerial(spec: SerialSpec): SerialOutput {
  if (spec.kind === 'null') return { sink: () => {}, close: () => {} };
  if (spec.kind === 'stdio') {
    neverBlock(process.stdout);
    return { sink: (b) => void process.stdout.write(b), close: () => {}, reader: process.stdout };
  }
  let outlet: Outlet;
  try {
    outlet = openOutlet(spec.path, `--serial: ${spec.path}`);
  } catch (error) {
    throw new UsageError(
      `--serial: cannot write ${spec.path} (${(error as NodeJS.ErrnoException).code}): check the path`,
    );
  }
  return { sink: (b) => outlet.write(b), close: () => outlet.close(), reader: outlet.reader };
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

/** Sends keys to the guest. Ctrl-C ends the run, except on a terminal in raw mode, which passes it to the guest (there, Ctrl-A X ends the run). */
export function connectInput(serial: SerialSpec, control: ConsoleUser): () => void {
  const onSignal = (): void => control.quit();
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const stop = (): void => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
  if (serial.kind !== 'stdio') return stop;
  const { stdin } = process;
  let open = true;
  control.expectInput(() => open);
  let escaped = false;
  const raw = stdin.isTTY;
  if (raw) stdin.setRawMode(true);
  const onData = (data: Buffer): void => {
    const keep: number[] = [];
    for (const b of data) {
      if (raw && escaped) {
        escaped = false;
        if (b === 0x78 || b === 0x58) {
          control.quit();
          return;
        }
        keep.push(b);
      } else if (raw && b === 1) escaped = true;
      else keep.push(b);
    }
    // The program must always read keys, for Ctrl-A X. Keys that the guest does not read are lost. Other input can wait.
    const room = raw ? Math.max(0, MOST_INPUT - control.inputWaiting) : keep.length;
    control.input(Uint8Array.from(keep.slice(0, room)));
    if (!raw && control.inputWaiting > MOST_INPUT) rest();
  };
  let resting: ReturnType<typeof setInterval> | undefined;
  const rest = (): void => {
    stdin.pause();
    resting ??= setInterval(() => {
      if (control.inputWaiting > MOST_INPUT / 2) return;
      clearInterval(resting);
      resting = undefined;
      stdin.resume();
    }, LOOK_MS);
  };
  const onEnd = (): void => {
    open = false;
    control.kick();
  };
  stdin.on('data', onData);
  stdin.on('end', onEnd);
  return () => {
    stop();
    clearInterval(resting);
    stdin.off('data', onData);
    stdin.off('end', onEnd);
    if (raw) stdin.setRawMode(false);
    stdin.pause();
    stdin.unref?.();
  };
}
