/** The Serial ATA controller under drivers that break rules, its interrupts, its limits, and its state. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nodeRuntime } from '../../src/cli/node-runtime.ts';
import { featuresOf } from '../../src/emu/cpu/features.ts';
import { AHCI_REGISTERS, PORT_BASE, PORT_BYTES } from '../../src/emu/devices/ahci/registers.ts';
import type { Width } from '../../src/emu/devices/device.ts';
import type { Disk } from '../../src/emu/devices/virtio/block.ts';
import { Machine } from '../../src/emu/machine/machine.ts';
import { PLATFORM } from '../../src/emu/memory/physical-map.ts';
import { MemoryDisk } from '../support/board-programs.ts';

const CONFIG = PLATFORM.ecam.base + 0x8000;
const HBA = PLATFORM.pciMemory.base;
const RAM = 32 << 20;
const AT = { list: 0x10000, received: 0x11000, table: 0x12000, data: 0x100000 } as const;
const PORT = {
  is: 0x10,
  ie: 0x14,
  cmd: 0x18,
  tfd: 0x20,
  sig: 0x24,
  ssts: 0x28,
  sctl: 0x2c,
  serr: 0x30,
  sact: 0x34,
  ci: 0x38,
} as const;
const TASK_FILE = 2 ** 30;
const HOST_BUS_FATAL = 2 ** 29;
const INTERFACE_FATAL = 2 ** 27;
const OVERFLOW = 2 ** 24;
const SECTORS = 64;

interface Frame {
  readonly command?: number;
  readonly sector?: number;
  readonly count?: number;
  readonly features?: number;
  readonly device?: number;
  readonly type?: number;
}

/** A controller in slot 1 with a disk on port 0, and a driver's hands on it. */
class Rig {
  readonly machine: Machine;
  readonly disk: Disk;

  constructor(disk: Disk = new MemoryDisk(SECTORS)) {
    this.disk = disk;
    this.machine = new Machine({
      runtime: nodeRuntime,
      ramSize: RAM,
      cpus: 1,
      features: featuresOf('max'),
      seed: 1,
      console: () => {},
      cards: [{ ahci: [{ disk, serial: 'S' }] }],
    });
    const data = new Uint8Array(4);
    const image = { entry: 0x8000n, segments: [{ paddr: 0x8000n, vaddr: 0x8000n, memsz: 4, data }] };
    this.machine.load({ image, commandLine: '', extra: [] });
    this.put(CONFIG + 0x24, HBA);
    this.put(CONFIG + 4, 6, 2);
    this.port(0, AT.list);
    this.port(8, AT.received);
    this.port(PORT.cmd, 0x11);
    this.port(PORT.serr, 0xffffffff);
  }

  put(pa: number, value: number, width: Width = 4): void {
    this.machine.bus.write(pa, width, value | 0, 0);
  }

  get(pa: number, width: Width = 4): number {
    this.machine.bus.read(pa, width);
    return this.machine.bus.lo >>> 0;
  }

  /** A register of port 0. */
  port(register: number, value?: number): number {
    if (value !== undefined) this.put(HBA + PORT_BASE + register, value);
    return this.get(HBA + PORT_BASE + register);
  }

  /** Prepares a command, without starting it. */
  prepare(
    slot: number,
    frame: Frame,
    regions: readonly (readonly [pa: number, bytes: number, flags?: number])[],
  ): void {
    const { command = 0, sector = 0, count = 0, features = 0, device = 0x40, type = 0x27 } = frame;
    const table = AT.table + 0x1000 * slot;
    const view = new DataView(new ArrayBuffer(0x80 + 16 * regions.length));
    for (const [at, byte] of [
      type,
      0x80,
      command,
      features,
      sector,
      sector >> 8,
      0,
      device,
      0,
      0,
      0,
      features >> 8,
    ].entries())
      view.setUint8(at, byte & 0xff);
    view.setUint16(12, count, true);
    for (const [n, [pa, bytes, flags = 0]] of regions.entries()) {
      view.setBigUint64(0x80 + 16 * n, BigInt(pa), true);
      view.setUint32(0x80 + 16 * n + 12, (bytes - 1 + flags) >>> 0, true);
    }
    const header = new DataView(new ArrayBuffer(32));
    header.setUint32(0, 5 | (regions.length << 16), true);
    header.setUint32(8, table, true);
    this.machine.ram.write(table, new Uint8Array(view.buffer));
    this.machine.ram.write(AT.list + 32 * slot, new Uint8Array(header.buffer));
  }

