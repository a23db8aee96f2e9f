/** The differential runner: that it finds what it is for, and a bounded run against QEMU where there is one. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decode } from '../../src/emu/isa/decoder.ts';
import { assemble } from '../support/test-machine.ts';
import { CLASSES, makeProgram } from './classes.ts';
import { differences, firstDivergence } from './compare.ts';
import { Loongscope } from './loongscope.ts';
import type { Outcome, Program, Target } from './program.ts';
import { Qemu } from './qemu.ts';
import { Random } from './random.ts';
import { runClass } from './run.ts';

const classNamed = (name: string) => CLASSES.find((c) => c.name === name)!;

describe('random programs', () => {
  test.each(CLASSES.map((c) => [c.name, c] as const))('%s: the same seed gives the same program', (_, c) => {
    const [a, b] = [makeProgram(c, new Random(3), 200), makeProgram(c, new Random(3), 200)];
    expect(a).toEqual(b);
    expect(makeProgram(c, new Random(4), 200)).not.toEqual(a);
    expect(a.body.length).toBeGreaterThanOrEqual(200);
  });

  test('every instruction that a class names turns up', () => {
    for (const c of CLASSES.filter((k) => k.rows.length > 0)) {
      const seen = new Set<string>();
      for (let n = 0; n < 40; n++)
        for (const word of makeProgram(c, new Random(n), 1000).body) seen.add(decode(word)?.name ?? '');
      expect(c.rows.filter((r) => !seen.has(r.name)).map((r) => r.name)).toEqual([]);
    }
  });
});

/** Loongscope with a defect: every `wrong` is executed as `instead`. */
class Defective implements Target {
  readonly name = 'a defective machine';
  private readonly inner = new Loongscope();
  private readonly wrong = assemble('xor $t0, $t1, $t2');
  private readonly instead = assemble('or $t0, $t1, $t2');
  run(p: Program): Promise<Outcome> {
    return this.inner.run({ ...p, body: p.body.map((w) => (w === this.wrong ? this.instead : w)) });
  }
  close(): Promise<void> {
    return this.inner.close();
  }
}

describe('the search for a divergence', () => {
  test('finds the first instruction that differs, with both results', async () => {
    const c = classNamed('integer');
    const p = makeProgram(c, new Random(11), 600);
    const at = 431;
    // Values that or and xor tell apart right before, and nothing behind that would hide the difference.
    const body = [
      ...p.body.slice(0, at - 2),
      ...['ori $t2, $zero, 3', 'ori $t1, $t2, 1', 'xor $t0, $t1, $t2'].map(assemble),
      ...Array.from({ length: 100 }, () => assemble('addi.d $s0, $s0, 1')),
    ];
    const [ours, oracle] = [new Loongscope(), new Defective()];
    const program = { ...p, body };
    expect(differences(c, await ours.run(program), await oracle.run(program)).length).toBeGreaterThan(0);
    const d = await firstDivergence(c, program, ours, oracle);
    expect([d.index, d.text]).toEqual([at, 'xor $t0, $t1, $t2']);
    expect(d.differences).toEqual(['$t0: ours 0x0, oracle 0x3']);
    expect(d.before).toContain('$t2 0x3');
  });
});

const command = process.env.LS_QEMU;
describe.skipIf(!command)('against QEMU', () => {
  let qemu: Qemu;
  const ours = new Loongscope();
  beforeAll(async () => {
    qemu = await Qemu.start(command!);
  });
  afterAll(() => qemu.close());

  test.each(CLASSES.map((c) => [c.name, c] as const))('%s: 20 000 instructions without divergence', async (_, c) => {
    const { instructions, divergences } = await runClass(c, 20261124, 20_000, ours, qemu, 1);
    expect(divergences).toEqual([]);
    expect(instructions).toBeGreaterThanOrEqual(20_000);
  });
});
