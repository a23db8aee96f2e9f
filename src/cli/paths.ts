import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const PROJECT_ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
/** The output of scripts/build-guests. */
export const HYPERVISOR = join(PROJECT_ROOT, 'build', 'hv.elf');
export const guestPath = (name: string): string => join(PROJECT_ROOT, 'build', 'guests', `${name}.elf`);
