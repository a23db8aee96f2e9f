/** virtio over MMIO, version 2 (Virtual I/O Device 1.2, section 4.2): for guests without PCI. */
import type { Stateful } from '../../state/fields.ts';
import type { Device, Line, Width } from '../device.ts';
import type { VirtioKind } from './device.ts';
import type { VirtQueue } from './queue.ts';
import { HIGHEST, type VirtioSurroundings, VirtioTransport } from './transport.ts';

const MAGIC = 0x74726976;
const VERSION = 2;
const VENDOR = 0x1af4;
const REG = {
  magic: 0x000,
  version: 0x004,
  device: 0x008,
  vendor: 0x00c,
  features: 0x010,
  featureSelect: 0x014,
  accepted: 0x020,
  acceptedSelect: 0x024,
  queueSelect: 0x030,
  queueMost: 0x034,
  queueSize: 0x038,
  queueReady: 0x044,
  notify: 0x050,
  interrupt: 0x060,
  acknowledge: 0x064,
  status: 0x070,
  desc: 0x080,
  driver: 0x090,
  used: 0x0a0,
  generation: 0x0fc,
  config: 0x100,
} as const;
const INTERRUPT = { queue: 1, config: 2 } as const;
/** Size of the registers of a device, in bytes. */
const MMIO_BYTES = 0x200;

export class VirtioMmio implements Device, Stateful {
  readonly stateFields = ['interrupt', 'queueSelect'];
  readonly name: string;
  readonly size = MMIO_BYTES;
  readonly transport: VirtioTransport;
  private readonly line: Line;
  private interrupt = 0;
  private queueSelect = 0;

  constructor(kind: VirtioKind, surroundings: VirtioSurroundings, line: Line) {
    this.name = `${kind.name} (mmio)`;
    this.line = line;
    this.transport = new VirtioTransport(kind, surroundings, {
      usedBuffers: () => this.raise(INTERRUPT.queue),
      configChanged: () => this.raise(INTERRUPT.config),
    });
  }

  /** The registers, the transport, the queues and the parts behind them. */
  parts(): Stateful[] {
    const { transport } = this;
    return [this, transport, ...transport.queues, transport.kind, ...(transport.kind.parts?.() ?? [])];
  }

  reset(): void {
    this.transport.reset();
    this.queueSelect = 0;
    this.lower(~0);
  }

  private raise(reason: number): void {
    this.interrupt |= reason;
    this.line(true);
  }

  private lower(reasons: number): void {
    this.interrupt &= ~reasons;
    this.line(this.interrupt !== 0);
  }

  private get queue(): VirtQueue | undefined {
    return this.transport.queues[this.queueSelect];
  }

  peek(offset: number, width: Width): number {
    const { transport } = this;
    if (offset >= REG.config) {
      const config = transport.kind.config();
      let v = 0;
      for (let k = 0; k < width; k++) v |= (config[offset - REG.config + k] ?? 0) << (8 * k);
      return v >>> 0;
    }
    switch (offset) {
      case REG.magic:
        return MAGIC;
      case REG.version:
        return VERSION;
      case REG.device:
        return transport.kind.type;
      case REG.vendor:
        return VENDOR;
      case REG.features:
        return transport.features;
      case REG.queueMost:
        return this.queue?.size ?? 0;
      case REG.queueReady:
        return this.queue?.ready ? 1 : 0;
      case REG.interrupt:
        return this.interrupt;
      case REG.status:
        return transport.status;
      default:
        return 0;
    }
  }

  read(offset: number, width: Width): number {
    return this.peek(offset, width);
  }

  write(offset: number, _width: Width, value: number): void {
    const { transport, queue } = this;
    switch (offset) {
      case REG.featureSelect:
        transport.featureSelect = value;
        return;
      case REG.acceptedSelect:
        transport.acceptedSelect = value;
        return;
      case REG.accepted:
        transport.acceptedFeatures = value;
        return;
      case REG.queueSelect:
        this.queueSelect = value;
        return;
      case REG.notify:
        transport.notify(value);
        return;
      case REG.acknowledge:
        this.lower(value);
        return;
      case REG.status:
        transport.setStatus(value & 0xff);
        if (value === 0) this.lower(~0);
        return;
      default:
        if (queue) this.writeQueue(queue, offset, value);
    }
  }

  private writeQueue(queue: VirtQueue, offset: number, value: number): void {
    const low = (address: number): number => Math.floor(address / 2 ** 32) * 2 ** 32 + value;
    const high = (address: number): number => (address % 2 ** 32) + Math.min(value, HIGHEST) * 2 ** 32;
    switch (offset) {
      case REG.queueSize:
        if (value > 0 && value <= queue.size && (value & (value - 1)) === 0) queue.size = value;
        return;
      case REG.queueReady:
        queue.ready = (value & 1) === 1;
        return;
      case REG.desc:
        queue.desc = low(queue.desc);
        return;
      case REG.desc + 4:
        queue.desc = high(queue.desc);
        return;
      case REG.driver:
        queue.driver = low(queue.driver);
        return;
      case REG.driver + 4:
        queue.driver = high(queue.driver);
        return;
      case REG.used:
        queue.device = low(queue.device);
        return;
      case REG.used + 4:
        queue.device = high(queue.device);
        return;
      default:
        return;
    }
  }
}
