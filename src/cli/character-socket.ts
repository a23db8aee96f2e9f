/** A socket that carries characters: a server with one client at a time, or a client. Without a peer, output is lost. */
import { EventEmitter } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { listenForOwner, SocketPathError } from '../gdbstub/owner-socket.ts';
import type { SocketSpec } from './character.ts';
import { say } from './ending.ts';
import { UsageError } from './errors.ts';
import { TELNET_GREETING, TelnetFilter, telnetEscape } from './telnet.ts';

/** Longest time to wait for the server that a client connects to, in milliseconds. */
const CONNECT_MS = 10_000;

/** A peer that does not read is sent away when so many bytes wait for it. The machine waits for its serial line long before that. */
const MOST_UNREAD = 8 << 20;

const LOOPBACK = /^(127\.|::1$|localhost$)/;

/** Its events: `drain`, as a stream has it; `connected`. */
export class CharacterSocket extends EventEmitter {
  private readonly spec: SocketSpec;
  private readonly what: string;
  private server: Server | undefined;
  private peer: Socket | undefined;
  private telnet: TelnetFilter | undefined;
  private paused = false;
  /** Is somebody there who hears what a peer says? Before that, a peer waits. */
  private started = false;
  private early: Socket | undefined;
  /** Called with bytes of the peer. */
  onData: (bytes: Uint8Array) => void = () => {};
  /** Called when a peer has connected, and when it has gone. */
  onPeer: (there: boolean) => void = () => {};

  private constructor(spec: SocketSpec, what: string) {
    super();
    this.spec = spec;
    this.what = what;
  }

  /**
   * Listens or connects.
   * @param what the option, for messages
   * @throws UsageError when that is not possible
   */
  static async open(spec: SocketSpec, what: string): Promise<CharacterSocket> {
    const line = new CharacterSocket(spec, what);
    try {
      await (spec.server ? line.listen() : line.connect());
    } catch (error) {
      if (error instanceof SocketPathError) throw new UsageError(`${what}: ${error.message}`);
      const code = (error as NodeJS.ErrnoException).code ?? String(error);
      throw new UsageError(
        spec.server
          ? `${what}: cannot listen at ${line.at} (${code}): choose another address`
          : `${what}: nobody listens at ${line.at} (${code}): start that program first, or add server`,
      );
    }
    return line;
  }

  /** The address, for messages. */
  get at(): string {
    const { address } = this.spec;
    return 'path' in address ? `unix:${address.path}` : `${address.host}:${address.port}`;
  }

  private listen(): Promise<void> {
    const server = createServer((socket) => this.accept(socket));
    this.server = server;
    const { address } = this.spec;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      const ready = (): void => {
        server.off('error', reject);
        server.on('error', () => {});
        // Until the machine runs, an error elsewhere ends the program.
        server.unref();
        if (!('path' in address) && !LOOPBACK.test(address.host))
          say(
            `warning: ${this.what}: ${address.host} is not loopback: everybody who can reach it talks to the machine`,
          );
        resolve();
      };
      if ('path' in address) listenForOwner(server, address.path, ready).catch(reject);
      else server.listen(address.port, address.host, ready);
    });
  }

  private connect(): Promise<void> {
    const { address } = this.spec;
    return new Promise((resolve, reject) => {
      const socket = 'path' in address ? connect(address.path) : connect(address.port, address.host);
      socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error('no answer')));
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        socket.setTimeout(0);
        this.accept(socket);
        resolve();
      });
    });
  }

  private accept(socket: Socket): void {
    if (this.peer || this.early) {
      socket.destroy();
      return;
    }
    if (!this.started) {
      this.early = socket;
      socket.on('error', () => {});
      socket.once('close', () => {
        this.early = undefined;
      });
      return;
    }
    this.peer = socket;
    this.telnet = this.spec.telnet ? new TelnetFilter() : undefined;
    socket.setNoDelay(true);
    if (this.paused) socket.pause();
    socket.on('data', (bytes) => {
      const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
      this.onData(this.telnet ? this.telnet.input(data) : data);
    });
    socket.on('drain', () => this.emit('drain'));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.peer = undefined;
      this.onPeer(false);
      // Whoever waits for this reader need not wait any more.
      this.emit('drain');
    });
    if (this.telnet) socket.write(TELNET_GREETING);
    this.onPeer(true);
    this.emit('connected');
  }

  /** Resolves when the machine may start: at once, or with the first client. */
  async ready(): Promise<void> {
    this.server?.ref();
    this.started = true;
    const { early } = this;
    this.early = undefined;
    if (early) this.accept(early);
    if (!this.spec.wait || this.peer) return;
    say(`${this.what}: waiting for a connection to ${this.at}`);
    await new Promise<void>((resolve) => this.once('connected', resolve));
  }

  get writableLength(): number {
    return this.peer?.writableLength ?? 0;
  }

  get writableNeedDrain(): boolean {
    return this.peer?.writableNeedDrain === true;
  }

  write(bytes: Uint8Array | string): void {
    const { peer } = this;
    if (!peer || peer.destroyed) return;
    if (peer.writableLength > MOST_UNREAD) {
      peer.destroy();
      return;
    }
    peer.write(this.telnet && typeof bytes !== 'string' ? telnetEscape(bytes) : bytes);
  }

  pause(): void {
    this.paused = true;
    this.peer?.pause();
  }

  resume(): void {
    this.paused = false;
    this.peer?.resume();
  }

  /** Ends the connection, when what was written has been sent. */
  close(): void {
    this.server?.close();
    this.peer?.end();
    this.peer?.unref();
  }
}
