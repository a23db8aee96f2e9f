/** A connection to a queue's server: checked at the beginning, and kept while the server is away for some time. */
import { Redis } from 'ioredis';
import { say } from '../../ending.ts';
import { EXIT, UsageError } from '../../errors.ts';
import { type QueueAddress, unreachable } from './address.ts';

/** Milliseconds that the server has for its first answer. */
const FIRST_ANSWER = 5000;
/** Milliseconds that a server may be away, as it is when it is started again. */
const PATIENCE = 60_000;
const RETRY = 500;
/** What BullMQ wants. */
const OLDEST = [6, 2] as const;

export interface Connection {
  readonly redis: Redis;
  /** Rejects, with a UsageError, when the server has been away for too long. */
  readonly lost: Promise<never>;
  /** Called each time that the server is there again. */
  onBack: () => void;
  readonly close: () => void;
}

/** BullMQ goes on to connect when the server is lost, which would keep the program from its end. */
export const endAnyway = (): void => void setTimeout(() => process.exit(EXIT.usage), 1000).unref();

const timeout = (ms: number): Promise<never> =>
  new Promise((_, reject) => {
    setTimeout(() => reject(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })), ms).unref();
  });

/** @throws UsageError for a server that BullMQ cannot use */
function checkServer(address: QueueAddress, info: string): void {
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1];
  const version = field('redis_version');
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
  if (field('valkey_version') === undefined && (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])))
    throw new UsageError(
      `--queue: ${address.shown} is version ${version ?? '(unknown)'}: use Redis ${OLDEST.join('.')} or later, or Valkey`,
    );
}

/** @throws UsageError when the server does not answer, wants another password, or is too old */
export async function connect(address: QueueAddress, patience = PATIENCE): Promise<Connection> {
  let [ready, closed] = [false, false];
  let awaySince: number | undefined;
  let last: unknown;
  const redis = new Redis(address.url, {
    lazyConnect: true,
    // BullMQ asks for it: commands wait until the server is back.
    maxRetriesPerRequest: null,
    connectTimeout: FIRST_ANSWER,
    disconnectTimeout: 100,
    // Before the first answer a failure is final.
    retryStrategy: () => (ready && Date.now() - (awaySince ?? Date.now()) < patience ? RETRY : null),
  });
  redis.on('error', (error) => {
    last = error;
  });
  try {
    await Promise.race([redis.connect().then(() => redis.ping()), timeout(FIRST_ANSWER)]);
    // The client goes on without a database that it could not choose.
    if (last) throw last;
    checkServer(address, await redis.info());
  } catch (error) {
    redis.disconnect();
    if (error instanceof UsageError) throw error;
    // A failed connection says of itself only that it is closed.
    throw unreachable(address, /closed/.test((error as Error).message) ? (last ?? error) : error);
  }
  ready = true;
  const connection = {
    redis,
    onBack: (): void => {},
    close: (): void => {
      closed = true;
      redis.disconnect();
    },
    lost: new Promise<never>((_, reject) => {
      redis.on('end', () => {
        if (!closed) reject(unreachable(address, last, `has been away for ${patience / 1000} s`));
      });
    }),
  };
  // Who waits for nothing else is not told.
  connection.lost.catch(() => {});
  redis.on('close', () => {
    if (closed || awaySince !== undefined) return;
    awaySince = Date.now();
    say(`the queue ${address.shown} is away: trying again for ${patience / 1000} s`);
  });
  redis.on('ready', () => {
    if (awaySince === undefined) return;
    awaySince = undefined;
    say(`the queue ${address.shown} is back`);
    connection.onBack();
  });
  return connection;
}
