/** Guests of the reference hypervisor: their images in RAM, and the words of its command line that tell it of them. */
import { ImageError } from '../formats/image-error.ts';
import { LOW_SIZE } from '../memory/physical-map.ts';
import type { ElfImage } from './elf.ts';
import type { Placed } from './load.ts';

const ALIGN = 0x10000;
const MIB = 2 ** 20;

/** A guest: its ELF file, and what the hypervisor gives it. */
export interface GuestImage {
  readonly name: string;
  readonly data: Uint8Array;
  /** Bytes of RAM. */
  readonly memory: number;
  readonly vcpus: number;
  /** Its command line. */
  readonly append: string;
}

/**
 * Puts guest images at the end of low RAM, and describes them on the command line of the hypervisor.
 * @param memory bytes of RAM of the machine
 * @param hypervisor its image, which needs its own place
 * @throws ImageError when the guests want more RAM than there is
 */
export function placeGuests(
  guests: readonly GuestImage[],
  memory: number,
  hypervisor: ElfImage,
  cpus: number,
): { line: string; placed: Placed[] } {
  let at = Math.min(memory, LOW_SIZE);
  const placed: Placed[] = [];
  const words = [`mem=${memory / MIB}M`];
  if (cpus > 1) words.push(`cpus=${cpus}`);
  for (const { name, data, memory: own, vcpus, append } of guests) {
    at = Math.floor((at - data.length) / ALIGN) * ALIGN;
    placed.push({ pa: at, data });
    words.push(
      `guest=${name},image=0x${at.toString(16)},size=${data.length},memory=${own / 1024}K${vcpus > 1 ? `,vcpus=${vcpus}` : ''}${append ? `,append=${append}` : ''}`,
    );
  }
  const wanted = guests.reduce((sum, g) => sum + g.memory, 0);
  const imageEnd = Math.max(...hypervisor.segments.map((s) => Number(s.paddr) + s.memsz));
  // Guest RAM is aligned to 2 MiB, and the tables need some space.
  const free = at - imageEnd - (guests.length + 1) * 2 * MIB;
  if (wanted > free)
    throw new ImageError(
      `the guests want ${wanted / MIB} MiB and ${Math.max(0, Math.floor(free / MIB))} MiB of low RAM are free: give less memory= or a larger --memory`,
    );
  return { line: words.join(' '), placed };
}
