/** A file without a format, which is copied to an address without change. */

import { ImageError } from '../formats/image-error.ts';
import type { ElfImage } from './elf.ts';

/** Link address of the raw images of ArceOS and similar systems: the beginning of high RAM. */
export const RAW_ADDRESS = 0x80000000;

/** @param address load address and entry point @throws ImageError when it is empty */
export function rawImage(bytes: Uint8Array, file: string, address: number): ElfImage {
  if (bytes.length === 0) throw new ImageError(`${file}: is empty: build it again`);
  const at = BigInt(address);
  return { entry: at, segments: [{ paddr: at, vaddr: at, memsz: bytes.length, data: bytes }] };
}
