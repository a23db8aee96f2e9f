/** The conformance programs on loongscope, and on QEMU where there is one. */
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { featuresOf } from '../../src/emu/cpu/features.ts';
import { cpusOf, programFile, programsOf, readReport, runProgram } from '../support/conformance.ts';
import { watched } from '../support/observers.ts';
import { QEMU_DEFECTS } from './qemu-defects.ts';

const programs = programsOf('conformance');

describe('conformance programs on loongscope', () => {
  test.each(programs)('%s: every check passes', (name) => {
    const { passed, failed, complete, skipped } = runProgram('conformance', name);
    expect(failed).toEqual([]);
    expect([complete, skipped]).toEqual([true, false]);
    expect(passed.length).toBeGreaterThan(5);
  });

  test('a CPU without a feature is told apart', () => {
    for (const name of ['ptw', 'lbt'])
      expect(runProgram('conformance', name, featuresOf('max')).skipped, name).toBe(true);
    expect(runProgram('conformance', 'lasx', featuresOf('la464', { lasx: false })).skipped).toBe(true);
  });
});

const qemu = process.env.LS_QEMU;
describe.skipIf(!qemu || watched())('conformance programs on QEMU', () => {
  test.each(programs)('%s: all but its known defects', async (name) => {
    const [command, ...args] = qemu!.split(' ');
    const { stdout } = await execa(
      command!,
      // biome-ignore format: options and their values
      [
        ...args, '-M', 'virt', '-cpu', 'max', '-m', '256M', '-smp', `${cpusOf(name)}`, '-display', 'none', '-serial', 'stdio', '-monitor', 'none',
        '-nic', 'none', '-no-reboot', '-kernel', programFile('conformance', name),
      ],
      { timeout: 60_000 },
    );
    const report = readReport(stdout);
    expect(report.complete).toBe(true);
    expect(report.failed).toEqual(QEMU_DEFECTS[name] ?? []);
  });
});
