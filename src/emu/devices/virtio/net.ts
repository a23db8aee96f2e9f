/** The network device (Virtual I/O Device 1.2, section 5.1). */
import type { Wiring } from '../../state/fields.ts';
import { isBytes, isListOf } from '../../state/state-check.ts';
import { requests, VIRTIO_TYPE, type VirtioKind, type VirtioPorts } from './device.ts';

const FEATURE = { mac: 1 << 5, status: 1 << 16 } as const;
const LINK_UP = 1;
/** Header of every packet. A legacy driver that does not merge buffers leaves the number of buffers out (section 5.1.6.1). */
const HEADER_BYTES = 12;
const LEGACY_HEADER_BYTES = 10;
const RECEIVE = 0;
const TRANSMIT = 1;
/** Longest frame: the largest IP packet with an Ethernet header and a VLAN tag. Longer ones are lost. */
export const MOST_FRAME = 65535 + 18;
/** Most packets that wait while the driver has no buffer, and most bytes of them. */
const MOST_WAITING = 256;
const MOST_WAITING_BYTES = 2 ** 20;

/**
 * The network at the card. One that belongs to the machine, and repeats with it, gives its frames to the function that `connect`
 * gets. Frames from outside come through `Machine.networkInput`, because they must be recorded.
 */
export interface Network {
  /** An Ethernet frame leaves the machine. */
  send(frame: Uint8Array): void;
  connect(receive: (frame: Uint8Array) => void): void;
}

export class VirtioNet implements VirtioKind {
  readonly stateFields = ['waiting', 'mac'];
  readonly stateChecks = { waiting: isListOf(isBytes) };
  static readonly wiring: Wiring = {
    ports: 'the transport',
    own: 'an option',
  };
  readonly name = 'virtio-net';
  readonly type = VIRTIO_TYPE.net;
  readonly classCode = 0x020000;
  readonly features = FEATURE.mac | FEATURE.status;
  readonly queueCount = 2;
  readonly receiveQueue = RECEIVE;
  readonly messages = 4;
  /** The address of the card, and the one that it has now. */
  private readonly own: readonly number[];
  private readonly mac: Uint8Array;
  private readonly network: Network;
  private readonly waiting: Uint8Array[] = [];
  private ports: VirtioPorts | undefined;

  /** @param mac six bytes */
  constructor(mac: readonly number[], network: Network) {
    this.own = mac;
    this.mac = Uint8Array.from(mac);
    this.network = network;
    network.connect((frame) => this.receive(frame));
  }

  /** A frame arrives. It is lost when too many wait. */
  receive(frame: Uint8Array): void {
    const bytes = this.waiting.reduce((sum, f) => sum + f.length, frame.length);
    if (frame.length <= MOST_FRAME && this.waiting.length < MOST_WAITING && bytes <= MOST_WAITING_BYTES)
      this.waiting.push(frame.slice());
    this.ports?.guard(() => this.deliver());
  }

  /** Frames that wait for a buffer of the driver. */
  get backlog(): number {
    return this.waiting.length;
  }

  attach(ports: VirtioPorts): void {
    this.ports = ports;
  }

  reset(): void {
    this.waiting.length = 0;
    this.mac.set(this.own);
  }

  /** A legacy driver may give the card another address (section 5.1.4.1). */
  writeConfig(offset: number, value: number): void {
    if (offset < this.mac.length) this.mac[offset] = value;
  }

  private get headerBytes(): number {
    return this.ports?.version1 ? HEADER_BYTES : LEGACY_HEADER_BYTES;
  }

  config(): Uint8Array {
    return Uint8Array.from([...this.mac, LINK_UP, 0]);
  }

  private deliver(): void {
    const { ports } = this;
    if (!ports?.live) return;
    while (this.waiting.length > 0) {
      const chain = ports.queues[RECEIVE]!.pop();
      if (!chain) return;
      const frame = this.waiting.shift()!;
      const header = this.headerBytes;
      const packet = new Uint8Array(header + frame.length);
      packet.set(frame, header);
      if (header === HEADER_BYTES) packet[10] = 1; // one buffer
      chain.write(packet);
      ports.complete(RECEIVE, chain);
    }
  }

  notified(queue: number): void {
    if (queue === RECEIVE) this.deliver();
    else
      for (const chain of requests(this.ports!, TRANSMIT)) {
        const length = chain.readableBytes - this.headerBytes;
        const packet = length > 0 && length <= MOST_FRAME ? chain.read() : undefined;
        this.ports!.complete(TRANSMIT, chain);
        if (packet) this.network.send(packet.slice(this.headerBytes));
      }
  }
}
