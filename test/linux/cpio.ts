/** Archives in the "newc" format of cpio, which Linux unpacks as its first root file system (Documentation/driver-api/early-userspace/buffer-format.rst). */

/** A file, a folder or a symbolic link of the archive. */
export interface CpioEntry {
  readonly path: string;
  /** Kind and permissions, as in stat. */
  readonly mode: number;
  readonly data?: Uint8Array;
}

export const MODE = { folder: 0o040755, program: 0o100755, file: 0o100644, link: 0o120777 } as const;
const TRAILER = 'TRAILER!!!';

const padded = (bytes: Uint8Array): Uint8Array => {
  const out = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  out.set(bytes);
  return out;
};

/** The archive, in the order given: folders before what is in them. */
export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  [...entries, { path: TRAILER, mode: 0 }].forEach((entry: CpioEntry, n) => {
    const name = `${entry.path}\0`;
    const size = entry.data?.length ?? 0;
    const links = entry.mode >> 12 === 4 ? 2 : 1;
    const fields = [n + 1, entry.mode, 0, 0, links, 0, size, 0, 0, 0, 0, name.length, 0];
    const header = `070701${fields.map((f) => f.toString(16).padStart(8, '0')).join('')}${name}`;
    parts.push(padded(new TextEncoder().encode(header)));
    if (entry.data) parts.push(padded(entry.data));
  });
  return new Uint8Array(Buffer.concat(parts));
}
