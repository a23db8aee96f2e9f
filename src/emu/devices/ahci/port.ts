/** A port of the controller and the device behind it (AHCI 1.3.1, chapters 3.3 and 5). */
import { viewOf } from '../../formats/little-endian.ts';
import type { Stateful } from '../../state/fields.ts';
import type { Dma } from '../dma.ts';
import type { RegisterDeclaration } from '../register-table.ts';
import { type AhciDrive, type AtaAction, AtaDisk, ERROR, SECTOR, STATUS } from './ata-disk.ts';
import { addressOf, BusError, DataRegions } from './data-regions.ts';
import {
  type Answer,
  type HostFis,
  parseHostFis,
  pioSetupFis,
  RECEIVED,
  REGISTER_BYTES,
  registerFis,
  setDeviceBitsFis,
} from './fis.ts';
import { CMD, INTERRUPT, PORT, PORT_BYTES, SERR_EXCHANGED } from './registers.ts';

const HEADER_BYTES = 32;
/** Where the regions begin in a command table. */
const REGIONS_AT = 0x80;
/** Data that are moved in one step. */
const CHUNK = 256 * SECTOR;
/** PxTFD before the device has spoken. */
const SILENT = 0x7f;
const NO_SIGNATURE = 0xffffffff;
/** PxSSTS: a device at generation 1, active; no device, and the link switched off. */
const LINK = { up: 0x113, none: 0, off: 4 } as const;
const DETECTION = { none: 0, reset: 1, off: 4 } as const;
/** The soft reset bit of the control register. */
const SOFT_RESET = 4;
/** What the device says of itself after a reset: LBA 1, one sector. */
const SIGNATURE: Answer = { status: STATUS.ready, error: 1, lba: 1, device: 0, count: 1 };
const SIGNATURE_VALUE = 0x00000101;
/** The registers that a reset of the controller leaves alone (section 10.4.3). */
const KEPT: readonly number[] = [PORT.clb, PORT.clbu, PORT.fb, PORT.fbu].map((r) => r.offset);

const REGISTERS = new Map<number, RegisterDeclaration>(Object.values(PORT).map((r) => [r.offset, r]));

/** How a command has ended. */
interface End {
  readonly error: number;
  readonly count?: number;
}

export class AhciPort implements Stateful {
  readonly stateFields = ['registers', 'stopped', 'signatureWaits', 'resetting'];
  readonly disk: AtaDisk | undefined;
  private readonly dma: Dma;
  private readonly registers = new Uint32Array(PORT_BYTES / 4);
  /** After an error the list stands still until software starts it anew. */
  private stopped = false;
  /** The device has sent its signature, and the port does not receive yet. */
  private signatureWaits = false;
  /** A soft reset has begun. */
  private resetting = false;

  constructor(dma: Dma, drive: AhciDrive | undefined) {
    this.dma = dma;
    this.disk = drive && new AtaDisk(drive);
    this.reset();
  }

  private get(r: RegisterDeclaration): number {
    return this.registers[r.offset >> 2]!;
  }

  private set(r: RegisterDeclaration, value: number): void {
    this.registers[r.offset >> 2] = value;
  }

  private raise(bits: number): void {
    this.set(PORT.is, this.get(PORT.is) | bits);
  }

  /** Power-on. */
  reset(): void {
    this.registers.fill(0);
    this.resetController();
  }

  /** GHC.HR. */
  resetController(): void {
    for (const r of Object.values(PORT) as readonly RegisterDeclaration[])
      if (!KEPT.includes(r.offset)) this.set(r, typeof r.reset === 'number' ? r.reset : 0);
    this.stopped = false;
    this.connect();
  }

  /** The link comes up, as after COMRESET: the device sends its signature. */
  private connect(): void {
    this.resetting = false;
    this.set(PORT.tfd, SILENT);
    this.set(PORT.sig, NO_SIGNATURE);
    this.set(PORT.sact, 0);
    this.set(PORT.ci, 0);
    this.set(PORT.ssts, this.disk ? LINK.up : LINK.none);
    this.signatureWaits = this.disk !== undefined;
    if (!this.disk) return;
    this.disk.reset();
    this.set(PORT.serr, this.get(PORT.serr) | SERR_EXCHANGED);
    this.receiveSignature();
  }

  private receiveSignature(): void {
    if (!this.signatureWaits || !(this.get(PORT.cmd) & CMD.receive)) return;
    this.signatureWaits = false;
    this.receive(RECEIVED.toHost, registerFis(SIGNATURE, false));
    this.set(PORT.tfd, SIGNATURE.status | (SIGNATURE.error << 8));
    this.set(PORT.sig, SIGNATURE_VALUE);
  }

  /** An interrupt of this port waits. */
  get interrupts(): boolean {
    return (this.read(PORT.is.offset) & this.get(PORT.ie)) !== 0;
  }

