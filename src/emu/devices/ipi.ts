import { LINE } from '../cpu/cpu.ts';
import type { Stateful, Wiring } from '../state/fields.ts';
import type { CpuLines } from './device.ts';
import { NO_OMISSIONS, type Omissions } from './omissions.ts';
import { offsetsOf, registerTable } from './register-table.ts';

const MAILBOX_WORDS = 8;

/** Registers of inter-processor interrupts in the IOCSR space. */
export const IPI_REGISTERS = registerTable({
  device: 'ipi',
  source: 'Loongson 3A5000 user manual, chapter 10 (inter-processor interrupts and communication)',
  registers: [
    {
      ...{ offset: 0x1000, width: 4, name: 'IPI_Status', access: 'ro' },
      text: 'complete; by address (ls3a5000) core n has its own at 0x1000 + 0x100 n, and so on to the mailboxes',
    },
    {
      ...{ offset: 0x1004, width: 4, name: 'IPI_Enable', access: 'rw' },
      text: 'complete; all ones where a CPU waits for its start, as firmware leaves it',
    },
    { offset: 0x1008, width: 4, name: 'IPI_Set', access: 'wo', live: true, text: 'complete' },
    { offset: 0x100c, width: 4, name: 'IPI_Clear', access: 'wo', live: true, text: 'complete' },
    { offset: 0x1020, width: 8, count: 4, name: 'MailBox', access: 'rw', text: 'complete' },
    {
      ...{ offset: 0x1040, width: 4, name: 'IPI_Send', access: 'wo', live: true },
      text: 'bits 25:16: CPU, bits 4:0: vector; it takes effect at once',
    },
    {
      ...{ offset: 0x1048, width: 8, name: 'Mail_Send', access: 'wo', live: true },
      text: 'one 64-bit store: 63:32 data, 30:27 bytes to keep, 25:16 CPU, 4:2 half of a mailbox',
    },
    {
      ...{ offset: 0x1158, width: 8, name: 'ANY_Send', access: 'wo', live: true },
      text: 'one 64-bit store: 63:32 data, 30:27 bytes to keep, 25:16 CPU, 15:0 register',
    },
  ],
});

/** IOCSR offsets of the IPI block. */
export const IPI = offsetsOf(IPI_REGISTERS);

/** Inter-processor interrupts: per CPU a status word and four 64-bit mailboxes. */
export class Ipi implements Stateful {
  readonly stateFields = ['status', 'enable', 'mail'];
  static readonly wiring: Wiring = {
    onSignal: 'the board',
  };
  private readonly cpus: number;
  private readonly lines: CpuLines;
  private readonly omissions: Omissions;
  private readonly status: Uint32Array;
  private readonly enable: Uint32Array;
  private readonly mail: Uint32Array;
  /**
   * A CPU has an enabled interrupt and an address in its first mailbox: firmware that waits on it would go there now.
   * @returns whether the CPU did wait
   */
  onSignal: (cpu: number, entryLo: number, entryHi: number) => boolean = () => false;

  constructor(cpus: number, lines: CpuLines, omissions: Omissions = NO_OMISSIONS) {
    this.omissions = omissions;
    this.cpus = cpus;
    this.lines = lines;
    this.status = new Uint32Array(cpus);
    this.enable = new Uint32Array(cpus);
    this.mail = new Uint32Array(cpus * MAILBOX_WORDS);
    this.reset();
  }

  /** CPU 0 runs, and firmware on the others has enabled their interrupts to wait for one. */
  reset(): void {
    this.status.fill(0);
    this.enable.fill(0xffffffff, 1);
    this.enable[0] = 0;
    this.mail.fill(0);
  }

  private update(cpu: number): void {
    this.lines(cpu, LINE.IPI, (this.status[cpu]! & this.enable[cpu]!) !== 0);
  }

  /**
   * After a whole access to the registers of a CPU: the waiting loop of firmware looks. It takes the interrupt, reads the whole
   * mailbox, and clears the interrupt, as QEMU's boot code does.
   */
  attend(cpu: number): void {
    const entry = this.mail[cpu * MAILBOX_WORDS]!;
    if (entry === 0 || (this.status[cpu]! & this.enable[cpu]!) === 0) return;
    if (!this.onSignal(cpu, entry | 0, this.mail[cpu * MAILBOX_WORDS + 1]! | 0)) return;
    this.status[cpu] = 0;
    this.update(cpu);
  }

  /** The word of the mailboxes at an offset, −1 when it is not in them. */
  private static mailWord(at: number): number {
    return at >= IPI.MailBox && at < IPI.MailBox + 4 * MAILBOX_WORDS ? (at - IPI.MailBox) >> 2 : -1;
  }

  /** Reads the word at an offset as `cpu` sees it; undefined when the offset does not belong to this block. */
  read(cpu: number, at: number): number | undefined {
    const word = Ipi.mailWord(at);
    if (word >= 0) return this.mail[cpu * MAILBOX_WORDS + word]!;
    switch (at) {
      case IPI.IPI_Status:
        return this.status[cpu]!;
      case IPI.IPI_Enable:
        return this.enable[cpu]!;
      case IPI.IPI_Set:
      case IPI.IPI_Clear:
      case IPI.IPI_Send:
        return 0;
      default:
        return undefined;
    }
  }

  /**
   * Writes those bits of the word at an offset that `mask` has, as `cpu`. The caller calls {@link attend} when its access is
   * complete.
   * @returns false when the offset does not belong to this block
   */
  write(cpu: number, at: number, value: number, mask: number): boolean {
    const word = Ipi.mailWord(at);
    if (word >= 0) {
      const place = cpu * MAILBOX_WORDS + word;
      this.mail[place] = (this.mail[place]! & ~mask) | (value & mask);
      return true;
    }
    switch (at) {
      case IPI.IPI_Status:
        return true;
      case IPI.IPI_Enable:
        this.enable[cpu] = (this.enable[cpu]! & ~mask) | (value & mask);
        break;
      case IPI.IPI_Set:
        this.status[cpu] = this.status[cpu]! | (value & mask);
        break;
      case IPI.IPI_Clear:
        this.status[cpu] = this.status[cpu]! & ~(value & mask);
        break;
      case IPI.IPI_Send:
        this.send(value & mask);
        return true;
      default:
        return false;
    }
    this.update(cpu);
    return true;
  }

  private send(command: number): void {
    const target = (command >>> 16) & 0x3ff;
    if (target >= this.cpus) {
      this.omissions.say('ipi', 'an interrupt for a CPU that is not there', target);
      return;
    }
    this.status[target] = this.status[target]! | (1 << (command & 0x1f));
    this.update(target);
    this.attend(target);
  }
}
