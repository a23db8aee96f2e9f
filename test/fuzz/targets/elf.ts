/** ELF images: what a boot takes of them, put into RAM, and their sections. */

import { parseElf } from '../../../src/emu/boot/elf.ts';
import { elfSections } from '../../../src/emu/boot/elf-sections.ts';
import { loadRam } from '../../../src/emu/boot/load.ts';
import { rawImage } from '../../../src/emu/boot/raw-image.ts';
import { ImageError } from '../../../src/emu/formats/image-error.ts';
import { LinearMemory } from '../../../src/emu/memory/linear-memory.ts';
import { Ram } from '../../../src/emu/memory/ram.ts';
import { tinyElf } from '../../support/images.ts';
import { guarded, type Target } from '../oracle.ts';

const RAM_SIZE = 4 << 20;
const ram = new Ram(new LinearMemory(1, RAM_SIZE), RAM_SIZE);
const platform = { cpus: 1, ramSize: RAM_SIZE };

export const fuzz: Target = guarded({
  ours: [ImageError],
  run: (data) => {
    elfSections(data);
    const image = data[0] === 0 ? rawImage(data, 'image.bin', 2 * 2 ** 20 + 8 * data.length) : parseElf(data, 'image');
    loadRam(ram, { image, commandLine: '', extra: [] }, platform);
  },
});

export const seeds = (): Uint8Array[] => [tinyElf(), new Uint8Array(64), Uint8Array.of(0, 1, 2, 3)];

export const dictionary: readonly (string | Uint8Array)[] = [
  '\x7fELF\x02\x01\x01',
  Uint8Array.of(0x02, 0x01),
  Uint8Array.of(56, 0),
  Uint8Array.of(64, 0),
  Uint8Array.of(0, 0, 0, 0x10, 0, 0, 0, 0),
  Uint8Array.of(0, 0, 0, 0x80, 0, 0, 0, 0),
  Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0x90),
];
