/** Flash and fw_cfg, as firmware uses them. */
import { describe, expect, test } from 'vitest';
import { firmwareContents } from '../../src/emu/boot/firmware.ts';
import type { DeviceTime } from '../../src/emu/devices/device.ts';
import type { Dma } from '../../src/emu/devices/dma.ts';
import { Flash } from '../../src/emu/devices/flash.ts';
import { FW_CFG, FwCfg } from '../../src/emu/devices/fw-cfg.ts';
import { Ls7aRtc } from '../../src/emu/devices/ls7a-rtc.ts';

const both = (v: number): number => v * 0x10001;

describe('flash', () => {
  test('is erased and programmed by Intel’s commands, in both halves', () => {
    const flash = new Flash(Uint8Array.of(0, 1, 2, 3));
    expect([flash.read(0, 4), flash.read(4, 4)]).toEqual([0x03020100, 0xffffffff]);
    flash.write(0x100, 4, both(0x40));
    flash.write(0x100, 4, 0x12345678);
    expect(flash.read(0x100, 4)).toBe(both(0x80));
    flash.write(0, 4, both(0xff));
    expect(flash.read(0x100, 4)).toBe(0x12345678);
    // Programming clears bits, and never sets them.
    flash.write(0x100, 4, both(0x40));
    flash.write(0x100, 4, 0xffff0000);
    flash.write(0, 4, both(0xff));
    expect(flash.read(0x100, 4)).toBe(0x12340000);
    flash.write(0x100, 4, both(0x20));
    flash.write(0x100, 4, both(0xd0));
    flash.write(0, 4, both(0xff));
    expect([flash.read(0x100, 4), flash.read(0, 4)]).toEqual([0xffffffff, 0xffffffff]);
  });

  test('a buffered write, and an erase that is not confirmed', () => {
    const flash = new Flash();
    flash.write(0x200, 4, both(0xe8));
    expect(flash.read(0x200, 4)).toBe(both(0x80));
    flash.write(0x200, 4, both(1));
    flash.write(0x200, 4, 0x11111111);
    flash.write(0x204, 4, 0x22222222);
    flash.write(0x200, 4, both(0xd0));
    flash.write(0x200, 4, both(0x20));
    flash.write(0x200, 4, both(0xff));
    flash.write(0, 4, both(0xff));
    expect([flash.read(0x200, 4), flash.read(0x204, 4)]).toEqual([0x11111111, 0x22222222]);
  });

  test('says what it is', () => {
    const flash = new Flash();
    flash.write(0x154, 4, both(0x98));
    expect([0x10, 0x11, 0x12].map((n) => flash.read(4 * n, 4))).toEqual([0x51, 0x52, 0x59].map(both));
    // The table of the command set, at the word that the structure names.
    const word = (n: number): number => flash.read(4 * n, 4) & 0xff;
    const table = word(0x15) | (word(0x16) << 8);
    expect(String.fromCharCode(...[0, 1, 2, 3, 4].map((k) => word(table + k)))).toBe('PRI10');
    // Two chips of half the size; sectors of both together are 256 KiB.
    expect(2 * 2 ** word(0x27)).toBe(flash.size);
    const regions = [word(0x2d) | (word(0x2e) << 8), word(0x2f) | (word(0x30) << 8)];
    expect([(regions[0]! + 1) * 2 * regions[1]! * 256, 2 * regions[1]! * 256]).toEqual([flash.size, 0x40000]);
    flash.write(0, 4, both(0x90));
    expect([flash.read(0, 4), flash.read(4, 4)]).toEqual([both(0x89), both(0x18)]);
  });
});

describe('the clock of the day', () => {
  const at = (ms: number): DeviceTime => ({ ticks: () => 0, timeOfDay: () => ms, sooner: () => {} });

  test('keeps what is written to trims and alarms, which ring for no counter that is off, and nothing between them', () => {
    const rtc = new Ls7aRtc(at(0), (level) => expect(level).toBe(false));
    const kept = [0x20, 0x34, 0x38, 0x3c, 0x60, 0x6c, 0x70, 0x74];
    for (let n = 0; n < rtc.size; n += 4) if (kept.includes(n) || n >= 0x78 || n < 0x20) rtc.write(n, 4, n + 1);
    expect(kept.map((n) => rtc.read(n, 4))).toEqual(kept.map((n) => n + 1));
    expect([0, 0x1c, 0x78, 0xfc].map((n) => rtc.read(n, 4))).toEqual([0, 0, 0, 0]);
    rtc.reset();
    expect(kept.map((n) => rtc.read(n, 4))).toEqual(kept.map(() => 0));
  });

  test('stands at 0 until it is enabled, tells the date, and can be set', () => {
    const rtc = new Ls7aRtc(at(Date.UTC(2026, 10, 25, 13, 5, 9, 400)), () => {});
    const read = (n: number): number => rtc.read(n, 4);
    expect([read(0x2c), read(0x30), read(0x68)]).toEqual([0, 0, 0]);
    rtc.write(0x40, 4, 0x2900);
    const word = (month: number, day: number, hour: number, minute: number, second: number, tenth: number): number =>
      ((month << 26) | (day << 21) | (hour << 16) | (minute << 10) | (second << 4) | tenth) >>> 0;
    expect([read(0x2c), read(0x30)]).toEqual([word(11, 25, 13, 5, 9, 4), 126]);
    rtc.write(0x24, 4, word(2, 3, 4, 5, 6, 0));
    rtc.write(0x28, 4, 130);
    expect([read(0x2c), read(0x30)]).toEqual([word(2, 3, 4, 5, 6, 0), 130]);
    rtc.write(0x64, 4, 1000);
    expect(read(0x68)).toBe(1000);
  });
});

