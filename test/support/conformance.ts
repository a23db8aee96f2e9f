/** Runs a self-checking program (test/conformance, test/lvz) and reads its TAP lines. */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { nodeRuntime } from '../../src/cli/node-runtime.ts';
import { parseElf } from '../../src/emu/boot/elf.ts';
import { type CpuFeatures, featuresOf } from '../../src/emu/cpu/features.ts';
import { Machine } from '../../src/emu/machine/machine.ts';
import { watchIfAsked } from './observers.ts';

type Folder = 'conformance' | 'lvz';

/** Names of the programs of a folder of test/. */
export const programsOf = (folder: Folder): string[] =>
  readdirSync(fileURLToPath(new URL(`../${folder}/`, import.meta.url)))
    .filter((f) => f.endsWith('.S'))
    .map((f) => f.replace('.S', ''));

/** How many CPUs a program needs. */
export const cpusOf = (name: string): number => (name === 'links' ? 2 : 1);

/** Path of a built program. */
export const programFile = (folder: Folder, name: string): string =>
  fileURLToPath(new URL(`../../build/${folder}/${name}.elf`, import.meta.url));

export interface Report {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  readonly skipped: boolean;
  /** The program has reached its end. */
  readonly complete: boolean;
}

export function readReport(output: string): Report {
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

/**
 * Runs a program to its end.
 * @throws Error when it does not switch the machine off
 */
export function runProgram(
  folder: Folder,
  name: string,
  features: CpuFeatures = featuresOf('max', { ptw: true, lbt: true }),
): Report {
  const output: number[] = [];
  const machine = new Machine({
    runtime: nodeRuntime,
    ramSize: 256 << 20,
    cpus: cpusOf(name),
    features,
    seed: 1,
    console: (b) => output.push(b),
  });
  watchIfAsked(machine);
  const file = programFile(folder, name);
  machine.load({ image: parseElf(readFileSync(file), file), commandLine: '', extra: [] });
  for (let slices = 0; slices < 50 && machine.run(2_000_000) === 'slice'; slices++);
  const text = Buffer.from(output).toString('latin1');
  if (!machine.poweredOff) throw new Error(`${name} does not come to its end; it printed:\n${text}`);
  return readReport(text);
}
