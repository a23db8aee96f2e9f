/** From a program to a loaded machine, and the names of its addresses. */
import { lowered, parseElf } from '../../emu/boot/elf.ts';
import { placeGuests } from '../../emu/boot/guest-images.ts';
import type { CpuFeatures } from '../../emu/cpu/features.ts';
import type { Recording } from '../../emu/debug/recording.ts';
import type { RunControl } from '../../emu/debug/run-control.ts';
import { VirtioEntropy } from '../../emu/devices/virtio/entropy.ts';
import { Machine, type MachineOptions } from '../../emu/machine/machine.ts';
import { isUsual } from '../../emu/machine/processors.ts';
import { memoryRanges } from '../../emu/memory/physical-map.ts';
import type { Runtime } from '../../emu/runtime/runtime.ts';
import type { MachineContent } from '../protocol.ts';
import { type Names, namesOf, packedNames } from './names.ts';

/** What the page brings, unpacked as far as every machine needs it. */
export interface Shelf {
  readonly content: MachineContent;
  readonly interpreter: Uint8Array<ArrayBuffer>;
  readonly runtime: Runtime;
}

export interface GuestFile {
  readonly name: string;
  readonly data: Uint8Array;
  /** Bytes of RAM. */
  readonly memory: number;
  readonly vcpus: number;
  readonly append: string;
}

/** What a machine with one CPU boots. */
export interface Program {
  readonly name: string;
  readonly image: Uint8Array;
  /** With guests, the image is the reference hypervisor. */
  readonly guests: readonly GuestFile[];
  readonly memory: number;
  readonly features: CpuFeatures;
  readonly seed: number;
  /** The kernel's command line. */
  readonly append: string;
  /** The descriptor of its hypervisor as JSON; without one it is recognized by its symbols. */
  readonly descriptor: string | undefined;
}

/** A machine before its first instruction, or where a snapshot has it. */
export interface Loaded {
  readonly machine: Machine;
  readonly names: Names;
  /** What it has booted; undefined: it is from a snapshot. */
  readonly program: Program | undefined;
  /** The run that it repeats. */
  readonly recording?: Recording | undefined;
  /** To be called with its run control, before it runs. @throws SnapshotError when what a debugger had seen does not fit */
  readonly prepare: (control: RunControl) => void;
}

/** A machine with one CPU, and the card that `loongscope run` gives each machine. */
export const makeMachine = (
  shelf: Shelf,
  options: Pick<MachineOptions, 'ramSize' | 'features' | 'seed' | 'model'>,
  console: (byte: number) => void,
): Machine =>
  new Machine({
    ...options,
    ...{ runtime: shelf.runtime, cpus: 1, console, cards: [{ virtio: new VirtioEntropy(options.seed) }] },
    emitted: (plan) => (isUsual(plan) ? shelf.interpreter : undefined),
  });

/** Makes the machine of a program, and loads it. @throws ImageError when it cannot be used */
export function loadProgram(program: Program, shelf: Shelf, console: (byte: number) => void): Loaded {
  const { name, image, guests, memory, features, seed, append, descriptor } = program;
  const inRam = (base: number, size: number): boolean =>
    memoryRanges(memory).some((r) => base >= r.base && base + size <= r.base + r.size);
  const elf = lowered(parseElf(image, name), inRam);
  for (const guest of guests) parseElf(guest.data, guest.name);
  const { line, placed } = guests.length > 0 ? placeGuests(guests, memory, elf, 1) : { line: '', placed: [] };
  const machine = makeMachine(shelf, { ramSize: memory, features, seed }, console);
  machine.load({ image: elf, commandLine: [line, append].filter(Boolean).join(' '), extra: placed });
  const datas = guests.map((g) => g.data);
  return { machine, names: namesOf(packedNames(image, datas), descriptor), program, prepare: () => {} };
}
