/** virtio over PCI, driven as a driver does it, and as none should. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Dma } from '../../src/emu/devices/dma.ts';
import { PciRootComplex } from '../../src/emu/devices/pci/root-complex.ts';
import { type Disk, VirtioBlock } from '../../src/emu/devices/virtio/block.ts';
import { VirtioConsole } from '../../src/emu/devices/virtio/console.ts';
import type { VirtioKind } from '../../src/emu/devices/virtio/device.ts';
import { VirtioEntropy } from '../../src/emu/devices/virtio/entropy.ts';
import { VirtioNet } from '../../src/emu/devices/virtio/net.ts';
import { VirtioPci } from '../../src/emu/devices/virtio/pci.ts';
import { VirtioTransport } from '../../src/emu/devices/virtio/transport.ts';

const BAR = 0x40000000;
const MSIX_BAR = 0x40010000;
const AT = { desc: 0x1000, driver: 0x2000, device: 0x3000, data: 0x4000 } as const;
const STATUS = 0x14;
const NEEDS_RESET = 0x40;

/** A device in slot 1, with a driver's hands on it. */
class Rig {
  readonly memory = new Uint8Array(0x10000);
  readonly view = new DataView(this.memory.buffer);
  readonly messages: [number, number][] = [];
  readonly lines = [false, false, false, false];
  readonly pci: PciRootComplex;
  private heads = 0;

  constructor(kind: VirtioKind) {
    const dma: Dma = {
      read: (pa, n) => (pa + n <= this.memory.length ? this.memory.slice(pa, pa + n) : undefined),
      write: (pa, data) => {
        if (pa + data.length > this.memory.length) return false;
        this.memory.set(data, pa);
        return true;
      },
    };
    this.pci = new PciRootComplex({
      lines: [0, 1, 2, 3].map((n) => (level) => void (this.lines[n] = level)),
      message: (address, data) => this.messages.push([address, data]),
      memoryBase: 0x40000000,
      firstPort: 0x4000,
    });
    this.pci.add(new VirtioPci(kind, { dma, now: () => 0, unfinished: () => {} }));
    this.config(0x04, 2, 6); // memory, bus master
    this.config(0x14, 4, MSIX_BAR);
    this.config(0x20, 4, BAR);
    this.config(0x24, 4, 0);
  }

  config(at: number, width: 1 | 2 | 4, value: number): void {
    this.pci.configuration.write(0x8000 + at, width, value);
  }

  readConfig(at: number, width: 1 | 2 | 4): number {
    return this.pci.configuration.read(0x8000 + at, width);
  }

  write(offset: number, width: 1 | 2 | 4, value: number): void {
    this.pci.memory.write(BAR - 0x40000000 + offset, width, value);
  }

  read(offset: number, width: 1 | 2 | 4): number {
    return this.pci.memory.read(BAR - 0x40000000 + offset, width);
  }

  /** The handshake, and one queue. */
  start(queue = 0): this {
    this.write(STATUS, 1, 3);
    this.write(0x08, 4, 1);
    this.write(0x0c, 4, 1); // version 1
    this.write(STATUS, 1, 0xb);
    expect(this.read(STATUS, 1)).toBe(0xb);
    this.write(0x16, 2, queue);
    this.write(0x18, 2, 16);
    for (const [at, pa] of [
      [0x20, AT.desc],
      [0x28, AT.driver],
      [0x30, AT.device],
    ] as const) {
      this.write(at, 4, pa);
      this.write(at + 4, 4, 0);
    }
    this.write(0x1c, 2, 1);
    this.write(STATUS, 1, 0xf);
    return this;
  }

  descriptor(n: number, pa: number, length: number, flags: number, next = 0): void {
    this.view.setBigUint64(AT.desc + 16 * n, BigInt(pa), true);
    this.view.setUint32(AT.desc + 16 * n + 8, length, true);
    this.view.setUint16(AT.desc + 16 * n + 12, flags, true);
    this.view.setUint16(AT.desc + 16 * n + 14, next, true);
  }

