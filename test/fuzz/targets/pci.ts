/** Configuration space, base address registers and messages, with devices that have something to say. */
import { PLATFORM } from '../../../src/emu/memory/physical-map.ts';
import { type Input, Output } from '../input.ts';
import { guarded, type Target } from '../oracle.ts';
import type { Side } from '../twin.ts';
import { configOf, deviceOperation, KINDS, msixOf, virtioTwin } from '../virtio-side.ts';

const twin = virtioTwin('pci');
const SIZES = [1, 2, 4, 8] as const;
const OPERATION = {
  readConfig: 0,
  writeConfig: 1,
  readAnywhere: 2,
  readMemory: 3,
  writeMemory: 4,
  message: 5,
  device: 6,
  bar: 7,
} as const;
const OPERATIONS = Object.keys(OPERATION).length;

/** Where a message may go: to the MSI controller, to some register of a device, anywhere. */
function target(input: Input): number {
  switch (input.u8() & 3) {
    case 0:
      return PLATFORM.msi.base;
    case 1:
      return PLATFORM.pciMemory.base + (input.u32() & 0x7ffff);
    case 2:
      return PLATFORM.ecam.base + (input.u32() & 0x3ffff);
    default:
      return input.u32();
  }
}

function operation(side: Side, input: Input): void {
  const code = input.u8();
  const device = (code >> 3) % KINDS.length;
  switch ((code & 7) % OPERATIONS) {
    case OPERATION.readConfig:
      side.read(configOf(device) + (input.u16() & 0xfff), SIZES[input.u8() & 3]!);
      return;
    case OPERATION.writeConfig:
      side.write(configOf(device) + (input.u16() & 0xfff), SIZES[input.u8() & 3]!, input.u32(), input.u32());
      return;
    case OPERATION.readAnywhere:
      side.read(PLATFORM.ecam.base + (input.u32() & (PLATFORM.ecam.size - 1)), 4);
      return;
    case OPERATION.readMemory:
      side.read(PLATFORM.pciMemory.base + (input.u32() & 0x7ffff), SIZES[input.u8() & 3]!);
      return;
    case OPERATION.writeMemory:
      side.write(PLATFORM.pciMemory.base + (input.u32() & 0x7ffff), SIZES[input.u8() & 3]!, input.u32(), input.u32());
      return;
    case OPERATION.message: {
      // A message of the table, unmasked, and MSI-X switched on.
      const at = msixOf(device) + 16 * (input.u8() & 3);
      side.write(at, 4, target(input));
      side.write(at + 4, 4, 0);
      side.write(at + 8, 4, input.u32());
      side.write(at + 12, 4, input.u8() & 1);
      side.write(configOf(device) + 0x98 + 2, 2, 0x8000);
      return;
    }
    case OPERATION.device:
      deviceOperation(side, 'pci', device, input);
      return;
    case OPERATION.bar: {
      // Devices over each other, over RAM, and nowhere.
      side.write(configOf(device) + 0x10 + 4 * (input.u8() & 7), 4, input.u32());
      return;
    }
  }
}

export const fuzz: Target = guarded({ run: (data) => twin.run(data, operation) });

/** Each device: its configuration space, its registers, a message and a request. */
export const seeds = (): Uint8Array[] =>
  KINDS.map((_, device) => {
    const code = device << 3;
    const out = new Output();
    for (let at = 0; at < 0x100; at += 4)
      out
        .u8(code | OPERATION.readConfig)
        .u16(at)
        .u8(2);
    out
      .u8(code | OPERATION.message, 1, 0)
      .u32(0x42)
      .u8(0);
    out
      .u8(code | OPERATION.writeMemory)
      .u32(device * 0x10000 + 0x1a)
      .u8(1)
      .u32(1, 0);
    out
      .u8(code | OPERATION.device, 10, 0)
      .u16(1)
      .u8(1);
    out.u8(code | OPERATION.bar, 4).u32(0x40000000);
    out
      .u8(code | OPERATION.readMemory)
      .u32(0)
      .u8(2);
    return out.finish();
  });

export const dictionary: readonly Uint8Array[] = [];
