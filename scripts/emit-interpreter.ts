/** Writes the interpreter of the default machine next to the bundled program. Argument: the folder. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EMITTED_FILE } from '../src/cli/emitted.ts';
import { emitInterpreter } from '../src/emu/engine/interpreter.ts';
import { planHandlers } from '../src/emu/engine/uop.ts';
import { ROWS } from '../src/emu/isa/table/index.ts';
import { USUAL_PLAN } from '../src/emu/machine/processors.ts';

writeFileSync(join(process.argv[2]!, EMITTED_FILE), emitInterpreter({ map: planHandlers(ROWS), ...USUAL_PLAN }));
