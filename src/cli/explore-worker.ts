/** A thread of `loongscope explore`. */
import { parentPort, workerData } from 'node:worker_threads';
import { UsageError } from './errors.ts';
import { runHostile } from './explore/fuzz/run-hostile.ts';
import { runOnce } from './explore/one-run.ts';
import type { Answer, ExploreData, Order } from './explore/pool.ts';
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

async function answer({ properties, job, expected }: Order): Promise<Answer> {
  try {
    const machine = { ...cli, surroundings };
    if (job.hostile) return { outcome: await runHostile(machine, job.hostile, job.record) };
    return { outcome: await runOnce(image, machine, properties, job, expected) };
  } catch (error) {
    if (error instanceof UsageError) return { usage: error.message };
    return { defect: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

parentPort!.on('message', (order: Order) => {
  void answer(order).then((a) => parentPort!.postMessage(a));
});
