/** Short names for programs and for what they leave behind, as recorded from the oracle. */
import { createHash } from 'node:crypto';
import type { InstructionClass } from './classes.ts';
import { items } from './compare.ts';
import type { Outcome, Program } from './program.ts';

const short = (hash: ReturnType<typeof createHash>): string => hash.digest('hex').slice(0, 16);

export const digestProgram = (p: Program): string =>
  short(
    createHash('sha256')
      .update(new Uint8Array(Uint32Array.from(p.body).buffer))
      .update(p.state)
      .update(p.buffer),
  );

/** Of all that the class defines. */
export function digestOutcome(c: InstructionClass, o: Outcome): string {
  const hash = createHash('sha256');
  for (const [name, value] of items(c, o)) hash.update(`${name}=${value.toString(16)}\n`);
  return short(hash);
}
