/**
 * The wall around a running machine (docs/decisions/0010-sandbox.md). The program starts with Node's permission model and
 * everything granted; when all that the command line names is open, and before the guest's first instruction, it gives up
 * everything but reading its own program. A mistake in the emulator then reaches what is open, and nothing else.
 */
import { realpathSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError } from './errors.ts';
import { PROJECT_ROOT } from './paths.ts';

/** The parts of process.permission that are used. Node before 24.18 has no `drop`; without --permission there is none of it. */
interface Permission {
  readonly has: (scope: string, reference?: string) => boolean;
  readonly drop?: (scope: string, reference?: string) => void;
}

const permission = (): Permission | undefined => process.permission as Permission | undefined;

/** What is granted at the start and given up: Node's names. */
const SCOPES = { child: '--allow-child-process', worker: '--allow-worker', net: '--allow-net' } as const;

/** Does this Node know the option? Version 24 has no permission for networks. */
const knows = (option: string): boolean => process.allowedNodeEnvironmentFlags.has(option);

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
  ...Object.values(SCOPES).filter(knows),
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
  if (sandbox === false || permission()?.drop) return;
  if (permission() === undefined && process.execve && knows('--permission'))
    process.execve(process.execPath, [
      process.execPath,
      ...process.execArgv,
      ...sandboxFlags(),
      ...process.argv.slice(1),
    ]);
  throw new UsageError(
    `this Node (${process.version}) cannot give up permissions, so there is no sandbox: use a later version, or add --no-sandbox`,
  );
}

/** Will there be a wall around this machine? Not with --no-sandbox, and not in programs that start machines themselves without Node's permission model. */
export const walled = ({ sandbox }: SandboxCli): boolean => sandbox !== false && permission()?.drop !== undefined;

/**
 * Raises the wall: from here on no file can be opened, no process and no thread started. What is open stays open.
 * @throws UsageError when something stays granted
 */
export function enterSandbox(cli: SandboxCli): void {
  const held = permission();
  if (!walled(cli) || held?.drop === undefined) return;
  // What Node would write at its end.
  module.flushCompileCache();
  held.drop('fs.read', '/');
  held.drop('fs.write');
  const scopes = Object.keys(SCOPES).filter((scope) => knows(SCOPES[scope as keyof typeof SCOPES]));
  for (const scope of scopes) held.drop(scope);
  const left = [...scopes, 'addon', 'wasi', 'inspector'].filter((scope) => held.has(scope));
  if (left.length || held.has('fs.read', '/') || held.has('fs.write', '/'))
    throw new UsageError(
      `the sandbox does not close (${left.join(', ') || 'files'}): start without Node's --allow options, or add --no-sandbox`,
    );
}
