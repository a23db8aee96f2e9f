/**
 * The networks of this computer for a guest, without any right of an administrator: passt (https://passt.top) answers DHCP and
 * turns the guest's packets into connections of its own. It runs as a process beside this one, and ends with it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import type { Socket } from 'node:net';
import { delimiter, join } from 'node:path';
import { UsageError } from '../errors.ts';
import type { CableEnd, Outside } from './outside.ts';
import { type Forward, type OutsideSpec, USER_NETWORK } from './spec.ts';
import { StreamPeer, warnIfExposed } from './stream.ts';

const PROGRAM = 'passt';
/** The guest's driver has no buffers for longer packets. */
const MTU = 1500;
/** Number of the descriptor on which passt finds its end. */
const DESCRIPTOR = 3;
/** Most text of passt's that is kept for a message. */
const MOST_TEXT = 4096;
/** What passt says also when nothing is wrong. */
const USUAL = /AVX2|^Started as root|^No (IPv6|routable)|nameserver/;

/** Is there a program of this name? */
function installed(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const forward = ({ protocol, from, to }: Forward): string[] => [
  protocol === 'tcp' ? '--tcp-ports' : '--udp-ports',
  `${from.host}/${from.port}:${to}`,
];

/** passt's options (passt(1)). */
export function passtArguments({ forwards, hostname }: Extract<OutsideSpec, { kind: 'user' }>): string[] {
  const { guest, bits, gateway, dns } = USER_NETWORK;
  return [
    '--quiet',
    ...['--fd', `${DESCRIPTOR}`],
    '--ipv4-only',
    ...['--address', guest, '--netmask', `${bits}`, '--gateway', gateway, '--dns-forward', dns],
    ...['--mtu', `${MTU}`],
    ...(hostname === undefined ? [] : ['--hostname', hostname]),
    ...forwards.flatMap(forward),
  ];
}

/** One line with what passt has said, and what can be done about it. */
function explain(text: string): string {
  const line =
    text
      .split('\n')
      .map((l) => l.trim())
      .find((l) => l !== '' && !USUAL.test(l)) ?? 'it says nothing';
  if (/already in use/i.test(line)) return `${line}: choose another port for hostfwd=`;
  if (/cannot assign/i.test(line)) return `${line}: choose an address of this computer for hostfwd=`;
  if (/namespace/.test(line))
    return `${line}: allow user namespaces, or start passt where they are allowed and use --net passt:SOCKET`;
  return `${line}: see passt(1)`;
}

export class Passt implements Outside {
  private readonly spec: Extract<OutsideSpec, { kind: 'user' }>;
  private peer: StreamPeer | undefined;

  /** @throws UsageError when the program is missing */
  constructor(spec: Extract<OutsideSpec, { kind: 'user' }>) {
    this.spec = spec;
    if (!installed(PROGRAM))
      throw new UsageError(
        '--net user: the program passt is missing: install the package passt, or use --net isolated',
      );
  }

  async open(end: CableEnd): Promise<void> {
    const child = spawn(PROGRAM, passtArguments(this.spec), { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
    // Its other end is the descriptor: when this process ends, however that happens, passt ends, too.
    const socket = child.stdio[DESCRIPTOR] as Socket;
    socket.on('error', () => {});
    const said = await outcome(child);
    if (said !== undefined) {
      socket.destroy();
      throw new UsageError(`--net user: passt does not start: ${explain(said)}`);
    }
    this.peer = new StreamPeer(socket, end, () => end.lost('passt has ended'));
    socket.unref();
    for (const { from } of this.spec.forwards) warnIfExposed('user', from.host);
  }

  send(frame: Uint8Array): boolean {
    return this.peer!.send(frame);
  }

  resume(): void {
    this.peer?.resume();
  }

  close(): void {
    this.peer?.close();
  }
}

/** Waits until passt has gone into the background, where it serves. @returns what it has said, when it does not serve */
function outcome(child: ChildProcess): Promise<string | undefined> {
  let said = '';
  child.stderr!.on('data', (data: Buffer) => {
    said = (said + data.toString()).slice(0, MOST_TEXT);
  });
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => resolve(`${error.code ?? error.message}`));
    // Its background process may keep the pipe open, so this does not wait for its end.
    child.once('exit', (code) => setImmediate(() => resolve(code === 0 ? undefined : said)));
  }).then((text) => {
    child.stderr!.destroy();
    return text as string | undefined;
  });
}
