/** An NBD server for tests, which keeps the rules or breaks them in one way. As a thread, it serves a machine that waits for it. */
import { createServer, type Server, type Socket } from 'node:net';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

/** The ways in which it breaks the rules. */
export const FAULTS = [
  'no magic',
  'old negotiation',
  'not fixed',
  'silent',
  'closes at once',
  'endless reply',
  'reply to another option',
  'no size',
  'wrong block sizes',
  'unknown export',
  'policy',
  'wants TLS',
  'dies at a request',
  'dies in a reply',
  'wrong reply magic',
  'wrong handle',
  'a byte too much',
  'talks without a question',
  'never replies',
  'I/O error',
] as const;
export type Fault = (typeof FAULTS)[number];

export interface NbdServerOptions {
  readonly path: string;
  readonly size: number;
  readonly fault?: Fault | undefined;
  /** A server from before the option GO. */
  readonly old?: boolean;
  readonly readOnly?: boolean;
  /** The least block; 0: it says nothing. */
  readonly block?: number;
  /** Answers are in reverse order, so many at a time. */
  readonly shuffle?: number;
  /** Milliseconds before each answer. */
  readonly delay?: number;
}

const OPTION_MAGIC = 0x49484156454f5054n;
const REPLY_MAGIC = 0x0003e889045565a9n;

const u16 = (v: number): Buffer => Buffer.from([v >> 8, v & 255]);
const u32 = (v: number): Buffer => {
  const b = Buffer.alloc(4);
  b.writeUInt32BE(v >>> 0);
  return b;
};
const u64 = (v: bigint): Buffer => {
  const b = Buffer.alloc(8);
  b.writeBigUInt64BE(v);
  return b;
};

/** What a server has seen, in the order in which it came. */
export interface Seen {
  readonly command: number;
  readonly offset: number;
  readonly length: number;
}

export class NbdServer {
  readonly bytes: Uint8Array;
  readonly seen: Seen[] = [];
  farewells = 0;
  private readonly options: NbdServerOptions;
  private readonly server: Server;

  constructor(options: NbdServerOptions) {
    this.options = options;
    this.bytes = new Uint8Array(options.size);
    this.server = createServer((socket) => {
      socket.on('error', () => {});
      void this.serve(socket).catch(() => socket.destroy());
    });
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.server.listen(this.options.path, resolve));
  }

  close(): void {
    this.server.close();
  }

  private reply(option: number, type: number, data = Buffer.alloc(0)): Buffer {
    return Buffer.concat([u64(REPLY_MAGIC), u32(option), u32(type), u32(data.length), data]);
  }

  private async serve(socket: Socket): Promise<void> {
    const { fault, old = false, readOnly = false, block = 0, shuffle = 1, delay = 0 } = this.options;
    const input = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    let rest = Buffer.alloc(0);
    const take = async (n: number): Promise<Buffer> => {
      while (rest.length < n) {
        const next = await input.next();
        if (next.done) throw new Error('the client has gone');
        rest = Buffer.concat([rest, next.value]);
      }
      const out = rest.subarray(0, n);
      rest = rest.subarray(n);
      return out;
    };
    if (fault === 'closes at once') return void socket.destroy();
    if (fault === 'silent') return;
    if (fault === 'no magic') return void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    const second = fault === 'old negotiation' ? 0x00420281861253n : OPTION_MAGIC;
    socket.write(Buffer.concat([Buffer.from('NBDMAGIC'), u64(second), u16(fault === 'not fixed' ? 2 : 3)]));
    await take(4);
    const flags = 1 | (readOnly ? 2 : 0) | 4;
    for (;;) {
      const header = await take(16);
      const option = header.readUInt32BE(8);
      const data = await take(header.readUInt32BE(12));
      if (option === 1) {
        socket.write(Buffer.concat([u64(BigInt(this.options.size)), u16(flags)]));
        break;
      }
      const refusal = { 'unknown export': 0x80000006, policy: 0x80000002, 'wants TLS': 0x80000005 }[fault as string];
      if (old || refusal !== undefined) {
        socket.write(this.reply(option, refusal ?? 0x80000001, Buffer.from('not\nfor you')));
        continue;
      }
      const length = data.readUInt32BE(0);
      if (data.subarray(4, 4 + length).toString() === 'missing') {
        socket.write(this.reply(option, 0x80000006));
        continue;
      }
      if (fault === 'endless reply') {
        socket.write(Buffer.concat([u64(REPLY_MAGIC), u32(option), u32(3), u32(0xfffffff0)]));
        continue;
      }
      if (fault === 'reply to another option') socket.write(this.reply(99, 1));
      if (fault === 'wrong block sizes')
        socket.write(this.reply(option, 3, Buffer.concat([u16(3), u32(3), u32(3), u32(1)])));
      if (fault !== 'no size')
        socket.write(this.reply(option, 3, Buffer.concat([u16(0), u64(BigInt(this.options.size)), u16(flags)])));
      if (block > 0) socket.write(this.reply(option, 3, Buffer.concat([u16(3), u32(block), u32(4096), u32(1 << 20)])));
      socket.write(this.reply(option, 1));
      break;
    }
    if (fault === 'talks without a question') socket.write(Buffer.alloc(16));
    const held: Buffer[] = [];
    for (;;) {
      const header = await take(28);
      const command = header.readUInt16BE(6);
      const handle = header.readBigUInt64BE(8);
      const offset = Number(header.readBigUInt64BE(16));
      const length = header.readUInt32BE(24);
      const data = command === 1 ? await take(length) : undefined;
      if (command === 2) {
        this.farewells++;
        return void socket.end();
      }
      this.seen.push({ command, offset, length });
      if (block > 0 && (offset % block !== 0 || length % block !== 0)) throw new Error('a request against the rules');
      if (data) this.bytes.set(data, offset);
      if (fault === 'dies at a request') return void socket.destroy();
      if (fault === 'never replies') continue;
      if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
      const error = fault === 'I/O error' ? 5 : 0;
      const content =
        command === 0 && error === 0 ? Buffer.from(this.bytes.slice(offset, offset + length)) : Buffer.alloc(0);
      const magic = fault === 'wrong reply magic' ? 0x12345678 : 0x67446698;
      const answer = Buffer.concat([
        u32(magic),
        u32(error),
        u64(fault === 'wrong handle' ? handle + 7n : handle),
        content,
      ]);
      if (fault === 'dies in a reply') {
        socket.write(answer.subarray(0, 20), () => socket.destroy());
        return;
      }
      held.push(answer, ...(fault === 'a byte too much' ? [Buffer.of(0)] : []));
      if (held.length < shuffle) continue;
      socket.write(Buffer.concat(held.reverse()));
      held.length = 0;
    }
  }
}

/** A server in a thread of its own. Ends when the returned function is called. */
export async function nbdThread(options: NbdServerOptions): Promise<() => Promise<void>> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { nbd: options }, execArgv: [] });
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  return async () => void (await worker.terminate());
}

if (!isMainThread && (workerData as { nbd?: NbdServerOptions } | undefined)?.nbd)
  void new NbdServer((workerData as { nbd: NbdServerOptions }).nbd)
    .listen()
    .then(() => parentPort!.postMessage('ready'));
