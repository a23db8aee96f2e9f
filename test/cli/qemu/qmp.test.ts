/** QMP: what it answers has the form of QEMU's own answers; what its commands do to a machine; the human monitor. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { PROJECT_ROOT } from '../../../src/cli/paths.ts';
import { encodePacket } from '../../../src/gdbstub/framing.ts';
import { until } from '../../support/wait.ts';
import { folder, greeter, launch, openSocket, runner } from './guest.ts';

type Message = Readonly<Record<string, unknown>>;

/** The client's side of a QMP connection. */
class QmpClient {
  readonly messages: Message[] = [];
  private text = '';
  private readonly send: (text: string) => void;

  constructor(source: NodeJS.ReadableStream, send: (text: string) => void) {
    this.send = send;
    source.setEncoding('utf8');
    source.on('data', (data: string) => {
      this.text += data;
      const lines = this.text.split('\n');
      this.text = lines.pop()!;
      for (const l of lines) if (l.trim()) this.messages.push(JSON.parse(l) as Message);
    });
  }

  static atSocket(socket: Socket): QmpClient {
    return new QmpClient(socket, (text) => void socket.write(text));
  }

  static atStreams(child: ChildProcess): QmpClient {
    return new QmpClient(child.stdout!, (text) => void child.stdin!.write(text));
  }

  async greeting(): Promise<Message> {
    await until(() => this.messages.length > 0);
    return this.messages.shift()!;
  }

  /** Sends a request as it is. @returns the answer */
  async raw(text: string): Promise<Message> {
    const before = this.messages.length;
    this.send(`${text}\n`);
    const answer = (): Message | undefined => this.messages.slice(before).find((m) => 'return' in m || 'error' in m);
    await until(() => answer() !== undefined);
    const found = answer()!;
    this.messages.splice(this.messages.indexOf(found), 1);
    return found;
  }

  execute(execute: string, args?: Message): Promise<Message> {
    return this.raw(JSON.stringify({ execute, ...(args && { arguments: args }) }));
  }

  /** Waits for an event and takes it. */
  async event(name: string): Promise<Message> {
    const found = (): Message | undefined => this.messages.find((m) => m.event === name);
    await until(() => found() !== undefined);
    const message = found()!;
    this.messages.splice(this.messages.indexOf(message), 1);
    return message;
  }
}

/** Starts loongscope with QMP at a socket, negotiated. */
async function start(
  kernel: Uint8Array,
  ...args: string[]
): Promise<{ child: ChildProcess; client: QmpClient; cwd: string }> {
  const cwd = folder({ k: kernel });
  const child = launch(cwd, ['-kernel', 'k', '-qmp', 'unix:qmp,server,nowait', ...args]);
  const client = QmpClient.atSocket(await openSocket(join(cwd, 'qmp')));
  expect(await client.greeting()).toMatchObject({ QMP: { version: { qemu: { major: expect.any(Number) } } } });
  expect(await client.execute('qmp_capabilities')).toEqual({ return: {} });
  return { child, client, cwd };
}

/** Requests, and members of their answers that may differ: what names the program, a process or a number of it. */
const REQUESTS: readonly (readonly [request: string, ...differs: string[]])[] = [
  ['{"execute":"query-status"}'],
  ['{"execute":"qmp_capabilities"}'],
  ['{"execute":"qmp_capabilities"}'],
  ['{"execute":"query-status","id":7}'],
  ['{"execute":"query-status","id":{"a":[1]}}'],
  ['{"execute":"query-version"}', 'package'],
  ['{"execute":"query-name"}'],
  ['{"execute":"query-uuid"}'],
  ['{"execute":"query-kvm"}'],
  ['{"execute":"query-target"}'],
  ['{"execute":"query-current-machine"}'],
  ['{"execute":"query-memory-size-summary"}'],
  ['{"execute":"query-cpus-fast"}', 'thread-id'],
  ['{"execute":"cont"}'],
  ['{"execute":"query-status"}'],
  ['{"execute":"stop"}'],
  ['{"execute":"stop"}'],
  ['{"execute":"query-status"}'],
  ['{"execute":"system_reset"}'],
  ['{"execute":"system_powerdown"}'],
  ['{"execute":"nothing"}'],
  ['{"execute":"stop","arguments":{"x":1}}'],
  ['{"execute":5}'],
  ['{"foo":1}'],
  ['[1]'],
  ['{"execute":"stop","control":1}'],
  ['{"execute":"human-monitor-command"}'],
  ['{"execute":"human-monitor-command","arguments":{"command-line":"info status"}}'],
  ['{"execute":"human-monitor-command","arguments":{"command-line":"info name"}}'],
  ['{"execute":"human-monitor-command","arguments":{"command-line":"nonsense"}}'],
  ['{"execute":"human-monitor-command","arguments":{"command-line":"info nonsense"}}'],
  ['{"execute":\n"query-status"}'],
  ['{"execute":"quit"}'],
];
const SETUP = [
  '-m',
  '64',
  '-smp',
  '8,sockets=2,threads=2',
  '-display',
  'none',
  '-serial',
  'null',
  '-S',
  '-net',
  'none',
  '-name',
  'probe',
  '-qmp',
  'stdio',
];

