/**
 * Names below descriptors. Node has no openat(2); on Linux the name `/proc/self/fd/N/NAME` is the same: it begins at what
 * descriptor N stands for, wherever that is by now. These are the only paths that the shared folder uses once it is open.
 */
import { constants } from 'node:fs';
import { ERRNO, P9Error } from '../../emu/devices/virtio/p9-files.ts';

/** Linux's O_PATH: a descriptor that stands for an object without opening it. The same on every architecture that Node is built for. */
const O_PATH = 0o10000000;
/** Looks a name up, and finds a link itself. */
export const LOOK_UP = O_PATH | constants.O_NOFOLLOW;
/** From a descriptor to one more that stands for the same object. */
export const SAME = O_PATH;

/** The very object behind a descriptor. */
export const itself = (fd: number): string => `/proc/self/fd/${fd}`;

/**
 * A name below the folder behind a descriptor.
 * @param name bytes, as characters
 * @throws P9Error when it would lead anywhere else
 */
export function below(fd: number, name: string): Buffer {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) throw new P9Error(ERRNO.EINVAL);
  return Buffer.from(`${itself(fd)}/${name}`, 'latin1');
}
