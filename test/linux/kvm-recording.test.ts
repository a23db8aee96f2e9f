/** A recorded run of Debian's KVM on two CPUs, with a guest of two vCPUs that works, repeats on every engine. scripts/replays records a whole boot. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_MACHINE, type MachineCli } from '../../src/cli/options.ts';
import { until } from '../support/wait.ts';
import { haveQemu, kvmInitramfs } from './images.ts';
import { bootHost, snapshotOf, startGuest } from './kvm-session.ts';
import { type Ending, repeat, run } from './replays.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-kvm-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(!haveQemu())('a recording of KVM on two CPUs', () => {
  const file = join(folder, 'kvm.recording');
  let original: Ending;

  beforeAll(async () => {
    const [initrd, snapshot] = [join(folder, 'initramfs'), join(folder, 'snapshot')];
    writeFileSync(initrd, kvmInitramfs());
    const shape = { smp: 2, memory: 1.5 * 2 ** 30 };
    const host = await bootHost({ initrd, ...shape });
    await startGuest(host, { vcpus: 2 });
    writeFileSync(snapshot, snapshotOf(host));
    host.running!.control.quit();
    await host.done;
    const cli: MachineCli = { ...DEFAULT_MACHINE, ...shape, snapshot, record: file, timeout: 300 };
    original = await run(undefined, cli, async ({ control }, shown) => {
      control.input(new TextEncoder().encode('ls -lR /bin | md5sum & md5sum /bin/busybox; wait; echo all-$((6*7))\n'));
      await until(() => shown().includes('all-42'));
      control.quit(true);
    });
  }, 300_000);

  test.each(['auto', 'jit', 'interpreter'] as const)(
    'repeats with --engine %s',
    async (engine) => {
      expect(original.instructions).toBeGreaterThan(1e8);
      expect(await repeat(file, engine)).toEqual(original);
    },
    120_000,
  );
});
