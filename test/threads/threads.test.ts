/** CPUs against each other: taking turns on one thread, and on a thread each. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { EXIT } from '../../src/cli/errors.ts';
import { DEFAULT_MACHINE, type MachineCli, parseGuest } from '../../src/cli/options.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { start } from '../../src/cli/run.ts';
import { runThreads } from '../../src/cli/run-threads.ts';
import type { ThreadedMachine } from '../../src/emu/threads/threaded-machine.ts';
import { elfOf, IDLE, tinyElf } from '../support/images.ts';

const TORTURE = join(PROJECT_ROOT, 'build', 'threads', 'torture.elf');
const CHECKS = 13;

interface Outcome {
  readonly code: number;
  readonly lines: readonly string[];
}

const text = (bytes: readonly number[]): string[] =>
  String.fromCharCode(...bytes)
    .trimEnd()
    .split(/\r?\n/);

/** Runs on a thread for each CPU. */
async function threaded(
  image: string | undefined,
  more: Partial<MachineCli>,
  started?: (machine: ThreadedMachine) => void,
): Promise<Outcome> {
  const bytes: number[] = [];
  const cli = { ...DEFAULT_MACHINE, clock: 'host' as const, threads: true, timeout: 100, ...more };
  const code = await runThreads(image, cli, (b) => void bytes.push(...b), started);
  return { code, lines: text(bytes) };
}

/** Runs on one thread. */
async function inTurns(image: string, more: Partial<MachineCli>): Promise<Outcome> {
  const bytes: number[] = [];
  const { done } = await start(image, { ...DEFAULT_MACHINE, timeout: 100, ...more }, (b) => void bytes.push(...b));
  return { code: await done, lines: text(bytes) };
}

const folder = mkdtempSync(join(tmpdir(), 'loongscope-threads-'));
afterAll(() => rmSync(folder, { recursive: true }));
function imageFile(name: string, bytes: Uint8Array): string {
  const file = join(folder, name);
  writeFileSync(file, bytes);
  return file;
}

function expectAllOk({ code, lines }: Outcome, cpus: number): void {
  expect(lines.filter((l) => l.startsWith('FAIL'))).toEqual([]);
  expect(lines.filter((l) => l.startsWith('ok '))).toHaveLength(CHECKS);
  expect(lines.at(-1)).toBe(`cpus ${cpus}`);
  expect(code).toBe(0);
}

// Manual: 2.1.9, 2.2.8.1, 2.2.8.2
describe('atomic operations, locks, order, code and interrupts between CPUs', () => {
  test.each(['auto', 'jit', 'interpreter'] as const)('four CPUs in turns, %s', async (engine) => {
    expectAllOk(await inTurns(TORTURE, { smp: 4, append: 'cpus=4 rounds=2000', engine }), 4);
  });

  test.each([
    ['auto', 2],
    ['auto', 4],
    ['jit', 2],
    ['interpreter', 2],
  ] as const)('a thread each, %s, %i CPUs', async (engine, smp) => {
    expectAllOk(await threaded(TORTURE, { smp, append: `cpus=${smp} rounds=2000`, engine }), smp);
  });

  test('a hypervisor and its guest, a thread for each CPU', async () => {
    const { code, lines } = await threaded(undefined, {
      smp: 4,
      guest: [parseGuest('smp,vcpus=4,append=soak:500'), parseGuest('hello')],
    });
    expect(lines.filter((l) => /FAIL/.test(l))).toEqual([]);
    expect(lines.filter((l) => /^\[smp\] smp: ok/.test(l))).toHaveLength(8);
    expect(lines).toContain('[hello] Hello from a LoongArch guest');
    expect(code).toBe(0);
  });
});

const GED = 0x100e0000;
const UART = 0x1fe001e0;
/** Loads a constant below 2^31. */
const load = (register: string, value: number): string[] => [
  `lu12i.w ${register}, ${value >>> 12}`,
  `ori ${register}, ${register}, ${value & 0xfff}`,
];
const POWER_OFF = [...load('$t7', GED), 'addi.w $t8, $zero, 0x34', 'st.b $t8, $t7, 0x1c', 'b 0'];

