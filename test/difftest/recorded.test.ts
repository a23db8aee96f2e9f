/** Random programs against what the oracle made of them (recorded.json): runs where there is no QEMU. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CLASSES, makeProgram } from './classes.ts';
import { digestOutcome, digestProgram } from './digest.ts';
import { Loongscope } from './loongscope.ts';
import { Random } from './random.ts';

interface Recorded {
  readonly oracle: string;
  readonly length: number;
  /** By class: seed, digest of the program, digest of what the oracle left. */
  readonly programs: Readonly<Record<string, readonly (readonly [seed: number, program: string, outcome: string])[]>>;
}
const recorded = JSON.parse(readFileSync(new URL('./vectors/recorded.json', import.meta.url), 'utf8')) as Recorded;

describe(`random programs as ${recorded.oracle} executed them`, () => {
  const ours = new Loongscope();
  test.each(CLASSES.map((c) => [c.name, c] as const))('%s', async (name, c) => {
    const programs = recorded.programs[name] ?? [];
    expect(programs.length, 'recorded programs: run scripts/record-programs').toBeGreaterThan(10);
    const [changed, wrong]: [number[], number[]] = [[], []];
    for (const [seed, program, outcome] of programs) {
      const p = makeProgram(c, new Random(seed), recorded.length);
      if (digestProgram(p) !== program) changed.push(seed);
      else if (digestOutcome(c, await ours.run(p)) !== outcome) wrong.push(seed);
    }
    expect(changed, 'the generator has changed since the recording: run scripts/record-programs').toEqual([]);
    expect(wrong, `seeds that diverge: ./scripts/difftest --class ${name} shows where`).toEqual([]);
  });
});
