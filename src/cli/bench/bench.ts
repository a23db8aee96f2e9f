/** `loongscope bench`: the kernels here and on QEMU, in interleaved pairs of whole processes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { EXIT, UsageError } from '../errors.ts';
import { PROJECT_ROOT } from '../paths.ts';
import { CLIFFS, type Cliff, cliffPrograms, cliffRows, measureCliff } from './cliffs.ts';
import { GUEST_KERNEL, KERNELS, type Kernel } from './kernels.ts';
import { chart, type KernelResult, markdown, type Results, type Row, rows, spread, text } from './report.ts';
import { checkBuilt, findQemu, program, timeOurs, timeQemu } from './run.ts';

export interface BenchCli {
  readonly pairs: number;
  readonly kernel?: readonly string[];
  readonly qemu?: string;
  readonly engine?: string;
  readonly write?: boolean;
  readonly cliffs?: boolean;
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** The cases with the given names; all when none is given. `letter`: another name of a case. @throws UsageError */
function named<T>(
  names: readonly string[] | undefined,
  all: readonly T[],
  name: (x: T) => string,
  letter?: (x: T) => string,
): readonly T[] {
  if (!names) return all;
  return names.map((n) => {
    const found = all.find((x) => name(x) === n || letter?.(x) === n);
    const known = all.map((x) => (letter ? `${letter(x)} (${name(x)})` : name(x))).join(', ');
    if (!found) throw new UsageError(`--kernel: '${n}' is unknown: use ${known}`);
    return found;
  });
}

async function kernelResult(
  kernel: Kernel,
  cli: BenchCli,
  qemu: string | undefined,
  start: number,
): Promise<KernelResult> {
  const ours: number[] = [];
  const qemus: number[] = [];
  const engine = cli.engine ? ['--engine', cli.engine] : [];
  for (let n = 0; n < cli.pairs; n++) {
    const other = qemu && kernel.goal ? await timeQemu(qemu, kernel.name) : undefined;
    const mine = await timeOurs(...engine, program(kernel.name));
    if (other && other.result !== mine.result)
      throw new UsageError(
        `bench: ${kernel.name}: QEMU says ${other.result}, loongscope ${mine.result}: one of them is wrong, the times mean nothing`,
      );
    ours.push(mine.cpu);
    if (other) qemus.push(other.cpu);
  }
  const { stats } = await timeOurs(...engine, '--stats', program(kernel.name));
  const mine = spread(ours);
  const ratio = qemus.length > 0 ? spread(qemus.map((q, n) => q / ours[n]!)) : undefined;
  say(
    `${kernel.letter} ${kernel.name}: ours ${mine.median.toFixed(2)} s${ratio ? `, QEMU ${spread(qemus).median.toFixed(2)} s, ratio ${ratio.median.toFixed(2)}` : ''}`,
  );
  return {
    kernel,
    ours: mine,
    qemus: qemus.length > 0 ? spread(qemus) : undefined,
    ratio,
    rate: kernel.events && kernel.events.count / Math.max(0.001, mine.median - start),
    memory: stats!.peakMemory - stats!.touchedRam,
  };
}

/** Ratio of the integer kernel on the bare board to the same kernel in a guest. */
async function guestRatio(cli: BenchCli): Promise<ReturnType<typeof spread>> {
  const engine = cli.engine ? ['--engine', cli.engine] : [];
  const ratios: number[] = [];
  for (let n = 0; n < cli.pairs; n++) {
    const host = await timeOurs(...engine, program(GUEST_KERNEL));
    const guest = await timeOurs(...engine, '--guest', `${program(GUEST_KERNEL)},memory=64M`);
    if (host.result !== guest.result)
      throw new UsageError(`bench: ${GUEST_KERNEL}: the guest says ${guest.result}, the host ${host.result}`);
    ratios.push(host.cpu / guest.cpu);
  }
  return spread(ratios);
}

/** The marks around the tables in docs/performance.md, by what measures them. */
const BEGIN = {
  kernels: '<!-- measured by loongscope bench --write -->',
  cliffs: '<!-- measured by loongscope bench --cliffs --write -->',
} as const;
const END = '<!-- end of the measurement -->';

const MACHINE = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.versions.node}`;

/** Puts a table into docs/performance.md. */
function write(what: keyof typeof BEGIN, pairs: number, qemu: string | undefined, table: readonly Row[]): void {
  const file = join(PROJECT_ROOT, 'docs', 'performance.md');
  const page = readFileSync(file, 'utf8');
  const [before, rest] = page.split(BEGIN[what]);
  const at = rest?.indexOf(END) ?? -1;
  if (rest === undefined || at < 0) throw new UsageError(`bench: ${file} lacks the marks of its table: put them back`);
  const about = `Medians of ${pairs} interleaved pairs, CPU time of whole processes; ${MACHINE}; QEMU ${qemu ?? 'not there'}.`;
  writeFileSync(file, `${before}${BEGIN[what]}\n${about}\n\n${markdown(table)}\n${rest.slice(at)}`);
}

/** The bad cases. */
async function benchCliffs(cli: BenchCli): Promise<number> {
  const cliffs = named(cli.kernel, CLIFFS, (c: Cliff) => c.name);
  checkBuilt(cliffs.flatMap(cliffPrograms));
  const qemu = await findQemu(cli.qemu);
  if (!qemu) say('bench: no qemu-system-loongarch64 of version 10 or later: our own figures only');
  const results = [];
  for (const cliff of cliffs) {
    const r = await measureCliff(cliff, cli.pairs, cli.engine ? ['--engine', cli.engine] : [], qemu?.path);
    say(`${cliff.name}: good ${r.good.median.toFixed(2)} s, bad ${r.bad.median.toFixed(2)} s`);
    results.push(r);
  }
  const table = cliffRows(results);
  process.stdout.write(`${text(table)}\n`);
  if (cli.write) write('cliffs', cli.pairs, qemu?.version, table);
  return EXIT.ok;
}

export async function bench(cli: BenchCli): Promise<number> {
  if (cli.cliffs) return await benchCliffs(cli);
  const kernels = named(
    cli.kernel,
    KERNELS,
    (k: Kernel) => k.name,
    (k) => k.letter,
  );
  checkBuilt(['empty', GUEST_KERNEL, ...kernels.map((k) => k.name)]);
  const qemu = await findQemu(cli.qemu);
  if (!qemu) say('bench: no qemu-system-loongarch64 of version 10 or later: our own figures only');
  const starts: number[] = [];
  for (let n = 0; n <= cli.pairs; n++) starts.push((await timeOurs(program('empty'))).cpu);
  // The first process fills the compile cache.
  const start = spread(starts.slice(1)).median;
  const results: KernelResult[] = [];
  for (const kernel of kernels) results.push(await kernelResult(kernel, cli, qemu?.path, start));
  const all: Results = {
    kernels: results,
    guest: cli.kernel ? undefined : await guestRatio(cli),
    qemu: qemu?.version,
    pairs: cli.pairs,
    machine: MACHINE,
  };
  const table = rows(all);
  process.stdout.write(`${text(table)}\nstart and end of a run that does nothing: ${start.toFixed(2)} s of CPU time\n`);
  if (cli.write) {
    write('kernels', cli.pairs, qemu?.version, table);
    writeFileSync(join(PROJECT_ROOT, 'docs', 'performance.svg'), chart(all));
  }
  return EXIT.ok;
}
