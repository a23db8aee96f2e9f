/** Virtqueues without a bus: what the driver's side of the rings means. */
import { describe, expect, test } from 'vitest';
import type { Dma } from '../../src/emu/devices/dma.ts';
import { VirtioEntropy } from '../../src/emu/devices/virtio/entropy.ts';
import { lateness } from '../../src/emu/devices/virtio/queue.ts';
import { type LateRequests, STATUS, VirtioTransport } from '../../src/emu/devices/virtio/transport.ts';

const AT = { desc: 0x1000, driver: 0x2000, device: 0x3000, data: 0x4000 } as const;

/** A transport whose queue a driver has set up, and a count of its notifications of used buffers. */
function rig(late?: LateRequests): {
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
    { dma, now: () => 0, unfinished: () => {}, ...(late && { late }) },
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

describe('late requests', () => {
  /** Three requests of the one buffer, at three places, in one notification that is spread. */
  function spread(most: number): ReturnType<typeof rig> & { at: (tick: number) => number[]; sooner: () => number } {
    let [now, sooner] = [0, 0];
    const all = rig({ ticks: () => now, sooner: () => sooner++, spread: () => most });
    const { view, transport } = all;
    for (let n = 0; n < 3; n++) {
      view.setBigUint64(AT.desc + 16 * n, BigInt(AT.data + 8 * n), true);
      view.setUint32(AT.desc + 16 * n + 8, 8, true);
      view.setUint16(AT.desc + 16 * n + 12, 2, true);
      view.setUint16(AT.driver + 4 + 2 * n, n, true);
    }
    view.setUint16(AT.driver + 2, 3, true);
    transport.notify(0);
    /** The heads of the answers at a tick, in their order. */
    const at = (tick: number): number[] => {
      now = tick;
      if (transport.deadline <= now) transport.expire(now);
      const used = view.getUint16(AT.device + 2, true);
      return Array.from({ length: used }, (_, n) => view.getUint32(AT.device + 4 + 8 * n, true));
    };
    return { ...all, at, sooner: () => sooner };
  }
  const filled = (view: DataView, n: number): boolean => view.getBigUint64(AT.data + 8 * n, true) !== 0n;
  /** A value with which the second request is not late, and the third one less than the first. */
  const MOST = Array.from({ length: 1000 }, (_, n) => n + 100).find(
    (most) => lateness(most, 1) === 0 && lateness(most, 2) > 1 && lateness(most, 2) < most,
  )!;

  test('are answered each at its time, so that others overtake them; a buffer is filled at its answer', () => {
    const { at, view, told, sooner, transport } = spread(MOST);
    expect([sooner(), at(0), told()]).toEqual([1, [1], 1]);
    expect([0, 1, 2].map((n) => filled(view, n))).toEqual([false, true, false]);
    const third = lateness(MOST, 2);
    expect(transport.deadline).toBe(third);
    expect(at(third - 1)).toEqual([1]);
    expect(at(third)).toEqual([1, 2]);
    expect(at(MOST - 1)).toEqual([1, 2]);
    expect(at(MOST)).toEqual([1, 2, 0]);
    expect([0, 1, 2].map((n) => filled(view, n))).toEqual([true, true, true]);
    expect([told(), transport.deadline]).toEqual([3, Number.POSITIVE_INFINITY]);
  });

  test('without a spread nothing is late', () => {
    const { at, sooner } = spread(0);
    expect([at(0), sooner()]).toEqual([[0, 1, 2], 0]);
  });

  test('are lost with a reset, and with a device that is not in use', () => {
    const { at, transport } = spread(MOST);
    transport.status = 0;
    expect(at(MOST)).toEqual([1]);
    expect(transport.deadline).toBe(Number.POSITIVE_INFINITY);
    const second = spread(MOST);
    second.transport.setStatus(0);
    expect(second.transport.deadline).toBe(Number.POSITIVE_INFINITY);
  });

  test('a driver that offers more than its queue holds is told to reset', () => {
    const { offer, view, transport } = rig({ ticks: () => 0, sooner: () => {}, spread: () => 5 });
    for (let n = 0; n < 4; n++) offer();
    expect(transport.status & STATUS.needsReset).toBe(0);
    offer();
    expect([view.getUint16(AT.device + 2, true), transport.status & STATUS.needsReset]).toEqual([0, STATUS.needsReset]);
  });
});
