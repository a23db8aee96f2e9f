/** The thread that speaks with the server of a disk. nbd/disk.ts starts it. */
import { workerData } from 'node:worker_threads';
import type { NbdThreadData } from './nbd/mailbox.ts';
import { serveNbd } from './nbd/service.ts';

serveNbd(workerData as NbdThreadData);