  /** Commands wait to be carried out. */
  get waits(): boolean {
    return (
      !this.stopped && this.disk !== undefined && (this.get(PORT.cmd) & CMD.start) !== 0 && this.get(PORT.ci) !== 0
    );
  }

  read(at: number): number {
    const value = this.registers[at >> 2]!;
    if (at !== PORT.is.offset) return value;
    return (value | (this.get(PORT.serr) & SERR_EXCHANGED ? INTERRUPT.connect : 0)) >>> 0;
  }

  /** @param bytes the bits that the access covers; the others keep what they have */
  write(at: number, bytes: number, value: number): void {
    const r = REGISTERS.get(at);
    if (!r) return;
    const bits = bytes & Number(r.bits ?? 0xffffffff);
    const before = this.get(r);
    switch (r.access) {
      case 'w1c':
        this.set(r, before & ~(value & bits));
        return;
      case 'w1s':
        if (this.get(PORT.cmd) & CMD.start) this.set(r, before | (value & bits));
        return;
      case 'rw':
        this.set(r, (before & ~bits) | (value & bits));
        if (at === PORT.cmd.offset) this.commanded(before);
        if (at === PORT.sctl.offset) this.controlled(before);
    }
  }

  /** PxCMD has been written. */
  private commanded(before: number): void {
    let now = this.get(PORT.cmd) & ~(CMD.receiving | CMD.running);
    if (now & CMD.receive) now |= CMD.receiving;
    if (now & CMD.start) now |= CMD.running;
    else if (before & CMD.start) {
      this.set(PORT.ci, 0);
      this.set(PORT.sact, 0);
      this.stopped = false;
      now &= ~(0x1f << 8);
    }
    this.set(PORT.cmd, now);
    this.receiveSignature();
  }

  /** PxSCTL has been written: COMRESET, or the link switched off. It counts while the list does not run. */
  private controlled(before: number): void {
    const [was, now] = [before & 0xf, this.get(PORT.sctl) & 0xf];
    if (was === now || this.get(PORT.cmd) & CMD.start) return;
    if (now === DETECTION.none) this.connect();
    else {
      this.signatureWaits = false;
      this.set(PORT.tfd, SILENT);
      this.set(PORT.ssts, now === DETECTION.off ? LINK.off : LINK.none);
    }
  }

  /** Puts a FIS where the host expects it. */
  private receive(at: number, fis: Uint8Array): void {
    if (!(this.get(PORT.cmd) & CMD.receive)) return;
    if (!this.dma.write(addressOf(this.get(PORT.fb), this.get(PORT.fbu)) + at, fis)) this.fail(INTERRUPT.hostBusFatal);
  }

  /** An error after which the list stands still. */
  private fail(interrupt: number): void {
    this.raise(interrupt);
    this.stopped = true;
  }

  /** Carries out the next command. Call it only while {@link waits}. */
  next(): void {
    const slot = 31 - Math.clz32(this.get(PORT.ci) & -this.get(PORT.ci));
    this.set(PORT.cmd, (this.get(PORT.cmd) & ~(0x1f << 8)) | (slot << 8));
    try {
      this.command(slot);
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      this.fail(INTERRUPT.hostBusFatal);
    }
  }

  private finished(slot: number): void {
    this.set(PORT.ci, this.get(PORT.ci) & ~(1 << slot));
  }

  private load(pa: number, length: number): DataView {
    const bytes = this.dma.read(pa, length);
    if (!bytes) throw new BusError();
    return viewOf(bytes);
  }

  private command(slot: number): void {
    const headerAt = addressOf(this.get(PORT.clb), this.get(PORT.clbu)) + HEADER_BYTES * slot;
    const header = this.load(headerAt, HEADER_BYTES);
    const tableAt = addressOf((header.getUint32(8, true) & ~0x7f) >>> 0, header.getUint32(12, true));
    const frame = this.load(tableAt, REGISTER_BYTES);
    const fis = parseHostFis(new Uint8Array(frame.buffer, frame.byteOffset, REGISTER_BYTES));
    if (!fis) {
      // The device does not understand the frame.
      this.fail(INTERRUPT.interfaceFatal);
      return;
    }
    if (!fis.isCommand) {
      this.finished(slot);
      this.control(fis.control);
      return;
    }
    this.execute(slot, fis, this.disk!.decode(fis), {
      regions: () => new DataRegions(this.dma, tableAt + REGIONS_AT, header.getUint16(2, true)),
      moved: (bytes) => {
        if (!this.dma.write(headerAt + 4, new Uint8Array(Uint32Array.of(bytes).buffer))) throw new BusError();
      },
    });
  }

  /** A soft reset is two frames: the bit is set, then cleared. */
  private control(control: number): void {
    const reset = (control & SOFT_RESET) !== 0;
    if (this.resetting && !reset) {
      this.disk!.reset();
      this.signatureWaits = true;
      this.receiveSignature();
    }
    this.resetting = reset;
  }

