/** A real Redis or Valkey server on a free port of this computer. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

const exists = (program: string): boolean => {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
const PROGRAM = ['redis-server', 'valkey-server'].find(exists);
export const haveRedis = PROGRAM !== undefined;

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export class RedisServer {
  readonly folder = mkdtempSync(join(tmpdir(), 'loongscope-redis-'));
  readonly password: string;
  port = 0;
  private process: ChildProcess | undefined;

  constructor(password = '') {
    this.password = password;
  }

  get url(): string {
    return `redis://${this.password && `:${this.password}@`}127.0.0.1:${this.port}`;
  }

  /** Starts, or starts again at the same port, with what it has on its disk. */
  async start(): Promise<void> {
    if (this.port === 0) this.port = await freePort();
    const options = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder, '--appendonly', 'yes'];
    this.process = spawn(PROGRAM!, [...options, ...(this.password ? ['--requirepass', this.password] : [])]);
    const ready = new Promise<void>((resolve, reject) => {
      let said = '';
      this.process!.stdout!.on('data', (text: Buffer) => {
        said += text.toString();
        if (said.includes('Ready to accept connections')) resolve();
      });
      this.process!.once('exit', (code) => reject(new Error(`redis-server has ended with ${code}: ${said}`)));
    });
    await ready;
  }

  async stop(): Promise<void> {
    const { process } = this;
    this.process = undefined;
    if (!process || process.exitCode !== null) return;
    process.kill('SIGTERM');
    await once(process, 'exit');
  }

  /** Forgets everything that is on its disk. */
  empty(): void {
    rmSync(join(this.folder, 'appendonlydir'), { recursive: true, force: true });
    rmSync(join(this.folder, 'dump.rdb'), { force: true });
  }

  client(): Redis {
    return new Redis(this.url, { maxRetriesPerRequest: null });
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
