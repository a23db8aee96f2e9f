/** Sockets: one listener per view; any number of clients share it, and all share one run control. */

import { createServer, isIPv4, type Server, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { RunControl } from '../emu/debug/run-control.ts';
import type { Symbolizer } from '../emu/debug/symbolizer.ts';
import { type Connection, Connections } from './connections.ts';
import { describeStranger, FirstByteGuard } from './first-byte.ts';
import { FIRST_BYTES } from './framing.ts';
import { listenForOwner, SocketPathError } from './owner-socket.ts';
import { dispatch } from './packets/index.ts';
import { Session } from './session.ts';
import type { View } from './threads.ts';

export { SocketPathError };

/** Limits of one port: clients that have sent a packet, and connections that have sent none. */
const ROOM = { speakers: 16, strangers: 128, idleMs: 10 * 60_000 };
/** A client that does not read its packets is disconnected when so many bytes wait for it. */
const MOST_UNREAD = 8 << 20;
/** How long the program waits for a client that stays connected after the end of the machine. */
const GRACE_MS = 500;

/** Most messages to the user about clients that were disconnected. */
const MOST_TOLD = 16;
const NO_LOONGARCH =
  "a client has left at its first stop. If it says 'unknown architecture' or 'Remote register badly formatted', it is a gdb without LoongArch, or with another architecture set: use gdb-multiarch 16 or newer ('loongscope doctor' says where one comes from), or 'set architecture auto'";

/** Where to listen. A TCP port 0 picks a free one. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

/** Is this numeric address a loopback address? */
function isLoopback(ip: string): boolean {
  const four = ip.replace(/^::ffff:/i, '');
  return isIPv4(four) ? four.startsWith('127.') : ip === '::1';
}

export interface ServerOptions {
  readonly control: RunControl;
  readonly view: View;
  readonly address: Address;
  readonly symbolize: Symbolizer;
  readonly executable?: (world: number, needed: boolean) => string | undefined;
  readonly log: (line: string) => void;
  /** Tells the user what has become of a client. */
  readonly tell: (line: string) => void;
  /** Called when a client has sent its first packet. */
  readonly onConnect?: () => void;
  /** Called when a client asks for more than its handshake. */
  readonly onUse?: () => void;
}

/** A listening port. */
export interface Bound {
  /** The port, or the socket's path. */
  readonly at: number | string;
  /** Can other computers reach it? */
  readonly exposed: boolean;
}

export class GdbServer {
  private readonly options: ServerOptions;
  private readonly server: Server;
  private readonly connections = new Connections(ROOM);
  private readonly clients = new Set<Socket>();
  private told = 0;

  constructor(options: ServerOptions) {
    this.options = options;
    this.server = createServer((socket) => this.connect(socket));
  }

  /** Starts to listen. @throws Error when the address cannot be used; SocketPathError says what to do */
  listen(): Promise<Bound> {
    const { address } = this.options;
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      const ready = (): void => {
        this.server.off('error', reject);
        this.server.on('error', (error) => this.options.log(`listening: ${error.message}`));
        const bound = this.server.address();
        if (bound !== null && typeof bound === 'object')
          resolve({ at: bound.port, exposed: !isLoopback(bound.address) });
        else resolve({ at: bound ?? '', exposed: false });
      };
      if ('path' in address) listenForOwner(this.server, address.path, ready).catch(reject);
      else this.server.listen(address.port, address.host, ready);
    });
  }

  /** Stops listening. Clients can still end the session: gdb sends a few packets after the end of the machine. */
  async close(): Promise<void> {
    this.server.close();
    const gone = Promise.all([...this.clients].map((c) => new Promise<void>((done) => c.once('close', () => done()))));
    await Promise.race([gone, setTimeout(GRACE_MS, undefined, { ref: false })]);
    for (const client of this.clients) client.destroy();
  }

  /** Clients come and go without an end, but not their messages. */
  private tell(line: string): void {
    if (this.told < MOST_TOLD) this.options.tell(line);
    else if (this.told === MOST_TOLD) this.options.tell('more of these are only told with --log gdb');
    this.told++;
  }

  private connect(socket: Socket): void {
    const { options } = this;
    const guard = new FirstByteGuard(FIRST_BYTES);
    let session: Session | undefined;
    const drop = (reason: string): void => {
      if (socket.destroyed) return;
      options.log(`a connection was ended: ${reason}`);
      if (session) this.tell(`a client was disconnected: ${reason}`);
      socket.destroy();
      session?.close();
    };
    const connection: Connection = {
      spoke: undefined,
      get waits() {
        return session?.busy === true;
      },
      drop,
    };
    const begin = (): Session => {
      options.onConnect?.();
      return new Session({
        control: options.control,
        view: options.view,
        dispatch,
        symbolize: options.symbolize,
        ...(options.executable && { executable: options.executable }),
        ...(options.onUse && { onUse: options.onUse }),
        log: options.log,
        heard: () => this.connections.heard(connection),
        strayed: () => drop('what it sends between packets is not the protocol of gdb'),
        drained: () => socket.resume(),
        send: (bytes) => {
          if (socket.destroyed) return;
          if (socket.writableLength > MOST_UNREAD) drop('it does not read what it is sent, and 8 MiB wait for it');
          else socket.write(bytes);
        },
      });
    };
    const receive = (bytes: Uint8Array): void => {
      if (socket.destroyed) return;
      const stranger = guard.stranger(bytes);
      if (stranger !== undefined) {
        drop(`it begins with ${describeStranger(stranger)}, and gdb does not`);
        return;
      }
      // A connection that sends nothing does not stop the machine.
      session ??= begin();
      if (!session.receive(bytes)) socket.pause();
    };
    this.clients.add(socket);
    this.connections.add(connection);
    socket.setNoDelay(true);
    socket.on('data', (bytes) => receive(typeof bytes === 'string' ? Buffer.from(bytes) : bytes));
    socket.on('error', (error) => options.log(`connection: ${error.message}`));
    socket.on('close', () => {
      this.clients.delete(socket);
      this.connections.delete(connection);
      if (session?.handshake.broken) this.tell(NO_LOONGARCH);
      session?.close();
    });
  }
}
