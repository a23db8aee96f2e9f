/** `loongscope run`: boots, connects the console, serves gdb, ends with the guest's power-off or a limit. */

import { basename } from 'node:path';
import type { EngineCheck } from '../emu/check/engine-check.ts';
import { CSR } from '../emu/cpu/csr-table.ts';
import { anyGuestContext, hostContext } from '../emu/debug/context.ts';
import { readVirtual } from '../emu/debug/debug-memory.ts';
import type { ExitStatistics } from '../emu/debug/exit-statistics.ts';
import { FirstEvents } from '../emu/debug/first-events.ts';
import { RunControl } from '../emu/debug/run-control.ts';
import type { Symbolizer } from '../emu/debug/symbolizer.ts';
import type { Machine } from '../emu/machine/machine.ts';
import { finish } from '../emu/runtime/steps.ts';
import type { Address, Bound, GdbServer } from '../gdbstub/server.ts';
import type { View } from '../gdbstub/threads.ts';
import { Awareness } from '../hv/awareness/awareness.ts';
import type { ImageSymbols } from '../hv/awareness/descriptor.ts';
import { Recognition } from '../hv/awareness/recognition.ts';
import { type Booted, boot } from './boot.ts';
import { CodeCache, defaultCacheFile } from './code-cache.ts';
import { ConsoleOutput, connectInput, Outputs, openSerial, type SerialLine } from './console.ts';
import type { ControlledMachine } from './control/controlled-machine.ts';
import type { CoverageFile } from './coverage.ts';
import { dumpDeviceTree } from './device-tree.ts';
import { endsNow, exitCode, say } from './ending.ts';
import { EXIT, UsageError } from './errors.ts';
import { openLog, startLog } from './event-log.ts';
import { openClientFiles } from './file-service.ts';
import { shadowOf } from './network.ts';
import type { MachineCli } from './options.ts';
import { UNKNOWN_PROGRAM } from './paths.ts';
import { quirksOf } from './quirks.ts';
import { enterSandbox, sandboxed } from './sandbox.ts';
import { snapshotStore } from './snapshots.ts';
import { statistics } from './statistics.ts';
import { SymbolFiles, type WorldViews } from './symbol-files.ts';

/** Can a debugger connect? */
const debuggable = (cli: MachineCli): boolean =>
  cli.gdb !== undefined || cli.gdbGuest !== undefined || cli.gdbHost !== undefined;

/**
 * Is the past kept for explanations? It is not where a run could not be repeated without a debugger's care: what is outside the
 * machine would be asked again.
 */
const remembersPast = (cli: MachineCli): boolean =>
  cli.engine !== 'check' &&
  ![cli.drive, cli.share, cli.net, cli.cards, cli.controls, cli.snapshot, cli.firmware].some(Boolean);

/** Milliseconds after which symbols are read while the machine runs, in case that they are needed. */
const NAMES_DELAY = 300;

const describeAddress = (address: Address, bound: number | string): string =>
  'path' in address ? `unix:${bound}` : `${address.host.includes(':') ? `[${address.host}]` : address.host}:${bound}`;

/** A machine that is running, with its ports open. */
export interface Running {
  readonly booted: Booted;
  readonly control: RunControl;
  /** Names addresses of worlds. */
  readonly symbolize: Symbolizer;
  /** Ports or paths: the machine first, then the host world, then the guests. */
  readonly ports: readonly (number | string)[];
  /** What compares the engines, with `--engine check`. */
  readonly check: EngineCheck | undefined;
  /** Statistics of exits, if an option asks for them. */
  readonly detail: { readonly exits: ExitStatistics; readonly first: FirstEvents } | undefined;
  /** Passes on what the guest has printed so far. */
  readonly flush: () => void;
  /** Resolves with the exit code of the program. */
  readonly done: Promise<number>;
}

/** @throws UsageError for a past that cannot be kept */
function checkHistory(cli: MachineCli): void {
  if (cli.history !== undefined && cli.clock === 'host')
    throw new UsageError('--history: runs in real time do not repeat: use --clock virtual, or leave it out');
}

