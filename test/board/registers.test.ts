/** Each declared register of the board's devices answers as declared, after a reset, to stores, and to narrow stores. */
import { describe, expect, test } from 'vitest';
import { DEVICES } from '../../src/emu/board/platform.ts';
import { CHIP_TABLES, DEVICE_TABLES, IOCSR_TABLES } from '../../src/emu/board/register-tables.ts';
import { type RegisterDeclaration, resetOf } from '../../src/emu/devices/register-table.ts';
import { TestMachine } from '../support/test-machine.ts';

/** A way to registers: reads and writes of 1, 2, 4 or 8 bytes. */
interface Access {
  get(offset: number, size: number): bigint;
  put(offset: number, size: number, value: bigint): void;
  /** Power-on. */
  reset(): void;
}

const ones = (bytes: number): bigint => (1n << BigInt(8 * bytes)) - 1n;
const half = (v: bigint, n: 0 | 1): number => Number(BigInt.asIntN(32, v >> BigInt(32 * n)));
const joined = (size: number, lo: number, hi: number): bigint =>
  ((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)) & ones(size);

/** The IOCSR space of CPU 0. */
function iocsr(board: 'virt' | 'ls3a5000'): Access {
  const { machine } = new TestMachine({ board });
  const { iocsr: space } = machine;
  return {
    reset: () => machine.reset(),
    get: (offset, size) => {
      space.read(0, offset, size);
      return joined(size, space.lo, space.hi);
    },
    put: (offset, size, value) => space.write(0, offset, size, half(value, 0), half(value, 1)),
  };
}

function device(base: number): Access {
  const { machine } = new TestMachine();
  const { bus } = machine;
  return {
    reset: () => machine.reset(),
    get: (offset, size) => {
      expect(bus.read(base + offset, size)).toBe(true);
      return joined(size, bus.lo, bus.hi);
    },
    put: (offset, size, value) => {
      expect(bus.write(base + offset, size, half(value, 0), half(value, 1))).toBe(true);
    },
  };
}

const LCR = 3;
const DLAB = 0x80n;

/** Opens the divisor latch for registers that are behind it. */
function open(r: RegisterDeclaration, at: Access): void {
  if (r.when === 'DLAB = 1') at.put(LCR, 1, DLAB);
}

/** Of registers that are more than this, three are looked at. */
const MANY = 32;

/** Devices that take stores of the whole register only. */
const WHOLE_ONLY = ['rtc'];

function check(r: RegisterDeclaration, at: Access, narrow: boolean): void {
  const { width } = r;
  const places = Array.from({ length: r.count ?? 1 }, (_, n) => r.offset + n * width);
  at.reset();
  open(r, at);
  if (r.access !== 'wo') expect(at.get(r.offset, width), 'after a reset').toBe(resetOf(r));
  const neighbours = places.map((p) => at.get(p, width));
  for (const place of places.length > MANY ? [places[0]!, places[7]!, places.at(-1)!] : places) {
    at.reset();
    open(r, at);
    const before = at.get(place, width);
    if (r.access === 'wo') {
      if (r.when === undefined) expect(before, 'reads 0').toBe(r.name === 'FCR' ? 1n : 0n);
      continue;
    }
    if (r.access !== 'rw') {
      if (r.live) continue;
      at.put(place, width, ones(width));
      expect(at.get(place, width), 'a store changes nothing').toBe(before);
      continue;
    }
    if (r.live && r.name !== 'HTMSI_VECTOR') continue;
    const bits = BigInt(r.bits ?? ones(width));
    const pattern = 0xa5c3_9669_5a3c_f00fn & ones(width);
    const kept = (value: bigint): bigint => (before & ~bits) | (value & bits);
    at.put(place, width, pattern);
    expect(at.get(place, width), 'keeps what is written').toBe(kept(pattern));
    const now = places.map((p) => at.get(p, width));
    const want = places.map((p, n) => (p === place ? kept(pattern) : neighbours[n]!));
    if (r.when === undefined) expect(now, 'its neighbours stay').toEqual(want);
    if (!narrow) continue;
    for (let size = 1; size < width; size *= 2)
      for (let k = 0; k < width; k += size) {
        at.put(place, width, pattern);
        at.put(place + k, size, 0x3c3c_3c3cn & ones(size));
        const mask = ones(size) << BigInt(8 * k);
        const merged = kept((pattern & ~mask) | (0x3c3c_3c3c_3c3c_3c3cn & mask));
        expect(at.get(place, width), `a store of ${size} at byte ${k}`).toBe(merged);
        expect(at.get(place + k, size), `a load of ${size} at byte ${k}`).toBe((merged >> BigInt(8 * k)) & ones(size));
      }
  }
}

const named = (list: readonly RegisterDeclaration[]): [string, RegisterDeclaration][] => list.map((r) => [r.name, r]);

const [virt, chip] = [iocsr('virt'), iocsr('ls3a5000')];

describe.each(IOCSR_TABLES.map((t) => [t.device, t] as const))('%s', (_, table) => {
  test.each(named(table.registers))('%s', (_name, r) => {
    check(r, virt, true);
    check(r, chip, true);
  });
});

describe.each(CHIP_TABLES.map((t) => [t.device, t] as const))('%s', (_, table) => {
  test.each(named(table.registers))('%s', (_name, r) => check(r, chip, true));
});

describe.each(DEVICE_TABLES.map((t) => [t.device, t] as const))('%s', (name, table) => {
  const { base } = DEVICES.find((d) => d.name === name.split(' ')[0])!;
  const at = device(base);
  // Firmware's answer is that of a file.
  const list = table.registers.filter((r) => r.name !== 'DATA');
  test.each(named(list))('%s', (_name, r) => check(r, at, !WHOLE_ONLY.includes(name)));
});

test('declared registers of a device do not overlap, but for those with a condition and those that are read or written only', () => {
  for (const { device: name, registers } of [...IOCSR_TABLES, ...CHIP_TABLES, ...DEVICE_TABLES]) {
    const plain = registers.filter((r) => r.when === undefined && r.access !== 'wo');
    const sorted = [...plain].sort((a, b) => a.offset - b.offset);
    sorted.slice(1).forEach((r, n) => {
      const before = sorted[n]!;
      expect(r.offset, `${name} ${r.name}`).toBeGreaterThanOrEqual(before.offset + before.width * (before.count ?? 1));
    });
  }
});
