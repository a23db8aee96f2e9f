import { TIMER_HZ } from '../cpu/clock.ts';
import type { Stateful } from '../state/fields.ts';
import { isEvery, isNumber } from '../state/state-check.ts';
import type { Device, DeviceTime, Line, Timed, Width } from './device.ts';
import { NO_OMISSIONS, type Omissions } from './omissions.ts';
import { offsetsOf, registerAt, registerTable } from './register-table.ts';

export const RTC_REGISTERS = registerTable({
  device: 'rtc',
  source: 'Loongson 7A1000 user manual, chapter 13 (RTC)',
  registers: [
    { offset: 0x20, width: 4, name: 'sys_toytrim', access: 'rw', text: 'kept; the clock is exact' },
    {
      offset: 0x24,
      width: 4,
      name: 'sys_toywrite0',
      access: 'wo',
      live: true,
      text: 'sets month to tenth of a second',
    },
    { offset: 0x28, width: 4, name: 'sys_toywrite1', access: 'wo', live: true, text: 'sets the year, since 1900' },
    { offset: 0x2c, width: 4, name: 'sys_toyread0', access: 'ro', text: '0 while the counter is off' },
    { offset: 0x30, width: 4, name: 'sys_toyread1', access: 'ro', text: '0 while the counter is off' },
    {
      ...{ offset: 0x34, width: 4, count: 3, name: 'sys_toymatch', access: 'rw' },
      text: 'interrupt in that second; a store takes the interrupt away. What is not a date never comes',
    },
    {
      ...{ offset: 0x40, width: 4, name: 'sys_rtcctrl', access: 'rw', bits: 0x2900n, live: true },
      text: 'REN, TEN and EO; bit 5 says that the oscillator works, and writes are always complete',
    },
    { offset: 0x60, width: 4, name: 'sys_rtctrim', access: 'rw', text: 'kept; the clock is exact' },
    { offset: 0x64, width: 4, name: 'sys_rtcwrite0', access: 'wo', live: true, text: 'sets the counter' },
    { offset: 0x68, width: 4, name: 'sys_rtcread0', access: 'ro', text: '32768 Hz; 0 while the counter is off' },
    {
      ...{ offset: 0x6c, width: 4, count: 3, name: 'sys_rtcmatch', access: 'rw' },
      text: 'interrupt at that count; a store takes the interrupt away. 0 never comes: drivers switch an alarm off with it',
    },
  ],
});
const REG = offsetsOf(RTC_REGISTERS);
const CONTROL = { oscillator: 1 << 8, works: 1 << 5, toy: 1 << 11, rtc: 1 << 13, kept: 0x2900 } as const;
const RTC_HZ = 32768;
const RTC_WRAP = 2 ** 32;
const EPOCH_YEAR = 1900;
const TICKS_PER_MS = TIMER_HZ / 1000;
/** Alarms: three of the time-of-year counter, then three of the RTC counter. */
const ALARMS = 3;
/** The last alarm is so many milliseconds ahead, more than a year. Ticks are exact up to there. */
const MOST_AHEAD = 2 ** 52 / TICKS_PER_MS;
const NEVER = Number.POSITIVE_INFINITY;

/** The real-time clock. Until software enables its counters, they do not count and read 0. */
export class Ls7aRtc implements Device, Stateful, Timed {
  readonly stateFields = [
    'control',
    'trims',
    'toyMatch',
    'rtcMatch',
    'due',
    'raised',
    'toyOffset',
    'rtcOffset',
    'deadline',
  ];
  readonly stateChecks = { due: isEvery(isNumber) };
  readonly name = 'rtc';
  readonly size = 0x100;
  private readonly time: DeviceTime;
  private readonly line: Line;
  private readonly omissions: Omissions;
  private control = 0;
  /** TOY, RTC. */
  private readonly trims = new Uint32Array(2);
  private readonly toyMatch = new Uint32Array(ALARMS);
  private readonly rtcMatch = new Uint32Array(ALARMS);
  /** When each alarm comes, in milliseconds since 1970; Infinity: never. */
  private readonly due: number[] = new Array<number>(2 * ALARMS).fill(NEVER);
  /** Alarms that have come, as bits. The line is high until software writes their match registers. */
  private raised = 0;
  /** How far software has moved the two clocks: milliseconds, and ticks. */
  private toyOffset = 0;
  private rtcOffset = 0;
  deadline = NEVER;

