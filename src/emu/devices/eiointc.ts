import { LINE } from '../cpu/cpu.ts';
import type { Stateful } from '../state/fields.ts';
import type { CpuLines } from './device.ts';
import { offsetsOf, registerTable } from './register-table.ts';

const VECTORS = 256;
const WORDS = VECTORS / 32;
const PINS = 8;
const CORES_PER_NODE = 4;
const NODES = 16;

/** Registers of the extended I/O interrupt controller in the IOCSR space. */
export const EIOINTC_REGISTERS = registerTable({
  device: 'eiointc',
  source: 'Loongson 3A5000 user manual, section 11.2; QEMU’s virt extension from 0x40000000 on',
  registers: [
    {
      ...{ offset: 0x1140, width: 4, name: 'EXT_IOI_send', access: 'wo', live: true },
      text: 'bits 7:0: a vector to latch',
    },
    {
      ...{ offset: 0x14a0, width: 2, count: 16, name: 'EXT_IOI_node_type', access: 'rw' },
      text: 'nodes that bits 7:4 of EXT_IOImap_Core select; none: node 0',
    },
    {
      ...{ offset: 0x14c0, width: 1, count: 8, name: 'EXT_IOImap', access: 'rw' },
      text: 'a pin for 32 vectors: one bit for each of four, or its number with MISC_FUNC.INT_encode',
    },
    { offset: 0x1600, width: 8, count: 4, name: 'EXT_IOIen', access: 'rw', text: 'complete' },
    {
      ...{ offset: 0x1680, width: 8, count: 4, name: 'EXT_IOIbounce', access: 'rw' },
      text: 'the vector goes to its cores one after the other; otherwise to the first',
    },
    {
      ...{ offset: 0x1700, width: 8, count: 4, name: 'EXT_IOIsr', access: 'ro' },
      text: 'vectors that are high, wait or are latched',
    },
    {
      ...{ offset: 0x1800, width: 8, count: 4, name: 'perCore_EXT_IOIsr', access: 'w1c' },
      text: 'vectors that this core has latched; by address (ls3a5000) core n has its own at 0x1800 + 0x100 n',
    },
    {
      ...{ offset: 0x1c00, width: 1, count: VECTORS, name: 'EXT_IOImap_Core', access: 'rw' },
      text: 'bits 3:0: cores, bits 7:4: node type; or the number of a CPU with the virt extension',
    },
    { offset: 0x40000000, width: 4, name: 'VIRT_FEATURES', access: 'ro', reset: 0xbn, text: 'CPU numbers are offered' },
    {
      ...{ offset: 0x40000004, width: 4, name: 'VIRT_CONFIG', access: 'rw', bits: 0xbn, live: true },
      text: 'bit 1 enables the extension, bit 3 the CPU numbers',
    },
  ],
});
const REG = offsetsOf(EIOINTC_REGISTERS);

/** Bits of VIRT_FEATURES and VIRT_CONFIG. */
const VIRT = { extension: 1, enable: 2, cpuEncode: 8 } as const;
const VIRT_FEATURES = VIRT.extension | VIRT.enable | VIRT.cpuEncode;

/** 256 interrupt vectors, routed to CPUs and to their HWI pins. docs/board.md has the event rules. */
export class Eiointc implements Stateful {
  readonly stateFields = [
    'virtConfig',
    'pinEncode',
    'nodemap',
    'ipmap',
    'enable',
    'bounce',
    'coremap',
    'level',
    'waiting',
    'latched',
    'last',
    'pins',
  ];
  private readonly cpus: number;
  private readonly lines: CpuLines;
  private virtConfig = 0;
  /** MISC_FUNC.INT_encode: EXT_IOImap has numbers of pins. */
  private pinEncode = false;
  private readonly nodemap = new Uint32Array(NODES / 2);
  private readonly ipmap = new Uint32Array(WORDS / 4);
  private readonly enable = new Uint32Array(WORDS);
  private readonly bounce = new Uint32Array(WORDS);
  private readonly coremap = new Uint32Array(VECTORS / 4);
  /** Vectors that a source holds high. */
  private readonly level = new Uint32Array(WORDS);
  /** Vectors of messages that have come while they were disabled, or that nobody has served before. */
  private readonly waiting = new Uint32Array(WORDS);
  /** Latched vectors: eight words a CPU. */
  private readonly latched: Uint32Array;
  /** The CPU that took a vector last, where it goes round. */
  private readonly last = new Uint8Array(VECTORS);
  /** The pins of each CPU that are high. */
  private readonly pins: Uint8Array;

  constructor(cpus: number, lines: CpuLines) {
    this.cpus = cpus;
    this.lines = lines;
    this.latched = new Uint32Array(cpus * WORDS);
    this.pins = new Uint8Array(cpus);
  }

