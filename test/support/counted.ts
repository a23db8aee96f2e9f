import type { Machine } from '../../src/emu/machine/machine.ts';

/** @returns how many instructions the machine has executed since, also those that it repeats */
export function counted(machine: Machine): () => number {
  const run = machine.run.bind(machine);
  let sum = 0;
  machine.run = (budget, until) => {
    const before = machine.instructions;
    const result = run(budget, until);
    sum += machine.instructions - before;
    return result;
  };
  return () => sum;
}
