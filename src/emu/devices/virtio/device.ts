/** What kinds of virtio devices have in common, whatever transport they sit on (Virtual I/O Device 1.2, chapter 2). */
import type { Stateful } from '../../state/fields.ts';
import type { Chain, VirtQueue } from './queue.ts';

/** Device types of section 5. */
export const VIRTIO_TYPE = { net: 1, block: 2, console: 3, entropy: 4, p9: 9 } as const;

/** What a kind of device can do through its transport. */
export interface VirtioPorts {
  /** The queues, once the driver has set them up. */
  readonly queues: readonly VirtQueue[];
  /** Gives a request back and interrupts the driver, if it wants that. */
  complete(queue: number, chain: Chain): void;
  /** A driver is at work. */
  readonly live: boolean;
  /** The runtime's clock, in milliseconds (runtime.ts). */
  now(): number;
  /** Carries out what reads the driver's memory: what is wrong there stops the device. */
  guard(body: () => void): void;
}

/** Milliseconds of work on requests in one go. */
const MOST_MS = 10;

/**
 * The requests in a queue, one after the other. After a while the rest is left for later (transport.ts, `goOn`), so that one
 * ring of the doorbell does not hold up the program. The guest cannot tell: it stands still meanwhile (machine.ts).
 * @param most how many in one go, where time is not what they cost
 * @throws QueueError when one is malformed
 */
export function* requests(ports: VirtioPorts, index: number, most = Number.POSITIVE_INFINITY): Generator<Chain> {
  const queue = ports.queues[index]!;
  // The clock is asked from the second request on: most rings of the doorbell are for one.
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
  /** Feature bits of the kind itself. */
  readonly features: number;
  readonly queueCount: number;
  /** Bytes of the device configuration. */
  config(): Uint8Array;
  attach(ports: VirtioPorts): void;
  /** The driver has put something into a queue. */
  notified(queue: number): void;
  reset(): void;
  /** What is behind it, where that has state of its own. */
  parts?(): readonly Stateful[];
}
