/** Writes the interpreter of the default machine next to the bundled program. Argument: the folder. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EMITTED_FILE } from '../src/cli/emitted.ts';
import { emitInterpreter } from '../src/emu/engine/interpreter.ts';
import { planHandlers } from '../src/emu/engine/uop.ts';
import { ROWS } from '../src/emu/isa/table/index.ts';
import { THRESHOLD } from '../src/emu/machine/processors.ts';

const plan = {
  map: planHandlers(ROWS),
  cpu: 0,
  pool: { cpus: 1, pool: 0 },
  shared: false,
  threshold: THRESHOLD.auto,
  aligned: false,
};
writeFileSync(join(process.argv[2]!, EMITTED_FILE), emitInterpreter(plan));
