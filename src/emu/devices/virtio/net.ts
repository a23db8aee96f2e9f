/** The network device (Virtual I/O Device 1.2, section 5.1). */
import type { Wiring } from '../../state/fields.ts';
import { isBytes, isListOf } from '../../state/state-check.ts';
import { requests, VIRTIO_TYPE, type VirtioKind, type VirtioPorts } from './device.ts';

const FEATURE = { mac: 1 << 5, status: 1 << 16 } as const;
const LINK_UP = 1;
/** Header of every packet with version 1. */
const HEADER_BYTES = 12;
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
  readonly stateFields = ['waiting'];
  readonly stateChecks = { waiting: isListOf(isBytes) };
  static readonly wiring: Wiring = {
    ports: 'the transport',
    mac: 'an option',
  };
  readonly name = 'virtio-net';
  readonly type = VIRTIO_TYPE.net;
  readonly classCode = 0x020000;
  readonly features = FEATURE.mac | FEATURE.status;
  readonly queueCount = 2;
  private readonly mac: readonly number[];
  private readonly network: Network;
  private readonly waiting: Uint8Array[] = [];
  private ports: VirtioPorts | undefined;

  /** @param mac six bytes */
  constructor(mac: readonly number[], network: Network) {
    this.mac = mac;
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
      const packet = new Uint8Array(HEADER_BYTES + frame.length);
      packet[10] = 1; // one buffer
      packet.set(frame, HEADER_BYTES);
      chain.write(packet);
      ports.complete(RECEIVE, chain);
    }
  }

  notified(queue: number): void {
    if (queue === RECEIVE) this.deliver();
    else
      for (const chain of requests(this.ports!, TRANSMIT)) {
        const length = chain.readableBytes - HEADER_BYTES;
        const packet = length > 0 && length <= MOST_FRAME ? chain.read() : undefined;
        this.ports!.complete(TRANSMIT, chain);
        if (packet) this.network.send(packet.slice(HEADER_BYTES));
      }
  }
}
