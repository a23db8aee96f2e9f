/** The machine's console: what it sends goes to the terminal or a file, keys come in. */
import { UsageError } from './errors.ts';
import type { SerialSpec } from './options.ts';
import { type Outlet, openOutlet } from './outlet.ts';
import { neverBlock, type Reader } from './slow-reader.ts';

/** Bytes that may wait for the reader of an output before the machine waits for it, too. */
const MOST_UNREAD = 1 << 20;
/** Bytes of input that may wait for the guest, and how often it is looked whether it has taken some. */
const MOST_INPUT = 1 << 16;
const LOOK_MS = 20;
/** How long the last words of a run that was ended from outside may wait for a reader. */
const LAST_WORDS_MS = 200;

const ignore = (): void => {};

/** The program's outputs. Where nobody reads a pipe the machine waits, as every program of Unix does. */
export class Outputs {
  private readonly streams: readonly Reader[];
  private readonly console: ConsoleOutput;
  private readonly onDrain: () => void;
  private readonly onError: () => void;

  /**
   * @param control told when a reader has gone, and when it has read
   * @param console what gathers the guest's output
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
    // As SIGPIPE ends others: what is said from here on nobody would read.
    this.onError = () => control.quit();
    for (const s of this.streams) {
      s.on('drain', this.onDrain);
      s.on('error', this.onError);
      // Nobody is left to be told of what comes after the run.
      if (!s.listeners('error').includes(ignore)) s.on('error', ignore);
    }
  }

  /** Must the machine wait for a reader? */
  readonly full = (): boolean =>
    this.console.waiting > MOST_UNREAD || this.streams.some((s) => s.writableLength > MOST_UNREAD);

  /**
   * The run is over.
   * @param code exit code of the program where its end cannot wait for readers; undefined: it can
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

/** Console output, gathered and written once a turn of the event loop; while its reader is slow, in larger pieces. */
export class ConsoleOutput {
  private bytes: number[] = [];
  private scheduled = false;
  private readonly sink: (bytes: Uint8Array) => void;
  private readonly busy: () => boolean;

  /** @param busy answers whether the reader has not taken yet what it was given */
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

  /** Writes what there is unless the reader is slow; then its `drain` brings the next occasion. */
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

/** Where console bytes go. */
export interface SerialOutput {
  readonly sink: (bytes: Uint8Array) => void;
  readonly close: () => void;
  /** Its stream, where a reader can be slow. */
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

/** Whoever runs a machine, as the console needs them. */
export interface ConsoleUser {
  input(bytes: Uint8Array): void;
  /** Bytes of it that the guest has not taken. */
  readonly inputWaiting: number;
  /** Input may have become possible or impossible. */
  kick(): void;
  /** Ends the machine from outside. */
  quit(): void;
  /** Says who knows whether input may still arrive. */
  expectInput(mayCome: () => boolean): void;
}

/** Keys to the guest. Ctrl-C ends the run unless a terminal in raw mode passes it on (Ctrl-A X ends it then). */
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
    // Keys must be heard whatever the guest does: what it does not take is lost. Other input can wait.
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
