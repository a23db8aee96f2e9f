/**
 * Runs of a campaign that other machines do. BullMQ gives each to one worker, and to another one when that dies. Here each is counted
 * once: by its name. What the server has forgotten is put there again.
 */
import { writeFileSync } from 'node:fs';
import { Queue, QueueEvents } from 'bullmq';
import { say } from '../../ending.ts';
import { UsageError } from '../../errors.ts';
import { PROJECT_ROOT } from '../../paths.ts';
import { unwritable } from '../../unwritable.ts';
import type { Outcome } from '../one-run.ts';
import type { ExploreData, Order, Runs } from '../pool.ts';
import type { QueueAddress } from './address.ts';
import { type Connection, connect, endAnyway } from './connection.ts';
import { type ContentHash, KEPT, SharedFiles } from './files.ts';
import { describeIdentity, type Identity, programIdentity } from './identity.ts';
import { orderName, packOrder, packProgram, type RunData, type RunResult, unpackAnswer } from './orders.ts';
import { Presence, present } from './presence.ts';

/** Queues begin with it on the server. */
export const PREFIX = 'loongscope';
/** Only workers with the same program take from it. */
export const queueName = ({ hash }: Identity): string => `explore-${hash.slice(0, 16)}`;

/** What a worker says that has not found a file on the server. */
export const MISSING = 'a file of the program is missing on the server';
/** Times that a run is put there again before it counts as one that cannot be done. */
const MOST_FAILURES = 2;
/** Seconds that the server keeps runs that could not be done. */
const FAILED_KEPT = 60;

interface Waiting {
  readonly order: Order;
  readonly name: string;
  failures: number;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: Error) => void;
}

/** Runs in the queue at a time, if the user does not say. */
export const QUEUED_RUNS = 32;

export class QueuePool implements Runs {
  private readonly waiting = new Map<string, Waiting>();
  private readonly address: QueueAddress;
  private readonly data: ExploreData;
  private readonly connection: Connection;
  private readonly made: Identity;
  private readonly files: SharedFiles;
  private readonly queue: Queue<RunData, RunResult>;
  private readonly events: QueueEvents;
  private program: ContentHash = '';
  private presence: Presence | undefined;
  private recordings = 0;
  private readonly looking = new Set<string>();
  /** What has been said already. */
  private readonly told = new Set<string>();

  private constructor(address: QueueAddress, data: ExploreData, connection: Connection, made: Identity) {
    this.address = address;
    this.data = data;
    this.connection = connection;
    this.made = made;
    this.files = new SharedFiles(connection.redis);
    const options = { connection: connection.redis, prefix: PREFIX };
    this.queue = new Queue(queueName(made), options);
    this.events = new QueueEvents(queueName(made), options);
    // What is wrong with the server is told by the connection.
    this.queue.on('error', () => {});
    this.events.on('error', () => {});
    this.events.on('completed', ({ jobId }) => void this.look(jobId));
    this.events.on('failed', ({ jobId }) => void this.look(jobId));
    connection.onBack = () => void this.lookAtAll().catch(() => {});
    connection.lost.catch((error: Error) => {
      for (const { reject } of this.waiting.values()) reject(error);
      this.waiting.clear();
    });
  }

  /** @throws UsageError when the server does not serve */
  static async open(address: QueueAddress, data: ExploreData): Promise<QueuePool> {
    const pool = new QueuePool(address, data, await connect(address), await programIdentity());
    pool.program = await pool.putProgram();
    await pool.events.waitUntilReady();
    pool.presence = new Presence(pool.connection.redis, 'explorers', { made: pool.made, program: pool.program });
    await pool.presence.begin(() => pool.lookAround());
    await pool.lookAround();
    return pool;
  }

  private async putProgram(): Promise<ContentHash> {
    const { image, cli, files } = this.data;
    const shared: [string, ContentHash][] = [];
    for (const [path, content] of files) shared.push([path, await this.files.put(content, path)]);
    const program = packProgram({ made: this.made, root: PROJECT_ROOT, image, cli, files: shared });
    return this.files.put(program, 'the machine');
  }

