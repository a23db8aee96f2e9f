import { LINE } from '../cpu/cpu.ts';
import type { Stateful } from '../state/fields.ts';
import type { CpuLines } from './device.ts';

/** IOCSR offsets of the extended I/O interrupt controller. */
const NODEMAP = 0x14a0;
const IPMAP = 0x14c0;
const ENABLE = 0x1600;
const BOUNCE = 0x1680;
const ISR = 0x1700;
const COREISR = 0x1800;
const COREMAP = 0x1c00;
const VECTORS = 256;
/** The virt extension: the features that it offers, and those that are switched on. */
const VIRT = { features: 0x40000000, config: 0x40000004 } as const;
const VIRT_FEATURE = { extension: 1, enable: 2, cpuEncode: 8 } as const;
const VIRT_FEATURES = VIRT_FEATURE.extension | VIRT_FEATURE.enable | VIRT_FEATURE.cpuEncode;

/** 256 interrupt vectors, routed to CPUs (COREMAP) and their HWI pins (IPMAP). docs/board.md has the event rules. */
export class Eiointc implements Stateful {
  readonly stateFields = ['virtConfig', 'nodemap', 'ipmap', 'enable', 'bounce', 'coremap', 'source', 'latched'];
  private readonly cpus: number;
  private readonly lines: CpuLines;
  private virtConfig = 0;
  private readonly nodemap = new Uint8Array(32);
  private readonly ipmap = new Uint8Array(8);
  private readonly enable = new Uint8Array(VECTORS / 8);
  private readonly bounce = new Uint8Array(VECTORS / 8);
  private readonly coremap = new Uint8Array(VECTORS);
  /** Level of the source of each vector. */
  private readonly source = new Uint8Array(VECTORS);
  /** Latched vectors, per CPU. */
  private readonly latched: readonly Uint8Array[];

  constructor(cpus: number, lines: CpuLines) {
    this.cpus = cpus;
    this.lines = lines;
    this.latched = Array.from({ length: cpus }, () => new Uint8Array(VECTORS));
  }

  reset(): void {
    for (const a of [this.nodemap, this.ipmap, this.enable, this.bounce, this.coremap, this.source]) a.fill(0);
    for (const l of this.latched) l.fill(0);
    this.virtConfig = 0;
    this.update();
  }

  private cpuOf(vector: number): number {
    // COREMAP names the core in its node (one bit for each of four cores) and the node.
    const map = this.coremap[vector]!;
    if (this.virtConfig & VIRT_FEATURE.cpuEncode) return map < this.cpus ? map : 0;
    const oneHot = map & 0xf;
    const cpu = (map >> 4) * 4 + (oneHot === 0 ? 0 : 31 - Math.clz32(oneHot & -oneHot));
    return cpu < this.cpus ? cpu : 0;
  }

  private pinOf(vector: number): number {
    const oneHot = this.ipmap[vector >> 5]! & 0xf;
    return oneHot === 0 ? 0 : 31 - Math.clz32(oneHot & -oneHot);
  }

  private enabled(vector: number): boolean {
    return (this.enable[vector >> 3]! & (1 << (vector & 7))) !== 0;
  }

  /** A source raises or lowers its vector. Each time that it raises the vector, the vector is latched again, as a message is. */
  set(vector: number, level: boolean): void {
    this.source[vector] = level ? 1 : 0;
    if (!level) for (const l of this.latched) l[vector] = 0;
    else if (this.enabled(vector)) this.latched[this.cpuOf(vector)]![vector] = 1;
    this.update();
  }

  /** Sets the pins: a pin of a CPU is high while a vector that is routed to it is latched. */
  private update(): void {
    this.latched.forEach((l, cpu) => {
      let pins = 0;
      for (let v = 0; v < VECTORS; v++) if (l[v]) pins |= 1 << this.pinOf(v);
      for (let pin = 0; pin < 8; pin++) this.lines(cpu, LINE.HWI0 + pin, (pins & (1 << pin)) !== 0);
    });
  }

  private static bits(of: Uint8Array, byte: number): number {
    let v = 0;
    for (let k = 0; k < 8; k++) if (of[byte * 8 + k]) v |= 1 << k;
    return v;
  }

  /** A register of the virt extension; undefined when the offset is not one. */
  readVirt(offset: number): number | undefined {
    if (offset === VIRT.features) return VIRT_FEATURES;
    return offset === VIRT.config ? this.virtConfig : undefined;
  }

  /** Once the configuration is enabled, it can only be disabled as a whole. @returns false when the offset is not a register */
  writeVirt(offset: number, value: number): boolean {
    if (offset === VIRT.config && (value === 0 || (this.virtConfig & VIRT_FEATURE.enable) === 0))
      this.virtConfig = value & VIRT_FEATURES;
    return offset === VIRT.config || offset === VIRT.features;
  }

  /** Reads one byte as `cpu` sees it; undefined when the offset does not belong to this controller. */
  readByte(cpu: number, offset: number): number | undefined {
    const inside = (base: number, length: number): boolean => offset >= base && offset < base + length;
    if (inside(NODEMAP, 32)) return this.nodemap[offset - NODEMAP]!;
    if (inside(IPMAP, 8)) return this.ipmap[offset - IPMAP]!;
    if (inside(ENABLE, 32)) return this.enable[offset - ENABLE]!;
    if (inside(BOUNCE, 32)) return this.bounce[offset - BOUNCE]!;
    if (inside(ISR, 32)) return Eiointc.bits(this.source, offset - ISR);
    if (inside(COREISR, 32)) return Eiointc.bits(this.latched[cpu]!, offset - COREISR);
    if (inside(COREMAP, VECTORS)) return this.coremap[offset - COREMAP]!;
    return undefined;
  }

  /** Writes one byte as `cpu`. @returns false when the offset does not belong to this controller */
  writeByte(cpu: number, offset: number, value: number): boolean {
    const inside = (base: number, length: number): boolean => offset >= base && offset < base + length;
    if (inside(NODEMAP, 32)) this.nodemap[offset - NODEMAP] = value;
    else if (inside(IPMAP, 8)) this.ipmap[offset - IPMAP] = value;
    else if (inside(ENABLE, 32)) this.writeEnable(offset - ENABLE, value);
    else if (inside(BOUNCE, 32)) this.bounce[offset - BOUNCE] = value;
    else if (inside(ISR, 32)) return true;
    else if (inside(COREISR, 32)) {
      const first = (offset - COREISR) * 8;
      for (let k = 0; k < 8; k++) if (value & (1 << k)) this.latched[cpu]![first + k] = 0;
    } else if (inside(COREMAP, VECTORS)) this.writeCoremap(offset - COREMAP, value);
    else return false;
    this.update();
    return true;
  }

  private writeEnable(byte: number, value: number): void {
    const before = this.enable[byte]!;
    this.enable[byte] = value;
    for (let k = 0; k < 8; k++) {
      const bit = 1 << k;
      const vector = byte * 8 + k;
      if (value & bit && !(before & bit) && this.source[vector]) this.latched[this.cpuOf(vector)]![vector] = 1;
      else if (!(value & bit) && before & bit) for (const l of this.latched) l[vector] = 0;
    }
  }

  private writeCoremap(vector: number, value: number): void {
    const was = this.cpuOf(vector);
    this.coremap[vector] = value;
    const now = this.cpuOf(vector);
    if (was !== now && this.latched[was]![vector]) {
      this.latched[was]![vector] = 0;
      this.latched[now]![vector] = 1;
    }
  }
}
