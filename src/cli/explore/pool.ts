/** Threads that do the runs of a campaign, one at a time each. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { UsageError } from '../errors.ts';
import type { MachineCli } from '../options.ts';
import { PROJECT_ROOT } from '../paths.ts';
import { networkFlags, programFlags } from '../sandbox.ts';
import type { GdbProperty, Served } from './gdb-property.ts';
import type { Job, Outcome } from './one-run.ts';
import type { Properties } from './properties.ts';

const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? '../explore-worker.ts' : './explore-worker.js',
  import.meta.url,
);

/** The program reads its version from there when it starts. */
const MAY_READ_VERSION = `--allow-fs-read=${join(PROJECT_ROOT, 'package.json')}`;

/** What a thread is made with. */
export interface ExploreData {
  readonly image: string | undefined;
  readonly cli: MachineCli;
  /** Files that the machine boots, by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface Order {
  readonly properties: Properties;
  readonly job: Job;
  readonly expected: Outcome['values'];
}

/** What a thread answers. */
export type Answer = { readonly outcome: Outcome } | Failure;
type Failure = { readonly usage: string } | { readonly defect: string };

/** A thread asks what a gdb says of its machine: it may start no program itself. */
export type Question = { readonly ask: Served };

/** What it is told. */
export type Told = { readonly told: string | undefined } | Failure;

/** @throws Error, with a line for the user where it is their mistake */
export function failed(failure: Failure): never {
  throw 'usage' in failure ? new UsageError(failure.usage) : new Error(failure.defect);
}

export const failureOf = (error: unknown): Failure =>
  error instanceof UsageError
    ? { usage: error.message }
    : { defect: error instanceof Error ? (error.stack ?? error.message) : String(error) };

interface Waiting {
  readonly order: Order;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: Error) => void;
}

/** Does the runs of a campaign: threads here, or other machines. */
export interface Runs {
  run(order: Order): Promise<Outcome>;
  close(): Promise<void>;
}

export class Pool implements Runs {
  private readonly idle: Worker[] = [];
  private readonly all = new Set<Worker>();
  private readonly queue: Waiting[] = [];
  private readonly busy = new Map<Worker, Waiting>();

  /** @param folder the only one in which threads may write @param inside in the sandbox @param gdb answers what threads ask */
  constructor(jobs: number, data: ExploreData, folder: string, inside: boolean, gdb?: GdbProperty) {
    for (let n = 0; n < jobs; n++) {
      const worker = new Worker(WORKER, {
        workerData: data,
        execArgv: inside
          ? [...programFlags(), ...(gdb ? networkFlags() : []), MAY_READ_VERSION, `--allow-fs-write=${folder}/*`]
          : [],
      });
      worker.on('message', (said: Answer | Question) => {
        if (!('ask' in said)) this.answered(worker, said);
        else
          void gdb!(said.ask)
            .then((told): Told => ({ told }), failureOf)
            .then((told) => worker.postMessage(told));
      });
      worker.on('error', (error) => this.lost(worker, error as Error));
      this.all.add(worker);
      this.idle.push(worker);
    }
  }

  run(order: Order): Promise<Outcome> {
    if (this.all.size === 0) return Promise.reject(new Error('no thread is left'));
    return new Promise((resolve, reject) => {
      this.queue.push({ order, resolve, reject });
      this.next();
    });
  }

  private next(): void {
    while (this.idle.length > 0 && this.queue.length > 0) {
      const worker = this.idle.pop()!;
      const waiting = this.queue.shift()!;
      this.busy.set(worker, waiting);
      worker.postMessage(waiting.order);
    }
  }

  private answered(worker: Worker, answer: Answer): void {
    const waiting = this.busy.get(worker);
    this.busy.delete(worker);
    this.idle.push(worker);
    if (waiting)
      if ('outcome' in answer) waiting.resolve(answer.outcome);
      else waiting.reject('usage' in answer ? new UsageError(answer.usage) : new Error(answer.defect));
    this.next();
  }

  /** A thread has ended. Without threads nothing that waits is ever done. */
  private lost(worker: Worker, error: Error): void {
    const why =
      (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY'
        ? new UsageError('explore: a thread has run out of memory: use fewer --jobs, or less --memory')
        : new Error(`a thread of explore has ended: ${error.message}`);
    const run = this.busy.get(worker);
    this.busy.delete(worker);
    this.all.delete(worker);
    const at = this.idle.indexOf(worker);
    if (at >= 0) this.idle.splice(at, 1);
    run?.reject(why);
    if (this.all.size === 0) for (const waiting of this.queue.splice(0)) waiting.reject(why);
  }

  async close(): Promise<void> {
    await Promise.all([...this.all].map((worker) => worker.terminate()));
  }
}
