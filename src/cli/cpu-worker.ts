/** The thread of a CPU: what a worker of `--threads` runs. */
import { parentPort, workerData } from 'node:worker_threads';
import { CpuThread } from '../emu/threads/cpu-thread.ts';
import { hostClock } from './host-clock.ts';
import { nodeHost } from './node-host.ts';
import type { WorkerData } from './run-threads.ts';

const { options, epoch } = workerData as WorkerData;
const thread = new CpuThread(options, () => hostClock() - epoch, nodeHost);
thread.onFailure = (reason) => parentPort?.postMessage(reason);
thread.run();
