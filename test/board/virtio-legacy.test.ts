/** The legacy interface of virtio cards at I/O ports, and the window in configuration space. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { placeCards } from '../../src/emu/board/cards.ts';
import type { Width } from '../../src/emu/devices/device.ts';
import type { Dma } from '../../src/emu/devices/dma.ts';
import { PciRootComplex } from '../../src/emu/devices/pci/root-complex.ts';
import { VirtioBlock } from '../../src/emu/devices/virtio/block.ts';
import type { VirtioKind } from '../../src/emu/devices/virtio/device.ts';
import { VirtioEntropy } from '../../src/emu/devices/virtio/entropy.ts';
import { VirtioNet } from '../../src/emu/devices/virtio/net.ts';
import { type VirtioInterfaces, VirtioPci } from '../../src/emu/devices/virtio/pci.ts';
import { saveFields } from '../../src/emu/state/fields.ts';
import { MemoryDisk } from '../support/board-programs.ts';

const FIRST_PORT = 0x4000;
const PORTS = 0x5000;
const MEMORY = 0x40000000;
const PAGE = 4096;
const QUEUE = 0x10000;
const SIZE = 256;
const AVAILABLE = QUEUE + 16 * SIZE;
const USED = Math.ceil((AVAILABLE + 4 + 2 * SIZE) / PAGE) * PAGE;
const DATA = 0x20000;
const REG = {
  features: 0,
  accepted: 4,
  page: 8,
  size: 0xc,
  select: 0xe,
  notify: 0x10,
  status: 0x12,
  isr: 0x13,
  config: 0x14,
} as const;
const WINDOW = 0x84;

/** A card in slot 1, with the hands of a legacy driver on it. */
class Rig {
  readonly memory = new Uint8Array(0x40000);
  readonly view = new DataView(this.memory.buffer);
  readonly pci: PciRootComplex;
  readonly card: VirtioPci;
  level = false;
  private offered = 0;

  constructor(kind: VirtioKind, interfaces: VirtioInterfaces = 'transitional') {
    const inside = (pa: number, n: number): boolean => pa + n <= this.memory.length;
    const dma: Dma = {
      read: (pa, n) => (inside(pa, n) ? this.memory.slice(pa, pa + n) : undefined),
      write: (pa, data) => {
        if (inside(pa, data.length)) this.memory.set(data, pa);
        return inside(pa, data.length);
      },
    };
    this.pci = new PciRootComplex({
      lines: [0, 1, 2, 3].map(() => (level) => void (this.level = level)),
      message: () => {},
      memoryBase: MEMORY,
      firstPort: FIRST_PORT,
    });
    this.card = new VirtioPci(kind, { dma, now: () => 0, unfinished: () => {} }, interfaces);
    this.pci.add(this.card);
    this.config(0x10, 4, PORTS);
    this.config(0x04, 2, 1);
  }

  config(at: number, width: Width, value?: number): number {
    if (value !== undefined) this.pci.configuration.write(0x8000 + at, width, value);
    return this.pci.configuration.read(0x8000 + at, width);
  }

  get(at: number, width: Width): number {
    return this.pci.ports.read(PORTS - FIRST_PORT + at, width);
  }

  set(at: number, width: Width, value: number): void {
    this.pci.ports.write(PORTS - FIRST_PORT + at, width, value);
  }

  start(queue = 0): this {
    this.set(REG.status, 1, 3);
    this.set(REG.select, 2, queue);
    this.set(REG.page, 4, QUEUE / PAGE);
    this.set(REG.status, 1, 7);
    return this;
  }

  descriptor(n: number, pa: number, length: number, flags: number): void {
    this.view.setBigUint64(QUEUE + 16 * n, BigInt(pa), true);
    this.view.setUint32(QUEUE + 16 * n + 8, length, true);
    this.view.setUint16(QUEUE + 16 * n + 12, flags, true);
    this.view.setUint16(QUEUE + 16 * n + 14, n + 1, true);
  }

  offer(head: number, queue = 0): void {
    this.view.setUint16(AVAILABLE + 4 + 2 * (this.offered % SIZE), head, true);
    this.view.setUint16(AVAILABLE + 2, ++this.offered, true);
    this.set(REG.notify, 2, queue);
  }

  get used(): number {
    return this.view.getUint16(USED + 2, true);
  }
}

const MAC = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
function network(): {
  readonly kind: VirtioNet;
  readonly sent: number[][];
  readonly arrive: (frame: Uint8Array) => void;
} {
  const sent: number[][] = [];
  let receive: (frame: Uint8Array) => void = () => {};
  const kind = new VirtioNet(MAC, { send: (f) => sent.push([...f]), connect: (r) => void (receive = r) });
  return { kind, sent, arrive: (frame) => receive(frame) };
}

