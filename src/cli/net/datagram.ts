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
      // From here on the system drops what others send.
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.connect(remote.port, remote.host, resolve);
      });
    } catch (error) {
      socket.close();
      throw new UsageError(
        `--net ${name}: this end cannot be made (${(error as NodeJS.ErrnoException).code}): choose another local= or remote=`,
      );
    }
    socket.removeAllListeners('error');
    // The other end may not be there yet (ECONNREFUSED). Frames are lost then, as on a wire.
    socket.on('error', () => {});
    socket.on('message', (data) => void end.arrived(data));
    socket.unref();
    this.socket = socket;
    warnIfExposed(name, local.host);
  }

  send(frame: Uint8Array): boolean {
    const socket = this.socket!;
    if (socket.getSendQueueSize() + frame.length > MOST_UNSENT) return false;
    socket.send(frame, () => {});
    return true;
  }

  resume(): void {}

  close(): void {
    this.socket?.close();
    this.socket = undefined;
  }
}
