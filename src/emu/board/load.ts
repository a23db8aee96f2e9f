/** What is in RAM when a machine starts: the image, the command line, and whatever is placed beside it. */
import { BOARD } from './board.ts';
import type { ElfImage } from './elf.ts';
import { ImageError } from './elf.ts';
import type { Ram } from './ram.ts';

/** Longest command line, terminator included. */
export const COMMAND_LINE_SIZE = 512;

/** Data at a physical address. */
export interface Placed {
  readonly pa: number;
  readonly data: Uint8Array;
}

/** What a machine boots. */
export interface BootFiles {
  readonly image: ElfImage;
  readonly commandLine: string;
  /** Further data, such as guest images. */
  readonly extra: readonly Placed[];
}

/** Writes it all to RAM. @throws ImageError when something does not fit */
export function loadRam(ram: Ram, { image, commandLine, extra }: BootFiles): void {
  const encoded = new TextEncoder().encode(`${commandLine}\0`);
  if (encoded.length > COMMAND_LINE_SIZE)
    throw new ImageError(
      `the command line has ${encoded.length} bytes, the board takes ${COMMAND_LINE_SIZE}: shorten it`,
    );
  ram.write(BOARD.commandLine, encoded);
  const end = (pa: bigint, size: number): string => `0x${pa.toString(16)}..0x${(pa + BigInt(size)).toString(16)}`;
  for (const s of image.segments) {
    const pa = Number(s.paddr);
    if (!ram.has(pa) || !ram.has(pa + s.memsz - 1))
      throw new ImageError(
        `segment ${end(s.paddr, s.memsz)} is not in RAM: give a larger --memory or link it elsewhere`,
      );
    ram.write(pa, s.data);
  }
  if (!ram.has(Number(image.entry)))
    throw new ImageError(`entry 0x${image.entry.toString(16)} is not in RAM: the image's entry point is wrong`);
  for (const { pa, data } of extra) ram.write(pa, data);
}
