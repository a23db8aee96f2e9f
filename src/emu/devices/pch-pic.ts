import type { Stateful } from '../state/fields.ts';
import type { Device, Line, Width } from './device.ts';
import type { Eiointc } from './eiointc.ts';
import { NO_OMISSIONS, type Omissions } from './omissions.ts';
import { offsetsOf, registerTable } from './register-table.ts';

const INPUTS = 64;
/** One byte for each of eight inputs. */
const each = (byte: bigint): bigint => byte * 0x0101010101010101n;

export const PCH_PIC_REGISTERS = registerTable({
  device: 'pch-pic',
  source: 'Loongson 7A1000 user manual, chapter 5 (interrupt controller)',
  registers: [
    {
      ...{ offset: 0x000, width: 8, name: 'INT_ID', access: 'ro', reset: 0x001f000107000000n },
      text: '32 inputs, as on QEMU’s board; the 7A1000 has 64',
    },
    { offset: 0x020, width: 8, name: 'INT_MASK', access: 'rw', reset: (1n << 64n) - 1n, text: 'complete' },
    {
      ...{ offset: 0x040, width: 8, name: 'HTMSI_EN', access: 'rw' },
      text: 'kept; inputs are sent as messages in any case, because the board has no wires INTn0 and INTn1',
    },
    { offset: 0x060, width: 8, name: 'INTEDGE', access: 'rw', text: 'complete' },
    { offset: 0x080, width: 8, name: 'INTCLR', access: 'wo', text: 'clears edges' },
    { offset: 0x0c0, width: 8, name: 'AUTO_CTRL0', access: 'rw', text: 'kept; there is one output only' },
    { offset: 0x0e0, width: 8, name: 'AUTO_CTRL1', access: 'rw', text: 'as AUTO_CTRL0' },
    {
      ...{ offset: 0x100, width: 8, count: 8, name: 'ROUTE_ENTRY', access: 'rw', reset: each(1n) },
      text: 'a byte an input; selects what INTISR_0 and INTISR_1 show',
    },
    {
      ...{
        offset: 0x200,
        width: 8,
        count: 8,
        name: 'HTMSI_VECTOR',
        access: 'rw',
        reset: 0x0706050403020100n,
        live: true,
      },
      text: 'a byte an input: its EIOINTC vector. After a reset input n has n, from 32 on n + 32',
    },
    { offset: 0x300, width: 8, name: 'INTISR_0', access: 'ro', text: 'INTISR where ROUTE_ENTRY has bit 0' },
    { offset: 0x320, width: 8, name: 'INTISR_1', access: 'ro', text: 'INTISR where ROUTE_ENTRY has bit 1' },
    { offset: 0x380, width: 8, name: 'INTIRR', access: 'ro', text: 'complete' },
    { offset: 0x3a0, width: 8, name: 'INTISR', access: 'ro', text: 'requests that were sent' },
    {
      ...{ offset: 0x3e0, width: 8, name: 'INT_POLARITY', access: 'rw' },
      text: 'kept; a line of a device is raised or not, whatever its polarity',
    },
  ],
});
const REG = offsetsOf(PCH_PIC_REGISTERS);
const ID = [0x07000000, 0x001f0001] as const;

/** PCH-PIC (LS7A1000): 32 wired inputs, each sent to the EIOINTC vector that HTMSI_VECTOR names. */
export class PchPic implements Device, Stateful {
  readonly stateFields = [
    'masked',
    'edge',
    'htmsi',
    'polarity',
    'auto0',
    'auto1',
    'route',
    'htvec',
    'level',
    'irr',
    'isr',
    'sent',
  ];
  readonly name = 'pch-pic';
  readonly size = 0x400;
  private readonly eiointc: Eiointc;
  private readonly omissions: Omissions;
  private readonly masked = new Uint8Array(INPUTS);
  private readonly edge = new Uint8Array(INPUTS);
  private readonly htmsi = new Uint8Array(INPUTS);
  private readonly polarity = new Uint8Array(INPUTS);
  private readonly auto0 = new Uint8Array(INPUTS);
  private readonly auto1 = new Uint8Array(INPUTS);
  private readonly route = new Uint8Array(INPUTS);
  private readonly htvec = new Uint8Array(INPUTS);
  private readonly level = new Uint8Array(INPUTS);
  /** Request and in-service latches. */
  private readonly irr = new Uint8Array(INPUTS);
  private readonly isr = new Uint8Array(INPUTS);
  /** The vector that an input holds high at the EIOINTC, plus 1; 0: none. HTMSI_VECTOR may have changed since. */
  private readonly sent = new Uint16Array(INPUTS);

  constructor(eiointc: Eiointc, omissions: Omissions = NO_OMISSIONS) {
    this.eiointc = eiointc;
    this.omissions = omissions;
    this.reset();
  }

  reset(): void {
    this.masked.fill(1);
    this.route.fill(1);
    for (let n = 0; n < INPUTS; n++) this.htvec[n] = n < 32 ? n : n + 32;
    for (const a of [this.edge, this.htmsi, this.polarity, this.auto0, this.auto1]) a.fill(0);
    for (const a of [this.level, this.irr, this.isr, this.sent]) a.fill(0);
  }

  /**
   * The interrupt line of input `n`. Each raise is looked at again, also where the line is high already: with the vector and
   * the mask as they are now.
   */
  input(n: number): Line {
    return (level) => {
      const rising = level && !this.level[n];
      this.level[n] = level ? 1 : 0;
      if (!this.edge[n]) this.irr[n] = level ? 1 : 0;
      else if (rising) this.irr[n] = 1;
      else if (!level) return;
      this.evaluate(n);
    };
  }

