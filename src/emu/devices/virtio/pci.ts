/**
 * virtio over PCI (Virtual I/O Device 1.2, section 4.1), with the identity and the places that QEMU's functions have. A transitional
 * function has both interfaces: that of version 1 in memory, and the legacy one of virtio 0.9.5 at I/O ports.
 */
import type { Stateful } from '../../state/fields.ts';
import type { Width } from '../device.ts';
import { PciFunction } from '../pci/function.ts';
import type { RegisterDeclaration, RegisterTable } from '../register-table.ts';
import { VIRTIO_TYPE, type VirtioKind } from './device.ts';
import type { VirtQueue } from './queue.ts';
import { HIGHEST, STATUS, type VirtioSurroundings, VirtioTransport } from './transport.ts';

/** The interfaces of a function: both, that of version 1, or the legacy one. */
export const VIRTIO_INTERFACES = ['transitional', 'modern', 'legacy'] as const;
export type VirtioInterfaces = (typeof VIRTIO_INTERFACES)[number];

const VENDOR = 0x1af4;
/** Device ID of a function without the legacy interface: so much more than the device type. */
const FIRST_MODERN = 0x1040;
/** Device IDs with the legacy interface (section 4.1.2.3). */
const TRANSITIONAL_ID: Readonly<Record<number, number>> = {
  [VIRTIO_TYPE.net]: 0x1000,
  [VIRTIO_TYPE.block]: 0x1001,
  [VIRTIO_TYPE.console]: 0x1003,
  [VIRTIO_TYPE.entropy]: 0x1005,
  [VIRTIO_TYPE.p9]: 0x1009,
};
const MODERN_SUBSYSTEM = 0x1100;
const VENDOR_CAPABILITY = 9;
const LEGACY_BAR = 0;
const MSIX_BAR = 1;
const BAR = 4;
const NOTIFY_MULTIPLIER = 4;
const NONE = 0xffff;
/** Structures, in the order of their capabilities: the number of their kind, and their place in the space of BAR 4. */
const STRUCTURE = {
  common: { type: 1, at: 0x0000, size: 0x1000 },
  isr: { type: 3, at: 0x1000, size: 0x1000 },
  device: { type: 4, at: 0x2000, size: 0x1000 },
  notify: { type: 2, at: 0x3000, size: 0x1000 },
} as const;
const BAR_BYTES = 0x4000;
/** The capability by which configuration space leads to the structures (section 4.1.4.9): its fields. */
const WINDOW = { type: 5, bar: 4, offset: 8, length: 12, data: 16 } as const;

/** Registers of the common structure. */
const COMMON = {
  featureSelect: { name: 'device_feature_select', offset: 0x00, width: 4, access: 'rw', reset: 0, section: '4.1.4.3' },
  features: { name: 'device_feature', offset: 0x04, width: 4, access: 'ro', reset: 'by device', section: '4.1.4.3' },
  acceptedSelect: { name: 'driver_feature_select', offset: 0x08, width: 4, access: 'rw', reset: 0, section: '4.1.4.3' },
  accepted: { name: 'driver_feature', offset: 0x0c, width: 4, access: 'rw', reset: 0, section: '4.1.4.3' },
  configVector: { name: 'config_msix_vector', offset: 0x10, width: 2, access: 'rw', reset: NONE, section: '4.1.4.3' },
  queues: { name: 'num_queues', offset: 0x12, width: 2, access: 'ro', reset: 'by device', section: '4.1.4.3' },
  status: { name: 'device_status', offset: 0x14, width: 1, access: 'rw', reset: 0, section: '4.1.4.3' },
  generation: { name: 'config_generation', offset: 0x15, width: 1, access: 'ro', reset: 0, section: '4.1.4.3' },
  queueSelect: { name: 'queue_select', offset: 0x16, width: 2, access: 'rw', reset: 0, section: '4.1.4.3' },
  queueSize: { name: 'queue_size', offset: 0x18, width: 2, access: 'rw', reset: 256, section: '4.1.4.3' },
  queueVector: { name: 'queue_msix_vector', offset: 0x1a, width: 2, access: 'rw', reset: NONE, section: '4.1.4.3' },
  queueReady: { name: 'queue_enable', offset: 0x1c, width: 2, access: 'rw', reset: 0, section: '4.1.4.3' },
  queueNotify: { name: 'queue_notify_off', offset: 0x1e, width: 2, access: 'ro', reset: 0, section: '4.1.4.3' },
  desc: { name: 'queue_desc', offset: 0x20, width: 8, access: 'rw', reset: 0, section: '4.1.4.3' },
  driver: { name: 'queue_driver', offset: 0x28, width: 8, access: 'rw', reset: 0, section: '4.1.4.3' },
  device: { name: 'queue_device', offset: 0x30, width: 8, access: 'rw', reset: 0, section: '4.1.4.3' },
} as const satisfies Readonly<Record<string, RegisterDeclaration>>;

