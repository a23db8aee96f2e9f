/** Errors of the host as the guest's. */
import { ERRNO, P9Error } from '../../emu/devices/virtio/p9-files.ts';

const NUMBERS: Readonly<Record<string, number>> = ERRNO;

/** Runs what touches the host. @throws P9Error for whatever the host refuses */
export function attempt<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code !== 'string') throw error;
    // What Node itself refuses: arguments, and what its permissions do not allow.
    if (code === 'ERR_ACCESS_DENIED') throw new P9Error(ERRNO.EACCES);
    if (code.startsWith('ERR_')) throw new P9Error(ERRNO.EINVAL);
    throw new P9Error(NUMBERS[code] ?? ERRNO.EIO);
  }
}
