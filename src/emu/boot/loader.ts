/** Files that are put into RAM beside the image, as QEMU's loader device does (docs/system/generic-loader.rst). */
import { ImageError } from '../formats/image-error.ts';
import { isElf, parseElf } from './elf.ts';
import type { CpuStart, Placed } from './load.ts';

/** One of these files. */
export interface LoadedFile {
  /** For messages. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Physical address of the first byte. An ELF needs none: it goes to its own addresses, unless it is `raw`. */
  readonly address?: number | undefined;
  /** The CPU that starts at the file's first byte, or at an ELF's entry. */
  readonly cpu?: number | undefined;
  /** Copy the bytes as they are, whatever they look like. */
  readonly raw?: boolean | undefined;
}

/** What goes where. */
export interface LoadedFiles {
  readonly placed: readonly Placed[];
  readonly starts: readonly CpuStart[];
  /** Where the first file begins, for a machine without an image; undefined when there is no file. */
  readonly entry: bigint | undefined;
}

/** Where files go. Whether they fit into RAM, and overlap nothing, is checked when RAM is laid out. @throws ImageError */
export function loadFiles(files: readonly LoadedFile[]): LoadedFiles {
  const placed: Placed[] = [];
  const starts: CpuStart[] = [];
  let first: bigint | undefined;
  for (const { name, bytes, address, cpu, raw } of files) {
    let entry: bigint;
    if (!raw && isElf(bytes)) {
      const elf = parseElf(bytes, name);
      entry = elf.entry;
      for (const s of elf.segments) placed.push({ pa: Number(s.paddr), data: s.data, size: s.memsz, name });
    } else {
      if (address === undefined) throw new ImageError(`${name}: is a raw image without an address: give one`);
      if (bytes.length === 0) throw new ImageError(`${name}: is empty: build it again`);
      entry = BigInt(address);
      placed.push({ pa: address, data: bytes, name });
    }
    first ??= entry;
    if (cpu !== undefined) starts.push({ cpu, entry });
  }
  return { placed, starts, entry: first };
}
