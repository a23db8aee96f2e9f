/** `loongscope explore-worker`: does runs of a queue, until it is told to end. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Job, Worker } from 'bullmq';
import { say } from '../../ending.ts';
import { EXIT, UsageError } from '../../errors.ts';
import { type SandboxCli, sandboxed } from '../../sandbox.ts';
import { type Answer, Pool } from '../pool.ts';
import type { QueueAddress } from './address.ts';
import { connect, endAnyway } from './connection.ts';
import { KeptFiles, SharedFiles } from './files.ts';
import { describeIdentity, type Identity, programIdentity } from './identity.ts';
import { namesHere, packAnswer, type RunData, type RunResult, unpackOrder, unpackProgram } from './orders.ts';
import { Presence, type Present, present } from './presence.ts';
import { MISSING, PREFIX, queueName } from './queue-pool.ts';

export interface WorkerCli extends SandboxCli {
  readonly queue: QueueAddress;
  /** Runs at a time. */
  readonly jobs?: number;
}

/** Milliseconds after which a run whose worker says nothing is another worker's, and how often that is looked at. */
const LOCK = 12_000;
const LOOK = 4000;
/** Workers that may die of one run. */
const MOST_DEATHS = 3;
/** Programs that have threads at a time. */
const MOST_PROGRAMS = 2;

/** The threads of the programs that were wanted last. */
class Programs {
  private readonly pools = new Map<string, { readonly pool: Promise<Pool>; runs: number }>();
  private readonly files: KeptFiles;
  private readonly jobs: number;
  private readonly folder: string;
  private readonly inside: boolean;

  constructor(files: KeptFiles, jobs: number, folder: string, inside: boolean) {
    this.files = files;
    this.jobs = jobs;
    this.folder = folder;
    this.inside = inside;
  }

  private async open(program: string): Promise<Pool> {
    const bring = async (wanted: string): Promise<Uint8Array> => {
      const content = await this.files.get(wanted);
      if (!content) throw new Error(MISSING);
      return content;
    };
    const { image, cli, files, root } = unpackProgram(await bring(program));
    const contents = new Map<string, Uint8Array>();
    for (const [path, hash] of files) {
      const content = await bring(hash);
      for (const name of namesHere(path, root)) contents.set(name, content);
    }
    return new Pool(this.jobs, { image, cli, files: contents }, this.folder, this.inside);
  }

  private async forget(hash: string): Promise<void> {
    const there = this.pools.get(hash);
    this.pools.delete(hash);
    await (await there?.pool.catch(() => undefined))?.close();
  }

  /** Does something with the threads of a program. */
  async with<T>(hash: string, run: (pool: Pool) => Promise<T>): Promise<T> {
    const there = this.pools.get(hash) ?? { pool: this.open(hash), runs: 0 };
    // The last one is the one that was wanted last.
    this.pools.delete(hash);
    this.pools.set(hash, there);
    there.runs++;
    try {
      return await run(await there.pool);
    } catch (error) {
      // Files may come later, and threads that have ended are made again.
      if (this.pools.get(hash) === there) this.pools.delete(hash);
      throw error;
    } finally {
      there.runs--;
      for (const [old, { runs }] of this.pools)
        if (this.pools.size > MOST_PROGRAMS && runs === 0) await this.forget(old);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.pools.keys()].map((hash) => this.forget(hash)));
  }
}

const strangers = (explorers: readonly Present[], own: Identity): Present[] =>
  explorers.filter(({ made }) => made.hash !== own.hash);
const refusal = (own: Identity, { where, made }: Present): string =>
  `the explorer on ${where} is ${describeIdentity(made)}, and this worker is ${describeIdentity(own)}: runs differ between programs, so it takes none of that explorer: install the same`;

/** @returns the exit code, when a signal has ended it @throws UsageError when the server does not serve, or its explorers are all of other programs */
export async function serveQueue(cli: WorkerCli): Promise<number> {
  const own = await programIdentity();
  const connection = await connect(cli.queue);
  const { redis } = connection;
  const explorers = await present(redis, 'explorers');
  const others = strangers(explorers, own);
  if (others.length > 0 && others.length === explorers.length) {
    connection.close();
    throw new UsageError(refusal(own, others[0]!));
  }
  const jobs = cli.jobs ?? availableParallelism();
  const folder = mkdtempSync(join(tmpdir(), 'loongscope-worker-'));
  const shared = new SharedFiles(redis);
  const programs = new Programs(new KeptFiles(shared), jobs, folder, sandboxed(cli));
  let [done, recordings] = [0, 0];

  const answerOf = async (pool: Pool, order: ReturnType<typeof unpackOrder>): Promise<Answer> => {
    try {
      return { outcome: await pool.run(order) };
    } catch (error) {
      return error instanceof UsageError ? { usage: error.message } : { defect: String((error as Error).stack) };
    }
  };
  const work = async ({ data }: Job<RunData, RunResult>): Promise<RunResult> => {
    const wanted = (await present(redis, 'explorers')).some((e) => e.program === data.program);
    if (!wanted) throw new Error('its explorer has ended');
    const order = unpackOrder(data.order);
    const record = order.job.record === undefined ? undefined : join(folder, `${recordings++}.recording`);
    const answer = await programs.with(data.program, (pool) =>
      answerOf(pool, { ...order, job: { ...order.job, ...(record !== undefined && { record }) } }),
    );
    done++;
    if (record === undefined || !('outcome' in answer)) return { answer: packAnswer(answer) };
    const recording = await shared.put(new Uint8Array(readFileSync(record)), 'a recording');
    rmSync(record);
    return { answer: packAnswer(answer), recording };
  };

  const worker = new Worker<RunData, RunResult>(queueName(own), work, {
    connection: redis,
    prefix: PREFIX,
    concurrency: jobs,
    lockDuration: LOCK,
    stalledInterval: LOOK,
    maxStalledCount: MOST_DEATHS,
  });
  // What is wrong with the server is told by the connection.
  worker.on('error', () => {});
  const presence = new Presence(redis, 'workers', { made: own, jobs });
  const told = new Set<string>();
  const lookAround = async (): Promise<void> => {
    for (const other of strangers(await present(redis, 'explorers'), own)) {
      const line = refusal(own, other);
      if (!told.has(line)) say(line);
      told.add(line);
    }
  };
  await presence.begin(lookAround);
  await lookAround();
  say(`${describeIdentity(own)} takes runs from ${cli.queue.shown}, ${jobs} at a time; Ctrl-C ends it`);
  const ended = new Promise<void>((resolve) => {
    let signals = 0;
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => {
        // What it has begun is another worker's after a while.
        if (++signals > 1) process.exit(EXIT.interrupted);
        say('ends when the runs that it has begun are done; once more ends it now');
        resolve();
      });
  });
  try {
    await Promise.race([ended, connection.lost]);
    await worker.close();
    await presence.end();
  } catch (error) {
    endAnyway();
    throw error;
  } finally {
    await programs.close();
    connection.close();
    rmSync(folder, { recursive: true });
  }
  say(`${done} runs done`);
  return EXIT.ok;
}
