/** The other end of the network card (`--net`). */
import type { Network } from '../emu/devices/virtio/net.ts';
import { Cable, type CableUser, type Pluggable } from './net/cable.ts';
import { Datagrams } from './net/datagram.ts';
import type { Outside } from './net/outside.ts';
import { Passt } from './net/passt.ts';
import { PacketFile } from './net/pcap.ts';
import { isOutside, type NetSpec, type OutsideSpec } from './net/spec.ts';
import { ConnectingStream, ListeningStream } from './net/stream.ts';

/** Length of an Ethernet header: receiver, sender, type. A frame cannot be shorter. */
const HEADER_BYTES = 14;

/** Returns every packet with sender and receiver exchanged, like an echo station. */
class Loopback implements Network {
  private receive: (frame: Uint8Array) => void = () => {};

  connect(receive: (frame: Uint8Array) => void): void {
    this.receive = receive;
  }

  send(frame: Uint8Array): void {
    if (frame.length < HEADER_BYTES) return;
    const back = frame.slice();
    back.set(frame.subarray(6, 12), 0);
    back.set(frame.subarray(0, 6), 6);
    this.receive(back);
  }
}

const ISOLATED: Network = { connect: () => {}, send: () => {} };

/** A network inside the machine whose packets are written to a file. */
class Watched implements Network, Pluggable {
  private readonly network: Network;
  private readonly file: PacketFile;
  private user: CableUser | undefined;

  constructor(network: Network, file: PacketFile) {
    this.network = network;
    this.file = file;
  }

  connect(receive: (frame: Uint8Array) => void): void {
    this.network.connect((frame) => {
      this.write(frame);
      receive(frame);
    });
  }

  send(frame: Uint8Array): void {
    this.write(frame);
    this.network.send(frame);
  }

  private write(frame: Uint8Array): void {
    if (!this.user?.repeating) this.file.write(frame);
  }

  async plug(user: CableUser): Promise<void> {
    this.user = user;
  }

  unplug(): void {}
}

function outsideOf(spec: OutsideSpec): Outside {
  if (spec.kind === 'user') return new Passt(spec);
  if (spec.kind === 'datagram') return new Datagrams(spec.name, spec.local, spec.remote);
  return spec.role === 'connect'
    ? new ConnectingStream(spec.name, spec.address)
    : new ListeningStream(spec.name, spec.address);
}

/**
 * The other end; undefined: there is no network card. It must be plugged in before the machine runs ({@link pluggable}).
 * @throws UsageError when a file cannot be written, or a program is missing
 */
export function openNet(spec: NetSpec): Network | undefined {
  if (spec.kind === 'none') return undefined;
  const pcap = spec.kind === 'dump' ? spec.file : spec.pcap;
  const file = pcap === undefined ? undefined : new PacketFile(pcap);
  if (isOutside(spec)) return new Cable(spec.name, outsideOf(spec), file);
  const inside = spec.kind === 'loopback' ? new Loopback() : ISOLATED;
  return file ? new Watched(inside, file) : inside;
}

/** The network of a second machine that repeats what the first one does: it sends nothing, and gets what the first one got. */
export const shadowOf = (spec: NetSpec): NetSpec =>
  spec.kind === 'loopback' || spec.kind === 'none' ? { kind: spec.kind } : { kind: 'isolated' };

/** The part of a network that must know of the machine, if it has one. */
export const pluggable = (network: Network | undefined): Pluggable | undefined =>
  network && 'plug' in network ? (network as Network & Pluggable) : undefined;
