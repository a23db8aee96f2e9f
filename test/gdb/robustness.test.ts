/** The packet layer under fire, and clients that behave badly. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { type Running, start } from '../../src/cli/run.ts';
import { encodePacket, fromLatin1, latin1, PacketParser } from '../../src/gdbstub/framing.ts';
import { dispatch } from '../../src/gdbstub/packets/index.ts';
import { Session } from '../../src/gdbstub/session.ts';
import { Driven } from '../support/driven.ts';
import { GDBS, guestSpec, machineCli } from '../support/gdb-session.ts';
import { elfOf, IDLE, tinyElf } from '../support/images.ts';
import { CONSOLE_TEXT } from '../support/packet-client.ts';
import { seeded } from '../support/random.ts';
import { stateHash } from '../support/state-hash.ts';
import { clientsOf, until } from '../support/wait.ts';

/** Packets of which mutants are made. None of them changes the machine or lets it run. */
const READING = [
  '?',
  'g',
  'p20',
  'p1005',
  'm1000000,40',
  'x1000000,40',
  'm6db2000000000030,8',
  'Z0,1000008,4;X3,220127',
  'z0,1000008,4',
  'Z2,1800000,8',
  'z2,1800000,8',
  'Hgp1.1',
  'Hc-1',
  'qSupported:swbreak+;hwbreak+',
  'qXfer:features:read:target.xml:0,100',
  'qXfer:osdata:read:exits:0,100',
  'qXfer:threads:read::0,100',
  'qXfer:exec-file:read:1:0,100',
  'qXfer:btrace-conf:read::0,100',
  'qRcmd,696e666f20776f726c6473',
  'qRcmd,6361746368207632',
  'qfThreadInfo',
  'qSearch:memory:1000000;100;abc',
  'qCRC:1000000,10',
  'QCatchSyscalls:1;bcf',
  'vAttach;11',
  'vCont?',
  'Tp1.1',
  'qThreadExtraInfo,p1.1',
  'QPassSignals:e;10',
  'Qbtrace:off',
];
/** Packets that are theirs to change or move the machine; and searches of far too much memory. */
const CHANGING =
  /^([cCsSkDGPMXR]|vCont;|vKill|bs|bc|QStartNoAck|qRcmd,(72|71|67|68)|Qbtrace:bts|q(CRC|Search).*[0-9a-f]{5,}[;,])/i;

function mutate(random: () => number, seed: string): Uint8Array {
  const bytes = [...fromLatin1(seed)];
  for (let k = random() % 4; k > 0; k--) {
    const at = random() % (bytes.length + 1);
    const kind = random() % 4;
    if (kind === 0) bytes[at] = random() & 0xff;
    else if (kind === 1) bytes.splice(at, 1);
    else if (kind === 2) bytes.splice(at, 0, random() & 0xff);
    else bytes.splice(at, random() % 8, ...bytes.slice(random() % (bytes.length + 1)));
  }
  return Uint8Array.from(bytes.map((b) => b ?? 0)).filter((b) => b !== 0x23 && b !== 0x24 && b !== 0x7d && b !== 3);
}

describe('the packet layer', () => {
  test('a million mutated packets: one answer each, no byte besides, the machine untouched', async () => {
    const driven = await Driven.boot(['hello']);
    await driven.to('handle_exit');
    const { control } = driven;
    let answers = 0;
    let stray = 0;
    const parser = new PacketParser();
    const session = new Session({
      control,
      view: { kind: 'machine' },
      dispatch,
      symbolize: driven.booted.symbolize,
      log: () => {},
      send: (bytes) => {
        for (const f of parser.push(bytes)) {
          if (f.kind !== 'packet') stray++;
          // Text of a monitor command comes before its answer.
          else if (!CONSOLE_TEXT.test(f.payload) || f.payload === 'OK') answers++;
        }
      },
    });
    session.receive(encodePacket('QStartNoAckMode'));
    expect(answers).toBe(1);
    stray = 0;
    const before = stateHash(driven.booted.machine);
    const random = seeded(20261124);
    let asked = 1;
    while (asked < 1_000_000) {
      const payload = mutate(random, READING[random() % READING.length]!);
      const text = latin1(payload);
      if (CHANGING.test(text)) continue;
      const packet = encodePacket(text);
      asked++;
      // Whole, or in two pieces.
      if (random() % 4 === 0) {
        const cut = random() % packet.length;
        session.receive(packet.subarray(0, cut));
        session.receive(packet.subarray(cut));
      } else session.receive(packet);
      // Noise between packets and a broken checksum are dropped without a word.
      if (random() % 16 === 0) session.receive(payload);
      if (random() % 16 === 0) session.receive(fromLatin1(`$${text}#zz`));
    }
    expect(answers).toBe(asked);
    expect(stray).toBe(0);
    expect(stateHash(driven.booted.machine)).toBe(before);
    session.receive(encodePacket('qC'));
    expect(answers).toBe(asked + 1);
  }, 600_000);

  test('packets that write, mutated: no crash, and the machine goes on', async () => {
    const driven = await Driven.boot(['hello']);
    await driven.to('handle_exit');
    let answers = 0;
    const parser = new PacketParser();
    const session = new Session({
      control: driven.control,
      view: { kind: 'machine' },
      dispatch,
      symbolize: driven.booted.symbolize,
      log: () => {},
      send: (bytes) => {
        answers += parser.push(bytes).filter((f) => f.kind === 'packet').length;
      },
    });
    session.receive(encodePacket('QStartNoAckMode'));
    const random = seeded(7);
    const seeds = [
      'M1800000,2:0102',
      'X1800000,2:ab',
      'P5=0011223344556677',
      `G${'00'.repeat(280)}`,
      'P1000=1000000000000000',
      'X6db2000000000180,8:12345678',
    ];
    let asked = 1;
    while (asked < 20_000) {
      const text = latin1(mutate(random, seeds[random() % seeds.length]!));
      if (/^([cCsSkDR]|vCont;|bc)/.test(text)) continue;
      asked++;
      session.receive(encodePacket(text));
    }
    expect(answers).toBe(asked);
    session.receive(encodePacket('g'));
  });
});

