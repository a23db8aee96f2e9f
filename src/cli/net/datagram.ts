/** A frame a datagram, between two fixed ends: QEMU's `-netdev dgram` and `-netdev socket,udp=`. */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { UsageError } from '../errors.ts';
import { type CableEnd, MOST_UNSENT, type Outside } from './outside.ts';
import type { HostPort } from './spec.ts';
import { warnIfExposed } from './stream.ts';

export class Datagrams implements Outside {
  private readonly name: string;
  private readonly local: HostPort;
  private readonly remote: HostPort;
  private socket: Socket | undefined;

  constructor(name: string, local: HostPort, remote: HostPort) {
    this.name = name;
    this.local = local;
    this.remote = remote;
  }

  async open(end: CableEnd): Promise<void> {
    const { name, local, remote } = this;
    const socket = createSocket(isIPv6(local.host) ? 'udp6' : 'udp4');
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.bind(local.port, local.host, resolve);
      });
    } catch (error) {
      socket.close();
      throw new UsageError(
        `--net ${name}: this end cannot be made (${(error as NodeJS.ErrnoException).code}): choose another local= or remote=`,
      );
    }
    socket.removeAllListeners('error');
    socket.on('error', () => {});
    // The socket is not connected to the other end, because then each frame that it refuses would cost the next one, too.
    socket.on('message', (data, from) => {
      if (from.port === remote.port && from.address === remote.host) end.arrived(data);
    });
    socket.unref();
    this.socket = socket;
    warnIfExposed(name, local.host);
  }

  send(frame: Uint8Array): boolean {
    const socket = this.socket!;
    if (socket.getSendQueueSize() + frame.length > MOST_UNSENT) return false;
    socket.send(frame, this.remote.port, this.remote.host, () => {});
    return true;
  }

  resume(): void {}

  close(): void {
    this.socket?.close();
    this.socket = undefined;
  }
}
