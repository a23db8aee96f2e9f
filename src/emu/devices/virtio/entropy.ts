/** The entropy device (Virtual I/O Device 1.2, section 5.4). */
import { xorshift } from '../../runtime/xorshift.ts';
import type { Wiring } from '../../state/fields.ts';
import { requests, VIRTIO_TYPE, type VirtioKind, type VirtioPorts } from './device.ts';

/** Longest answer, in bytes. */
const MOST = 65536;

export class VirtioEntropy implements VirtioKind {
  readonly stateFields = ['state'];
  static readonly wiring: Wiring = {
    ports: 'the transport',
  };
  readonly name = 'virtio-rng';
  readonly type = VIRTIO_TYPE.entropy;
  readonly classCode = 0x00ff00;
  readonly features = 0;
  readonly queueCount = 1;
  readonly anyOrder = true;
  private readonly seed: number;
  /** State of a xorshift generator. Runs must repeat, so its numbers are not secret. */
  private state: number;
  private ports: VirtioPorts | undefined;

  constructor(seed: number) {
    this.seed = seed | 1;
    this.state = this.seed;
  }

  attach(ports: VirtioPorts): void {
    this.ports = ports;
  }

  reset(): void {}

  config(): Uint8Array {
    return new Uint8Array(0);
  }

  notified(queue: number): void {
    for (const chain of requests(this.ports!, queue)) {
      const out = new Uint8Array(Math.min(MOST, chain.writableBytes));
      for (let i = 0; i < out.length; i++) {
        this.state = xorshift(this.state);
        out[i] = this.state >>> 11;
      }
      chain.write(out);
      this.ports!.complete(queue, chain);
    }
  }
}
