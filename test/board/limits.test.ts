/** Numbers that a guest chooses cost no more than what they are about is worth. */

import { mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { decompress } from '../../src/cli/decompress.ts';
import { CopyOnWrite, openDrive } from '../../src/cli/drives.ts';
import { GrowingFile } from '../../src/cli/growing-file.ts';
import { openNet } from '../../src/cli/network.ts';
import { nodeRuntime } from '../../src/cli/node-runtime.ts';
import { readSnapshot } from '../../src/cli/snapshots.ts';
import { featuresOf } from '../../src/emu/cpu/features.ts';
import { VcpuStates } from '../../src/emu/debug/context.ts';
import { LoopDetector } from '../../src/emu/debug/loops.ts';
import { FwCfg } from '../../src/emu/devices/fw-cfg.ts';
import { Ls7aRtc } from '../../src/emu/devices/ls7a-rtc.ts';
import { Uart16550 } from '../../src/emu/devices/uart16550.ts';
import { type Disk, VirtioBlock } from '../../src/emu/devices/virtio/block.ts';
import { VirtioConsole } from '../../src/emu/devices/virtio/console.ts';
import type { VirtioKind } from '../../src/emu/devices/virtio/device.ts';
import { VirtioEntropy } from '../../src/emu/devices/virtio/entropy.ts';
import { VirtioMmio } from '../../src/emu/devices/virtio/mmio.ts';
import { VirtioNet } from '../../src/emu/devices/virtio/net.ts';
import { Machine } from '../../src/emu/machine/machine.ts';
import { History } from '../../src/emu/replay/history.ts';
import { restoreFields, saveFields } from '../../src/emu/state/fields.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-limits-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DESC = 0x1000;
const DRIVER = 0x2000;
const USED = 0x3000;
const TABLE = 0x4000;
const DATA = 0x8000;
const STATUS = 0x70;
const NEEDS_RESET = 0x40;
const SIZE = 16;

/** A device on the bus itself, with a driver's hands on it. */
class Rig {
  readonly memory = new Uint8Array(0x100000);
  readonly view = new DataView(this.memory.buffer);
  readonly device: VirtioMmio;
  reads = 0;
  /** Longest single read and write that the device has tried. */
  longest = 0;
  unfinished = 0;

  constructor(kind: VirtioKind, queue = 0) {
    const dma = {
      read: (pa: number, n: number) => {
        // What has no end would have none here either.
        if (++this.reads > 10_000) throw new Error('the device reads without an end');
        if (pa + n > this.memory.length) return undefined;
        this.longest = Math.max(this.longest, n);
        return this.memory.slice(pa, pa + n);
      },
      write: (pa: number, data: Uint8Array) => {
        if (pa + data.length > this.memory.length) return false;
        this.longest = Math.max(this.longest, data.length);
        this.memory.set(data, pa);
        return true;
      },
    };
    this.device = new VirtioMmio(
      kind,
      { dma, now: nodeRuntime.now, unfinished: () => void this.unfinished++ },
      () => {},
    );
    for (const [at, value] of [
      [STATUS, 3],
      [0x24, 1],
      [0x20, 1],
      [STATUS, 0xb],
      [0x30, queue],
      [0x38, SIZE],
      [0x80, DESC],
      [0x90, DRIVER],
      [0xa0, USED],
      [0x44, 1],
      [STATUS, 0xf],
    ] as const)
      this.device.write(at, 4, value);
    this.reads = 0;
  }

  descriptor(n: number, pa: number, length: number, flags: number, next = 0, table = DESC): this {
    this.view.setBigUint64(table + 16 * n, BigInt(pa), true);
    this.view.setUint32(table + 16 * n + 8, length, true);
    this.view.setUint16(table + 16 * n + 12, flags, true);
    this.view.setUint16(table + 16 * n + 14, next, true);
    return this;
  }

  /** Offers requests up to number `index`, all with head 0, and rings. */
  offer(index: number, queue = 0): this {
    this.view.setUint16(DRIVER + 2, index, true);
    this.device.write(0x50, 4, queue);
    return this;
  }

  get needsReset(): boolean {
    return (this.device.read(STATUS, 4) & NEEDS_RESET) !== 0;
  }

  get used(): number {
    return this.view.getUint16(USED + 2, true);
  }
}

const disk = (read: (length: number) => void = () => {}): Disk => ({
  size: 2 ** 20,
  readOnly: false,
  read: (_, length) => {
    read(length);
    return new Uint8Array(length);
  },
  write: () => {},
  flush: () => {},
});

describe('a chain of descriptors is no longer than its queue', () => {
  test('an indirect table of 4 GiB with an empty descriptor that links to itself', () => {
    const rig = new Rig(new VirtioEntropy(1)).descriptor(0, TABLE, 0xfffffff0, 4).descriptor(0, DATA, 0, 1, 0, TABLE);
    rig.offer(1);
    expect(rig.needsReset).toBe(true);
    expect(rig.reads).toBeLessThan(4 * SIZE);
  });

  test('an indirect table that is the ring itself, and one in a table', () => {
    expect(new Rig(new VirtioEntropy(1)).descriptor(0, DESC, 16 * SIZE, 4).offer(1).needsReset).toBe(true);
  });

  test('a table may be longer than the queue, a chain in it not', () => {
    const chained = (n: number): Rig => {
      const rig = new Rig(new VirtioEntropy(1)).descriptor(0, TABLE, 16 * 64, 4);
      for (let k = 0; k < n; k++) rig.descriptor(k, DATA + k, 1, k === n - 1 ? 2 : 3, k + 1, TABLE);
      return rig.offer(1);
    };
    expect([chained(SIZE).needsReset, chained(SIZE).used]).toEqual([false, 1]);
    expect(chained(SIZE + 1).needsReset).toBe(true);
  });

  test('more requests than the ring has places', () => {
    const rig = new Rig(new VirtioEntropy(1)).descriptor(0, DATA, 1, 2);
    expect(rig.offer(SIZE).used).toBe(SIZE);
    expect(rig.offer(2 * SIZE + 1).needsReset).toBe(true);
  });
});

describe('addresses', () => {
  test('what a queue’s address has beyond the machine’s is not dropped', () => {
    const rig = new Rig(new VirtioEntropy(1)).descriptor(0, DATA, 1, 2);
    rig.device.write(0x84, 4, 0x80000000);
    expect(rig.offer(1).needsReset).toBe(true);
  });

  test('a console whose queue is nowhere is no error when keys come', () => {
    const kind = new VirtioConsole(() => {});
    const rig = new Rig(kind);
    rig.device.write(0x94, 4, 0x100);
    kind.receive([65]);
    expect(rig.needsReset).toBe(true);
  });

  test('a message to the doorbell of its own device, or to any device but the interrupt controller, is lost', () => {
    const machine = machineWith([new VirtioEntropy(1)], 'pci');
    const { bus } = machine;
    const config = 0x20008000;
    const set = (size: 1 | 2 | 4, at: number, value: number): void => void bus.write(at, size, value, 0);
    set(2, config + 4, 6);
    set(4, config + 0x14, 0x40010000);
    set(4, config + 0x20, 0x40000000);
    set(2, config + 0x9a, 0x8000);
    for (const [size, at, value] of [
      [1, 0x14, 3],
      [4, 0x08, 1],
      [4, 0x0c, 1],
      [1, 0x14, 0xb],
      [2, 0x1a, 1],
      [4, 0x20, DESC],
      [4, 0x28, DRIVER],
      [4, 0x30, USED],
      [2, 0x1c, 1],
      [1, 0x14, 0xf],
    ] as const)
      set(size, 0x40000000 + at, value);
    // Each message would ring for the next request; here it would write to the console.
    set(4, 0x40010010, 0x1fe001e0);
    set(4, 0x40010018, 65);
    set(4, 0x4001001c, 0);
    machine.ram.write(DESC, Uint8Array.of(0, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0));
    machine.ram.write(DRIVER, Uint8Array.of(0, 0, 1, 0));
    set(2, 0x40003000, 0);
    expect(new DataView(machine.ram.read(USED, 4).buffer).getUint16(2, true)).toBe(1);
    expect(written).toEqual([]);
  });
});

const written: number[] = [];
function machineWith(virtio: readonly VirtioKind[], virtioOn: 'pci' | 'mmio', cpus = 1): Machine {
  const machine = new Machine({
    runtime: nodeRuntime,
    ramSize: 32 << 20,
    cpus,
    features: featuresOf('max', {}),
    seed: 7,
    console: (b) => written.push(b),
    cards: virtio,
    virtioOn,
  });
  const data = new Uint8Array(4);
  const image = { entry: BigInt(CODE), segments: [{ paddr: BigInt(CODE), vaddr: BigInt(CODE), memsz: 4, data }] };
  machine.load({ image, commandLine: '', extra: [] });
  return machine;
}

describe('memory', () => {
  test('frames that are too long are lost, and those that wait are few', () => {
    const frames: number[] = [];
    const kind = new VirtioNet([2, 0, 0, 0, 0, 1], { send: (f) => frames.push(f.length), connect: () => {} });
    const rig = new Rig(kind, 1).descriptor(0, DATA, 70_000, 0);
    expect([rig.offer(1, 1).used, frames.length]).toEqual([1, 0]);
    rig.descriptor(0, DATA, 9012, 0).offer(2, 1);
    expect(frames).toEqual([9000]);

    let receive: (frame: Uint8Array) => void = () => {};
    const waiting = new VirtioNet([2, 0, 0, 0, 0, 1], { send: () => {}, connect: (r) => void (receive = r) });
    for (let n = 0; n < 300; n++) receive(new Uint8Array(60_000));
    const kept = Object.values(saveFields(waiting)).flat() as ArrayLike<number>[];
    expect(kept.reduce((sum, f) => sum + f.length, 0)).toBeLessThanOrEqual(2 ** 20);
    expect(kept.every((f) => f instanceof Uint8Array)).toBe(true);
  });

  test('a frame without a header does not come back', () => {
    const loopback = openNet({ kind: 'loopback' })!;
    const back: number[] = [];
    loopback.connect((frame) => back.push(frame.length));
    for (const length of [0, 1, 6, 13, 14, 60]) loopback.send(new Uint8Array(length));
    expect(back).toEqual([14, 60]);
  });

  test('a failing request of the disk writes its zeros in pieces', () => {
    const rig = new Rig(new VirtioBlock('disk0', disk())).descriptor(0, DATA, 16, 1, 1);
    rig.view.setUint32(DATA, 77, true);
    rig.descriptor(1, 0x10000, 0xe0000, 3, 2).descriptor(2, 0x9000, 1, 2).offer(1);
    expect([rig.used, rig.memory[0x9000]]).toEqual([1, 2]);
    expect(rig.longest).toBeLessThanOrEqual(0x10000);
  });

  test('what a UART loops back and nobody reads does not wait', () => {
    const uart = new Uart16550('uart0', () => {}, { send: () => {} });
    uart.write(2, 1, 1);
    uart.write(4, 1, 0x10);
    for (let n = 0; n < 1000; n++) uart.write(0, 1, n);
    expect(uart.read(5, 1) & 3).toBe(3);
    for (let n = 0; n < 16; n++) expect(uart.read(0, 1)).toBe(n);
    expect(uart.read(5, 1) & 1).toBe(0);
  });

  test('much input of a UART comes in order', () => {
    const uart = new Uart16550('uart0', () => {}, { send: () => {} });
    const input = Uint8Array.from({ length: 1000 }, (_, n) => n);
    uart.receive(input.subarray(0, 500));
    const got: number[] = [];
    for (let n = 0; n < 1000; n++) {
      if (n === 250) uart.receive(input.subarray(500));
      if (n === 600) restoreFields(uart, saveFields(uart));
      got.push(uart.read(0, 1));
    }
    expect(got).toEqual([...input]);
  });

  test('a disk with copy-on-write takes so much and no more; the guest gets an error', () => {
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const small = new CopyOnWrite(disk(), 0x4000);
    for (let n = 0; n < 4; n++) small.write(n * 0x1000, new Uint8Array(0x1000).fill(n + 1));
    small.write(0x800, new Uint8Array(512).fill(9));
    expect(() => small.write(0x10000, new Uint8Array(512))).toThrow();
    expect(() => small.write(0x20000, new Uint8Array(512))).toThrow();
    expect(said.mock.calls.map((c) => String(c[0])).join('')).toMatch(/^loongscope: warning: --drive: .*\n$/);
    said.mockRestore();
    expect([small.read(0, 512)[0], small.read(0x800, 512)[0], small.read(0xa00, 512)[0]]).toEqual([1, 9, 1]);
  });

  test('copies of a machine share a disk’s changes, and what they hold alone is counted', () => {
    const changes = new CopyOnWrite(disk());
    const machine = machineWith([new VirtioBlock('disk0', changes)], 'mmio');
    changes.write(0, new Uint8Array(2 ** 20).fill(1));
    const first = machine.save();
    const held = new Set(
      first.parts
        .flatMap((p) => Object.values(p))
        .filter((v) => v instanceof Map)
        .flatMap((m) => [...m.values()]),
    );
    changes.write(0, new Uint8Array(4096).fill(2));
    expect([...machine.sharedArrays()].filter((a) => !held.has(a)).length).toBe(1);
    expect(changes.read(0, 512)[0]).toBe(2);
    machine.restore(first);
    expect(changes.read(0, 512)[0]).toBe(1);

    const history = new History(machine, []);
    history.enable(true);
    history.run(1);
    const before = history.copies.bytes;
    changes.write(0, new Uint8Array(2 ** 20).fill(3));
    expect(history.copies.bytes - before).toBe(2 ** 20);
  });

  test('registers are kept of a thousand vCPUs, and no more', () => {
    const bench = new TestMachine();
    const states = new VcpuStates(bench.machine.ram);
    states.key = { kind: 'gpr', num: 4 };
    for (let n = 0; n < 1500; n++) {
      bench.set({ a0: n });
      states.enter(bench.cpu);
      bench.machine.time = n;
      states.exit(bench.cpu, 1);
    }
    expect(states.vcpus().length).toBe(1024);
    expect(states.get(1, 1499)).toBeDefined();
  });

  test('a guest that stalls at one place after the other is reported so often and no more', () => {
    const loops = new LoopDetector();
    const reports = Array.from({ length: 1000 }, (_, n) =>
      loops.report({ world: 1, pc: BigInt(n), text: '', round: [], hopeless: false }),
    );
    expect(reports.filter(Boolean).length).toBe(64);
  });
});

describe('time', () => {
  test('fw_cfg refuses to write gigabytes of zeros', () => {
    const memory = new Uint8Array(0x1000);
    let pieces = 0;
    const device = new FwCfg({
      read: (pa, n) => memory.slice(pa, pa + n),
      write: (pa, data) => {
        if (data.length > 16) pieces++;
        else memory.set(data, pa);
        return true;
      },
    });
    const request = new DataView(memory.buffer, 0x100);
    request.setUint32(0, (5 << 16) | 8 | 2);
    request.setUint32(4, 0xf0000000);
    device.write(0x14, 4, 0x00010000);
    expect([request.getUint32(0), pieces]).toEqual([1, 0]);
  });

  test('requests that take long are done in pieces, and the guest does not see that', () => {
    const until = (ms: number): void => {
      for (const began = performance.now(); performance.now() - began < ms; );
    };
    const run = (slow: boolean, cpus: number): { pieces: number; used: number; machine: Machine } => {
      const machine = machineWith(
        [
          new VirtioBlock(
            'disk0',
            disk(() => until(slow ? 6 : 0)),
          ),
        ],
        'mmio',
        cpus,
      );
      const set = (at: number, value: number): void => void machine.bus.write(0x16000000 + at, 4, value, 0);
      for (const [at, value] of [
        [STATUS, 3],
        [0x24, 1],
        [0x20, 1],
        [STATUS, 0xb],
        [0x38, SIZE],
        [0x80, DESC],
        [0x90, DRIVER],
        [0xa0, USED],
        [0x44, 1],
        [STATUS, 0xf],
      ] as const)
        set(at, value);
      const memory = new DataView(new ArrayBuffer(0x2000));
      for (const [n, pa, length, flags] of [
        [0, DATA, 16, 1],
        [1, 0xa000, 512, 3],
        [2, 0xb000, 1, 2],
      ] as const) {
        memory.setUint32(16 * n, pa, true);
        memory.setUint32(16 * n + 8, length, true);
        memory.setUint32(16 * n + 12, flags | ((n + 1) << 16), true);
      }
      memory.setUint16(0x1002, SIZE, true);
      machine.ram.write(DESC, new Uint8Array(memory.buffer));
      const bench = new TestMachine({ code: ['st.w $zero, $a0, 0', 'ld.hu $a1, $a2, 2', 'b 0'] });
      machine.ram.write(CODE, bench.machine.ram.read(CODE, 12));
      const cpu = machine.cpus[0]!;
      cpu.setGpr(4, 0x16000050n);
      cpu.setGpr(6, BigInt(USED));
      let pieces = 0;
      for (; machine.instructions < 3; pieces++) machine.run(1000, 3);
      return { pieces, used: Number(cpu.gpr(5)), machine };
    };
    for (const cpus of [1, 2]) {
      const [quick, slow] = [run(false, cpus), run(true, cpus)];
      expect([quick.pieces, quick.used, slow.used]).toEqual([1, SIZE, SIZE]);
      expect(slow.pieces).toBeGreaterThan(3);
      expect(slow.machine.save().parts).toEqual(quick.machine.save().parts);
    }
  });

  test('a run comes back when its time is over, however slow the instructions are', () => {
    const bench = new TestMachine({ code: ['ld.w $a0, $a1, 0', 'st.w $a0, $a1, 0x24', 'b -8'] }).set({
      a1: 0x100d0100,
    });
    bench.machine.patienceMs = 5;
    const began = performance.now();
    expect(bench.machine.run(2e7)).toBe('slice');
    expect(bench.machine.instructions).toBeLessThan(2e7);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  test('a timer whose interrupt is pending already wakes nobody', () => {
    const bench = new TestMachine({ code: ['csrwr $a0, TCFG', 'idle 0', 'b -4'] }).set({ a0: 3 });
    expect(bench.machine.run(100_000)).toBe('waiting');
  });

  test('a year beyond all dates leaves the clock as it is', () => {
    const rtc = new Ls7aRtc({ ticks: () => 0, timeOfDay: () => Date.UTC(2026, 0, 1), sooner: () => {} }, () => {});
    rtc.write(0x40, 4, 0x900);
    rtc.write(0x28, 4, 0xffffffff);
    expect(rtc.read(0x30, 4)).toBe(126);
  });
});

/** A file of zstd that begins with some bytes; zeros follow, of which 128 KiB take four bytes (RFC 8878, section 3.1.1.2). */
function bomb(begin: Uint8Array, zeros: number): Uint8Array {
  const BLOCK = 2 ** 17;
  const block = (type: number, size: number, last: number): number[] => {
    const header = (size << 3) | (type << 1) | last;
    return [header & 0xff, (header >> 8) & 0xff, header >> 16];
  };
  const out = [0x28, 0xb5, 0x2f, 0xfd, 0, 0x38, ...block(0, begin.length, 0), ...begin];
  for (let n = zeros / BLOCK; n > 0; n--) out.push(...block(1, BLOCK, n === 1 ? 1 : 0), 0);
  return Uint8Array.from(out);
}

describe('files', () => {
  test('a disk image that became shorter is an I/O error of the guest', () => {
    const file = join(folder, 'disk');
    writeFileSync(file, new Uint8Array(0x10000));
    const image = openDrive({ file, readOnly: false, copyOnWrite: false });
    truncateSync(file, 512);
    const rig = new Rig(new VirtioBlock('disk0', image)).descriptor(0, DATA, 16, 1, 1);
    rig.view.setBigUint64(DATA + 8, 8n, true);
    rig.descriptor(1, 0x10000, 512, 3, 2).descriptor(2, 0x9000, 1, 2).offer(1);
    expect([rig.used, rig.memory[0x9000]]).toEqual([1, 1]);
  });

  test('a file that is full, or has reached its limit, is said once', () => {
    const said: string[] = [];
    const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
    const full = new GrowingFile(openSync('/dev/full', 'w'), '--log: full');
    for (let n = 0; n < 3; n++) full.write(Buffer.from('line\n'));
    const file = join(folder, 'log');
    const limited = new GrowingFile(openSync(file, 'w'), '--log: limited', 12);
    for (let n = 0; n < 3; n++) limited.write(Buffer.from('line\n'));
    limited.close();
    spy.mockRestore();
    expect(said.length).toBe(2);
    expect(said[0]).toMatch(/^loongscope: warning: --log: full takes no more \(ENOSPC\): .*\n$/);
    expect(readFileSync(file, 'latin1')).toBe('line\nline\n');
  });

  test('recorded packets on a full disk leave the machine alone', () => {
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const net = openNet({ kind: 'dump', file: '/dev/full' })!;
    net.send(new Uint8Array(60));
    expect(said).toHaveBeenCalledTimes(1);
    said.mockRestore();
  });

  test('a snapshot unpacks to no more than its machine can hold', () => {
    const text = '{"program":"x","machine":{"cpus":1,"ramSize":16777216,"slots":["pci","virtio-rng"]}}';
    const begin = new Uint8Array(16 + text.length);
    begin.set(new TextEncoder().encode('LSCOPESN'));
    new DataView(begin.buffer).setUint32(8, 1, true);
    new DataView(begin.buffer).setUint32(12, text.length, true);
    begin.set(new TextEncoder().encode(text), 16);
    const file = join(folder, 'bomb');
    writeFileSync(file, bomb(begin, 2 ** 29));
    expect(() => readSnapshot(file)).toThrow(/is no snapshot, or damaged/);
  });

  test('the bombs of these tests unpack as they should', () => {
    expect(zstdDecompressSync(bomb(Uint8Array.of(1, 2), 2 ** 18)).length).toBe(2 + 2 ** 18);
  });

  test('a compressed kernel unpacks to no more than a kernel can be', () => {
    expect(() => decompress('zstd', bomb(Uint8Array.of(0x4d, 0x5a), 2 ** 28))).toThrow();
  });
});