describe('the legacy interface', () => {
  test('a queue whose parts lie behind each other, and its interrupt', () => {
    const rig = new Rig(new VirtioEntropy(1)).start();
    expect([rig.get(REG.size, 2), rig.get(REG.page, 4)]).toEqual([SIZE, QUEUE / PAGE]);
    rig.descriptor(0, DATA, 64, 2);
    rig.offer(0);
    expect([rig.used, rig.level]).toEqual([1, true]);
    expect(new Set(rig.memory.subarray(DATA, DATA + 64)).size).toBeGreaterThan(30);
    expect([rig.get(REG.isr, 1), rig.level, rig.get(REG.isr, 1)]).toEqual([1, false, 0]);
  });

  test('a look of a debugger at the reason leaves it', () => {
    const rig = new Rig(new VirtioEntropy(1)).start();
    rig.descriptor(0, DATA, 64, 2);
    rig.offer(0);
    const at = PORTS - FIRST_PORT + REG.isr;
    expect([rig.pci.ports.peek(at, 1), rig.pci.ports.peek(at, 1), rig.level]).toEqual([1, 1, true]);
  });

  test('packets have a header of ten bytes, those of version 1 twelve', () => {
    const { kind, sent, arrive } = network();
    const rig = new Rig(kind).start(1);
    rig.memory.set([1, 2, 3], DATA + 10);
    rig.descriptor(0, DATA, 13, 0);
    rig.offer(0, 1);
    expect(sent).toEqual([[1, 2, 3]]);

    const other = network();
    const receiver = new Rig(other.kind).start(0);
    receiver.memory.fill(0xee, DATA, DATA + 64);
    receiver.descriptor(0, DATA, 64, 2);
    receiver.offer(0);
    other.arrive(Uint8Array.of(7, 8));
    expect([...receiver.memory.subarray(DATA, DATA + 13)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 8, 0xee]);
    expect(receiver.view.getUint32(USED + 8, true)).toBe(12);
    arrive(Uint8Array.of(1));
  });

  test('the address of the network card can be written, until the reset', () => {
    const { kind } = network();
    const rig = new Rig(kind).start();
    const mac = (): number[] => [0, 1, 2, 3, 4, 5].map((n) => rig.get(REG.config + n, 1));
    expect(mac()).toEqual(MAC);
    rig.set(REG.config, 4, 0x0a0b0c0d);
    expect(mac()).toEqual([0x0d, 0x0c, 0x0b, 0x0a, 0x34, 0x56]);
    expect(saveFields(kind).mac).toEqual(Uint8Array.of(0x0d, 0x0c, 0x0b, 0x0a, 0x34, 0x56));
    rig.set(REG.status, 1, 0);
    expect(mac()).toEqual(MAC);
  });

  test('page 0 takes the queue away, a reset all of them', () => {
    const rig = new Rig(network().kind).start(0);
    rig.set(REG.select, 2, 1);
    rig.set(REG.page, 4, 0x15);
    rig.set(REG.page, 4, 0);
    expect(rig.get(REG.page, 4)).toBe(0);
    rig.set(REG.select, 2, 0);
    expect([rig.get(REG.page, 4), rig.get(REG.status, 1)]).toEqual([QUEUE / PAGE, 7]);
    rig.set(REG.status, 1, 0);
    expect([rig.get(REG.page, 4), rig.get(REG.accepted, 4), rig.get(REG.select, 2)]).toEqual([0, 0, 0]);
    rig.set(REG.select, 2, 9);
    rig.set(REG.page, 4, 5);
    expect([rig.get(REG.size, 2), rig.get(REG.page, 4)]).toEqual([0, 0]);
  });

  test('the status of an old driver makes the function a bus master; without that it does not touch memory', () => {
    const rig = new Rig(new VirtioEntropy(1)).start();
    expect(rig.config(4, 2)).toBe(5);
    rig.config(4, 2, 1);
    rig.descriptor(0, DATA, 64, 2);
    rig.offer(0);
    expect(rig.used).toBe(0);
    rig.config(4, 2, 5);
    rig.set(REG.notify, 2, 0);
    expect(rig.used).toBe(1);
  });

  test('MSI-X puts its two registers before the configuration', () => {
    const rig = new Rig(new VirtioBlock('disk0', new MemoryDisk(64)));
    expect(rig.get(0x14, 4)).toBe(64);
    rig.config(0x98 + 2, 2, 0x8000);
    expect([rig.get(0x14, 2), rig.get(0x16, 2), rig.get(0x18, 4)]).toEqual([0xffff, 0xffff, 64]);
    rig.set(0x14, 2, 1);
    rig.set(0x16, 2, 5);
    expect([rig.get(0x14, 2), rig.get(0x16, 2)]).toEqual([1, 0xffff]);
  });

  test('each choice of interfaces has its identity, base address registers and capabilities', () => {
    const seen = (interfaces: VirtioInterfaces): unknown => {
      const rig = new Rig(new VirtioEntropy(1), interfaces);
      const list: number[] = [];
      for (let at = rig.config(0x34, 1); at !== 0; at = rig.config(at + 1, 1)) list.push(rig.config(at, 1));
      return [
        rig.config(0, 4),
        rig.config(8, 1),
        rig.config(0x2c, 4),
        rig.config(0x10, 4) & 1,
        rig.config(0x20, 4),
        list,
      ];
    };
    expect(seen('transitional')).toEqual([0x10051af4, 0, 0x00041af4, 1, 0xc, [0x11, 9, 9, 9, 9, 9]]);
    expect(seen('modern')).toEqual([0x10441af4, 1, 0x11001af4, 0, 0xc, [0x11, 9, 9, 9, 9, 9]]);
    expect(seen('legacy')).toEqual([0x10051af4, 0, 0x00041af4, 1, 0, [0x11]]);
  });

  test('anything at its ports and in its memory: no error of ours', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(0x3f), fc.constantFrom(1 as const, 2 as const, 4 as const), fc.nat(0xffffffff)), {
          maxLength: 30,
        }),
        fc.uint8Array({ minLength: 256, maxLength: 256 }),
        (writes, garbage) => {
          const rig = new Rig(network().kind).start(1);
          rig.memory.set(garbage, QUEUE);
          rig.memory.set(garbage, AVAILABLE);
          for (const [at, width, value] of writes) {
            rig.set(at, width, value);
            rig.get(at, width);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('the window in configuration space', () => {
  const open = (rig: Rig, offset: number, length: number, bar = 4): void => {
    rig.config(WINDOW + 4, 1, bar);
    rig.config(WINDOW + 8, 4, offset);
    rig.config(WINDOW + 12, 4, length);
  };

  test('reads and writes a structure without its base address register', () => {
    const rig = new Rig(new VirtioBlock('disk0', new MemoryDisk(64)));
    open(rig, 0x2000, 4);
    expect(rig.config(WINDOW + 16, 4)).toBe(64);
    open(rig, 0x14, 1);
    rig.config(WINDOW + 16, 1, 1);
    expect([rig.config(WINDOW + 16, 1), rig.get(REG.status, 1)]).toEqual([1, 1]);
  });

  test.each([
    ['another base address register', 0x2000, 4, 1],
    ['a length that is none', 0x2000, 3, 4],
    ['an offset that is not a multiple', 0x2001, 4, 4],
    ['an offset outside', 0x4000, 4, 4],
  ])('%s: nothing happens', (_, offset, length, bar) => {
    const rig = new Rig(new VirtioBlock('disk0', new MemoryDisk(64)));
    open(rig, offset, length, bar);
    rig.config(WINDOW + 16, 4, 0x1234);
    expect(rig.config(WINDOW + 16, 4)).toBe(0x1234);
  });

  test('a look of a debugger at the reason of an interrupt leaves it', () => {
    const rig = new Rig(new VirtioEntropy(1)).start();
    rig.descriptor(0, DATA, 64, 2);
    rig.offer(0);
    open(rig, 0x1000, 1);
    rig.pci.configuration.peek(0x8000 + WINDOW + 16, 1);
    expect(rig.level).toBe(true);
    expect([rig.config(WINDOW + 16, 1), rig.level]).toEqual([1, false]);
  });
});

test('cards get the first slot that is free, or the one that they ask for', () => {
  const card = (slot?: number): { virtio: VirtioKind; slot?: number | undefined } => ({
    virtio: new VirtioEntropy(1),
    slot,
  });
  const slots = (...wanted: (number | undefined)[]): number[] => placeCards(wanted.map(card)).slots.map((s) => s.slot);
  expect(slots(undefined, undefined)).toEqual([1, 2]);
  expect(slots(1, undefined, 9, undefined)).toEqual([1, 2, 9, 3]);
  expect(() => slots(undefined, 1)).toThrow('slot 1 is taken');
  expect(() => slots(0)).toThrow('slot 0 is taken');
});
