/** Files by their content: explorers put them beside the queue, workers take each once and keep it. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { UsageError } from '../../errors.ts';
import { makeFolder } from '../../make-folder.ts';

/** SHA-256 in hexadecimal. */
export type ContentHash = string;
export const hashOf = (content: Uint8Array): ContentHash => createHash('sha256').update(content).digest('hex');

/** Seconds that a server keeps a file after the last explorer has asked for it: a day. */
export const KEPT = 86_400;
/** Bytes that a server takes as one value. */
const MOST = 512 * 2 ** 20;
/** Milliseconds after which a worker forgets a file that it has not used: a month. */
const FORGOTTEN = 30 * 86_400_000;

const keyOf = (hash: ContentHash): string => `loongscope:file:${hash}`;

/** The files on the server. */
export class SharedFiles {
  private readonly redis: Redis;

  constructor(redis: Redis) {
    this.redis = redis;
  }

  /** Puts a file there, if it is not there. @throws UsageError when it is too large */
  async put(content: Uint8Array, what: string): Promise<ContentHash> {
    const hash = hashOf(content);
    if (await this.redis.expire(keyOf(hash), KEPT)) return hash;
    if (content.length >= MOST)
      throw new UsageError(`--queue: ${what} has more than 512 MB, which a server does not take: make it smaller`);
    await this.redis.set(keyOf(hash), Buffer.from(content.buffer, content.byteOffset, content.length), 'EX', KEPT);
    return hash;
  }

  /** undefined: it is not there, or damaged. */
  async get(hash: ContentHash): Promise<Uint8Array | undefined> {
    const content = await this.redis.getBuffer(keyOf(hash));
    return content && hashOf(content) === hash ? new Uint8Array(content) : undefined;
  }

  async remove(hash: ContentHash): Promise<void> {
    await this.redis.del(keyOf(hash));
  }
}

/** $XDG_CACHE_HOME/loongscope/explore, or below ~/.cache. */
const cacheFolder = (): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'loongscope', 'explore');

/** The files that a worker has on its disk. A disk that takes none makes it slower, and nothing else. */
export class KeptFiles {
  private readonly folder: string;
  private readonly shared: SharedFiles;
  /** Files that were brought from the server. */
  brought = 0;

  constructor(shared: SharedFiles, folder = cacheFolder()) {
    this.shared = shared;
    this.folder = folder;
    try {
      makeFolder(folder);
      for (const name of readdirSync(folder))
        if (Date.now() - statSync(join(folder, name)).mtimeMs > FORGOTTEN) rmSync(join(folder, name));
    } catch {
      // See above.
    }
  }

  /** undefined: neither here nor on the server. */
  async get(hash: ContentHash): Promise<Uint8Array | undefined> {
    const file = join(this.folder, hash);
    try {
      const content = new Uint8Array(readFileSync(file));
      if (hashOf(content) === hash) {
        utimesSync(file, new Date(), new Date());
        return content;
      }
    } catch {
      // It is not here yet.
    }
    const content = await this.shared.get(hash);
    if (!content) return undefined;
    this.brought++;
    try {
      const part = `${file}.${process.pid}`;
      writeFileSync(part, content);
      renameSync(part, file);
    } catch {
      // See above.
    }
    return content;
  }
}
