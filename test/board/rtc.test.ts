/** The alarms of the real-time clock (Loongson 7A1000 manual, chapter 13), alone and in a machine. */
import { beforeEach, describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { Ls7aRtc } from '../../src/emu/devices/ls7a-rtc.ts';
import { Omissions } from '../../src/emu/devices/omissions.ts';
import { TestMachine } from '../support/test-machine.ts';

const [TOY_TRIM, TOY_WRITE0, TOY_READ0, TOY_MATCH, CONTROL, RTC_WRITE, RTC_READ, RTC_MATCH] = [
  0x20, 0x24, 0x2c, 0x34, 0x40, 0x64, 0x68, 0x6c,
];
const [EO, TOY, RTC] = [1 << 8, 1 << 11, 1 << 13];
const TICKS_PER_MS = 100_000;
const NEVER = Number.POSITIVE_INFINITY;
const START = Date.UTC(2026, 10, 25, 13, 5, 9, 400);

/** The stable counter. */
let ticks: number;
let high: boolean;
let said: string[];
let rtc: Ls7aRtc;

beforeEach(() => {
  ticks = 0;
  said = [];
  const omissions = new Omissions();
  omissions.listener = (line) => said.push(line);
  const time = { ticks: () => ticks, timeOfDay: () => START + ticks / TICKS_PER_MS, sooner: () => {} };
  rtc = new Ls7aRtc(time, (level) => void (high = level), omissions);
  rtc.reset();
  put(CONTROL, EO | TOY | RTC);
});

const get = (at: number): number => rtc.read(at, 4);
const put = (at: number, value: number): void => rtc.write(at, 4, value >>> 0);

/** Lets time pass until the line rises, at most so many milliseconds. @returns the milliseconds that have passed */
function sleep(ms: number): number {
  const began = ticks;
  const end = began + ms * TICKS_PER_MS;
  while (!high && ticks < end) {
    ticks = Math.min(end, rtc.deadline);
    if (rtc.deadline <= ticks) rtc.expire();
  }
  return (ticks - began) / TICKS_PER_MS;
}

const match = (year: number, month: number, day: number, hour: number, minute: number, second: number): number =>
  (((year - 1900) & 63) << 26) | (month << 22) | (day << 17) | (hour << 12) | (minute << 6) | second;

describe('RTC match', () => {
  test.each([0, 1, 2])('register %i: the line rises at the count, stays, and falls with a store', (n) => {
    put(RTC_WRITE, 1000);
    put(RTC_MATCH + 4 * n, 1000 + 32768);
    expect(high).toBe(false);
    expect(sleep(5000)).toBeCloseTo(1000, 0);
    expect([high, get(RTC_READ), rtc.deadline]).toEqual([true, 1000 + 32768, NEVER]);
    ticks += 1000 * TICKS_PER_MS;
    put(TOY_MATCH, 0);
    expect(high).toBe(true);
    put(RTC_MATCH + 4 * n, 0);
    expect([high, rtc.deadline]).toEqual([false, NEVER]);
  });

  test('a count that is over comes when the counter has gone round', () => {
    put(RTC_WRITE, 1000);
    put(RTC_MATCH, 999);
    expect(sleep(1e12) / 1000).toBeCloseTo((2 ** 32 - 1) / 32768, 1);
    expect(high).toBe(true);
  });

  test('the counter is set, or switched off: the alarm follows', () => {
    put(RTC_WRITE, 0);
    put(RTC_MATCH, 10 * 32768);
    put(RTC_WRITE, 9 * 32768);
    expect(sleep(1e6)).toBeCloseTo(1000, 0);
    put(RTC_MATCH, 11 * 32768);
    put(CONTROL, EO | TOY);
    expect([high, rtc.deadline]).toEqual([false, NEVER]);
    put(CONTROL, RTC);
    expect(rtc.deadline).toBe(NEVER);
    put(CONTROL, EO | RTC);
    expect(sleep(1e6)).toBeCloseTo(1000, 0);
    expect(high).toBe(true);
  });
});

describe('TOY match', () => {
  test.each([0, 1, 2])('register %i: the line rises in that second', (n) => {
    put(TOY_MATCH + 4 * n, match(2026, 11, 25, 13, 5, 11));
    expect(sleep(5000)).toBeCloseTo(1600, 0);
    expect([high, (get(TOY_READ0) >> 4) & 63]).toEqual([true, 11]);
    put(TOY_MATCH + 4 * n, match(2026, 11, 25, 13, 5, 9));
    expect([high, rtc.deadline]).toEqual([false, NEVER]);
  });

  test('the second that is now matches at once', () => {
    put(TOY_MATCH, match(2026, 11, 25, 13, 5, 9));
    expect(high).toBe(true);
  });

  test('over the end of a year', () => {
    put(TOY_MATCH, match(2027, 1, 1, 0, 0, 0));
    expect(sleep(1e11)).toBeCloseTo(Date.UTC(2027, 0, 1) - START, 0);
    expect(high).toBe(true);
  });

  test.each([
    ['no date', 0],
    ['February 30', match(2027, 2, 30, 0, 0, 0)],
    ['yesterday', match(2026, 11, 24, 0, 0, 0)],
    ['in ten years', match(2036, 1, 1, 0, 0, 0)],
  ])('%s never comes', (_, value) => {
    put(TOY_MATCH, value);
    expect([high, rtc.deadline]).toEqual([false, NEVER]);
  });

  test('the clock is set: the alarm follows', () => {
    put(TOY_MATCH, match(2026, 12, 1, 0, 0, 0));
    put(TOY_WRITE0, (11 << 26) | (30 << 21) | (23 << 16) | (59 << 10) | (58 << 4));
    expect(sleep(1e9)).toBeCloseTo(2000, 0);
    expect(high).toBe(true);
  });
});

test('control keeps three bits, and says that the oscillator works', () => {
  put(CONTROL, 0xffffffff);
  expect(get(CONTROL)).toBe(0x2920);
  put(CONTROL, 0);
  expect(get(CONTROL)).toBe(0);
});

test('a narrow store is lost and said, and so is what is not there', () => {
  rtc.write(TOY_TRIM, 1, 5);
  rtc.write(TOY_TRIM + 2, 2, 5);
  expect(get(TOY_TRIM)).toBe(0);
  put(TOY_TRIM, 5);
  put(0x80, 1);
  get(0x44);
  expect(said).toEqual([
    'rtc: it takes stores of four bytes only: a narrow one is lost',
    'rtc: a trim has no effect (0x5)',
    'rtc: store to 0x80: no register (0x1)',
    'rtc: load from 0x44: no register',
  ]);
});

describe('in a machine', () => {
  const BASE = 0x100d0100;

  /** A machine whose CPU waits for an alarm, some RTC ticks ahead, that comes to HWI0. */
  function waiting(ahead: number, options: ConstructorParameters<typeof TestMachine>[0] = {}): TestMachine {
    const bench = new TestMachine({ code: ['st.w $a0, $a1, 0', 'idle 0', 'addi.d $a2, $a2, 1', 'b -8'], ...options });
    const { bus, iocsr } = bench.machine;
    bus.write(BASE + CONTROL, 4, EO | RTC, 0);
    bus.read(BASE + RTC_READ, 4);
    iocsr.write(0, 0x1600, 4, 1 << 6, 0);
    bus.write(0x10000020, 4, ~(1 << 6), 0);
    return bench.set({ a0: (bus.lo + ahead) >>> 0, a1: BASE + RTC_MATCH }).setHost({ ECFG: 4 });
  }

  test.each(['interpreter', 'jit', 'auto'] as const)('%s: the alarm wakes a CPU that is idle', (engine) => {
    const bench = waiting(3277, { engine });
    bench.run(10);
    expect(bench.host(CSR.ESTAT)).toBe(4n);
    expect(bench.get('a2')).toBeGreaterThan(0n);
    expect(Math.abs(bench.machine.time - 0.1 * 100_000_000)).toBeLessThan(5000);
  });

  test('it wakes one of two CPUs', () => {
    const bench = waiting(3277, { cpus: 2 });
    bench.machine.run(20_000);
    expect(bench.host(CSR.ESTAT)).toBe(4n);
    expect(bench.machine.time / 10_000_000).toBeCloseTo(1, 1);
  });

  test('a CPU that runs gets it at the same instruction, in slices of any size and in steps', () => {
    const run = (go: (bench: TestMachine, left: number) => void): { icount: number; pc: number } => {
      const bench = waiting(10, { code: ['st.w $a0, $a1, 0', 'addi.d $a2, $a2, 1', 'b -4'] });
      bench.setHost({ ECFG: 4, CRMD: 0xc, EENTRY: 0x20000 });
      bench.code(0x20000, ['b 0']);
      while (bench.pc !== 0x20000 && bench.cpu.icount < 100_000) go(bench, 100_000 - bench.cpu.icount);
      return { icount: bench.cpu.icount, pc: bench.pc };
    };
    const whole = run((bench, left) => void bench.machine.run(Math.min(left, 997)));
    expect(whole.pc).toBe(0x20000);
    const once = run((bench) => void bench.machine.run(1));
    const steps = run((bench) => void bench.machine.step(bench.cpu, true));
    expect([once, steps]).toEqual([{ ...once, pc: 0x20000 }, once]);
    // A slice can end after the interrupt.
    expect(whole.icount - once.icount).toBeGreaterThanOrEqual(0);
    expect(whole.icount - once.icount).toBeLessThan(997);
  });

  test('a copy of the machine has the alarm', () => {
    const bench = waiting(3277);
    bench.machine.run(1);
    const copy = bench.machine.save();
    bench.machine.reset();
    bench.machine.restore(copy);
    bench.run(10);
    expect(bench.host(CSR.ESTAT)).toBe(4n);
  });

  test('a machine that waits for an alarm that cannot come is known to', () => {
    const bench = new TestMachine({ code: ['idle 0', 'b -4'] });
    bench.machine.bus.write(BASE + CONTROL, 4, EO | RTC | TOY, 0);
    expect(bench.machine.run(100)).toBe('waiting');
  });
});
