/** `loongscope demo`: the guided tour with a real gdb, or a short one without. Prints what is seen, and checks each step. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { execa } from 'execa';
import { addressOption, type DebugFolder, openDebugFolder } from './debug-folder.ts';
import { EXIT } from './errors.ts';
import { goodGdb, OLDEST_GDB } from './find-gdb.ts';
import { gdbSourceLines } from './gdb-sources.ts';
import { guestPath, HYPERVISOR, PROGRAM, PROJECT_ROOT } from './paths.ts';
import { sandboxFlags } from './sandbox.ts';
import { Screen } from './screen.ts';
import { runShortTour } from './short-demo.ts';
import { SHORT_TOUR, SHORT_TOUR_SCREEN } from './short-tour.ts';
import { TOURS, type Tour, type TourStep } from './tour.ts';

const GDB_TIMEOUT = 120_000;
const MARK = '@@step';

const inBold = process.stdout.isTTY && !process.env.NO_COLOR;
const bold = (text: string): string => (inBold ? `\x1b[1m${text}\x1b[0m` : text);
const print = (text = ''): void => void process.stdout.write(`${text}\n`);

/** A file of the project as gdb's commands have it: in them a backslash is no separator. */
const inProject = (file: string): string => relative(PROJECT_ROOT, file).replaceAll(sep, '/');

/** A batch script that shows each command as if typed, with a mark before every step. @param target where the machine is */
function batchScript(tour: Tour, target: string): string {
  const lines = [
    'set pagination off',
    'set confirm off',
    'set width 0',
    'set height 0',
    'set style enabled off',
    `file ${inProject(HYPERVISOR)}`,
    `target extended-remote ${target}`,
    `add-symbol-file ${inProject(guestPath(tour.guests[0]!.split(',')[0]!))}`,
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

function showStep(number: string, step: Pick<TourStep, 'title' | 'text' | 'expect'>, text: string): boolean {
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

/** Where the machine says that it listens. */
const LISTENS = /gdb: the machine on (?:unix:)?(.*)\n/;

/**
 * Starts the machine of a tour in another process, which is in the sandbox. This process starts gdb.
 * @returns where gdb connects, and a function that ends the machine
 * @throws Error when it does not start
 */
async function startMachine(
  tour: Tour,
  folder: DebugFolder,
  screen: Screen,
): Promise<{ target: string; quit: () => Promise<void> }> {
  const limits = ['--smp', `${tour.cpus}`, '--timeout', `${GDB_TIMEOUT / 1000}`];
  const options = ['--gdb', addressOption(folder.address), '--wait', '--no-code-cache', ...limits];
  const child = execa(
    process.execPath,
    [...sandboxFlags(), PROGRAM, 'run', ...options, ...tour.guests.flatMap((guest) => ['--guest', guest])],
    { reject: false, stdin: 'ignore', buffer: false },
  );
  child.stdout.on('data', (bytes: Buffer) => screen.write(bytes));
  let said = '';
  const target = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      const listens = LISTENS.exec(said);
      if (listens) resolve(listens[1]!);
    });
    void child.then(() => reject(new Error(`the machine of the tour does not start: ${said.trim()}`)));
  });
  return {
    target,
    quit: async () => {
      child.kill('SIGINT');
      await child;
    },
  };
}

/** Runs gdb. Its stdout and stderr go into one file: it prints the output of the target on stderr, and in two their order would be lost. */
async function gdbSays(gdb: string, script: string, transcript: string): Promise<string> {
  const file = openSync(transcript, 'w');
  try {
    const arguments_ = ['-nx', '-q', '-batch', '-x', script];
    const child = spawn(gdb, arguments_, { cwd: PROJECT_ROOT, timeout: GDB_TIMEOUT, stdio: ['ignore', file, file] });
    await once(child, 'close');
  } finally {
    closeSync(file);
  }
  return readFileSync(transcript, 'utf8').replaceAll('\r\n', '\n');
}

/** Runs one tour. `show`: print it while checking. */
export async function runTour(tour: Tour, gdb: string, number: number, show: boolean): Promise<TourResult> {
  const screen = new Screen();
  const folder = openDebugFolder();
  let quit = async (): Promise<void> => {};
  try {
    const script = join(folder.path, 'tour.gdb');
    const machine = await startMachine(tour, folder, screen);
    quit = machine.quit;
    writeFileSync(script, batchScript(tour, machine.target));
    const transcript = await gdbSays(gdb, script, join(folder.path, 'transcript'));
    await quit();
    const parts = splitSteps(`${transcript}\n`, tour.steps.length);
    const lines = await screen.lines();
    const screenMissing = missing(tour.screen, lines.join('\n'));
    let ok = screenMissing.length === 0;
    // A warning at the connection means that gdb did not accept the target description.
    const warning = /warning:.*|.*rejected.*/i.exec(transcript);
    if (warning) ok = false;
    tour.steps.forEach((step, n) => {
      const part = parts[n + 1]!;
      ok = (show ? showStep(`${number}.${n + 1}`, step, part) : missing(step.expect, part).length === 0) && ok;
    });
    if (show) {
      showScreen(lines, screenMissing);
      if (warning) print(`    gdb warned: ${warning[0]}`);
      print();
    }
    return { ok, transcript, steps: parts.slice(1), screen: lines };
  } finally {
    await quit();
    folder.remove();
  }
}

function showScreen(lines: readonly string[], notSeen: readonly RegExp[]): void {
  print(bold('The guest’s screen'));
  for (const line of lines) print(`    ${line}`);
  for (const e of notSeen) print(`    NOT SEEN: ${e}`);
}

/** The tour with a gdb. @returns how many steps it has, and whether all were seen */
async function wholeTour(gdb: string): Promise<{ steps: number; ok: boolean }> {
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
  return { steps: TOURS.reduce((sum, t) => sum + t.steps.length, 0), ok };
}

/** The tour without a gdb. */
async function shortTour(): Promise<{ steps: number; ok: boolean }> {
  print(bold('loongscope: a short tour'));
  print(
    `    There is no gdb ${OLDEST_GDB} or newer with LoongArch here, so the program sends the packets itself that gdb would`,
  );
  print('    send to the machine. Left is what one would type in gdb, right its packet, and how the answer begins.');
  print();
  let ok = true;
  let number = 0;
  const screen = await runShortTour((step, lines) => {
    ok = showStep(`${++number}`, step, lines.join('\n')) && ok;
  });
  const screenMissing = missing(SHORT_TOUR_SCREEN, screen.join('\n'));
  showScreen(screen, screenMissing);
  print();
  print(bold('The whole tour needs a gdb'));
  for (const line of gdbSourceLines()) print(`    ${line}`);
  print();
  return { steps: SHORT_TOUR.length, ok: ok && screenMissing.length === 0 };
}

export async function demo(): Promise<number> {
  const began = performance.now();
  const gdb = await goodGdb();
  const { steps, ok } = gdb === undefined ? await shortTour() : await wholeTour(gdb);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  print(
    ok
      ? `All ${steps} steps were seen, in ${seconds} s.`
      : 'Some step did not show what it should: see NOT SEEN above.',
  );
  return ok ? EXIT.ok : EXIT.died;
}
