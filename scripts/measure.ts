/**
 * Figures of the emulator on this machine: speed of the interpreter on an integer kernel, start-up time to the first
 * guest instruction, world switches per second. Run through scripts/measure.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { boot } from '../src/cli/boot.ts';
import { DEFAULT_MACHINE } from '../src/cli/options.ts';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { parseElf } from '../src/emu/board/elf.ts';
import { Machine } from '../src/emu/board/machine.ts';
import { Bench, CODE } from '../test/support/bench.ts';

const RUNS = 5;

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

/** Milliseconds from the start of this process to the first instruction of the hello guest. */
function startUp(): number {
  const { machine } = boot(undefined, DEFAULT_MACHINE, () => {});
  const cpu = machine.cpus[0]!;
  let first = 0;
  cpu.observer = {
    entered: () => {
      first ||= performance.now();
      cpu.requestStop();
    },
  };
  while (first === 0) machine.run(1_000_000);
  return first;
}

/** Million instructions a second over a whole run of the integer kernel. */
function integer(): { mips: number; instructions: number; text: string } {
  const out: number[] = [];
  const file = join(PROJECT_ROOT, 'build', 'speed', 'integer.elf');
  const machine = new Machine({
    ramSize: 64 << 20,
    cpus: 1,
    features: DEFAULT_MACHINE.cpu,
    seed: 1,
    console: (b) => out.push(b),
  });
  machine.load(parseElf(new Uint8Array(readFileSync(file)), file), '');
  const began = performance.now();
  while (machine.run(2_000_000) === 'slice');
  const seconds = (performance.now() - began) / 1000;
  return {
    mips: machine.instructions / seconds / 1e6,
    instructions: machine.instructions,
    text: String.fromCharCode(...out).trim(),
  };
}

/** World switches: a guest that does nothing but hypercalls, a host that returns behind each. Round trips a second. */
function roundTrips(): number {
  const window = 0x9000_0000_0000_0000n;
  const [exit, guest, hpa] = [0x40000, 0x20_0000, 0x40_0000];
  const bench = new Bench({ code: ['tlbfill', 'ertn'] });
  bench.code(hpa, ['hvcl 0', 'b -4']).code(exit, ['csrrd $t0, 6', 'addi.d $t0, $t0, 4', 'csrwr $t0, 6', 'ertn']);
  bench.setHost({ DMW0: window | 0xfn, CRMD: 0x10, EENTRY: window + BigInt(exit), GTLBC: 0x11000, TLBIDX: 12 << 24 });
  bench.setHost({ TLBEHI: guest, TLBELO0: hpa | 0x13, TLBELO1: 0, GSTAT: 0x10082, ERA: guest });
  bench.cpu.pc = window + BigInt(CODE);
  const exits = (): number => bench.cpu.events.exits[0x17]!;
  bench.machine.run(500_000);
  const [before, began] = [exits(), performance.now()];
  bench.machine.run(3_000_000);
  return (exits() - before) / ((performance.now() - began) / 1000);
}

if (process.argv[2] === 'start-up') {
  process.stdout.write(`${startUp()}\n`);
} else {
  const self = fileURLToPath(import.meta.url);
  const times: number[] = [];
  // The program runs with Node's compile cache (src/cli/main.ts); the first process fills it and is not counted.
  const env = { NODE_COMPILE_CACHE: join(PROJECT_ROOT, 'build', 'compile-cache') };
  for (let n = 0; n <= RUNS; n++)
    times.push(Number((await execa(process.execPath, [self, 'start-up'], { env })).stdout));
  times.shift();
  const runs = Array.from({ length: RUNS }, integer);
  const { instructions, text } = runs[0]!;
  const mips = runs.map((r) => r.mips);
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  print(`start-up to the first guest instruction: ${median(times).toFixed(0)} ms (median of ${RUNS} processes)`);
  const trips = Array.from({ length: RUNS }, roundTrips);
  print(`world switches: ${(median(trips) / 1e6).toFixed(2)} million hvcl round trips/s (median of ${RUNS})`);
  print(
    `interpreter, integer kernel: ${median(mips).toFixed(0)} million instructions/s (median of ${RUNS}, ${Math.min(...mips).toFixed(0)}-${Math.max(...mips).toFixed(0)}; ${(instructions / 1e6).toFixed(0)} million instructions, result ${text})`,
  );
}
