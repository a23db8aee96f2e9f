/**
 * The wall around a running machine (docs/decisions/0010-sandbox.md). The program starts with Node's permission model and
 * everything granted; when all that the command line names is open, and before the guest's first instruction, it gives up
 * everything but reading its own program. A mistake in the emulator then reaches what is open, and nothing else.
 */
import { realpathSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { say } from './ending.ts';
import { EXIT, UsageError } from './errors.ts';
import { PROJECT_ROOT } from './paths.ts';

/** The parts of process.permission that are used. Node before 24.18 has no `drop`; without --permission there is none of it. */
interface Permission {
  readonly has: (scope: string, reference?: string) => boolean;
  readonly drop?: (scope: string, reference?: string) => void;
}

const permission = (): Permission | undefined => process.permission as Permission | undefined;

/** Does this Node know the option? */
const knows = (option: string): boolean => process.allowedNodeEnvironmentFlags.has(option);

/** What is given up, by Node's names: version 24 has no permission for networks. */
const SCOPES: readonly string[] = [
  'child',
  'worker',
  'addon',
  'wasi',
  'inspector',
  ...(knows('--allow-net') ? ['net'] : []),
];

/** Folders of the program itself: modules and data that are loaded late come from there. */
function programFolders(): string[] {
  const own = fileURLToPath(new URL('.', import.meta.url));
  return import.meta.url.endsWith('.ts')
    ? [join(PROJECT_ROOT, 'src'), realpathSync(join(PROJECT_ROOT, 'node_modules'))]
    : [own];
}

/** Node's SQLite opens files without asking the permission model. */
const WITHOUT_SQLITE = '--no-experimental-sqlite';

/** Options that let a thread or process read the program, and nothing else. */
export const programFlags = (): string[] => [
  '--permission',
  ...[WITHOUT_SQLITE].filter(knows),
  ...programFolders().map((folder) => `--allow-fs-read=${join(folder, '*')}`),
];

/** Node's options for a process that runs a machine; scripts/loongscope passes the same. The program's folders come first: a grant that is part of an earlier one is not kept. */
export const sandboxFlags = (): string[] => [
  '--disable-warning=SecurityWarning',
  ...programFlags(),
  '--allow-fs-read=/',
  '--allow-fs-write=/',
  ...['--allow-child-process', '--allow-worker', '--allow-net'].filter(knows),
];

/** Does the user want the wall? */
export interface SandboxCli {
  /** False: none. */
  readonly sandbox?: boolean;
}

/**
 * Sees to it that this process can raise the wall later; one that was started without Node's options starts again with them.
 * @throws UsageError when this Node cannot
 */
export function requireSandbox({ sandbox }: SandboxCli): void {
  if (sandbox === false) return;
  const held = permission();
  if (held === undefined && process.execve && knows('--permission'))
    process.execve(process.execPath, [
      process.execPath,
      ...process.execArgv,
      ...sandboxFlags(),
      ...process.argv.slice(1),
    ]);
  if (!held?.drop)
    throw new UsageError(
      `this Node (${process.version}) cannot give up permissions, so there is no sandbox: use a later version, or add --no-sandbox`,
    );
  // Of "everything" nothing can be kept or given up alone.
  if (held.has('fs.read'))
    throw new UsageError(
      'this process may read all files, so there is no sandbox: leave --allow-fs-read=* out, or add --no-sandbox',
    );
}

/** Will there be a wall around this machine? Not with --no-sandbox, and not in programs that start machines themselves without Node's permission model. */
export const walled = ({ sandbox }: SandboxCli): boolean => sandbox !== false && permission()?.drop !== undefined;

/**
 * Raises the wall: from here on no file can be opened, no process and no thread started. What is open stays open.
 */
export function enterSandbox(cli: SandboxCli): void {
  const held = permission();
  if (!walled(cli) || held?.drop === undefined) return;
  // What Node would write at its end.
  module.flushCompileCache();
  held.drop('fs.read', '/');
  held.drop('fs.write');
  for (const scope of SCOPES) if (held.has(scope)) held.drop(scope);
  const left = SCOPES.filter((scope) => held.has(scope));
  if (left.length === 0 && !held.has('fs.read', '/') && !held.has('fs.write', '/')) return;
  // Not an error for others to catch: the guest would run meanwhile.
  say(`the sandbox does not close (${left.join(', ') || 'files'}): add --no-sandbox to run without it`);
  process.exit(EXIT.usage);
}
