/** `loongscope bench`: the kernels here and on QEMU, in interleaved pairs of whole processes. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { EXIT, UsageError } from '../errors.ts';
import { PROJECT_ROOT } from '../paths.ts';
import { GUEST_KERNEL, KERNELS, type Kernel } from './kernels.ts';
import { chart, type KernelResult, markdown, type Results, spread, text } from './report.ts';
import { checkBuilt, findQemu, program, timeOurs, timeQemu } from './run.ts';

export interface BenchCli {
  readonly pairs: number;
  readonly kernel?: readonly string[];
  readonly qemu?: string;
  readonly engine?: string;
  readonly write?: boolean;
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** The kernels with the given letters or names; all when none is given. @throws UsageError */
function chosen(names: readonly string[] | undefined): readonly Kernel[] {
  if (!names) return KERNELS;
  return names.map((n) => {
    const kernel = KERNELS.find((k) => k.name === n || k.letter === n);
    if (!kernel)
      throw new UsageError(
        `--kernel: '${n}' is unknown: use ${KERNELS.map((k) => `${k.letter} (${k.name})`).join(', ')}`,
      );
    return kernel;
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

/** The marks around the table in docs/performance.md. */
const BEGIN = '<!-- measured by loongscope bench --write -->';
const END = '<!-- end of the measurement -->';

function write(results: Results): void {
  const folder = join(PROJECT_ROOT, 'docs');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'performance.svg'), chart(results));
  const file = join(folder, 'performance.md');
  const page = readFileSync(file, 'utf8');
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new UsageError(`bench: ${file} lacks the marks of its table: put them back`);
  const about = `Medians of ${results.pairs} interleaved pairs, CPU time of whole processes; ${results.machine}; QEMU ${results.qemu ?? 'not there'}.`;
  writeFileSync(file, `${before}${BEGIN}\n${about}\n\n${markdown(results)}\n${END}${after}`);
}

export async function bench(cli: BenchCli): Promise<number> {
  const kernels = chosen(cli.kernel);
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
    machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.versions.node}`,
  };
  process.stdout.write(`${text(all)}\nstart and end of a run that does nothing: ${start.toFixed(2)} s of CPU time\n`);
  if (cli.write) write(all);
  return EXIT.ok;
}