  reset(): void {
    for (const a of [this.nodemap, this.ipmap, this.enable, this.bounce, this.coremap]) a.fill(0);
    for (const a of [this.level, this.waiting, this.latched, this.last, this.pins]) a.fill(0);
    this.virtConfig = 0;
    this.pinEncode = false;
    for (let cpu = 0; cpu < this.cpus; cpu++)
      for (let pin = 0; pin < PINS; pin++) this.lines(cpu, LINE.HWI0 + pin, false);
  }

  /** Is any vector enabled? Otherwise no device interrupts a CPU. */
  get enabled(): boolean {
    return this.enable.some((word) => word !== 0);
  }

  /** MISC_FUNC.INT_encode has changed. */
  setPinEncode(on: boolean): void {
    this.pinEncode = on;
    this.updateAll();
  }

  private static byte(words: Uint32Array, n: number): number {
    return (words[n >> 2]! >>> (8 * (n & 3))) & 0xff;
  }

  private static bit(words: Uint32Array, vector: number): boolean {
    return (words[vector >> 5]! & (1 << (vector & 31))) !== 0;
  }

  /** Does a vector go to a CPU? */
  private isTarget(vector: number, cpu: number): boolean {
    const map = Eiointc.byte(this.coremap, vector);
    if (this.virtConfig & VIRT.cpuEncode) return map === cpu;
    const cores = map & 0xf || 1;
    const type = map >> 4;
    const nodes = (this.nodemap[type >> 1]! >>> (16 * (type & 1))) & 0xffff || 1;
    return (nodes & (1 << Math.floor(cpu / CORES_PER_NODE))) !== 0 && (cores & (1 << (cpu % CORES_PER_NODE))) !== 0;
  }

  /** The CPU that takes a vector now: the first of its CPUs, or the next one. CPU 0 takes what would go nowhere. */
  private choose(vector: number): number {
    const round = Eiointc.bit(this.bounce, vector);
    const first = round ? this.last[vector]! + 1 : 0;
    for (let k = 0; k < this.cpus; k++) {
      const cpu = (first + k) % this.cpus;
      if (!this.isTarget(vector, cpu)) continue;
      if (round) this.last[vector] = cpu;
      return cpu;
    }
    return 0;
  }

  private latch(vector: number): void {
    const cpu = this.choose(vector);
    const at = cpu * WORDS + (vector >> 5);
    this.latched[at] = this.latched[at]! | (1 << (vector & 31));
    this.update(cpu);
  }

  /** A source raises or lowers its vector. Each time that it raises the vector, the vector is latched again, as a message is. */
  set(vector: number, level: boolean): void {
    const word = vector >> 5;
    const bit = 1 << (vector & 31);
    if (level) {
      this.level[word] = this.level[word]! | bit;
      if (this.enable[word]! & bit) this.latch(vector);
      return;
    }
    this.level[word] = this.level[word]! & ~bit;
    this.waiting[word] = this.waiting[word]! & ~bit;
    this.unlatch(word, bit);
  }

  /** A message names a vector. If the vector is disabled, the message waits. */
  message(vector: number): void {
    const word = vector >> 5;
    const bit = 1 << (vector & 31);
    if (this.enable[word]! & bit) this.latch(vector);
    else this.waiting[word] = this.waiting[word]! | bit;
  }

  /** Takes vectors away from all CPUs. @returns those that were latched */
  private unlatch(word: number, bits: number): number {
    let taken = 0;
    for (let cpu = 0; cpu < this.cpus; cpu++) {
      const at = cpu * WORDS + word;
      const here = this.latched[at]! & bits;
      if (here === 0) continue;
      taken |= here;
      this.latched[at] = this.latched[at]! & ~here;
      this.update(cpu);
    }
    return taken;
  }

  private pinOf(word: number): number {
    const map = Eiointc.byte(this.ipmap, word);
    if (this.pinEncode) return map & (PINS - 1);
    const oneHot = map & 0xf;
    return oneHot === 0 ? 0 : 31 - Math.clz32(oneHot & -oneHot);
  }

  /** A pin of a CPU is high while a vector that is routed to it is latched. */
  private update(cpu: number): void {
    let pins = 0;
    for (let word = 0; word < WORDS; word++) if (this.latched[cpu * WORDS + word]) pins |= 1 << this.pinOf(word);
    const changed = pins ^ this.pins[cpu]!;
    if (changed === 0) return;
    this.pins[cpu] = pins;
    for (let pin = 0; pin < PINS; pin++)
      if (changed & (1 << pin)) this.lines(cpu, LINE.HWI0 + pin, (pins & (1 << pin)) !== 0);
  }

