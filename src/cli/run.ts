/** `loongscope run`: boots, connects the console, serves gdb, ends with the guest's power-off or a limit. */
import { openSync, writeSync } from 'node:fs';
import type { Cpu } from '../emu/cpu/cpu.ts';
import { ExitStatistics } from '../emu/debug/exit-statistics.ts';
import { describeEvent, explainLast, type Symbolizer } from '../emu/debug/explain.ts';
import { FirstEvents } from '../emu/debug/first-events.ts';
import { RunControl } from '../emu/debug/run-control.ts';
import type { Address, Bound, GdbServer } from '../gdbstub/server.ts';
import type { View } from '../gdbstub/threads.ts';
import { Awareness } from '../hv/awareness.ts';
import { type Booted, boot } from './boot.ts';
import { CodeCache, defaultCacheFile } from './code-cache.ts';
import { ConsoleOutput, connectInput, openSerial } from './console.ts';
import { exitCode, say } from './ending.ts';
import { UsageError } from './errors.ts';
import { openClientFiles } from './file-service.ts';
import type { MachineCli } from './options.ts';
import { enterSandbox, walled } from './sandbox.ts';
import { snapshotStore } from './snapshots.ts';
import { statistics } from './statistics.ts';

/** Lines are added to what is in the file. @throws UsageError when it cannot be written */
function openLog(file: string): number {
  try {
    return openSync(file, 'a');
  } catch (error) {
    throw new UsageError(`--log: cannot write ${file} (${(error as NodeJS.ErrnoException).code}): check the path`);
  }
}

/** Writes log lines of the chosen kinds to stderr or a file. */
function startLog(cli: MachineCli, control: RunControl, symbolize: Symbolizer): (line: string) => void {
  const { log } = cli;
  if (!log) return () => {};
  const fd = log.file === undefined ? undefined : openLog(log.file);
  const write = (line: string): void => {
    if (fd === undefined) process.stderr.write(`${line}\n`);
    else writeSync(fd, `${line}\n`);
  };
  const events = (kind: 'exit' | 'exception'): boolean => log.kinds.has(kind);
  if (events('exit') || events('exception'))
    for (const cpu of control.machine.cpus) {
      const note = (c: Cpu): void => {
        const r = c.events.at(0);
        if (!r || control.repeating) return;
        if (r.kind === 'exception' ? events('exception') : events('exit'))
          write(`cpu${c.index} ${describeEvent(r, symbolize)}`);
      };
      cpu.observe({ exception: note, entered: note });
    }
  return log.kinds.has('gdb') ? (line) => write(`gdb ${line}`) : () => {};
}

/** Can a debugger come? */
const debuggable = (cli: MachineCli): boolean =>
  cli.gdb !== undefined || cli.gdbGuest !== undefined || cli.gdbHost !== undefined;

/** Milliseconds after which a running machine's names are read, in case that they are wanted. */
const NAMES_DELAY = 300;

const describeAddress = (address: Address, bound: number | string): string =>
  'path' in address ? `unix:${bound}` : `${address.host.includes(':') ? `[${address.host}]` : address.host}:${bound}`;

/** A machine that is running, with its doors open. */
export interface Running {
  readonly booted: Booted;
  readonly control: RunControl;
  /** Ports or paths: the full view first, then the host's door, then the guests'. */
  readonly doors: readonly (number | string)[];
  /** Statistics of exits, where the options ask for them. */
  readonly detail: { readonly exits: ExitStatistics; readonly first: FirstEvents } | undefined;
  /** Resolves with the program's exit code. */
  readonly done: Promise<number>;
}

/**
 * Starts a machine.
 * @param io what to do with console bytes; the default follows --serial
 * @param onDebugger told when a debugger has connected, before it is heard
 */