  /** Puts a chain into the queue and rings. */
  offer(head: number, queue = 0): void {
    this.view.setUint16(AT.driver + 4 + 2 * (this.heads % 16), head, true);
    this.view.setUint16(AT.driver + 2, ++this.heads, true);
    this.write(0x3000 + 4 * queue, 2, queue);
  }

  get used(): number {
    return this.view.getUint16(AT.device + 2, true);
  }
}

const disk = (): Disk & { readonly bytes: Uint8Array } => {
  const bytes = new Uint8Array(8192).map((_, n) => n);
  return {
    bytes,
    size: 8192,
    readOnly: false,
    read: (offset, length) => bytes.slice(offset, offset + length),
    write: (offset, data) => bytes.set(data, offset),
    flush: () => {},
  };
};

describe('the PCI function', () => {
  const rig = new Rig(new VirtioEntropy(1));

  test('identity, and registers that tell their size', () => {
    expect([rig.readConfig(0, 4), rig.readConfig(8, 1)]).toEqual([0x10051af4, 0]);
    rig.config(0x20, 4, 0xffffffff);
    expect(rig.readConfig(0x20, 4)).toBe(0xffffc00c);
    rig.config(0x20, 4, BAR);
    rig.config(0, 4, 0x12345678);
    expect(rig.readConfig(0, 4)).toBe(0x10051af4);
  });

  test('a chain of capabilities that ends: MSI-X, the window and the four structures', () => {
    const seen: number[] = [];
    for (let at = rig.readConfig(0x34, 1); at !== 0 && seen.length < 20; at = rig.readConfig(at + 1, 1))
      seen.push(rig.readConfig(at, 1));
    expect(seen).toEqual([0x11, 9, 9, 9, 9, 9]);
    // Where each structure is: its kind, BAR, offset and length; the fourth word of notifications is their distance.
    const structures: number[][] = [];
    for (let at = rig.readConfig(0x34, 1); at !== 0; at = rig.readConfig(at + 1, 1))
      if (rig.readConfig(at, 1) === 9) structures.push([3, 4, 8, 12].map((k) => rig.readConfig(at + k, k < 8 ? 1 : 4)));
    expect(structures).toEqual([
      [5, 4, 0, 0],
      [2, 4, 0x3000, 0x1000],
      [4, 4, 0x2000, 0x1000],
      [3, 4, 0x1000, 0x1000],
      [1, 4, 0, 0x1000],
    ]);
  });

  test('empty slots and windows are all ones', () => {
    expect(rig.pci.configuration.read(5 << 15, 4)).toBe(0xffffffff);
    expect(rig.pci.memory.read(0x100000, 2)).toBe(0xffff);
    expect(rig.pci.ports.read(0, 1)).toBe(0xff);
  });
});

