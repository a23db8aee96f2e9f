/** The part that all virtio devices have in common, on any transport (Virtual I/O Device 1.2, chapter 2). */
import type { Stateful } from '../../state/fields.ts';
import type { Chain, VirtQueue } from './queue.ts';

/** Device types of section 5. */
export const VIRTIO_TYPE = { net: 1, block: 2, console: 3, entropy: 4, p9: 9 } as const;

/** The interface of a device to its transport. */
export interface VirtioPorts {
  /** The queues that the driver has set up. */
  readonly queues: readonly VirtQueue[];
  /** Returns a request to the driver, and interrupts the driver if it wants that. */
  complete(queue: number, chain: Chain): void;
  /** A driver uses the device (DRIVER_OK). */
  readonly live: boolean;
  /** The driver is one for version 1; otherwise it is a legacy driver. */
  readonly version1: boolean;
  /** The runtime's clock, in milliseconds (runtime.ts). */
  now(): number;
  /** Runs work that reads the memory of the driver. An error of the driver stops the device. */
  guard(body: () => void): void;
}

/** Longest time of work on requests in one go, in milliseconds. */
const MOST_MS = 10;

/**
 * The requests in a queue, one after the other. After some time the rest is left for later (transport.ts, `goOn`), so that one
 * notification does not block the program. The guest does not notice, because it does not run until then (machine.ts).
 * @param most how many in one go, for devices whose limit is not time
 * @throws QueueError when one is malformed
 */
export function* requests(ports: VirtioPorts, index: number, most = Number.POSITIVE_INFINITY): Generator<Chain> {
  const queue = ports.queues[index]!;
  // The clock is read from the second request on, because most notifications are for one request.
  let began: number | undefined;
  let left = most;
  for (let chain = queue.pop(); chain; chain = queue.pop()) {
    yield chain;
    if (!queue.waits) return;
    began ??= ports.now();
    if (--left > 0 && ports.now() - began < MOST_MS) continue;
    queue.unfinished = true;
    return;
  }
}

/** One kind of device. */
export interface VirtioKind extends Stateful {
  readonly name: string;
  readonly type: number;
  /** PCI class of the function, 24 bits. */
  readonly classCode: number;
  /** Feature bits of this kind of device. */
  readonly features: number;
  readonly queueCount: number;
  /** The queue of buffers for what comes from outside without having been asked for; none when left out. */
  readonly receiveQueue?: number;
  /**
   * Requests may be answered in another order than that in which they came, as section 2.7.9 allows without VIRTIO_F_IN_ORDER. Not
   * those of a stream, whose order is that of its bytes.
   */
  readonly anyOrder?: boolean;
  /** Messages of MSI-X, as QEMU's device has them; default: one for each queue and one for the configuration. */
  readonly messages?: number;
  /** Bytes of the device configuration. */
  config(): Uint8Array;
  /** A legacy driver writes a byte of the configuration. Without this function it cannot be written. */
  writeConfig?(offset: number, value: number): void;
  attach(ports: VirtioPorts): void;
  /** The driver has put a request into a queue. */
  notified(queue: number): void;
  reset(): void;
  /** The parts behind the device that have their own state. */
  parts?(): readonly Stateful[];
}
