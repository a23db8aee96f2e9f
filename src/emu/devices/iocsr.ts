import type { Stateful } from '../state/fields.ts';
import { ChipConfig, IOCSR_REGISTERS } from './chip-config.ts';
import type { Eiointc } from './eiointc.ts';
import { IPI, type Ipi } from './ipi.ts';
import { NO_OMISSIONS, type Omissions } from './omissions.ts';
import { offsetsOf } from './register-table.ts';

const { MISC_FUNC } = offsetsOf(IOCSR_REGISTERS);
/** Bit 49 of MISC_FUNC, in its upper half. */
const INT_ENCODE = 1 << 17;
/** The registers that are configuration, and not of another block. */
const CONFIG_END = 0x1000;

/** What CPUs use of the IOCSR space. */
export type IocsrPort = Pick<Iocsr, 'read' | 'write' | 'lo' | 'hi'>;

/**
 * The IOCSR address space as each CPU sees it. An access of any width and at any address changes and reads the bytes that it
 * covers; a register that takes a command gets 0 for the others. Unmapped registers read 0.
 */
export class Iocsr implements Stateful {
  readonly stateFields = ['lo', 'hi'];
  readonly chip: ChipConfig;
  private readonly ipi: Ipi;
  private readonly eiointc: Eiointc;
  private readonly omissions: Omissions;
  /** Halves of the last read. */
  lo = 0;
  hi = 0;

  /** Number of CPUs; writes to other CPUs are ignored. */
  readonly cpuCount: number;

  constructor(
    cpus: number,
    ipi: Ipi,
    eiointc: Eiointc,
    chip: ChipConfig = new ChipConfig(false),
    omissions: Omissions = NO_OMISSIONS,
  ) {
    this.cpuCount = cpus;
    this.ipi = ipi;
    this.eiointc = eiointc;
    this.chip = chip;
    this.omissions = omissions;
  }

  reset(): void {
    this.chip.reset();
  }

  /** Reads `size` (1, 2, 4, 8) bytes into `lo`, `hi`. @param look for a debugger: nobody is told what is missing */
  read(cpu: number, address: number, size: number, look = false): void {
    const at = address - (address & 3);
    const shift = 8 * (address & 3);
    const first = this.word(cpu, at, look);
    if (shift === 0) {
      this.lo = first;
      this.hi = size === 8 ? this.word(cpu, at + 4, look) : 0;
      return;
    }
    const second = shift + 8 * size > 32 ? this.word(cpu, at + 4, look) : 0;
    this.lo = (first >>> shift) | (second << (32 - shift));
    this.hi = size === 8 ? (second >>> shift) | (this.word(cpu, at + 8, look) << (32 - shift)) : 0;
  }

  private word(cpu: number, at: number, look: boolean): number {
    const v = this.registerWord(cpu, at);
    if (!look && this.omissions.listener && !this.declares(cpu, at)) this.omissions.noRegister('iocsr', at, false);
    return (v ?? this.chip.read(at) ?? 0) | 0;
  }

  private registerWord(cpu: number, at: number): number | undefined {
    if (at >= 0 && at < CONFIG_END) return this.chip.read(at);
    return this.ipi.read(cpu, at) ?? this.eiointc.read(cpu, at);
  }

  /** Is there a declared register in the word at an address? */
  private declares(cpu: number, at: number): boolean {
    return (
      this.chip.declares(at) ||
      this.ipi.read(cpu, at) !== undefined ||
      this.eiointc.read(cpu, at) !== undefined ||
      Iocsr.isSend(at & ~7)
    );
  }

  private static isSend(at: number): boolean {
    return at === IPI.Mail_Send || at === IPI.ANY_Send;
  }

  /** Writes `size` bytes. Writes to registers that do not exist are ignored. */
  write(cpu: number, address: number, size: number, lo: number, hi: number): void {
    if (Iocsr.isSend(address)) {
      if (size === 8) this.remote(address, lo, hi);
      else this.omissions.say('iocsr', 'Mail_Send and ANY_Send take one 64-bit store: a narrow one is lost');
      return;
    }
    for (let k = 0; k < size; ) {
      const offset = (address + k) & 3;
      const n = Math.min(4 - offset, size - k);
      const part = k === 0 ? lo : k < 4 ? (lo >>> (8 * k)) | (hi << (32 - 8 * k)) : hi >>> (8 * (k - 4));
      const mask = n === 4 ? -1 : ((1 << (8 * n)) - 1) << (8 * offset);
      this.writeWord(cpu, address + k - offset, part << (8 * offset), mask);
      k += n;
    }
    this.ipi.attend(cpu);
  }

  private writeWord(cpu: number, at: number, value: number, mask: number): void {
    if (this.omissions.listener && !this.declares(cpu, at)) this.omissions.noRegister('iocsr', at, true, value & mask);
    if (this.ipi.write(cpu, at, value, mask) || this.eiointc.write(cpu, at, value, mask)) return;
    this.chip.write(at, value, mask);
    if (at === MISC_FUNC + 4) this.eiointc.setPinEncode((this.chip.read(at)! & INT_ENCODE) !== 0);
  }

  /** MAIL_SEND and ANY_SEND: a masked 32-bit write in the view of another CPU. Where the mask has a 1, a byte stays. */
  private remote(register: number, lo: number, data: number): void {
    const target = (lo >>> 16) & 0x3ff;
    if (target >= this.cpuCount) {
      this.omissions.say('iocsr', 'mail to a CPU that is not there', target);
      return;
    }
    const keep = (lo >>> 27) & 0xf;
    let mask = 0;
    for (let k = 0; k < 4; k++) if ((keep & (1 << k)) === 0) mask |= 0xff << (8 * k);
    const at = register === IPI.Mail_Send ? IPI.MailBox + (lo & 0x1c) : lo & 0xfffc;
    this.writeWord(target, at, data, mask);
    this.ipi.attend(target);
  }
}
