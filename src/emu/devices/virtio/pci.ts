/** virtio over PCI, modern only (Virtual I/O Device 1.2, section 4.1). */
import type { Stateful } from '../../state/fields.ts';
import type { Width } from '../device.ts';
import { PciFunction } from '../pci/function.ts';
import type { VirtioKind } from './device.ts';
import type { VirtQueue } from './queue.ts';
import { HIGHEST, type VirtioSurroundings, VirtioTransport } from './transport.ts';

const VENDOR = 0x1af4;
const FIRST_DEVICE = 0x1040;
const REVISION = 1;
const VENDOR_CAPABILITY = 9;
const MSIX_BAR = 1;
const BAR = 4;
const NOTIFY_MULTIPLIER = 4;
const NONE = 0xffff;
/** Structures: the number in their capability, and their place in the space of BAR 4. */
const STRUCTURE = {
  common: { type: 1, at: 0x0000, size: 0x1000 },
  notify: { type: 2, at: 0x3000, size: 0x1000 },
  isr: { type: 3, at: 0x1000, size: 0x1000 },
  device: { type: 4, at: 0x2000, size: 0x1000 },
} as const;
const BAR_BYTES = 0x4000;
/** Registers of the common structure. */
const COMMON = {
  featureSelect: 0x00,
  features: 0x04,
  acceptedSelect: 0x08,
  accepted: 0x0c,
  configVector: 0x10,
  queues: 0x12,
  status: 0x14,
  generation: 0x15,
  queueSelect: 0x16,
  queueSize: 0x18,
  queueVector: 0x1a,
  queueReady: 0x1c,
  queueNotify: 0x1e,
  desc: 0x20,
  driver: 0x28,
  device: 0x30,
} as const;
const ISR = { queue: 1, config: 2 } as const;

const u32 = (v: number): number[] => [0, 8, 16, 24].map((shift) => (v >>> shift) & 0xff);

export class VirtioPci extends PciFunction {
  override readonly stateFields: readonly string[];
  readonly transport: VirtioTransport;
  protected isr = 0;
  protected queueSelect = 0;
  protected configVector = NONE;

  constructor(kind: VirtioKind, surroundings: VirtioSurroundings) {
    super(kind.name, {
      vendor: VENDOR,
      device: FIRST_DEVICE + kind.type,
      revision: REVISION,
      classCode: kind.classCode,
      subVendor: VENDOR,
      subDevice: 0x1100,
    });
    this.transport = new VirtioTransport(kind, surroundings, {
      usedBuffers: (q) => this.interrupt(ISR.queue, q.vector),
      configChanged: () => this.interrupt(ISR.config, this.configVector),
    });
    this.addInterruptPin();
    this.addMsix(kind.queueCount + 1, MSIX_BAR);
    for (const { type, at, size } of Object.values(STRUCTURE)) {
      const body = [type, BAR, 0, 0, 0, ...u32(at), ...u32(size)];
      const all = type === STRUCTURE.notify.type ? [...body, ...u32(NOTIFY_MULTIPLIER)] : body;
      this.addCapability(VENDOR_CAPABILITY, [all.length + 3, ...all]);
    }
    this.addBar(BAR, {
      size: BAR_BYTES,
      wide: true,
      read: (offset, width) => this.read(offset, width),
      peek: (offset, width) => ((offset & 0x3000) === STRUCTURE.isr.at ? this.isr : this.read(offset, width)),
      write: (offset, width, value) => this.write(offset, width, value),
    });
    this.stateFields = ['config', 'msixTable', 'pending', 'asserted', 'isr', 'queueSelect', 'configVector'];
    this.seal();
  }

  /** The function, its transport, its queues and the parts behind them. */
  override parts(): Stateful[] {
    const { transport } = this;
    return [this, transport, ...transport.queues, transport.kind, ...(transport.kind.parts?.() ?? [])];
  }

  override reset(): void {
    super.reset();
    this.transport.reset();
    this.isr = 0;
    this.queueSelect = 0;
    this.configVector = NONE;
  }

  private interrupt(reason: number, vector: number): void {
    this.isr |= reason;
    if (this.usesMsix) this.message(vector);
    else this.setIntx(true);
  }

  private get queue(): VirtQueue | undefined {
    return this.transport.queues[this.queueSelect];
  }

