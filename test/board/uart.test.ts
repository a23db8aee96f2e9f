/** The UART by its data sheet (PC16550D): interrupts and their order, FIFO, time-out, loopback, modem, latches. */
import { beforeEach, describe, expect, test } from 'vitest';
import { Omissions } from '../../src/emu/devices/omissions.ts';
import { Uart16550 } from '../../src/emu/devices/uart16550.ts';
import { restoreFields, saveFields } from '../../src/emu/state/fields.ts';
import { TestMachine } from '../support/test-machine.ts';

const [DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 3, 4, 5, 6, 7];
const FCR = IIR;
const LOOP = 0x10;
const [READY, OVERRUN] = [1, 2];

let ticks: number;
let lines: boolean[];
let sent: number[];
let said: string[];
let sooner: number;
let uart: Uart16550;

beforeEach(() => {
  ticks = 0;
  lines = [];
  sent = [];
  said = [];
  sooner = 0;
  const omissions = new Omissions();
  omissions.listener = (line) => said.push(line);
  const time = { ticks: () => ticks, timeOfDay: () => 0, sooner: () => void sooner++ };
  uart = new Uart16550('uart0', (level) => lines.push(level), { send: (b) => sent.push(b) }, time, omissions);
});

const get = (at: number): number => uart.read(at, 1);
const put = (at: number, value: number): void => uart.write(at, 1, value);
/** What the line has said since the last call. */
const line = (): boolean[] => lines.splice(0);
const bytes = (n: number): number[] => Array.from({ length: n }, (_, k) => k + 1);
/** Time passes as the machine lets it. */
function wait(n: number): void {
  ticks += n;
  if (uart.deadline <= ticks) uart.expire();
}

describe('interrupts', () => {
  test('the highest is shown first, and each goes by its own access', () => {
    put(FCR, 1);
    put(MCR, LOOP);
    get(MSR);
    put(IER, 0xf);
    for (const b of bytes(17)) put(DATA, b);
    put(MCR, LOOP | 1);
    expect(get(IIR)).toBe(0xc6);
    expect(get(LSR) & OVERRUN).toBe(OVERRUN);
    expect(get(IIR)).toBe(0xc4);
    for (const b of bytes(16)) expect(get(DATA)).toBe(b);
    expect(get(IIR)).toBe(0xc2);
    expect(get(IIR)).toBe(0xc0);
    expect(get(MSR) & 0xf).toBe(2);
    expect(get(IIR)).toBe(0xc1);
  });

  test('a byte takes the transmitter’s interrupt away, and it comes again: two edges', () => {
    put(IER, 2);
    expect(line()).toEqual([true]);
    put(DATA, 65);
    expect([line(), sent]).toEqual([[false, true], [65]]);
    expect([get(IIR), line()]).toEqual([2, [false]]);
    expect(get(IIR)).toBe(1);
  });

  test('the transmitter’s interrupt comes at once when it is enabled, and again when it is enabled again', () => {
    put(IER, 2);
    get(IIR);
    put(IER, 2);
    expect(get(IIR)).toBe(1);
    put(IER, 0);
    put(IER, 2);
    expect(get(IIR)).toBe(2);
  });

  test('each change of the interrupts raises the line again, also where it is high', () => {
    put(IER, 3);
    line();
    uart.receive([65]);
    expect(line()).toEqual([true]);
    get(DATA);
    expect(line()).toEqual([true]);
  });

  test('registers that have nothing to do with interrupts leave the line alone', () => {
    put(IER, 2);
    line();
    put(SCR, 1);
    put(LCR, 3);
    get(LSR);
    get(MSR);
    get(SCR);
    expect(line()).toEqual([]);
  });
});

describe('the receiver', () => {
  test.each([
    [0x01, 1],
    [0x41, 4],
    [0x81, 8],
    [0xc1, 14],
  ])('FCR 0x%s: the interrupt comes with byte %i and goes below it', (fcr, level) => {
    put(FCR, fcr);
    put(IER, 1);
    for (const b of bytes(level - 1)) uart.receive([b]);
    expect(get(IIR)).toBe(0xc1);
    expect(get(LSR) & READY).toBe(level > 1 ? READY : 0);
    uart.receive([99]);
    expect(get(IIR)).toBe(0xc4);
    get(DATA);
    expect(get(IIR)).toBe(0xc1);
  });

  test('a character time-out: four characters without an arrival and without a read', () => {
    put(LCR, 0x83);
    put(DATA, 10);
    put(LCR, 3);
    // Ten bits of 16 · 10 ticks.
    const four = 4 * 10 * 160;
    put(FCR, 0xc1);
    put(IER, 1);
    uart.receive([1, 2, 3]);
    expect([uart.deadline, sooner]).toEqual([four, 1]);
    wait(four - 1);
    uart.receive([4]);
    wait(four - 1);
    expect(get(IIR)).toBe(0xc1);
    wait(1);
    expect(get(IIR)).toBe(0xcc);
    expect(get(DATA)).toBe(1);
    expect(get(IIR)).toBe(0xc1);
    wait(four);
    expect(get(IIR)).toBe(0xcc);
    for (const b of [2, 3, 4]) expect(get(DATA)).toBe(b);
    wait(four);
    expect([get(IIR), uart.deadline]).toEqual([0xc1, Number.POSITIVE_INFINITY]);
  });

  test('the time-out counts parity and stop bits, and the rate that firmware leaves', () => {
    put(FCR, 0xc1);
    put(LCR, 0x0c);
    uart.receive([1]);
    // 1 + 5 + 1 + 2 bits at 115200 baud.
    expect(uart.deadline).toBe(4 * 9 * 16 * 54);
  });

  test('without FIFOs there is one byte, no level and no time-out', () => {
    put(IER, 1);
    put(FCR, 0xc0);
    uart.receive([1, 2]);
    expect([get(IIR), uart.deadline, uart.backlog > 0]).toEqual([4, Number.POSITIVE_INFINITY, true]);
    expect([get(DATA), get(DATA), get(LSR) & READY]).toEqual([1, 2, 0]);
  });

  test('FCR: resets empty the FIFO; so does its switch; other bits need the enable bit', () => {
    put(MCR, LOOP);
    put(FCR, 1);
    for (const b of bytes(5)) put(DATA, b);
    put(FCR, 0x82);
    expect([get(LSR) & READY, get(IIR) & 0xc0]).toEqual([0, 0]);
    put(FCR, 1);
    put(DATA, 1);
    put(FCR, 3);
    expect([get(LSR) & READY, get(IIR) & 0xc0]).toEqual([0, 0xc0]);
    put(FCR, 0x81);
    put(DATA, 1);
    put(FCR, 5);
    expect(get(LSR) & READY).toBe(READY);
  });
});

