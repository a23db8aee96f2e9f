import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const PROJECT_ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
/** The program itself: from the sources, or the bundle. */
export const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url),
);
/** The output of scripts/build-guests. */
export const HYPERVISOR = join(PROJECT_ROOT, 'build', 'hv.elf');
/** An empty program, for processes whose program is not known. */
export const UNKNOWN_PROGRAM = join(PROJECT_ROOT, 'build', 'unknown-program.elf');
export const guestPath = (name: string): string => join(PROJECT_ROOT, 'build', 'guests', `${name}.elf`);
