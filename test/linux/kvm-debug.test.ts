/** What a debugger sees of the VMs of Debian's KVM: one process each, whatever GIDs and CPUs they get, as long as they live. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseSymbols } from '../../src/cli/symbol-files.ts';
import { fromLatin1, toHex } from '../../src/gdbstub/framing.ts';
import { GDBS, gdbSession } from '../support/gdb-session.ts';
import { symbolsElf } from '../support/images.ts';
import { CONSOLE_TEXT, monitorText, PacketClient, text } from '../support/packet-client.ts';
import { LINUX_PLACES, linuxMachine } from '../support/random-session/machines.ts';
import { play } from '../support/random-session/play.ts';
import { haveQemu, kvmInitramfs } from './images.ts';
import { bootHost, endInBackground, snapshotOf, startInBackground } from './kvm-session.ts';
import type { LinuxSession } from './session.ts';

/** The longest time to a packet's answer, so that gdb (2 s) does not give up on a computer that does other work, too. */
const LONGEST_MS = 1000;
const folder = mkdtempSync(join(tmpdir(), 'loongscope-kvm-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(!haveQemu())('VMs of KVM', () => {
  let host: LinuxSession;
  let client: PacketClient;
  let slowest = 0;

  beforeAll(async () => {
    const initrd = join(folder, 'initramfs');
    writeFileSync(initrd, kvmInitramfs());
    host = await bootHost({ initrd, smp: 2, gdb: { host: '127.0.0.1', port: 0 }, audit: 'worldswitch' });
    client = new PacketClient(host.running!.ports[0] as number);
    expect(await client.ask('?')).toMatch(/^T/);
    resume();
  }, 200_000);
  afterAll(async () => {
    client?.socket.destroy();
    host?.running?.control.quit();
    await host?.done;
  });

  const resume = (): void => client.send('vCont;c:p1.-1');
  async function stop(): Promise<void> {
    client.bytes('\x03');
    // What a guest's first entry prints may come before.
    let answer = await client.reply();
    while (CONSOLE_TEXT.test(answer)) answer = await client.reply();
    expect(answer).toMatch(/^T/);
  }
  /** The answer to a packet, with the text that came before it. */
  async function ask(payload: string): Promise<string> {
    const began = performance.now();
    let all = '';
    for (let answer = await client.ask(payload); ; answer = await client.reply()) {
      all += CONSOLE_TEXT.test(answer) ? text(answer) : payload.startsWith('qRcmd') ? monitorText(answer) : answer;
      if (CONSOLE_TEXT.test(answer)) continue;
      slowest = Math.max(slowest, performance.now() - began);
      return all;
    }
  }
  const monitor = (command: string): Promise<string> => ask(`qRcmd,${toHex(fromLatin1(command))}`);

  /** Number, GID, table and whether it has ended, of all VMs. */
  async function vms(): Promise<{ number: number; gid: number; root: string; ended: boolean }[]> {
    const list = await monitor('info vms');
    return [...list.matchAll(/^VM (\d+): process \d+, gid (\d+), stage-2 table (0x\w+)(, ended)?$/gm)].map((m) => ({
      number: Number(m[1]),
      gid: Number(m[2]),
      root: m[3]!,
      ended: m[4] !== undefined,
    }));
  }

  test('one process each, on any CPU and under any GID; one that is over has ended; answers come at once', {
    timeout: 600_000,
  }, async () => {
    // One after the other: VMs are numbered by their first entries.
    for (const n of [1, 2]) await startInBackground(host, { n });
    await stop();
    const first = await vms();
    expect(first.map((v) => [v.number, v.ended])).toEqual([
      [1, false],
      [2, false],
    ]);
    // Between a boot and the last copy of the machine are a thousand million instructions and more.
    const { history } = host.running!.control;
    const replays = history.copies.positions.length;
    expect(await monitor('info vcpus')).toMatch(/^VM 1 vcpu 0: .*\nVM 2 vcpu 0: .*\n$/);
    expect(await monitor('context')).toMatch(/VM 1 vcpu 0: (runs|parked)/);
    expect(await ask('vAttach;11')).toMatch(/^T05.*thread:p11\.1/);
    expect(await ask('Hgp11.1')).toBe('OK');
    expect(await ask('p20')).toMatch(/^[0-9a-f]{16}$/);
    expect(await ask('g')).toMatch(/^[0-9a-f]+$/);
    expect(await ask('qXfer:osdata:read:vcpus:0,1000')).toMatch(/<column name="VM">2</);
    expect(await ask('Hgp1.1')).toBe('OK');
    expect(history.copies.positions.length).toBe(replays);
    resume();

    // Each CPU in turn runs both VMs, until KVM has given one of them another GID.
    const seen = new Set<string>();
    for (let turn = 0; turn < 2 || (seen.size <= 2 && turn < 10); turn++) {
      const cpu = 1 - (turn % 2);
      await host.run(
        `for n in 1 2; do for t in /proc/$(cat /tmp/pid$n)/task/*; do taskset -p ${1 << cpu} \${t##*/} >/dev/null; done; done`,
      );
      const there = `VM 1 vcpu 0 on ${cpu}, VM 2 vcpu 0 on ${cpu}`;
      let places = '';
      // An idle guest runs again when one of its timers is over.
      for (let wait = 0; places !== there && wait < 20; wait++) {
        await host.run('sleep 0.5');
        await stop();
        for (const { gid, number } of await vms()) seen.add(`${number}:${gid}`);
        const list = (await monitor('info vcpus')).matchAll(/^(VM \d vcpu \d+): .* on cpu(\d)/gm);
        places = [...list].map((m) => `${m[1]} on ${m[2]}`).join(', ');
        resume();
      }
      expect(places).toBe(there);
    }
    expect(seen.size).toBeGreaterThan(2);

    await endInBackground(host, 1);
    await stop();
    expect((await vms()).map((v) => v.ended)).toEqual([true, false]);
    expect(await ask('qXfer:osdata:read:vms:0,1000')).toMatch(/>ended<.*>alive</s);
    resume();
    await startInBackground(host, { n: 3 });
    await stop();
    const last = await vms();
    expect(last.map((v) => [v.number, v.ended])).toEqual([
      [1, true],
      [2, false],
      [3, false],
    ]);
    expect(last.slice(0, 2).map((v) => v.root)).toEqual(first.map((v) => v.root));
    // KVM ages pages, gives GIDs anew and shares them: nothing of that is a mistake.
    const found = host.running!.control.audit!();
    expect(found[0]).toMatch(/^\d+ guest entries, nothing found$/);
    expect(found.slice(1).filter((line) => !line.startsWith('note: stage 2 of VM '))).toEqual([]);
    resume();
    expect(slowest).toBeLessThan(LONGEST_MS);
  });

  describe('from a snapshot with two VMs', () => {
    const snapshot = join(folder, 'vms');
    /** gdb returns from functions that it calls to the entry point of a file, which gdb 18 wants in a section. */
    const entry = join(folder, 'entry.elf');
    /** Addresses in the host, as gdb takes them. */
    const at = new Map<string, string>();

    beforeAll(async () => {
      const names = [...LINUX_PLACES, 'strlen'];
      const symbols = (await host.run(`grep -E ' (${names.join('|')})$' /proc/kallsyms`)).output;
      for (const [, address, name] of symbols.matchAll(/^([0-9a-f]{16}) \w (\w+)$/gm)) at.set(name!, `0x${address}`);
      // Of KVM's functions some are parts of others in this kernel.
      for (const name of ['kvm_exc_entry', '__schedule', 'strlen', 'start_kernel'])
        expect(at.has(name), name).toBe(true);
      writeFileSync(entry, symbolsElf(new Map(), BigInt(at.get('start_kernel')!)));
      client.socket.destroy();
      writeFileSync(snapshot, snapshotOf(host));
    }, 120_000);

    test.each(GDBS)(
      'a whole session with %s: processes, exits, over the world switch and back, calls',
      async (_, gdb) => {
        const { output } = await gdbSession({
          gdb,
          more: { snapshot },
          commands: [
            `file ${entry}`,
            'info os vms',
            ...['add-inferior', 'inferior 2', 'attach 18', 'print $vcpu', 'x/i $pc', 'backtrace 1', 'info threads'],
            ...['inferior 1', `break *${at.get('kvm_exc_entry')}`, 'inferior 2', 'echo alone\\n', 'continue'],
            ...['inferior 1', 'maint flush register-cache', 'thread apply 1 monitor explain', 'stepi', 'delete'],
            ...['set schedule-multiple on', 'monitor catch ertn', 'echo over\\n', 'continue', 'monitor delete catch 1'],
            ...['print $world', 'x/i $pc', 'stepi', 'x/i $pc', 'reverse-stepi', 'stepi', 'x/i $pc'],
            ...[
              'monitor translate 0x9000000000200000 in 2',
              'monitor info stage2 2',
              'monitor explain',
              'monitor mmio-write on',
            ],
            `break *${at.get('__schedule')} if $world == 0`,
            'continue',
            'set {int}($sp - 4096) = 0x636261',
            `print ((unsigned long (*)(unsigned long)) ${at.get('strlen')})($sp - 4096)`,
          ],
        });
        expect(output).not.toMatch(/Ignoring packet error|Cannot access memory|usage: monitor|Python Exception/);
        expect(output).toMatch(/^17 +1 .*ended *$/m);
        expect(output).toMatch(/^18 +2 .*alive *\n19 +3 .*alive *$/m);
        expect(output).toMatch(/\$1 = 0\n/);
        expect(output).toMatch(/Thread 18\.1 "vcpu0" \(VM 2 parked/);
        expect(output).toMatch(/alone\n(.*\n)*?\[lvz\] process 1 has stopped, thread 1\.\d at pc=0x[0-9a-f]+/);
        expect(output).toMatch(/(VM exit from VM \d|exception in)/);
        // KVM makes no mistakes.
        expect(output).not.toMatch(/^ +(cause|rule) /m);
        expect(output).toMatch(/\[lvz\] catch 1: VM entry cpu\d -> VM [23] pc=/);
        // A step of the guest, and back, and forwards to the same place.
        const [, first, second, again] = [...output.matchAll(/^(?:\(gdb\) )?=> (0x[0-9a-f]+)/gm)].map((m) => m[1]);
        expect(second).not.toBe(first);
        expect(again).toBe(second);
        expect(output).toMatch(/^0x[0-9a-f]+ -> physical 0x[0-9a-f]+|does not translate/m);
        expect(output).toMatch(/\(gdb\) print \(\(unsigned long .*\n\$\d+ = 3\n/);
      },
      120_000,
    );

    test('a snapshot of it keeps the names, and what is known of KVM', { timeout: 120_000 }, async () => {
      const symbols = join(folder, 'kernel.symbols');
      writeFileSync(symbols, symbolsElf(new Map([...at].map(([name, address]) => [name, BigInt(address)]))));
      const first = await gdbSession({
        more: { snapshot, files: folder, symbols: [symbols, `${symbols},in=2`].map(parseSymbols) },
        commands: ['monitor context', 'monitor snapshot save named'],
      });
      expect(first.output).toMatch(/^hypervisor: Linux KVM/m);
      expect(first.output).toMatch(/^named: [\d.]+ MiB, at instruction \d+$/m);
      const { output } = await gdbSession({
        more: { snapshot: join(folder, 'named') },
        commands: [
          ...['file', 'monitor symbols', 'monitor context', `break *${at.get('kvm_exc_entry')}`, 'continue'],
          ...['monitor info worlds', 'info threads', 'monitor context'],
        ],
      });
      expect(output).toMatch(
        /^kernel\.symbols: \d+ symbols of the host, kept in the snapshot\n.*of VM 2, kept in the snapshot$/m,
      );
      expect(output).toMatch(/^hypervisor: Linux KVM/m);
      expect(output).toMatch(/^VM 2 vcpu 0: parked, 31 general registers/m);
      expect(output).toMatch(/^cpu\d: host PLV0 pc 0x9\w+ <kvm_exc_entry> \(between worlds\)$/m);
      expect(output).toMatch(/\(host PLV0 in transition\)/);
      // One of them has left its CPU. The registers of the other one are still where KVM keeps them.
      expect(output.split('monitor context\n')[2]).toMatch(/in transition on cpu\d/);
      expect(output.split('monitor context\n')[2]).toMatch(/31 general registers/);
    });

    test('random sessions of gdb: no abort, no hang, no wrong answer', { timeout: 300_000 }, async () => {
      const debuggee = linuxMachine(
        snapshot,
        [...at.values()].map((address) => `*${address}`),
      );
      for (const [seed, [, gdb]] of GDBS.entries()) {
        const { faults, transcript } = await play({ seed, debuggee, gdb, gdbs: seed + 1, commands: 12 });
        expect(faults, transcript).toEqual([]);
      }
    });
  });
});
