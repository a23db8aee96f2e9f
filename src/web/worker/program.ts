/** From the bytes of a program to a loaded machine, and the names of its addresses. */
import { isElf, lowered, parseElf, readSymbols } from '../../emu/boot/elf.ts';
import { placeGuests } from '../../emu/boot/guest-images.ts';
import { featuresOf } from '../../emu/cpu/features.ts';
import { SymbolTable } from '../../emu/debug/symbol-table.ts';
import type { Symbolizer } from '../../emu/debug/symbolizer.ts';
import { ImageError } from '../../emu/formats/image-error.ts';
import { Machine } from '../../emu/machine/machine.ts';
import { isUsual } from '../../emu/machine/processors.ts';
import { memoryRanges } from '../../emu/memory/physical-map.ts';
import type { Runtime } from '../../emu/runtime/runtime.ts';
import { type Descriptor, detect, type ImageSymbols, parseDescriptor } from '../../hv/awareness/descriptor.ts';
import { withoutFiles } from '../../hv/awareness/resolve.ts';
import { LAB_MEMORY } from '../../labs/judge.ts';
import type { Chosen, MachineContent } from '../protocol.ts';
import { unpack } from './unpack.ts';

const MIB = 2 ** 20;
const GUEST_MEMORY = 16 * MIB;
/** What a file of the user's may have; the machine has no more RAM. */
const MOST_BYTES = LAB_MEMORY;

/** What the page brings, unpacked as far as every machine needs it. */
export interface Shelf {
  readonly content: MachineContent;
  readonly interpreter: Uint8Array<ArrayBuffer>;
  readonly runtime: Runtime;
}

/** A machine before its first instruction. */
export interface Loaded {
  readonly machine: Machine;
  readonly symbolize: Symbolizer;
  readonly symbols: ImageSymbols;
}

/** The files of a program: the image, then its guests. */
interface Files {
  readonly name: string;
  readonly image: Uint8Array;
  readonly guests: readonly { readonly name: string; readonly data: Uint8Array }[];
  /** Is it a lab's? Then its hypervisor is known. */
  readonly lab: boolean;
}

async function filesOf(chosen: Chosen, { content }: Shelf): Promise<Files> {
  if ('bytes' in chosen) {
    if (chosen.bytes.length > MOST_BYTES)
      throw new ImageError(
        `${chosen.name} has ${Math.ceil(chosen.bytes.length / MIB)} MiB, and the machine has ${MOST_BYTES / MIB}: choose a smaller program`,
      );
    if (!isElf(chosen.bytes)) throw new ImageError(`${chosen.name} is no ELF file: build one for loongarch64`);
    return { name: chosen.name, image: chosen.bytes, guests: [], lab: false };
  }
  const program = content.programs.find(({ key }) => key === chosen.key);
  if (!program) throw new ImageError(`there is no program '${chosen.key}' in this page: choose one from the list`);
  const bytes = async (name: string): Promise<Uint8Array> => unpack(content.images[name]!);
  return {
    name: program.key,
    image: await bytes(program.image),
    guests: await Promise.all(program.guests.map(async (name) => ({ name, data: await bytes(name) }))),
    lab: program.guests.length === 0,
  };
}

/**
 * Makes the machine of a program and loads it.
 * @param console receives each byte that it prints
 * @throws ImageError when the program cannot be used
 */
export async function load(chosen: Chosen, shelf: Shelf, console: (byte: number) => void): Promise<Loaded> {
  const { name, image, guests, lab } = await filesOf(chosen, shelf);
  const inRam = (base: number, size: number): boolean =>
    memoryRanges(LAB_MEMORY).some((r) => base >= r.base && base + size <= r.base + r.size);
  const elf = lowered(parseElf(image, name), inRam);
  const wanted = guests.map((guest) => ({ ...guest, memory: GUEST_MEMORY, vcpus: 1, append: '' }));
  const { line, placed } = guests.length > 0 ? placeGuests(wanted, LAB_MEMORY, elf, 1) : { line: '', placed: [] };
  const machine = new Machine({
    runtime: shelf.runtime,
    ramSize: LAB_MEMORY,
    cpus: 1,
    features: featuresOf('max'),
    seed: 1,
    console,
    emitted: (plan) => (isUsual(plan) ? shelf.interpreter : undefined),
  });
  machine.load({ image: elf, commandLine: line, extra: placed });
  return {
    machine,
    ...namesOf(
      image,
      guests.map((g) => g.data),
      lab ? shelf.content.labDescriptor : undefined,
    ),
  };
}

/** Names of addresses: of the host by the image, of guest N by the N-th guest; the labs have both worlds in one image. */
function namesOf(
  image: Uint8Array,
  guests: readonly Uint8Array[],
  descriptor: string | undefined,
): Pick<Loaded, 'symbolize' | 'symbols'> {
  const tables = [image, ...guests].map((bytes) => new SymbolTable(readSymbols(bytes)));
  const [host] = tables;
  const symbols = { address: (name: string) => host!.address(name), names: () => host!.names() };
  const known = descriptor === undefined ? detect(symbols) : parseDescriptor(descriptor, 'labs.json');
  const hypervisor: Descriptor | undefined = known && withoutFiles(known);
  return {
    symbolize: (world, address) => (guests.length === 0 ? host : tables[Math.max(world, 0)])?.name(address),
    symbols: { ...symbols, descriptor: () => hypervisor },
  };
}
