/** `loongscope trace`: runs a machine and records its VM exits, exceptions and world switches. */
import { openSync } from 'node:fs';
import type { Cpu } from '../emu/cpu/cpu.ts';
import { injects } from '../emu/debug/catches.ts';
import { describeStatistics } from '../emu/debug/exit-statistics.ts';
import { describeFirst } from '../emu/debug/first-events.ts';
import { UsageError } from './errors.ts';
import { GrowingFile } from './growing-file.ts';
import type { MachineCli, TraceFormat } from './options.ts';
import { type Running, start } from './run.ts';
import { enterSandbox } from './sandbox.ts';
import { traceWriter } from './trace-format.ts';

export interface TraceCli extends MachineCli {
  readonly format: TraceFormat;
  readonly output?: string;
}

const SUFFIX: Readonly<Record<TraceFormat, string>> = { text: 'txt', jsonl: 'jsonl', chrome: 'json' };
/** Text is written in pieces of about this many characters. */
const PIECE = 1 << 16;

/** A file that is written in pieces. @throws UsageError when it cannot be opened */
class Output {
  private readonly file: GrowingFile;
  private text = '';
  lines = 0;

  constructor(path: string) {
    try {
      this.file = new GrowingFile(openSync(path, 'w'), `--output: ${path}`);
    } catch (error) {
      throw new UsageError(`--output: cannot write ${path} (${(error as NodeJS.ErrnoException).code}): check the path`);
    }
  }

  put(text: string): void {
    this.text += text;
    this.lines++;
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

/** Records a machine until it has ended. */
function record(running: Running, format: TraceFormat, output: Output): () => void {
  const { control, booted } = running;
  const writer = traceWriter(format, running.symbolize);
  const left = new Map<Cpu, number>();
  output.put(writer.begin());
  for (const cpu of booted.machine.cpus)
    cpu.observe({
      exception: (c) => {
        if (control.repeating) return;
        const r = c.events.at(0)!;
        if (r.kind === 'exit') left.set(c, r.time);
        output.put(writer.event(c, r, undefined));
      },
      entered: (c) => {
        if (control.repeating) return;
        const since = left.get(c);
        left.delete(c);
        output.put(writer.event(c, c.events.at(0)!, since === undefined ? undefined : c.now - since));
      },
      csrWrite: (c, w) => {
        const lines = control.repeating ? 0 : injects(c, w);
        if (lines) output.put(writer.inject(c, 31 - Math.clz32(lines), c.pc));
        return false;
      },
    });
  return () => {
    output.put(writer.end(booted.machine.cpus));
    output.close();
  };
}

export async function trace(image: string | undefined, cli: TraceCli): Promise<number> {
  const path = cli.output ?? `trace.${SUFFIX[cli.format]}`;
  const output = new Output(path);
  const running = await start(image, { ...cli, detail: true });
  enterSandbox(cli);
  await running.booted.named;
  const finish = record(running, cli.format, output);
  const code = await running.done;
  finish();
  const { symbolize } = running;
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  for (const e of running.detail!.first.list) say(describeFirst(e, symbolize));
  for (const line of describeStatistics(running.detail!.exits, symbolize)) say(line);
  say(`loongscope: trace: ${output.lines - 2} events in ${path}`);
  return code;
}
