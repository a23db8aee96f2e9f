/** A driver of the 9P device that sends whatever it is given, without a machine around it. */
import { openShare, parseShare } from '../../src/cli/share.ts';
import { VirtioMmio } from '../../src/emu/devices/virtio/mmio.ts';
import { P9Session, VirtioP9 } from '../../src/emu/devices/virtio/p9.ts';

const MEMORY = 0x40000;
const QUEUE = { desc: 0x0, driver: 0x1000, used: 0x2000, request: 0x4000, answer: 0x20000 } as const;
const ENTRIES = 16;
/** What a driver writes to the registers of MMIO before its first request. */
const REGISTERS = [
  [0x24, 1],
  [0x20, 1],
  [0x70, 0xb],
  [0x30, 0],
  [0x38, ENTRIES],
  [0x80, QUEUE.desc],
  [0x90, QUEUE.driver],
  [0xa0, QUEUE.used],
  [0x44, 1],
  [0x70, 0xf],
] as const;
const NOTIFY = 0x50;

export class P9Driver {
  readonly device: VirtioMmio;
  private readonly memory = new Uint8Array(MEMORY);
  private readonly view = new DataView(this.memory.buffer);
  private sent = 0;

  /** @param spec of a folder, as `--share` takes it */
  constructor(spec: string) {
    const { memory } = this;
    const inside = (pa: number, length: number): boolean => pa >= 0 && pa + length <= MEMORY;
    const dma = {
      read: (pa: number, length: number) => (inside(pa, length) ? memory.slice(pa, pa + length) : undefined),
      write: (pa: number, data: Uint8Array) => {
        if (!inside(pa, data.length)) return false;
        memory.set(data, pa);
        return true;
      },
    };
    this.device = new VirtioMmio(
      new VirtioP9('host', new P9Session(openShare(parseShare(spec)))),
      { dma, now: () => 0, unfinished: () => {} },
      () => {},
    );
    this.setUp();
  }

  /** As after power-on, with its queue. */
  setUp(): void {
    this.memory.fill(0, 0, QUEUE.request);
    this.sent = 0;
    this.device.reset();
    for (const [at, value] of REGISTERS) this.device.write(at, 4, value);
  }

  private descriptor(n: number, pa: number, length: number, flags: number, next: number): void {
    const { view } = this;
    view.setBigUint64(QUEUE.desc + 16 * n, BigInt(pa), true);
    view.setUint32(QUEUE.desc + 16 * n + 8, length, true);
    view.setUint16(QUEUE.desc + 16 * n + 12, flags, true);
    view.setUint16(QUEUE.desc + 16 * n + 14, next, true);
  }

  /** Sends a message. @param room bytes for the answer @returns the answer, empty when there is none */
  exchange(message: Uint8Array, room: number): Uint8Array {
    const { view, memory } = this;
    memory.set(message, QUEUE.request);
    this.descriptor(0, QUEUE.request, message.length, 1, 1);
    this.descriptor(1, QUEUE.answer, room, 2, 0);
    view.setUint16(QUEUE.driver + 4 + 2 * (this.sent % ENTRIES), 0, true);
    const entry = QUEUE.used + 4 + 8 * (this.sent % ENTRIES);
    view.setUint32(entry + 4, 0, true);
    this.sent = (this.sent + 1) & 0xffff;
    view.setUint16(QUEUE.driver + 2, this.sent, true);
    this.device.write(NOTIFY, 4, 0);
    return memory.subarray(QUEUE.answer, QUEUE.answer + Math.min(room, view.getUint32(entry + 4, true)));
  }
}
