/**
 * The interpreter of the default machine, emitted when the program was bundled. This makes the start a fifth faster. It
 * is next to the bundle, so both are always made from the same sources. A program that runs from its sources has none.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { EmittedInterpreters } from '../emu/engine/engine.ts';
import { isUsual } from '../emu/machine/processors.ts';

/** The file of an emitted interpreter, in the folder of the bundle. */
export const EMITTED_FILE = 'interpreter.wasm';

export const emitted: EmittedInterpreters = (plan) => {
  const file = new URL(`./${EMITTED_FILE}`, import.meta.url);
  return isUsual(plan) && existsSync(file) ? new Uint8Array(readFileSync(file)) : undefined;
};
