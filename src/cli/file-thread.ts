/** The thread that works on shared folders for a machine behind the wall: what file-service.ts starts. */
import { workerData } from 'node:worker_threads';
import { type FileThreadData, serveFiles } from './file-service.ts';

serveFiles(workerData as FileThreadData);
