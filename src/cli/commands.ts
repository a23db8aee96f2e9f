/** The command line (docs/cli.md): its commands and options, once. Help, shell completion and the tables of docs/cli.md follow from them. */
import { Argument, Command, Option } from 'commander';
import type { BenchCli } from './bench/bench.ts';
import { completionScript, SHELLS, type Shell } from './completion.ts';
import type { ExploreCli } from './explore/explore.ts';
import type { FuzzCli } from './explore/fuzz/fuzz.ts';
import { parseQueue } from './explore/queue/address.ts';
import type { WorkerCli } from './explore/queue/serve.ts';
import type { LabCli } from './labs/lab.ts';
import {
  collect,
  declareDebugOptions,
  declareMachineOptions,
  type MachineCli,
  parseAddress,
  parseDetails,
  parseEngine,
  parseFormat,
  parseInteger,
} from './options.ts';
import { parseMoment } from './recording/moment.ts';
import type { ReplayCli } from './recording/replay.ts';
import { requireSandbox } from './sandbox.ts';
import type { TestCli } from './testing/test.ts';
import type { TraceCli } from './trace.ts';
import { VERSION } from './version.ts';
import type { WebCli } from './web.ts';

/** What the command line has after `--`. */
function afterDashes(): string[] {
  const at = process.argv.indexOf('--');
  return at < 0 ? [] : process.argv.slice(at + 1);
}

/** The options of a machine, and those of commands that run it many times and reduce what fails. */
const declareRunsOptions = (command: Command): Command =>
  declareMachineOptions(command)
    .option('--jobs <n>', 'runs at a time (default: one for each processor; with --queue 32)', (t) =>
      parseInteger(t, '--jobs', 1, 1024),
    )
    .option('--queue <url>', 'let other machines do the runs: redis://HOST[:PORT][/DB] (explore-worker)', parseQueue)
    .option('--forbid <text>', 'the console must not show it; repeatable', collect(String))
    .option('--stop-at-first', 'end when a run has failed')
    .option('--minutes <n>', 'begin no more runs after so many minutes; Ctrl-C does so at once', (t) =>
      parseInteger(t, '--minutes', 1, 100_000),
    )
    .option(
      '--tries <n>',
      'runs at most to reduce a class of failures',
      (t) => parseInteger(t, '--tries', 0, 1_000_000),
      400,
    );

/**
 * Declares the program. Each command loads its modules only when it runs, so that the program starts fast.
 * @param finish receives the exit code of the command that has run
 */
