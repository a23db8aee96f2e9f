/**
 * Names below descriptors. Node has no openat(2); on Linux the name `/proc/self/fd/N/NAME` does the same: it begins at the object of
 * descriptor N, even if that was moved. These are the only paths that the shared folder uses after it was opened.
 */
import { constants } from 'node:fs';
import { ERRNO, P9Error } from '../../emu/devices/virtio/p9-files.ts';

/** Linux's O_PATH: a descriptor that identifies an object without opening it. The same on every architecture that Node is built for. */
const O_PATH = 0o10000000;
/** Looks a name up without following a link. */
export const LOOK_UP = O_PATH | constants.O_NOFOLLOW;
/** Flags to open the object of a descriptor a second time. */
export const SAME = O_PATH;

/** The path of the object of a descriptor. */
export const itself = (fd: number): string => `/proc/self/fd/${fd}`;

/**
 * The path of a name below the folder of a descriptor.
 * @param name bytes, as characters
 * @throws P9Error when it would lead anywhere else
 */
export function below(fd: number, name: string): Buffer {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) throw new P9Error(ERRNO.EINVAL);
  return Buffer.from(`${itself(fd)}/${name}`, 'latin1');
}
