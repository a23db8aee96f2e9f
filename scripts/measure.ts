/**
 * Measures the emulator on this computer: speed of the interpreter on an integer kernel, start-up time to the first
 * guest instruction, world switches per second. Run through scripts/measure.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { boot } from '../src/cli/boot.ts';
import { nodeRuntime } from '../src/cli/node-runtime.ts';
import { DEFAULT_MACHINE } from '../src/cli/options.ts';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { parseElf } from '../src/emu/boot/elf.ts';
import { Machine } from '../src/emu/machine/machine.ts';
import { CODE, TestMachine } from '../test/support/test-machine.ts';

const RUNS = 5;

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

/** Milliseconds from the start of this process to the first instruction of the hello guest. */
function startUp(): number {
  const { machine } = boot(undefined, DEFAULT_MACHINE, () => {});
  const cpu = machine.cpus[0]!;
  let first = 0;
  cpu.observe({
    entered: () => {
      first ||= performance.now();
      cpu.requestStop();
    },
  });
  while (first === 0) machine.run(1_000_000);
  return first;
}

/** Instructions of the integer kernel that are interpreted. */
const INTEGER_INSTRUCTIONS = 200_000_000;

/** Million instructions a second of the interpreter on the integer kernel. */
function integer(): number {
  const file = join(PROJECT_ROOT, 'build', 'bench', 'integer.elf');
  const machine = new Machine({
    runtime: nodeRuntime,
    ramSize: 64 << 20,
    cpus: 1,
    features: DEFAULT_MACHINE.cpu,
    seed: 1,
    engine: 'interpreter',
    console: () => {},
  });
  machine.load({ image: parseElf(new Uint8Array(readFileSync(file)), file), commandLine: '', extra: [] });
  const began = performance.now();
  while (machine.instructions < INTEGER_INSTRUCTIONS) machine.run(2_000_000);
  return machine.instructions / ((performance.now() - began) / 1000) / 1e6;
}

/** A kind of world switch: code of the guest, and code of the host before it returns behind the instruction. */
interface Exchange {
  readonly name: string;
  readonly guest: readonly string[];
  readonly host: readonly string[];
  /** Ecode of the exit that is counted. */
  readonly ecode: number;
}
const BEHIND = ['csrrd $t0, 6', 'addi.d $t0, $t0, 4', 'csrwr $t0, 6', 'ertn'];
/** GPA of the page that the guest loads from; the one behind it is mapped with V = 0. */
const [DATA, MMIO] = [0x30_0000, 0x31_0000];
const EXCHANGES: readonly Exchange[] = [
  { name: 'hvcl', guest: ['hvcl 0', 'b -4'], host: BEHIND, ecode: 0x17 },
  { name: 'MMIO (PIL)', guest: ['ld.d $a0, $a2, 0', 'b -4'], host: BEHIND, ecode: 1 },
  {
    name: 'stage-2 miss (invtlb 0x16, refill)',
    guest: ['ld.d $a0, $a1, 0', 'hvcl 0', 'b -8'],
    host: ['invtlb 0x16, $a3, $a1', ...BEHIND],
    ecode: 0x3f,
  },
];

/** Round trips a second, and how many software TLB entries were filled for each. */
function exchange({ guest: code, host, ecode }: Exchange): { perSecond: number; fills: number } {
  const window = 0x9000_0000_0000_0000n;
  const [exit, refill, guest, hpa] = [0x40000, 0x50000, 0x20_0000, 0x40_0000];
  const bench = new TestMachine();
  bench.code(hpa, code).code(exit, host);
  // csrwr exchanges the values, so t1 gets the old value of the register. The page size stays in TLBREHI.
  bench.code(refill, ['csrwr $t1, 0x8c', 'csrwr $zero, 0x8d', 'tlbfill', 'csrrd $t1, 0x8c', 'ertn']);
  bench.setHost({ DMW0: window | 0xfn, CRMD: 0x10, EENTRY: window + BigInt(exit), TLBRENTRY: refill, GTLBC: 0x11000 });
  for (const [gpa, elo] of [
    [guest, hpa | 0x13],
    [DATA, 0x50_0013],
    [MMIO, 0],
  ] as const) {
    bench.setHost({ TLBIDX: 12 << 24, TLBEHI: gpa, TLBELO0: elo, TLBELO1: 0 });
    bench.code(CODE, ['tlbfill']);
    bench.cpu.pc = window + BigInt(CODE);
    bench.run(1);
  }
  bench.set({ a1: DATA, a2: MMIO, a3: 1 << 16, t1: 0x50_0013 });
  bench.setHost({ GSTAT: 0x10082, ERA: guest, TLBREHI: 12 });
  bench.code(CODE, ['ertn']);
  bench.cpu.pc = window + BigInt(CODE);
  const { fast } = bench.cpu;
  let fills = 0;
  for (const method of ['fillData', 'fillFetch'] as const) {
    const original = fast[method].bind(fast) as (...args: unknown[]) => void;
    Object.assign(fast, {
      [method]: (...args: unknown[]) => {
        fills++;
        original(...args);
      },
    });
  }
  const exits = (): number => bench.cpu.events.exits[ecode]!;
  bench.machine.run(500_000);
  const [before, began] = [exits(), performance.now()];
  fills = 0;
  bench.machine.run(3_000_000);
  const count = exits() - before;
  if (count < 1000) throw new Error(`the guest makes ${count} exits of Ecode ${ecode}`);
  return { perSecond: count / ((performance.now() - began) / 1000), fills: fills / count };
}

/** Plain exceptions of the host, for comparison: system calls a second. */
function systemCalls(): number {
  const bench = new TestMachine({ code: ['syscall 0', 'b -4'] });
  bench.code(0x40000, BEHIND).setHost({ EENTRY: 0x40000 });
  const count = (): number => bench.cpu.events.hostExceptions[0xb]!;
  bench.machine.run(500_000);
  const [before, began] = [count(), performance.now()];
  bench.machine.run(3_000_000);
  return (count() - before) / ((performance.now() - began) / 1000);
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
  const mips = Array.from({ length: RUNS }, integer);
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  print(`start-up to the first guest instruction: ${median(times).toFixed(0)} ms (median of ${RUNS} processes)`);
  const calls = median(Array.from({ length: RUNS }, systemCalls));
  print(`plain exceptions: ${(calls / 1e6).toFixed(2)} million system calls/s (median of ${RUNS})`);
  for (const e of EXCHANGES) {
    const results = Array.from({ length: RUNS }, () => exchange(e));
    const speed = median(results.map((r) => r.perSecond));
    print(
      `world switches, ${e.name}: ${(speed / 1e6).toFixed(2)} million round trips/s, ${(speed / calls).toFixed(2)} of plain exceptions, ` +
        `${results[0]!.fills.toFixed(2)} cached translations made anew for each`,
    );
  }
  print(
    `interpreter, integer kernel: ${median(mips).toFixed(0)} million instructions/s (median of ${RUNS}, ${Math.min(...mips).toFixed(0)}-${Math.max(...mips).toFixed(0)})`,
  );
}
