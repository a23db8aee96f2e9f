/** From what the user has chosen to a loaded machine: a program of the page, an ELF file, a snapshot, or a recording. */
import { isElf } from '../../emu/boot/elf.ts';
import { featuresOf } from '../../emu/cpu/features.ts';
import { ImageError } from '../../emu/formats/image-error.ts';
import { beginsAsZstd } from '../../emu/formats/stored-zstd.ts';
import { beginsAsRecording } from '../../emu/replay/recording-file.ts';
import { LAB_MEMORY } from '../../labs/judge.ts';
import type { Chosen, OwnProgram } from '../protocol.ts';
import { assembledLab } from './assembled.ts';
import { type Loaded, loadProgram, type Program, type Shelf } from './program.ts';
import { openRecording } from './recordings.ts';
import { openSnapshot } from './snapshots.ts';
import { unpack } from './unpack.ts';

const MIB = 2 ** 20;
const GUEST_MEMORY = 16 * MIB;
/** What a program of the user's may have; its machine has no more RAM. */
const MOST_BYTES = LAB_MEMORY;
const USUAL = { memory: LAB_MEMORY, features: featuresOf('max'), seed: 1, append: '' } as const;

function ownProgram({ name, bytes }: OwnProgram): Program {
  if (bytes.length > MOST_BYTES)
    throw new ImageError(
      `${name} has ${Math.ceil(bytes.length / MIB)} MiB, and the machine has ${MOST_BYTES / MIB}: choose a smaller program`,
    );
  if (!isElf(bytes))
    throw new ImageError(`${name} is no ELF file, no snapshot and no recording: build a program for loongarch64`);
  return { ...USUAL, name, image: bytes, guests: [], descriptor: undefined };
}

async function pageProgram(key: string, { content }: Shelf): Promise<Program> {
  const program = content.programs.find((p) => p.key === key);
  if (!program) throw new ImageError(`there is no program '${key}' in this page: choose one from the list`);
  const bytes = async (name: string): Promise<Uint8Array> => unpack(content.images[name]!);
  const guests = program.guests.map(async (name) => ({
    ...{ name, data: await bytes(name), memory: GUEST_MEMORY, vcpus: 1, append: '' },
  }));
  return {
    ...USUAL,
    name: key,
    image: await bytes(program.image),
    guests: await Promise.all(guests),
    // The labs' hypervisors are known, and both of their worlds are in one image.
    descriptor: program.guests.length === 0 ? content.labDescriptor : undefined,
  };
}

/**
 * Makes the machine of what was chosen, and loads it.
 * @param console receives each byte that it prints
 * @throws ImageError when it cannot be used; Mistakes for assembly that is wrong
 */
export async function load(chosen: Chosen, shelf: Shelf, console: (byte: number) => void): Promise<Loaded> {
  if ('key' in chosen) return loadProgram(await pageProgram(chosen.key, shelf), shelf, console);
  if ('lab' in chosen) {
    const image = await assembledLab(chosen, shelf);
    const descriptor = shelf.content.labDescriptor;
    return loadProgram({ ...USUAL, name: chosen.lab, image, guests: [], descriptor }, shelf, console);
  }
  if (beginsAsRecording(chosen.bytes)) return openRecording(chosen, shelf, console);
  if (beginsAsZstd(chosen.bytes)) return openSnapshot(chosen, shelf, console);
  return loadProgram(ownProgram(chosen), shelf, console);
}
