/** What passes between the machine and the thread of a disk: orders as messages, and outcomes through shared memory. */
import type { NbdAddress } from './address.ts';
import type { Patience } from './client.ts';

/** The data of the thread. */
export interface NbdThreadData {
  readonly address: NbdAddress;
  readonly patience: Patience;
  readonly mailbox: SharedArrayBuffer;
}

/** An order to the thread. Its number is in the mailbox when it is done. */
export interface Order {
  readonly number: number;
  readonly call: 'open' | 'read' | 'write' | 'flush' | 'close';
  readonly offset: number;
  /** Data to write, or the place of data to read. */
  readonly data: SharedArrayBuffer;
}

/** How an order has ended. The text of `open` is the export as JSON, that of a failure says why. */
export interface Outcome {
  readonly kind: 'done' | 'refused' | 'dead';
  readonly text: string;
}

/** Words: the number of the last order that is done, how it has ended, bytes of the text. */
const [DONE, KIND, LENGTH] = [0, 1, 2] as const;
const KINDS = ['done', 'refused', 'dead'] as const;
const HEADER_BYTES = 16;
const MOST_TEXT = 4096;

export class Mailbox {
  readonly memory: SharedArrayBuffer;
  private readonly header: Int32Array;
  private readonly text: Uint8Array;

  constructor(memory = new SharedArrayBuffer(HEADER_BYTES + MOST_TEXT)) {
    this.memory = memory;
    this.header = new Int32Array(memory, 0, HEADER_BYTES / 4);
    this.text = new Uint8Array(memory, HEADER_BYTES);
  }

  /** The thread has done an order. */
  put(number: number, { kind, text }: Outcome): void {
    const bytes = new TextEncoder().encode(text).subarray(0, MOST_TEXT);
    this.text.set(bytes);
    this.header[LENGTH] = bytes.length;
    this.header[KIND] = KINDS.indexOf(kind);
    Atomics.store(this.header, DONE, number);
    Atomics.notify(this.header, DONE);
  }

  /** Waits for the order with that number, at most so long. @returns its outcome; undefined: it is not done yet */
  wait(number: number, ms: number): Outcome | undefined {
    const until = performance.now() + ms;
    for (;;) {
      const done = Atomics.load(this.header, DONE);
      if (done === number) break;
      const left = until - performance.now();
      if (left <= 0) return undefined;
      Atomics.wait(this.header, DONE, done, left);
    }
    const text = new TextDecoder().decode(this.text.slice(0, this.header[LENGTH]));
    return { kind: KINDS[this.header[KIND]!]!, text };
  }
}
