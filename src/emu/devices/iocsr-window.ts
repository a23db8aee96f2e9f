import type { Device, Width } from './device.ts';
import type { Iocsr } from './iocsr.ts';
import { NO_OMISSIONS, type Omissions } from './omissions.ts';

const SIZE = 0x10000;
const CORES = 4;
/** Registers of the current core in the IOCSR space that have an address for each core, 0x100 bytes apart. */
const PER_CORE = [
  { first: 0x1000, bytes: 0x40 },
  { first: 0x1800, bytes: 0x20 },
] as const;
const STRIDE = 0x100;

/**
 * The registers of a Loongson 3A5000 chip by address (user manual, chapters 4, 10 and 11). They are those of the IOCSR space,
 * but what a core has there for itself is here at an address of its own, whichever core makes the access: IPI block and mailboxes
 * of core n at 0x1000 + 0x100 n, its interrupt status at 0x1800 + 0x100 n. Each node of four cores has such a window.
 */
export class IocsrWindow implements Device {
  readonly name: string;
  readonly size = SIZE;
  private readonly iocsr: Iocsr;
  private readonly node: number;
  private readonly omissions: Omissions;
  /** The CPU that makes the access. */
  private readonly master: () => number;

  constructor(iocsr: Iocsr, master: () => number, node = 0, omissions: Omissions = NO_OMISSIONS) {
    this.omissions = omissions;
    this.name = `chip${node}`;
    this.iocsr = iocsr;
    this.master = master;
    this.node = node;
  }

  reset(): void {}

  /** The core whose registers an offset is about: −1 for registers of no core. */
  private coreAt(offset: number): number {
    for (const { first, bytes } of PER_CORE)
      if (offset >= first && offset < first + CORES * STRIDE && offset % STRIDE < bytes)
        return this.node * CORES + Math.floor((offset - first) / STRIDE);
    return -1;
  }

  /** The CPU in whose view an access is made; −1: a core that is not there. */
  private cpuAt(offset: number): number {
    const core = this.coreAt(offset);
    if (core < 0) return this.master();
    if (core < this.iocsr.cpuCount) return core;
    this.omissions.say(this.name, `core ${core} is not there`);
    return -1;
  }

  /** The offset in the IOCSR space of that CPU. */
  private registerAt(offset: number): number {
    const core = this.coreAt(offset);
    return core < 0 ? offset : offset - (core - this.node * CORES) * STRIDE;
  }

  private get(offset: number, width: Width, look: boolean): number {
    const cpu = this.cpuAt(offset);
    if (cpu < 0) return 0;
    this.iocsr.read(cpu, this.registerAt(offset), width, look);
    return width === 4 ? this.iocsr.lo >>> 0 : this.iocsr.lo & (2 ** (8 * width) - 1);
  }

  peek(offset: number, width: Width): number {
    return this.get(offset, width, true);
  }

  read(offset: number, width: Width): number {
    return this.get(offset, width, false);
  }

  write(offset: number, width: Width, value: number): void {
    const cpu = this.cpuAt(offset);
    if (cpu >= 0) this.iocsr.write(cpu, this.registerAt(offset), width, value | 0, 0);
  }

  write64(offset: number, lo: number, hi: number): void {
    const cpu = this.cpuAt(offset);
    if (cpu >= 0) this.iocsr.write(cpu, this.registerAt(offset), 8, lo, hi);
  }
}
