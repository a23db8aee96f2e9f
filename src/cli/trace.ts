/** `loongscope trace`: writes down the VM exits, exceptions and world switches of a machine, or of a recorded run. */
import { openSync } from 'node:fs';
import type { Cpu } from '../emu/cpu/cpu.ts';
import { injects } from '../emu/debug/catches.ts';
import { describeStatistics } from '../emu/debug/exit-statistics.ts';
import { describeFirst } from '../emu/debug/first-events.ts';
import { describeTlbChange } from '../emu/debug/tlb-change.ts';
import { hex } from '../emu/formats/hex.ts';
import { say } from './ending.ts';
import { UsageError } from './errors.ts';
import { GrowingFile, MOST } from './growing-file.ts';
import type { MachineCli, TraceDetail, TraceFormat } from './options.ts';
import { quirksOf } from './quirks.ts';
import { isRecording, readRecording, recordingUpTo } from './recording/file.ts';
import { type Running, start } from './run.ts';
import { enterSandbox } from './sandbox.ts';
import { type TraceWriter, traceWriter } from './trace-format.ts';
import { checkWindow, goThrough } from './trace-functions.ts';
import { unwritable } from './unwritable.ts';

export interface TraceCli extends Omit<MachineCli, 'detail'> {
  /** What it has besides exits, exceptions and entries. */
  readonly detail?: ReadonlySet<TraceDetail>;
  readonly format: TraceFormat;
  readonly output?: string;
  /** Of a recorded run: the instructions of the machine where the trace begins and ends. */
  readonly from?: number;
  readonly to?: number;
}

const SUFFIX: Readonly<Record<TraceFormat, string>> = { text: 'txt', jsonl: 'jsonl', chrome: 'json', html: 'html' };
/** Text is written in pieces of about this many characters. */
const PIECE = 1 << 16;
/** Bytes that are kept for the text behind all events, so that a file that has reached its limit is whole. */
const TAIL = 1 << 16;

/** A file that is written in pieces, up to a limit. */
export class TraceOutput {
  private readonly file: GrowingFile;
  private readonly path: string;
  private text = '';
  private left: number;
  /** Events that are in the file. */
  events = 0;

  /** @throws UsageError when it cannot be opened */
  constructor(path: string, most = MOST) {
    this.path = path;
    this.left = most - TAIL;
    try {
      this.file = new GrowingFile(openSync(path, 'w'), `--output: ${path}`, most);
    } catch (error) {
      throw unwritable(`--output: cannot write ${path}`, error);
    }
  }

  /** An event. When the file is full, the user is told once, and the events from there on are left out. */
  event(text: string): void {
    if (this.left < 0) return;
    this.left -= Buffer.byteLength(text);
    if (this.left < 0) {
      say(`warning: --output: ${this.path} is full: what comes from now on is not in it`);
      return;
    }
    this.events++;
    this.put(text);
  }

  /** Text before or behind the events. */
  put(text: string): void {
    this.text += text;
    if (this.text.length >= PIECE) this.flush();
  }

  private flush(): void {
    this.file.write(Buffer.from(this.text));
    this.text = '';
  }

  close(): void {
    this.flush();
    this.file.close();
  }
}

/** A trace that is being written. */
interface Recorded {
  readonly writer: TraceWriter;
  /** The machine has ended. */
  readonly finish: () => void;
}

