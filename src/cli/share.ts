/** A shared folder for the guest (`--share`). */
import * as fs from 'node:fs';
import type { P9Files } from '../emu/devices/virtio/p9-files.ts';
import { UsageError } from './errors.ts';
import { itself, SAME } from './share/paths.ts';
import { SharedTree, type SharedTreeOptions } from './share/tree.ts';

export interface ShareSpec {
  readonly folder: string;
  readonly tag: string;
  readonly readOnly: boolean;
}

/** `FOLDER[,tag=NAME][,readonly]`. @throws UsageError */
export function parseShare(text: string): ShareSpec {
  const [folder, ...rest] = text.split(',');
  let tag = 'host';
  let readOnly = false;
  for (const part of rest) {
    if (/^tag=[\w.-]{1,31}$/.test(part)) tag = part.slice(4);
    else if (part === 'readonly') readOnly = true;
    else throw new UsageError(`--share: unknown part '${part}': use tag=NAME or readonly`);
  }
  if (!folder) throw new UsageError(`--share: '${text}' names no folder: write FOLDER[,tag=NAME][,readonly]`);
  return { folder, tag, readOnly };
}

/** Can a descriptor be opened by its number in /proc? */
function reachable(fd: number): boolean {
  try {
    const [a, b] = [fs.fstatSync(fd, { bigint: true }), fs.statSync(itself(fd), { bigint: true })];
    return a.dev === b.dev && a.ino === b.ino;
  } catch {
    return false;
  }
}

/**
 * Opens the folder once. Afterwards only objects that are reached from its descriptor are used (docs/cli.md, "The shared folder").
 * @param options replace values of the specification and of the system
 * @throws UsageError when the folder cannot be read, or the system has no names for descriptors
 */
export function openShare({ folder, readOnly }: ShareSpec, options: Partial<SharedTreeOptions> = {}): P9Files {
  if (process.platform !== 'linux')
    throw new UsageError(
      `--share: this system (${process.platform}) has no names for open folders, without which a guest could leave them: run on Linux, or put the files on a disk (--drive)`,
    );
  let fd: number;
  try {
    if (!fs.statSync(folder).isDirectory()) throw new UsageError(`--share: ${folder} is no folder: give a folder`);
    fs.accessSync(folder, fs.constants.R_OK | fs.constants.X_OK);
    fd = fs.openSync(folder, SAME | fs.constants.O_DIRECTORY);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--share: cannot read ${folder} (${(error as NodeJS.ErrnoException).code}): check the path`);
  }
  if (!reachable(fd)) {
    fs.closeSync(fd);
    throw new UsageError('--share: /proc/self/fd is not there, by which open folders are named: mount /proc');
  }
  return new SharedTree(fd, { readOnly, ...options });
}
