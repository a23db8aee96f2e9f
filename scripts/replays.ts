/** Records whole runs of Linux, and repeats each on every engine: same console, same end. Arguments: see scripts/replays. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { parseNet } from '../src/cli/net/spec.ts';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { DHCP } from '../test/linux/dhcp.ts';
import { initramfs, kvmInitramfs } from '../test/linux/images.ts';
import { bootHost, startGuest, stopGuest } from '../test/linux/kvm-session.ts';
import { type Ending, endingOf, repeat } from '../test/linux/replays.ts';
import { LinuxSession } from '../test/linux/session.ts';

// passt, which is the network's other end.
process.env.PATH = `${join(PROJECT_ROOT, '.tools', 'bin')}${delimiter}${process.env.PATH}`;
const ENGINES = ['auto', 'jit', 'interpreter'] as const;
const WORK = 'find /bin /dev /etc | md5sum; md5sum /bin/busybox';
/** What the run with a network downloads. */
const DOWNLOAD = Buffer.alloc(3_000_000, 'a file of the host, ');
const DOWNLOAD_SUM = createHash('md5').update(DOWNLOAD).digest('hex');
const seconds = (from: NodeJS.CpuUsage): string => {
  const { user, system } = process.cpuUsage(from);
  return `${((user + system) / 1e6).toFixed(1)} s of CPU time`;
};

/** The end of a session that is switched off when its work is done. */
async function ended(
  boot: (show: (bytes: Uint8Array) => void) => Promise<LinuxSession>,
  work: (session: LinuxSession) => Promise<unknown>,
): Promise<Ending> {
  const parts: Uint8Array[] = [];
  const session = await boot((bytes) => void parts.push(bytes.slice()));
  await work(session);
  const code = await session.powerOff();
  return endingOf(session.machine!, code, Buffer.concat(parts));
}

/** Runs to record, by name. */
const RUNS = {
  linux: (record: string, initrd: string): Promise<Ending> => {
    writeFileSync(initrd, initramfs());
    return ended(
      (show) => LinuxSession.boot({ smp: 2, initrd, record }, show),
      (session) => session.run(WORK),
    );
  },
  kvm: (record: string, initrd: string): Promise<Ending> => {
    writeFileSync(initrd, kvmInitramfs());
    return ended(
      (show) => bootHost({ smp: 2, initrd, record }, show),
      async (host) => {
        await startGuest(host, { vcpus: 2 });
        await host.run(WORK, 600_000);
        await stopGuest(host);
      },
    );
  },
  network: async (record: string, initrd: string): Promise<Ending> => {
    writeFileSync(initrd, initramfs());
    const server = createServer((_, response) => response.end(DOWNLOAD));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      return await ended(
        (show) => LinuxSession.boot({ smp: 2, initrd, record, net: parseNet('user') }, show),
        async (session) => {
          if ((await session.run(DHCP)).output !== '1')
            throw new Error('replays: the guest gets no address from passt');
          const { output } = await session.run(`wget -q -O - http://10.0.2.2:${port}/ | md5sum`);
          if (output !== `${DOWNLOAD_SUM}  -`) throw new Error(`replays: the download is another one: ${output}`);
        },
      );
    } finally {
      server.closeAllConnections();
      server.close();
    }
  },
} as const;
type Name = keyof typeof RUNS;

const isOne = <T extends string>(of: readonly T[], word: string): word is T => (of as readonly string[]).includes(word);
const names = Object.keys(RUNS) as Name[];
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { engine: { type: 'string', multiple: true, default: [...ENGINES] }, keep: { type: 'string' } },
});
const folder = values.keep ?? mkdtempSync(join(tmpdir(), 'loongscope-replays-'));
const bad = [
  ...positionals.filter((p) => !isOne(names, p)),
  ...values.engine.filter((e: string) => !isOne(ENGINES, e)),
];
if (bad.length > 0) {
  process.stderr.write(
    `replays: '${bad[0]}' is not known: use ${names.join(' or ')}, and --engine ${ENGINES.join(', ')}\n`,
  );
  process.exit(2);
}

let failed = 0;
try {
  for (const name of positionals.length > 0 ? positionals.filter((p) => isOne(names, p)) : names) {
    const file = join(folder, `${name}.recording`);
    const began = process.cpuUsage();
    const original = await RUNS[name](file, join(folder, 'initramfs'));
    console.log(
      `${name}: ${(original.instructions / 1e9).toFixed(2)} billion instructions, ${statSync(file).size} bytes, ${seconds(began)}`,
    );
    for (const engine of values.engine.filter((e) => isOne(ENGINES, e))) {
      const from = process.cpuUsage();
      const same = isDeepStrictEqual(await repeat(file, engine), original);
      if (!same) failed++;
      console.log(`  ${same ? 'ok  ' : 'FAIL'} --engine ${engine}, ${seconds(from)}`);
    }
  }
} finally {
  if (values.keep === undefined) rmSync(folder, { recursive: true });
}
process.exit(failed > 0 ? 1 : 0);
