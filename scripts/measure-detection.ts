/**
 * Measures what the detection of loops costs: CPU time of benchmark kernels, and of a boot of Debian's kernel to its shell and its
 * power-off, in pairs with and without it. Run through scripts/measure --detection [--pairs N] [--kernel NAME…] [--no-linux].
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { KERNELS } from '../src/cli/bench/kernels.ts';
import { nodeRuntime } from '../src/cli/node-runtime.ts';
import { DEFAULT_MACHINE, parseInteger } from '../src/cli/options.ts';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { parseElf } from '../src/emu/boot/elf.ts';
import { Cpu } from '../src/emu/cpu/cpu.ts';
import { LoopReports } from '../src/emu/debug/loop-reports.ts';
import { LoopWatch } from '../src/emu/debug/loop-watch.ts';
import { RunControl } from '../src/emu/debug/run-control.ts';
import { Machine } from '../src/emu/machine/machine.ts';
import { initramfs } from '../test/linux/images.ts';
import { LinuxSession } from '../test/linux/session.ts';

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '5' },
    kernel: { type: 'string', multiple: true },
    'no-linux': { type: 'boolean', default: false },
  },
});
const PAIRS = parseInteger(values.pairs, '--pairs', 1, 100);
const RAM = 512 << 20;

/** Milliseconds on a clock that the detectors have looked at machines: on a busy computer more than they take. */
let looking = 0;
for (const name of ['look', 'traced'] as const) {
  const method = LoopReports.prototype[name] as (...args: unknown[]) => void;
  LoopReports.prototype[name] = function (this: LoopReports, ...args: unknown[]) {
    const began = performance.now();
    method.apply(this, args);
    looking += performance.now() - began;
  };
}

/** Milliseconds from the beginning of each trace to its end: the looks of the trace, and all that the machine executes meanwhile. */
let tracing = 0;
let traceBegan = 0;
const busy = (watch: LoopWatch): boolean => watch.tracing || watch.following;

/** Turns the detectors off, or on again: they do not look at the machine, and do not listen to its CPUs. */
const { look, stepped } = LoopWatch.prototype;
const { observe } = Cpu.prototype;
function detect(on: boolean): void {
  LoopWatch.prototype.look = function (this: LoopWatch, position, quiet) {
    const before = busy(this);
    const found = look.call(this, position, quiet || !on);
    if (!before && busy(this)) traceBegan = performance.now();
    return found;
  };
  LoopWatch.prototype.stepped = function (this: LoopWatch, position) {
    const found = stepped.call(this, position);
    if (!busy(this)) tracing += performance.now() - traceBegan;
    return found;
  };
  Cpu.prototype.observe = function (this: Cpu, observer) {
    // Only the detectors listen to exceptions without a return.
    return on || !observer.nested ? observe.call(this, observer) : () => {};
  };
}

/** CPU seconds that something takes in this process. */
async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  const used = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(used);
  return (user + system) / 1e6;
}

async function kernel(name: string): Promise<void> {
  const file = join(PROJECT_ROOT, 'build', 'bench', `${name}.elf`);
  const machine = new Machine({
    runtime: nodeRuntime,
    ramSize: RAM,
    cpus: 1,
    features: DEFAULT_MACHINE.cpu,
    seed: 1,
    console: () => {},
  });
  machine.load({ image: parseElf(new Uint8Array(readFileSync(file)), file), commandLine: '', extra: [] });
  const { kind } = await new RunControl(machine, {
    onLoop: (_, loop) => console.log(`a loop is told: ${loop.text}`),
  }).run();
  if (kind !== 'poweroff') throw new Error(`${name} ends with ${kind}`);
}

async function linux(initrd: string): Promise<void> {
  const session = await LinuxSession.boot({ initrd });
  await session.run('find /bin /dev /etc | md5sum; md5sum /bin/busybox');
  await session.powerOff();
}

async function compare(name: string, work: () => Promise<unknown>): Promise<void> {
  const ratios: number[] = [];
  const times = { on: [] as number[], off: [] as number[] };
  // The first run warms up.
  await cpuOf(work);
  const looks: number[] = [];
  const traces: number[] = [];
  for (let n = 0; n < PAIRS; n++) {
    // Each is first as often as the other.
    for (const on of n % 2 ? [true, false] : [false, true]) {
      detect(on);
      looking = 0;
      tracing = 0;
      times[on ? 'on' : 'off'].push(await cpuOf(work));
      if (on) {
        looks.push(looking);
        traces.push(tracing);
      }
    }
    ratios.push(times.on.at(-1)! / times.off.at(-1)!);
  }
  detect(true);
  const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1]!;
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)];
  console.log(
    `${name}: ${median(times.off).toFixed(2)} s of CPU time without, ${median(times.on).toFixed(2)} s with detection; ratio ${median(ratios).toFixed(3)} (median of ${PAIRS} pairs; ${least.toFixed(3)} to ${most.toFixed(3)}); looks ${median(looks).toFixed(1)} ms, traces ${median(traces).toFixed(1)} ms, together ${((median(looks) + median(traces)) / median(times.on) / 10).toFixed(2)} %`,
  );
}

const names = values.kernel ?? KERNELS.map((k) => k.name);
for (const name of names) await compare(name, () => kernel(name));
if (!values['no-linux']) {
  const folder = mkdtempSync(join(tmpdir(), 'loongscope-detection-'));
  const initrd = join(folder, 'initramfs');
  writeFileSync(initrd, initramfs());
  try {
    await compare('boot of Debian’s kernel', () => linux(initrd));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
