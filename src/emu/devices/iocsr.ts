import type { Stateful } from '../state/fields.ts';
import type { Eiointc } from './eiointc.ts';
import { IPI, Ipi } from './ipi.ts';

/** Identity and feature registers (docs/board.md): 64-bit; all but MISC_FUNC are read-only. */
const FEATURES = 0x8;
const MISC_FUNC = 0x420;
const FIXED: Readonly<Record<number, readonly [lo: number, hi: number]>> = {
  0: [0x11, 0],
  // MSI, EXTIOI, CSRIPI. The VM bit is 0, because this is a bare machine.
  [FEATURES]: [0x1c, 0],
  16: [0x6e6f6f4c, 0x6e6f7367],
  32: [0x30354133, 0x00003030],
};

/** What CPUs use of the IOCSR space. */
export type IocsrPort = Pick<Iocsr, 'read' | 'write' | 'lo' | 'hi'>;

/** The IOCSR address space as each CPU sees it. Unmapped registers read 0. */
export class Iocsr implements Stateful {
  readonly stateFields = ['miscFunc', 'lo', 'hi'];
  private readonly ipi: Ipi;
  private readonly eiointc: Eiointc;
  private miscFunc: [number, number] = [0, 0];
  /** Halves of the last read. */
  lo = 0;
  hi = 0;

  /** Number of CPUs; writes to other CPUs are ignored. */
  private readonly cpuCount: number;

  constructor(cpus: number, ipi: Ipi, eiointc: Eiointc) {
    this.cpuCount = cpus;
    this.ipi = ipi;
    this.eiointc = eiointc;
  }

  reset(): void {
    this.miscFunc = [0, 0];
  }

  /** Reads `size` (1, 2, 4, 8) bytes into `lo`, `hi`. */
  read(cpu: number, address: number, size: number): void {
    this.lo = this.readPart(cpu, address, Math.min(size, 4));
    this.hi = size === 8 ? this.readPart(cpu, address + 4, 4) : 0;
  }

  private readPart(cpu: number, address: number, size: number): number {
    const aligned = address & ~3;
    const word = this.readWord(cpu, aligned);
    if (word !== undefined) return (word >>> (8 * (address & 3))) | 0;
    let v = 0;
    for (let k = 0; k < size; k++) v |= (this.eiointc.readByte(cpu, address + k) ?? 0) << (8 * k);
    return v;
  }

  /** Registers that exist as 32-bit words. */
  private readWord(cpu: number, address: number): number | undefined {
    const pair = address >>> 0 === MISC_FUNC || address - 4 === MISC_FUNC ? this.miscFunc : FIXED[address & ~7];
    if (pair && address < 0x1000) return pair[(address >> 2) & 1]!;
    return this.ipi.read(cpu, address) ?? this.eiointc.readVirt(address);
  }

  /** Is there a register at an address? */
  has(address: number): boolean {
    if (address >= IPI.mailSend && address < IPI.mailSend + 8) return true;
    if (address >= IPI.anySend && address < IPI.anySend + 8) return true;
    return this.readWord(0, address & ~3) !== undefined || this.eiointc.readByte(0, address) !== undefined;
  }

  /** Writes `size` bytes. Writes to registers that do not exist are ignored. */
  write(cpu: number, address: number, size: number, lo: number, hi: number): void {
    if (address === IPI.mailSend || address === IPI.anySend) {
      if (size === 8) this.remote(address, lo, hi);
      return;
    }
    this.writePart(cpu, address, Math.min(size, 4), lo);
    if (size === 8) this.writePart(cpu, address + 4, 4, hi);
  }

  private writePart(cpu: number, address: number, size: number, value: number): void {
    if ((address & ~7) === MISC_FUNC) {
      this.miscFunc[(address >> 2) & 1] = value;
      return;
    }
    if (size === 4 && (this.ipi.write(cpu, address, value >>> 0) || this.eiointc.writeVirt(address, value))) return;
    for (let k = 0; k < size; k++) this.eiointc.writeByte(cpu, address + k, (value >>> (8 * k)) & 0xff);
  }

  /** MAIL_SEND and ANY_SEND: a masked 32-bit write in the view of another CPU. */
  private remote(register: number, lo: number, data: number): void {
    const target = (lo >>> 16) & 0x3ff;
    const mask = (lo >>> 27) & 0xf;
    const address = register === IPI.mailSend ? IPI.mailbox + (lo & 0x1c) : lo & 0xfffc;
    if (target >= this.cpuCount) return;
    const old = this.readPart(target, address, 4);
    this.writePart(target, address, 4, Ipi.merge(old, data, mask) | 0);
  }
}