/** What compares the engines, where the options ask for it. @throws UsageError for what cannot be */
async function engineCheck(
  image: string | undefined,
  cli: MachineCli,
  machine: Machine,
): Promise<EngineCheck | undefined> {
  if (cli.checkInterval !== undefined && cli.engine !== 'check')
    throw new UsageError('--check-interval without anything to check: add --engine check');
  if (cli.engine !== 'check') return undefined;
  if (cli.clock === 'host')
    throw new UsageError('--engine check compares runs that repeat: use --clock virtual, or another engine');
  if (debuggable(cli))
    throw new UsageError('--engine check compares two undisturbed runs: leave the debugger out, or use another engine');
  if (cli.drive?.some((d) => d.nbd))
    throw new UsageError('--engine check runs a second machine beside the first, with the same disks: use files');
  const { EngineCheck: Check } = await import('../emu/check/engine-check.ts');
  const net = cli.net && shadowOf(cli.net);
  const shadow = boot(image, { ...cli, ...(net && { net }), engine: 'interpreter' }, () => {}).machine;
  return new Check(machine, shadow, cli.checkInterval);
}

/**
 * Names of addresses: from the files of `--symbols`, from the image, and in guests of the reference hypervisor, which gives its
 * guests GIDs in the order of the options.
 */
function namesOf(
  booted: Booted,
  files: SymbolFiles,
  control: () => RunControl | undefined,
): { readonly image: (world: number) => number; readonly symbolize: Symbolizer } {
  const image = (world: number): number => (world < 0 ? world : (control()?.vcpuStates.vms.get(world)?.gid ?? world));
  return {
    image,
    symbolize: (world, address) => files.name(world, address) ?? booted.symbolize(image(world), address),
  };
}

/** Registers that hold addresses of code. */
const CODE_REGISTERS = [CSR.EENTRY, CSR.TLBRENTRY, CSR.ERA];
const RA = 1;

/** The worlds of a machine, as far as they have run. */
function viewsOf({ machine, vcpuStates }: RunControl): WorldViews {
  const [first] = machine.cpus;
  return (world) => {
    const ctx = world < 0 ? hostContext(first!) : anyGuestContext(machine.cpus, first!, world, vcpuStates);
    if (!ctx) return undefined;
    return {
      read: (address, length) => readVirtual(machine, ctx, address, length),
      code: [ctx.pc(), ctx.gpr(RA), ...CODE_REGISTERS.map((num) => ctx.csr(num))],
    };
  };
}

/**
 * Starts a machine.
 * @param io what to do with console bytes; the default follows --serial
 * @param onDebugger called when a debugger has connected, before its first packet is handled
 */
export async function start(
  image: string | undefined,
  cli: MachineCli,
  io?: (bytes: Uint8Array) => void,
  onDebugger?: () => void,
): Promise<Running> {
  if (cli.recordImages && cli.record === undefined)
    throw new UsageError('--record-images without a recording: add --record FILE');
  if (cli.recordSnapshots !== undefined && cli.record === undefined)
    throw new UsageError('--record-snapshots without a recording: add --record FILE');
  if (cli.record === undefined) return startMachine(image, cli, io, onDebugger);
  const recorder = new (await import('./recording/recorder.ts')).Recorder(image, cli);
  const running = await startMachine(image, recorder.cli, io, onDebugger);
  return { ...running, done: running.done.finally(() => recorder.finish()) };
}

