/** A file without any format, to be copied to an address as it is. */

import { ImageError } from '../formats/image-error.ts';
import type { ElfImage } from './elf.ts';

/** Where the raw images of ArceOS and its friends are linked to: the beginning of high RAM. */
export const RAW_ADDRESS = 0x80000000;

/** @param address where it goes, and where it is entered @throws ImageError when it is empty */
export function rawImage(bytes: Uint8Array, file: string, address: number): ElfImage {
  if (bytes.length === 0) throw new ImageError(`${file}: is empty: build it again`);
  const at = BigInt(address);
  return { entry: at, segments: [{ paddr: at, vaddr: at, memsz: bytes.length, data: bytes }] };
}