  private read(offset: number, width: Width): number {
    const at = offset & 0xfff;
    switch (offset & 0x3000) {
      case STRUCTURE.common.at:
        return this.readCommon(at, width);
      case STRUCTURE.isr.at: {
        const { isr } = this;
        this.isr = 0;
        this.setIntx(false);
        return isr;
      }
      case STRUCTURE.device.at: {
        const config = this.transport.kind.config();
        let v = 0;
        for (let k = 0; k < width; k++) v |= (config[at + k] ?? 0) << (8 * k);
        return v >>> 0;
      }
      default:
        return 0;
    }
  }

  private readCommon(at: number, width: Width): number {
    const { transport, queue } = this;
    const half = (address: number, from: number): number =>
      at === from ? address % 2 ** 32 : Math.floor(address / 2 ** 32);
    switch (at) {
      case COMMON.featureSelect:
        return transport.featureSelect;
      case COMMON.features:
        return transport.features;
      case COMMON.acceptedSelect:
        return transport.acceptedSelect;
      case COMMON.accepted:
        return transport.acceptedFeatures;
      case COMMON.configVector:
        // A 32-bit read also covers the number of queues.
        return this.configVector | (width === 4 ? transport.queues.length << 16 : 0);
      case COMMON.queues:
        return transport.queues.length;
      case COMMON.status:
        return transport.status;
      case COMMON.queueSelect:
        return this.queueSelect;
      case COMMON.queueSize:
        return queue?.size ?? 0;
      case COMMON.queueVector:
        return queue?.vector ?? NONE;
      case COMMON.queueReady:
        return queue?.ready ? 1 : 0;
      case COMMON.queueNotify:
        return this.queueSelect;
      case COMMON.desc:
      case COMMON.desc + 4:
        return half(queue?.desc ?? 0, COMMON.desc);
      case COMMON.driver:
      case COMMON.driver + 4:
        return half(queue?.driver ?? 0, COMMON.driver);
      case COMMON.device:
      case COMMON.device + 4:
        return half(queue?.device ?? 0, COMMON.device);
      default:
        return 0;
    }
  }

  private write(offset: number, _width: Width, value: number): void {
    const at = offset & 0xfff;
    const structure = offset & 0x3000;
    if (structure === STRUCTURE.common.at) this.writeCommon(at, value);
    else if (structure === STRUCTURE.notify.at) this.transport.notify(Math.floor(at / NOTIFY_MULTIPLIER));
  }

  private writeCommon(at: number, value: number): void {
    const { transport, queue } = this;
    const halves = (address: number, from: number): number =>
      at === from
        ? Math.floor(address / 2 ** 32) * 2 ** 32 + value
        : (address % 2 ** 32) + Math.min(value, HIGHEST) * 2 ** 32;
    const known = (vector: number): number => (vector <= transport.queues.length ? vector : NONE);
    switch (at) {
      case COMMON.featureSelect:
        transport.featureSelect = value;
        return;
      case COMMON.acceptedSelect:
        transport.acceptedSelect = value;
        return;
      case COMMON.accepted:
        transport.acceptedFeatures = value;
        return;
      case COMMON.configVector:
        this.configVector = known(value & 0xffff);
        return;
      case COMMON.status:
        transport.setStatus(value & 0xff);
        if ((value & 0xff) === 0) {
          this.isr = 0;
          this.queueSelect = 0;
          this.configVector = NONE;
          this.setIntx(false);
        }
        return;
      case COMMON.queueSelect:
        this.queueSelect = value & 0xffff;
        return;
      default:
        if (queue) this.writeQueue(queue, at, value, halves, known);
    }
  }

  private writeQueue(
    queue: VirtQueue,
    at: number,
    value: number,
    halves: (address: number, from: number) => number,
    known: (vector: number) => number,
  ): void {
    switch (at) {
      case COMMON.queueSize:
        // The size must be a power of two, and not larger than the maximum.
        if (value > 0 && value <= queue.size && (value & (value - 1)) === 0) queue.size = value;
        return;
      case COMMON.queueVector:
        queue.vector = known(value & 0xffff);
        return;
      case COMMON.queueReady:
        queue.ready = (value & 1) === 1;
        return;
      case COMMON.desc:
      case COMMON.desc + 4:
        queue.desc = halves(queue.desc, COMMON.desc);
        return;
      case COMMON.driver:
      case COMMON.driver + 4:
        queue.driver = halves(queue.driver, COMMON.driver);
        return;
      case COMMON.device:
      case COMMON.device + 4:
        queue.device = halves(queue.device, COMMON.device);
        return;
      default:
        return;
    }
  }
}