  /** @returns the port's interrupts after the command */
  run(
    slot: number,
    frame: Frame,
    regions: readonly (readonly [pa: number, bytes: number, flags?: number])[] = [],
  ): number {
    this.prepare(slot, frame, regions);
    this.port(PORT.is, 0xffffffff);
    this.port(PORT.ci, 2 ** slot);
    this.machine.settle();
    return this.port(PORT.is);
  }

  /** Bytes that the command has moved. */
  moved(slot: number): number {
    return new DataView(this.machine.ram.read(AT.list + 32 * slot + 4, 4).slice().buffer).getUint32(0, true);
  }

  restart(): void {
    this.port(PORT.cmd, 0x10);
    this.port(PORT.cmd, 0x11);
  }
}

const READ = 0x25;
const WRITE = 0x35;

describe('registers', () => {
  test('each has the value of its declaration after power-on, and only the bits that it names can be written', () => {
    const rig = new Rig();
    rig.put(HBA + 4, 1);
    AHCI_REGISTERS.forEach(({ registers }, n) => {
      for (const r of registers) {
        const at = HBA + n * (PORT_BASE + PORT_BYTES) + r.offset; // port 1, which has no disk
        if (typeof r.reset === 'number') expect(rig.get(at), r.name).toBe(r.reset);
        if (r.access !== 'rw' || r.name === 'GHC') continue;
        const before = rig.get(at);
        rig.put(at, 0xffffffff);
        const own = r.name === 'PxCMD' ? 0xc000 : 0; // the running bits follow
        expect((rig.get(at) & ~own) >>> 0, r.name).toBe((before | Number(r.bits ?? 0xffffffff)) >>> 0);
        rig.put(at, 0);
      }
    });
  });

  test('a narrow write changes its bytes alone', () => {
    const rig = new Rig();
    rig.port(PORT.ie, 0x7d000000);
    rig.put(HBA + PORT_BASE + PORT.ie, 0x0f, 1);
    expect(rig.port(PORT.ie)).toBe(0x7d00000f);
    expect([rig.get(HBA + 0x10, 2), rig.get(HBA + 0x12, 1), rig.get(HBA + 1, 1)]).toEqual([0, 1, 0x1f]);
    rig.put(HBA + 4, 1);
    // COMRESET's trace in PxSERR stays when another byte is written.
    rig.put(HBA + PORT_BASE + PORT.serr, 0xff, 1);
    expect(rig.port(PORT.serr) >>> 26).toBe(1);
  });

  test('PxCI takes no command before the list is started, and no master means no command', () => {
    const rig = new Rig();
    rig.port(PORT.cmd, 0x10);
    rig.prepare(0, { command: READ, count: 1 }, [[AT.data, 512]]);
    rig.port(PORT.ci, 1);
    expect(rig.port(PORT.ci)).toBe(0);
    rig.put(CONFIG + 4, 2, 2);
    rig.port(PORT.cmd, 0x11);
    rig.port(PORT.ci, 1);
    expect(rig.port(PORT.ci)).toBe(1);
    rig.put(CONFIG + 4, 6, 2);
    expect([rig.port(PORT.ci), rig.moved(0)]).toEqual([0, 512]);
  });

  test('the signature waits until frames are received; COMRESET brings it again, and says that a device has come', () => {
    const rig = new Rig();
    rig.put(HBA + 4, 1);
    expect([rig.port(PORT.sig), rig.port(PORT.tfd)]).toEqual([0xffffffff, 0x7f]);
    rig.port(PORT.cmd, 0x10);
    expect([rig.port(PORT.sig), rig.port(PORT.tfd)]).toEqual([0x101, 0x150]);
    rig.port(PORT.serr, 0xffffffff);
    expect(rig.port(PORT.is) & 0x40).toBe(0);
    rig.port(PORT.sctl, 1);
    expect([rig.port(PORT.ssts), rig.port(PORT.tfd)]).toEqual([0, 0x7f]);
    rig.port(PORT.sctl, 0);
    expect([rig.port(PORT.ssts), rig.port(PORT.sig), rig.port(PORT.is) & 0x40]).toEqual([0x113, 0x101, 0x40]);
    rig.port(PORT.sctl, 4);
    expect(rig.port(PORT.ssts)).toBe(4);
  });
});

