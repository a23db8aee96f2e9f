/** The console device with one port (Virtual I/O Device 1.2, section 5.3). */
import type { Wiring } from '../../state/fields.ts';
import { requests, VIRTIO_TYPE, type VirtioKind, type VirtioPorts } from './device.ts';
import { QueueError } from './queue.ts';

const RECEIVE = 0;
const TRANSMIT = 1;
/** How many requests are sent in one go, and how many bytes of each. A slow reader gets no more at a time. */
const MOST_AT_ONCE = 16;
const MOST_REQUEST = 2 ** 18;

export class VirtioConsole implements VirtioKind {
  readonly stateFields = ['waiting'];
  static readonly wiring: Wiring = {
    ports: 'the transport',
  };
  readonly name = 'virtio-console';
  readonly type = VIRTIO_TYPE.console;
  readonly classCode = 0x078000;
  readonly features = 0;
  readonly queueCount = 2;
  readonly receiveQueue = RECEIVE;
  readonly messages = 2;
  private readonly send: (byte: number) => void;
  private readonly waiting: number[] = [];
  private ports: VirtioPorts | undefined;

  constructor(send: (byte: number) => void) {
    this.send = send;
  }

  attach(ports: VirtioPorts): void {
    this.ports = ports;
  }

  reset(): void {
    this.waiting.length = 0;
  }

  config(): Uint8Array {
    return new Uint8Array(12);
  }

  /** Bytes from outside that wait for a request of the driver. */
  get backlog(): number {
    return this.waiting.length;
  }

  /** Bytes arrive from outside. */
  receive(bytes: Iterable<number>): void {
    for (const b of bytes) this.waiting.push(b);
    this.ports?.guard(() => this.deliver());
  }

  private deliver(): void {
    const { ports } = this;
    if (!ports?.live) return;
    while (this.waiting.length > 0) {
      const chain = ports.queues[RECEIVE]!.pop();
      if (!chain) return;
      chain.write(Uint8Array.from(this.waiting.splice(0, chain.writableBytes)));
      ports.complete(RECEIVE, chain);
    }
  }

  notified(queue: number): void {
    if (queue === RECEIVE) this.deliver();
    else
      for (const chain of requests(this.ports!, TRANSMIT, MOST_AT_ONCE)) {
        if (chain.readableBytes > MOST_REQUEST) throw new QueueError('more text than any request holds');
        for (const byte of chain.read()) this.send(byte);
        this.ports!.complete(TRANSMIT, chain);
      }
  }
}
