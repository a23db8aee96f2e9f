/** What the user is told of a file or folder that cannot be written: the cause, and what to do about it. */
import { UsageError } from './errors.ts';

const FULL = 'make room there, or give another place';
const FORBIDDEN = 'give a place that you may write to';

/** What to do, by the system's code. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EFBIG: FULL,
  EROFS: FORBIDDEN,
  EACCES: FORBIDDEN,
  EPERM: FORBIDDEN,
  EISDIR: 'it is a folder: give a file',
};

/**
 * @param what begins the line, as `--junit: cannot write FILE`
 * @param error what the system said
 * @param otherwise what to do when the code says nothing better
 */
export function unwritable(what: string, error: unknown, otherwise = 'check the path'): UsageError {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  return new UsageError(`${what} (${code}): ${ADVICE[code] ?? otherwise}`);
}