export async function start(
  image: string | undefined,
  cli: MachineCli,
  io?: (bytes: Uint8Array) => void,
  onDebugger: () => void = () => {},
): Promise<Running> {
  const serial = io ? { sink: io, close: () => {} } : openSerial(cli.serial);
  const output = new ConsoleOutput(serial.sink);
  let control: RunControl | undefined;
  // What the machine says while its past runs again, it has said before.
  const booted = boot(image, cli, (byte) => {
    if (!control?.repeating) output.put(byte);
  });
  const { machine, symbolize, symbols } = booted;
  if (machine.regions)
    machine.regions.onFailure = (reason) =>
      say(`warning: no more code can be translated (${reason}): the rest is interpreted, which is slower`);
  control = new RunControl(
    machine,
    {
      ...(cli.maxInstructions !== undefined && { maxInstructions: cli.maxInstructions }),
      ...(cli.timeout !== undefined && { timeoutSeconds: cli.timeout }),
    },
    debuggable(cli) || cli.audit !== undefined,
  );
  const running = control;
  if (debuggable(cli)) control.snapshotStore = snapshotStore(openClientFiles(cli.files ?? '.', walled(cli)));
  else if (cli.files !== undefined) throw new UsageError('--files without a debugger that names any: add --gdb PORT');
  // Names take time to read: whoever is sure to show some asks now, everybody else once the machine runs.
  const showsNames = debuggable(cli) || cli.log || cli.stats || cli.detail || cli.audit;
  if (showsNames) void booted.named;
  else setTimeout(() => void booted.named, NAMES_DELAY).unref();
  const told: Promise<void>[] = [];
  control.onLoop = (cpu, loop) => {
    const tell = (): void => {
      say(`warning: ${loop.text}`);
      for (const line of explainLast(running, cpu, symbolize)) process.stderr.write(`  ${line}\n`);
    };
    told.push(booted.named.then(tell));
  };
  if (cli.checkInterval !== undefined && cli.engine !== 'check')
    throw new UsageError('--check-interval without anything to check: add --engine check');
  if (cli.threads) throw new UsageError('--threads is for run: leave it out');
  if (cli.engine === 'check' && cli.clock === 'host')
    throw new UsageError('--engine check compares runs that repeat: use --clock virtual, or another engine');
  if (cli.engine === 'check') {
    if (debuggable(cli))
      throw new UsageError(
        '--engine check compares two undisturbed runs: leave the debugger out, or use another engine',
      );
    const { EngineCheck } = await import('../emu/check/engine-check.ts');
    const shadow = boot(image, { ...cli, engine: 'interpreter' }, () => {}).machine;
    control.check = new EngineCheck(machine, shadow, cli.checkInterval);
  }
  control.contexts = new Awareness(control, symbols, symbolize);
  // An audit knows the function that enters guests by its name, from the first entry on.
  if (cli.audit) await booted.named;
  // What only some runs need is loaded by those: starting is part of every run.
  const audit = cli.audit
    ? new (await import('../hv/audit/worldswitch.ts')).WorldSwitchAudit(control, symbols, symbolize, (f) =>
        say(`audit: ${f.check}: ${f.text}`),
      )
    : undefined;
  if (audit) control.audit = () => audit.summary();
  const silent = (): boolean => running.repeating;
  const detail =
    cli.stats || cli.detail
      ? { exits: new ExitStatistics(machine.cpus, silent), first: new FirstEvents(machine.cpus, silent) }
      : undefined;
  if (detail) control.exitStatistics = detail.exits;
  const log = startLog(cli, control, symbolize);
  if (cli.wait && !debuggable(cli)) throw new UsageError('--wait without a debugger to wait for: add --gdb PORT');
  /** Stands still until the first debugger has come. */
  const gate = { running: !cli.wait, stopped: () => {}, ended: () => {} };
  if (cli.wait) control.attach(gate);
  const servers: GdbServer[] = [];
  const doors: (number | string)[] = [];
  let exposed = false;
  const open = async (view: View, address: Address, what: string): Promise<void> => {
    const { GdbServer } = await import('../gdbstub/server.ts');
    const server = new GdbServer({
      control,
      view,
      address,
      symbolize,
      executable: (world) => booted.executable(world),
      log,
      onConnect: () => {
        onDebugger();
        control.detach(gate);
      },
    });
    let bound: Bound;
    try {
      bound = await server.listen();
    } catch (error) {
      const why = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
      // An error without a code of the system says what to do itself.
      throw new UsageError(`cannot listen for gdb: ${why.includes(':') ? why : `${why}: choose another address`}`);
    }
    doors.push(bound.at);
    if (!cli.quiet) say(`gdb: ${what} on ${describeAddress(address, bound.at)}`);
    exposed ||= bound.exposed;
    servers.push(server);
  };
  if (cli.gdb) await open({ kind: 'machine' }, cli.gdb, 'the machine');
  if (cli.gdbHost) await open({ kind: 'host' }, cli.gdbHost, 'the host world');
  for (const door of cli.gdbGuest ?? [])
    await open({ kind: 'guest', gid: door.gid, vcpu: door.vcpu }, door.address, `guest gid ${door.gid}`);
  if (exposed)
    say(
      'warning: other machines reach this port, and it asks nobody for a password: whoever connects owns the machine, and writes files below --files',
    );
  const began = performance.now();
  const stopInput = io ? () => {} : connectInput(cli.serial, control);
  const done = control.run().then(async (end) => {
    output.flush();
    await Promise.all(told);
    serial.close();
    stopInput();
    await Promise.all(servers.map((server) => server.close()));
    if (audit) say(`audit: ${audit.summary()[0]}`);
    if (running.check && end.kind === 'poweroff')
      say(`check: interpreter and translator agree, ${running.check.count} comparisons`);
    if (cli.stats && detail) {
      const more = { exits: detail.exits, first: detail.first.list, symbolize };
      process.stderr.write(`${statistics(machine, (performance.now() - began) / 1000, more)}\n`);
    }
    return exitCode(end, cli);
  });
  return { booted, control, doors, detail, done };
}

export async function run(image: string | undefined, cli: MachineCli): Promise<number> {
  if (cli.threads) {
    const { runThreads } = await import('./run-threads.ts');
    return runThreads(image, cli);
  }
  const { booted, done } = await start(image, cli);
  // Nothing runs before the next turn of the event loop.
  const { regions } = booted.machine;
  const file = typeof cli.codeCache === 'string' ? cli.codeCache : defaultCacheFile();
  const cache = regions && cli.codeCache !== false ? new CodeCache(file) : undefined;
  enterSandbox(cli);
  if (!regions || !cache) return done;
  const pages = cache.read();
  regions.hotPages = pages;
  const known = pages.size;
  const code = await done;
  const failed = regions.translated > 0 || pages.size > known ? cache.write(pages) : undefined;
  // The default place may well not be writable; one that was asked for should be.
  if (failed && typeof cli.codeCache === 'string')
    say(`warning: --code-cache ${file} could not be written (${failed})`);
  return code;
}