  constructor(time: DeviceTime, line: Line, omissions: Omissions = NO_OMISSIONS) {
    this.time = time;
    this.line = line;
    this.omissions = omissions;
  }

  reset(): void {
    this.control = 0;
    for (const a of [this.trims, this.toyMatch, this.rtcMatch]) a.fill(0);
    this.due.fill(NEVER);
    this.deadline = NEVER;
    this.raised = 0;
    this.toyOffset = 0;
    this.rtcOffset = 0;
    this.line(false);
  }

  private runs(counter: number): boolean {
    const both = counter | CONTROL.oscillator;
    return (this.control & both) === both;
  }

  private toy(): Date {
    return new Date(this.time.timeOfDay() + this.toyOffset);
  }

  private toyWord(): number {
    const d = this.toy();
    const day = ((d.getUTCMonth() + 1) << 26) | (d.getUTCDate() << 21) | (d.getUTCHours() << 16);
    return (
      (day | (d.getUTCMinutes() << 10) | (d.getUTCSeconds() << 4) | Math.floor(d.getUTCMilliseconds() / 100)) >>> 0
    );
  }

  /** The RTC counter before it is cut to 32 bits. */
  private rtcCount(): number {
    return Math.floor((this.time.timeOfDay() * RTC_HZ) / 1000 + this.rtcOffset);
  }

  private rtcTicks(): number {
    return this.rtcCount() % RTC_WRAP;
  }

  private word(at: number): number {
    const toyMatch = (at - REG.sys_toymatch) >> 2;
    if (toyMatch >= 0 && toyMatch < ALARMS) return this.toyMatch[toyMatch]!;
    const rtcMatch = (at - REG.sys_rtcmatch) >> 2;
    if (rtcMatch >= 0 && rtcMatch < ALARMS) return this.rtcMatch[rtcMatch]!;
    switch (at) {
      case REG.sys_rtcctrl:
        return this.control | (this.control & CONTROL.oscillator ? CONTROL.works : 0);
      case REG.sys_toytrim:
        return this.trims[0]!;
      case REG.sys_rtctrim:
        return this.trims[1]!;
      case REG.sys_toyread0:
        return this.runs(CONTROL.toy) ? this.toyWord() : 0;
      case REG.sys_toyread1:
        return this.runs(CONTROL.toy) ? this.toy().getUTCFullYear() - EPOCH_YEAR : 0;
      case REG.sys_rtcread0:
        return this.runs(CONTROL.rtc) ? this.rtcTicks() : 0;
      default:
        return 0;
    }
  }

  peek(offset: number, width: Width): number {
    const v = this.word(offset & ~3) >>> (8 * (offset & 3));
    return width === 4 ? v >>> 0 : v & (2 ** (8 * width) - 1);
  }

  read(offset: number, width: Width): number {
    if (this.omissions.listener && !registerAt(RTC_REGISTERS, offset))
      this.omissions.noRegister(this.name, offset, false);
    return this.peek(offset, width);
  }

  write(offset: number, width: Width, value: number): void {
    if (width !== 4 || offset & 3) {
      this.omissions.say(this.name, 'it takes stores of four bytes only: a narrow one is lost');
      return;
    }
    const toyMatch = (offset - REG.sys_toymatch) >> 2;
    const rtcMatch = (offset - REG.sys_rtcmatch) >> 2;
    if (toyMatch >= 0 && toyMatch < ALARMS) {
      this.toyMatch[toyMatch] = value;
      this.again(toyMatch);
    } else if (rtcMatch >= 0 && rtcMatch < ALARMS) {
      this.rtcMatch[rtcMatch] = value;
      this.again(ALARMS + rtcMatch);
    } else this.writeOther(offset, value);
    this.schedule();
  }