/** Registers of the legacy interface. The two of MSI-X are there while it is enabled; the configuration of the device follows. */
const LEGACY = {
  features: { name: 'Device Features', offset: 0x00, width: 4, access: 'ro', reset: 'by device', section: '4.1.4.10' },
  accepted: { name: 'Driver Features', offset: 0x04, width: 4, access: 'rw', reset: 0, section: '4.1.4.10' },
  queuePage: { name: 'Queue Address', offset: 0x08, width: 4, access: 'rw', reset: 0, section: '4.1.4.10' },
  queueSize: { name: 'Queue Size', offset: 0x0c, width: 2, access: 'ro', reset: 256, section: '4.1.4.10' },
  queueSelect: { name: 'Queue Select', offset: 0x0e, width: 2, access: 'rw', reset: 0, section: '4.1.4.10' },
  notify: { name: 'Queue Notify', offset: 0x10, width: 2, access: 'wo', reset: 0, section: '4.1.4.10' },
  status: { name: 'Device Status', offset: 0x12, width: 1, access: 'rw', reset: 0, section: '4.1.4.10' },
  isr: { name: 'ISR Status', offset: 0x13, width: 1, access: 'rc', reset: 0, section: '4.1.4.10' },
  configVector: { name: 'config_msix_vector', offset: 0x14, width: 2, access: 'rw', reset: NONE, section: '4.1.4.10' },
  queueVector: { name: 'queue_msix_vector', offset: 0x16, width: 2, access: 'rw', reset: NONE, section: '4.1.4.10' },
} as const satisfies Readonly<Record<string, RegisterDeclaration>>;
const LEGACY_BYTES = 0x14;
const LEGACY_BYTES_MSIX = 0x18;

/** What the functions have, for docs/board.md. */
export const VIRTIO_PCI_REGISTERS: readonly RegisterTable[] = [
  {
    device: 'virtio, common configuration (BAR 4)',
    source: 'Virtual I/O Device 1.2',
    registers: Object.values(COMMON),
  },
  {
    device: 'virtio, legacy interface (BAR 0, I/O ports)',
    source: 'Virtual I/O Device 1.2',
    registers: Object.values(LEGACY),
  },
];

const ISR = { queue: 1, config: 2 } as const;

const u32 = (v: number): number[] => [0, 8, 16, 24].map((shift) => (v >>> shift) & 0xff);
const bytesAt = (bytes: Uint8Array, at: number, width: Width): number => {
  let v = 0;
  for (let k = 0; k < width; k++) v |= (bytes[at + k] ?? 0) << (8 * k);
  return v >>> 0;
};
/** The next power of two. */
const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(n));

export class VirtioPci extends PciFunction {
  override readonly stateFields: readonly string[];
  readonly transport: VirtioTransport;
  protected isr = 0;
  protected queueSelect = 0;
  protected configVector = NONE;
  private readonly messages: number;
  /** Where the capability for the window is; 0: there is none. */
  private readonly windowAt: number = 0;

