/** Numbers of objects. The host's are unique on one device only; the guest takes the whole folder for one. */
import { ERRNO, P9Error } from '../../emu/devices/virtio/p9-files.ts';

const LOW_BITS = 48n;
const MOST_PREFIXES = 2 ** 16;

export class ObjectNumbers {
  /** The upper bits of the numbers of a device, by device and upper bits of the host's number. */
  private readonly prefixes = new Map<string, bigint>();

  /** @param device of the folder itself, whose objects keep the host's numbers */
  constructor(device: bigint) {
    this.prefixes.set(`${device}:0`, 0n);
  }

  /** A number of 64 bits that no other object has. @throws P9Error when there are more devices than such numbers */
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
