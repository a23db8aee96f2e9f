/** Where a disk's server is: the names that QEMU and the NBD project give to exports. */
import { UsageError } from '../errors.ts';

/** A server's export (https://github.com/NetworkBlockDevice/nbd, doc/uri.md; QEMU's manual, "NBD"). */
export interface NbdAddress {
  readonly server: { readonly path: string } | { readonly host: string; readonly port: number };
  /** Empty: the server's default export. */
  readonly exportName: string;
}

/** The port that IANA gives to NBD. */
const PORT = 10809;
/** Longest name of an export (protocol, "String values"). */
const MOST_NAME = 4096;

/** Does a drive's text name a server, and no file? */
export const isNbd = (text: string): boolean => /^nbds?(\+\w+)?:/.test(text);

const malformed = (text: string): UsageError =>
  new UsageError(
    `--drive: '${text}' is malformed: write nbd:unix:PATH[:exportname=NAME], nbd:HOST:PORT[:exportname=NAME], nbd://HOST[:PORT]/NAME or nbd+unix:///NAME?socket=PATH`,
  );

function portOf(text: string, whole: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65535) throw malformed(whole);
  return port;
}

const plain = (host: string): string => host.replace(/^\[(.*)\]$/, '$1');

/** `nbd:unix:PATH` or `nbd:HOST:PORT`, each with `:exportname=NAME` behind it. */
function short(text: string): NbdAddress {
  const [, where, , exportName = ''] = /^nbd:(.*?)(:exportname=(.*))?$/s.exec(text)!;
  if (where!.startsWith('unix:')) {
    if (where!.length === 5) throw malformed(text);
    return { server: { path: where!.slice(5) }, exportName };
  }
  const m = /^(\[[\da-f:.]+\]|[^:/]+):(\d+)$/i.exec(where!);
  if (!m) throw malformed(text);
  return { server: { host: plain(m[1]!), port: portOf(m[2]!, text) }, exportName };
}

function uri(text: string): NbdAddress {
  let url: URL;
  let exportName: string;
  try {
    // The host of a special scheme is parsed as people expect.
    url = new URL(text.replace(/^nbd:/, 'http:').replace(/^nbd\+unix:\/\//, 'http://unix'));
    exportName = decodeURIComponent(url.pathname.slice(1));
  } catch {
    throw malformed(text);
  }
  const socket = url.searchParams.get('socket');
  if (text.startsWith('nbd+unix:')) {
    if (!socket) throw malformed(text);
    return { server: { path: socket }, exportName };
  }
  if (socket !== null || !url.hostname) throw malformed(text);
  // 80 is the port that the borrowed scheme leaves out.
  const port = /^nbd:\/\/[^/?]*:80(?=[/?]|$)/.test(text) ? 80 : Number(url.port || PORT);
  return { server: { host: plain(url.hostname), port }, exportName };
}

/** @throws UsageError when the text is malformed, or wants what is not served */
export function parseNbd(text: string): NbdAddress {
  if (/^nbds/.test(text))
    throw new UsageError(
      `--drive: '${text}' wants encryption (TLS), which is not served: use a Unix socket, or a tunnel and nbd://127.0.0.1:PORT`,
    );
  if (!/^nbd(\+unix)?:/.test(text) || (/^nbd\+/.test(text) && !text.startsWith('nbd+unix://'))) throw malformed(text);
  const address = /^nbd(\+unix)?:\/\//.test(text) ? uri(text) : short(text);
  if (Buffer.byteLength(address.exportName) > MOST_NAME || address.exportName.includes('\0')) throw malformed(text);
  return address;
}

/** Does the server run on this computer? */
export const isNear = ({ server }: NbdAddress): boolean =>
  'path' in server || /^(localhost|127\.\d+\.\d+\.\d+|::1)$/.test(server.host);
