/**
 * The interpreter of the usual machine, emitted when the program was bundled: starting then takes a fifth less time. It
 * lies beside the bundle, so it is always made of the same sources; run from the sources themselves the program has none.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { EmittedInterpreters } from '../emu/engine/engine.ts';
import type { InterpreterPlan } from '../emu/engine/interpreter.ts';
import { THRESHOLD } from '../emu/machine/processors.ts';

/** The file of an emitted interpreter, in the folder of the bundle. */
export const EMITTED_FILE = 'interpreter.wasm';

/** Is this the plan that the file was made for: one CPU, engine `auto`? */
export const isUsual = (plan: Omit<InterpreterPlan, 'map'>): boolean =>
  plan.cpu === 0 && plan.pool.cpus === 1 && !plan.shared && plan.threshold === THRESHOLD.auto;

export const emitted: EmittedInterpreters = (plan) => {
  const file = new URL(`./${EMITTED_FILE}`, import.meta.url);
  return isUsual(plan) && existsSync(file) ? new Uint8Array(readFileSync(file)) : undefined;
};