/** Writes down what a machine does until it has ended. */
function record(
  running: Running,
  { format, from = 0, detail, notes }: TraceCli & { readonly notes: readonly string[] },
  output: TraceOutput,
): Recorded {
  const { control, booted } = running;
  const { machine } = booted;
  const early = (): boolean => control.position() < from;
  const writer = traceWriter(format, running.symbolize);
  const left = new Map<Cpu, number>();
  output.put(writer.begin());
  for (const text of notes) output.put(writer.note(text));
  for (const cpu of booted.machine.cpus)
    cpu.observe({
      exception: (c) => {
        if (control.repeating) return;
        const r = c.events.at(0)!;
        if (r.kind === 'exit') left.set(c, r.time);
        if (!early()) output.event(writer.event(c, r, undefined));
      },
      entered: (c) => {
        if (control.repeating) return;
        const since = left.get(c);
        left.delete(c);
        if (!early()) output.event(writer.event(c, c.events.at(0)!, since === undefined ? undefined : c.now - since));
      },
      csrWrite: (c, w) => {
        const lines = control.repeating || early() ? 0 : injects(c, w);
        if (lines) output.event(writer.inject(c, 31 - Math.clz32(lines), c.pc));
        return false;
      },
    });
  const mark = (cpu: Cpu, kind: TraceDetail, text: () => string): void => {
    if (!control.repeating && !early()) output.event(writer.mark(cpu, kind, text()));
  };
  if (detail?.has('tlb'))
    for (const cpu of machine.cpus)
      cpu.observe({ tlbChanged: (c, change) => mark(c, 'tlb', () => describeTlbChange(c, change)) });
  if (detail?.has('device'))
    machine.bus.listener = (device, offset, size, write, lo, hi) => {
      const cpu = machine.running;
      const value = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
      if (cpu)
        mark(
          cpu,
          'device',
          () => `${device.name}+${hex(offset)} ${write ? '<-' : '->'} ${hex(BigInt.asUintN(8 * size, value))}`,
        );
    };
  const finish = (): void => {
    output.put(writer.end(machine.cpus));
    output.close();
  };
  return { writer, finish };
}

/** The machine to trace: that of a recording where one is given in the place of an image. @throws UsageError */
async function machineOf(
  image: string | undefined,
  cli: TraceCli,
): Promise<{ image: string | undefined; cli: MachineCli }> {
  if (image === undefined || !isRecording(image)) {
    if (cli.from !== undefined || cli.to !== undefined)
      throw new UsageError('--from and --to are for a recorded run: give a file of run --record');
    if (cli.detail?.has('functions'))
      throw new UsageError('--detail functions is for a recorded run: give a file of run --record');
    const { detail: _, ...own } = cli;
    return { image, cli: own };
  }
  const { replayed } = await import('./recording/replay.ts');
  const { engine, symbols, descriptor, log, stats, sandbox, audit } = cli;
  const recording = readRecording(image);
  if (cli.detail?.has('functions')) checkWindow(cli.from ?? 0, cli.to ?? recording.end);
  return replayed(cli.to === undefined ? recording : recordingUpTo(recording, cli.to), {
    ...(!stats && !audit && !log && { from: cli.from }),
    ...(engine && { engine }),
    ...(symbols && { symbols }),
    ...(descriptor && { descriptor }),
    ...(log && { log }),
    ...(audit && { audit }),
    ...(stats && { stats }),
    ...(sandbox === false && { sandbox }),
  });
}

export async function trace(image: string | undefined, cli: TraceCli): Promise<number> {
  const path = cli.output ?? `trace.${SUFFIX[cli.format]}`;
  const machine = await machineOf(image, cli);
  const output = new TraceOutput(path);
  const running = await start(machine.image, { ...machine.cli, detail: true });
  enterSandbox(machine.cli);
  const { control } = running;
  const functions = cli.detail?.has('functions') === true;
  const gate = { running: false, stopped: () => {}, ended: () => {} };
  if (functions) control.attach(gate);
  await running.booted.named;
  const { writer, finish } = record(running, { ...cli, notes: quirksOf(machine.cli) }, output);
  if (functions) {
    await goThrough(control, cli.from ?? 0, running.symbolize, (...stay) => output.event(writer.ran(...stay)));
    control.detach(gate);
  }
  const code = await running.done;
  finish();
  const { symbolize } = running;
  const print = (line: string): void => void process.stderr.write(`${line}\n`);
  for (const e of running.detail!.first.list) print(describeFirst(e, symbolize));
  for (const line of describeStatistics(running.detail!.exits, symbolize)) print(line);
  say(`trace: ${output.events} events in ${path}`);
  return code;
}
