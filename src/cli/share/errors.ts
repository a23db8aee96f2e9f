/** Converts errors of the system to errors for the guest. */
import { ERRNO, P9Error } from '../../emu/devices/virtio/p9-files.ts';

const NUMBERS: Readonly<Record<string, number>> = ERRNO;

/** Runs an operation on files. @throws P9Error for every error of the system */
export function attempt<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code !== 'string') throw error;
    // Errors of Node itself: bad arguments, and operations that its permissions forbid.
    if (code === 'ERR_ACCESS_DENIED') throw new P9Error(ERRNO.EACCES);
    if (code.startsWith('ERR_')) throw new P9Error(ERRNO.EINVAL);
    throw new P9Error(NUMBERS[code] ?? ERRNO.EIO);
  }
}
