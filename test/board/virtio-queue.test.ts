/** Virtqueues without a bus: what the driver's side of the rings means. */
import { describe, expect, test } from 'vitest';
import type { Dma } from '../../src/emu/devices/dma.ts';
import { VirtioEntropy } from '../../src/emu/devices/virtio/entropy.ts';
import { STATUS, VirtioTransport } from '../../src/emu/devices/virtio/transport.ts';

const AT = { desc: 0x1000, driver: 0x2000, device: 0x3000, data: 0x4000 } as const;

/** A transport whose queue a driver has set up, and a count of its notifications of used buffers. */
function rig(): {
  readonly offer: () => void;
  readonly view: DataView;
  readonly told: () => number;
  readonly transport: VirtioTransport;
} {
  const memory = new Uint8Array(0x8000);
  const view = new DataView(memory.buffer);
  const dma: Dma = {
    read: (pa, n) => memory.slice(pa, pa + n),
    write: (pa, data) => {
      memory.set(data, pa);
      return true;
    },
  };
  let told = 0;
  const transport = new VirtioTransport(
    new VirtioEntropy(1),
    { dma, now: () => 0, unfinished: () => {} },
    {
      usedBuffers: () => told++,
      configChanged: () => {},
    },
  );
  transport.setStatus(STATUS.driverOk);
  Object.assign(transport.queues[0]!, { desc: AT.desc, driver: AT.driver, device: AT.device, ready: true, size: 4 });
  view.setBigUint64(AT.desc, BigInt(AT.data), true);
  view.setUint32(AT.desc + 8, 8, true);
  view.setUint16(AT.desc + 12, 2, true);
  let offered = 0;
  const offer = (): void => {
    view.setUint16(AT.driver + 2, ++offered, true);
    transport.notify(0);
  };
  return { offer, view, told: () => told, transport };
}

describe('indirect tables', () => {
  const TABLE = 0x5000;
  /** The queue's one descriptor is a table of `length` bytes, whose first descriptor is good. @returns used, status */
  function offered(length: number): [used: number, needsReset: boolean] {
    const { offer, view, transport } = rig();
    view.setBigUint64(AT.desc, BigInt(TABLE), true);
    view.setUint32(AT.desc + 8, length, true);
    view.setUint16(AT.desc + 12, 4, true);
    view.setBigUint64(TABLE, BigInt(AT.data), true);
    view.setUint32(TABLE + 8, 8, true);
    view.setUint16(TABLE + 12, 2, true);
    offer();
    return [view.getUint16(AT.device + 2, true), (transport.status & STATUS.needsReset) !== 0];
  }

  test.each([16, 32, 64])('%i bytes are whole descriptors', (length) => {
    expect(offered(length)).toEqual([1, false]);
  });

  test.each([0, 8, 17, 40])('%i bytes are none: the device asks for a reset', (length) => {
    expect(offered(length)).toEqual([0, true]);
  });
});

describe('used buffers', () => {
  test('VIRTQ_AVAIL_F_NO_INTERRUPT: the driver is not told until it takes the flag away', () => {
    const { offer, view, told } = rig();
    offer();
    expect(told()).toBe(1);
    view.setUint16(AT.driver, 1, true);
    offer();
    expect([told(), view.getUint16(AT.device + 2, true)]).toEqual([1, 2]);
    view.setUint16(AT.driver, 0, true);
    offer();
    expect(told()).toBe(2);
  });
});
