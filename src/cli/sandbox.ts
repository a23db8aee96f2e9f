/**
 * The sandbox of a running machine (docs/decisions/0010-sandbox.md). The program starts with Node's permission model and
 * all permissions. When everything that the command line names is open, and before the first instruction of the guest, it gives up
 * all permissions except reading its own program. An exploited defect of the emulator can then only use what is open.
 */
import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { say } from './ending.ts';
import { EXIT, UsageError } from './errors.ts';
import { PROJECT_ROOT } from './paths.ts';

/** The used part of process.permission. Node before 24.18 has no `drop`; without --permission, process.permission does not exist. */
interface Permission {
  readonly has: (scope: string, reference?: string) => boolean;
  readonly drop?: (scope: string, reference?: string) => void;
}

const permission = (): Permission | undefined => process.permission as Permission | undefined;

/** Does this Node have the option? */
const knows = (option: string): boolean => process.allowedNodeEnvironmentFlags.has(option);

/** The permissions to give up, by Node's names. Version 24 has no permission for networks. */
const SCOPES: readonly string[] = [
  'child',
  'worker',
  'addon',
  'wasi',
  'inspector',
  ...(knows('--allow-net') ? ['net'] : []),
];

/** Folders of the program itself: it loads some modules and data from there while it runs. */
function programFolders(): string[] {
  const own = fileURLToPath(new URL('.', import.meta.url));
  return import.meta.url.endsWith('.ts')
    ? [join(PROJECT_ROOT, 'src'), realpathSync(join(PROJECT_ROOT, 'node_modules'))]
    : [own];
}

/** Node's SQLite opens files without a check of the permission model. */
const WITHOUT_SQLITE = '--no-experimental-sqlite';

/** Options with which a thread or process can only read the program. */
export const programFlags = (): string[] => [
  '--permission',
  ...[WITHOUT_SQLITE].filter(knows),
  ...programFolders().map((folder) => `--allow-fs-read=${join(folder, '*')}`),
];

/** Options with which it may use the network, too. Node 24 has no permission for that. */
export const networkFlags = (): string[] => ['--allow-net'].filter(knows);

/** Node's options for a process that runs a machine; scripts/loongscope passes the same. The program's folders come first: a grant that is part of an earlier one is not kept. */
export const sandboxFlags = (): string[] => [
  '--disable-warning=SecurityWarning',
  ...programFlags(),
  '--allow-fs-read=/',
  '--allow-fs-write=/',
  ...['--allow-child-process', '--allow-worker'].filter(knows),
  ...networkFlags(),
];

/** Does the user want the sandbox? */
export interface SandboxCli {
  /** False: no sandbox. */
  readonly sandbox?: boolean;
}

/**
 * Starts Node once more.
 * @param inPlace as this process; otherwise, where systems have no such thing, as a child on the same terminal, whose exit code is this one's
 */
export function startAgain(args: readonly string[], inPlace: boolean): never {
  if (inPlace) process.execve!(process.execPath, [process.execPath, ...args]);
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  process.exit(status ?? EXIT.interrupted);
}

/**
 * Makes sure that this process can enter the sandbox later. A process that was started without Node's options is started again with them.
 * @throws UsageError when this Node cannot
 */
export function requireSandbox({ sandbox }: SandboxCli): void {
  if (sandbox === false) return;
  const held = permission();
  if (held === undefined && process.execve && knows('--permission'))
    startAgain([...process.execArgv, ...sandboxFlags(), ...process.argv.slice(1)], process.platform !== 'win32');
  if (!held?.drop)
    throw new UsageError(
      `this Node (${process.version}) cannot give up permissions, so there is no sandbox: use a later version, or add --no-sandbox`,
    );
  // With the grant "*", single folders cannot be kept or dropped.
  if (held.has('fs.read'))
    throw new UsageError(
      'this process may read all files, so there is no sandbox: leave --allow-fs-read=* out, or add --no-sandbox',
    );
}

/** Will this machine run in the sandbox? Not with --no-sandbox, and not in programs that start machines without Node's permission model. */
export const sandboxed = ({ sandbox }: SandboxCli): boolean => sandbox !== false && permission()?.drop !== undefined;

/**
 * Enters the sandbox: from here on no file can be opened, and no process and no thread can be started. Open files stay open.
 */
export function enterSandbox(cli: SandboxCli): void {
  const held = permission();
  if (!sandboxed(cli) || held?.drop === undefined) return;
  // Files that Node would write at its end.
  module.flushCompileCache();
  held.drop('fs.read', '/');
  held.drop('fs.write');
  for (const scope of SCOPES) if (held.has(scope)) held.drop(scope);
  const left = SCOPES.filter((scope) => held.has(scope));
  if (left.length === 0 && !held.has('fs.read', '/') && !held.has('fs.write', '/')) return;
  // The program must end here. If it threw an error that a caller catches, the guest could run.
  say(`the sandbox does not close (${left.join(', ') || 'files'}): add --no-sandbox to run without it`);
  process.exit(EXIT.usage);
}
