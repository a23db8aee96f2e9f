/** `loongscope demo`: the guided tour with a real gdb. Prints gdb's transcript and checks each step. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { execa } from 'execa';
import { EXIT } from './errors.ts';
import { findGdb } from './find-gdb.ts';
import { guestPath, HYPERVISOR, PROGRAM, PROJECT_ROOT } from './paths.ts';
import { sandboxFlags } from './sandbox.ts';
import { Screen } from './screen.ts';
import { TOURS, type Tour, type TourStep } from './tour.ts';

const GDB_TIMEOUT = 120_000;
const MARK = '@@step';

const inBold = process.stdout.isTTY && !process.env.NO_COLOR;
const bold = (text: string): string => (inBold ? `\x1b[1m${text}\x1b[0m` : text);
const print = (text = ''): void => void process.stdout.write(`${text}\n`);

/** A batch script that shows each command as if typed, with a mark before every step. */
function batchScript(tour: Tour, socket: string): string {
  const lines = [
    'set pagination off',
    'set confirm off',
    'set width 0',
    'set height 0',
    'set style enabled off',
    `file ${relative(PROJECT_ROOT, HYPERVISOR)}`,
    `target extended-remote ${socket}`,
    `add-symbol-file ${relative(PROJECT_ROOT, guestPath(tour.guests[0]!.split(',')[0]!))}`,
  ];
  tour.steps.forEach((step, n) => {
    lines.push(`echo ${MARK} ${n}\\n`);
    for (const command of step.commands)
      lines.push(`echo (gdb) ${command.replace(/[\\$]/g, (c) => `\\${c}`)}\\n`, command);
  });
  return `${lines.join('\n')}\n`;
}

/** The output of gdb by step; element 0 is the output before the first step. */
function splitSteps(transcript: string, steps: number): string[] {
  const parts = transcript.split(new RegExp(`^${MARK} \\d+\\n`, 'm'));
  while (parts.length < steps + 1) parts.push('');
  return parts;
}

/** Expectations that the text does not meet. */
const missing = (expect: readonly RegExp[], text: string): RegExp[] =>
  expect.filter((e) => !new RegExp(e.source, `${e.flags}m`).test(text));

function showStep(number: string, step: TourStep, text: string): boolean {
  print(bold(`${number} ${step.title}`));
  print(`    ${step.text}`);
  print();
  for (const line of text.trimEnd().split('\n')) print(`    ${line}`);
  print();
  const wrong = missing(step.expect, text);
  for (const e of wrong) print(`    NOT SEEN: ${e}`);
  return wrong.length === 0;
}

/** The result of one tour. */
export interface TourResult {
  /** Whether every step was seen as expected. */
  readonly ok: boolean;
  readonly transcript: string;
  /** What gdb showed in each step. */
  readonly steps: readonly string[];
  /** The lines on the guest's screen at the end. */
  readonly screen: readonly string[];
}

/**
 * Starts the machine of a tour in another process, which is in the sandbox. This process starts gdb.
 * @returns a function that ends it
 * @throws Error when it does not start
 */
async function startMachine(tour: Tour, socket: string, screen: Screen): Promise<() => Promise<void>> {
  const limits = ['--smp', `${tour.cpus}`, '--timeout', `${GDB_TIMEOUT / 1000}`];
  const options = ['--gdb', `unix:${socket}`, '--wait', '--no-code-cache', ...limits];
  const child = execa(
    process.execPath,
    [...sandboxFlags(), PROGRAM, 'run', ...options, ...tour.guests.flatMap((guest) => ['--guest', guest])],
    { reject: false, stdin: 'ignore', buffer: false },
  );
  child.stdout.on('data', (bytes: Buffer) => screen.write(bytes));
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      if (/gdb: .*\n/.test(said)) resolve();
    });
    void child.then(() => reject(new Error(`the machine of the tour does not start: ${said.trim()}`)));
  });
  return async () => {
    child.kill('SIGINT');
    await child;
  };
}

/** Runs one tour. `show`: print it while checking. */
export async function runTour(tour: Tour, gdb: string, number: number, show: boolean): Promise<TourResult> {
  const screen = new Screen();
  const folder = mkdtempSync(join(tmpdir(), 'loongscope-demo-'));
  let quit = async (): Promise<void> => {};
  try {
    const [script, socket] = [join(folder, 'tour.gdb'), join(folder, 'gdb')];
    writeFileSync(script, batchScript(tour, socket));
    quit = await startMachine(tour, socket, screen);
    // One pipe for stdout and stderr: gdb prints the output of the target on stderr, and with two pipes their order would be lost.
    const { stdout: all } = await execa('sh', ['-c', 'exec "$0" "$@" 2>&1', gdb, '-nx', '-q', '-batch', '-x', script], {
      cwd: PROJECT_ROOT,
      reject: false,
      timeout: GDB_TIMEOUT,
      stdin: 'ignore',
    });
    await quit();
    const transcript = all ?? '';
    const parts = splitSteps(`${transcript}\n`, tour.steps.length);
    const lines = await screen.lines();
    const text = lines.join('\n');
    const screenMissing = missing(tour.screen, text);
    let ok = screenMissing.length === 0;
    // A warning at the connection means that gdb did not accept the target description.
    const warning = /warning:.*|.*rejected.*/i.exec(transcript);
    if (warning) ok = false;
    tour.steps.forEach((step, n) => {
      const part = parts[n + 1]!;
      ok = (show ? showStep(`${number}.${n + 1}`, step, part) : missing(step.expect, part).length === 0) && ok;
    });
    if (show) {
      print(bold('The guest’s screen'));
      for (const line of lines) print(`    ${line}`);
      for (const e of screenMissing) print(`    NOT SEEN: ${e}`);
      if (warning) print(`    gdb warned: ${warning[0]}`);
      print();
    }
    return { ok, transcript, steps: parts.slice(1), screen: lines };
  } finally {
    await quit();
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function demo(): Promise<number> {
  const began = performance.now();
  const gdb = await findGdb();
  const { stdout: version } = await execa(gdb, ['--version']);
  print(bold('loongscope: the guided tour'));
  print(
    `    ${version.split('\n')[0]} drives the reference hypervisor and its guests; what follows is its real output.`,
  );
  print();
  let ok = true;
  for (const [n, tour] of TOURS.entries()) {
    print(bold(`${n + 1} ${tour.title}`));
    print();
    ok = (await runTour(tour, gdb, n + 1, true)).ok && ok;
  }
  const steps = TOURS.reduce((sum, t) => sum + t.steps.length, 0);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  print(
    ok
      ? `All ${steps} steps were seen, in ${seconds} s.`
      : 'Some step did not show what it should: see NOT SEEN above.',
  );
  return ok ? EXIT.ok : EXIT.died;
}
