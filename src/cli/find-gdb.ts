/** Looks for a gdb that can debug the machine. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { UsageError } from './errors.ts';
import { PROJECT_ROOT } from './paths.ts';

export const OLDEST_GDB = 16;

/** A gdb of this computer. */
export interface FoundGdb {
  readonly program: string;
  /** As `18.1`; undefined when it does not say. */
  readonly version: string | undefined;
  readonly hasLoongArch: boolean;
  readonly hasPython: boolean;
}

const NAMES = ['gdb-multiarch', 'loongarch64-linux-gnu-gdb', 'loongarch64-unknown-elf-gdb', 'gdb'];

/** Programs to try, the best first. */
const candidates = (): string[] => {
  const own = join(PROJECT_ROOT, '.tools', 'bin', 'gdb-multiarch');
  return [...(existsSync(own) ? [own] : []), ...NAMES];
};

/** What a program is that may be a gdb; undefined when there is none with this name. */
async function probe(program: string): Promise<FoundGdb | undefined> {
  const commands = ['show version', 'set architecture Loongarch64', 'python print("has " + "Python")'];
  const { all, exitCode, stdout } = await execa(program, ['-nx', '-batch', ...commands.flatMap((c) => ['-ex', c])], {
    reject: false,
    all: true,
  });
  if (exitCode === undefined) return undefined;
  return {
    program,
    version: /GNU gdb[^\n]*?(\d+\.\d+)\s*$/m.exec(stdout ?? '')?.[1],
    hasLoongArch: (all ?? '').includes('set to "Loongarch64"'),
    hasPython: (all ?? '').includes('has Python'),
  };
}

export const isGood = ({ version, hasLoongArch }: FoundGdb): boolean =>
  hasLoongArch && version !== undefined && Number.parseFloat(version) >= OLDEST_GDB;

/** Every gdb that is there, up to the first good one. */
export async function gdbs(): Promise<FoundGdb[]> {
  const found: FoundGdb[] = [];
  for (const name of candidates()) {
    const gdb = await probe(name);
    if (gdb) found.push(gdb);
    if (gdb && isGood(gdb)) break;
  }
  return found;
}

/** The first gdb that knows LoongArch and is new enough, if there is one. */
export const goodGdb = async (): Promise<string | undefined> => (await gdbs()).find(isGood)?.program;

/** @throws UsageError when there is none */
function firstGood(found: readonly FoundGdb[]): FoundGdb {
  const good = found.find(isGood);
  if (good === undefined)
    throw new UsageError(
      `no gdb ${OLDEST_GDB} or newer with LoongArch found: 'loongscope doctor' says how to get one (in a checkout, ./scripts/demo brings it)`,
    );
  return good;
}

/** The first gdb that knows LoongArch and is new enough. @throws UsageError when there is none */
export const findGdb = async (): Promise<string> => firstGood(await gdbs()).program;

/**
 * The same of some gdbs, where it must have Python.
 * @param why the option that needs it
 * @throws UsageError
 */
export function gdbWithPython(found: readonly FoundGdb[], why: string): string {
  const { program, hasPython } = firstGood(found);
  if (!hasPython) throw new UsageError(`${why}: ${program} has no Python: install a gdb that was built with it`);
  return program;
}