  constructor(kind: VirtioKind, surroundings: VirtioSurroundings, interfaces: VirtioInterfaces = 'transitional') {
    const legacy = interfaces !== 'modern';
    super(kind.name, {
      vendor: VENDOR,
      device: (legacy && TRANSITIONAL_ID[kind.type]) || FIRST_MODERN + kind.type,
      revision: legacy ? 0 : 1,
      classCode: kind.classCode,
      subVendor: VENDOR,
      subDevice: legacy ? kind.type : MODERN_SUBSYSTEM,
    });
    this.transport = new VirtioTransport(kind, surroundings, {
      usedBuffers: (q) => this.interrupt(ISR.queue, q.vector),
      configChanged: () => this.interrupt(ISR.config, this.configVector),
      mayAccess: () => this.isMaster,
    });
    this.messages = kind.messages ?? kind.queueCount + 1;
    this.addInterruptPin();
    if (legacy)
      this.addBar(LEGACY_BAR, {
        kind: 'io',
        size: powerOfTwo(LEGACY_BYTES_MSIX + kind.config().length),
        read: (offset, width) => this.readLegacy(offset, width),
        peek: (offset, width) => this.peekLegacy(offset, width),
        write: (offset, width, value) => this.writeLegacy(offset, width, value),
      });
    if (interfaces !== 'legacy') {
      for (const { type, at, size } of Object.values(STRUCTURE)) {
        const body = [type, BAR, 0, 0, 0, ...u32(at), ...u32(size)];
        const all = type === STRUCTURE.notify.type ? [...body, ...u32(NOTIFY_MULTIPLIER)] : body;
        this.addCapability(VENDOR_CAPABILITY, [all.length + 3, ...all]);
      }
      // It begins with the only register that has structures: some drivers take the first capability for one of them.
      const fields = new Array<number>(WINDOW.data + 4 - WINDOW.offset);
      this.windowAt = this.addCapability(
        VENDOR_CAPABILITY,
        [WINDOW.data + 4, WINDOW.type, BAR, 0, 0, 0, ...fields.fill(0)],
        [0, 0, 0xff, 0, 0, 0, ...fields.fill(0xff)],
      );
      this.addBar(BAR, {
        kind: 'memory64',
        size: BAR_BYTES,
        read: (offset, width) => this.read(offset, width),
        peek: (offset, width) => this.peek(offset, width),
        write: (offset, width, value) => this.write(offset, width, value),
      });
    }
    this.addMsix(this.messages, MSIX_BAR);
    this.stateFields = ['config', 'msixTable', 'pending', 'asserted', 'isr', 'queueSelect', 'configVector'];
    this.seal();
  }

  /** The function, its transport, its queues and the parts behind them. */
  override parts(): Stateful[] {
    const { transport } = this;
    return [this, transport, ...transport.queues, transport.kind, ...(transport.kind.parts?.() ?? [])];
  }

  get refusal(): string | undefined {
    return this.transport.refusal;
  }

  get deadline(): number {
    return this.transport.deadline;
  }

  expire(now: number): void {
    this.transport.expire(now);
  }

  mayReceiveAt(pa: number): boolean {
    return this.transport.mayReceiveAt(pa);
  }

  goOn(): boolean {
    return this.transport.goOn();
  }

  override reset(): void {
    super.reset();
    this.transport.reset();
    this.forget();
  }

  /** The driver has reset the device. */
  private forget(): void {
    this.isr = 0;
    this.queueSelect = 0;
    this.configVector = NONE;
    this.setIntx(false);
  }

  private interrupt(reason: number, vector: number): void {
    this.isr |= reason;
    if (this.usesMsix) this.message(vector);
    else this.setIntx(true);
  }

  private get queue(): VirtQueue | undefined {
    return this.transport.queues[this.queueSelect];
  }

  /** A vector that a driver asks for, as the register shows it then. */
  private known(vector: number): number {
    return vector < this.messages ? vector : NONE;
  }

  private takeIsr(): number {
    const { isr } = this;
    this.isr = 0;
    this.setIntx(false);
    return isr;
  }

  private read(offset: number, width: Width): number {
    return (offset & 0x3000) === STRUCTURE.isr.at ? this.takeIsr() : this.peek(offset, width);
  }

