/** The conformance programs on loongscope, and on QEMU where there is one. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { parseElf } from '../../src/emu/board/elf.ts';
import { Machine } from '../../src/emu/board/machine.ts';
import { featuresOf } from '../../src/emu/cpu/features.ts';
import { QEMU_DEFECTS } from './qemu-defects.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const programs = readdirSync(here)
  .filter((f) => f.endsWith('.S'))
  .map((f) => f.replace('.S', ''));
const elf = (name: string): string => fileURLToPath(new URL(`../../build/conformance/${name}.elf`, import.meta.url));

interface Report {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  readonly skipped: boolean;
  /** The program has come to its end. */
  readonly complete: boolean;
}

function read(output: string): Report {
  const lines = output.split('\n').map((l) => l.trim());
  const named = (prefix: string): string[] =>
    lines.filter((l) => l.startsWith(prefix)).map((l) => l.slice(prefix.length).replace(/ \(got .*/, ''));
  return {
    passed: named('ok - '),
    failed: named('not ok - '),
    skipped: lines.some((l) => l.startsWith('# skipped')),
    complete: lines.some((l) => /^# (all|some) checks/.test(l)),
  };
}

function onLoongscope(name: string, features = featuresOf('max', { ptw: true, lbt: true })): Report {
  const output: number[] = [];
  const machine = new Machine({
    ramSize: 256 << 20,
    cpus: 1,
    features,
    seed: 1,
    console: (b) => output.push(b),
  });
  machine.load(parseElf(readFileSync(elf(name)), elf(name)), '');
  for (let slices = 0; slices < 50 && machine.run(2_000_000) === 'slice'; slices++);
  expect(machine.poweredOff, `${name} comes to its end`).toBe(true);
  return read(Buffer.from(output).toString('latin1'));
}

describe('conformance programs on loongscope', () => {
  test.each(programs)('%s: every check passes', (name) => {
    const { passed, failed, complete, skipped } = onLoongscope(name);
    expect(failed).toEqual([]);
    expect([complete, skipped]).toEqual([true, false]);
    expect(passed.length).toBeGreaterThan(5);
  });

  test('a CPU without a feature is told apart', () => {
    for (const name of ['ptw', 'lbt']) expect(onLoongscope(name, featuresOf('max')).skipped, name).toBe(true);
    expect(onLoongscope('lasx', featuresOf('la464', { lasx: false })).skipped).toBe(true);
  });
});

const qemu = process.env.LS_QEMU;
describe.skipIf(!qemu)('conformance programs on QEMU', () => {
  test.each(programs)('%s: all but its known defects', async (name) => {
    const [command, ...args] = qemu!.split(' ');
    const { stdout } = await execa(
      command!,
      // biome-ignore format: options and their values
      [
        ...args, '-M', 'virt', '-cpu', 'max', '-m', '256M', '-display', 'none', '-serial', 'stdio', '-monitor', 'none',
        '-nic', 'none', '-no-reboot', '-kernel', elf(name),
      ],
      { timeout: 60_000 },
    );
    const report = read(stdout);
    expect(report.complete).toBe(true);
    expect(report.failed).toEqual(QEMU_DEFECTS[name] ?? []);
  });
});