describe('requests', () => {
  test('random numbers, by pin and by message', () => {
    const rig = new Rig(new VirtioEntropy(1)).start();
    rig.descriptor(0, AT.data, 64, 2);
    rig.offer(0);
    expect(rig.used).toBe(1);
    expect(new Set(rig.memory.subarray(AT.data, AT.data + 64)).size).toBeGreaterThan(30);
    expect(rig.lines).toEqual([false, true, false, false]);
    expect(rig.read(0x1000, 1)).toBe(1);
    expect(rig.lines[1]).toBe(false);
    // MSI-X: vector 1 for the queue, masked at first.
    rig.config(rig.readConfig(0x34, 1) + 2, 2, 0x8000);
    rig.write(0x16, 2, 0);
    rig.write(0x1a, 2, 1);
    rig.pci.memory.write(MSIX_BAR - 0x40000000 + 16, 4, 0x2ff00000);
    rig.pci.memory.write(MSIX_BAR - 0x40000000 + 24, 4, 0x41);
    rig.offer(0);
    expect(rig.messages).toEqual([]);
    rig.pci.memory.write(MSIX_BAR - 0x40000000 + 28, 4, 0);
    expect(rig.messages).toEqual([[0x2ff00000, 0x41]]);
  });

  test('the disk reads, writes, and refuses what lies outside', () => {
    const d = disk();
    const rig = new Rig(new VirtioBlock('disk0', d)).start();
    const request = (type: number, sector: number, length: number): number => {
      rig.view.setUint32(0x8000, type, true);
      rig.view.setBigUint64(0x8008, BigInt(sector), true);
      rig.descriptor(0, 0x8000, 16, 1, 1);
      rig.descriptor(1, AT.data, length, type === 1 ? 1 : 3, 2);
      rig.descriptor(2, 0x9000, 1, 2);
      rig.memory[0x9000] = 0xff;
      rig.offer(0);
      return rig.memory[0x9000]!;
    };
    expect(rig.read(0x2000, 4)).toBe(16);
    expect(request(0, 1, 512)).toBe(0);
    expect([...rig.memory.subarray(AT.data, AT.data + 512)]).toEqual([...d.bytes.subarray(512, 1024)]);
    rig.memory.fill(0x77, AT.data, AT.data + 512);
    expect([request(1, 3, 512), d.bytes[3 * 512]]).toEqual([0, 0x77]);
    expect([request(0, 16, 512), request(1, 16, 512), request(0, 0, 100), request(99, 0, 512)]).toEqual([1, 1, 1, 2]);
    expect(request(0, 2 ** 40, 512)).toBe(1);
  });

  test('the console sends and receives; the network card hears what comes back', () => {
    const sent: number[] = [];
    const kind = new VirtioConsole((b) => sent.push(b));
    const rig = new Rig(kind).start(1);
    rig.memory.set([72, 105], AT.data);
    rig.descriptor(0, AT.data, 2, 0);
    rig.offer(0, 1);
    expect(sent).toEqual([72, 105]);
    const frames: Uint8Array[] = [];
    let receive: (frame: Uint8Array) => void = () => {};
    const net = new Rig(
      new VirtioNet([2, 0, 0, 0, 0, 1], {
        send: (f) => frames.push(f),
        connect: (r) => {
          receive = r;
        },
      }),
    ).start(0);
    net.descriptor(0, AT.data, 100, 2);
    net.offer(0, 0);
    expect(net.used).toBe(0);
    receive(Uint8Array.of(1, 2, 3));
    expect([net.used, ...net.memory.subarray(AT.data + 12, AT.data + 15)]).toEqual([1, 1, 2, 3]);
    expect(frames).toEqual([]);
    // The other way: a header of twelve bytes goes in front of the frame.
    const transmit = new Rig(
      new VirtioNet([2, 0, 0, 0, 0, 1], { send: (f) => frames.push(f), connect: () => {} }),
    ).start(1);
    transmit.memory.set([9, 8, 7], AT.data + 12);
    transmit.descriptor(0, AT.data, 15, 0);
    transmit.offer(0, 1);
    expect(frames.map((f) => [...f])).toEqual([[9, 8, 7]]);
  });
});

