/** `explore --queue` with a real server: workers that die, servers that start again, and everything that may be wrong. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue, QueueEvents } from 'bullmq';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Outcome, runOnce } from '../../src/cli/explore/one-run.ts';
import type { ExploreData, Order } from '../../src/cli/explore/pool.ts';
import { parseQueue, unreachable } from '../../src/cli/explore/queue/address.ts';
import { connect } from '../../src/cli/explore/queue/connection.ts';
import { KeptFiles, SharedFiles } from '../../src/cli/explore/queue/files.ts';
import { programIdentity } from '../../src/cli/explore/queue/identity.ts';
import { namesHere } from '../../src/cli/explore/queue/orders.ts';
import { PREFIX, QueuePool, queueName } from '../../src/cli/explore/queue/queue-pool.ts';
import { DEFAULT_MACHINE } from '../../src/cli/options.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { ALL_DIALS } from '../../src/emu/perturb/seeded.ts';
import { freePort, haveRedis, RedisServer } from '../support/redis-server.ts';
import { until } from '../support/wait.ts';

const IMAGE = join(PROJECT_ROOT, 'build/races/update.elf');
const folder = mkdtempSync(join(tmpdir(), 'loongscope-queue-'));
const FLAGS = ['--disable-warning=ExperimentalWarning', join(PROJECT_ROOT, 'src/cli/main.ts')];
const ENV = { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') };

beforeAll(async () => {
  if (!existsSync(IMAGE)) await execa('./scripts/build-races', { cwd: PROJECT_ROOT });
});
const workers = new Set<RunningWorker>();
afterEach(async () => {
  for (const worker of workers) await worker.kill();
});
afterAll(() => rmSync(folder, { recursive: true }));

/** `loongscope explore-worker` as a process. */
class RunningWorker {
  said = '';
  readonly process: ChildProcess;

  constructor(url: string, jobs = 1) {
    workers.add(this);
    this.process = spawn(process.execPath, [...FLAGS, 'explore-worker', '--queue', url, '--jobs', String(jobs)], {
      env: ENV,
    });
    this.process.stderr!.on('data', (text: Buffer) => {
      this.said += text.toString();
    });
  }

  says(text: string): Promise<void> {
    return until(() => this.said.includes(text));
  }

  /** As a machine that loses its power. */
  async kill(): Promise<void> {
    workers.delete(this);
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
  }

  async end(): Promise<number | null> {
    workers.delete(this);
    this.process.kill('SIGTERM');
    const [code] = (await once(this.process, 'exit')) as [number | null];
    return code;
  }
}

const loongscope = (...args: string[]) =>
  execa(process.execPath, [...FLAGS, ...args], { cwd: PROJECT_ROOT, reject: false, env: ENV });
const explore = (url: string, output: string, ...more: string[]) =>
  loongscope(
    ...['explore', IMAGE, '--smp', '2', '--expect', 'all is well', '--queue', url],
    ...['--output', join(folder, output), ...more],
  );

const data: ExploreData = {
  image: IMAGE,
  cli: { ...DEFAULT_MACHINE, smp: 2 },
  files: new Map([[IMAGE, existsSync(IMAGE) ? new Uint8Array(readFileSync(IMAGE)) : new Uint8Array()]]),
};
const order = (seed: number): Order => ({
  properties: { expect: ['all is well'], forbid: [], deadline: 100_000_000, invariant: [] },
  job: { explore: { seed, dials: ALL_DIALS } },
  expected: {},
});
const SEEDS = [1, 2, 3, 4, 5, 6];
/** What a run is, but for what nobody asks of a good one. */
const essence = ({ finding, instructions, ticks, pairs, decisions }: Outcome): unknown[] => [
  ...[finding, instructions, ticks, pairs],
  finding && decisions,
];
const here = async (seed: number): Promise<unknown[]> => {
  const { properties, job } = order(seed);
  return essence(await runOnce(IMAGE, data.cli, properties, job));
};

