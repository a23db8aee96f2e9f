/** What `--net` takes: the other end of the network card, and its parts. */
import { isIP, isIPv4 } from 'node:net';
import { UsageError } from '../errors.ts';

/** An IP address and a port. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export type SocketAddress = HostPort | { readonly path: string };

/** A port of this computer that leads to one of the guest's. */
export interface Forward {
  readonly protocol: 'tcp' | 'udp';
  /** Where this computer listens. */
  readonly from: HostPort;
  /** The guest's port. */
  readonly to: number;
}

interface Common {
  /** The user's words, for messages. */
  readonly name: string;
}

/** Networks outside the machine. */
export type OutsideSpec =
  /** The networks of this computer, through passt. */
  | ({
      readonly kind: 'user';
      readonly forwards: readonly Forward[];
      /** The name that DHCP gives to the guest. */
      readonly hostname?: string;
    } & Common)
  /** A stream of frames to another machine, or to a passt that runs already. */
  | ({ readonly kind: 'stream'; readonly role: 'connect' | 'listen'; readonly address: SocketAddress } & Common)
  /** A frame a datagram, to another machine. */
  | ({ readonly kind: 'datagram'; readonly local: HostPort; readonly remote: HostPort } & Common);

export type NetSpec = (
  | { readonly kind: 'none' }
  | { readonly kind: 'loopback' }
  /** Drops all packets. */
  | { readonly kind: 'isolated' }
  /** Writes packets to a file only. */
  | { readonly kind: 'dump'; readonly file: string }
  | OutsideSpec
) & {
  /** A file for all packets, in both directions. */
  readonly pcap?: string;
};

/** Addresses of the network behind {@link OutsideSpec} `user`: those of QEMU's, which guests and their scripts expect. */
export const USER_NETWORK = { guest: '10.0.2.15', bits: 24, gateway: '10.0.2.2', dns: '10.0.2.3' } as const;

const LOOPBACK = '127.0.0.1';
const USE =
  'use none, isolated, loopback or dump:FILE; user, passt:SOCKET, stream,connect=ADDRESS, stream,listen=ADDRESS or dgram,local=ADDRESS,remote=ADDRESS';

/** `[HOST:]PORT`; the host defaults to loopback. @throws UsageError */
export function parseHostPort(text: string, what: string): HostPort {
  const m = /^(?:(\[[\da-f:.]+\]|[^:[\]]*):)?(\d+)$/i.exec(text);
  const port = Number(m?.[2]);
  if (!m || port < 1 || port > 65535)
    throw new UsageError(`--net: ${what}'${text}' is no address: write [HOST:]PORT, with a port from 1 to 65535`);
  const host = m[1]?.replace(/^\[(.*)\]$/, '$1') || LOOPBACK;
  return { host: host === 'localhost' ? LOOPBACK : host, port };
}

/** `[HOST:]PORT` or `unix:PATH`. @throws UsageError */
export function parseSocketAddress(text: string, what: string): SocketAddress {
  if (!text.startsWith('unix:')) return parseHostPort(text, what);
  if (text.length === 5) throw new UsageError(`--net: ${what}unix: needs a path: write unix:PATH`);
  return { path: text.slice(5) };
}

/** `[tcp|udp]:[HOST]:PORT-[GUEST]:PORT`, as in QEMU; the host's address defaults to loopback. @throws UsageError */
export function parseForward(text: string): Forward {
  const m = /^(tcp|udp)?:([^:]*):(\d+)-([^:]*):(\d+)$/.exec(text);
  if (!m) throw new UsageError(`--net user: hostfwd=${text} is malformed: write hostfwd=tcp:127.0.0.1:2222-:22`);
  const [, protocol, , , guest] = m;
  const from = parseHostPort(`${m[2]}:${m[3]}`, 'user: hostfwd: ');
  const to = Number(m[5]);
  if (!isIPv4(from.host))
    throw new UsageError(`--net user: hostfwd=${text}: '${from.host}' is no IPv4 address: write it with four numbers`);
  if (guest && guest !== USER_NETWORK.guest)
    throw new UsageError(
      `--net user: hostfwd=${text}: the guest has the address ${USER_NETWORK.guest}: leave ${guest} out`,
    );
  if (to < 1 || to > 65535) throw new UsageError(`--net user: hostfwd=${text}: there is no port ${to}: correct it`);
  return { protocol: protocol === 'udp' ? 'udp' : 'tcp', from, to };
}