  private updateAll(): void {
    for (let cpu = 0; cpu < this.cpus; cpu++) this.update(cpu);
  }

  /** The words of a register that software reads and writes as they are, with the offset of the first one. */
  private plain(at: number): readonly [words: Uint32Array, first: number] | undefined {
    const inside = (first: number, words: Uint32Array): boolean => at >= first && at < first + words.byteLength;
    if (inside(REG.EXT_IOI_node_type, this.nodemap)) return [this.nodemap, REG.EXT_IOI_node_type];
    if (inside(REG.EXT_IOImap, this.ipmap)) return [this.ipmap, REG.EXT_IOImap];
    if (inside(REG.EXT_IOIen, this.enable)) return [this.enable, REG.EXT_IOIen];
    if (inside(REG.EXT_IOIbounce, this.bounce)) return [this.bounce, REG.EXT_IOIbounce];
    if (inside(REG.EXT_IOImap_Core, this.coremap)) return [this.coremap, REG.EXT_IOImap_Core];
    return undefined;
  }

  /** The word of a status register at `first`, −1 when the offset is in another one. */
  private static statusWord(at: number, first: number): number {
    return at >= first && at < first + VECTORS / 8 ? (at - first) >> 2 : -1;
  }

  /** Reads the word at an offset as `cpu` sees it; undefined when it does not belong to this controller. */
  read(cpu: number, at: number): number | undefined {
    if (at === REG.VIRT_FEATURES) return VIRT_FEATURES;
    if (at === REG.VIRT_CONFIG) return this.virtConfig;
    if (at === REG.EXT_IOI_send) return 0;
    const plain = this.plain(at);
    if (plain) return plain[0][(at - plain[1]) >> 2]!;
    const own = Eiointc.statusWord(at, REG.perCore_EXT_IOIsr);
    if (own >= 0) return this.latched[cpu * WORDS + own]!;
    const all = Eiointc.statusWord(at, REG.EXT_IOIsr);
    if (all < 0) return undefined;
    let v = this.level[all]! | this.waiting[all]!;
    for (let n = 0; n < this.cpus; n++) v |= this.latched[n * WORDS + all]!;
    return v;
  }

  /**
   * Writes those bits of the word at an offset that `mask` has, as `cpu`.
   * @returns false when the offset does not belong to this controller
   */
  write(cpu: number, at: number, value: number, mask: number): boolean {
    const plain = this.plain(at);
    if (plain) {
      const [words, first] = plain;
      const word = (at - first) >> 2;
      const before = words[word]!;
      const after = (before & ~mask) | (value & mask);
      words[word] = after;
      if (words === this.enable) this.enableChanged(word, before, after);
      else if (words === this.coremap) this.routesChanged(word);
      else if (words === this.ipmap) this.updateAll();
      return true;
    }
    const own = Eiointc.statusWord(at, REG.perCore_EXT_IOIsr);
    if (own >= 0) {
      const place = cpu * WORDS + own;
      this.latched[place] = this.latched[place]! & ~(value & mask);
      this.update(cpu);
      return true;
    }
    if (at === REG.EXT_IOI_send) this.message(value & mask & 0xff);
    // Once the configuration is enabled, it can only be disabled as a whole.
    else if (at === REG.VIRT_CONFIG) {
      const next = (this.virtConfig & ~mask) | (value & mask);
      if (next === 0 || (this.virtConfig & VIRT.enable) === 0) this.virtConfig = next & VIRT_FEATURES;
    } else return at === REG.VIRT_FEATURES || Eiointc.statusWord(at, REG.EXT_IOIsr) >= 0;
    return true;
  }

  /** Vectors that were disabled are latched nowhere, and those that are enabled now are latched if they are high or wait. */
  private enableChanged(word: number, before: number, after: number): void {
    const off = this.unlatch(word, before & ~after);
    const on = (this.level[word]! | this.waiting[word]!) & after & ~before;
    this.waiting[word] = (this.waiting[word]! & ~on) | off;
    for (let bits = on; bits !== 0; bits &= bits - 1) this.latch(word * 32 + 31 - Math.clz32(bits & -bits));
  }

  /** Vectors that are latched where they do not go any more move to where they go. */
  private routesChanged(word: number): void {
    for (let vector = word * 4; vector < word * 4 + 4; vector++)
      for (let cpu = 0; cpu < this.cpus; cpu++) {
        if (this.isTarget(vector, cpu)) continue;
        const at = cpu * WORDS + (vector >> 5);
        const bit = 1 << (vector & 31);
        if ((this.latched[at]! & bit) === 0) continue;
        this.latched[at] = this.latched[at]! & ~bit;
        this.update(cpu);
        this.latch(vector);
      }
  }
}
