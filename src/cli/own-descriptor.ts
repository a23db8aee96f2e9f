/** `--descriptor FILE`: what a user says of the hypervisor that runs. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseDescriptor } from '../hv/awareness/descriptor.ts';
import type { OwnDescriptor } from '../hv/awareness/recognition.ts';
import { resolved } from '../hv/awareness/resolve.ts';
import { UsageError } from './errors.ts';

/** Reads the file, and the header file that it may name. @throws UsageError naming the field that is wrong */
export function readDescriptor(file: string): OwnDescriptor {
  const read = (path: string, what: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw new UsageError(
        `--descriptor: cannot read ${what} (${(error as NodeJS.ErrnoException).code}): check the path`,
      );
    }
  };
  const text = read(file, file);
  try {
    const descriptor = parseDescriptor(text, file);
    // Only the members of structures must wait for the image.
    if (descriptor.contexts?.type !== undefined) return { descriptor, file };
    const header = (name: string): string => read(resolve(dirname(file), name), `'contexts.header' ${name}`);
    return { descriptor: resolved(descriptor, { header }), file };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--descriptor: ${(error as Error).message}`);
  }
}
