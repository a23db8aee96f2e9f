/**
 * `loongscope test`: runs programs for the bare machine, each in a process of its own, and says which have passed (docs/ci.md). A process
 * has its own sandbox and time limit, and one that crashes does not take the others along.
 */
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { say } from '../ending.ts';
import { EXIT, UsageError } from '../errors.ts';
import { makeFolder } from '../make-folder.ts';
import { PROGRAM } from '../paths.ts';
import { sandboxFlags } from '../sandbox.ts';
import { unwritable } from '../unwritable.ts';
import { json, junit, type Outcome, tapLines } from './report.ts';
import { problemOf, type Wanted } from './verdict.ts';

export interface TestCli {
  readonly expect?: string[];
  readonly forbid?: string[];
  /** Seconds that a program may take. */
  readonly timeout: number;
  /** Programs at a time. */
  readonly jobs: number;
  readonly junit?: string;
  readonly json?: boolean;
  /** Folder for recordings of what has failed. */
  readonly keep?: string;
}

/** Most bytes of a console that are kept: a program in a loop prints without end. */
const MOST_OUTPUT = 16 * 2 ** 20;
/** Seconds that a process gets beside the time limit of its machine: it starts, and says why it ended. */
const GRACE = 30;

/** Two images of the same name have recordings of different names. */
const recordingOf = (folder: string, image: string, number: number): string =>
  join(folder, `${number}-${basename(image).replace(/\.\w+$/, '')}.recording`);

/** Runs one program, and judges it. */
async function runOne(image: string, number: number, options: readonly string[], cli: TestCli): Promise<Outcome> {
  const recording = cli.keep === undefined ? undefined : recordingOf(cli.keep, image, number);
  const began = performance.now();
  const { stdout, stderr, exitCode, isMaxBuffer, timedOut } = await execa(
    process.execPath,
    [
      ...sandboxFlags(),
      ...[PROGRAM, 'run', image, '--timeout', `${cli.timeout}`, '--no-reboot'],
      ...(recording === undefined ? [] : ['--record', recording, '--record-images']),
      ...options,
    ],
    {
      reject: false,
      stdin: 'ignore',
      stripFinalNewline: false,
      maxBuffer: MOST_OUTPUT,
      timeout: (cli.timeout + GRACE) * 1000,
      forceKillAfterDelay: 1000,
    },
  );
  const wanted: Wanted = { expect: cli.expect ?? [], forbid: cli.forbid ?? [] };
  const problem = isMaxBuffer
    ? `it printed more than ${MOST_OUTPUT >> 20} MiB`
    : timedOut
      ? `the emulator did not end within ${cli.timeout + GRACE} seconds`
      : problemOf({ code: exitCode, console: stdout, said: stderr }, wanted);
  if (problem === undefined && recording !== undefined) rmSync(recording, { force: true });
  const kept =
    problem !== undefined && recording !== undefined && statSync(recording, { throwIfNoEntry: false })
      ? recording
      : undefined;
  const seconds = (performance.now() - began) / 1000;
  return { image, problem, seconds, console: stdout, said: stderr, recording: kept };
}

function writeReport(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw unwritable(`--junit: cannot write ${file}`, error);
  }
}

/** @throws UsageError for what can be seen before anything runs */
function check(images: readonly string[], cli: TestCli): void {
  for (const image of images)
    if (!statSync(image, { throwIfNoEntry: false })?.isFile())
      throw new UsageError(`test: ${image} is not a file: give ELF programs, and options of run after --`);
  if (cli.junit !== undefined) writeReport(cli.junit, '');
  if (cli.keep === undefined) return;
  try {
    makeFolder(cli.keep);
  } catch (error) {
    throw unwritable(`--keep: cannot make ${cli.keep}`, error, 'choose another folder');
  }
}

/**
 * Runs the programs and prints the results, in their order.
 * @param options options of `run` for each of them
 * @returns the exit code: 1 when one has failed
 */
export async function test(images: readonly string[], options: readonly string[], cli: TestCli): Promise<number> {
  check(images, cli);
  const outcomes: Promise<Outcome>[] = [];
  let next = 0;
  const give: ((outcome: Outcome) => void)[] = [];
  for (const [n] of images.entries()) outcomes.push(new Promise((resolve) => (give[n] = resolve)));
  const worker = async (): Promise<void> => {
    while (next < images.length) {
      const n = next++;
      give[n]!(await runOne(images[n]!, n + 1, options, cli));
    }
  };
  const workers = Promise.all(Array.from({ length: Math.min(cli.jobs, images.length) }, worker));
  if (!cli.json) process.stdout.write(`TAP version 13\n1..${images.length}\n`);
  const done: Outcome[] = [];
  for (const outcome of outcomes) {
    done.push(await Promise.race([outcome, workers.then(() => outcome)]));
    if (!cli.json) process.stdout.write(`${tapLines(done.at(-1)!, done.length).join('\n')}\n`);
  }
  if (cli.json) process.stdout.write(json(done));
  if (cli.junit !== undefined) writeReport(cli.junit, junit(done));
  const failed = done.filter((outcome) => outcome.problem !== undefined).length;
  say(failed === 0 ? `all ${done.length} passed` : `${failed} of ${done.length} failed`);
  return failed === 0 ? EXIT.ok : EXIT.died;
}
