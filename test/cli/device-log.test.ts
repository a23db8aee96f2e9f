/** `--log device`: what a device leaves out is told, each kind once, with the place. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { DEFAULT_MACHINE, parseLog } from '../../src/cli/options.ts';
import { start } from '../../src/cli/run.ts';
import { Omissions } from '../../src/emu/devices/omissions.ts';
import { VirtioEntropy } from '../../src/emu/devices/virtio/entropy.ts';
import { VirtioMmio } from '../../src/emu/devices/virtio/mmio.ts';
import { elfOf } from '../support/images.ts';
import { TestMachine } from '../support/test-machine.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-device-log-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a program that uses what is missing: a line each, once, with the instruction', async () => {
  const image = join(folder, 'image.elf');
  const log = join(folder, 'log');
  const load = (register: string, value: number): string[] => [
    `lu12i.w ${register}, ${(value << 0) >> 12}`,
    `ori ${register}, ${register}, ${value & 0xfff}`,
  ];
  const twice = ['iocsrwr.w $t1, $t0', 'iocsrrd.w $t2, $t0', 'st.b $t1, $t3, 6', 'st.h $t1, $t4, 0x20'];
  const off = ['ori $t1, $zero, 0x34', ...load('$t0', 0x100e001c), 'st.b $t1, $t0, 0'];
  const setUp = [...load('$t0', 0x1058), 'ori $t1, $zero, 5', ...load('$t3', 0x1fe001e0), ...load('$t4', 0x100d0100)];
  writeFileSync(image, elfOf([...setUp, ...twice, ...twice, ...off]));
  const cli = { ...DEFAULT_MACHINE, serial: { kind: 'null' } as const, log: parseLog(`device=${log}`), quiet: true };
  const { done } = await start(image, cli, () => {});
  expect(await done).toBe(0);
  const first = 0x200000 + 4 * setUp.length;
  const place = (n: number): string => `(cpu0 at 0x${(first + 4 * n).toString(16)})`;
  expect(readFileSync(log, 'utf8').trimEnd().split('\n')).toEqual([
    `device iocsr: store to 0x1058: no register (0x5) ${place(0)}`,
    `device iocsr: load from 0x1058: no register ${place(1)}`,
    `device uart0: LSR and MSR are written in factory tests only (0x5) ${place(2)}`,
    `device rtc: it takes stores of four bytes only: a narrow one is lost ${place(3)}`,
  ]);
});

describe('omissions', () => {
  test('a guest cannot make up kinds without an end', () => {
    const omissions = new Omissions();
    const lines: string[] = [];
    omissions.listener = (line) => lines.push(line);
    for (let n = 0; n < 5000; n++) omissions.noRegister('x', n, true, n);
    expect(lines.length).toBe(1001);
    expect(lines.at(-1)).toBe('1000 kinds were told: no more follow');
  });

  test('a kind is not used up while nobody listens', () => {
    const omissions = new Omissions();
    const lines: string[] = [];
    omissions.say('x', 'y');
    omissions.listener = (line) => lines.push(line);
    omissions.say('x', 'y', 1);
    omissions.say('x', 'y', 2);
    expect(lines).toEqual(['x: y (0x1)']);
  });

  test('on a board that answers everywhere: addresses, cores and CPUs that are not there, and flash', () => {
    const bench = new TestMachine({ cpus: 2, board: 'ls3a5000' });
    const { machine } = bench;
    const lines: string[] = [];
    machine.omissions.listener = (line) => lines.push(line);
    machine.bus.read(0x1ff00000, 4);
    machine.bus.read(0x1ff00000, 4, true);
    machine.bus.write(0x1ff00000, 8, 1, 0);
    machine.bus.write(0x1fe01320, 8, 1, 0);
    machine.bus.read(0x1fe001a0, 4);
    machine.bus.write(0x1d000000, 4, 0x60, 0);
    machine.iocsr.write(0, 0x1040, 4, 9 << 16, 0);
    machine.iocsr.write(0, 0x1048, 8, 9 << 16, 0);
    machine.iocsr.write(0, 0x1048, 4, 9 << 16, 0);
    expect(lines).toEqual([
      'bus: load from 0x1ff00000: nothing is there',
      'bus: store to 0x1ff00000: nothing is there',
      'chip0: core 3 is not there',
      'iocsr: load from 0x1a0: no register',
      'flash1: sectors cannot be locked',
      'ipi: an interrupt for a CPU that is not there (0x9)',
      'iocsr: mail to a CPU that is not there (0x9)',
      'iocsr: Mail_Send and ANY_Send take one 64-bit store: a narrow one is lost',
    ]);
  });

  test('a virtio device says why it asks for a reset', () => {
    const omissions = new Omissions();
    const lines: string[] = [];
    omissions.listener = (line) => lines.push(line);
    const dma = { read: () => undefined, write: () => false };
    const surroundings = { dma, now: () => 0, unfinished: () => {}, omissions };
    const kind = new VirtioEntropy(1);
    const device = new VirtioMmio(kind, surroundings, () => {});
    for (const [at, value] of [
      [0x70, 3],
      [0x24, 1],
      [0x20, 1],
      [0x70, 0xb],
      [0x38, 4],
      [0x44, 1],
      [0x70, 0xf],
      [0x50, 0],
    ] as const)
      device.write(at, 4, value);
    expect(lines).toEqual([`${kind.name}: asks for a reset: a queue is not in RAM`]);
  });
});
