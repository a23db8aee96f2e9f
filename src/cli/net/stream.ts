/** A stream of frames to one peer: another loongscope, QEMU's `-netdev stream` and `-netdev socket`, or passt. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { MOST_FRAME } from '../../emu/devices/virtio/net.ts';
import { listenForOwner, SocketPathError } from '../../gdbstub/owner-socket.ts';
import { say } from '../ending.ts';
import { UsageError } from '../errors.ts';
import { FrameReader, writeFrame } from './framing.ts';
import { type CableEnd, MOST_UNSENT, type Outside } from './outside.ts';
import type { SocketAddress } from './spec.ts';

const CONNECT_MS = 10_000;

/** Frames on a socket. */
export class StreamPeer {
  private readonly socket: Socket;

  /**
   * @param end gets the frames
   * @param over called once, when the peer has gone; `why` is for the user
   */
  constructor(socket: Socket, end: CableEnd, over: (why: string) => void) {
    this.socket = socket;
    const reader = new FrameReader(MOST_FRAME);
    let why = 'its other end has closed the connection';
    socket.on('data', (data: Buffer) => {
      try {
        for (const frame of reader.push(data)) if (!end.arrived(frame)) socket.pause();
      } catch (error) {
        why = `its other end sends no frames: ${(error as Error).message}`;
        socket.destroy();
      }
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      why = `the connection is broken (${error.code})`;
    });
    socket.on('end', () => socket.destroy());
    socket.on('close', () => over(why));
  }

  send(frame: Uint8Array): boolean {
    if (this.socket.destroyed || this.socket.writableLength + frame.length > MOST_UNSENT) return false;
    this.socket.write(writeFrame(frame));
    return true;
  }

  resume(): void {
    this.socket.resume();
  }

  close(): void {
    this.socket.removeAllListeners('close');
    this.socket.destroy();
  }
}

const isNear = (host: string): boolean => /^(127\.|::1$)/.test(host);

/** Warns of an address that other computers can reach. */
export function warnIfExposed(name: string, host: string): void {
  if (!isNear(host))
    say(`warning: --net ${name}: ${host} is not loopback: whoever can reach it is on the machine's network, unseen`);
}

/** Connects once. When the peer goes, the network is lost. */
export class ConnectingStream implements Outside {
  private readonly name: string;
  private readonly address: SocketAddress;
  private peer: StreamPeer | undefined;

  constructor(name: string, address: SocketAddress) {
    this.name = name;
    this.address = address;
  }

  async open(end: CableEnd): Promise<void> {
    const socket = connect(this.address);
    try {
      await new Promise<void>((resolve, reject) => {
        socket.setTimeout(CONNECT_MS, () => reject(new Error('no answer')));
        socket.once('connect', resolve);
        socket.once('error', reject);
      });
    } catch (error) {
      socket.destroy();
      const { code, message } = error as NodeJS.ErrnoException;
      throw new UsageError(
        `--net ${this.name}: nobody can be reached there (${code ?? message}): start the other end first, the one that listens`,
      );
    }
    socket.setTimeout(0);
    socket.removeAllListeners('timeout');
    socket.setNoDelay(true);
    this.peer = new StreamPeer(socket, end, end.lost);
    socket.unref();
  }

  send(frame: Uint8Array): boolean {
    return this.peer!.send(frame);
  }

  resume(): void {
    this.peer?.resume();
  }

  close(): void {
    this.peer?.close();
  }
}

/** Serves one peer at a time. When it goes, another may come; without a peer frames go nowhere. */
export class ListeningStream implements Outside {
  private readonly name: string;
  private readonly address: SocketAddress;
  private server: Server | undefined;
  private peer: StreamPeer | undefined;

  constructor(name: string, address: SocketAddress) {
    this.name = name;
    this.address = address;
  }

  async open(end: CableEnd): Promise<void> {
    const { name, address } = this;
    const server = createServer((socket) => this.accept(socket, end));
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        if ('path' in address) listenForOwner(server, address.path, resolve).catch(reject);
        else server.listen(address, resolve);
      });
    } catch (error) {
      const why = error instanceof SocketPathError ? error.message : (error as NodeJS.ErrnoException).code;
      throw new UsageError(
        `--net ${name}: cannot listen there: ${why}${error instanceof SocketPathError ? '' : ': choose another address'}`,
      );
    }
    server.unref();
    this.server = server;
    if ('host' in address) warnIfExposed(name, address.host);
  }

  private accept(socket: Socket, end: CableEnd): void {
    if (this.peer) {
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    socket.unref();
    this.peer = new StreamPeer(socket, end, (why) => {
      this.peer = undefined;
      say(`--net ${this.name}: ${why}; another may connect`);
    });
  }

  send(frame: Uint8Array): boolean {
    // A cable that is not plugged in loses what is sent.
    return this.peer?.send(frame) ?? true;
  }

  resume(): void {
    this.peer?.resume();
  }

  close(): void {
    this.server?.close();
    this.peer?.close();
  }
}
