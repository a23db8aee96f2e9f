/** Who is at the queue: explorers that wait for runs, and workers that do them, each with its program. */
import type { Redis } from 'ioredis';
import type { ContentHash } from './files.ts';
import { HERE, type Identity } from './identity.ts';

/** Seconds after which somebody who says nothing has gone. */
const GONE = 15;
const SAY_EVERY = 4000;

export interface Present {
  readonly where: string;
  readonly made: Identity;
  /** Of an explorer: its program. */
  readonly program?: ContentHash;
  /** Of a worker: runs at a time. */
  readonly jobs?: number;
}

type Role = 'explorers' | 'workers';
const keyOf = (role: Role): string => `loongscope:${role}`;

/** By the clock of the server, which is the same for all. */
const serverTime = async (redis: Redis): Promise<number> => Number((await redis.time())[0]);

/** Those who have said something lately. */
export async function present(redis: Redis, role: Role): Promise<Present[]> {
  const members = await redis.zrangebyscore(keyOf(role), (await serverTime(redis)) - GONE, '+inf');
  return members.map((member) => JSON.parse(member) as Present);
}

/** Says again and again that this process is there. */
export class Presence {
  private readonly redis: Redis;
  private readonly role: Role;
  private readonly member: string;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(redis: Redis, role: Role, who: Omit<Present, 'where'>) {
    this.redis = redis;
    this.role = role;
    this.member = JSON.stringify({ where: HERE, ...who } satisfies Present);
  }

  /** @param also done each time, too */
  async begin(also: () => Promise<void>): Promise<void> {
    await this.tell();
    this.timer = setInterval(() => {
      // A server that is away is told by the connection.
      void this.tell()
        .then(also)
        .catch(() => {});
    }, SAY_EVERY);
  }

  async tell(): Promise<void> {
    const now = await serverTime(this.redis);
    await this.redis.zadd(keyOf(this.role), now, this.member);
    await this.redis.zremrangebyscore(keyOf(this.role), '-inf', now - 2 * GONE);
  }

  async end(): Promise<void> {
    clearInterval(this.timer);
    await this.redis.zrem(keyOf(this.role), this.member);
  }
}