/** A client that measures. */
class Raw {
  readonly socket: Socket;
  private readonly parser = new PacketParser();
  private wake: (payload: string) => void = () => {};

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setNoDelay(true);
    this.socket.on('error', () => {});
    this.socket.on('data', (d: Buffer) => {
      for (const f of this.parser.push(d))
        if (f.kind === 'packet' && !CONSOLE_TEXT.test(f.payload)) this.wake(f.payload);
    });
  }

  reply(): Promise<string> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }

  ask(payload: string): Promise<string> {
    const answer = this.reply();
    this.socket.write(encodePacket(payload));
    return answer;
  }
}

async function withMachine<T>(
  image: Uint8Array | undefined,
  guest: Uint8Array | undefined,
  body: (running: Running, client: Raw) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'loongscope-robust-'));
  const file = image && join(folder, 'image.elf');
  if (image && file) writeFileSync(file, image);
  const guestFile = join(folder, 'guest.elf');
  if (guest) writeFileSync(guestFile, guest);
  const { guest: _none, ...bare } = machineCli([]);
  const running = await start(file, guest ? machineCli([guestSpec(guestFile, 'loop')]) : bare, () => {});
  const client = new Raw(running.ports[0] as number);
  try {
    await client.ask('qC');
    return await body(running, client);
  } finally {
    client.socket.destroy();
    running.control.quit();
    await running.done;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Code that misses the TLB with every load; the handler, on a page of its own, fills nothing and returns behind the load. */
const REFILL_STORM = [
  'lu52i.d $t0, $zero, -1792', // DMW0: segment 9
  'ori $t1, $t0, 1',
  'csrwr $t1, 0x180',
  'lu12i.w $t2, 0x201', // TLBRENTRY = 0x201000
  'csrwr $t2, 0x88',
  'ori $t3, $zero, 0x10',
  'pcaddi $t2, 4',
  'or $t2, $t2, $t0',
  'csrwr $t3, 0', // paging on: the next fetch misses, and the handler returns behind it
  'ori $zero, $zero, 0',
  'lu12i.w $t4, 1',
  'add.d $t5, $t5, $t4',
  'ld.d $a0, $t5, 0',
  'b -8',
  ...Array.from({ length: 1024 - 14 }, () => 'ori $zero, $zero, 0'),
  'csrrd $t6, 0x8a', // TLBRERA
  'addi.d $t6, $t6, 4',
  'or $t6, $t6, $t0', // through the window from the first return on
  'csrwr $t6, 0x8a',
  'ertn',
];

describe('Ctrl-C is answered within 50 ms', () => {
  test.each([
    ['in a loop of the host', tinyElf(), undefined],
    ['in idle', tinyElf(IDLE), undefined],
    ['in a loop of a guest', undefined, elfOf(['b 0'])],
    ['in a storm of TLB refills', elfOf(REFILL_STORM), undefined],
  ])('%s', async (what, image, guest) => {
    await withMachine(image, guest, async (running, client) => {
      const times: number[] = [];
      for (let n = 0; n < 7; n++) {
        const { machine } = running.booted;
        const cpu = machine.cpus[0]!;
        const before = [machine.instructions, cpu.events.hostExceptions[0x3f]!] as const;
        client.socket.write(encodePacket('vCont;c'));
        // It has got where it is to be stopped.
        await until(() => {
          if (!running.control.isRunning) return false;
          if (what.includes('idle')) return cpu.idle;
          if (what.includes('refills')) return cpu.events.hostExceptions[0x3f]! > before[1] + 2000;
          return cpu.vm === what.includes('guest') && machine.instructions > before[0] + 100_000;
        });
        const answer = client.reply();
        const began = performance.now();
        client.socket.write(Uint8Array.of(3));
        expect(await answer).toMatch(/^T02/);
        times.push(performance.now() - began);
        if (running.booted.machine.poweredOff) break;
      }
      const { hostExceptions } = running.booted.machine.cpus[0]!.events;
      if (what.includes('refills')) expect(hostExceptions[0x3f]).toBeGreaterThan(10_000);
      // The first one may meet code that V8 has not compiled yet.
      const sorted = times.slice(1).sort((a, b) => a - b);
      expect(sorted[sorted.length >> 1]).toBeLessThan(50);
    });
  });
});

describe('clients that go away', () => {
  test('in the middle of a packet, with breakpoints, watchpoints and catches set', async () => {
    await withMachine(tinyElf(), undefined, async (running, client) => {
      for (const p of ['Z0,200004,4', 'Z2,300000,8', 'QCatchSyscalls:1;bcf']) expect(await client.ask(p)).toBe('OK');
      const second = new Raw(running.ports[0] as number);
      await second.ask('qC');
      client.socket.write(fromLatin1('$m2000'));
      client.socket.destroy();
      await until(() => clientsOf(running.control).length === 1);
      expect(running.control.comparators.at(0x200004n, -1)).toEqual([]);
      expect(running.control.comparators.hasWatchpoints).toBe(false);
      expect(running.control.catches.isEmpty).toBe(true);
      expect(await second.ask('m200000,4')).toMatch(/^[0-9a-f]{8}$/);
      second.socket.destroy();
    });
  });

  test.each(GDBS)(
    '%s, killed while the machine runs: the next one finds a machine without breakpoints',
    async (_name, gdb) => {
      await withMachine(elfOf(['addi.d $t0, $t0, 1', 'b -4']), undefined, async (running, client) => {
        const port = running.ports[0] as number;
        const script = [
          'break *0x200004 if $r12 == 1',
          'continue',
          'delete',
          'break *0x200000 if $r12 == 0',
          'continue',
        ];
        const child = execa(
          gdb,
          [
            '-nx',
            '-q',
            '-batch',
            '-ex',
            `target extended-remote 127.0.0.1:${port}`,
            ...script.flatMap((c) => ['-ex', c]),
          ],
          { reject: false },
        );
        client.socket.write(encodePacket('vCont;c'));
        await until(() => running.booted.machine.instructions >= 2_000_000);
        child.kill('SIGKILL');
        await child;
        const answer = client.reply();
        client.socket.write(Uint8Array.of(3));
        expect(await answer).toMatch(/^T02/);
        expect(running.control.comparators.at(0x200000n, -1)).toEqual([]);
        const { stdout } = await execa(
          gdb,
          [
            '-nx',
            '-q',
            '-batch',
            '-ex',
            `target extended-remote 127.0.0.1:${port}`,
            '-ex',
            'info breakpoints',
            '-ex',
            'print $r12 > 1000',
            '-ex',
            'detach',
          ],
          { reject: false },
        );
        expect(stdout).toMatch(/No breakpoints/);
        expect(stdout).toMatch(/\$1 = 1/);
      });
    },
  );

  test('in the past: the machine goes on from where it had been, and says nothing twice', async () => {
    const said: number[] = [];
    const running = await start(undefined, machineCli([guestSpec('hello')]), (b) => void said.push(...b));
    const client = new Raw(running.ports[0] as number);
    await client.ask('qSupported:swbreak+');
    expect(await client.ask('Z0,200024,4')).toBe('OK');
    expect(await client.ask('vCont;c')).toMatch(/^T05swbreak/);
    // Back to the beginning, and while a search of the past is under way the client vanishes.
    expect(await client.ask('z0,200024,4')).toBe('OK');
    expect(await client.ask('bc')).toMatch(/^T05replaylog:begin/);
    client.socket.write(encodePacket('bc'));
    client.socket.destroy();
    expect(await running.done).toBe(0);
    const text = String.fromCharCode(...said);
    expect(text.match(/hv: LVZ version 1/g)).toHaveLength(1);
    expect(text.match(/Hello from a LoongArch guest/g)).toHaveLength(1);
  });

  test('a client that asks and does not read is cut off, and nobody else notices', async () => {
    await withMachine(tinyElf(), undefined, async (running, client) => {
      const slow = connect(running.ports[0] as number, '127.0.0.1');
      slow.on('error', () => {});
      slow.pause();
      const closed = new Promise<void>((resolve) => slow.once('close', () => resolve()));
      const ask = encodePacket('m200000,fff0');
      for (let n = 0; n < 2000 && !slow.destroyed; n++) {
        slow.write(ask);
        if (n % 100 === 0) expect(await client.ask('qC')).toBe('QCp1.1');
      }
      slow.resume();
      slow.destroy();
      await closed;
      expect(await client.ask('qC')).toBe('QCp1.1');
    });
  });
});