  run(order: Order): Promise<Outcome> {
    // A recording is fetched once, so its run is done again.
    const once = order.job.record === undefined ? '' : `-${process.pid}-${Date.now()}-${this.recordings++}`;
    const name = `${orderName(this.program, order)}${once}`;
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { order, name, failures: 0, resolve, reject };
      this.waiting.set(name, waiting);
      this.put(waiting)
        // It may have been done for an earlier explorer.
        .then(() => this.look(name))
        .catch((error: Error) => this.fail(waiting, error));
    });
  }

  private async put({ name, order }: Waiting): Promise<void> {
    const data = { program: this.program, order: packOrder(order) };
    const kept = { removeOnComplete: { age: KEPT }, removeOnFail: { age: FAILED_KEPT } };
    await this.queue.add('run', data, { jobId: name, ...kept });
  }

  private fail(waiting: Waiting, error: Error): void {
    if (this.waiting.delete(waiting.name)) waiting.reject(error);
  }

  private async lookAtAll(): Promise<void> {
    // Workers drop the runs of explorers that have gone, and a server may have forgotten this one.
    await this.presence?.tell();
    await Promise.all([...this.waiting.keys()].map((name) => this.look(name)));
  }

  /** What has become of a run? A server that has lost a connection may have forgotten it, and may have told of it while nobody heard. */
  private async look(name: string | undefined): Promise<void> {
    const waiting = this.waiting.get(name ?? '');
    if (!waiting || this.looking.has(waiting.name)) return;
    this.looking.add(waiting.name);
    try {
      const job = await this.queue.getJob(waiting.name);
      if (!job) await this.again(waiting);
      else if (job.returnvalue) await this.done(waiting, job.returnvalue);
      else if (job.failedReason) {
        waiting.failures++;
        if (waiting.failures > MOST_FAILURES)
          throw new UsageError(
            `explore: a run cannot be done by any worker (${job.failedReason}): see what the workers say`,
          );
        await job.remove();
        await this.again(waiting);
      }
    } catch (error) {
      this.fail(waiting, error as Error);
    } finally {
      this.looking.delete(waiting.name);
    }
  }

  private async again(waiting: Waiting): Promise<void> {
    if (!this.waiting.has(waiting.name)) return;
    await this.putProgram();
    await this.put(waiting);
  }

  private async done(waiting: Waiting, { answer, recording }: RunResult): Promise<void> {
    const { record } = waiting.order.job;
    if (record !== undefined && recording !== undefined) {
      const content = await this.files.get(recording);
      if (!content) return;
      try {
        writeFileSync(record, content);
      } catch (error) {
        throw unwritable(`--output: cannot write ${record}`, error);
      }
      await this.files.remove(recording);
    }
    if (!this.waiting.delete(waiting.name)) return;
    const told = unpackAnswer(answer);
    if ('outcome' in told) waiting.resolve(told.outcome);
    else waiting.reject('usage' in told ? new UsageError(told.usage) : new Error(told.defect));
  }

  private tellOnce(line: string): void {
    if (this.told.has(line)) return;
    this.told.add(line);
    say(line);
  }

  /** Says who is missing, and looks after runs of which no word has come. */
  private async lookAround(): Promise<void> {
    const workers = await present(this.connection.redis, 'workers');
    const fit = workers.filter((w) => w.made.hash === this.made.hash);
    for (const { where, made } of workers)
      if (made.hash !== this.made.hash)
        this.tellOnce(
          `the worker on ${where} is ${describeIdentity(made)}, and this is ${describeIdentity(this.made)}: it takes no runs: install the same`,
        );
    if (fit.length === 0)
      this.tellOnce(
        `no worker is at ${this.address.shown} yet: start loongscope explore-worker --queue ${this.address.shown} on as many machines as you like`,
      );
    await this.lookAtAll();
  }

  async close(): Promise<void> {
    const { redis } = this.connection;
    if (redis.status === 'ready') {
      await this.presence?.end();
      // Those that have begun end, and nobody looks at them.
      const names = [...this.waiting.keys()];
      this.waiting.clear();
      await Promise.all(names.map(async (name) => (await this.queue.getJob(name))?.remove().catch(() => {})));
      await this.events.close();
      await this.queue.close();
    } else endAnyway();
    this.connection.close();
  }
}
