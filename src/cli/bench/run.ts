/** Runs of benchmark programs as whole processes, with the CPU time that they take. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { UsageError } from '../errors.ts';
import { PROJECT_ROOT } from '../paths.ts';

export interface Timing {
  /** Seconds of user and system time of the whole process, and of the clock. */
  readonly cpu: number;
  readonly wall: number;
  /** The output of the kernel: sixteen hexadecimal digits. */
  readonly result: string;
  /** The JSON line of --stats, if there is one. */
  readonly stats: Statistics | undefined;
}

export interface Statistics {
  readonly peakMemory: number;
  readonly touchedRam: number;
}

/** Longest that one run may take, in milliseconds. */
const PATIENCE = 300_000;
/** Prints user, system and elapsed seconds after the stderr output of the command. */
const TIME = 'TIMEFORMAT="%U %S %R"; time "$@"';

async function time(command: readonly string[]): Promise<Timing> {
  const { stdout, stderr, exitCode } = await execa('bash', ['-c', TIME, 'bash', ...command], {
    reject: false,
    timeout: PATIENCE,
    stdin: 'ignore',
  });
  const lines = stderr.trim().split('\n');
  const seconds = lines.at(-1)!.split(' ').map(Number);
  const result = /[0-9a-f]{16}/.exec(stdout)?.[0];
  if (exitCode !== 0 || result === undefined || seconds.length !== 3 || seconds.some(Number.isNaN))
    throw new UsageError(
      `bench: '${command.join(' ')}' did not come to a result (exit code ${exitCode ?? 'none: it took too long'}): ${lines.slice(-3).join(' | ')}`,
    );
  const json = lines.find((l) => l.startsWith('{'));
  return {
    cpu: seconds[0]! + seconds[1]!,
    wall: seconds[2]!,
    result,
    stats: json === undefined ? undefined : (JSON.parse(json) as Statistics),
  };
}

export const program = (name: string): string => join(PROJECT_ROOT, 'build', 'bench', `${name}.elf`);

/** @throws UsageError when a kernel is not built */
export function checkBuilt(names: readonly string[]): void {
  const missing = names.find((n) => !existsSync(program(n)));
  if (missing !== undefined)
    throw new UsageError(`bench: the kernel '${missing}' is not built: run ./scripts/build-bench in a checkout`);
}

/** A run of loongscope with these arguments. */
export const timeOurs = (...args: string[]): Promise<Timing> =>
  time([
    process.execPath,
    // This program, started in the same way.
    ...process.execArgv,
    process.argv[1]!,
    'run',
    '--no-code-cache',
    '--memory',
    '1G',
    ...args,
  ]);

/** A run of a kernel on QEMU's `virt` board. */
export const timeQemu = (qemu: string, name: string): Promise<Timing> =>
  time([
    qemu,
    ...['-M', 'virt', '-m', '1G', '-display', 'none', '-serial', 'stdio', '-monitor', 'none', '-no-reboot'],
    '-kernel',
    program(name),
  ]);

/** The QEMU to compare with: the given one, that of the checkout, or that on PATH. Undefined when there is none. */
export async function findQemu(named: string | undefined): Promise<{ path: string; version: string } | undefined> {
  const candidates = named ? [named] : [join(PROJECT_ROOT, '.tools', 'bin', NAME), NAME];
  for (const path of candidates) {
    const { stdout, exitCode } = await execa(path, ['--version'], { reject: false });
    const version = /version (\d+\.\d+(?:\.\d+)?)/.exec(stdout ?? '')?.[1];
    if (exitCode === 0 && version !== undefined && Number(version.split('.')[0]) >= OLDEST) return { path, version };
  }
  if (named) throw new UsageError(`--qemu: ${named} is no ${NAME} of version ${OLDEST} or later: check the path`);
  return undefined;
}
const NAME = 'qemu-system-loongarch64';
/** Earlier versions have another board. */
const OLDEST = 10;