export function declareProgram(finish: (code: number) => void): Command {
  const program = new Command('loongscope')
    .description('A LoongArch64 full-system emulator with LVZ, for debugging hypervisors with gdb')
    .version(VERSION)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .showHelpAfterError(false)
    .showSuggestionAfterError(false);

  declareMachineOptions(program.command('run').description('boot a machine; its console is the terminal'))
    .option('--dump-dtb <file>', "write the board's device tree, and run nothing")
    .option('--coverage <file>', 'write which lines of the image were executed, in the format of lcov')
    .addHelpText('after', '\nExample:\n  loongscope run --guest hello\n  loongscope run --gdb 1234 --wait kernel.elf')
    .action(async (image: string | undefined, cli: MachineCli) => {
      requireSandbox(cli);
      const { run } = await import('./run.ts');
      finish(await run(image, cli));
    });

  declareDebugOptions(program.command('replay').description('repeat a recorded run'))
    .argument('<file>', 'a file of run --record')
    .option(
      '--at <moment>',
      "go there first: an instruction number, end, bookmark:NAME, console:TEXT, or 'first exception in VM 1' (first or last; exception, exit, entry)",
      parseMoment,
    )
    .addHelpText('after', '\nExample:\n  loongscope replay flaky.recording --at end --gdb 1234')
    .action(async (file: string, cli: ReplayCli) => {
      requireSandbox(cli);
      const { replay } = await import('./recording/replay.ts');
      finish(await replay(file, cli));
    });

  declareRunsOptions(
    program
      .command('explore')
      .description('run an image many times, perturbed in other ways, and find what makes it fail (docs/explore.md)'),
  )
    .option('--runs <n>', 'how many runs', (t) => parseInteger(t, '--runs', 1, 100_000_000), 1000)
    .option('--first-seed <n>', 'the seed to begin with', (t) => parseInteger(t, '--first-seed', 0, 0xffffffff), 1)
    .option('--dials <list>', 'DIAL=on|off, separated by commas: what may differ (default: all)')
    .option('--expect <text>', 'the console must have shown it by the end; repeatable', collect(String))
    .option(
      '--invariant <symbol>',
      'the eight bytes there must be the same at the end of each run; repeatable',
      collect(String),
    )
    .option(
      '--property <file>',
      'a file with a function that says what is wrong with a run, in TypeScript or in the Python of gdb (docs/explore.md)',
    )
    .option(
      '--deadline <ms>',
      'virtual time by which the machine must have ended (default: a multiple of what it needs without perturbation)',
      (t) => parseInteger(t, '--deadline', 1, 1_000_000_000),
    )
    .option('--from <snapshot>', 'where each run begins')
    .option('--after <text>', 'boot once, and begin each run where the console has shown this text')
    .option('--output <folder>', 'where recordings and reports go', 'explore')
    .addHelpText(
      'after',
      "\nExample:\n  loongscope explore --guest smp,vcpus=2 --smp 2 --runs 200 --expect 'stopped with status 0'",
    )
    .action(async (image: string | undefined, cli: ExploreCli & { firstSeed: number }) => {
      requireSandbox(cli);
      const { explore } = await import('./explore/explore.ts');
      finish(await explore(image, cli));
    });

  declareRunsOptions(
    program
      .command('fuzz')
      .description('run hostile guests on a hypervisor, and find what it does not stand (docs/fuzzing.md)'),
  )
    .option('--runs <n>', 'how many guests', (t) => parseInteger(t, '--runs', 1, 100_000_000), 1000)
    .option(
      '--first-seed <n>',
      'the seed: the same guests come each time',
      (t) => parseInteger(t, '--first-seed', 0, 0xffffffff),
      1,
    )
    .option('--at <n>', 'guests become hostile before exit number n (default: before the first of each cause)', (t) =>
      parseInteger(t, '--at', 1, 1_000_000_000),
    )
    .option(
      '--budget <n>',
      'instructions of each run at most',
      (t) => parseInteger(t, '--budget', 10_000, 1_000_000_000),
      1_000_000,
    )
    .option('--output <folder>', 'where recordings and the report go', 'fuzz')
    .option(
      '--coverage <file>',
      'write which lines of the hypervisor all runs together have executed, in the format of lcov',
    )
    .addHelpText('after', '\nExample:\n  loongscope fuzz --hypervisor my-hv.elf --guest hello --runs 2000')
    .action(async (image: string | undefined, cli: FuzzCli) => {
      requireSandbox(cli);
      const { fuzz } = await import('./explore/fuzz/fuzz.ts');
      finish(await fuzz(image, cli));
    });

  program
    .command('explore-worker')
    .description('do runs of explore --queue on this machine, until it is interrupted')
    .requiredOption('--queue <url>', 'where they are: redis://HOST[:PORT][/DB] of a Redis or Valkey server', parseQueue)
    .option('--jobs <n>', 'runs at a time (default: one for each processor)', (t) => parseInteger(t, '--jobs', 1, 1024))
    .option('--no-sandbox', 'run without the wall that lets runs read only the program itself')
    .addHelpText('after', '\nExample:\n  loongscope explore-worker --queue redis://build-server')
    .action(async (cli: WorkerCli) => {
      requireSandbox(cli);
      const { serveQueue } = await import('./explore/queue/serve.ts');
      finish(await serveQueue(cli));
    });

  declareMachineOptions(program.command('debug').description('boot a machine and start gdb on it, symbols loaded'))
    .addHelpText('after', '\nExample:\n  loongscope debug --guest crash')
    .action(async (image: string | undefined, cli: MachineCli) => {
      requireSandbox(cli);
      const { debug } = await import('./debug.ts');
      finish(await debug(image, cli));
    });

  program
    .command('demo')
    .description('the guided tour: a real gdb steps through the world switch; without a gdb, a short one')
    .addHelpText('after', '\nExample:\n  loongscope demo')
    .action(async () => {
      const { demo } = await import('./demo.ts');
      finish(await demo());
    });

  program
    .command('explain')
    .description('what a number means: ESTAT, instruction word, CSR, TLB or page-table entry')
    .argument('<code...>', 'NAME, NAME=VALUE, insn=WORD, pte=VALUE, or a number')
    .option('--json', 'for programs')
    .addHelpText('after', '\nExample:\n  loongscope explain estat=0x160000 0x06483800 gstat crmd=0xb0')
    .action(async (codes: string[], cli: { json?: boolean }) => {
      const { explain } = await import('./explain.ts');
      finish(explain(codes, cli));
    });

  declareMachineOptions(
    program.command('trace').description('run a machine and record exits, exceptions, world switches'),
  )
    .addOption(
      new Option(
        '--format <kind>',
        'text, jsonl, chrome (a file for Perfetto and chrome://tracing), or html (a page that shows it)',
      )
        .argParser(parseFormat)
        .default('text'),
    )
    .option(
      '--detail <list>',
      'more than exits, exceptions and entries: tlb (fills, invalidations), device (accesses), functions (of a window of a recorded run)',
      parseDetails,
    )
    .option('--output <file>', 'where to (default: trace.txt, trace.jsonl, trace.json or trace.html)')
    .option(
      '--from <n>',
      'of a recorded run (its file is given as the image): the instruction where the trace begins',
      (t) => parseInteger(t, '--from', 0, Number.MAX_SAFE_INTEGER),
    )
    .option('--to <n>', 'of a recorded run: the instruction where it ends', (t) =>
      parseInteger(t, '--to', 0, Number.MAX_SAFE_INTEGER),
    )
    .addHelpText('after', '\nExample:\n  loongscope trace --guest hello --format chrome --output hello.json')
    .action(async (image: string | undefined, cli: TraceCli) => {
      requireSandbox(cli);
      const { trace } = await import('./trace.ts');
      finish(await trace(image, cli));
    });

  program
    .command('doctor')
    .description('what is there, what is missing, what that prevents, and the command that mends it')
    .option('--json', 'for programs')
    .addHelpText('after', '\nExample:\n  loongscope doctor')
    .action(async (cli: { json?: boolean }) => {
      const { doctor } = await import('./doctor.ts');
      finish(await doctor(cli));
    });

  program
    .command('lab')
    .description('learn to write a hypervisor: lists the labs, starts one, checks it')
    .argument('[name]', 'h1 to h6; with --all the folder that has them')
    .argument('[folder]', 'your copy (left out: a copy here, otherwise the skeleton)')
    .option('--start <folder>', 'copy the skeleton to a new folder')
    .option('--solution', 'check the solution of the project instead')
    .option('--rust', 'the lab in Rust instead of C: its skeleton, its solution')
    .option('--all', 'check every lab')
    .option('--json', 'for programs')
    .option('--junit <file>', 'write the results as JUnit XML, too')
    .option('--gdb <address>', 'do not check: run it with a port for gdb, stopped before its first instruction', (t) =>
      parseAddress(t, '--gdb'),
    )
    .addHelpText('after', '\nExample:\n  loongscope lab h1 --start h1\n  loongscope lab h1 h1')
    .action(async (name: string | undefined, folder: string | undefined, cli: LabCli) => {
      const { lab } = await import('./labs/lab.ts');
      finish(await lab(name, folder, cli));
    });

  program
    .command('web')
    .description('the browser edition: the labs in a page, served to this computer alone')
    .option('--port <n>', 'the port (0: a free one)', (t) => parseInteger(t, '--port', 0, 65535), 0)
    .option('--gdb <address>', 'a port where gdb connects to the machine in the page: [HOST:]PORT or unix:PATH', (t) =>
      parseAddress(t, '--gdb'),
    )
    .addHelpText('after', '\nExample:\n  loongscope web --port 8080 --gdb 1234')
    .action(async (cli: WebCli) => {
      const { web } = await import('./web.ts');
      finish(await web(cli));
    });

  program
    .command('test')
    .description('run programs for the bare machine, and say which have passed, for CI (docs/ci.md)')
    .argument('<image...>', 'ELF programs; options of run for each of them come after --')
    .option('--expect <text>', 'the console must have shown it by the end; repeatable', collect(String))
    .option('--forbid <text>', 'the console must not show it; repeatable', collect(String))
    .option('--timeout <seconds>', 'for each program', (t) => parseInteger(t, '--timeout', 1, 1_000_000), 60)
    .option('--jobs <n>', 'programs at a time', (t) => parseInteger(t, '--jobs', 1, 1024), 1)
    .option('--junit <file>', 'write the results as JUnit XML, too')
    .option('--json', 'one JSON list instead of TAP')
    .option('--keep <folder>', 'keep the recordings of those that fail there')
    .addHelpText('after', '\nExample:\n  loongscope test --junit results.xml tests/*.elf -- --smp 2')
    .action(async (operands: string[], cli: TestCli) => {
      const { test } = await import('./testing/test.ts');
      const options = afterDashes();
      finish(await test(operands.slice(0, operands.length - options.length), options, cli));
    });

  program
    .command('completion')
    .description('a script that completes commands and options in a shell')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText('after', '\nExample:\n  source <(loongscope completion bash)')
    .action((shell: Shell) => {
      process.stdout.write(completionScript(program, shell));
    });

  program
    .command('bench')
    .description('the benchmarks, as ratios to a QEMU where there is one')
    .option('--pairs <n>', 'interleaved pairs of runs', (t) => parseInteger(t, '--pairs', 1, 99), 5)
    .option('--kernel <name>', 'one kernel, by name or letter; repeatable', collect(String))
    .option('--qemu <file>', 'the QEMU to compare with')
    .option('--engine <name>', 'as for run', parseEngine)
    .option('--cliffs', 'bad cases, each beside its good case, instead of the kernels')
    .option('--write', 'put table and chart into docs/')
    .addHelpText('after', '\nExample:\n  loongscope bench --kernel integer --pairs 3')
    .action(async (cli: BenchCli) => {
      const { bench } = await import('./bench/bench.ts');
      finish(await bench(cli));
    });

  program
    .command('qemu')
    .description('run with the command line of qemu-system-loongarch64')
    .argument('[args...]')
    .allowUnknownOption()
    .helpOption(false)
    .addHelpText(
      'after',
      '\nExample:\n  loongscope qemu -M virt -m 1G -nographic -kernel vmlinuz -append console=ttyS0',
    )
    .action(async (args: string[]) => {
      const { runQemu } = await import('./qemu/run.ts');
      finish(await runQemu(args));
    });
  return program;
}
