/** Inode numbers for the guest. The numbers of the system are unique only on one device, but for the guest the shared folder is one device. */
import { ERRNO, P9Error } from '../../emu/devices/virtio/p9-files.ts';

const LOW_BITS = 48n;
const MOST_PREFIXES = 2 ** 16;

export class ObjectNumbers {
  /** The upper bits of the numbers for the guest, by device and upper bits of the number of the system. */
  private readonly prefixes = new Map<string, bigint>();

  /** @param device the device of the shared folder: its objects keep the numbers of the system */
  constructor(device: bigint) {
    this.prefixes.set(`${device}:0`, 0n);
  }

  /** A number of 64 bits that no other object has. @throws P9Error when there are too many devices */
  of(device: bigint, inode: bigint): bigint {
    const key = `${device}:${inode >> LOW_BITS}`;
    let prefix = this.prefixes.get(key);
    if (prefix === undefined) {
      if (this.prefixes.size >= MOST_PREFIXES) throw new P9Error(ERRNO.ENFILE);
      prefix = BigInt(this.prefixes.size);
      this.prefixes.set(key, prefix);
    }
    return (prefix << LOW_BITS) | BigInt.asUintN(Number(LOW_BITS), inode);
  }
}
