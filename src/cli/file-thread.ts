/** The thread that works on shared folders for a machine in the sandbox. file-service.ts starts it. */
import { workerData } from 'node:worker_threads';
import { type FileThreadData, serveFiles } from './file-service.ts';

serveFiles(workerData as FileThreadData);