describe('loopback', () => {
  test('17 bytes overrun a FIFO of 16, which keeps the first ones', () => {
    put(FCR, 1);
    put(MCR, LOOP);
    for (const b of bytes(17)) put(DATA, b);
    expect([get(LSR) & 3, get(LSR) & 3]).toEqual([3, 1]);
    expect(bytes(16).map(() => get(DATA))).toEqual(bytes(16));
    expect([get(LSR) & READY, sent]).toEqual([0, []]);
  });

  test('without FIFOs the second byte replaces the first', () => {
    put(MCR, LOOP);
    put(DATA, 1);
    put(DATA, 2);
    expect([get(LSR) & 3, get(DATA), get(LSR) & 3]).toEqual([3, 2, 0]);
  });

  test('nothing comes in from outside until it ends', () => {
    put(FCR, 1);
    put(MCR, LOOP);
    uart.receive([7]);
    expect(get(LSR) & READY).toBe(0);
    put(MCR, 0);
    expect(get(DATA)).toBe(7);
  });

  test('the modem’s outputs are its inputs, and changes are noted until MSR is read', () => {
    expect(get(MSR)).toBe(0xb0);
    put(MCR, LOOP);
    expect([get(MSR), get(MSR)]).toEqual([0x0b, 0]);
    put(MCR, LOOP | 0xf);
    // RI that begins is no change.
    expect([get(MSR), get(MSR)]).toEqual([0xfb, 0xf0]);
    put(MCR, LOOP | 0xb);
    expect([get(MSR), get(MSR)]).toEqual([0xb4, 0xb0]);
    put(IER, 8);
    put(MCR, LOOP | 0x9);
    expect([get(IIR), line().at(-1)]).toEqual([0, true]);
    get(MSR);
    expect([get(IIR), line().at(-1)]).toEqual([1, false]);
  });
});

describe('the rest', () => {
  test('a break holds the line: bytes are lost', () => {
    put(LCR, 0x43);
    put(DATA, 65);
    put(LCR, 3);
    put(DATA, 66);
    expect([sent, said]).toEqual([[66], ['uart0: a break is not passed on']]);
  });

  test('what it leaves out it says, once', () => {
    put(LSR, 0xff);
    put(MSR, 0xff);
    put(FCR, 9);
    put(FCR, 9);
    expect(said).toEqual([
      'uart0: LSR and MSR are written in factory tests only (0xff)',
      'uart0: there are no DMA requests',
    ]);
  });

  test('a wide access reaches one register', () => {
    const bench = new TestMachine();
    const { bus } = bench.machine;
    bus.write(0x1fe001e0, 8, 0x41, -1);
    bus.write(0x1fe001e0 + 7, 1, 0x5a, 0);
    bus.read(0x1fe001e0 + 4, 4);
    const mcr = [bus.lo, bus.hi];
    bus.read(0x1fe001e0, 8);
    expect([bench.output, mcr, bus.hi]).toEqual([[0x41], [0, 0], 0]);
  });

  test('a time-out that runs is part of a copy', () => {
    put(FCR, 0xc1);
    put(IER, 1);
    uart.receive([1]);
    const copy = saveFields(uart);
    const due = uart.deadline;
    uart.reset();
    restoreFields(uart, copy);
    wait(due);
    expect(get(IIR)).toBe(0xcc);
  });
});

test('a key reaches a driver that has asked for eight, after four characters', () => {
  const bench = new TestMachine({ code: ['idle 0', 'b -4'] });
  const { bus } = bench.machine;
  const UART = 0x1fe001e0;
  bus.write(UART + FCR, 1, 0x81, 0);
  bus.write(UART + IER, 1, 1, 0);
  bus.write(0x10000020, 4, ~4, 0);
  bench.machine.iocsr.write(0, 0x1600, 4, 4, 0);
  bench.setHost({ ECFG: 4 });
  expect(bench.machine.run(1000)).toBe('waiting');
  bench.machine.consoleInput(Uint8Array.of(65));
  const before = bench.machine.time;
  bench.machine.run(1000);
  bus.read(UART + IIR, 1);
  expect(bus.lo).toBe(0xcc);
  expect(bench.machine.time - before).toBeGreaterThan(4 * 7 * 16 * 54);
});
