/** Debian's kernel as KVM host, Debian's QEMU as VMM in it, and Debian's kernel as the guest. scripts/kvm has more CPUs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { featuresOf } from '../../src/emu/cpu/features.ts';
import { runChecks } from './checks.ts';
import { haveQemu, kvmInitramfs } from './images.ts';
import { bootHost, startGuest, stopGuest } from './kvm-session.ts';
import { remarks } from './silence.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-kvm-'));
afterAll(() => rmSync(folder, { recursive: true }));

if (!haveQemu()) console.warn("no QEMU of Debian's for loong64 could be had: KVM inside is not tested");

describe.skipIf(!haveQemu())('KVM', () => {
  test('a guest of QEMU boots, passes its checks and switches off', { timeout: 600_000 }, async () => {
    const initrd = join(folder, 'initramfs');
    writeFileSync(initrd, kvmInitramfs());
    const host = await bootHost({ initrd, cpu: featuresOf('la464') });
    expect((await host.run('grep -c lvz /proc/cpuinfo; ls /dev/kvm')).output).toBe('1\n/dev/kvm');
    await startGuest(host, { vcpus: 1 });
    const results = await runChecks(host, {
      cpus: 1,
      disk: false,
      network: false,
      share: false,
      lvz: false,
      pci: false,
    });
    expect(results.filter((r) => !r.ok)).toEqual([]);
    expect(results.length).toBeGreaterThanOrEqual(9);
    for (const command of ['true', 'ls -lR /proc/sys/kernel >/dev/null', 'sleep 0.2'])
      expect(await remarks(host, command), command).toEqual([]);
    expect((await host.run('dmesg | grep -c "paravirt steal-time"')).output).toBe('1');
    expect(await stopGuest(host)).toBe(0);
    expect((await host.run('dmesg | grep -ciE "warning|bug:|oops|call trace|rcu.*stall"')).output).toBe('0');
    const [cpu] = host.machine!.cpus;
    expect(await host.powerOff()).toBe(0);
    // The guest ran in the guest world, not in QEMU's translator.
    expect(cpu!.guestIcount).toBeGreaterThan(1e9);
  });
});