  private execute(
    slot: number,
    fis: HostFis,
    action: AtaAction,
    list: { readonly regions: () => DataRegions; readonly moved: (bytes: number) => void },
  ): void {
    switch (action.kind) {
      case 'failed':
        this.answer(slot, fis, action);
        return;
      case 'done':
        this.answer(slot, fis, { error: 0, ...(action.count !== undefined && { count: action.count }) });
        return;
      case 'signature':
        this.finished(slot);
        this.set(PORT.tfd, SIGNATURE.status | (SIGNATURE.error << 8));
        this.receive(RECEIVED.toHost, registerFis(SIGNATURE, true));
        this.raise(INTERRUPT.registerFis);
        return;
      case 'answer': {
        const regions = list.regions();
        const error = regions.put(action.data) < action.data.length ? this.overflow() : 0;
        this.moved(regions, list.moved);
        if (error === 0) this.pioSetup(fis, true, action.data.length);
        this.answer(slot, fis, { error });
        return;
      }
      case 'transfer': {
        const regions = list.regions();
        if (action.tag !== undefined) {
          this.queued(slot, fis, action, regions);
          return;
        }
        const error = this.transfer(action, regions);
        this.moved(regions, list.moved);
        if (error === 0 && action.pio) this.pioSetup(fis, action.toHost, SECTOR);
        this.answer(slot, fis, { error });
      }
    }
  }

  /** The regions are too short for the data. */
  private overflow(): number {
    this.raise(INTERRUPT.overflow);
    return ERROR.abort;
  }

  private moved(regions: DataRegions, write: (bytes: number) => void): void {
    write(regions.done);
    if (regions.interrupt) this.raise(INTERRUPT.descriptor);
  }

  /** Moves the data of a command. @returns its error bits */
  private transfer(
    { toHost, offset, length, through }: AtaAction & { kind: 'transfer' },
    regions: DataRegions,
  ): number {
    const { disk } = this.disk!;
    try {
      for (let at = 0; at < length; ) {
        const size = Math.min(CHUNK, length - at);
        if (toHost) {
          if (regions.put(disk.read(offset + at, size)) < size) return this.overflow();
        } else {
          const data = regions.take(size);
          const whole = data.length - (data.length % SECTOR);
          if (whole > 0) disk.write(offset + at, data.subarray(0, whole));
          if (data.length < size) return this.overflow();
        }
        at += size;
      }
      if (through) disk.flush();
      return 0;
    } catch (error) {
      if (error instanceof BusError) throw error;
      return toHost ? ERROR.uncorrectable : ERROR.abort;
    }
  }

  private answerTo(fis: HostFis, { error, count = 0 }: End): Answer {
    const status = STATUS.ready | (error === 0 ? 0 : STATUS.error);
    return { status, error, lba: fis.lba, device: fis.device, count };
  }

  private pioSetup(fis: HostFis, toHost: boolean, bytes: number): void {
    this.receive(RECEIVED.pioSetup, pioSetupFis(this.answerTo(fis, { error: 0 }), toHost, bytes));
    this.raise(INTERRUPT.pioSetup);
  }

  /** The command is over: the device sends its registers. */
  private answer(slot: number, fis: HostFis, end: End): void {
    const answer = this.answerTo(fis, end);
    this.set(PORT.tfd, answer.status | (answer.error << 8));
    this.receive(RECEIVED.toHost, registerFis(answer, true));
    this.raise(INTERRUPT.registerFis);
    if (end.error === 0) this.finished(slot);
    else this.fail(INTERRUPT.taskFile);
  }

  /** A queued command: the device takes it, and tells of its end by setting bits. */
  private queued(slot: number, fis: HostFis, action: AtaAction & { kind: 'transfer' }, regions: DataRegions): void {
    const tag = action.tag!;
    // Its tag is the number of its slot (section 1.7).
    if (tag !== slot) {
      this.answer(slot, fis, { error: ERROR.abort });
      return;
    }
    const taken = this.answerTo(fis, { error: 0 });
    this.set(PORT.tfd, taken.status);
    this.receive(RECEIVED.toHost, registerFis(taken, false));
    this.finished(slot);
    const error = this.transfer(action, regions);
    if (regions.interrupt) this.raise(INTERRUPT.descriptor);
    const { status } = this.answerTo(fis, { error });
    const bit = 1 << tag;
    this.set(PORT.tfd, status | (error << 8));
    this.receive(RECEIVED.setDeviceBits, setDeviceBitsFis(status, error, error === 0 ? bit : 0));
    this.raise(INTERRUPT.setDeviceBits);
    if (error === 0) this.set(PORT.sact, this.get(PORT.sact) & ~bit);
    else this.fail(INTERRUPT.taskFile);
  }
}
