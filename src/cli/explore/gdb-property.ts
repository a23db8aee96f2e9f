/** `--property FILE.py`: a function of the user's in gdb's Python says what is wrong with a machine that has ended. */
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { UsageError } from '../errors.ts';
import { gdbs, gdbWithPython } from '../find-gdb.ts';
import { PROJECT_ROOT } from '../paths.ts';

const DRIVER = join(PROJECT_ROOT, 'src', 'gdbstub', 'python', 'property.py');
/** How the line begins that {@link DRIVER} prints. */
const MARK = 'loongscope-property ';
/** Milliseconds after which a gdb is ended that has said nothing. */
const PATIENCE = 60_000;

export const isGdbProperty = (file: string): boolean => file.endsWith('.py');

/** Where a machine that has ended waits for a gdb. */
export interface Served {
  /** On loopback. */
  readonly port: number;
}

/** @returns what is wrong, in words; undefined: nothing @throws UsageError when the file or gdb fails */
export type GdbProperty = (served: Served) => Promise<string | undefined>;

/** What the property has said. @throws UsageError */
function toldBy(output: string): string | undefined {
  const line = output.split('\n').findLast((l) => l.startsWith(MARK));
  if (line === undefined) {
    const last = output.trim().split('\n').at(-1) ?? '';
    throw new UsageError(`--property: gdb has not asked the file (${last.trim()}): try the file in a gdb by hand`);
  }
  const { told, error } = JSON.parse(line.slice(MARK.length)) as { told?: string | null; error?: string };
  if (error !== undefined) throw new UsageError(`--property: ${error.split('\n')[0]}: mend the file`);
  return told ?? undefined;
}

/**
 * @param file of the user's @param image ELF file with the symbols that gdb has; empty: none
 * @throws UsageError when no gdb can do it
 */
export async function openGdbProperty(file: string, image: string): Promise<GdbProperty> {
  const gdb = gdbWithPython(await gdbs(), '--property FILE.py');
  const before = [
    'set pagination off',
    'set confirm off',
    ...(image === '' ? [] : [`file ${JSON.stringify(resolve(image))}`]),
  ];
  return async ({ port }) => {
    const commands = [
      `target remote 127.0.0.1:${port}`,
      `source ${DRIVER}`,
      `python ask_property(${JSON.stringify(resolve(file))})`,
    ];
    const { all } = await execa(gdb, ['-nx', '-batch', ...[...before, ...commands].flatMap((c) => ['-ex', c])], {
      ...{ all: true, reject: false, timeout: PATIENCE, stdin: 'ignore' },
      // Ctrl-C on a terminal is for explore: the runs that have begun are finished, with their gdb.
      detached: process.platform !== 'win32',
    });
    return toldBy(all ?? '');
  };
}
