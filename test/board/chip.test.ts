/** The IOCSR space and the chip's registers by address: widths, blocks of cores, and how a CPU starts. */
import { describe, expect, test } from 'vitest';
import type { BoardModel } from '../../src/emu/board/platform.ts';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { Ipi } from '../../src/emu/devices/ipi.ts';
import { TestMachine } from '../support/test-machine.ts';

const [STATUS, ENABLE, SET, CLEAR, MAIL, SEND, MAIL_SEND, ANY_SEND] = [
  ...[0x1000, 0x1004, 0x1008, 0x100c, 0x1020, 0x1040, 0x1048, 0x1158],
] as const;
const WINDOW = 0x1fe00000;
const NODE = 2 ** 44;

/** A board with a hand on the registers of each CPU. */
class Rig {
  readonly bench: TestMachine;

  constructor(cpus: number, board: BoardModel = 'virt') {
    this.bench = new TestMachine({ cpus, board });
  }

  put(address: number, size: number, value: bigint, cpu = 0): void {
    const [lo, hi] = [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
    this.bench.machine.iocsr.write(cpu, address, size, lo, hi);
  }

  get(address: number, size: number, cpu = 0): bigint {
    const { iocsr } = this.bench.machine;
    iocsr.read(cpu, address, size);
    const v = (BigInt(iocsr.hi >>> 0) << 32n) | BigInt(iocsr.lo >>> 0);
    return v & ((1n << BigInt(8 * size)) - 1n);
  }

  /** By address, as CPU 0. */
  store(pa: number, size: number, value: bigint): void {
    const { bus } = this.bench.machine;
    bus.master = 0;
    const [lo, hi] = [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
    expect(bus.write(pa, size, lo, hi)).toBe(true);
  }

  load(pa: number, size: number): bigint {
    const { bus } = this.bench.machine;
    bus.master = 0;
    expect(bus.read(pa, size)).toBe(true);
    const v = (BigInt(bus.hi >>> 0) << 32n) | BigInt(bus.lo >>> 0);
    return v & ((1n << BigInt(8 * size)) - 1n);
  }

  waits(cpu: number): boolean {
    return this.bench.machine.cpus[cpu]!.parked;
  }

  pc(cpu: number): bigint {
    return this.bench.machine.cpus[cpu]!.pc;
  }
}

describe('IOCSR accesses of any width', () => {
  test('an access that is not aligned covers its bytes', () => {
    const rig = new Rig(1);
    rig.put(MAIL, 8, 0x1122334455667788n);
    rig.put(MAIL + 8, 8, 0n);
    rig.put(MAIL + 3, 4, 0xaabbccddn);
    expect(rig.get(MAIL, 8)).toBe(0x11aabbccdd667788n);
    rig.put(MAIL + 5, 8, 0x0102030405060708n);
    expect([rig.get(MAIL, 8), rig.get(MAIL + 8, 8)]).toEqual([0x060708ccdd667788n, 0x0102030405n]);
    expect([rig.get(MAIL + 5, 8), rig.get(MAIL + 7, 2)]).toEqual([0x0102030405060708n, 0x0506n]);
  });

  test('a narrow store to SET and CLEAR is about its own bits', () => {
    const rig = new Rig(1);
    rig.put(SET + 1, 1, 0x81n);
    rig.put(SET + 2, 2, 0x8001n);
    expect(rig.get(STATUS, 4)).toBe(0x80018100n);
    rig.put(CLEAR + 3, 1, 0x80n);
    expect(rig.get(STATUS, 4)).toBe(0x00018100n);
  });

  test('a half-word store to IPI_SEND is one command', () => {
    const rig = new Rig(1);
    rig.put(SEND, 2, 0x0105n);
    expect(rig.get(STATUS, 4)).toBe(1n << 5n);
  });

  test('MAIL_SEND and ANY_SEND take 64 bits in one store; a mask bit keeps a byte, and nothing else is written', () => {
    const rig = new Rig(2);
    rig.put(MAIL_SEND, 4, 1n << 16n);
    rig.put(MAIL_SEND + 4, 4, 0xffffffffn);
    expect(rig.get(MAIL, 8, 1)).toBe(0n);
    rig.put(ANY_SEND, 8, (0xffffffffn << 32n) | (0xen << 27n) | (1n << 16n) | 0x1c00n);
    expect(rig.get(0x1c00, 8)).toBe(0xffn);
    // Three bytes of SET that are kept are not set.
    rig.put(ANY_SEND, 8, (0xffffffffn << 32n) | (0xdn << 27n) | (1n << 16n) | BigInt(SET));
    expect(rig.get(STATUS, 4, 1)).toBe(0xff00n);
  });

  test('by address they are the same, in one step', () => {
    const rig = new Rig(2, 'ls3a5000');
    rig.store(WINDOW + MAIL, 8, 0x1122334455667788n);
    rig.store(WINDOW + MAIL + 1, 1, 0xabn);
    rig.store(WINDOW + MAIL + 6, 2, 0xcdefn);
    expect([rig.load(WINDOW + MAIL, 8), rig.load(WINDOW + MAIL + 6, 2)]).toEqual([0xcdef33445566ab88n, 0xcdefn]);
    rig.store(WINDOW + MAIL_SEND, 8, (0x1234n << 32n) | (1n << 16n));
    expect(rig.get(MAIL, 8, 1)).toBe(0x1234n);
    rig.store(WINDOW + 0x181, 1, 0x12n);
    expect([rig.load(WINDOW + 0x180, 8), rig.get(0x180, 4)]).toEqual([0x3d000f00bb0012e0n, 0xbb0012e0n]);
  });
});

describe('registers of each core by address', () => {
  const CPUS = 6;
  const rig = new Rig(CPUS, 'ls3a5000');
  const block = (cpu: number): number => Math.floor(cpu / 4) * NODE + WINDOW + 0x100 * (cpu % 4);

  test.each(Array.from({ length: CPUS }, (_, n) => n))('core %i', (cpu) => {
    const others = Array.from({ length: CPUS }, (_, n) => n).filter((n) => n !== cpu);
    const at = block(cpu);
    for (const n of others) rig.put(CLEAR, 4, 0xffffffffn, n);
    rig.store(at + ENABLE, 4, 0xffffffffn);
    rig.store(at + SET, 4, BigInt(2 + cpu));
    expect([rig.load(at + STATUS, 4), rig.get(STATUS, 4, cpu)]).toEqual([BigInt(2 + cpu), BigInt(2 + cpu)]);
    for (const n of others) expect(rig.load(block(n) + STATUS, 4)).toBe(0n);
    expect(rig.bench.machine.cpus[cpu]!.host.get(CSR.ESTAT)).toBe(0x1000n);
    rig.store(at + CLEAR, 4, 0xffn);
    expect(rig.bench.machine.cpus[cpu]!.host.get(CSR.ESTAT)).toBe(0n);
    rig.store(at + MAIL + 8, 8, 0x1234567812345678n + BigInt(cpu));
    expect(rig.get(MAIL + 8, 8, cpu)).toBe(0x1234567812345678n + BigInt(cpu));
    for (const n of others) expect(rig.get(MAIL + 8, 8, n)).not.toBe(0x1234567812345678n + BigInt(cpu));
  });

  test('the interrupt status of each core', () => {
    rig.put(0x1600, 8, 0xffn);
    for (const cpu of [1, 3]) {
      rig.put(0x1c00 + cpu, 1, BigInt(1 << cpu));
      rig.put(0x1140, 4, BigInt(cpu));
      expect(rig.load(WINDOW + 0x1800 + 0x100 * cpu, 8)).toBe(BigInt(1 << cpu));
    }
    expect(rig.load(WINDOW + 0x1800, 8)).toBe(0n);
    rig.store(WINDOW + 0x1900, 1, 2n);
    expect([rig.load(WINDOW + 0x1900, 8), rig.load(WINDOW + 0x1b00, 8)]).toEqual([0n, 8n]);
  });

  test('a core that is not there reads 0 and takes nothing', () => {
    rig.store(NODE + WINDOW + 0x1320, 8, 5n);
    expect(rig.load(NODE + WINDOW + 0x1320, 8)).toBe(0n);
  });
});

describe('a CPU that waits in firmware', () => {
  const ENTRY = 0x1234_5678_9abc_def0n;

  test('starts by an interrupt, and not by its mailbox alone', () => {
    const rig = new Rig(2);
    rig.put(MAIL_SEND, 8, ((ENTRY >> 32n) << 32n) | (1n << 16n) | (1n << 2n));
    rig.put(MAIL_SEND, 8, ((ENTRY & 0xffffffffn) << 32n) | (1n << 16n));
    expect(rig.waits(1)).toBe(true);
    rig.put(SEND, 4, (1n << 16n) | 0n);
    expect([rig.waits(1), rig.pc(1)]).toEqual([false, ENTRY]);
    // Firmware has cleared the interrupt, and has left them enabled.
    expect([rig.get(STATUS, 4, 1), rig.get(ENABLE, 4, 1)]).toEqual([0n, 0xffffffffn]);
  });

  test('an interrupt before the mail: it starts when the low half comes, and a 64-bit store brings both', () => {
    const rig = new Rig(2, 'ls3a5000');
    rig.store(WINDOW + 0x1108, 4, 1n);
    rig.store(WINDOW + 0x1124, 4, ENTRY >> 32n);
    expect(rig.waits(1)).toBe(true);
    rig.store(WINDOW + 0x1120, 8, ENTRY);
    expect([rig.waits(1), rig.pc(1)]).toEqual([false, ENTRY]);
  });

  test('an interrupt that it does not let through starts nothing', () => {
    const rig = new Rig(2);
    rig.put(ENABLE, 4, 2n, 1);
    rig.put(MAIL, 8, ENTRY, 1);
    rig.put(SEND, 4, 1n << 16n);
    expect(rig.waits(1)).toBe(true);
    rig.put(SEND, 4, (1n << 16n) | 1n);
    expect(rig.waits(1)).toBe(false);
  });

  test('a board that was not reset is in its power-on state: firmware waits', () => {
    const started: number[] = [];
    const ipi = new Ipi(2, () => {});
    ipi.onSignal = (cpu) => started.push(cpu) > 0;
    ipi.write(1, MAIL, 0x1000, -1);
    ipi.write(0, SEND, 1 << 16, -1);
    expect([started, ipi.read(1, STATUS)]).toEqual([[1], 0]);
  });

  test('interrupts of a CPU that runs stay, whatever its mailbox holds', () => {
    const rig = new Rig(2);
    rig.put(ENABLE, 4, 0xffffffffn);
    rig.put(MAIL, 8, ENTRY);
    rig.put(SET, 4, 4n);
    expect([rig.get(STATUS, 4), rig.pc(0)]).toEqual([4n, BigInt(rig.bench.pc)]);
  });

  test('as hvisor does it on a 3A5000: enable, mailbox and interrupt by the core’s address', () => {
    const rig = new Rig(4, 'ls3a5000');
    for (const cpu of [1, 2, 3]) {
      const at = WINDOW + 0x100 * cpu;
      rig.store(at + ENABLE, 4, 0xffffffffn);
      rig.store(at + MAIL, 8, 0x1f0000000n);
      expect(rig.waits(cpu)).toBe(true);
      rig.store(at + SET, 4, 1n);
      expect([rig.waits(cpu), rig.pc(cpu)]).toEqual([false, 0x1f0000000n]);
    }
  });
});