/** An answer without the values of some members. */
const without = (value: unknown, members: readonly string[]): unknown =>
  JSON.parse(JSON.stringify(value, (key, v: unknown) => (members.includes(key) ? typeof v : v)));
/** The events so far, without their times. */
const events = (c: QmpClient): unknown[] => c.messages.map((m) => without(m, ['timestamp']));

describe('QMP', () => {
  test('answers and events are those of QEMU', async () => {
    const cwd = folder({ k: runner('') });
    const own = launch(cwd, ['-kernel', 'k', ...SETUP]);
    const qemu = join(PROJECT_ROOT, '.tools', 'bin', 'qemu-system-loongarch64');
    const other = spawn(
      existsSync(qemu) ? qemu : 'qemu-system-loongarch64',
      ['-kernel', 'k', '-machine', 'virt', ...SETUP],
      { cwd },
    );
    onTestFinished(() => void other.kill('SIGKILL'));
    const [a, b] = [QmpClient.atStreams(own), QmpClient.atStreams(other)];
    const differs = ['package', 'capabilities', 'micro', 'minor', 'major'];
    expect(without(await a.greeting(), differs)).toEqual(without(await b.greeting(), differs));
    const gone = [once(own, 'exit'), once(other, 'exit')];
    for (const [request, ...members] of REQUESTS) {
      const [mine, theirs] = await Promise.all([a.raw(request), b.raw(request)]);
      const free = [...members, 'micro', 'minor', 'major'];
      expect(without(mine, free), request).toEqual(without(theirs, free));
    }
    await Promise.all(gone);
    expect(events(a)).toEqual(events(b));
    expect(own.exitCode).toBe(0);
  });

  test('a machine is started, stopped, reset and ended', async () => {
    const { child, client } = await start(runner('x'), '-S', '-serial', 'file:out');
    expect(await client.execute('query-status')).toEqual({ return: { status: 'prelaunch', running: false } });
    await client.execute('cont');
    await client.event('RESUME');
    await client.execute('stop');
    await client.event('STOP');
    expect(await client.execute('query-status')).toEqual({ return: { status: 'paused', running: false } });
    await client.execute('system_reset');
    expect(await client.event('RESET')).toMatchObject({ data: { guest: false, reason: 'host-qmp-system-reset' } });
    await client.execute('cont');
    const gone = once(child, 'exit');
    await client.execute('quit');
    expect(await client.event('SHUTDOWN')).toMatchObject({ data: { guest: false, reason: 'host-qmp-quit' } });
    await gone;
    expect(child.exitCode).toBe(0);
  });

  test('-no-shutdown: a guest that switches itself off stays, and a reset begins again', async () => {
    const { child, client } = await start(greeter('on'), '-S', '-no-shutdown', '-serial', 'file:out', '-name', 'it');
    await client.execute('cont');
    expect(await client.event('SHUTDOWN')).toMatchObject({ data: { guest: true, reason: 'guest-shutdown' } });
    await client.event('STOP');
    expect(await client.execute('query-status')).toEqual({ return: { status: 'shutdown', running: false } });
    expect(await client.execute('cont')).toMatchObject({ error: { desc: /Reset/ } });
    await client.execute('system_reset');
    await client.execute('cont');
    expect(await client.event('SHUTDOWN')).toMatchObject({ data: { guest: true } });
    expect(await client.execute('query-name')).toEqual({ return: { name: 'it' } });
    const gone = once(child, 'exit');
    await client.execute('quit');
    await gone;
  });

  test('-no-reboot: a reset from outside ends the run', async () => {
    const { child, client } = await start(runner('x'), '-no-reboot', '-serial', 'null');
    const gone = once(child, 'exit');
    await client.execute('system_reset');
    expect(await client.event('SHUTDOWN')).toMatchObject({ data: { reason: 'host-qmp-system-reset' } });
    await gone;
    expect(child.exitCode).toBe(0);
  });

  test('beside a debugger: each sees what the other does', async () => {
    const { client, cwd } = await start(runner('x'), '-serial', 'null', '-S', '-gdb', 'unix:g');
    const gdb = await openSocket(join(cwd, 'g'));
    let replies = '';
    gdb.on('data', (b) => {
      replies += b.toString('latin1');
    });
    const say = (text: string): void => void gdb.write(encodePacket(text));
    say('?');
    await until(() => /\$T05/.test(replies));
    expect(await client.execute('query-status')).toEqual({ return: { status: 'prelaunch', running: false } });
    say('c');
    await client.event('RESUME');
    gdb.write('\x03');
    await client.event('STOP');
    expect(await client.execute('query-status')).toEqual({ return: { status: 'debug', running: false } });
    expect(await client.execute('cont')).toMatchObject({ error: { desc: 'a debugger keeps the machine stopped' } });
    say('c');
    await client.event('RESUME');
    gdb.destroy();
    await client.execute('stop');
    await client.event('STOP');
    expect(await client.execute('query-status')).toEqual({ return: { status: 'paused', running: false } });
  });

  test('a client that asks and does not read is sent away, and the machine runs on', async () => {
    const { cwd, client } = await start(runner('x'), '-serial', 'null', '-qmp', 'unix:second,server,nowait');
    const socket = await openSocket(join(cwd, 'second'));
    socket.on('error', () => {});
    const gone = new Promise((resolve) => socket.once('close', resolve));
    socket.write('{"execute":"qmp_capabilities"}');
    const question = '{"execute":"query-commands"}'.repeat(100);
    const ask = (): void => {
      while (!socket.destroyed && socket.write(question));
      if (!socket.destroyed) socket.once('drain', ask);
    };
    ask();
    // Nobody reads the answers, so only a broken connection ends this.
    await gone;
    expect((await client.execute('query-status')).return).toMatchObject({ running: true });
  });

  test('what cannot be done says what to do', async () => {
    const { client } = await start(runner('x'), '-serial', 'null');
    expect(await client.execute('device_add', { driver: 'virtio-net-pci' })).toMatchObject({
      error: { class: 'GenericError', desc: expect.stringMatching(/give them on the command line/) },
    });
    expect(await client.execute('migrate', { uri: 'x' })).toMatchObject({ error: { class: 'GenericError' } });
  });

  test('a second client at the same time is sent away, and the next one begins with a greeting', async () => {
    const cwd = folder({ k: runner('x') });
    launch(cwd, ['-kernel', 'k', '-serial', 'null', '-qmp', 'unix:qmp,server,nowait']);
    const first = await openSocket(join(cwd, 'qmp'));
    await QmpClient.atSocket(first).greeting();
    const second = await openSocket(join(cwd, 'qmp'));
    second.resume();
    await until(() => second.closed);
    first.end();
    await until(() => first.closed);
    const third = QmpClient.atSocket(await openSocket(join(cwd, 'qmp')));
    expect(await third.greeting()).toHaveProperty('QMP');
    expect(await third.execute('query-status')).toMatchObject({ error: { class: 'CommandNotFound' } });
    await third.execute('qmp_capabilities');
    expect((await third.execute('query-status')).return).toMatchObject({ running: true });
  });

  test('broken JSON is an error, and the connection goes on', async () => {
    const { client } = await start(runner('x'), '-serial', 'null');
    expect(await client.raw('nonsense')).toMatchObject({ error: { class: 'GenericError' } });
    expect(await client.raw('{"execute": }')).toMatchObject({ error: { class: 'GenericError' } });
    expect((await client.execute('query-status')).return).toMatchObject({ running: true });
  });
});