  private peek(offset: number, width: Width): number {
    const at = offset & 0xfff;
    switch (offset & 0x3000) {
      case STRUCTURE.common.at:
        return this.readCommon(at, width);
      case STRUCTURE.isr.at:
        return this.isr;
      case STRUCTURE.device.at:
        return bytesAt(this.transport.kind.config(), at, width);
      default:
        return 0;
    }
  }

  private readCommon(at: number, width: Width): number {
    const { transport, queue } = this;
    const half = (address: number, from: number): number =>
      at === from ? address % 2 ** 32 : Math.floor(address / 2 ** 32);
    switch (at) {
      case COMMON.featureSelect.offset:
        return transport.featureSelect;
      case COMMON.features.offset:
        return transport.features;
      case COMMON.acceptedSelect.offset:
        return transport.acceptedSelect;
      case COMMON.accepted.offset:
        return transport.acceptedFeatures;
      case COMMON.configVector.offset:
        // A 32-bit read also covers the number of queues.
        return this.configVector | (width === 4 ? transport.queues.length << 16 : 0);
      case COMMON.queues.offset:
        return transport.queues.length;
      case COMMON.status.offset:
        return transport.status;
      case COMMON.queueSelect.offset:
        return this.queueSelect;
      case COMMON.queueSize.offset:
        return queue?.size ?? 0;
      case COMMON.queueVector.offset:
        return queue?.vector ?? NONE;
      case COMMON.queueReady.offset:
        return queue?.ready ? 1 : 0;
      case COMMON.queueNotify.offset:
        return this.queueSelect;
      case COMMON.desc.offset:
      case COMMON.desc.offset + 4:
        return half(queue?.desc ?? 0, COMMON.desc.offset);
      case COMMON.driver.offset:
      case COMMON.driver.offset + 4:
        return half(queue?.driver ?? 0, COMMON.driver.offset);
      case COMMON.device.offset:
      case COMMON.device.offset + 4:
        return half(queue?.device ?? 0, COMMON.device.offset);
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
    switch (at) {
      case COMMON.featureSelect.offset:
        transport.featureSelect = value;
        return;
      case COMMON.acceptedSelect.offset:
        transport.acceptedSelect = value;
        return;
      case COMMON.accepted.offset:
        transport.acceptedFeatures = value;
        return;
      case COMMON.configVector.offset:
        this.configVector = this.known(value & 0xffff);
        return;
      case COMMON.status.offset:
        transport.setStatus(value & 0xff);
        if ((value & 0xff) === 0) this.forget();
        return;
      case COMMON.queueSelect.offset:
        this.queueSelect = value & 0xffff;
        return;
      default:
        if (queue) this.writeQueue(queue, at, value);
    }
  }

  private writeQueue(queue: VirtQueue, at: number, value: number): void {
    const halves = (address: number, from: number): number =>
      at === from
        ? Math.floor(address / 2 ** 32) * 2 ** 32 + value
        : (address % 2 ** 32) + Math.min(value, HIGHEST) * 2 ** 32;
    switch (at) {
      case COMMON.queueSize.offset:
        // The size must be a power of two, and not larger than the maximum.
        if (value > 0 && value <= queue.size && (value & (value - 1)) === 0) queue.size = value;
        return;
      case COMMON.queueVector.offset:
        queue.vector = this.known(value & 0xffff);
        return;
      case COMMON.queueReady.offset:
        queue.ready = (value & 1) === 1;
        return;
      case COMMON.desc.offset:
      case COMMON.desc.offset + 4:
        queue.desc = halves(queue.desc, COMMON.desc.offset);
        return;
      case COMMON.driver.offset:
      case COMMON.driver.offset + 4:
        queue.driver = halves(queue.driver, COMMON.driver.offset);
        return;
      case COMMON.device.offset:
      case COMMON.device.offset + 4:
        queue.device = halves(queue.device, COMMON.device.offset);
        return;
      default:
        return;
    }
  }

  /** Where the configuration of the device begins in the legacy interface. */
  private get legacyBytes(): number {
    return this.usesMsix ? LEGACY_BYTES_MSIX : LEGACY_BYTES;
  }

  private readLegacy(at: number, width: Width): number {
    return at === LEGACY.isr.offset ? this.takeIsr() : this.peekLegacy(at, width);
  }

  private peekLegacy(at: number, width: Width): number {
    const { transport, legacyBytes } = this;
    if (at >= legacyBytes) return bytesAt(transport.kind.config(), at - legacyBytes, width);
    switch (at) {
      case LEGACY.features.offset:
        return transport.legacyFeatures;
      case LEGACY.accepted.offset:
        return transport.legacyAccepted;
      case LEGACY.queuePage.offset:
        return transport.legacyPage(this.queueSelect);
      case LEGACY.queueSize.offset:
        return this.queue?.size ?? 0;
      case LEGACY.queueSelect.offset:
        return this.queueSelect;
      case LEGACY.status.offset:
        return transport.status;
      case LEGACY.isr.offset:
        return this.isr;
      case LEGACY.configVector.offset:
        return this.configVector;
      case LEGACY.queueVector.offset:
        return this.queue?.vector ?? NONE;
      default:
        return 0;
    }
  }

  private writeLegacy(at: number, width: Width, value: number): void {
    const { transport, queue, legacyBytes } = this;
    if (at >= legacyBytes) {
      // A driver that has agreed on version 1 must not use this interface.
      if (transport.version1) return;
      for (let k = 0; k < width; k++) transport.kind.writeConfig?.(at - legacyBytes + k, (value >>> (8 * k)) & 0xff);
      return;
    }
    switch (at) {
      case LEGACY.accepted.offset:
        transport.legacyAccepted = value;
        return;
      case LEGACY.queuePage.offset:
        transport.setLegacyPage(this.queueSelect, value);
        return;
      case LEGACY.queueSelect.offset:
        this.queueSelect = value & 0xffff;
        return;
      case LEGACY.notify.offset:
        transport.notify(value & 0xffff);
        return;
      case LEGACY.status.offset:
        transport.setLegacyStatus(value & 0xff);
        if ((value & 0xff) === 0) this.forget();
        // Old drivers do not make the function a bus master. QEMU does it for them, and so do its successors.
        else if ((value & 0xff) === (STATUS.acknowledge | STATUS.driver)) this.becomeMaster();
        return;
      case LEGACY.configVector.offset:
        this.configVector = this.known(value & 0xffff);
        return;
      case LEGACY.queueVector.offset:
        if (queue) queue.vector = this.known(value & 0xffff);
        return;
      default:
        return;
    }
  }

  /** The access that the window's fields describe; undefined when they describe none. */
  private get window(): { readonly offset: number; readonly width: Width } | undefined {
    const { windowAt } = this;
    const [offset, width] = [this.get(windowAt + WINDOW.offset, 4), this.get(windowAt + WINDOW.length, 4)];
    if (this.get(windowAt + WINDOW.bar, 1) !== BAR || (width !== 1 && width !== 2 && width !== 4)) return undefined;
    return offset % width === 0 && offset + width <= BAR_BYTES ? { offset, width } : undefined;
  }

  /** Does an access to configuration space touch the window's data? */
  private inWindow(at: number, width: Width): boolean {
    const data = this.windowAt + WINDOW.data;
    return this.windowAt !== 0 && at < data + 4 && at + width > data;
  }

  override readConfig(at: number, width: Width): number {
    const window = this.inWindow(at, width) ? this.window : undefined;
    if (!window) return super.readConfig(at, width);
    // The access to the structure happens; the bytes around it are those of configuration space.
    const value = this.read(window.offset, window.width);
    let out = super.readConfig(at, width);
    for (let k = 0; k < width; k++) {
      const n = at + k - (this.windowAt + WINDOW.data);
      if (n < 0 || n >= window.width) continue;
      out = (out & ~(0xff << (8 * k))) | (((value >>> (8 * n)) & 0xff) << (8 * k));
    }
    return out >>> 0;
  }

  override writeConfig(at: number, width: Width, value: number): void {
    super.writeConfig(at, width, value);
    const window = this.inWindow(at, width) ? this.window : undefined;
    if (window) this.write(window.offset, window.width, this.get(this.windowAt + WINDOW.data, window.width));
  }
}
