import type { Stateful } from '../state/fields.ts';
import type { Device, Line, Width } from './device.ts';
import type { Eiointc } from './eiointc.ts';

const INPUTS = 64;
/** Word offsets of the 64-bit registers of the LS7A interrupt controller. */
const REG = {
  id: 0x00,
  mask: 0x20,
  htmsiEn: 0x40,
  edge: 0x60,
  clear: 0x80,
  autoCtrl0: 0xc0,
  autoCtrl1: 0xe0,
  route: 0x100,
  htvec: 0x200,
  irr: 0x380,
  isr: 0x3a0,
  pol: 0x3e0,
} as const;
const ID = [0x07000000, 0x001f0001] as const;

/** PCH-PIC (LS7A1000): 32 wired inputs, each sent to an EIOINTC vector chosen in HTVEC. */
export class PchPic implements Device, Stateful {
  readonly stateFields = ['masked', 'edge', 'htmsi', 'polarity', 'route', 'htvec', 'level', 'irr', 'isr'];
  readonly name = 'pch-pic';
  readonly size = 0x400;
  private readonly eiointc: Eiointc;
  private readonly masked = new Uint8Array(INPUTS);
  private readonly edge = new Uint8Array(INPUTS);
  private readonly htmsi = new Uint8Array(INPUTS);
  private readonly polarity = new Uint8Array(INPUTS);
  private readonly route = new Uint8Array(INPUTS);
  private readonly htvec = new Uint8Array(INPUTS);
  private readonly level = new Uint8Array(INPUTS);
  /** Request and in-service latches. */
  private readonly irr = new Uint8Array(INPUTS);
  private readonly isr = new Uint8Array(INPUTS);

  constructor(eiointc: Eiointc) {
    this.eiointc = eiointc;
    this.reset();
  }

  reset(): void {
    this.masked.fill(1);
    this.route.fill(1);
    for (const a of [this.edge, this.htmsi, this.polarity, this.htvec, this.level, this.irr, this.isr]) a.fill(0);
  }

  /** The interrupt line of input `n`. */
  input(n: number): Line {
    return (level) => {
      const rising = level && !this.level[n];
      if (!level === !this.level[n]) return;
      this.level[n] = level ? 1 : 0;
      if (this.edge[n]) {
        if (rising) this.irr[n] = 1;
      } else this.irr[n] = level ? 1 : 0;
      this.evaluate(n);
    };
  }

  private evaluate(n: number): void {
    if (this.irr[n] && !this.masked[n]) {
      this.isr[n] = 1;
      this.eiointc.set(this.htvec[n]!, true);
    } else if (this.isr[n] && !this.irr[n]) {
      this.isr[n] = 0;
      this.eiointc.set(this.htvec[n]!, false);
    }
  }

  /** The bit array behind a 64-bit register, if it is one. */
  private bitsOf(register: number): Uint8Array | undefined {
    switch (register) {
      case REG.mask:
        return this.masked;
      case REG.htmsiEn:
        return this.htmsi;
      case REG.edge:
        return this.edge;
      case REG.pol:
        return this.polarity;
      case REG.irr:
        return this.irr;
      case REG.isr:
        return this.isr;
      default:
        return undefined;
    }
  }

  private byte(offset: number): number {
    if (offset >= REG.route && offset < REG.route + INPUTS) return this.route[offset - REG.route]!;
    if (offset >= REG.htvec && offset < REG.htvec + INPUTS) return this.htvec[offset - REG.htvec]!;
    const register = offset & ~7;
    if (register === REG.id) return (ID[(offset >> 2) & 1]! >>> (8 * (offset & 3))) & 0xff;
    const bits = this.bitsOf(register);
    let v = 0;
    if (bits) for (let k = 0; k < 8; k++) if (bits[(offset & 7) * 8 + k]) v |= 1 << k;
    return v;
  }

  peek(offset: number, width: Width): number {
    let v = 0;
    for (let k = 0; k < width; k++) v |= this.byte(offset + k) << (8 * k);
    return v >>> 0;
  }

  read(offset: number, width: Width): number {
    return this.peek(offset, width);
  }

  write(offset: number, width: Width, value: number): void {
    for (let k = 0; k < width; k++) this.writeByte(offset + k, (value >>> (8 * k)) & 0xff);
  }

  private writeByte(offset: number, value: number): void {
    if (offset >= REG.route && offset < REG.route + INPUTS) {
      this.route[offset - REG.route] = value;
      return;
    }
    if (offset >= REG.htvec && offset < REG.htvec + INPUTS) {
      this.htvec[offset - REG.htvec] = value;
      return;
    }
    const register = offset & ~7;
    const first = (offset & 7) * 8;
    if (register === REG.clear) {
      for (let k = 0; k < 8; k++) if (value & (1 << k) && this.edge[first + k]) this.acknowledge(first + k);
      return;
    }
    const bits = this.bitsOf(register);
    if (!bits || register === REG.irr || register === REG.isr) return;
    for (let k = 0; k < 8; k++) bits[first + k] = (value >> k) & 1;
    // Unmasking a line that is still high sends it again.
    if (register === REG.mask) for (let k = 0; k < 8; k++) this.evaluate(first + k);
  }

  private acknowledge(n: number): void {
    this.irr[n] = 0;
    if (this.isr[n]) {
      this.isr[n] = 0;
      this.eiointc.set(this.htvec[n]!, false);
    }
  }
}
