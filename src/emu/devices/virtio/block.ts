/** The block device (Virtual I/O Device 1.2, section 5.2). */
import { viewOf } from '../../formats/little-endian.ts';
import type { Stateful, Wiring } from '../../state/fields.ts';
import { requests, VIRTIO_TYPE, type VirtioKind, type VirtioPorts } from './device.ts';
import type { Chain } from './queue.ts';

const SECTOR = 512;
const FEATURE = { segMax: 1 << 2, readOnly: 1 << 5, blockSize: 1 << 6, flush: 1 << 9 } as const;
const MOST_SEGMENTS = 126;
const REQUEST = { in: 0, out: 1, flush: 4, id: 8 } as const;
/** The configuration up to the fields of the last feature before zoned disks. */
const CONFIG_BYTES = 60;
const HEADER_BYTES = 16;
const ID_BYTES = 20;
const STATUS = { ok: 0, error: 1, unsupported: 2 } as const;

/** A disk. Offsets and lengths are bytes, multiples of 512. A disk that keeps its changes in memory has state. */
export interface Disk {
  /** Bytes, a multiple of 512. */
  readonly size: number;
  readonly readOnly: boolean;
  /** @throws Error when the file cannot be read or written */
  read(offset: number, length: number): Uint8Array;
  write(offset: number, data: Uint8Array): void;
  flush(): void;
  /**
   * Begins what the call of that name with the same arguments does, where it can take long (a disk on a server).
   * @returns whether the call has its result without a wait. If not, ask again soon: the guest does not run until then.
   */
  ready?(call: 'read' | 'write' | 'flush', offset: number, length: number, data?: Uint8Array): boolean;
  /** What has its state; default: the disk itself, if it has any. */
  stateParts?(): readonly Stateful[];
}

/** The parts of a machine that a disk adds. */
export const partsOfDisk = (disk: Disk): readonly Stateful[] =>
  disk.stateParts?.() ?? ('stateFields' in disk ? [disk as Disk & Stateful] : []);

export class VirtioBlock implements VirtioKind {
  readonly stateFields = [];
  static readonly wiring: Wiring = {
    ports: 'the transport',
  };
  readonly name: string;
  readonly type = VIRTIO_TYPE.block;
  readonly classCode = 0x010000;
  readonly features: number;
  readonly queueCount = 1;
  readonly anyOrder = true;
  private readonly disk: Disk;
  private ports: VirtioPorts | undefined;

  constructor(name: string, disk: Disk) {
    this.name = name;
    this.disk = disk;
    this.features = FEATURE.segMax | FEATURE.blockSize | FEATURE.flush | (disk.readOnly ? FEATURE.readOnly : 0);
  }

  attach(ports: VirtioPorts): void {
    this.ports = ports;
  }

  reset(): void {}

  parts(): readonly Stateful[] {
    return partsOfDisk(this.disk);
  }

  config(): Uint8Array {
    const v = new DataView(new ArrayBuffer(CONFIG_BYTES));
    v.setBigUint64(0, BigInt(this.disk.size / SECTOR), true);
    v.setUint32(0x0c, MOST_SEGMENTS, true);
    v.setUint32(0x14, SECTOR, true);
    return new Uint8Array(v.buffer);
  }

  notified(queue: number): void {
    for (const chain of requests(this.ports!, queue)) {
      if (!this.request(chain)) {
        this.ports!.queues[queue]!.postpone();
        return;
      }
      this.ports!.complete(queue, chain);
    }
  }

  /** @returns false when the disk needs more time. Then nothing has happened. */
  private request(chain: Chain): boolean {
    const out = chain.read();
    const room = chain.writableBytes - 1;
    if (out.length < HEADER_BYTES || room < 0) return true;
    const header = viewOf(out);
    const sector = Number(header.getBigUint64(8, true));
    const type = header.getUint32(0, true);
    const data = out.subarray(HEADER_BYTES);
    if (!this.ready(type, sector * SECTOR, data, room)) return false;
    let status: number = STATUS.ok;
    try {
      status = this.carryOut(chain, type, sector * SECTOR, data, room);
    } catch {
      status = STATUS.error;
    }
    // The status is the last byte of the buffer, wherever the data end.
    chain.writeZeros(room);
    chain.write(Uint8Array.of(status));
    return true;
  }

  /** Does the disk have that many bytes there, in whole sectors? */
  private inside(offset: number, length: number): boolean {
    return length % SECTOR === 0 && offset + length <= this.disk.size;
  }

  /** Can a request be carried out without a wait? */
  private ready(type: number, offset: number, data: Uint8Array, room: number): boolean {
    const { disk } = this;
    if (!disk.ready) return true;
    if (type === REQUEST.in) return !this.inside(offset, room) || disk.ready('read', offset, room);
    if (type === REQUEST.out)
      return disk.readOnly || !this.inside(offset, data.length) || disk.ready('write', offset, data.length, data);
    return type !== REQUEST.flush || disk.ready('flush', 0, 0);
  }

  private carryOut(chain: Chain, type: number, offset: number, data: Uint8Array, room: number): number {
    const { disk } = this;
    switch (type) {
      case REQUEST.in:
        if (!this.inside(offset, room)) return STATUS.error;
        chain.write(disk.read(offset, room));
        return STATUS.ok;
      case REQUEST.out:
        if (disk.readOnly || !this.inside(offset, data.length)) return STATUS.error;
        disk.write(offset, data);
        return STATUS.ok;
      case REQUEST.flush:
        disk.flush();
        return STATUS.ok;
      case REQUEST.id:
        chain.write(new TextEncoder().encode(this.name.padEnd(ID_BYTES, '\0')).subarray(0, Math.min(room, ID_BYTES)));
        return STATUS.ok;
      default:
        return STATUS.unsupported;
    }
  }
}
