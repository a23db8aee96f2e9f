/** A client of an NBD server (doc/proto.md of the Network Block Device project). */
import { connect, type Socket } from 'node:net';
import type { NbdAddress } from './address.ts';
import { ByteStream } from './byte-stream.ts';
import {
  COMMAND,
  clientFlags,
  type ExportInfo,
  errorName,
  goData,
  HANDSHAKE,
  HELLO_BYTES,
  INFO,
  OLD_EXPORT_BYTES,
  OLD_ZEROES,
  OPTION,
  OPTION_REPLY_BYTES,
  ProtocolError,
  REFUSAL,
  REPLY,
  REPLY_BYTES,
  readBlockSizes,
  readExport,
  readHello,
  readOptionReply,
  readReply,
  USUAL_BLOCKS,
  writeOption,
  writeRequest,
} from './protocol.ts';

/** A longer request is sent in pieces, which the server may work on at the same time. */
const PIECE = 1 << 20;
/** Longest text of a server's refusal that is shown. */
const MOST_TEXT = 200;

/** How long a server may take, in milliseconds. */
export interface Patience {
  /** To connect, and for the negotiation. */
  readonly open: number;
  /** For any reply while requests are under way. */
  readonly reply: number;
}

/** The connection is of no use any more; the message says why. */
export class DeadConnection extends Error {}

interface Waiting {
  /** Where the data of the reply go. */
  readonly target: Uint8Array | undefined;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A text of the server's as part of a line. */
const oneLine = (bytes: Uint8Array): string =>
  new TextDecoder()
    .decode(bytes)
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, MOST_TEXT);

export class NbdClient {
  readonly info: ExportInfo;
  private readonly socket: Socket;
  private readonly stream: ByteStream;
  private readonly patience: Patience;
  private readonly waiting = new Map<number, Waiting>();
  private last = 0;
  private dead: DeadConnection | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;

  private constructor(socket: Socket, stream: ByteStream, info: ExportInfo, patience: Patience) {
    this.socket = socket;
    this.stream = stream;
    this.info = info;
    this.patience = patience;
    void this.receive();
  }

