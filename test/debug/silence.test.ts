/** Programs that do nothing wrong, and that do odd things on purpose: nothing is said of them, while they run and when they have ended. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodeRuntime } from '../../src/cli/node-runtime.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { parseElf } from '../../src/emu/boot/elf.ts';
import { featuresOf } from '../../src/emu/cpu/features.ts';
import { explaining } from '../../src/emu/debug/explain-stop.ts';
import { RunControl } from '../../src/emu/debug/run-control.ts';
import { Machine } from '../../src/emu/machine/machine.ts';
import { finish } from '../../src/emu/runtime/steps.ts';
import { cpusOf, programFile, programsOf } from '../support/conformance.ts';

/** Lines of an explanation that blame somebody. */
const BLAMES = /^ *(cause|root cause|suspicious) /;
/** A benchmark kernel is watched for so many instructions: longer than the detectors are patient. */
const BENCH_INSTRUCTIONS = 150_000_000;

/** Loops that are told in a run, what is blamed at its end, and how it ends. */
async function saidOf(file: string, cpus: number, maxInstructions: number, explained: boolean) {
  const machine = new Machine({
    runtime: nodeRuntime,
    ramSize: 1 << 30,
    cpus,
    features: featuresOf('max', { ptw: true, lbt: true }),
    seed: 1,
    console: () => {},
  });
  machine.load({ image: parseElf(readFileSync(file), file), commandLine: '', extra: [] });
  const said: string[] = [];
  const control = new RunControl(machine, {
    limits: { maxInstructions },
    remembers: explained,
    onLoop: (_, loop) => void said.push(loop.text),
  });
  const { kind } = await control.run();
  if (explained)
    for (const cpu of machine.cpus)
      said.push(...finish(explaining(control, cpu, () => '')).filter((line) => BLAMES.test(line)));
  return { said, kind };
}

describe.each(['conformance', 'lvz'] as const)('programs of test/%s', (folder) => {
  test.each(programsOf(folder))('%s', async (name) => {
    const { said, kind } = await saidOf(programFile(folder, name), cpusOf(name), 100_000_000, true);
    expect([said, kind]).toEqual([[], 'poweroff']);
  });
});

describe('benchmark kernels', () => {
  const folder = join(PROJECT_ROOT, 'build', 'bench');
  const kernels = existsSync(folder) ? readdirSync(folder).filter((f) => f.endsWith('.elf')) : [];

  test.each(kernels)('%s', async (name) => {
    const { said } = await saidOf(join(folder, name), 1, BENCH_INSTRUCTIONS, false);
    expect(said).toEqual([]);
  });
});
