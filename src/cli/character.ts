/** Where the characters of a console or of a control connection come from and go to. */
import type { Address } from '../gdbstub/server.ts';
import { UsageError } from './errors.ts';

/** A socket: of a server that listens here, or of a client that connects. */
export interface SocketSpec {
  readonly kind: 'socket';
  readonly address: Address;
  /** True: listens. */
  readonly server: boolean;
  /** The machine starts when a client has connected. */
  readonly wait: boolean;
  /** Both sides speak the Telnet protocol. */
  readonly telnet: boolean;
}

export type CharacterSpec =
  | { readonly kind: 'stdio' }
  | { readonly kind: 'null' }
  | { readonly kind: 'file'; readonly path: string; readonly append?: boolean }
  /** FIFOs `PATH.in` and `PATH.out`; or one, `PATH`, for both directions. */
  | { readonly kind: 'pipe'; readonly path: string }
  | SocketSpec;

/** Use of a socket in one line: `HOST:PORT[,server][,nowait]`. */
const SOCKET_WORDS = /^(server|wait|nowait|nodelay|(server|wait|nodelay|telnet)=(on|off))$/;

/** The words behind the address of a socket. @throws UsageError */
function socketWords(
  words: readonly string[],
  option: string,
): { readonly server: boolean; readonly wait: boolean; readonly telnet: boolean } {
  const bad = words.find((w) => !SOCKET_WORDS.test(w));
  if (bad !== undefined) throw new UsageError(`${option}: '${bad}' is unknown: use server and nowait`);
  const server = words.includes('server') || words.includes('server=on');
  return {
    server,
    wait: server && !words.includes('nowait') && !words.includes('wait=off'),
    telnet: words.includes('telnet=on'),
  };
}

/** `[HOST]:PORT`. @throws UsageError */
export function tcpAddress(text: string, option: string): Address {
  const m = /^(.*):(\d+)$/.exec(text);
  const port = m ? Number(m[2]) : Number.NaN;
  if (!m || port > 65535) throw new UsageError(`${option}: '${text}' is no address: write HOST:PORT`);
  const host = m[1]!.replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' || host === 'localhost' ? '127.0.0.1' : host, port };
}

const FORMS = 'stdio, null, file:F, pipe:F, tcp:HOST:PORT[,server][,nowait], telnet:… or unix:PATH[,server][,nowait]';

/** A character device in one word, as `--serial` and QEMU's -serial take it. @throws UsageError */
export function parseCharacter(text: string, option: string): CharacterSpec {
  const colon = text.indexOf(':');
  const kind = colon < 0 ? text : text.slice(0, colon);
  const rest = colon < 0 ? '' : text.slice(colon + 1);
  switch (kind) {
    case 'stdio':
    case 'null':
      if (colon < 0) return { kind };
      break;
    case 'file':
    case 'pipe':
      if (rest !== '') return { kind, path: rest };
      break;
    case 'unix': {
      const [path, ...words] = rest.split(',');
      if (path) return { kind: 'socket', address: { path }, ...socketWords(words, option) };
      break;
    }
    case 'tcp':
    case 'telnet': {
      const [at, ...words] = rest.split(',');
      const use = socketWords(words, option);
      return { kind: 'socket', address: tcpAddress(at!, option), ...use, telnet: use.telnet || kind === 'telnet' };
    }
    case 'pty':
      throw new UsageError(`${option}: Node cannot make a pty: use unix:PATH,server, and socat to make one of it`);
  }
  throw new UsageError(`${option}: '${text}' is unknown: use ${FORMS}`);
}
