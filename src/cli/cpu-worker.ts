/** The thread of a CPU: the program of a worker of `--threads`. */
import { parentPort, workerData } from 'node:worker_threads';
import { CpuThread } from '../emu/threads/cpu-thread.ts';
import { monotonicClock } from './monotonic-clock.ts';
import { nodeRuntime } from './node-runtime.ts';
import type { WorkerData } from './run-threads.ts';

const { options, epoch } = workerData as WorkerData;
const thread = new CpuThread(options, () => monotonicClock() - epoch, nodeRuntime);
thread.onFailure = (reason) => parentPort?.postMessage(reason);
thread.run();
