/** `loongscope explore`: runs an image many times, each time perturbed in another way. */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { boot, bootImages } from '../boot.ts';
import { say } from '../ending.ts';
import { EXIT, UsageError } from '../errors.ts';
import { makeFolder } from '../make-folder.ts';
import type { MachineCli } from '../options.ts';
import { sandboxed } from '../sandbox.ts';
import { COMPUTER } from '../surroundings.ts';
import { unwritable } from '../unwritable.ts';
import { Campaign, type Progress } from './campaign.ts';
import { campaignEnd } from './campaign-end.ts';
import { type GdbProperty, isGdbProperty, openGdbProperty } from './gdb-property.ts';
import { type ExploreData, Pool, type Runs } from './pool.ts';
import { readPredicate } from './predicate.ts';
import type { Properties } from './properties.ts';
import type { QueueAddress } from './queue/address.ts';
import { htmlOf, jsonOf, type Report, textLines } from './report.ts';
import { parseDials } from './spec.ts';
import { startAfter } from './start-after.ts';

const TICKS_PER_MS = 100_000;

/** Who does the runs. */
export interface RunsCli {
  readonly jobs?: number;
  /** Where runs go, instead of to threads here. */
  readonly queue?: QueueAddress;
  /** After so many minutes no more runs begin. */
  readonly minutes?: number;
}

export interface ExploreCli extends MachineCli, RunsCli {
  readonly runs: number;
  readonly dials?: string;
  readonly expect?: string[];
  readonly forbid?: string[];
  readonly invariant?: string[];
  /** A file with a function. */
  readonly property?: string;
  /** Milliseconds of virtual time. */
  readonly deadline?: number;
  /** Runs at most to reduce a class. */
  readonly tries: number;
  readonly stopAtFirst?: boolean;
  readonly output: string;
  /** A snapshot to begin with. */
  readonly from?: string;
  /** The text after which runs begin to differ. */
  readonly after?: string;
}

/** What changes outside the machine while it runs, or has a debugger, cannot be run many times. */
const REFUSED = {
  drive: 'disks change from run to run: leave --drive out',
  share: 'folders change from run to run: leave --share out',
  net: 'a network is another one in each run: leave --net out',
  gdb: 'a debugger changes what happens: leave --gdb out, and debug the recording of a class',
  gdbGuest: 'a debugger changes what happens: leave --gdb-guest out, and debug the recording of a class',
  gdbHost: 'a debugger changes what happens: leave --gdb-host out, and debug the recording of a class',
  record: 'each class is recorded by itself: leave --record out',
  explore: 'the seeds are chosen: use --first-seed, and --dials for the dials',
  threads: 'runs in real time do not repeat: leave --threads out',
} as const satisfies Partial<Record<keyof MachineCli, string>>;

/** @param command what is told with it @throws UsageError for a machine that cannot be run many times */
export function checkRepeatable(cli: MachineCli, command: string): void {
  for (const [name, why] of Object.entries(REFUSED))
    if (cli[name as keyof typeof REFUSED] !== undefined) throw new UsageError(`${command}: ${why}`);
  if (cli.clock === 'host') throw new UsageError(`${command}: runs in real time do not repeat: use --clock virtual`);
  if (cli.engine === 'check')
    throw new UsageError(`${command}: --engine check compares two machines: choose another engine`);
}

/** @throws UsageError */
function check(cli: ExploreCli): void {
  checkRepeatable(cli, 'explore');
  if (cli.from !== undefined && cli.after !== undefined)
    throw new UsageError('explore: --from and --after both say where runs begin: leave one of them out');
  if (cli.from !== undefined && cli.snapshot !== undefined)
    throw new UsageError('explore: --from and --snapshot are the same: leave one of them out');
  if (cli.queue && cli.property !== undefined && isGdbProperty(cli.property))
    throw new UsageError(
      'explore: --property with gdb is for runs on this machine: leave --queue out, or write it in TypeScript',
    );
  for (const text of cli.expect ?? [])
    if (cli.forbid?.some((f) => text.includes(f)))
      throw new UsageError(`explore: '${text}' is both expected and forbidden: leave one of them out`);
}

/** Reads what the machine boots. @throws UsageError */
function filesOf(image: string | undefined, cli: MachineCli): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const surroundings = {
    ...COMPUTER,
    read: (path: string) => {
      const content = COMPUTER.read(path);
      files.set(path, content);
      return content;
    },
  };
  if (cli.snapshot !== undefined) surroundings.read(cli.snapshot);
  else bootImages(image, { ...cli, surroundings });
  return files;
}

/** Where there is no terminal, a line comes after so many milliseconds, which says how many runs are done. */
const TELL_MS = 60_000;

/** A line that is written over, on a terminal. */
function progressLine(runs: number): Progress & { readonly clear: () => void } {
  const began = performance.now();
  const live = process.stderr.isTTY;
  const clear = (): void => void (live && process.stderr.write('\r\x1b[K'));
  let told = began;
  const put = (text: string): void => {
    if (live) process.stderr.write(`\r\x1b[K${text}`);
    else if (performance.now() - told >= TELL_MS) {
      told = performance.now();
      say(text);
    }
  };
  return {
    clear,
    ran: (done, classes, pairs) => {
      const rate = (done / (performance.now() - began)) * 1000;
      put(`${done} of ${runs} runs, ${rate.toFixed(1)} a second, ${pairs} pairs, ${classes} classes of failures`);
    },
    found: (failure, seed) => {
      clear();
      say(`run ${failure.after}, seed ${seed}: ${failure.finding.kind}: ${failure.finding.text}`);
    },
    reducing: ({ finding }, left) => {
      if (Number.isFinite(left)) put(`reducing '${finding.text.slice(0, 40)}': ${left} decisions`);
    },
  };
}

