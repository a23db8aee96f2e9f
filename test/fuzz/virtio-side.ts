/** What a driver of each kind of virtio device does, in pieces that an input puts together. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openShare, parseShare } from '../../src/cli/share.ts';
import type { VirtioBus } from '../../src/emu/board/cards.ts';
import { virtioMmioSlot } from '../../src/emu/board/platform.ts';
import { type Disk, VirtioBlock } from '../../src/emu/devices/virtio/block.ts';
import { VirtioConsole } from '../../src/emu/devices/virtio/console.ts';
import type { VirtioKind } from '../../src/emu/devices/virtio/device.ts';
import { VirtioEntropy } from '../../src/emu/devices/virtio/entropy.ts';
import { VirtioNet } from '../../src/emu/devices/virtio/net.ts';
import { P9Session, VirtioP9 } from '../../src/emu/devices/virtio/p9.ts';
import { PLATFORM } from '../../src/emu/memory/physical-map.ts';
import type { Stateful } from '../../src/emu/state/fields.ts';
import type { Input } from './input.ts';
import { Fault } from './oracle.ts';
import { RAM_SIZE, type Side, Twin, type Which } from './twin.ts';

export const KINDS = ['block', 'console', 'net', 'entropy', 'p9'] as const;
const SECTOR = 512;
const DISK_SECTORS = 16;
const QUEUE_ENTRIES = 16;
const QUEUES = 2;
/** Where a device's queues are, and what they consist of. */
const QUEUE = { first: 0x10000, device: 0x4000, each: 0x2000, driver: 0x400, used: 0x600 } as const;
const BUFFERS = 0x40000;
const STATUS_LIVE = 0xf;
const ECAM_SLOT = 0x8000;
const BAR = { each: 0x10000, msix: 0x8000, notify: 0x3000, device: 0x2000 } as const;
const SIZES = [1, 2, 4, 8] as const;

/** A disk inside a larger piece of memory whose rest is a secret. */
export class SecretDisk implements Disk, Stateful {
  readonly stateFields = ['content'];
  readonly size = DISK_SECTORS * SECTOR;
  readonly readOnly = false;
  private readonly whole: Uint8Array;
  readonly content: Uint8Array;

  constructor(which: Which) {
    this.whole = new Uint8Array(2 * this.size).fill(which === 0 ? 0x11 : 0xee, this.size);
    this.content = this.whole.subarray(0, this.size);
  }

  private check(offset: number, length: number): void {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size && offset % SECTOR === 0))
      throw new Fault(`the disk is asked for ${length} bytes at ${offset} of ${this.size}`);
  }

  read(offset: number, length: number): Uint8Array {
    this.check(offset, length);
    return this.whole.slice(offset, offset + length);
  }

  write(offset: number, data: Uint8Array): void {
    this.check(offset, data.length);
    this.whole.set(data, offset);
  }

  flush(): void {}
}

let folder: string | undefined;
/** A folder with one file, for reading. */
export function sharedFolder(): string {
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), 'loongscope-fuzz-'));
    writeFileSync(join(folder, 'file'), 'content');
  }
  return folder;
}

type Receive = (frame: Uint8Array) => void;
/** How frames come to a side's network device. */
const networks = new Map<string, Receive>();
const keyOf = (side: Pick<Side, 'which'>, on: VirtioBus): string => `${on}${side.which}`;

function kinds(which: Which, on: VirtioBus, leaves: (byte: number) => void): VirtioKind[] {
  const network = {
    send: (frame: Uint8Array): void => frame.forEach(leaves),
    connect: (receive: Receive): void => void networks.set(keyOf({ which }, on), receive),
  };
  return [
    new VirtioBlock('disk0', new SecretDisk(which)),
    new VirtioConsole(leaves),
    new VirtioNet([2, 0, 0, 0, 0, 1], network),
    new VirtioEntropy(1),
    new VirtioP9('host', new P9Session(openShare(parseShare(`${sharedFolder()},readonly`)))),
  ];
}

const queueAt = (device: number, queue: number): number => QUEUE.first + device * QUEUE.device + queue * QUEUE.each;

/** Physical address of a device's registers. */
export const registersOf = (on: VirtioBus, device: number): number =>
  on === 'mmio' ? virtioMmioSlot(device).base : PLATFORM.pciMemory.base + device * BAR.each;

/** Configuration space of a device behind PCI: the first slot is the host bridge. */
export const configOf = (device: number): number => PLATFORM.ecam.base + (device + 1) * ECAM_SLOT;
export const msixOf = (device: number): number => registersOf('pci', device) + BAR.msix;

/** Sets a device up as its driver does, queues included. */
export function setUpDevice(side: Side, on: VirtioBus, device: number): void {
  const at = registersOf(on, device);
  const config = configOf(device);
  const put = (register: number, size: number, value: number): void => side.write(at + register, size, value);
  const [status, select, size, ready, desc, driver, used, acceptedSelect, accepted] =
    on === 'mmio'
      ? [0x70, 0x30, 0x38, 0x44, 0x80, 0x90, 0xa0, 0x24, 0x20]
      : [0x14, 0x16, 0x18, 0x1c, 0x20, 0x28, 0x30, 0x08, 0x0c];
  const [small, short] = on === 'mmio' ? [4, 4] : [1, 2];
  if (on === 'pci') {
    side.write(config + 0x14, 4, at + BAR.msix);
    side.write(config + 0x20, 4, at);
    side.write(config + 0x24, 4, 0);
    side.write(config + 0x04, 2, 6);
  }
  put(status, small, 0);
  put(acceptedSelect, 4, 1);
  put(accepted, 4, 1);
  put(status, small, 0xb);
  for (let q = 0; q < QUEUES; q++) {
    put(select, short, q);
    put(size, short, QUEUE_ENTRIES);
    put(desc, 4, queueAt(device, q));
    put(driver, 4, queueAt(device, q) + QUEUE.driver);
    put(used, 4, queueAt(device, q) + QUEUE.used);
    put(ready, short, 1);
  }
  put(status, small, STATUS_LIVE);
}