describe('interrupts', () => {
  test('by pin: a level while IS has a bit; by message: one for each new bit', () => {
    const rig = new Rig();
    const pin = (): number => (rig.get(CONFIG + 6, 2) >> 3) & 1;
    rig.port(PORT.ie, 1);
    rig.run(0, { command: READ, count: 1 }, [[AT.data, 512]]);
    expect([rig.get(HBA + 8), pin()]).toEqual([1, 0]);
    rig.put(HBA + 4, 2);
    expect(pin()).toBe(1);
    // PxIS first, then IS.
    rig.put(HBA + 8, 1);
    expect(pin()).toBe(1);
    rig.port(PORT.is, 0xffffffff);
    rig.put(HBA + 8, 1);
    expect(pin()).toBe(0);

    const vector = 0x50;
    rig.put(CONFIG + 0x84, PLATFORM.msi.base);
    rig.put(CONFIG + 0x8c, vector, 2);
    rig.put(CONFIG + 0x82, 1, 2);
    const { iocsr } = rig.machine;
    iocsr.write(0, 0x1600 + (vector >> 3), 1, 1 << (vector & 7), 0);
    /** Has the interrupt controller had a message since the last look? */
    const told = (): boolean => {
      iocsr.read(0, 0x1800 + (vector >> 3), 1);
      const latched = (iocsr.lo >> (vector & 7)) & 1;
      iocsr.write(0, 0x1800 + (vector >> 3), 1, 1 << (vector & 7), 0);
      return latched === 1;
    };
    expect(told()).toBe(false);
    rig.run(0, { command: READ, count: 1 }, [[AT.data, 512]]);
    expect([rig.get(HBA + 8), pin(), told()]).toEqual([1, 0, true]);
    // Nothing new, no message; software has looked, and there is something again.
    rig.run(1, { command: READ, count: 1 }, [[AT.data, 512]]);
    expect(told()).toBe(false);
    rig.put(HBA + 8, 1);
    expect(told()).toBe(true);
  });

  test('a region that asks for one', () => {
    const rig = new Rig();
    expect(rig.run(0, { command: READ, count: 1 }, [[AT.data, 512, 2 ** 31]])).toBe(0x21);
  });
});