async function startMachine(
  image: string | undefined,
  cli: MachineCli,
  io?: (bytes: Uint8Array) => void,
  onDebugger: () => void = () => {},
): Promise<Running> {
  checkHistory(cli);
  if (!cli.quiet) for (const line of quirksOf(cli)) say(line);
  const serial: SerialLine = io ? { sink: io, close: () => {} } : await openSerial(cli.serial);
  const output = new ConsoleOutput(serial.sink, () => serial.reader?.writableNeedDrain === true);
  const controls = cli.controls ? await (await import('./control/serve.ts')).openControls(cli.controls) : undefined;
  let controlled: ControlledMachine | undefined;
  let control: RunControl | undefined;
  // During a replay the output of the machine is dropped, because it was printed before.
  const booted = boot(image, cli, (byte) => {
    control?.onConsole?.(byte);
    if (control?.repeating) return;
    output.put(byte);
  });
  const { machine } = booted;
  const recognition = new Recognition(cli.descriptor, booted.keptDescriptor);
  const symbolFiles = new SymbolFiles(cli.symbols ?? [], booted.keptSymbols, recognition);
  const { image: imageOf, symbolize } = namesOf(booted, symbolFiles, () => control);
  const symbols: ImageSymbols = {
    address: (name) => booted.symbols.address(name) ?? symbolFiles.address(name),
    names: () => [...booted.symbols.names(), ...symbolFiles.names()],
    descriptor: () => recognition.descriptor,
  };
  let reading: Promise<void> | undefined;
  /** Reads the symbols, and finds out which hypervisor it is. */
  const named = (): Promise<void> =>
    (reading ??= booted.named.then(() => {
      if (booted.imageBytes) recognition.offer(booted.symbols, booted.imageBytes, basename(booted.imageFile));
      for (const line of recognition.conclude(symbols)) say(`warning: ${line}`);
    }));
  if (machine.regions)
    machine.regions.onFailure = (reason) =>
      say(`warning: no more code can be translated (${reason}): the rest is interpreted, which is slower`);
  if (cli.dumpRegion !== undefined && (cli.engine === 'interpreter' || !machine.regions))
    throw new UsageError('--dump-region: --engine interpreter translates nothing: use auto or jit');
  if (cli.files !== undefined && !debuggable(cli))
    throw new UsageError('--files without a debugger that names any: add --gdb PORT');
  if (cli.threads) throw new UsageError('--threads is for run: leave it out');
  const check = await engineCheck(image, cli, machine);
  const logOutlet = openLog(cli.log?.file);
  const warnings: Promise<void>[] = [];
  const showsNames = debuggable(cli) || [cli.log, cli.stats, cli.detail, cli.audit, cli.observed].some(Boolean);
  const clientFiles = debuggable(cli) ? openClientFiles(cli.files ?? '.', sandboxed(cli)) : undefined;
  if (clientFiles) symbolFiles.read = (name) => clientFiles.read(name);
  const running = new RunControl(machine, {
    limits: {
      ...(cli.maxInstructions !== undefined && { maxInstructions: cli.maxInstructions }),
      ...(cli.timeout !== undefined && { timeoutSeconds: cli.timeout }),
    },
    // A state in a recording has what is known of VMs.
    observed: showsNames || cli.record !== undefined,
    history: cli.history,
    outside: booted.outside,
    check,
    mustWait: () => outputs.full(),
    keep: cli.keep,
    remembers: remembersPast(cli),
    loopsGoOn: cli.onLoop === 'report',
    onRunning: (on) => controlled?.changed(on),
    onLoop: (cpu, loop) => {
      if (cli.onEnd) return;
      const tell = async (): Promise<void> => {
        await named();
        const { explainLoop } = await import('../emu/debug/why/report.ts');
        await running.between(() => {
          say(`warning: ${loop.text}`);
          for (const line of finish(explainLoop(running, cpu, loop, symbolize))) process.stderr.write(`  ${line}\n`);
        });
      };
      warnings.push(tell());
    },
    snapshotStore:
      clientFiles &&
      snapshotStore(clientFiles, () => ({
        symbols: [...booted.packedSymbols(), ...symbolFiles.packed()],
        hypervisor: recognition.descriptor && JSON.stringify(recognition.descriptor),
      })),
  });
  control = running;
  symbolFiles.view = viewsOf(control);
  booted.restoreObservers(running.observers);
  control.symbolFiles = symbolFiles;
  const outputs = new Outputs(control, output, [logOutlet.reader, serial.reader]);
  // Reading symbols takes time. They are read now if they are certainly needed, otherwise while the machine runs.
  if (showsNames) void named();
  else setTimeout(() => void named(), NAMES_DELAY).unref();
  const dump =
    cli.dumpRegion !== undefined && machine.regions
      ? new (await import('./region-dump.ts')).RegionDump(machine, cli.dumpRegion, (text) => process.stderr.write(text))
      : undefined;
  if (machine.regions) machine.regions.observer = dump;
  control.contexts = new Awareness(control, symbols, symbolize);
  // An audit needs the name of the function that enters guests, from the first entry on.
  if (cli.audit) await named();
  // Modules that only some runs need are loaded when they are needed, so that the program starts fast.
  const audit = cli.audit
    ? new (await import('../hv/audit/worldswitch.ts')).WorldSwitchAudit(control, symbols, symbolize, (f) =>
        cli.onFinding ? cli.onFinding(f) : say(`audit: ${f.check}: ${f.text}`),
      )
    : undefined;
  if (audit) control.audit = () => audit.summary();
  const detail =
    cli.stats || cli.detail
      ? { exits: control.exits.begin(), first: new FirstEvents(machine.cpus, () => running.repeating) }
      : undefined;
  const log = startLog(cli, logOutlet, control, symbolize);
  if (cli.wait && !debuggable(cli) && !cli.controls)
    throw new UsageError('--wait without a debugger to wait for: add --gdb PORT');
  /** Keeps the machine stopped until the first debugger has connected. */
  const gate = { running: !cli.wait, stopped: () => {}, ended: () => {} };
  if (cli.wait) control.attach(gate);
  const servers: GdbServer[] = [];
  const ports: (number | string)[] = [];
  /** The address of the first port that other computers can reach. */
  let exposed: string | undefined;
  const open = async (view: View, address: Address, what: string): Promise<void> => {
    const { GdbServer, SocketPathError } = await import('../gdbstub/server.ts');
    const server = new GdbServer({
      control,
      view,
      address,
      symbolize,
      // A process that gdb lists without asking needs a program: gdb has no other way to its architecture.
      executable: (world, needed) =>
        booted.executable(imageOf(world)) ?? symbolFiles.program(world) ?? (needed ? UNKNOWN_PROGRAM : undefined),
      log,
      tell: (line) => say(`gdb: ${line}`),
      onConnect: onDebugger,
      // From now on the debugger holds the machine itself.
      onUse: () => control.detach(gate),
    });
    let bound: Bound;
    try {
      bound = await server.listen();
    } catch (error) {
      if (error instanceof SocketPathError) throw new UsageError(`cannot listen for gdb: ${error.message}`);
      throw new UsageError(`cannot listen for gdb (${(error as NodeJS.ErrnoException).code}): choose another address`);
    }
    ports.push(bound.at);
    if (!cli.quiet) say(`gdb: ${what} on ${describeAddress(address, bound.at)}`);
    if (bound.exposed && 'host' in address) exposed ??= address.host;
    servers.push(server);
  };
  await booted.cable?.plug(running);
  cli.prepare?.(running);
  try {
    if (cli.gdb) await open({ kind: 'machine' }, cli.gdb, 'the machine');
    if (cli.gdbHost) await open({ kind: 'host' }, cli.gdbHost, 'the host world');
    for (const port of cli.gdbGuest ?? [])
      await open({ kind: 'guest', vm: port.vm, vcpu: port.vcpu }, port.address, `VM ${port.vm}`);
  } catch (error) {
    // What is open would keep the program from its end.
    booted.cable?.unplug();
    throw error;
  }
  if (exposed !== undefined)
    say(
      `warning: ${exposed} is not loopback, and this port has no password: everybody who can reach it controls the machine, and can write files below --files`,
    );
  if (controls)
    controlled = controls.attach({
      control,
      identity: cli.identity ?? { name: undefined, uuid: undefined },
      debuggable: debuggable(cli),
      release: cli.wait ? () => running.detach(gate) : undefined,
    });
  await controls?.ready();
  await serial.ready?.();
  // Node ends a program that waits for nothing.
  const alive = cli.keep ? setInterval(() => {}, 2 ** 30) : undefined;
  const began = performance.now();
  const stopInput = io ? () => {} : connectInput(cli.serial, control, serial);
  const done = control.run().then(async (end) => {
    output.flush();
    await Promise.all(warnings);
    serial.close();
    controls?.close();
    clearInterval(alive);
    stopInput();
    booted.cable?.unplug();
    await Promise.all(servers.map((server) => server.close()));
    if (dump?.count === 0)
      say(
        `--dump-region: no code with 0x${dump.pc.toString(16)} was translated: it ran too seldom; --engine jit translates all`,
      );
    if (audit && !cli.onFinding) say(`audit: ${audit.summary()[0]}`);
    if (check && end.kind === 'poweroff') say(`check: interpreter and translator agree, ${check.count} comparisons`);
    if (cli.stats && detail) {
      const more = { exits: detail.exits, first: detail.first.list, symbolize };
      process.stderr.write(`${statistics(machine, (performance.now() - began) / 1000, more)}\n`);
    }
    logOutlet.close();
    cli.onEnd?.(end);
    const code = cli.onEnd ? EXIT.ok : exitCode(end, cli);
    outputs.close(endsNow(end) ? code : undefined);
    return code;
  });
  return { booted, control, symbolize, ports, check, detail, flush: () => output.flush(), done };
}

