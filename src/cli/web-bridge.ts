/** gdb and the page of `loongscope web`: a gdb connects to a port, and its bytes go through a WebSocket to the machine in the page. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import { describeStranger, FirstByteGuard } from '../gdbstub/first-byte.ts';
import { encodePacket, FIRST_BYTES } from '../gdbstub/framing.ts';
import { listenForOwner } from '../gdbstub/owner-socket.ts';
import type { Address } from '../gdbstub/server.ts';
import { BRIDGE_PATH, CLOSED, decodeFrame, encodeFrame, MOST_UNREAD, TOKEN_NAME } from '../web/bridge-frames.ts';

const TOKEN_BYTES = 24;
/** Most gdbs at a time. */
const MOST_GDBS = 16;
/** A frame of the page is not larger: the stub's packets are smaller by far. */
const MOST_FRAME = 1 << 20;
const NONE = new Uint8Array();

export interface BridgeOptions {
  /** Where the page is, once it is served: `http://127.0.0.1:8080/`. */
  readonly page: () => string;
  /** May a request with these headers come from the page? */
  readonly isOwn: (request: IncomingMessage) => boolean;
  /** Tells the user. */
  readonly tell: (line: string) => void;
}

/** Are two texts the same? Takes the same time wherever they differ. */
function same(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}

export class GdbBridge {
  /** Only the page that has it may open the WebSocket. */
  readonly token = randomBytes(TOKEN_BYTES).toString('base64url');
  private readonly options: BridgeOptions;
  private readonly sockets: WebSocketServer;
  private readonly server: Server;
  private readonly gdbs = new Map<number, Socket>();
  private gdbsSoFar = 0;
  /** The page that has the machine. */
  private page: WebSocket | undefined;
  private where = '';

  private constructor(options: BridgeOptions, sockets: WebSocketServer) {
    this.options = options;
    this.sockets = sockets;
    this.server = createServer((gdb) => this.arrived(gdb));
  }

  /** Only this command needs the package for WebSockets. */
  static async make(options: BridgeOptions): Promise<GdbBridge> {
    const { WebSocketServer } = await import('ws');
    return new GdbBridge(
      options,
      new WebSocketServer({ noServer: true, maxPayload: MOST_FRAME, perMessageDeflate: false }),
    );
  }

  /**
   * Listens for gdb.
   * @returns where, as gdb's `target remote` has it
   * @throws Error when the address cannot be used; SocketPathError says what to do
   */
  listen(address: Address): Promise<string> {
    const { server } = this;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      const ready = (): void => {
        server.off('error', reject);
        const bound = server.address();
        this.where =
          bound !== null && typeof bound === 'object'
            ? `${'host' in address ? address.host : ''}:${bound.port}`
            : `${bound}`;
        resolve(this.where);
      };
      if ('path' in address) listenForOwner(server, address.path, ready).catch(reject);
      else server.listen(address.port, address.host, ready);
    });
  }

  /** A request for a WebSocket. Other sites, and pages that were not opened by the user, get none. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const url = URL.parse(request.url ?? '/', 'http://page');
    const allowed =
      url?.pathname === BRIDGE_PATH &&
      this.options.isOwn(request) &&
      same(url.searchParams.get(TOKEN_NAME) ?? '', this.token);
    if (!allowed) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
      return;
    }
    this.sockets.handleUpgrade(request, socket, head, (page) => this.opened(page));
  }

  private opened(page: WebSocket): void {
    page.on('error', () => {});
    if (this.page) {
      page.close(CLOSED.otherPage, 'another page has gdb');
      return;
    }
    this.page = page;
    page.on('message', (data: Buffer, binary) => {
      const frame = binary ? decodeFrame(data) : undefined;
      if (frame) this.answer(frame.gdb, frame.bytes);
    });
    page.on('close', () => this.pageClosed());
    page.send(this.where);
  }

  private pageClosed(): void {
    this.page = undefined;
    if (this.gdbs.size > 0)
      this.options.tell('gdb: its connection has ended, because the page was closed or loaded again');
    for (const gdb of this.gdbs.values()) gdb.end();
    this.gdbs.clear();
  }

  /** The page has something for a gdb. */
  private answer(number: number, bytes: Uint8Array): void {
    const gdb = this.gdbs.get(number);
    if (!gdb) return;
    if (bytes.length === 0) {
      this.gdbs.delete(number);
      this.options.tell('gdb: the page has ended its connection');
      gdb.end();
    } else if (gdb.writableLength > MOST_UNREAD) gdb.destroy();
    else gdb.write(bytes);
  }

  private arrived(gdb: Socket): void {
    const { options } = this;
    const guard = new FirstByteGuard(FIRST_BYTES);
    gdb.setNoDelay(true);
    gdb.on('error', () => {});
    let number: number | undefined;
    const refuse = (why: string): void => {
      options.tell(`gdb: a connection was ended: ${why}`);
      gdb.removeAllListeners('data');
      gdb.resume();
      gdb.end(Buffer.concat([Buffer.from('+'), encodePacket(`E.${why}`)]));
    };
    gdb.on('data', (bytes: Buffer) => {
      const stranger = guard.stranger(bytes);
      if (stranger !== undefined) {
        options.tell(`gdb: a connection was ended: it begins with ${describeStranger(stranger)}, and gdb does not`);
        gdb.destroy();
        return;
      }
      if (number === undefined) {
        if (!this.page) return refuse(`no page is open: open ${options.page()} in a browser, then connect again`);
        if (this.gdbs.size >= MOST_GDBS) return refuse(`${MOST_GDBS} gdbs are connected already`);
        number = this.gdbsSoFar++;
        this.gdbs.set(number, gdb);
        options.tell('gdb: connected to the machine in the page');
      }
      if (this.gdbs.has(number)) this.toPage(number, bytes);
    });
    gdb.on('close', () => {
      if (number === undefined || !this.gdbs.delete(number)) return;
      this.toPage(number, NONE);
      options.tell('gdb: has left');
    });
  }

  private toPage(gdb: number, bytes: Uint8Array): void {
    const { page } = this;
    if (!page) return;
    if (page.bufferedAmount > MOST_UNREAD) page.close(CLOSED.tooMuch, 'the page does not read what gdb sends');
    else page.send(encodeFrame({ gdb, bytes }));
  }

  close(): void {
    this.server.close();
    for (const gdb of this.gdbs.values()) gdb.destroy();
    this.page?.terminate();
    this.sockets.close();
  }
}