describe('the human monitor', () => {
  test('a prompt, an echo, and commands', async () => {
    const cwd = folder({ k: runner('x') });
    const child = launch(cwd, ['-kernel', 'k', '-serial', 'null', '-monitor', 'unix:mon,server,nowait', '-name', 'it']);
    const socket = await openSocket(join(cwd, 'mon'));
    let text = '';
    socket.on('data', (b) => {
      text += b.toString();
    });
    const ask = async (line: string): Promise<string> => {
      text = '';
      socket.write(`${line}\n`);
      await until(() => text.endsWith('(qemu) '));
      return text;
    };
    await until(() => text.endsWith('(qemu) '));
    expect(await ask('info status')).toBe('info status\r\nVM status: running\r\n(qemu) ');
    expect(await ask('stop')).toBe('stop\r\n(qemu) ');
    expect(await ask('info status')).toContain('VM status: paused\r\n');
    expect(await ask('info registers')).toMatch(/CPU#0\r\n PC=[0-9a-f]{16}/);
    expect(await ask('nonsense')).toContain("unknown command: 'nonsense'");
    expect(await ask('infoXY\b\u007f name')).toContain('it\r\n');
    const gone = once(child, 'exit');
    socket.write('q\n');
    await gone;
    expect(child.exitCode).toBe(0);
  });
});
