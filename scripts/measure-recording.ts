/** Measures what a recording costs: a boot of Debian's kernel on two CPUs to its shell and its power-off, with and without one. Run through scripts/measure --recording [--pairs N]. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseInteger } from '../src/cli/options.ts';
import { initramfs } from '../test/linux/images.ts';
import { LinuxSession } from '../test/linux/session.ts';

const { values } = parseArgs({ options: { pairs: { type: 'string', default: '5' } } });
const PAIRS = parseInteger(values.pairs, '--pairs', 1, 100);
const folder = mkdtempSync(join(tmpdir(), 'loongscope-recording-'));
const initrd = join(folder, 'initramfs');
const file = join(folder, 'boot.recording');
writeFileSync(initrd, initramfs());

interface Boot {
  /** CPU seconds of this process. */
  readonly cpu: number;
  readonly instructions: number;
}

async function boot(record?: string): Promise<Boot> {
  const used = process.cpuUsage();
  const session = await LinuxSession.boot({ smp: 2, initrd, ...(record !== undefined && { record }) });
  await session.run('find /bin /dev /etc | md5sum; md5sum /bin/busybox');
  await session.powerOff();
  const { user, system } = process.cpuUsage(used);
  return { cpu: (user + system) / 1e6, instructions: session.machine!.instructions };
}

const ratios: number[] = [];
try {
  // The first boot warms up.
  await boot();
  for (let n = 0; n < PAIRS; n++) {
    const plain = await boot();
    const recorded = await boot(file);
    ratios.push(recorded.cpu / plain.cpu);
    console.log(
      `${plain.cpu.toFixed(2)} s of CPU time without, ${recorded.cpu.toFixed(2)} s with a recording of ${statSync(file).size} bytes, ${(recorded.instructions / 1e9).toFixed(2)} billion instructions`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}
ratios.sort((a, b) => a - b);
console.log(
  `a recording takes ${ratios[PAIRS >> 1]!.toFixed(3)} times the CPU time (median of ${PAIRS} pairs; ${ratios[0]!.toFixed(3)} to ${ratios.at(-1)!.toFixed(3)})`,
);
