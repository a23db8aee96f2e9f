/** Reads exact numbers of bytes from a socket. */
import type { Socket } from 'node:net';

/** The socket has ended, or nothing has come for too long; the message says which. */
export class StreamError extends Error {}

/** Bytes that may wait for a reader before the socket is paused. */
const MOST_AHEAD = 1 << 20;

export class ByteStream {
  private readonly socket: Socket;
  private parts: Buffer[] = [];
  private bytes = 0;
  private over: StreamError | undefined;
  private wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (data: Buffer) => {
      this.parts.push(data);
      this.bytes += data.length;
      if (this.bytes > MOST_AHEAD) socket.pause();
      this.wake();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => this.fail(`the connection is broken (${error.code})`));
    socket.on('close', () => this.fail('it has closed the connection'));
  }

  /** Nothing more can be read. The first reason is kept. */
  fail(why: string): void {
    this.over ??= new StreamError(why);
    this.wake();
  }

  /** Waits until there are bytes. @throws StreamError when there will be none */
  async some(): Promise<void> {
    while (this.bytes === 0) {
      if (this.over) throw this.over;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** Fills `target`. @throws StreamError when the stream ends before that */
  async fill(target: Uint8Array): Promise<void> {
    for (let at = 0; at < target.length; ) {
      await this.some();
      const first = this.parts[0]!;
      const n = Math.min(first.length, target.length - at);
      target.set(first.subarray(0, n), at);
      at += n;
      this.bytes -= n;
      if (n === first.length) this.parts.shift();
      else this.parts[0] = first.subarray(n);
      if (this.bytes <= MOST_AHEAD) this.socket.resume();
    }
  }

  async take(length: number): Promise<Uint8Array> {
    const out = new Uint8Array(length);
    await this.fill(out);
    return out;
  }
}
