/** `loongscope fuzz`: what a hypervisor makes of guests that mean it no good. */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { boot } from '../../boot.ts';
import { CoverageFile } from '../../coverage.ts';
import { say } from '../../ending.ts';
import { EXIT, UsageError } from '../../errors.ts';
import { makeFolder } from '../../make-folder.ts';
import type { MachineCli } from '../../options.ts';
import { sandboxed } from '../../sandbox.ts';
import { unwritable } from '../../unwritable.ts';
import { campaignEnd } from '../campaign-end.ts';
import { checkRepeatable, commandLine, openRuns, type RunsCli } from '../explore.ts';
import { snapshotBefore, watchExits } from './exits.ts';
import { Hunt, type Point } from './hunt.ts';
import { type FuzzReport, jsonOf, textLines } from './report.ts';

export interface FuzzCli extends MachineCli, RunsCli {
  readonly runs: number;
  readonly firstSeed: number;
  /** The exit before which guests become hostile. */
  readonly at?: number;
  readonly forbid?: string[];
  /** Instructions of each run. */
  readonly budget: number;
  readonly tries: number;
  readonly stopAtFirst?: boolean;
  readonly output: string;
}

/** The hypervisor may need so many times as long for an exit as in the usual run, and so many instructions more. */
const LONGER = 20;
const SLACK = 100_000;
const PERCENT = 100;

/** The options of the machine, which go to other threads. */
function machineCli(cli: FuzzCli): MachineCli {
  const {
    runs,
    jobs,
    queue,
    minutes,
    firstSeed,
    at,
    forbid,
    budget,
    tries,
    stopAtFirst,
    output,
    coverage,
    ...machine
  } = cli;
  return machine;
}

/** @returns the exit code: 1 when something was found */
export async function fuzz(image: string | undefined, cli: FuzzCli): Promise<number> {
  checkRepeatable(cli, 'fuzz');
  const folder = resolve(cli.output);
  try {
    makeFolder(folder);
  } catch (error) {
    throw unwritable(`--output: cannot make ${cli.output}`, error);
  }
  const began = performance.now();
  const place = { image, cli: machineCli(cli) };
  const booted = boot(image, place.cli, () => {});
  const coverage = cli.coverage === undefined ? undefined : new CoverageFile(cli.coverage, booted, cli);
  const { exits, dictionary, known, longest } = await watchExits(place, cli.at);
  const files = new Map<string, Uint8Array>();
  const points: Point[] = [];
  for (const exit of exits) {
    const content = await snapshotBefore(place, exit);
    if (!content) continue;
    const from = join(folder, `exit-${exit.number}.snapshot`);
    files.set(from, content);
    const base = { from, cpu: exit.cpu, known, forbid: cli.forbid ?? [] };
    const limits = { limit: exit.position + cli.budget, longest: Math.min(LONGER * longest + SLACK, cli.budget - 1) };
    points.push({ name: exit.name, number: exit.number, base: { ...base, ...limits } });
  }
  if (points.length === 0)
    throw new UsageError('fuzz: the moments before the exits are not found again: choose another one with --at');
  const { kernel, guest, initrd, load, hypervisor, append, firmware, dtb, ...rest } = place.cli;
  const { pool } = await openRuns(cli, { image: undefined, cli: rest, files }, folder, sandboxed(cli));
  const { signal: end, close } = campaignEnd(cli.minutes);
  const live = process.stderr.isTTY;
  const clear = (): void => void (live && process.stderr.write('\r\x1b[K'));
  const nothing = { expect: [], forbid: [], deadline: 0, invariant: [] };
  try {
    const hunt = new Hunt(
      points,
      dictionary,
      { ...cli, stopAtFirst: cli.stopAtFirst === true, end },
      (job) => pool.run({ properties: nothing, job, expected: {} }),
      {
        ran: (done, classes, covered) =>
          void (
            live &&
            done % 8 === 0 &&
            process.stderr.write(
              `\r\x1b[K${done} of ${cli.runs} runs (${Math.floor((PERCENT * done) / cli.runs)} %), ${covered} instructions of the hypervisor, ${classes} classes`,
            )
          ),
        found: ({ finding, after }) => {
          clear();
          say(`run ${after}: ${finding.kind}: ${finding.text}`);
        },
      },
    );
    await hunt.explore();
    const classes = [];
    for (const failure of hunt.classes.values())
      classes.push(await hunt.reduce(failure, join(cli.output, `class-${classes.length + 1}.recording`)));
    clear();
    const report: FuzzReport = {
      command: commandLine(cli),
      runs: hunt.done,
      seconds: (performance.now() - began) / 1000,
      covered: hunt.coverage.size,
      known: hunt.known,
      classes,
    };
    try {
      writeFileSync(join(folder, 'report.json'), jsonOf(report));
    } catch (error) {
      throw unwritable(`--output: cannot write the report to ${folder}`, error);
    }
    coverage?.coverage.merge(hunt.coverage.runs());
    coverage?.finish();
    for (const c of classes) process.stdout.write(`${textLines(c).join('\n')}\n`);
    say(
      `${report.runs} runs in ${report.seconds.toFixed(1)} s from ${points.length} exits (${points.map((p) => p.name).join(', ')}), ${report.covered} instructions of the hypervisor reached, ${classes.length} classes of failures: ${join(cli.output, 'report.json')}`,
    );
    return classes.length > 0 ? EXIT.died : EXIT.ok;
  } finally {
    close();
    await pool.close();
  }
}
