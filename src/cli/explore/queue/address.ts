/** `--queue redis://…`: the address of a Redis or Valkey server, and what to tell a user of one that does not serve. */
import { UsageError } from '../../errors.ts';

export interface QueueAddress {
  /** With its password; never to be shown. */
  readonly url: string;
  /** Without user and password. */
  readonly shown: string;
}

const DEFAULT_PORT = '6379';
const HOW = '--queue: write redis://HOST[:PORT][/DATABASE], as redis://127.0.0.1:6379, or rediss:// with TLS';

/** What a text is wrong in is not repeated: it may have a password. @throws UsageError */
export function parseQueue(text: string): QueueAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^rediss?:$/.test(url.protocol) || url.hostname === '' || url.search !== '' || url.hash !== '')
    throw new UsageError(HOW);
  if (!/^\/?\d*$/.test(url.pathname)) throw new UsageError(`--queue: a database is a number: ${HOW.slice(9)}`);
  // As redis-cli does.
  const { REDISCLI_AUTH: password } = process.env;
  if (url.password === '' && password) url.password = encodeURIComponent(password);
  const database = url.pathname === '/' ? '' : url.pathname;
  return { url: url.href, shown: `${url.protocol}//${url.hostname}:${url.port || DEFAULT_PORT}${database}` };
}

/** What a server's or the system's answer means: cause and cure. The first that fits counts. */
const CAUSES: readonly (readonly [RegExp, cause: string, cure: string])[] = [
  [/ECONNREFUSED/, 'nothing listens there', 'start redis-server or valkey-server there, or correct the address'],
  [/ENOTFOUND|EAI_AGAIN/, 'its name is not known', 'correct the host name'],
  [
    /ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/,
    'it does not answer',
    'check the address, the network between, and whether it uses TLS',
  ],
  [
    /NOAUTH|WRONGPASS|NOPERM|without any password configured|invalid username/,
    'its password or user is another one',
    'write redis://USER:PASSWORD@HOST, or set REDISCLI_AUTH',
  ],
  [/Protocol error|unknown command/, 'what answers there is no Redis and no Valkey', 'correct the port'],
  [/DB index|invalid DB/, 'it has no such database', 'choose a smaller number after the /'],
  [/SSL|TLS|certificate/i, 'TLS fails', 'rediss:// is for servers with TLS and a known certificate, redis:// without'],
  [/LOADING|BUSY/, 'it is not ready', 'try again in some seconds'],
  [/MISCONF|READONLY|OOM/, 'it takes no data', 'see the log of the server: its disk or memory may be full'],
];

/** One line for a server that does not serve. @param error what came of trying */
export function unreachable({ shown }: QueueAddress, error: unknown, verb = 'cannot be reached'): UsageError {
  const { code = '', message = String(error) } = (error ?? {}) as NodeJS.ErrnoException;
  const told = code !== '' ? code : message.split('\n')[0]!.slice(0, 80);
  const known = CAUSES.find(([pattern]) => pattern.test(`${code} ${message}`));
  const [cause, cure] = known?.slice(1) ?? ['it has failed', 'see the log of the server'];
  return new UsageError(`--queue: ${shown} ${verb} (${told}): ${cause}: ${cure}`);
}