describe('fw_cfg', () => {
  const memory = new Uint8Array(0x4000);
  const dma: Dma = {
    read: (pa, n) => (pa + n <= memory.length ? memory.slice(pa, pa + n) : undefined),
    write: (pa, data) => {
      if (pa + data.length > memory.length) return false;
      memory.set(data, pa);
      return true;
    },
  };
  const contents = firmwareContents(
    { cpus: 2, ramSize: 2 ** 30 },
    { kernel: Uint8Array.of(7, 8, 9), initrd: undefined, commandLine: 'quiet' },
  );
  const device = new FwCfg(dma);
  device.fill(contents);
  const select = (key: number): void => device.write(8, 2, ((key & 0xff) << 8) | (key >> 8));
  const text = (n: number): string => Array.from({ length: n }, () => String.fromCharCode(device.read(0, 1))).join('');

  test('the traditional interface', () => {
    select(FW_CFG.signature);
    expect(text(4)).toBe('QEMU');
    select(FW_CFG.commandLine);
    expect(text(5)).toBe('quiet');
    select(0x3333);
    expect(device.read(0, 4)).toBe(0);
    select(FW_CFG.kernelSize);
    expect(device.read(0, 4)).toBe(3);
  });

  test('the directory names every file', () => {
    select(FW_CFG.directory);
    const byte = (): number => device.read(0, 1);
    const be32 = (): number => [byte(), byte(), byte(), byte()].reduce((a, b) => a * 256 + b, 0);
    const names = Array.from({ length: be32() }, () => {
      const size = be32();
      be32();
      return [text(56).replace(/\0.*/s, ''), size] as const;
    });
    expect(names.map(([n]) => n)).toEqual([...names.map(([n]) => n)].sort());
    expect(new Map(names)).toEqual(new Map(contents.files.map(([n, data]) => [n, data.length])));
  });

  const transfer = (control: number, length: number, address: number): number => {
    const request = new DataView(new ArrayBuffer(16));
    request.setUint32(0, control);
    request.setUint32(4, length);
    request.setBigUint64(8, BigInt(address));
    memory.set(new Uint8Array(request.buffer), 0x100);
    const swapped = new DataView(new ArrayBuffer(4));
    swapped.setUint32(0, 0x100);
    device.write(0x14, 4, swapped.getUint32(0, true));
    return new DataView(memory.buffer).getUint32(0x100);
  };

  test('DMA reads into memory, and tells of what it cannot', () => {
    expect(transfer((FW_CFG.kernel << 16) | 8 | 2, 3, 0x800)).toBe(0);
    expect([...memory.subarray(0x800, 0x803)]).toEqual([7, 8, 9]);
    expect(transfer((FW_CFG.kernel << 16) | 8 | 2, 3, 0x8000_0000)).toBe(1);
    expect(transfer((FW_CFG.kernel << 16) | 8 | 16, 3, 0x800)).toBe(1);
    // Any length, without taking any memory.
    expect(transfer((FW_CFG.kernel << 16) | 8 | 2, 0xffffffff, 0x800)).toBe(1);
  });

  test('the table loader’s pointers and checksums lie in its files', () => {
    const files = new Map(contents.files);
    const loader = files.get('etc/table-loader')!;
    expect(loader.length % 128).toBe(0);
    const kinds = new Map<number, number>();
    for (let at = 0; at < loader.length; at += 128) {
      const v = new DataView(loader.buffer, loader.byteOffset + at, 128);
      const nameAt = (n: number): string =>
        new TextDecoder().decode(loader.subarray(at + n, at + n + 56)).replace(/\0.*/s, '');
      const command = v.getUint32(0, true);
      kinds.set(command, (kinds.get(command) ?? 0) + 1);
      expect(files.has(nameAt(4))).toBe(true);
      if (command === 2)
        expect(v.getUint32(116, true) + v.getUint8(120)).toBeLessThanOrEqual(files.get(nameAt(4))!.length);
      if (command === 3)
        expect(v.getUint32(64, true) + v.getUint32(68, true)).toBeLessThanOrEqual(files.get(nameAt(4))!.length);
    }
    expect(kinds).toEqual(
      new Map([
        [1, 2],
        [2, 9],
        [3, 10],
      ]),
    );
  });
});