describe.skipIf(!haveRedis)('a queue', () => {
  const server = new RedisServer('topsecret');
  let expected: unknown[][];
  beforeAll(async () => {
    await server.start();
    expected = [];
    for (const seed of SEEDS) expected.push(await here(seed));
  });
  afterAll(() => server.remove());

  const opened = (): Promise<QueuePool> => QueuePool.open(parseQueue(server.url), data);
  /** All runs, and how often each has come back. */
  const all = (pool: QueuePool, counts = new Map<number, number>()): Promise<unknown[][]> =>
    Promise.all(
      SEEDS.map(async (seed) => {
        const outcome = await pool.run(order(seed));
        counts.set(seed, (counts.get(seed) ?? 0) + 1);
        return essence(outcome);
      }),
    );
  /** Resolves when a worker has begun a run. */
  const begun = async (): Promise<void> => {
    const connection = server.client();
    const events = new QueueEvents(queueName(await programIdentity()), { connection, prefix: PREFIX });
    await events.waitUntilReady();
    await new Promise((resolve) => events.once('active', resolve));
    await events.close();
    connection.disconnect();
  };
  const forgetRuns = async (): Promise<void> => {
    const connection = server.client();
    const queue = new Queue(queueName(await programIdentity()), { connection, prefix: PREFIX });
    await queue.obliterate({ force: true });
    await queue.close();
    connection.disconnect();
  };

  test('the same class as with threads, its recording comes back, and no password is shown', async () => {
    const worker = new RunningWorker(server.url);
    await worker.says('takes runs from');
    const options = ['--runs', '5', '--jobs', '1', '--stop-at-first', '--tries', '60'];
    const { stdout, stderr, exitCode } = await explore(server.url, 'out', ...options);
    expect([stderr, exitCode]).toEqual([expect.stringContaining('run 5, seed 3: expected:'), 1]);
    expect(stdout).toContain('4 of 177 decisions are enough');
    const recording = /replay (\S+)/.exec(stdout)![1]!;
    expect((await loongscope('replay', recording)).stdout).toContain('races: WRONG');
    const report = readFileSync(join(folder, 'out', 'report.json'), 'utf8');
    expect(report).toContain(`--queue redis://127.0.0.1:${server.port} --output`);
    expect(await worker.end()).toBe(0);
    expect(worker.said).toMatch(/\d+ runs done/);
    for (const text of [stdout, stderr, report, worker.said]) expect(text).not.toContain('topsecret');
  });

  test('hostile guests, too', async () => {
    const worker = new RunningWorker(server.url, 2);
    await worker.says('takes runs from');
    const machine = ['--hypervisor', 'build/variants/hostile-hypercall.elf', '--guest', 'hello'];
    const { stdout, stderr, exitCode } = await loongscope(
      ...[
        'fuzz',
        ...machine,
        '--runs',
        '32',
        '--stop-at-first',
        '--queue',
        server.url,
        '--output',
        join(folder, 'fuzz'),
      ],
    );
    expect([stderr, exitCode]).toEqual([
      expect.stringContaining('run 19: exception: exception in the hypervisor: PIF'),
      1,
    ]);
    expect((await loongscope('replay', /replay (\S+)/.exec(stdout)![1]!)).stderr).toContain('as recorded');
    await worker.end();
  });

  test('a worker that dies in its run loses nothing, and each run is counted once', async () => {
    await forgetRuns();
    const first = new RunningWorker(server.url);
    await first.says('takes runs from');
    const active = begun();
    const pool = await opened();
    const counts = new Map<number, number>();
    const outcomes = all(pool, counts);
    await active;
    await first.kill();
    const second = new RunningWorker(server.url);
    expect(await outcomes).toEqual(expected);
    expect([...counts.values()]).toEqual(SEEDS.map(() => 1));
    await second.end();
    await pool.close();
  });

  test('what has been run is not run again for an explorer that starts again', async () => {
    // No worker is there.
    const pool = await opened();
    expect(await all(pool)).toEqual(expected);
    await pool.close();
  });

  test.each(['remembers', 'has forgotten'])('a server that starts again and %s everything', async (how) => {
    await forgetRuns();
    const active = begun();
    const pool = await opened();
    const outcomes = all(pool);
    const worker = new RunningWorker(server.url);
    await active;
    await server.stop();
    await worker.says('is away: trying again for 60 s');
    if (how === 'has forgotten') server.empty();
    await server.start();
    expect(await outcomes).toEqual(expected);
    expect(worker.said).toContain('is back');
    await worker.end();
    await pool.close();
  });

  test('files are brought once, and a damaged one again', async () => {
    const redis = server.client();
    const shared = new SharedFiles(redis);
    const hash = await shared.put(new Uint8Array([1, 2, 3]), 'a file');
    const cache = join(folder, 'kept');
    const kept = new KeptFiles(shared, cache);
    expect([await kept.get(hash), await kept.get(hash), kept.brought]).toEqual([
      new Uint8Array([1, 2, 3]),
      new Uint8Array([1, 2, 3]),
      1,
    ]);
    await shared.remove(hash);
    expect(await new KeptFiles(shared, cache).get(hash)).toEqual(new Uint8Array([1, 2, 3]));
    expect(readdirSync(cache)).toEqual([hash]);
    rmSync(join(cache, hash));
    expect(await kept.get(hash)).toBeUndefined();
    redis.disconnect();
  });

  describe('another program', () => {
    const other = { where: 'elsewhere', made: { version: '0.0.1', hash: 'abcdef0123456789' } };
    const pretend = async (role: string, who: object): Promise<() => Promise<void>> => {
      const redis = server.client();
      const [now] = await redis.time();
      await redis.zadd(`loongscope:${role}`, Number(now) + 100, JSON.stringify(who));
      return async () => {
        await redis.del(`loongscope:${role}`);
        redis.disconnect();
      };
    };

    test('a worker refuses explorers of another one', async () => {
      const end = await pretend('explorers', { ...other, program: 'x' });
      const { stderr, exitCode } = await loongscope('explore-worker', '--queue', server.url);
      await end();
      const { version, hash } = await programIdentity();
      expect(stderr).toBe(
        `loongscope: the explorer on elsewhere is loongscope 0.0.1 (program abcdef012345), and this worker is loongscope ${version} (program ${hash.slice(0, 12)}): runs differ between programs, so it takes none of that explorer: install the same`,
      );
      expect(exitCode).toBe(2);
    });

    test('explore says that a worker is another one, and that none is there', async () => {
      const end = await pretend('workers', other);
      const said = spawn(process.execPath, [
        ...FLAGS,
        ...['explore', IMAGE, '--smp', '2', '--runs', '1', '--queue', server.url, '--output', join(folder, 'other')],
      ]);
      let text = '';
      said.stderr.on('data', (bytes: Buffer) => {
        text += bytes.toString();
      });
      await until(() => text.includes('no worker is at'));
      said.kill('SIGKILL');
      await end();
      expect(text).toContain('the worker on elsewhere is loongscope 0.0.1 (program abcdef012345)');
      expect(text).toContain('it takes no runs: install the same');
      expect(text).not.toContain('topsecret');
    });
  });

  test.each([
    [
      'another password',
      (port: number) => `redis://:wrong-one@127.0.0.1:${port}`,
      /its password or user is another one/,
    ],
    ['no password', (port: number) => `redis://127.0.0.1:${port}`, /its password or user is another one/],
    ['no such database', (port: number) => `redis://:topsecret@127.0.0.1:${port}/99`, /it has no such database/],
    ['TLS', (port: number) => `rediss://:topsecret@127.0.0.1:${port}`, /it does not answer: .*whether it uses TLS/],
  ])('%s is told in a line', async (_, url, message) => {
    for (const command of [['explore-worker'], ['explore', IMAGE, '--smp', '2', '--output', join(folder, 'bad')]]) {
      const { stderr, exitCode } = await loongscope(...command, '--queue', url(server.port));
      expect(stderr).toMatch(message);
      expect(stderr).toMatch(/^loongscope: --queue: [^\n]*$/);
      expect(stderr).not.toMatch(/topsecret|wrong-one/);
      expect(exitCode).toBe(2);
    }
  });

  test('a server that stays away ends the waiting', async () => {
    const own = new RedisServer();
    await own.start();
    const connection = await connect(parseQueue(own.url), 600);
    await own.stop();
    await expect(connection.lost).rejects.toThrow(/has been away for 0.6 s \(ECONNREFUSED\): nothing listens there/);
    await own.remove();
  });
});

