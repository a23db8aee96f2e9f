/** Runs with hostile guests: on a machine that is kept, where that is enough. */
import type { MachineCli } from '../../options.ts';
import type { Outcome } from '../one-run.ts';
import type { InputJob } from './input.ts';
import { KeptMachine } from './kept-machine.ts';
import { runInput } from './one-input.ts';

/** Machines that are kept, by their snapshots. */
const kept = new Map<string, KeptMachine>();
const MOST = 6;

export function runHostile(cli: MachineCli, job: InputJob, record: string | undefined): Promise<Outcome> {
  // An auditor remembers what it has told, and a recording has the run alone.
  if (cli.audit || record !== undefined) return runInput(cli, job, record);
  let machine = kept.get(job.from);
  if (!machine) {
    if (kept.size >= MOST) kept.delete([...kept.keys()][0]!);
    kept.set(job.from, (machine = new KeptMachine(cli, job.from)));
  }
  return machine.run(job);
}