/** Begins to note what a machine executes that has not executed anything yet. @throws UsageError; then the machine has ended */
async function coverFrom(
  { CoverageFile }: typeof import('./coverage.ts'),
  { booted, control, done }: Running,
  cli: MachineCli,
): Promise<CoverageFile> {
  try {
    const coverage = new CoverageFile(cli.coverage!, booted, cli);
    coverage.coverage.watch(booted.machine);
    return coverage;
  } catch (error) {
    control.quit(true);
    await done;
    throw error;
  }
}

export async function run(image: string | undefined, cli: MachineCli): Promise<number> {
  if (cli.dumpDtb !== undefined) {
    dumpDeviceTree(image, cli, cli.dumpDtb);
    return EXIT.ok;
  }
  if (cli.threads) {
    if (cli.record !== undefined)
      throw new UsageError('--record: runs in real time do not repeat: leave --threads out');
    if (cli.explore) throw new UsageError('--explore: runs in real time do not repeat: leave --threads out');
    if (cli.coverage !== undefined) throw new UsageError('--coverage is for runs in one thread: leave --threads out');
    const { runThreads } = await import('./run-threads.ts');
    return runThreads(image, cli);
  }
  // Nothing may come between the start and the machine's first instruction.
  const covering = cli.coverage === undefined ? undefined : await import('./coverage.ts');
  const running = await start(image, cli);
  const { booted } = running;
  const coverage = covering && (await coverFrom(covering, running, cli));
  const done = coverage ? running.done.finally(() => coverage.finish()) : running.done;
  // The machine does not run before the next turn of the event loop.
  const { regions } = booted.machine;
  const file = typeof cli.codeCache === 'string' ? cli.codeCache : defaultCacheFile();
  const cache = regions && cli.codeCache !== false && !coverage ? new CodeCache(file) : undefined;
  enterSandbox(cli);
  if (!regions || !cache) return done;
  const pages = cache.read();
  regions.hotPages = pages;
  const known = pages.size;
  const code = await done;
  const failed = regions.translated > 0 || pages.size > known ? cache.write(pages) : undefined;
  // The default folder may not be writable. A folder that the user names must be.
  if (failed && typeof cli.codeCache === 'string')
    say(`warning: --code-cache ${file} could not be written (${failed})`);
  return code;
}
