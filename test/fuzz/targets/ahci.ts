/** A Serial ATA controller: its registers, and command lists, tables and frames in memory. */
import { PLATFORM } from '../../../src/emu/memory/physical-map.ts';
import { type Input, Output } from '../input.ts';
import { guarded, type Target } from '../oracle.ts';
import { RAM_SIZE, type Side, Twin } from '../twin.ts';
import { SecretDisk } from '../virtio-side.ts';

const CONFIG = PLATFORM.ecam.base + 0x8000;
const HBA = PLATFORM.pciMemory.base;
const PORTS_AT = 0x5000;
const DISKS = 2;
/** Command list, received frames, command tables, data. */
const AT = { list: 0x10000, received: 0x12000, table: 0x14000, eachTable: 0x1000, data: 0x40000 } as const;
const SIZES = [1, 2, 4, 8] as const;
const portAt = (port: number): number => HBA + 0x100 + 0x80 * port;
const le = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, k) => Math.floor(value / 2 ** (8 * k)) & 0xff);

function setUp(side: Side): void {
  side.write(CONFIG + 0x20, 4, PORTS_AT);
  side.write(CONFIG + 0x24, 4, HBA);
  side.write(CONFIG + 4, 2, 7);
  side.write(HBA + 4, 4, 2);
  for (let port = 0; port < DISKS; port++) {
    const at = portAt(port);
    side.write(at, 4, AT.list + 0x400 * port);
    side.write(at + 8, 4, AT.received + 0x100 * port);
    side.write(at + 0x14, 4, 0x7dc0007f);
    side.write(at + 0x18, 4, 0x11);
  }
}

const twin = new Twin(
  (which) => ({
    cards: [{ ahci: Array.from({ length: DISKS }, (_, n) => ({ disk: new SecretDisk(which), serial: `S${n}` })) }],
  }),
  setUp,
);

const OPERATION = {
  command: 0,
  write: 1,
  read: 2,
  poke: 3,
  config: 4,
  setUp: 5,
  restart: 6,
  region: 7,
  index: 8,
} as const;
const OPERATIONS = Object.keys(OPERATION).length;

/** An address that often means something. */
function address(input: Input): number {
  switch (input.u8() & 3) {
    case 0:
    case 1:
      return AT.data + input.u16();
    case 2:
      return RAM_SIZE - input.u8();
    default:
      return input.u32();
  }
}

function operation(side: Side, input: Input): void {
  const code = input.u8();
  const port = code >> 7;
  switch ((code & 0x7f) % OPERATIONS) {
    case OPERATION.command: {
      // A header, a frame, and the slot's bits.
      const slot = input.u8() & 31;
      const [command, features, count, sector] = [input.u8(), input.u16(), input.u16(), input.u16()];
      const [kind, device, regions, where] = [input.u8(), input.u8(), input.u8(), input.u8()];
      const table = AT.table + AT.eachTable * (where & 7);
      const type = kind & 0xe0 ? 0x27 : kind;
      const frame = [type, kind & 1 ? 0x80 : 0, command, features & 0xff, ...le(sector, 3), device, 0, 0, 0];
      side.poke(table, Uint8Array.from([...frame, features >> 8, ...le(count, 2), 0, kind & 4]));
      side.poke(
        AT.list + 0x400 * port + 32 * slot,
        Uint8Array.from([5, 0, ...le(regions, 2), 0, 0, 0, 0, ...le(table, 8)]),
      );
      if (kind & 2) side.write(portAt(port) + 0x34, 4, 2 ** slot);
      side.write(portAt(port) + 0x38, 4, (2 ** slot) | (kind & 8 ? input.u32() : 0));
      return;
    }
    case OPERATION.region: {
      const where = input.u8();
      const entry = AT.table + AT.eachTable * (where & 7) + 0x80 + 16 * (where >> 3);
      const pa = address(input);
      side.poke(
        entry,
        Uint8Array.from([
          ...le(pa, 4),
          ...le(input.u8() & 0x80 ? input.u32() : 0, 4),
          0,
          0,
          0,
          0,
          ...le(input.u32(), 4),
        ]),
      );
      return;
    }
    case OPERATION.write:
      side.write(HBA + (input.u16() & 0x3ff), SIZES[input.u8() & 3]!, input.u32(), input.u32());
      return;
    case OPERATION.read:
      side.read(HBA + (input.u16() & 0xfff), SIZES[input.u8() & 3]!);
      return;
    case OPERATION.poke:
      side.poke(AT.list + (input.u16() & 0x7fff), input.bytes(input.u8() & 63));
      return;
    case OPERATION.config:
      side.write(CONFIG + input.u8(), SIZES[input.u8() & 3]!, input.u32(), input.u32());
      return;
    case OPERATION.setUp:
      setUp(side);
      return;
    case OPERATION.restart:
      side.write(portAt(port) + 0x18, 4, 0x10);
      side.write(portAt(port) + 0x2c, 4, input.u8() & 0xf);
      side.write(portAt(port) + 0x2c, 4, 0);
      side.write(portAt(port) + 0x30, 4, -1);
      side.write(portAt(port) + 0x18, 4, 0x11);
      return;
    case OPERATION.index:
      side.write(PLATFORM.pciIo.base + PORTS_AT - PLATFORM.pciIo.first + 0x10, 4, input.u16());
      if (input.u8() & 1) side.write(PLATFORM.pciIo.base + PORTS_AT - PLATFORM.pciIo.first + 0x14, 4, input.u32());
      else side.read(PLATFORM.pciIo.base + PORTS_AT - PLATFORM.pciIo.first + 0x14, 4);
      return;
  }
}

export const fuzz: Target = guarded({ run: (data) => twin.run(data, operation) });

/** Commands of each kind: command, features, count, sector, kind of frame. */
const COMMANDS: readonly (readonly number[])[] = [
  [0xec, 0, 0, 0, 0x21],
  [0x25, 0, 4, 2, 0x21],
  [0x35, 0, 4, 2, 0x21],
  [0x20, 0, 1, 15, 0x21],
  [0x30, 0, 1, 0, 0x21],
  [0x60, 4, 3 << 3, 2, 0x23],
  [0x61, 4, 3 << 3, 2, 0x23],
  [0xea, 0, 0, 0, 0x21],
  [0xef, 3, 0x45, 0, 0x21],
  [0xc8, 0, 2, 15, 0x21],
  [0, 0, 0, 0, 0x24],
  [0, 0, 0, 0, 0x20],
  [0, 0, 0, 0, 0x01],
];

export const seeds = (): Uint8Array[] =>
  COMMANDS.map(([command, features, count, sector, kind]) => {
    const out = new Output();
    for (let n = 0; n < 4; n++)
      out
        .u8(OPERATION.region, n << 3, 0)
        .u16(0x200 * n)
        .u8(0)
        .u32(0x1ff);
    for (const port of [0, 0x80])
      out
        .u8(port | OPERATION.command, 3, command!)
        .u16(features!, count!, sector!)
        .u8(kind!, 0x40, 4, 0);
    out.u8(OPERATION.read).u16(0x110).u8(2).u8(OPERATION.restart, 1).u8(OPERATION.index).u16(0x28).u8(0);
    return out.finish();
  });

export const dictionary: readonly Uint8Array[] = [];