describe('errors', () => {
  test.each([
    ['a region outside RAM', { command: READ, count: 1 }, [[2 ** 40, 512]], HOST_BUS_FATAL],
    [
      'a region whose address is beyond every machine',
      { command: READ, count: 1 },
      [[Number.MAX_SAFE_INTEGER, 512]],
      HOST_BUS_FATAL,
    ],
    ['a region that leaves RAM', { command: READ, count: 2 }, [[RAM - 512, 1024]], HOST_BUS_FATAL],
    ['no region', { command: READ, count: 1 }, [], OVERFLOW | TASK_FILE | 1],
    ['regions that are too short to read', { command: READ, count: 2 }, [[AT.data, 512]], OVERFLOW | TASK_FILE | 1],
    ['regions that are too short to write', { command: WRITE, count: 2 }, [[AT.data, 700]], OVERFLOW | TASK_FILE | 1],
    ['another kind of frame', { type: 0x34 }, [], INTERFACE_FATAL],
    ['a command that does not exist', { command: 0xff }, [], TASK_FILE | 1],
    ['behind the end', { command: READ, sector: 63, count: 2 }, [[AT.data, 1024]], TASK_FILE | 1],
    ['the whole 65536 sectors', { command: READ, count: 0 }, [[AT.data, 512]], TASK_FILE | 1],
    ['sector 0 by cylinder', { command: 0xc8, sector: 0, count: 1, device: 0 }, [[AT.data, 512]], TASK_FILE | 1],
    [
      'a queued command in another slot',
      { command: 0x60, count: 5 << 3, features: 1 },
      [[AT.data, 512]],
      TASK_FILE | 1,
    ],
    ['a queued command behind the end', { command: 0x60, features: 65 }, [[AT.data, 512]], TASK_FILE | 1],
    ['a block size that is none', { command: 0xc6, count: 3 }, [], TASK_FILE | 1],
    ['a transfer mode that is none', { command: 0xef, features: 3, count: 0x47 }, [], TASK_FILE | 1],
  ] as [string, Frame, [number, number][], number][])(
    '%s: the list stops until it is started anew',
    (_, frame, regions, interrupts) => {
      const rig = new Rig();
      expect(rig.run(0, frame, regions)).toBe(interrupts >>> 0);
      const again = rig.run(1, { command: READ, count: 1 }, [[AT.data, 512]]);
      expect([again, rig.port(PORT.ci) & 2]).toEqual([0, 2]);
      rig.restart();
      expect(rig.run(1, { command: READ, count: 1 }, [[AT.data, 512]])).toBe(1);
    },
  );

  test('a disk that fails, and one that cannot be written', () => {
    class Broken extends MemoryDisk {
      override read(): Uint8Array {
        throw new Error('the file has become shorter');
      }
    }
    const broken = new Rig(new Broken(SECTORS));
    expect(broken.run(0, { command: READ, count: 1 }, [[AT.data, 512]])).toBe((TASK_FILE | 1) >>> 0);
    expect(broken.port(PORT.tfd)).toBe(0x4051);
    const fixed = new Rig(new MemoryDisk(SECTORS, true));
    expect(fixed.run(0, { command: WRITE, count: 1 }, [[AT.data, 512]])).toBe((TASK_FILE | 1) >>> 0);
  });

  test('a list or a place for frames that is not in RAM', () => {
    const rig = new Rig();
    rig.port(4, 0xffffffff);
    expect(rig.run(0, { command: READ, count: 1 }, [[AT.data, 512]])).toBe(HOST_BUS_FATAL);
    rig.restart();
    rig.port(4, 0);
    rig.port(0xc, 0x7f);
    expect(rig.run(0, { command: READ, count: 1 }, [[AT.data, 512]]) & HOST_BUS_FATAL).toBe(HOST_BUS_FATAL);
  });

  test('a write is on the medium: by force, or when the cache is off', () => {
    const disk = new MemoryDisk(SECTORS);
    const rig = new Rig(disk);
    rig.run(0, { command: WRITE, count: 1 }, [[AT.data, 512]]);
    expect(disk.flushes).toBe(0);
    rig.run(0, { command: 0x3d, count: 1 }, [[AT.data, 512]]);
    expect(disk.flushes).toBe(1);
    rig.run(0, { command: 0xef, features: 0x82 });
    rig.run(0, { command: WRITE, count: 1 }, [[AT.data, 512]]);
    expect(disk.flushes).toBe(2);
    rig.run(0, { command: 0xea });
    expect(disk.flushes).toBe(3);
  });

  test('anything in registers, lists and tables: no error of ours, and a bounded time', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(0x3ff), fc.constantFrom(1 as const, 2 as const, 4 as const), fc.nat(0xffffffff)), {
          maxLength: 30,
        }),
        fc.uint8Array({ minLength: 160, maxLength: 160 }),
        fc.nat(0xffffffff),
        (writes, garbage, slots) => {
          const rig = shared;
          rig.restart();
          rig.machine.ram.write(AT.list, garbage);
          rig.machine.ram.write(AT.table, garbage);
          for (let n = 0; n < 5; n++)
            rig.machine.ram.write(AT.list + 32 * n + 8, Uint8Array.of(0, 0x20, 1, 0, 0, 0, 0, 0));
          rig.port(PORT.ci, slots);
          for (const [at, width, value] of writes) {
            rig.put(HBA + at, value, width);
            rig.get(HBA + at, width);
          }
          rig.machine.settle();
        },
      ),
      { numRuns: 200 },
    );
  });
  const shared = new Rig();
});

test('requests that take long are done in pieces, and the guest does not run in between', () => {
  const rig = new Rig(new MemoryDisk(1 << 15));
  const most = 1 << 14;
  for (let slot = 0; slot < 32; slot++)
    rig.prepare(slot, { command: READ, count: most }, [
      [AT.data, 4 << 20],
      [AT.data, 4 << 20],
    ]);
  rig.port(PORT.ci, 0xffffffff);
  const left = rig.port(PORT.ci);
  // 256 MiB are more than ten milliseconds of work.
  expect(left).not.toBe(0);
  rig.machine.settle();
  expect([rig.port(PORT.ci), rig.port(PORT.tfd)]).toEqual([0, 0x50]);
});

test('a copy of the machine has the registers, the modes of the disk and commands that wait', () => {
  const rig = new Rig();
  rig.run(0, { command: 0xc6, count: 4 });
  rig.put(CONFIG + 4, 2, 2);
  rig.prepare(3, { command: READ, count: 1 }, [[AT.data, 512]]);
  rig.port(PORT.ci, 8);
  const copy = rig.machine.save();
  rig.put(CONFIG + 4, 6, 2);
  rig.run(0, { command: 0xc6, count: 8 });
  rig.port(PORT.cmd, 0);
  rig.machine.restore(copy);
  expect([rig.port(PORT.ci), rig.port(PORT.cmd) & 1]).toEqual([8, 1]);
  rig.put(CONFIG + 4, 6, 2);
  expect([rig.port(PORT.ci), rig.moved(3)]).toEqual([0, 512]);
  rig.run(0, { command: 0xec }, [[AT.data, 512]]);
  expect(rig.machine.ram.read(AT.data + 2 * 59, 1)[0]).toBe(4);
});