describe('a machine with threads', () => {
  test('a reset brings every CPU back to its start', async () => {
    // Resets until two seconds have passed; time goes on through a reset, RAM does not survive it.
    const again = [
      ...load('$t0', UART),
      ...load('$t1', 0x300000),
      'ld.d $t2, $t1, 0',
      'addi.w $t3, $zero, 0x72',
      'add.w $t3, $t3, $t2',
      'st.b $t3, $t0, 0',
      'addi.w $t2, $zero, 1',
      'st.d $t2, $t1, 0',
      'rdtime.d $t4, $zero',
      ...load('$t5', 200_000_000),
      'bltu',
      ...POWER_OFF,
    ];
    const reset = [...load('$t7', GED), 'addi.w $t8, $zero, 0x42', 'st.b $t8, $t7, 0x1e', 'b 0'];
    const branch = again.findIndex((l) => l.startsWith('bltu'));
    again[branch] = `bltu $t4, $t5, ${4 * (again.length - branch)}`;
    const { code, lines } = await threaded(imageFile('reset.elf', elfOf([...again, ...reset])), { smp: 2 });
    expect(code).toBe(0);
    // RAM was cleared each time: always the same letter.
    expect(lines[0]).toMatch(/^r{2,}$/);
  });

  test('the host decides about 128-bit store-conditionals: the CPU has none', async () => {
    const SCQ = 30;
    const shift = ['addi.w $a0, $zero, 2', 'cpucfg $a1, $a0', `srli.d $a1, $a1, ${SCQ}`, 'andi $a1, $a1, 1'];
    const print = [...load('$t0', UART), 'addi.w $a1, $a1, 0x30', 'st.b $a1, $t0, 0'];
    const image = imageFile('scq.elf', elfOf([...shift, ...print, ...POWER_OFF]));
    expect((await inTurns(image, {})).lines).toEqual(['1']);
    expect((await threaded(image, {})).lines).toEqual(['0']);
  });

  test('CPUs that wait for ever end the run, unless keys may come', async () => {
    const image = imageFile('idle.elf', tinyElf(IDLE));
    expect((await threaded(image, { smp: 2 })).code).toBe(EXIT.died);
    const { code } = await threaded(image, { smp: 2 }, (machine) => {
      // Asked when every CPU waits.
      machine.expectInput(() => {
        setImmediate(() => machine.quit());
        return true;
      });
    });
    expect(code).toBe(EXIT.interrupted);
  });

  test.each([
    ['time', { timeout: 0.3 }],
    ['instructions', { maxInstructions: 3_000_000 }],
  ])('a limit of %s', async (_, more) => {
    expect((await threaded(imageFile('spin.elf', tinyElf()), more)).code).toBe(EXIT.limit);
  });

  test('keys reach the guest', async () => {
    const wait = [...load('$t0', UART), 'ld.b $t1, $t0, 5', 'andi $t1, $t1, 1', 'beq $t1, $zero, -8'];
    const echo = ['ld.b $t1, $t0, 0', 'addi.w $t1, $t1, 1', 'st.b $t1, $t0, 0'];
    const image = imageFile('echo.elf', elfOf([...wait, ...echo, ...POWER_OFF]));
    const { lines } = await threaded(image, {}, (machine) => machine.input(Uint8Array.from([65])));
    expect(lines).toEqual(['B']);
  });

  test('a file of --load starts on a CPU of its own', async () => {
    const other = elfOf(POWER_OFF);
    const v = new DataView(other.buffer);
    for (const at of [24, 64 + 16, 64 + 24]) v.setBigUint64(at, 0x9000000000400000n, true);
    const load = [{ file: imageFile('other.elf', other), cpu: 1 }];
    expect((await threaded(imageFile('spin.elf', tinyElf()), { smp: 2, load })).code).toBe(0);
  });

  test.each([
    [{ clock: 'virtual' }, /--threads has no virtual time: add --clock host/],
    [{ gdb: { host: '127.0.0.1', port: 0 } }, /leave --gdb or --threads out/],
    [{ audit: 'worldswitch' }, /leave --audit or --threads out/],
    [{ engine: 'check' }, /leave --threads out/],
    [{ snapshot: 'x' }, /leave --snapshot or --threads out/],
  ] as [Partial<MachineCli>, RegExp][])('%j does not go with threads', async (more, message) => {
    await expect(threaded(undefined, more)).rejects.toThrow(message);
  });
});

describe('host time on one thread', () => {
  test('a sleeping CPU wakes by the clock and costs nothing meanwhile', async () => {
    // One timer of 40 million ticks: 0.4 s.
    const TCFG = 0x41;
    const ECFG = 0x4;
    const code = [
      ...load('$t0', 1 << 11),
      `csrwr $t0, ${ECFG}`,
      ...load('$t0', 40_000_001),
      `csrwr $t0, ${TCFG}`,
      'idle 0',
      ...POWER_OFF,
    ];
    const before = process.cpuUsage();
    const began = performance.now();
    expect((await inTurns(imageFile('sleep.elf', elfOf(code)), { clock: 'host' })).code).toBe(0);
    const passed = performance.now() - began;
    const { user, system } = process.cpuUsage(before);
    expect(passed).toBeGreaterThan(400);
    expect((user + system) / 1000).toBeLessThan(passed);
  });

  test('a comparison of engines wants virtual time', async () => {
    await expect(inTurns(TORTURE, { clock: 'host', engine: 'check' })).rejects.toThrow(/use --clock virtual/);
  });
});