  /** Sends a request that is not masked, and takes one back that has gone or was masked. */
  private evaluate(n: number): void {
    if (this.irr[n] && !this.masked[n]) {
      const vector = this.htvec[n]!;
      if (this.sent[n] !== 0 && this.sent[n] !== vector + 1) this.withdraw(n);
      this.isr[n] = 1;
      this.sent[n] = vector + 1;
      this.eiointc.set(vector, true);
    } else if (this.isr[n]) this.withdraw(n);
  }

  private withdraw(n: number): void {
    const sent = this.sent[n]!;
    this.isr[n] = 0;
    this.sent[n] = 0;
    // Inputs may share a vector.
    if (sent !== 0 && !this.sent.includes(sent)) this.eiointc.set(sent - 1, false);
  }

  /** The bit array behind a 64-bit register, if it is one. */
  private bitsOf(register: number): Uint8Array | undefined {
    switch (register) {
      case REG.INT_MASK:
        return this.masked;
      case REG.HTMSI_EN:
        return this.htmsi;
      case REG.INTEDGE:
        return this.edge;
      case REG.AUTO_CTRL0:
        return this.auto0;
      case REG.AUTO_CTRL1:
        return this.auto1;
      case REG.INT_POLARITY:
        return this.polarity;
      case REG.INTIRR:
        return this.irr;
      case REG.INTISR:
      case REG.INTISR_0:
      case REG.INTISR_1:
        return this.isr;
      default:
        return undefined;
    }
  }

  /** The bytes behind an offset, one for each input, if it is in a register of this kind. */
  private bytesAt(offset: number): readonly [bytes: Uint8Array, input: number] | undefined {
    if (offset >= REG.ROUTE_ENTRY && offset < REG.ROUTE_ENTRY + INPUTS) return [this.route, offset - REG.ROUTE_ENTRY];
    if (offset >= REG.HTMSI_VECTOR && offset < REG.HTMSI_VECTOR + INPUTS)
      return [this.htvec, offset - REG.HTMSI_VECTOR];
    return undefined;
  }

  private byte(offset: number): number {
    const bytes = this.bytesAt(offset);
    if (bytes) return bytes[0][bytes[1]]!;
    const register = offset & ~7;
    if (register === REG.INT_ID) return (ID[(offset >> 2) & 1]! >>> (8 * (offset & 3))) & 0xff;
    const bits = this.bitsOf(register);
    if (!bits) return 0;
    const output = register === REG.INTISR_0 ? 1 : register === REG.INTISR_1 ? 2 : 0;
    const first = (offset & 7) * 8;
    let v = 0;
    for (let k = 0; k < 8; k++) if (bits[first + k] && (output === 0 || this.route[first + k]! & output)) v |= 1 << k;
    return v;
  }

  peek(offset: number, width: Width): number {
    let v = 0;
    for (let k = 0; k < width; k++) v |= this.byte(offset + k) << (8 * k);
    return v >>> 0;
  }

  read(offset: number, width: Width): number {
    if (!this.known(offset)) this.omissions.noRegister(this.name, offset, false);
    return this.peek(offset, width);
  }

  write(offset: number, width: Width, value: number): void {
    if (!this.known(offset)) this.omissions.noRegister(this.name, offset, true, value);
    for (let k = 0; k < width; k++) this.writeByte(offset + k, (value >>> (8 * k)) & 0xff);
  }

  private known(offset: number): boolean {
    const register = offset & ~7;
    return (
      register === REG.INT_ID ||
      register === REG.INTCLR ||
      this.bitsOf(register) !== undefined ||
      this.bytesAt(offset) !== undefined
    );
  }

  private writeByte(offset: number, value: number): void {
    const bytes = this.bytesAt(offset);
    if (bytes) {
      bytes[0][bytes[1]] = value;
      return;
    }
    const register = offset & ~7;
    const first = (offset & 7) * 8;
    switch (register) {
      case REG.INTCLR:
        for (let k = 0; k < 8; k++) if (value & (1 << k) && this.edge[first + k]) this.acknowledge(first + k);
        return;
      case REG.INT_MASK:
      case REG.HTMSI_EN:
      case REG.INTEDGE:
      case REG.AUTO_CTRL0:
      case REG.AUTO_CTRL1:
      case REG.INT_POLARITY:
        break;
      default:
        return;
    }
    const bits = this.bitsOf(register)!;
    for (let k = 0; k < 8; k++) {
      const n = first + k;
      const before = bits[n];
      bits[n] = (value >> k) & 1;
      // An edge that has become a level is what its line is.
      if (register === REG.INTEDGE && before && !bits[n]) {
        this.irr[n] = this.level[n]!;
        this.evaluate(n);
      }
      // Unmasking a line that is still high sends it again; masking takes it back.
      if (register === REG.INT_MASK) this.evaluate(n);
    }
    if ((register === REG.AUTO_CTRL0 || register === REG.AUTO_CTRL1) && value)
      this.omissions.say(this.name, 'interrupts are not distributed: there is one output');
    if (register === REG.INT_POLARITY && value) this.omissions.say(this.name, 'the polarity of inputs has no effect');
  }

  private acknowledge(n: number): void {
    this.irr[n] = 0;
    if (this.isr[n]) this.withdraw(n);
  }
}
