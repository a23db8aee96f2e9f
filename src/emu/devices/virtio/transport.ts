/** The registers that all virtio transports have: features, status, queues (Virtual I/O Device 1.2, section 2.1 to 2.5). */
import type { Stateful, Wiring } from '../../state/fields.ts';
import type { DeviceTime, Timed } from '../device.ts';
import type { Dma } from '../dma.ts';
import type { Omissions } from '../omissions.ts';
import type { VirtioKind, VirtioPorts } from './device.ts';
import { type Chain, QueueError, VirtQueue } from './queue.ts';

export const STATUS = {
  acknowledge: 1,
  driver: 2,
  driverOk: 4,
  featuresOk: 8,
  needsReset: 0x40,
  failed: 0x80,
} as const;
/** Feature bits of the transport: any layout of a request, which version 1 implies; indirect descriptors; version 1 is bit 32, the first of the second word. */
const ANY_LAYOUT = 2 ** 27;
const INDIRECT = 2 ** 28;
const VERSION_1 = 1;

/**
 * Upper half of the highest address that a queue can have. The machine has nothing there, and numbers are exact up to it. A
 * higher address is treated like this one.
 */
export const HIGHEST = 0x1fffff;

/** Requests that are late, in a perturbed run. */
export interface LateRequests extends Pick<DeviceTime, 'ticks' | 'sooner'> {
  /** By how many ticks at most the requests of the notification that comes now are late; 0: none is. */
  spread(): number;
}

/** What a virtio device needs of the board. */
export interface VirtioSurroundings {
  readonly dma: Dma;
  /** The runtime's clock, in milliseconds (runtime.ts). */
  readonly now: () => number;
  /** The device has work left: {@link VirtioTransport.goOn} is to be called soon. */
  readonly unfinished: () => void;
  /** Where requests may be late; without it none is. */
  readonly late?: LateRequests;
  /** Told when a driver breaks the rules. */
  readonly omissions?: Omissions;
}

/** The rings of a legacy queue begin at pages of this size (section 2.7.2). */
const LEGACY_PAGE = 4096;
const legacyAlign = (n: number): number => Math.ceil(n / LEGACY_PAGE) * LEGACY_PAGE;

/** How the transport interrupts the driver. */
export interface TransportPorts {
  /** Buffers of a queue were used. */
  readonly usedBuffers: (queue: VirtQueue) => void;
  readonly configChanged: () => void;
  /** May the device access memory? Default: always. */
  readonly mayAccess?: () => boolean;
}

export class VirtioTransport implements Stateful, Timed, VirtioPorts {
  readonly stateFields = ['status', 'accepted', 'featureSelect', 'acceptedSelect'];
  static readonly wiring: Wiring = { reason: 'words for a report' };
  readonly kind: VirtioKind;
  readonly queues: readonly VirtQueue[];
  private readonly surroundings: VirtioSurroundings;
  private readonly ports: TransportPorts;
  status = 0;
  /** The feature word that is read, and the one that is written. */
  featureSelect = 0;
  acceptedSelect = 0;
  private readonly accepted = new Uint32Array(2);
  /** Why the device asked for a reset last. */
  private reason = 'its driver broke the rules';

  constructor(kind: VirtioKind, surroundings: VirtioSurroundings, ports: TransportPorts) {
    this.kind = kind;
    this.surroundings = surroundings;
    this.ports = ports;
    this.queues = Array.from(
      { length: kind.queueCount },
      () => new VirtQueue(surroundings.dma, () => surroundings.late?.ticks() ?? 0),
    );
    kind.attach(this);
  }

  reset(): void {
    this.status = 0;
    this.featureSelect = this.acceptedSelect = 0;
    this.accepted.fill(0);
    for (const q of this.queues) q.reset();
    this.kind.reset();
  }

  /** The selected word of the offered features. */
  get features(): number {
    if (this.featureSelect === 0) return (this.kind.features | INDIRECT) >>> 0;
    return this.featureSelect === 1 ? VERSION_1 : 0;
  }

  /** The features that the legacy interface offers: bits 31 to 0. */
  get legacyFeatures(): number {
    return (this.kind.features | ANY_LAYOUT | INDIRECT) >>> 0;
  }

  /** The features that a driver has accepted by the legacy interface. */
  get legacyAccepted(): number {
    return this.accepted[0]!;
  }

  set legacyAccepted(value: number) {
    this.accepted[0] = value;
    this.accepted[1] = 0;
  }

  get version1(): boolean {
    return (this.accepted[1]! & VERSION_1) !== 0;
  }