describe('drivers that break the rules', () => {
  /** Position, address, length, flags, next. */
  type Descriptor = readonly [n: number, pa: number, length: number, flags: number, next?: number];
  test.each([
    ['a descriptor beyond the table', 200, []],
    [
      'a chain that does not end',
      0,
      [
        [0, AT.data, 16, 1, 1],
        [1, AT.data, 16, 1, 0],
      ],
    ],
    ['a buffer outside RAM', 0, [[0, 2 ** 40, 16, 0]]],
    [
      'something to read behind something to write',
      0,
      [
        [0, AT.data, 16, 3, 1],
        [1, AT.data, 16, 0],
      ],
    ],
    ['a table of no whole descriptors', 0, [[0, AT.data, 17, 4]]],
    ['a table in a table', 0, [[0, AT.data, 16, 4]]],
    ['more than any request holds', 0, [[0, 0, 0xffffffff, 0]]],
  ] as [string, number, Descriptor[]][])(
    '%s: the device asks for a reset, and works again after it',
    (_, head, descriptors) => {
      const rig = new Rig(new VirtioBlock('disk0', disk())).start();
      // What an indirect table at the data would hold: another one.
      rig.view.setBigUint64(AT.data, BigInt(AT.data), true);
      rig.view.setUint32(AT.data + 8, 16, true);
      rig.view.setUint16(AT.data + 12, 4, true);
      for (const d of descriptors) rig.descriptor(...d);
      rig.offer(head);
      expect(rig.read(STATUS, 1) & NEEDS_RESET).toBe(NEEDS_RESET);
      rig.write(STATUS, 1, 0);
      expect(rig.read(STATUS, 1)).toBe(0);
    },
  );

  test('without version 1 there is no agreement', () => {
    const rig = new Rig(new VirtioEntropy(1));
    rig.write(STATUS, 1, 3);
    rig.write(STATUS, 1, 0xb);
    expect(rig.read(STATUS, 1)).toBe(3);
  });

  test('any content of queue and registers: no error of ours', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.integer({ min: 0, max: 0x3ffc }),
            fc.constantFrom(1 as const, 2 as const, 4 as const),
            fc.nat(0xffffffff),
          ),
          { maxLength: 30 },
        ),
        fc.uint8Array({ minLength: 256, maxLength: 256 }),
        fc.nat(15),
        (writes, garbage, head) => {
          const rig = new Rig(new VirtioBlock('disk0', disk())).start();
          rig.memory.set(garbage, AT.desc);
          rig.offer(head);
          for (const [offset, width, value] of writes) {
            rig.write(offset, width, value);
            rig.read(offset, width);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('a disk that takes its time', () => {
  test('a request waits in the queue until the disk is ready, and is carried out once', () => {
    const memory = new Uint8Array(0x10000);
    const view = new DataView(memory.buffer);
    const dma: Dma = {
      read: (pa, n) => memory.slice(pa, pa + n),
      write: (pa, data) => {
        memory.set(data, pa);
        return true;
      },
    };
    const asked: string[] = [];
    let patience = 2;
    const slow: Disk = {
      ...disk(),
      ready: (call, offset, length) => {
        asked.push(`${call} ${offset} ${length}`);
        return patience-- <= 0;
      },
    };
    let unfinished = 0;
    let interrupts = 0;
    const transport = new VirtioTransport(
      new VirtioBlock('disk0', slow),
      { dma, now: () => 0, unfinished: () => unfinished++ },
      { usedBuffers: () => interrupts++, configChanged: () => {} },
    );
    const queue = transport.queues[0]!;
    Object.assign(queue, { size: 16, ready: true, desc: AT.desc, driver: AT.driver, device: AT.device });
    transport.status = 0xf;
    const descriptor = (n: number, pa: number, length: number, flags: number): void => {
      view.setBigUint64(AT.desc + 16 * n, BigInt(pa), true);
      view.setUint32(AT.desc + 16 * n + 8, length, true);
      view.setUint32(AT.desc + 16 * n + 12, flags | ((n + 1) << 16), true);
    };
    view.setBigUint64(AT.data + 8, 2n, true);
    descriptor(0, AT.data, 16, 1);
    descriptor(1, 0x8000, 512, 3);
    descriptor(2, 0x9000, 1, 2);
    memory[0x9000] = 0xff;
    view.setUint16(AT.driver + 2, 1, true);
    transport.notify(0);
    expect([unfinished, interrupts, memory[0x9000]]).toEqual([1, 0, 0xff]);
    // The driver's next notification changes nothing.
    transport.notify(0);
    expect(transport.goOn()).toBe(true);
    expect(transport.goOn()).toBe(false);
    expect([interrupts, memory[0x9000], view.getUint16(AT.device + 2, true)]).toEqual([1, 0, 1]);
    expect(memory.subarray(0x8000, 0x8200)).toEqual(disk().bytes.slice(1024, 1536));
    expect(asked).toEqual(new Array(3).fill('read 1024 512'));
    expect(transport.goOn()).toBe(false);
  });
});