describe('no server', () => {
  const open: { readonly server: Server; readonly sockets: Set<Socket> }[] = [];
  /** What answers in another way. */
  const serving = async (answer: string | undefined): Promise<string> => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('data', () => answer !== undefined && socket.write(answer));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    open.push({ server, sockets });
    return `redis://127.0.0.1:${(server.address() as { port: number }).port}`;
  };
  afterAll(() => {
    for (const { server, sockets } of open) {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });

  test.each([
    [
      'nothing listens',
      async () => `redis://:topsecret@127.0.0.1:${await freePort()}`,
      /\(ECONNREFUSED\): nothing listens there/,
    ],
    ['another protocol', () => serving('HTTP/1.1 400 Bad Request\r\n\r\n'), /what answers there is no Redis/],
    ['silence', () => serving(undefined), /\(ETIMEDOUT\): it does not answer/],
  ])('%s', async (_, url, message) => {
    const { stderr, exitCode } = await loongscope('explore-worker', '--queue', await url());
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^loongscope: --queue: redis:\/\/127[^\n]*$/);
    expect(stderr).not.toContain('topsecret');
    expect(exitCode).toBe(2);
  });

  test.each(['nonsense', 'http://u:topsecret@x', 'redis://', 'redis://:topsecret@x/y', 'redis://:topsecret@x?y=1', ''])(
    '%j is refused without being repeated',
    (text) => {
      expect(() => parseQueue(text)).toThrow(/^--queue: .*redis:\/\/HOST/);
      expect(() => parseQueue(text)).not.toThrow(/topsecret/);
    },
  );

  test('an address is shown without user and password', () => {
    expect(parseQueue('redis://me:topsecret@Host/3').shown).toBe('redis://Host:6379/3');
    expect(unreachable(parseQueue('redis://x:1'), new Error('strange')).message).toBe(
      '--queue: redis://x:1 cannot be reached (strange): it has failed: see the log of the server',
    );
  });

  test("the program's own files are found where it is installed", () => {
    expect(namesHere('/theirs/build/hv.elf', '/theirs', '/here')).toEqual([
      '/theirs/build/hv.elf',
      '/here/build/hv.elf',
    ]);
    expect(namesHere('/other/x', '/theirs', '/here')).toEqual(['/other/x']);
    expect(namesHere('x.elf', '/theirs', '/here')).toEqual(['x.elf']);
  });
});
