/** Sockets: one listener per view; any number of clients share it, and all share one run control. */

import { rmSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { Symbolizer } from '../emu/debug/explain.ts';
import type { RunControl } from '../emu/debug/run-control.ts';
import { dispatch } from './packets/index.ts';
import { Session } from './session.ts';
import type { View } from './threads.ts';

/** Clients of one door: more are a mistake. */
const MOST_CLIENTS = 16;
/** A client that does not read what it is sent is cut off when this much waits for it. */
const MOST_UNREAD = 64 << 20;
/** How long a client that stays connected keeps a machine that has ended. */
const GRACE_MS = 500;

/** Where to listen. A TCP port 0 picks a free one. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

export interface ServerOptions {
  readonly control: RunControl;
  readonly view: View;
  readonly address: Address;
  readonly symbolize: Symbolizer;
  readonly executable?: (world: number) => string | undefined;
  readonly log: (line: string) => void;
  /** Called when the first client has connected. */
  readonly onConnect?: () => void;
}

export class GdbServer {
  private readonly options: ServerOptions;
  private readonly server: Server;
  private readonly clients = new Set<Socket>();

  constructor(options: ServerOptions) {
    this.options = options;
    this.server = createServer((socket) => this.connect(socket));
  }

  /** Starts to listen. @returns the port, or the socket's path. @throws Error when the address cannot be used */
  listen(): Promise<number | string> {
    const { address } = this.options;
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      const ready = (): void => {
        const bound = this.server.address();
        resolve(bound !== null && typeof bound === 'object' ? bound.port : (bound ?? ''));
      };
      if ('path' in address) {
        // What an earlier run left behind; anything that is no socket is not ours to remove.
        if (statSync(address.path, { throwIfNoEntry: false })?.isSocket()) rmSync(address.path);
        this.server.listen(address.path, ready);
      } else this.server.listen(address.port, address.host, ready);
    });
  }

  /** Stops listening. The client may say goodbye first: gdb asks a little more after the machine has ended. */
  async close(): Promise<void> {
    this.server.close();
    const gone = Promise.all([...this.clients].map((c) => new Promise<void>((done) => c.once('close', () => done()))));
    await Promise.race([gone, setTimeout(GRACE_MS, undefined, { ref: false })]);
    for (const client of this.clients) client.destroy();
  }

  private connect(socket: Socket): void {
    const { options } = this;
    if (this.clients.size >= MOST_CLIENTS) {
      options.log(`a client was refused: ${MOST_CLIENTS} are connected already`);
      socket.destroy();
      return;
    }
    this.clients.add(socket);
    socket.setNoDelay(true);
    const session = new Session({
      control: options.control,
      view: options.view,
      dispatch,
      symbolize: options.symbolize,
      ...(options.executable && { executable: options.executable }),
      log: options.log,
      send: (bytes) => {
        if (socket.destroyed) return;
        if (socket.writableLength > MOST_UNREAD) {
          options.log('a client that does not read was cut off');
          socket.destroy();
        } else socket.write(bytes);
      },
    });
    options.onConnect?.();
    socket.on('data', (bytes) => session.receive(typeof bytes === 'string' ? Buffer.from(bytes) : bytes));
    socket.on('error', (error) => options.log(`connection: ${error.message}`));
    socket.on('close', () => {
      this.clients.delete(socket);
      session.detach();
    });
  }
}
