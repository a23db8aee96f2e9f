/** Runs random programs of a class on two machines and counts. */
import { type InstructionClass, makeProgram } from './classes.ts';
import { type Divergence, differences, firstDivergence } from './compare.ts';
import type { Target } from './program.ts';
import { Random } from './random.ts';

/** Instructions of a program. */
const LENGTH = 1000;

export interface Summary {
  readonly instructions: number;
  readonly exceptions: number;
  readonly divergences: readonly (Divergence & { readonly program: number })[];
}

/**
 * Executes `count` random instructions of class `c`.
 * @param limit divergences after which it gives up
 */
export async function runClass(
  c: InstructionClass,
  seed: number,
  count: number,
  ours: Target,
  oracle: Target,
  limit: number,
  progress: (instructions: number) => void = () => {},
): Promise<Summary> {
  let instructions = 0;
  let exceptions = 0;
  const divergences: (Divergence & { program: number })[] = [];
  for (let n = 0; instructions < count && divergences.length < limit; n++) {
    const program = makeProgram(c, new Random(seed * 1_000_003 + n), Math.min(LENGTH, count - instructions));
    const pending = oracle.run(program);
    const [mine, other] = await Promise.all([ours.run(program), pending]);
    instructions += program.body.length;
    exceptions += mine.log.length / 32;
    if (differences(c, mine, other).length)
      divergences.push({ ...(await firstDivergence(c, program, ours, oracle)), program: n });
    progress(instructions);
  }
  return { instructions, exceptions, divergences };
}
