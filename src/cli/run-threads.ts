/** `loongscope run --clock host --threads`: a thread for each CPU; devices and console stay on the main one. */
import { Worker } from 'node:worker_threads';
import { LinearMemory } from '../emu/memory/linear-memory.ts';
import { MOST_CPU_THREADS } from '../emu/threads/control-block.ts';
import type { CpuThreadOptions } from '../emu/threads/cpu-thread.ts';
import { type CpuThreadHandle, ThreadedMachine } from '../emu/threads/threaded-machine.ts';
import { asUsage, bootImages, engineKind } from './boot.ts';
import { ConsoleOutput, connectInput, Outputs, openSerial, type SerialLine } from './console.ts';
import { endsNow, exitCode, say } from './ending.ts';
import { UsageError } from './errors.ts';
import { monotonicClock } from './monotonic-clock.ts';
import { nodeRuntime } from './node-runtime.ts';
import { openCards } from './open-cards.ts';
import type { MachineCli } from './options.ts';
import { enterSandbox, programFlags, sandboxed } from './sandbox.ts';
import { statistics } from './statistics.ts';

/** The data of the worker of a CPU. */
export interface WorkerData {
  readonly options: CpuThreadOptions;
  /** Ticks of the monotonic clock at power-on. */
  readonly epoch: number;
}

/** The worker's program: from the sources, or beside the bundle. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './cpu-worker.ts' : './cpu-worker.js', import.meta.url);

/** Options that need one thread, and why. */
const ONE_THREAD: readonly (readonly [keyof MachineCli, string])[] = [
  ['gdb', 'a debugger stops all CPUs at one instruction'],
  ['gdbHost', 'a debugger stops all CPUs at one instruction'],
  ['gdbGuest', 'a debugger stops all CPUs at one instruction'],
  ['audit', 'an audit watches every CPU'],
  ['log', 'a log has one order'],
  ['detail', 'a record of events has one order'],
  ['dumpRegion', 'a region is found by what a CPU executes'],
  ['snapshot', 'a snapshot is of a machine on one thread'],
];

/** @throws UsageError for options that do not work with threads */
function checkOptions(cli: MachineCli): void {
  if (cli.smp > MOST_CPU_THREADS)
    throw new UsageError(`--threads is for up to ${MOST_CPU_THREADS} CPUs: leave it out, or use a smaller --smp`);
  if (cli.clock !== 'host') throw new UsageError('--threads has no virtual time: add --clock host');
  for (const [name, why] of ONE_THREAD)
    if (cli[name] !== undefined)
      throw new UsageError(
        `--threads: ${why}: leave --${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)} or --threads out`,
      );
  const most = LinearMemory.mostForThreads(cli.smp);
  if (cli.memory > most)
    throw new UsageError(
      `--threads: CPUs on threads share one memory of 4 GiB, and --smp ${cli.smp} leaves ${most / 2 ** 20} MiB for RAM: give --memory ${most / 2 ** 20}M or less, or leave --threads out`,
    );
  if (cli.engine === 'check')
    throw new UsageError('--engine check compares runs that repeat: leave --threads out, or use another engine');
}

/** Starts the worker of a CPU. `inside`: it may only read the program. `warn`: called with the reason when it can translate no more code. */
function spawn(
  options: CpuThreadOptions,
  epoch: number,
  inside: boolean,
  warn: (reason: string) => void,
): CpuThreadHandle {
  // Node's permissions are separate for each thread: the sandbox of this thread does not contain the worker.
  const worker = new Worker(WORKER, {
    workerData: { options, epoch } satisfies WorkerData,
    ...(inside && { execArgv: programFlags() }),
  });
  worker.on('message', warn);
  const ended = new Promise<void>((resolve, reject) => {
    worker.on('error', reject);
    worker.on('exit', () => resolve());
  });
  return { ended };
}

/**
 * Runs a machine to its end.
 * @param io what to do with console bytes; the default follows --serial
 * @param started called with the machine, which takes input
 * @returns the program's exit code
 * @throws UsageError for unusable files and impossible options
 */
export async function runThreads(
  image: string | undefined,
  cli: MachineCli,
  io?: (bytes: Uint8Array) => void,
  started: (machine: ThreadedMachine) => void = () => {},
): Promise<number> {
  checkOptions(cli);
  const { files } = bootImages(image, cli);
  const serial: SerialLine = io ? { sink: io, close: () => {} } : await openSerial(cli.serial);
  const output = new ConsoleOutput(serial.sink, () => serial.reader?.writableNeedDrain === true);
  const epoch = monotonicClock();
  let warned = false;
  const warn = (reason: string): void => {
    if (warned) return;
    warned = true;
    say(`warning: no more code can be translated (${reason}): the rest is interpreted, which is slower`);
  };
  const { cards, cable } = openCards(cli, output.put);
  const machine = asUsage(
    () =>
      new ThreadedMachine(
        {
          runtime: nodeRuntime,
          ramSize: cli.memory,
          cpus: cli.smp,
          // There is no atomic 128-bit store between threads.
          features: { ...cli.cpu, scq: false },
          seed: cli.seed,
          engine: engineKind(cli),
          console: output.put,
          mustWait: () => outputs.full(),
          cards,
          virtioOn: cli.virtio,
          model: cli.machine,
          noReboot: cli.reboot === false,
          spawn: (options) => {
            const thread = spawn(options, epoch, sandboxed(cli), warn);
            // All threads have started, and no instruction has run yet.
            if (options.cpu === options.cpus - 1) enterSandbox(cli);
            return thread;
          },
        },
        files,
      ),
  );
  const outputs = new Outputs(machine, output, [serial.reader]);
  const stopInput = io ? () => {} : connectInput(cli.serial, machine, serial);
  await serial.ready?.();
  await cable?.plug(machine);
  started(machine);
  const began = performance.now();
  const end = await machine.run({ maxInstructions: cli.maxInstructions, timeoutSeconds: cli.timeout });
  output.flush();
  serial.close();
  stopInput();
  cable?.unplug();
  if (cli.stats) process.stderr.write(`${statistics(machine, (performance.now() - began) / 1000)}\n`);
  const code = exitCode(end, cli);
  outputs.close(endsNow(end) ? code : undefined);
  return code;
}