  get acceptedFeatures(): number {
    return this.accepted[this.acceptedSelect] ?? 0;
  }

  set acceptedFeatures(value: number) {
    if (this.acceptedSelect < 2) this.accepted[this.acceptedSelect] = value;
  }

  /** The driver writes the status. */
  setStatus(value: number): void {
    if (value === 0) {
      this.reset();
      return;
    }
    let next = value;
    // A driver without VIRTIO_F_VERSION_1 is refused.
    if (next & STATUS.featuresOk && this.accepted[1] !== VERSION_1) next &= ~STATUS.featuresOk;
    this.status = next | (this.status & STATUS.needsReset);
  }

  /** The driver writes the status by the legacy interface, which has no agreement on features. */
  setLegacyStatus(value: number): void {
    if (value === 0) this.reset();
    else this.status = value | (this.status & STATUS.needsReset);
  }

  /** The page at which a legacy queue begins; 0 when it is not in use. */
  legacyPage(queue: number): number {
    const q = this.queues[queue];
    return q?.ready ? Math.floor(q.desc / LEGACY_PAGE) % 2 ** 32 : 0;
  }

  /** Places a queue as the legacy interface does, all its parts behind each other. @param page 0 takes it away */
  setLegacyPage(queue: number, page: number): void {
    const q = this.queues[queue];
    if (!q) return;
    if (page === 0) {
      q.reset();
      return;
    }
    q.desc = page * LEGACY_PAGE;
    q.driver = q.desc + 16 * q.size;
    q.device = legacyAlign(q.driver + 4 + 2 * q.size);
    q.ready = true;
  }

  get live(): boolean {
    const { status } = this;
    return (status & STATUS.driverOk) !== 0 && (status & STATUS.needsReset) === 0 && (this.ports.mayAccess?.() ?? true);
  }

  /** The driver notifies the device of a queue. An error of the driver stops the device until its reset. */
  notify(queue: number): void {
    const q = this.queues[queue];
    // The device still works on this queue, and will get to the new requests.
    if (!this.live || !q?.ready || q.unfinished) return;
    const { late } = this.surroundings;
    q.spreadOut(late && this.kind.anyOrder ? late.spread() : 0);
    this.work(queue);
    if (q.deadline !== Number.POSITIVE_INFINITY) late?.sooner();
  }

  private work(queue: number): void {
    this.guard(() => this.kind.notified(queue));
    if (this.queues[queue]!.unfinished) this.surroundings.unfinished();
  }

  /** The tick at which a late request is due. */
  get deadline(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const q of this.queues) next = Math.min(next, q.deadline);
    return next;
  }

  /** Works on late requests whose time has come. Those of a device that is not in use any more are lost. */
  expire(now: number): void {
    this.queues.forEach((q, n) => {
      if (q.deadline > now || q.unfinished) return;
      if (this.live && q.ready) this.work(n);
      else q.drop();
    });
  }

  /** Goes on with work that was left for later. @returns whether there is still more */
  goOn(): boolean {
    let more = false;
    this.queues.forEach((q, n) => {
      if (!q.unfinished) return;
      q.unfinished = false;
      if (this.live && q.ready) this.guard(() => this.kind.notified(n));
      more ||= q.unfinished;
    });
    return more;
  }

  /** Why the device does nothing any more until its reset; undefined while it works. */
  get refusal(): string | undefined {
    return this.status & STATUS.needsReset ? `${this.kind.name} asks for a reset: ${this.reason}` : undefined;
  }

  /** May the device write there at any time, because something arrives from outside? @param pa a physical address */
  mayReceiveAt(pa: number): boolean {
    const { receiveQueue } = this.kind;
    const queue = receiveQueue === undefined ? undefined : this.queues[receiveQueue];
    return queue !== undefined && this.live && queue.ready && queue.mayWrite(pa);
  }

  now(): number {
    return this.surroundings.now();
  }

  /** Runs work that reads the memory of the driver. */
  guard(body: () => void): void {
    try {
      body();
    } catch (error) {
      if (!(error instanceof QueueError)) throw error;
      this.surroundings.omissions?.say(this.kind.name, `asks for a reset: ${error.message}`);
      this.reason = error.message;
      this.status |= STATUS.needsReset;
      this.ports.configChanged();
    }
  }

  complete(queue: number, chain: Chain): void {
    const q = this.queues[queue]!;
    // After the reset of a queue its memory belongs to the driver.
    if (q.ready && (this.ports.mayAccess?.() ?? true) && q.push(chain)) this.ports.usedBuffers(q);
  }
}
