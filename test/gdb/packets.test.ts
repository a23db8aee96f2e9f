/** The server over its socket, without gdb: protocol rules, bad input, fuzzing, several clients. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Running, start } from '../../src/cli/run.ts';
import { encodePacket, fromLatin1, latin1, toHex } from '../../src/gdbstub/framing.ts';
import { guestSpec, machineCli } from '../support/gdb-session.ts';
import { PacketClient as Client, text } from '../support/packet-client.ts';
import { seeded } from '../support/random.ts';
import { clientsOf, until } from '../support/wait.ts';

describe('gdb server', () => {
  let running: Running;
  let client: Client;
  const port = (): number => running.ports[0] as number;

  beforeEach(async () => {
    running = await start(
      undefined,
      machineCli([guestSpec('hello')], { gdbGuest: [{ vm: 1, vcpu: 0, address: { host: '127.0.0.1', port: 0 } }] }),
      () => {},
    );
    client = new Client(port());
  });
  afterEach(async () => {
    client.socket.destroy();
    running.control.quit();
    await running.done;
  });

  test('acknowledges, retransmits on "-", stops acknowledging after QStartNoAckMode', async () => {
    expect(await client.ask('qAttached')).toBe('1');
    expect(client.raw).toMatch(/^\+\$1#31$/);
    client.bytes('-');
    expect(await client.reply()).toBe('1');
    client.bytes('$qC#00');
    await until(() => client.raw.endsWith('-'));
    expect(await client.ask('QStartNoAckMode')).toBe('OK');
    client.raw = '';
    expect(await client.ask('qC')).toBe('QCp1.1');
    expect(client.raw).toMatch(/^\$/);
  });

  test('unknown packets get the empty reply, known ones with bad arguments an error', async () => {
    for (const unknown of [
      'vMustReplyEmpty',
      'qFoo',
      'vFlashErase:0,10',
      'QNonStop:1',
      'qTStatus',
      '_M',
      'vFile:open:6a,0,0',
    ])
      expect(await client.ask(unknown), unknown).toBe('');
    for (const bad of [
      'm',
      'm,4',
      'm10',
      'mxyz,4',
      'M10,4:00',
      'X10,4:a',
      'P',
      'P1',
      'P1=12',
      'Pffff=00',
      'p',
      'pzz',
      'G00',
      'Z0,zz,4',
      'Z2,1000,0',
      'vCont;x',
      'vCont;C',
      'vCont;S1',
      'vCont',
      'vCont;c:zz',
      'H',
      'Hx1',
      'QPassSignals:e;;10',
      'qRcmd,0',
      'qXfer:features:read:target.xml:0',
      'qCRC:1',
      'qSearch:memory:1',
      'Hgp9.9',
      'Tp1.9',
      'vAttach;ff',
      'vAttach;1',
      'vRun;x',
      'R00',
      'D;33',
      'czz',
    ])
      expect(await client.ask(bad), bad).toMatch(/^E/);
    expect(await client.ask('qC')).toBe('QCp1.1');
  });

  test('lists of signals end in a semicolon, as gdb writes them', async () => {
    for (const list of ['', 'e', 'e;', 'e;10', 'e;10;14;']) expect(await client.ask(`QPassSignals:${list}`)).toBe('OK');
  });

  test('stop reply, registers, memory, expedited registers', async () => {
    expect(await client.ask('?')).toMatch(/^T05.*21:0000000100000000;thread:p1\.1;core:0;$/);
    expect((await client.ask('g')).length).toBe(35 * 16);
    expect(await client.ask('P5=efcdab8967452301')).toBe('OK');
    expect(await client.ask('p5')).toBe('efcdab8967452301');
    expect(await client.ask('P0=ffffffffffffffff')).toBe('OK');
    expect(await client.ask('p0')).toBe('0000000000000000');
    expect(await client.ask('P3000=0100000000000000')).toMatch(/^E\.world is read-only/);
    // Behind a call gdb writes back what it has read before.
    expect(await client.ask('P3000=0000000000000000')).toBe('OK');
    expect(await client.ask('M1800000,4:01020304')).toBe('OK');
    expect(await client.ask('m1800000,4')).toBe('01020304');
    expect(await client.ask('x1800000,4')).toBe('b\x01\x02\x03\x04');
    expect(await client.ask('m70000000,4')).toBe('E14');
    expect(await client.ask('M70000000,1:00')).toMatch(/^E\./);
    // As with QEMU: memory packets of this connection mean physical addresses.
    expect(await client.ask('qqemu.PhyMemMode')).toBe('0');
    expect(await client.ask('Qqemu.PhyMemMode:1')).toBe('OK');
    expect(await client.ask('m1800000,4')).toBe('01020304');
    expect(await client.ask('Qqemu.PhyMemMode:2')).toMatch(/^E\./);
  });

  test('vCont;s is exactly one instruction; c stops at a breakpoint at once when one stands at PC', async () => {
    const pcOf = (reply: string): string => /21:([0-9a-f]{16})/.exec(reply)![1]!;
    await client.ask('qSupported:multiprocess+;swbreak+;hwbreak+');
    const first = await client.ask('vCont;s:p1.1');
    expect(first).toMatch(/^T05/);
    expect(pcOf(first)).toBe('0400000100000000');
    expect(pcOf(await client.ask('s'))).toBe('0800000100000000');
    expect(await client.ask('Z0,1000008,4')).toBe('OK');
    expect(await client.ask('vCont;c')).toMatch(/^T05swbreak:;/);
    expect(await client.ask('z0,1000008,4')).toBe('OK');
    expect(await client.ask('Z1,100000c,4')).toBe('OK');
    expect(await client.ask('c')).toMatch(/^T05hwbreak:;/);
  });

  test('packets that arrive while the machine runs are answered after the stop', async () => {
    await client.ask('Hgp1.1');
    client.send('vCont;c');
    client.send('qC');
    expect(text(await client.reply())).toMatch(/VM 1 \(gid 1\) entered for the first time/);
    expect(await client.reply()).toBe('W00;process:1');
    expect(await client.reply()).toBe('QCp1.1');
  });

  test('Ctrl-C while stopped is ignored', async () => {
    client.bytes('\x03');
    expect(await client.ask('qC')).toBe('QCp1.1');
    expect(client.pending).toBe(0);
  });

  test('two clients share a port, another one has its own; each has its own selected thread', async () => {
    await client.ask('qC');
    const second = new Client(port());
    expect(await second.ask('qC')).toBe('QCp1.1');
    const guest = new Client(running.ports[1] as number);
    expect(await guest.ask('qC')).toBe('QCp1.1');
    expect(await guest.ask('qXfer:threads:read::0,1000')).toMatch(/VM 1 not entered yet/);
    expect(await second.ask('qXfer:threads:read::0,1000')).toMatch(/host PLV0/);
    for (const c of [second, guest]) c.socket.destroy();
  });

  test('a stop of one client is told to the others; the machine runs when all want it', async () => {
    await client.ask('qC');
    const guest = new Client(running.ports[1] as number);
    await guest.ask('qSupported:swbreak+');
    expect(await guest.ask('Z0,200008,4')).toBe('OK');
    guest.send('vCont;c');
    await until(() => clientsOf(running.control).some((c) => c.running));
    expect(await client.ask('qC')).toBe('QCp1.1');
    expect(text(await guest.reply())).toMatch(/waiting: another gdb keeps the machine stopped/);
    expect([guest.pending, running.booted.machine.instructions]).toEqual([0, 0]);
    client.send('vCont;c');
    expect(await guest.reply()).toMatch(/^T05swbreak:;.*21:0800200000000000/);
    expect(text(await client.reply())).toMatch(/VM 1 \(gid 1\) entered/);
    expect(await client.reply()).toMatch(/^T00.*thread:p1\.1/);
    guest.socket.destroy();
  });

  test('after a connection is lost its breakpoints are gone and the machine goes on', async () => {
    await client.ask('Z0,200008,4');
    client.bytes('$vCont;c'); // cut in the middle
    client.socket.destroy();
    expect(await running.done).toBe(0);
  });

  test('detach lets the machine run to its end', async () => {
    expect(await client.ask('D;1')).toBe('OK');
    expect(await running.done).toBe(0);
  });

  test('kill and k do not end the machine', async () => {
    expect(await client.ask('vKill;1')).toBe('OK');
    expect(await client.ask('vAttach;1')).toMatch(/^T05/);
    client.send('k');
    expect(await running.done).toBe(0);
  });

  test('20 000 mutated packets: no crash, and an orderly session afterwards', async () => {
    const random = seeded(20250607);
    const seeds = [
      '?',
      'g',
      'p20',
      'P5=0011223344556677',
      'm1000000,40',
      'x1000000,40',
      'M1800000,2:0102',
      'X1800000,2:ab',
      'Z0,1000008,4',
      'z0,1000008,4',
      'Z2,1800000,8',
      'Hgp1.1',
      'Hc-1',
      'qSupported:swbreak+',
      'qXfer:features:read:target.xml:0,100',
      'qXfer:osdata:read:exits:0,100',
      'qRcmd,68656c70',
      'qfThreadInfo',
      'qSearch:memory:1000000;100;abc',
      'qCRC:1000000,10',
      'vAttach;11',
      'vCont?',
      'Tp1.1',
      'G00',
      'qThreadExtraInfo,p1.1',
      'QPassSignals:e;10',
    ];
    let sent = 0;
    for (let batch = 0; batch < 200; batch++) {
      for (let n = 0; n < 100; n++, sent++) {
        const text = [...fromLatin1(seeds[random() % seeds.length]!)];
        for (let k = random() % 4; k > 0; k--) {
          const at = random() % (text.length + 1);
          const kind = random() % 3;
          if (kind === 0) text[at] = random() & 0xff;
          else if (kind === 1) text.splice(at, 1);
          else text.splice(at, 0, random() & 0xff);
        }
        // A packet that resumes would run the machine away; framing characters are escaped as a client would.
        const payload = Uint8Array.from(text.map((b) => b ?? 0)).filter(
          (b) => b !== 0x23 && b !== 0x24 && b !== 0x7d && b !== 3,
        );
        if (/^([cCsSkD]|vCont;|vKill|R)/.test(latin1(payload))) continue;
        client.socket.write(encodePacket(latin1(payload)));
        if (random() % 50 === 0) client.socket.write(payload);
      }
      await client.ask('qAttached');
    }
    const echo = (): Promise<string> => client.ask(`qRcmd,${toHex(fromLatin1('info exits'))}`);
    for (let n = 0; n < 3; n++) await echo();
    // The other port holds the machine still: without any client it would run to its end.
    const holder = new Client(running.ports[1] as number);
    await holder.ask('qC');
    client.socket.destroy();
    await until(() => clientsOf(running.control).length === 1);
    const again = new Client(port());
    expect(await again.ask('qC')).toBe('QCp1.1');
    expect(sent).toBe(20_000);
    again.socket.destroy();
    holder.socket.destroy();
  });
});