  private writeOther(offset: number, value: number): void {
    switch (offset) {
      case REG.sys_rtcctrl:
        this.control = value & CONTROL.kept;
        break;
      case REG.sys_toywrite0:
      case REG.sys_toywrite1:
        this.setToy(offset, value);
        break;
      case REG.sys_rtcwrite0:
        this.rtcOffset += value - this.rtcTicks();
        break;
      case REG.sys_toytrim:
      case REG.sys_rtctrim:
        this.trims[offset === REG.sys_toytrim ? 0 : 1] = value;
        if (value) this.omissions.say(this.name, 'a trim has no effect', value);
        return;
      default:
        if (!registerAt(RTC_REGISTERS, offset)) this.omissions.noRegister(this.name, offset, true, value);
        return;
    }
    for (let n = 0; n < 2 * ALARMS; n++) this.arm(n);
  }

  private setToy(offset: number, value: number): void {
    const d = this.toy();
    if (offset === REG.sys_toywrite1) d.setUTCFullYear(value + EPOCH_YEAR);
    else {
      d.setUTCMonth(((value >>> 26) & 0x3f) - 1, (value >>> 21) & 0x1f);
      d.setUTCHours((value >>> 16) & 0x1f, (value >>> 10) & 0x3f, (value >>> 4) & 0x3f, (value & 0xf) * 100);
    }
    // A year outside the range of a date leaves the clock as it is.
    if (!Number.isNaN(d.getTime())) this.toyOffset = d.getTime() - this.time.timeOfDay();
  }

  /** A match register was written: its alarm is over, and the new one begins. */
  private again(alarm: number): void {
    this.raised &= ~(1 << alarm);
    this.arm(alarm);
  }

  /** Computes when an alarm comes. */
  private arm(alarm: number): void {
    const now = this.time.timeOfDay();
    const at = alarm < ALARMS ? this.nextToy(this.toyMatch[alarm]!) : this.nextRtc(this.rtcMatch[alarm - ALARMS]!);
    this.due[alarm] = (this.raised >> alarm) & 1 || at - now > MOST_AHEAD ? NEVER : at;
  }

  private nextRtc(match: number): number {
    if (match === 0 || !this.runs(CONTROL.rtc)) return NEVER;
    const count = this.rtcCount();
    const ahead = (match - (count % RTC_WRAP) + RTC_WRAP) % RTC_WRAP;
    return ((count + ahead - this.rtcOffset) * 1000) / RTC_HZ;
  }

  /** The register has six bits of the year. */
  private nextToy(match: number): number {
    if (!this.runs(CONTROL.toy)) return NEVER;
    const now = this.toy();
    const year = now.getUTCFullYear() - EPOCH_YEAR;
    const matchYear = year + (((match >>> 26) - (year & 0x3f) + 64) & 0x3f);
    const month = ((match >>> 22) & 0xf) - 1;
    const day = (match >>> 17) & 0x1f;
    const at = new Date(0);
    at.setUTCFullYear(matchYear + EPOCH_YEAR, month, day);
    at.setUTCHours((match >>> 12) & 0x1f, (match >>> 6) & 0x3f, match & 0x3f);
    if (at.getUTCMonth() !== month || at.getUTCDate() !== day) return NEVER;
    // The whole second matches.
    return at.getTime() + 1000 <= now.getTime() ? NEVER : at.getTime() - this.toyOffset;
  }

  /** Raises what is due, and says when to look again. */
  private schedule(): void {
    const now = this.time.timeOfDay();
    let next = NEVER;
    for (let n = 0; n < 2 * ALARMS; n++) {
      if (this.due[n]! <= now) {
        this.raised |= 1 << n;
        this.due[n] = NEVER;
      }
      next = Math.min(next, this.due[n]!);
    }
    this.line(this.raised !== 0);
    const before = this.deadline;
    const ticks = this.time.ticks();
    // Milliseconds since 1970 are less exact than ticks.
    this.deadline = next === NEVER ? NEVER : Math.max(ticks + 1, Math.ceil(ticks + (next - now) * TICKS_PER_MS));
    if (this.deadline < before) this.time.sooner();
  }

  expire(): void {
    this.schedule();
  }
}
