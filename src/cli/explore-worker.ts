/** A thread of `loongscope explore`. */
import { parentPort, workerData } from 'node:worker_threads';
import { UsageError } from './errors.ts';
import { runHostile } from './explore/fuzz/run-hostile.ts';
import type { GdbProperty } from './explore/gdb-property.ts';
import { runOnce } from './explore/one-run.ts';
import {
  type Answer,
  type ExploreData,
  failed,
  failureOf,
  type Order,
  type Question,
  type Told,
} from './explore/pool.ts';
import { COMPUTER, type Surroundings } from './surroundings.ts';

const { image, cli, files } = workerData as ExploreData;

/** The thread may read no file: what the machine boots was read before. */
const surroundings: Surroundings = {
  ...COMPUTER,
  exists: (path) => files.has(path),
  read: (path) => {
    const content = files.get(path);
    if (!content) throw new UsageError(`cannot read ${path}: check the path`);
    return content;
  },
};

/** What waits for the answer of a gdb. */
let asking: ((told: Told) => void) | undefined;
/** The main thread starts the gdb. */
const gdb: GdbProperty = async (served) => {
  const told = new Promise<Told>((resolve) => {
    asking = resolve;
  });
  parentPort!.postMessage({ ask: served } satisfies Question);
  const answer = await told;
  return 'told' in answer ? answer.told : failed(answer);
};

async function answer({ properties, job, expected }: Order): Promise<Answer> {
  try {
    const machine = { ...cli, surroundings };
    if (job.hostile) return { outcome: await runHostile(machine, job.hostile, job.record) };
    return { outcome: await runOnce(image, machine, properties, job, expected, gdb) };
  } catch (error) {
    return failureOf(error);
  }
}

parentPort!.on('message', (message: Order | Told) => {
  if (!('job' in message)) asking?.(message);
  else void answer(message).then((a) => parentPort!.postMessage(a));
});