/** @param firstSeed the seed to begin with @returns the exit code: 1 when a run has failed */
export async function explore(image: string | undefined, cli: ExploreCli & { firstSeed: number }): Promise<number> {
  check(cli);
  const dials = parseDials(cli.dials?.split(',') ?? [], '--dials');
  const folder = resolve(cli.output);
  try {
    makeFolder(folder);
  } catch (error) {
    throw unwritable(`--output: cannot make ${cli.output}`, error);
  }
  const property = cli.property === undefined ? undefined : new TextDecoder().decode(COMPUTER.read(cli.property));
  const byGdb = cli.property !== undefined && isGdbProperty(cli.property);
  const predicate = property === undefined || byGdb ? undefined : await readPredicate(property);
  const inside = sandboxed(cli);
  const began = performance.now();
  let start: { readonly image: string | undefined; readonly cli: MachineCli } = { image, cli: machineCli(cli) };
  if (cli.after !== undefined) start = await startAfter(image, start.cli, cli.after, join(folder, 'start.snapshot'));
  const files = filesOf(start.image, start.cli);
  // What is wrong with the machine is said once, here.
  const { imageFile } = boot(image, machineCli(cli), () => {});
  const gdb = byGdb ? await openGdbProperty(cli.property!, imageFile) : undefined;
  const { jobs, pool } = await openRuns(cli, { ...start, files }, folder, inside, gdb);
  const { signal: end, close } = campaignEnd(cli.minutes);
  try {
    const endless: Properties = {
      expect: cli.expect ?? [],
      forbid: cli.forbid ?? [],
      deadline: cli.deadline === undefined ? NO_DEADLINE : cli.deadline * TICKS_PER_MS,
      invariant: cli.invariant ?? [],
      ...(predicate !== undefined && { predicate }),
      askGdb: byGdb,
    };
    const usual = await pool.run({ properties: endless, job: {}, expected: {} });
    if (usual.finding) {
      say(`without perturbation the run fails already (${usual.finding.kind}: ${usual.finding.text}): mend that first`);
      return EXIT.died;
    }
    const missing = endless.invariant.find((name) => usual.values[name] === undefined);
    if (missing !== undefined)
      throw new UsageError(
        `--invariant: the image has no symbol '${missing}' whose memory can be read: check the name`,
      );
    const properties = {
      ...endless,
      deadline: cli.deadline === undefined ? LONGER * usual.ticks + SLACK : endless.deadline,
    };
    const progress = progressLine(cli.runs);
    const campaign = new Campaign(
      { ...cli, jobs, dials, stopAtFirst: cli.stopAtFirst === true, end },
      (job) => pool.run({ properties, job, expected: usual.values }),
      progress,
    );
    await campaign.explore();
    const classes = [];
    for (const failure of campaign.classes.values())
      classes.push(await campaign.reduce(failure, join(cli.output, `class-${classes.length + 1}.recording`)));
    progress.clear();
    const report: Report = {
      command: commandLine(cli),
      runs: campaign.done,
      seconds: (performance.now() - began) / 1000,
      pairs: campaign.pairs,
      classes,
    };
    writeReports(folder, report);
    for (const c of classes) process.stdout.write(`${textLines(c).join('\n')}\n`);
    say(
      `${report.runs} runs in ${report.seconds.toFixed(1)} s, ${report.pairs} pairs, ${classes.length} classes of failures: ${join(cli.output, 'report.html')}`,
    );
    return classes.length > 0 ? EXIT.died : EXIT.ok;
  } finally {
    close();
    await pool.close();
  }
}

/** Threads here, or a queue for other machines. @throws UsageError */
export async function openRuns(
  cli: RunsCli,
  data: ExploreData,
  folder: string,
  inside: boolean,
  gdb?: GdbProperty,
): Promise<{ readonly jobs: number; readonly pool: Runs }> {
  if (!cli.queue) {
    const jobs = cli.jobs ?? availableParallelism();
    return { jobs, pool: new Pool(jobs, data, folder, inside, gdb) };
  }
  // BullMQ is large, and only this needs it.
  const { QUEUED_RUNS, QueuePool } = await import('./queue/queue-pool.ts');
  return { jobs: cli.jobs ?? QUEUED_RUNS, pool: await QueuePool.open(cli.queue, data) };
}

/** As it was written, without a password. */
export const commandLine = ({ queue }: RunsCli): string =>
  `loongscope ${process.argv
    .slice(2)
    .map((word) => (queue && /rediss?:\/\//.test(word) ? word.replace(/rediss?:\/\/.*/, queue.shown) : word))
    .join(' ')}`;

/** @throws UsageError when the folder does not take them */
function writeReports(folder: string, report: Report): void {
  try {
    writeFileSync(join(folder, 'report.json'), jsonOf(report));
    writeFileSync(join(folder, 'report.html'), htmlOf(report));
  } catch (error) {
    throw unwritable(`--output: cannot write the report to ${folder}`, error);
  }
}

/** A run that is perturbed may take so many times as long, and so many ticks more. */
const LONGER = 12;
const SLACK = 20_000_000;
/** Ticks in which a run without perturbation must end. */
const NO_DEADLINE = 100_000_000_000;

/** The options of the machine, which go to other threads. */
function machineCli(cli: ExploreCli): MachineCli {
  const {
    runs,
    jobs,
    dials,
    expect,
    forbid,
    invariant,
    property,
    deadline,
    tries,
    stopAtFirst,
    output,
    from,
    after,
    queue,
    minutes,
    ...machine
  } = cli;
  return from === undefined ? machine : { ...machine, snapshot: from };
}
