/** Clients that cannot be served: each is named to the user, costs a bounded amount, and nothing is lost for the others. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Running, start } from '../../src/cli/run.ts';
import { encodePacket, fromLatin1, toHex } from '../../src/gdbstub/framing.ts';
import { GDBS, gdbSession, guestSpec, machineCli } from '../support/gdb-session.ts';
import { tinyElf } from '../support/images.ts';
import { monitorText, PacketClient } from '../support/packet-client.ts';

/** addi.d $a0, $a0, 1: the program works, and so nothing is said about it. */
const COUNT = 0x02c00484;

const folder = mkdtempSync(join(tmpdir(), 'loongscope-bad-clients-'));
afterAll(() => rmSync(folder, { recursive: true }));
const IMAGE = join(folder, 'loop.elf');
writeFileSync(IMAGE, tinyElf(COUNT));

let running: Running;
let told: string[];
const port = (): number => running.ports[0] as number;

beforeEach(async () => {
  told = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    told.push(String(text));
    return true;
  });
  const { guest: _, ...bare } = machineCli([], { wait: true });
  running = await start(IMAGE, bare, () => {});
});
afterEach(async () => {
  running.control.quit();
  await running.done;
  vi.restoreAllMocks();
});

/**
 * A connection that sends without an end until it is closed.
 * @param beginning what it sends before
 * @returns when it is closed
 */
function flood(beginning: Uint8Array, endless: string): Promise<void> {
  const socket: Socket = connect(port(), '127.0.0.1');
  socket.on('error', () => {});
  socket.resume();
  const bytes = fromLatin1(endless);
  const more = (): void => {
    while (!socket.destroyed && socket.write(bytes));
  };
  socket.on('connect', () => {
    socket.write(beginning);
    more();
  });
  socket.on('drain', more);
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** Another client is served as if nothing had happened. */
async function othersAreServed(): Promise<void> {
  const good = new PacketClient(port());
  expect(await good.ask('?')).toMatch(/^T05/);
  expect(await good.ask('m200000,4')).toBe('8404c002');
  good.socket.destroy();
}

describe('a gdb without LoongArch', () => {
  test.each(GDBS)(
    '%s with another architecture: the program says what is wrong, and the machine still waits',
    async (_, gdb) => {
      const { all } = await execa(
        gdb,
        [
          ...['-nx', '-q', '-batch', '-ex', 'set architecture i386:x86-64'],
          ...['-ex', `target extended-remote 127.0.0.1:${port()}`],
        ],
        { all: true, reject: false },
      );
      expect(all).toMatch(/Remote register badly formatted/);
      await vi.waitFor(() =>
        expect(told).toEqual([
          "loongscope: gdb: a client has left at its first stop. If it says 'unknown architecture' or 'Remote register badly formatted', it is a gdb without LoongArch, or with another architecture set: use gdb-multiarch 16 or newer ('loongscope doctor' says where one comes from), or 'set architecture auto'\n",
        ]),
      );
      expect(running.booted.machine.instructions).toBe(0);
      await othersAreServed();
      // The one that read memory was a debugger: behind it the machine runs.
      await vi.waitFor(() => expect(running.booted.machine.instructions).toBeGreaterThan(0));
    },
  );

  test.each(GDBS)('%s that only looks is not taken for one', async (_, gdb) => {
    const target = ['-ex', `target extended-remote 127.0.0.1:${port()}`];
    await execa(gdb, ['-nx', '-q', '-batch', ...target]);
    await vi.waitFor(() => expect(running.booted.machine.instructions).toBeGreaterThan(0));
    expect(told).toEqual([]);
  });
});

describe('a client that sends garbage without an end', () => {
  test.each([
    ['letters', fromLatin1('+'), 'x'.repeat(1 << 16)],
    ['letters behind a packet', encodePacket('qC'), 'x'.repeat(1 << 16)],
    ['packets with a wrong checksum', fromLatin1('+'), '$qC#00'.repeat(1 << 13)],
    ['one packet that never ends', fromLatin1('$'), 'm'.repeat(1 << 16)],
  ])('%s: it is disconnected', async (_, beginning, endless) => {
    const before = process.memoryUsage().rss;
    await flood(beginning, endless);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 << 20);
    expect(told).toEqual([
      'loongscope: gdb: a client was disconnected: what it sends between packets is not the protocol of gdb\n',
    ]);
    await othersAreServed();
  });

  test('a hundred of them are told in a few lines', async () => {
    for (let n = 0; n < 100; n++) await flood(fromLatin1('+'), 'x'.repeat(8192));
    expect(told).toHaveLength(17);
    expect(told.at(-1)).toBe('loongscope: gdb: more of these are only told with --log gdb\n');
    await othersAreServed();
  });
});

test('a client that never reads is disconnected, and told', async () => {
  const deaf = connect(port(), '127.0.0.1');
  deaf.on('error', () => {});
  deaf.pause();
  const closed = new Promise<void>((resolve) => deaf.once('close', () => resolve()));
  const before = process.memoryUsage().rss;
  const ask = Buffer.concat(Array.from({ length: 500 }, () => encodePacket('m200000,fff0')));
  while (told.length === 0) if (!deaf.write(ask)) await new Promise(setImmediate);
  expect(process.memoryUsage().rss - before).toBeLessThan(200 << 20);
  expect(told).toEqual([
    'loongscope: gdb: a client was disconnected: it does not read what it is sent, and 8 MiB wait for it\n',
  ]);
  deaf.resume();
  await closed;
  await othersAreServed();
}, 30_000);

describe('an unknown VM is named, with what there is to do', () => {
  test('before any has run', async () => {
    const client = new PacketClient(port());
    expect(await client.ask('vAttach;63')).toBe(
      "E.there is no process 99: VM number N is process 16 + N, from its first entry on ('info os vms')",
    );
    expect(monitorText(await client.ask(`qRcmd,${toHex(fromLatin1('translate 0 in 9'))}`))).toMatch(
      /^VM 9 has not run yet: none has \('monitor info vms'\)\n/,
    );
    client.socket.destroy();
  });

  test('in every command that takes one', async () => {
    const unknown = "VM 9 has not run yet: VM 1 has ('monitor info vms')";
    const world = "'x' is no world: use host, the number of a VM, or gid:N";
    const answers = [
      ['translate 0x200000 in 9', unknown],
      ['translate 0x200000 in gid:9', "no VM has had GID 9 so far: see 'monitor info vms'"],
      ['info stage2 9', unknown],
      ['info pagetable 9', unknown],
      ['info tlb 9', unknown],
      ['catch vmexit HVC in x', world],
      // A VM that may still come.
      ['catch vmexit HVC in 9', 'catch 1: vmexit HVC in 9'],
      ['explain 9', "'explain' takes no arguments: leave out '9'"],
      ['info exits 9', "'info exits' takes no arguments: leave out '9'"],
      [
        'tranlate 0x200000 in 1',
        "unknown command 'tranlate 0x200000 in 1': did you mean 'translate'? 'monitor help' lists all",
      ],
      ['info vmm', "unknown command 'info vmm': did you mean 'info vms'? 'monitor help' lists all"],
      ['ports 9', "unknown command 'ports 9': 'monitor help' lists all"],
    ] as const;
    const { output } = await gdbSession({
      guests: [guestSpec('hello')],
      commands: ['break *&_guest_exit', 'continue', ...answers.map(([command]) => `monitor ${command}`)],
    });
    const lines = output.split('\n');
    for (const [command, answer] of answers) expect(lines[lines.indexOf(`(gdb) monitor ${command}`) + 1]).toBe(answer);
  });
});