/** Two machines with a device of each kind, set up. */
export const virtioTwin = (on: VirtioBus): Twin =>
  new Twin(
    (which, leaves) => ({ cards: kinds(which, on, leaves), virtioOn: on }),
    (side) => {
      for (const n of KINDS.keys()) setUpDevice(side, on, n);
    },
  );

/** An address that often means something. */
function address(input: Input, device: number): number {
  switch (input.u8() % 6) {
    case 0:
    case 1:
      return BUFFERS + input.u16();
    case 2:
      return queueAt(device, 0) + (input.u16() & 0x3fff);
    case 3:
      return RAM_SIZE - input.u8();
    case 4:
      return input.u32();
    default:
      return input.u32() * 2 ** 32 + input.u32();
  }
}

function length(input: Input): number {
  const kind = input.u8();
  if (kind < 0xc0) return kind * 4;
  return kind < 0xf0 ? input.u16() : input.u32();
}

const le = (value: number, bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, k) => Math.floor(value / 2 ** (8 * k)) & 0xff);

export const OPERATION = {
  descriptor: 0,
  submit: 1,
  notify: 2,
  poke: 3,
  pokeQueue: 4,
  write: 5,
  read: 6,
  arrive: 7,
  setUp: 8,
  available: 9,
  block: 10,
  data: 11,
} as const;
const OPERATIONS = Object.keys(OPERATION).length;

/** The next operation of an input on one device. */
export function deviceOperation(side: Side, on: VirtioBus, device: number, input: Input): void {
  const at = registersOf(on, device);
  const notify = (queue: number): void => {
    if (on === 'mmio') side.write(at + 0x50, 4, queue);
    else side.write(at + BAR.notify + 4 * queue, 2, queue);
  };
  const descriptor = (queue: number, n: number, pa: number, size: number, flags: number, next: number): void => {
    const d = Uint8Array.from([...le(pa, 8), ...le(size, 4), ...le(flags, 2), ...le(next, 2)]);
    side.poke(queueAt(device, queue) + 16 * n, d);
  };
  const submit = (queue: number, heads: readonly number[]): void => {
    const ring = queueAt(device, queue) + QUEUE.driver;
    const index = side.machine.ram.read(ring + 2, 2);
    const first = index[0]! | (index[1]! << 8);
    for (const [k, head] of heads.entries()) side.poke(ring + 4 + 2 * ((first + k) % QUEUE_ENTRIES), le(head, 2));
    side.poke(ring + 2, le((first + heads.length) & 0xffff, 2));
    notify(queue);
  };
  switch (input.u8() % OPERATIONS) {
    case OPERATION.descriptor: {
      const which = input.u8();
      const pa = address(input, device);
      const size = length(input);
      descriptor(which >> 7, which & 15, pa, size, input.u8() & 7, input.u8() & 31);
      return;
    }
    case OPERATION.submit: {
      const how = input.u8();
      submit(
        how >> 7,
        [...input.bytes(how & 3)].map((h) => h & 31),
      );
      return;
    }
    case OPERATION.notify:
      notify(input.u8() & 3);
      return;
    case OPERATION.poke:
      side.poke(address(input, device), input.bytes(input.u8() & 63));
      return;
    case OPERATION.pokeQueue:
      side.poke(queueAt(device, 0) + (input.u16() & 0x3fff), input.bytes(input.u8() & 31));
      return;
    case OPERATION.write:
      side.write(at + (input.u16() & (on === 'mmio' ? 0x1ff : 0x7fff)), SIZES[input.u8() & 3]!, input.u32());
      return;
    case OPERATION.read:
      side.read(at + (input.u16() & (on === 'mmio' ? 0x1ff : 0x7fff)), SIZES[input.u8() & 3]!);
      return;
    case OPERATION.arrive: {
      const bytes = input.bytes(input.u8());
      if (device === KINDS.indexOf('net')) networks.get(keyOf(side, on))!(bytes);
      else side.machine.consoleInput(bytes);
      return;
    }
    case OPERATION.setUp:
      setUpDevice(side, on, device);
      return;
    case OPERATION.available:
      side.poke(queueAt(device, input.u8() & 1) + QUEUE.driver + 2, le(input.u16(), 2));
      notify(0);
      return;
    case OPERATION.block: {
      // A whole request of a disk: header, data, status.
      const type = input.u8();
      const sector = input.u16();
      const sectors = input.u8() & 7;
      side.poke(BUFFERS, Uint8Array.from([...le(type & 15, 4), ...le(0, 4), ...le(sector & 31, 8)]));
      descriptor(0, 0, BUFFERS, 16, 1, 1);
      descriptor(0, 1, BUFFERS + 0x100, sectors * SECTOR, type & 0x80 ? 1 : 3, 2);
      descriptor(0, 2, BUFFERS + 0x10, 1, 2, 0);
      submit(0, [0]);
      return;
    }
    case OPERATION.data: {
      // Bytes for the device, and room for its answer.
      const bytes = input.bytes(input.u8());
      side.poke(BUFFERS + 0x1000, bytes);
      descriptor(0, 3, BUFFERS + 0x1000, bytes.length, 1, 4);
      descriptor(0, 4, BUFFERS + 0x2000, length(input), 2, 0);
      submit(0, [3]);
      return;
    }
  }
}
