/**
 * `loongscope bench --cliffs`: bad cases, each beside the good case that does the same work without what is bad (guests/bench/cliffs), and
 * the bad one on QEMU. Nothing that a program or a debugger does may make it fall far behind both.
 */
import { UsageError } from '../errors.ts';
import { type Row, type Spread, spread } from './report.ts';
import { program, type Timing, timeOurs, timeQemu } from './run.ts';

export interface Cliff {
  /** Its programs are cliff-NAME-good and cliff-NAME-bad, unless it has options. */
  readonly name: string;
  readonly text: string;
  /** A kernel that is run without these options (good), and with them (bad). */
  readonly options?: { readonly kernel: string; readonly bad: readonly string[] };
  /** Needs what QEMU does not have. */
  readonly alone?: true;
}

export const CLIFFS: readonly Cliff[] = [
  { name: 'stale', text: 'stores to pages that were executed once' },
  { name: 'mixed', text: 'data in the page of the loop' },
  { name: 'beside', text: 'data directly beside the loop' },
  { name: 'jit', text: 'code that is written again after each 20 calls' },
  { name: 'flush', text: 'the whole TLB emptied twice at each system call' },
  { name: 'modes', text: 'FPU switched, ASID and window written at each system call' },
  { name: 'spaces', text: '200 address spaces in turn' },
  { name: 'unmap', text: 'pages mapped, used and unmapped one by one' },
  { name: 'huge', text: 'random accesses to 256 MiB of small pages' },
  { name: 'stage2', text: 'a page of the guest invalidated at each exit', alone: true },
  {
    name: 'aligned',
    text: 'a CPU that wants aligned accesses',
    options: { kernel: 'memory', bad: ['--cpu', 'la464,ual=off'] },
  },
];

/** The bad case may take so many times the time of the good case, or of QEMU, whichever is longer. */
export const CLIFF_LIMIT = 2;

export interface CliffResult {
  readonly cliff: Cliff;
  /** Seconds of CPU time. */
  readonly good: Spread;
  readonly bad: Spread;
  readonly qemu: Spread | undefined;
  /** Time of the bad case divided by the longer one of the good case and of QEMU, for each run: at most {@link CLIFF_LIMIT}. */
  readonly factor: Spread;
}

/** The programs that a cliff needs. */
export const cliffPrograms = ({ name, options }: Cliff): readonly string[] =>
  options ? [options.kernel] : [`cliff-${name}-good`, `cliff-${name}-bad`];

/** @throws UsageError when two engines disagree about a result */
export async function measureCliff(
  cliff: Cliff,
  pairs: number,
  engine: readonly string[],
  qemu: string | undefined,
): Promise<CliffResult> {
  const programs = cliffPrograms(cliff);
  const worst = programs.at(-1)!;
  const runs: { readonly good: Timing; readonly bad: Timing; readonly other: Timing | undefined }[] = [];
  for (let n = 0; n < pairs; n++) {
    const good = await timeOurs(...engine, program(programs[0]!));
    const bad = await timeOurs(...engine, ...(cliff.options?.bad ?? []), program(worst));
    const other = qemu && !cliff.alone ? await timeQemu(qemu, worst) : undefined;
    if (other && other.result !== bad.result)
      throw new UsageError(
        `bench: ${worst}: QEMU says ${other.result}, loongscope ${bad.result}: one of them is wrong, the times mean nothing`,
      );
    runs.push({ good, bad, other });
  }
  const others = runs.flatMap((r) => (r.other ? [r.other.cpu] : []));
  return {
    cliff,
    good: spread(runs.map((r) => r.good.cpu)),
    bad: spread(runs.map((r) => r.bad.cpu)),
    qemu: others.length > 0 ? spread(others) : undefined,
    factor: spread(runs.map((r) => r.bad.cpu / Math.max(r.good.cpu, r.other?.cpu ?? 0))),
  };
}

/** The results as rows of a table, with a heading. */
export function cliffRows(results: readonly CliffResult[]): Row[] {
  const seconds = (s: Spread | undefined): string => s?.median.toFixed(2) ?? '–';
  return [
    ['case', 'good, CPU s', 'bad, CPU s', 'QEMU, bad', 'bad / the longer one', `at most ${CLIFF_LIMIT}`],
    ...results.map(({ cliff, good, bad, qemu, factor }) => [
      `${cliff.name}: ${cliff.text}`,
      seconds(good),
      seconds(bad),
      seconds(qemu),
      `${factor.median.toFixed(2)} (${factor.least.toFixed(2)}–${factor.most.toFixed(2)})`,
      factor.median <= CLIFF_LIMIT ? 'reached' : 'missed',
    ]),
  ];
}
