/** A folder for what is needed for a moment. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from './errors.ts';

/** Makes one, which only this user can read. @throws UsageError where the system's place for such folders takes none */
export function temporaryFolder(prefix: string): string {
  try {
    return mkdtempSync(join(tmpdir(), prefix));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`cannot make a folder in ${tmpdir()} (${code}): set TMPDIR to a folder that you may write to`);
  }
}
