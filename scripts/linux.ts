/** Boots Debian's kernel, runs the checks of test/linux/checks.ts inside and powers off. Arguments: CPUs, --threads. */

import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { MAX_CPUS } from '../src/cli/options.ts';
import { runChecks } from '../test/linux/checks.ts';
import { initramfs, KERNEL, LINUX } from '../test/linux/images.ts';
import { LinuxSession } from '../test/linux/session.ts';

const DISK_BYTES = 32 * 2 ** 20;
const args = process.argv.slice(2);
if (args.includes('--prepare')) {
  writeFileSync(join(LINUX, 'initramfs'), initramfs());
  console.log(`${relative('.', KERNEL)} and ${relative('.', join(LINUX, 'initramfs'))} are there`);
  process.exit(0);
}
const threads = args.includes('--threads');
const numbers = args.filter((a) => a !== '--threads').map(Number);
if (numbers.some((n) => !Number.isInteger(n) || n < 1 || n > MAX_CPUS)) {
  process.stderr.write(`linux: numbers of CPUs from 1 to ${MAX_CPUS}, and --threads: correct the arguments\n`);
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'loongscope-linux-'));
const initrd = join(folder, 'initramfs');
const disk = join(folder, 'disk');
writeFileSync(initrd, initramfs());
const shared = join(folder, 'shared');
mkdirSync(shared);
writeFileSync(join(shared, 'hello'), 'hello from the host\n');
let failed = 0;
for (const cpus of numbers.length ? numbers : [1, 2, 4]) {
  writeFileSync(disk, '');
  truncateSync(disk, DISK_BYTES);
  console.log(`${cpus} CPU${cpus > 1 ? 's' : ''}${threads ? ', a thread each' : ''}`);
  rmSync(join(shared, 'moved'), { force: true });
  try {
    const linux = await LinuxSession.boot({
      smp: cpus,
      initrd,
      drive: [{ file: disk, readOnly: false, copyOnWrite: false }],
      net: { kind: 'loopback' },
      share: [{ folder: shared, tag: 'host', readOnly: false }],
      ...(threads && { clock: 'host', threads }),
    });
    console.log(`  shell after ${linux.secondsToShell.toFixed(1)} s`);
    await runChecks(linux, { cpus, disk: true, network: true, share: true }, ({ name, ok, output }) => {
      if (!ok) failed++;
      console.log(`  ${ok ? 'ok  ' : 'FAIL'} ${name}${ok ? '' : `: ${output}`}`);
    });
    const code = await linux.powerOff();
    if (code !== 0) failed++;
    console.log(`  ${code === 0 ? 'ok  ' : 'FAIL'} power off, exit code ${code}`);
  } catch (error) {
    failed++;
    console.log(`  FAIL ${(error as Error).message}`);
  }
}
rmSync(folder, { recursive: true });
console.log(failed === 0 ? 'all checks passed' : `${failed} checks failed`);
process.exit(failed === 0 ? 0 : 1);
