import { LINE } from '../cpu/cpu.ts';
import type { Stateful, Wiring } from '../state/fields.ts';
import type { CpuLines } from './device.ts';

/** IOCSR offsets of the IPI block (Loongson 3A5000 manual; docs/board.md). */
export const IPI = {
  status: 0x1000,
  enable: 0x1004,
  set: 0x1008,
  clear: 0x100c,
  mailbox: 0x1020,
  send: 0x1040,
  mailSend: 0x1048,
  anySend: 0x1158,
} as const;

/** Inter-processor interrupts: per CPU a status word and four 64-bit mailboxes. */
export class Ipi implements Stateful {
  readonly stateFields = ['status', 'enable', 'mail'];
  static readonly wiring: Wiring = {
    onMail: 'the board',
  };
  private readonly cpus: number;
  private readonly lines: CpuLines;
  private readonly status: Uint32Array;
  private readonly enable: Uint32Array;
  private readonly mail: Uint32Array;
  /** Called when a mailbox word of a CPU has been written. */
  onMail: (cpu: number) => void = () => {};

  constructor(cpus: number, lines: CpuLines) {
    this.cpus = cpus;
    this.lines = lines;
    this.status = new Uint32Array(cpus);
    this.enable = new Uint32Array(cpus);
    this.mail = new Uint32Array(cpus * 8);
  }

  reset(): void {
    this.status.fill(0);
    this.enable.fill(0);
    this.mail.fill(0);
  }

  /** Mailbox `n` of a CPU as a 64-bit value. */
  mailbox(cpu: number, n: number): bigint {
    return (BigInt(this.mail[cpu * 8 + n * 2 + 1]!) << 32n) | BigInt(this.mail[cpu * 8 + n * 2]!);
  }

  private update(cpu: number): void {
    this.lines(cpu, LINE.IPI, (this.status[cpu]! & this.enable[cpu]!) !== 0);
  }

  /** Reads a 32-bit register of `cpu`; undefined when the offset does not belong to this block. */
  read(cpu: number, offset: number): number | undefined {
    if (offset >= IPI.mailbox && offset < IPI.mailbox + 0x20)
      return this.mail[cpu * 8 + ((offset - IPI.mailbox) >> 2)]!;
    switch (offset) {
      case IPI.status:
        return this.status[cpu]!;
      case IPI.enable:
        return this.enable[cpu]!;
      case IPI.set:
      case IPI.clear:
      case IPI.send:
        return 0;
      default:
        return undefined;
    }
  }

  /** Writes a 32-bit register of `cpu`. @returns false when the offset does not belong to this block */
  write(cpu: number, offset: number, value: number): boolean {
    if (offset >= IPI.mailbox && offset < IPI.mailbox + 0x20) {
      this.mail[cpu * 8 + ((offset - IPI.mailbox) >> 2)] = value;
      this.onMail(cpu);
      return true;
    }
    switch (offset) {
      case IPI.status:
        return true;
      case IPI.enable:
        this.enable[cpu] = value;
        break;
      case IPI.set:
        this.status[cpu] = this.status[cpu]! | value;
        break;
      case IPI.clear:
        this.status[cpu] = this.status[cpu]! & ~value;
        break;
      case IPI.send: {
        const target = (value >>> 16) & 0x3ff;
        if (target < this.cpus) {
          this.status[target] = this.status[target]! | (1 << (value & 0x1f));
          this.update(target);
        }
        return true;
      }
      default:
        return false;
    }
    this.update(cpu);
    return true;
  }

  /** Old bytes where the mask bit is 1, new ones where it is 0. */
  static merge(old: number, data: number, mask: number): number {
    let keep = 0;
    for (let k = 0; k < 4; k++) if (mask & (1 << k)) keep |= 0xff << (8 * k);
    return ((old & keep) | (data & ~keep)) >>> 0;
  }
}
