/** Queues in memory and the bell, for each kind of device, over PCI and over MMIO. */
import { Output } from '../input.ts';
import { guarded, type Target } from '../oracle.ts';
import type { Twin } from '../twin.ts';
import { deviceOperation, KINDS, OPERATION, virtioTwin } from '../virtio-side.ts';

const BUSES = ['pci', 'mmio'] as const;
const twins: readonly Twin[] = BUSES.map(virtioTwin);

export const fuzz: Target = guarded({
  run: (data) => {
    const first = data[0] ?? 0;
    const on = BUSES[first & 1]!;
    const device = (first >> 1) % KINDS.length;
    twins[first & 1]!.run(data.subarray(1), (side, input) => deviceOperation(side, on, device, input));
  },
});

/** A request of each kind on each bus. */
export const seeds = (): Uint8Array[] =>
  Array.from({ length: 2 * KINDS.length }, (_, first) => {
    const out = new Output().u8(first);
    for (const type of [0, 0x81, 4, 8]) out.u8(OPERATION.block, type).u16(1).u8(1);
    out.u8(OPERATION.data, 13).raw([13, 0, 0, 0, 100, 0xff, 0xff, 0, 0x20, 0, 0, 0, 0]).u8(64);
    // A chain on each queue: room for the device, then a frame that arrives.
    for (const queue of [0, 0x80]) {
      out
        .u8(OPERATION.descriptor, queue | 5, 0)
        .u16(0x3000)
        .u8(64, 2, 0);
      out.u8(OPERATION.submit, queue | 1, 5);
      out
        .u8(OPERATION.descriptor, queue | 6, 0)
        .u16(0x4000)
        .u8(16, 0, 0);
      out.u8(OPERATION.submit, queue | 1, 6);
    }
    out.u8(OPERATION.arrive, 20).raw(new Uint8Array(20).fill(7));
    out.u8(OPERATION.read).u16(0x14).u8(0).u8(OPERATION.setUp);
    return out.finish();
  });

export const dictionary: readonly Uint8Array[] = [];
