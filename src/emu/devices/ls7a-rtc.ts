import type { Stateful } from '../state/fields.ts';
import type { Device, Width } from './device.ts';

/** Register offsets of the LS7A's real-time clock (Loongson 7A1000 manual, chapter 20). */
const REG = {
  toyTrim: 0x20,
  toyWrite0: 0x24,
  toyWrite1: 0x28,
  toyRead0: 0x2c,
  toyRead1: 0x30,
  control: 0x40,
  rtcTrim: 0x60,
  rtcWrite: 0x64,
  rtcRead: 0x68,
} as const;
/** Alarm registers: their values are stored, and no alarm happens. */
const STORED = [REG.toyTrim, 0x34, 0x38, 0x3c, REG.rtcTrim, 0x6c, 0x70, 0x74];
const EO = 1 << 8;
const TOYEN = 1 << 11;
const RTCEN = 1 << 13;
const RTC_HZ = 32768;
const EPOCH_YEAR = 1900;

/** The real-time clock. Until software enables its counters, they do not count and read 0. */
export class Ls7aRtc implements Device, Stateful {
  readonly stateFields = ['control', 'stored', 'toyOffset', 'rtcOffset'];
  readonly name = 'rtc';
  readonly size = 0x100;
  /** Milliseconds since 1970. */
  private readonly now: () => number;
  private control = 0;
  private readonly stored = new Uint32Array(0x40);
  /** How far software has moved the two clocks: milliseconds, and ticks. */
  private toyOffset = 0;
  private rtcOffset = 0;

  constructor(now: () => number) {
    this.now = now;
  }

  reset(): void {
    this.control = 0;
    this.stored.fill(0);
    this.toyOffset = 0;
    this.rtcOffset = 0;
  }

  private toy(): Date {
    return new Date(this.now() + this.toyOffset);
  }

  private toyWord(): number {
    const d = this.toy();
    const day = ((d.getUTCMonth() + 1) << 26) | (d.getUTCDate() << 21) | (d.getUTCHours() << 16);
    return (
      (day | (d.getUTCMinutes() << 10) | (d.getUTCSeconds() << 4) | Math.floor(d.getUTCMilliseconds() / 100)) >>> 0
    );
  }

  private rtcTicks(): number {
    return Math.floor((this.now() * RTC_HZ) / 1000 + this.rtcOffset) % 2 ** 32;
  }

  peek(offset: number, _width: Width): number {
    const runs = (enable: number): boolean => (this.control & (enable | EO)) === (enable | EO);
    if (offset === REG.control) return this.control;
    if (offset === REG.toyRead0) return runs(TOYEN) ? this.toyWord() : 0;
    if (offset === REG.toyRead1) return runs(TOYEN) ? this.toy().getUTCFullYear() - EPOCH_YEAR : 0;
    if (offset === REG.rtcRead) return runs(RTCEN) ? this.rtcTicks() : 0;
    return this.stored[offset >> 2] ?? 0;
  }

  read(offset: number, width: Width): number {
    return this.peek(offset, width);
  }

  write(offset: number, _width: Width, value: number): void {
    if (offset === REG.control) this.control = value;
    else if (offset === REG.toyWrite0 || offset === REG.toyWrite1) this.setToy(offset, value);
    else if (offset === REG.rtcWrite) this.rtcOffset += value - this.rtcTicks();
    else if (STORED.includes(offset)) this.stored[offset >> 2] = value;
  }

  private setToy(offset: number, value: number): void {
    const d = this.toy();
    if (offset === REG.toyWrite1) d.setUTCFullYear(value + EPOCH_YEAR);
    else {
      d.setUTCMonth(((value >>> 26) & 0x3f) - 1, (value >>> 21) & 0x1f);
      d.setUTCHours((value >>> 16) & 0x1f, (value >>> 10) & 0x3f, (value >>> 4) & 0x3f, (value & 0xf) * 100);
    }
    // A year outside the range of a date leaves the clock as it is.
    if (!Number.isNaN(d.getTime())) this.toyOffset = d.getTime() - this.now();
  }
}
