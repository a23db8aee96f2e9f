/** The machine's console: what it sends goes to the terminal or a file, keys come in. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { UsageError } from './errors.ts';
import type { SerialSpec } from './options.ts';

/** Console output, gathered and written once a turn of the event loop. */
export class ConsoleOutput {
  private bytes: number[] = [];
  private scheduled = false;
  private readonly sink: (bytes: Uint8Array) => void;

  constructor(sink: (bytes: Uint8Array) => void) {
    this.sink = sink;
  }

  readonly put = (byte: number): void => {
    this.bytes.push(byte);
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => this.flush());
  };

  flush(): void {
    this.scheduled = false;
    if (this.bytes.length === 0) return;
    this.sink(Uint8Array.from(this.bytes));
    this.bytes = [];
  }
}

/** Where console bytes go. @throws UsageError when the file cannot be written */
export function openSerial(spec: SerialSpec): { sink: (bytes: Uint8Array) => void; close: () => void } {
  if (spec.kind === 'null') return { sink: () => {}, close: () => {} };
  if (spec.kind === 'stdio') return { sink: (b) => void process.stdout.write(b), close: () => {} };
  let fd: number;
  try {
    fd = openSync(spec.path, 'w');
  } catch (error) {
    throw new UsageError(
      `--serial: cannot write ${spec.path} (${(error as NodeJS.ErrnoException).code}): check the path`,
    );
  }
  return { sink: (b) => void writeSync(fd, b), close: () => closeSync(fd) };
}

/** Whoever runs a machine, as the console needs them. */
export interface ConsoleUser {
  input(bytes: Uint8Array): void;
  /** Input may have become possible or impossible. */
  kick(): void;
  /** Ends the machine from outside. */
  quit(): void;
  /** Answers whether input may still arrive. */
  mayWake: () => boolean;
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
  control.mayWake = () => open;
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
    control.input(Uint8Array.from(keep));
  };
  const onEnd = (): void => {
    open = false;
    control.kick();
  };
  stdin.on('data', onData);
  stdin.on('end', onEnd);
  return () => {
    stop();
    stdin.off('data', onData);
    stdin.off('end', onEnd);
    if (raw) stdin.setRawMode(false);
    stdin.pause();
    stdin.unref?.();
  };
}
