/** A vCPU that waits, and that no CPU runs: `monitor explain` in its view, and in that of the host. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { DEFAULT_MACHINE, parseGuest } from '../../src/cli/options.ts';
import { start } from '../../src/cli/run.ts';
import { fromLatin1, toHex } from '../../src/gdbstub/framing.ts';
import { tinyElf } from '../support/images.ts';
import { CONSOLE_TEXT, monitorText, PacketClient } from '../support/packet-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-parked-'));
afterAll(() => rmSync(folder, { recursive: true }));

const IDLE = 0x0648_8000;

test('idle with no interrupt enabled', async () => {
  const file = join(folder, 'idle.elf');
  writeFileSync(file, tinyElf(IDLE));
  const gdb = { host: '127.0.0.1', port: 0 };
  const cli = { ...DEFAULT_MACHINE, guest: [parseGuest(file), parseGuest('hello')], gdb, wait: true, quiet: true };
  const running = await start(undefined, cli, () => {});
  const client = new PacketClient(running.ports[0] as number);
  const reply = async (): Promise<string> => {
    for (;;) {
      const answer = await client.reply();
      if (!CONSOLE_TEXT.test(answer)) return answer;
    }
  };
  const monitor = async (command: string): Promise<string> => {
    client.send(`qRcmd,${toHex(fromLatin1(command))}`);
    return monitorText(await reply());
  };
  try {
    expect(await client.ask('?')).toMatch(/^T/);
    // The second VM runs when the first one waits.
    await monitor('catch vmexit PIS');
    client.send('vCont;c:p1.-1');
    expect(await reply()).toMatch(/^T/);
    const stuck = 'waits in idle( at 0x200000)?, and ECFG\\.LIE = 0: no interrupt can end it';
    expect(await client.ask('vAttach;11')).toMatch(/^T/);
    expect(await client.ask('Hgp11.1')).toBe('OK');
    const own = await monitor('explain');
    expect(own).toMatch(
      /^VM 1 vcpu 0 is parked: it left cpu0 \d+ ticks ago by GSPR \(.*\), and has not been entered since\n {2}pc {10}0x200000: idle 0 /,
    );
    expect(own).toMatch(new RegExp(`  cause       VM 1 ${stuck}\n  rule        enable what ends an idle before it`));
    client.send('Hgp1.1');
    expect(await reply()).toBe('OK');
    expect(await monitor('explain')).toMatch(/^VM exit from VM 2 on cpu0: PIS/);
    expect(await client.ask('Hgp11.1')).toBe('OK');
    // An enabled timer can end it.
    const [vcpu] = running.control.vcpuStates.vcpus();
    vcpu!.csr[0x4] = 0x800n;
    vcpu!.csr[0x41] = 0x10003n;
    expect(await monitor('explain')).toMatch(/ {2}waits for {3}TI \(ECFG\.LIE\): the hypervisor enters it again/);
    expect(await monitor('explain')).not.toMatch(/cause/);
  } finally {
    client.socket.destroy();
    running.control.quit();
    await running.done;
  }
});
