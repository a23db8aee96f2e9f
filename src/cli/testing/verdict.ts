/** Has a test program passed? Judged by how its run ended, and by its console. */
import { EXIT } from '../errors.ts';

/** What a run has left. */
export interface Ran {
  /** Exit code of `loongscope run`; undefined: killed by a signal. */
  readonly code: number | undefined;
  readonly console: string;
  /** What the emulator said, on stderr. */
  readonly said: string;
}

/** What the console must and must not show. */
export interface Wanted {
  readonly expect: readonly string[];
  readonly forbid: readonly string[];
}

/** A TAP line of a check that has failed; with `# TODO` or `# SKIP` it does not count. */
const NOT_OK = /^not ok\b(?!.*# *(?:todo|skip))/i;
const RESULT = /^(?:not )?ok\b/;
const PLAN = /^1\.\.(\d+)\s*(?:#.*)?$/;
const BAIL_OUT = /^Bail out!/i;
/** The status of a program: the end of a line, as `status 3` or `exit status: 0`. */
const STATUS = /\bstatus[ :=]+(-?\d+)$/i;

/** Why the console shows a failure; undefined when it does not. */
function consoleProblem(console: string, { expect, forbid }: Wanted): string | undefined {
  const lines = console.split(/\r*\n/).map((line) => line.trim());
  const failed = lines.filter((line) => NOT_OK.test(line));
  if (failed.length > 0) return `${failed[0]}${failed.length > 1 ? ` (and ${failed.length - 1} more)` : ''}`;
  const bail = lines.find((line) => BAIL_OUT.test(line));
  if (bail !== undefined) return bail;
  const plan = lines.map((line) => PLAN.exec(line)?.[1]).find((count) => count !== undefined);
  const results = lines.filter((line) => RESULT.test(line)).length;
  if (plan !== undefined && Number(plan) !== results)
    return `the plan has ${plan} checks, and ${results} were reported`;
  const status = lines.find((line) => Number(STATUS.exec(line)?.[1] ?? 0) !== 0);
  if (status !== undefined) return status;
  const missing = expect.find((text) => !console.includes(text));
  if (missing !== undefined) return `the console does not show '${missing}'`;
  const shown = forbid.find((text) => console.includes(text));
  return shown === undefined ? undefined : `the console shows '${shown}'`;
}

/** The first line of the emulator's with what has gone wrong, without the program's name. */
const firstSaid = (said: string): string =>
  said
    .split('\n')
    .find((line) => line.startsWith('loongscope: ') && !line.startsWith('loongscope: warning'))
    ?.slice('loongscope: '.length) ?? 'it ended without a word';

/** Why a program has failed, in one line; undefined when it has passed. */
export function problemOf(ran: Ran, wanted: Wanted): string | undefined {
  // A check that failed says more than the hang that may follow.
  const seen = consoleProblem(ran.console, ran.code === EXIT.ok ? wanted : { expect: [], forbid: wanted.forbid });
  switch (ran.code) {
    case EXIT.ok:
      return seen;
    case undefined:
      return 'the emulator was killed';
    default:
      return seen ?? firstSaid(ran.said);
  }
}