/** The name that a guest may have. @throws UsageError */
export function parseHostname(text: string): string {
  if (!/^[a-z\d]([a-z\d-]{0,61}[a-z\d])?$/i.test(text))
    throw new UsageError(`--net user: hostname '${text}' is no name: use letters, digits and hyphens`);
  return text;
}

type Part = readonly [key: string, value: string];

const partsOf = (text: string): Part[] =>
  text.split(',').map((part) => {
    const at = part.indexOf('=');
    return at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)];
  });

/** The only value of a key. @throws UsageError when it stands there twice */
function only(parts: readonly Part[], key: string, of: string): string | undefined {
  const found = parts.filter(([k]) => k === key);
  if (found.length > 1) throw new UsageError(`--net ${of}: ${key} is given twice: leave one out`);
  return found[0]?.[1];
}

function known(parts: readonly Part[], of: string, keys: readonly string[]): void {
  for (const [key, value] of parts)
    if (!keys.includes(key) || value === '')
      throw new UsageError(`--net ${of}: unknown part '${key}': use ${keys.map((k) => `${k}=`).join(', ')}`);
}

function parseUser(parts: readonly Part[]): NetSpec {
  known(parts, 'user', ['hostfwd', 'hostname']);
  const hostname = only(parts, 'hostname', 'user');
  return {
    kind: 'user',
    name: 'user',
    forwards: parts.filter(([key]) => key === 'hostfwd').map(([, value]) => parseForward(value)),
    ...(hostname !== undefined && { hostname: parseHostname(hostname) }),
  };
}

function parseStream(parts: readonly Part[]): NetSpec {
  known(parts, 'stream', ['connect', 'listen']);
  const [first, more] = parts;
  if (!first || more) throw new UsageError('--net stream: one end connects, one listens: use connect= or listen=');
  const role = first[0] as 'connect' | 'listen';
  const name = `stream,${role}=${first[1]}`;
  return { kind: 'stream', name, role, address: parseSocketAddress(first[1], `stream,${role}: `) };
}

function parseDatagram(parts: readonly Part[]): NetSpec {
  known(parts, 'dgram', ['local', 'remote']);
  const [local, remote] = [only(parts, 'local', 'dgram'), only(parts, 'remote', 'dgram')];
  if (local === undefined || remote === undefined)
    throw new UsageError('--net dgram: both ends have an address: use local=[HOST:]PORT and remote=[HOST:]PORT');
  const ends = { local: parseHostPort(local, 'dgram,local: '), remote: parseHostPort(remote, 'dgram,remote: ') };
  if (isIP(ends.local.host) === 0 || isIP(ends.local.host) !== isIP(ends.remote.host))
    throw new UsageError('--net dgram: local= and remote= want addresses of one kind, in numbers: correct them');
  return { kind: 'datagram', name: `dgram,local=${local},remote=${remote}`, ...ends };
}

/** Each kind with what stands behind its name. */
const KINDS: Readonly<Record<string, (parts: readonly Part[]) => NetSpec>> = {
  user: parseUser,
  stream: parseStream,
  dgram: parseDatagram,
};

/** @throws UsageError */
export function parseNet(text: string): NetSpec {
  // A name of a file takes the rest, with its commas.
  if (text.startsWith('dump:') && text.length > 5) return { kind: 'dump', file: text.slice(5) };
  const [first, ...rest] = text.split(',');
  const all = rest.length > 0 ? partsOf(rest.join(',')) : [];
  const pcap = only(all, 'pcap', first!);
  const parts = all.filter(([key]) => key !== 'pcap');
  if (pcap === '') throw new UsageError('--net: pcap= names no file: write pcap=FILE');
  const spec = specOf(first!, parts);
  if (spec.kind === 'none' && pcap !== undefined)
    throw new UsageError('--net none: there are no packets for pcap=: use isolated, or leave pcap= out');
  return { ...spec, ...(pcap !== undefined && { pcap }) };
}

function specOf(first: string, parts: readonly Part[]): NetSpec {
  const kind = KINDS[first];
  if (kind && Object.hasOwn(KINDS, first)) return kind(parts);
  if (parts.length > 0) known(parts, first, ['pcap']);
  if (first === 'none' || first === 'loopback' || first === 'isolated') return { kind: first };
  if (first.startsWith('passt:') && first.length > 6)
    return { kind: 'stream', name: first, role: 'connect', address: { path: first.slice(6) } };
  throw new UsageError(`--net: '${first}' is unknown: ${USE}`);
}

export const isOutside = (spec: NetSpec): spec is OutsideSpec & { readonly pcap?: string } =>
  spec.kind === 'user' || spec.kind === 'stream' || spec.kind === 'datagram';
