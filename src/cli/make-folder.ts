/** Folders that users name. */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Makes a folder and those above it. Node's own way never ends where a file system refuses with ENOENT, as /proc does. @throws Error of the file system */
export function makeFolder(folder: string): void {
  // Node's permission model refuses to look at the root, which is always there.
  if (dirname(folder) === folder || statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  makeFolder(dirname(folder));
  mkdirSync(folder);
}