  /** Connects and opens the export. @throws Error that says why this is not possible */
  static async open({ server, exportName }: NbdAddress, patience: Patience): Promise<NbdClient> {
    const socket = connect(server);
    const stream = new ByteStream(socket);
    const timer = setTimeout(() => stream.fail(`it has not answered for ${patience.open / 1000} s`), patience.open);
    try {
      if ('setNoDelay' in socket) socket.setNoDelay(true);
      return new NbdClient(socket, stream, await negotiate(socket, stream, exportName), patience);
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Tells the server that no more requests come. */
  close(): void {
    if (!this.dead) this.socket.end(writeRequest(COMMAND.disconnect, 0, 0, 0));
  }

  /** Fills `target` from the export. @throws Error when the server refuses; DeadConnection */
  async read(offset: number, target: Uint8Array): Promise<void> {
    const { start, length, exact } = this.blocks(offset, target.length);
    if (exact) return this.pieces(COMMAND.read, offset, target);
    const whole = new Uint8Array(length);
    await this.pieces(COMMAND.read, start, whole);
    target.set(whole.subarray(offset - start, offset - start + target.length));
  }

  /** @throws Error when the server refuses; DeadConnection */
  async write(offset: number, data: Uint8Array): Promise<void> {
    const { start, length, exact } = this.blocks(offset, data.length);
    if (exact) return this.pieces(COMMAND.write, offset, data);
    // Blocks of the server that are written in part.
    const whole = new Uint8Array(length);
    await this.pieces(COMMAND.read, start, whole);
    whole.set(data, offset - start);
    await this.pieces(COMMAND.write, start, whole);
  }

  /** @throws Error when the server refuses; DeadConnection */
  async flush(): Promise<void> {
    if (this.info.canFlush) await this.request(COMMAND.flush, 0, 0);
  }

  /** The whole blocks of the server around a range. */
  private blocks(
    offset: number,
    length: number,
  ): { readonly start: number; readonly length: number; readonly exact: boolean } {
    const { minimumBlock: block, size } = this.info;
    const start = Math.floor(offset / block) * block;
    const end = Math.min(size, Math.ceil((offset + length) / block) * block);
    return { start, length: end - start, exact: start === offset && end === offset + length };
  }

  private async pieces(command: number, offset: number, data: Uint8Array): Promise<void> {
    const { minimumBlock, maximumBlock } = this.info;
    const most = Math.max(minimumBlock, Math.min(PIECE, maximumBlock - (maximumBlock % minimumBlock)));
    const all: Promise<void>[] = [];
    for (let at = 0; at < data.length; at += most)
      all.push(this.request(command, offset + at, Math.min(most, data.length - at), data.subarray(at, at + most)));
    // All have ended before an error is reported.
    const failed = (await Promise.allSettled(all)).find((r) => r.status === 'rejected');
    if (failed) throw failed.reason as Error;
  }

  private request(command: number, offset: number, length: number, data?: Uint8Array): Promise<void> {
    if (this.dead) return Promise.reject(this.dead);
    const handle = ++this.last;
    return new Promise((resolve, reject) => {
      this.waiting.set(handle, { target: command === COMMAND.read ? data : undefined, resolve, reject });
      this.socket.cork();
      this.socket.write(writeRequest(command, handle, offset, length));
      if (command === COMMAND.write) this.socket.write(data!);
      this.socket.uncork();
      this.watch();
    });
  }

  /** Begins a new wait for a reply, if one is due. */
  private watch(): void {
    clearTimeout(this.timer);
    if (this.waiting.size === 0) return;
    this.timer = setTimeout(
      () => this.stream.fail(`it has not answered for ${this.patience.reply / 1000} s`),
      this.patience.reply,
    );
  }

  /** Receives replies until the connection ends. */
  private async receive(): Promise<void> {
    try {
      for (;;) {
        await this.stream.some();
        if (this.waiting.size === 0) throw new ProtocolError('it sends what nobody has asked for');
        const { error, handle } = readReply(await this.stream.take(REPLY_BYTES));
        const waiting = this.waiting.get(handle);
        if (!waiting) throw new ProtocolError('it answers a request that nobody has sent');
        if (waiting.target && error === 0) await this.stream.fill(waiting.target);
        this.waiting.delete(handle);
        this.watch();
        if (error === 0) waiting.resolve();
        else waiting.reject(new Error(errorName(error)));
      }
    } catch (error) {
      clearTimeout(this.timer);
      this.dead = new DeadConnection(error instanceof Error ? error.message : String(error));
      this.socket.destroy();
      for (const { reject } of this.waiting.values()) reject(this.dead);
      this.waiting.clear();
    }
  }
}

/** The negotiation, up to the first request. */
async function negotiate(socket: Socket, stream: ByteStream, exportName: string): Promise<ExportInfo> {
  const flags = readHello(await stream.take(HELLO_BYTES));
  if (!(flags & HANDSHAKE.fixedNewstyle)) throw new ProtocolError('it does not know the fixed newstyle negotiation');
  socket.write(clientFlags(flags & (HANDSHAKE.fixedNewstyle | HANDSHAKE.noZeroes)));
  socket.write(writeOption(OPTION.go, goData(exportName)));
  let found: Pick<ExportInfo, 'size' | 'readOnly' | 'canFlush'> | undefined;
  let blocks: Pick<ExportInfo, 'minimumBlock' | 'maximumBlock'> = USUAL_BLOCKS;
  for (;;) {
    const { type, length } = readOptionReply(await stream.take(OPTION_REPLY_BYTES), OPTION.go);
    const data = await stream.take(length);
    if (type === REPLY.ack) {
      if (!found) throw new ProtocolError('it does not say how large the export is');
      return { ...found, ...blocks };
    }
    if (type === REPLY.info && length >= 2) {
      const kind = (data[0]! << 8) | data[1]!;
      if (kind === INFO.export) found = readExport(data.subarray(2));
      else if (kind === INFO.blockSize) blocks = readBlockSizes(data.subarray(2));
    } else if (type === REFUSAL.unsupported) return exportByName(socket, stream, exportName, flags);
    else if (type === REFUSAL.unknown) throw new Error(`it has no export '${exportName}'`);
    else if (type === REFUSAL.tlsRequired) throw new Error('it wants encryption (TLS)');
    else if (type >= 0x80000000) throw new Error(`it refuses the export: ${oneLine(data) || `0x${type.toString(16)}`}`);
    else throw new ProtocolError(`its reply to an option has the type ${type}`);
  }
}

/** The negotiation with servers from before `OPTION.go`. They close the connection when the export is unknown. */
async function exportByName(socket: Socket, stream: ByteStream, name: string, flags: number): Promise<ExportInfo> {
  socket.write(writeOption(OPTION.exportName, new TextEncoder().encode(name)));
  const found = readExport(await stream.take(OLD_EXPORT_BYTES));
  if (!(flags & HANDSHAKE.noZeroes)) await stream.take(OLD_ZEROES);
  return { ...found, ...USUAL_BLOCKS };
}
