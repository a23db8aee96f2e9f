/** From command-line options to a loaded machine: files, guest images, symbols. */
import { resolve } from 'node:path';
import { type ElfImage, isElf, lowered, parseElf, readSymbols } from '../emu/boot/elf.ts';
import { placeGuests } from '../emu/boot/guest-images.ts';
import { checkInitrd } from '../emu/boot/initrd.ts';
import { isPe, parseLinuxImage } from '../emu/boot/linux-image.ts';
import type { BootFiles } from '../emu/boot/load.ts';
import { type LoadedFiles, loadFiles } from '../emu/boot/loader.ts';
import { type PackedSymbols, packSymbols, unpackSymbols } from '../emu/boot/packed-symbols.ts';
import { RAW_ADDRESS, rawImage } from '../emu/boot/raw-image.ts';
import type { Clock } from '../emu/cpu/clock.ts';
import type { Outside } from '../emu/debug/run-control.ts';
import { SymbolTable } from '../emu/debug/symbol-table.ts';
import type { Symbolizer } from '../emu/debug/symbolizer.ts';
import { checkDeviceTree } from '../emu/formats/fdt.ts';
import { ImageError } from '../emu/formats/image-error.ts';
import { Machine } from '../emu/machine/machine.ts';
import type { EngineKind } from '../emu/machine/processors.ts';
import { memoryRanges, PLATFORM } from '../emu/memory/physical-map.ts';
import { type Chooser, ListedChooser } from '../emu/perturb/decisions.ts';
import { SeededChooser } from '../emu/perturb/seeded.ts';
import type { MachineImage } from '../emu/replay/snapshot-file.ts';
import type { Stateful } from '../emu/state/fields.ts';
import { type Descriptor, type ImageSymbols, parseDescriptor } from '../hv/awareness/descriptor.ts';
import { decompress } from './decompress.ts';
import { emitted } from './emitted.ts';
import { UsageError } from './errors.ts';
import { monotonicClock } from './monotonic-clock.ts';
import type { Pluggable } from './net/cable.ts';
import { nodeRuntime } from './node-runtime.ts';
import { openCards } from './open-cards.ts';
import { type GuestSpec, type MachineCli, parseGuest } from './options.ts';
import { guestPath, HYPERVISOR } from './paths.ts';
import { readSnapshot, restoreObservers, restoreSnapshot } from './snapshots.ts';
import { COMPUTER, type Surroundings } from './surroundings.ts';

/** The files that a machine boots, and their symbols. */
export interface BootImages {
  readonly files: BootFiles;
  readonly symbolize: Symbolizer;
  /** Symbols of the booted image. */
  readonly symbols: ImageSymbols;
  /** Its symbols and those of the guests, for a snapshot. */
  readonly packedSymbols: () => readonly PackedSymbols[];
  /** The descriptor of the hypervisor that a snapshot has kept. */
  readonly keptDescriptor?: Descriptor | undefined;
  /** Content of the image; undefined where it has no symbols. */
  readonly imageBytes?: Uint8Array;
  /** Symbols of other files, which a snapshot has kept. */
  readonly keptSymbols: readonly PackedSymbols[];
  /** Resolves when all symbols have been read. Reading begins at the first use of this property, so booting does not wait for it. */
  readonly named: Promise<void>;
  /** Files with symbols: the image, then the guests by GID. */
  readonly imageFile: string;
  readonly guestFiles: readonly string[];
  /** The file of a world as an absolute path: −1 the image, else the guest with that GID. */
  readonly executable: (world: number) => string | undefined;
}

/** A machine that is ready to run, and its files. */
export interface Booted extends BootImages {
  readonly machine: Machine;
  /** The network outside, to be plugged in before the machine runs. */
  readonly cable: Pluggable | undefined;
  /** What goes back in time with the machine. */
  readonly outside: Outside;
  /** Restores what a debugger had seen of the machine of a snapshot. @throws UsageError when that is damaged */
  readonly restoreObservers: (observers: readonly Stateful[]) => void;
}

const around = ({ surroundings = COMPUTER }: MachineCli): Surroundings => surroundings;

/** A guest by path, or by the name of one of the project's guests. */
function guestFile(spec: GuestSpec, { exists }: Surroundings): string {
  if (exists(spec.file)) return spec.file;
  const own = guestPath(spec.file);
  return exists(own) ? own : spec.file;
}

/**
 * Builds and loads the machine that the options describe.
 * @throws UsageError for unusable files and impossible combinations
 */
export function boot(image: string | undefined, cli: MachineCli, console: (byte: number) => void): Booted {
  const snapshot = cli.snapshot === undefined ? undefined : readSnapshot(cli.snapshot, around(cli));
  if (snapshot && (image ?? cli.kernel ?? cli.guest ?? cli.initrd ?? cli.load) !== undefined)
    throw new UsageError('--snapshot brings the image with it: leave the image, --guest, --load and --initrd out');
  const images = snapshot ? snapshotImages(snapshot, cli.snapshot!) : bootImages(image, cli);
  const saved = snapshot?.machine;
  return asUsage(() => {
    const { cards, cable, outside } = openCards(cli, console);
    const machine = new Machine({
      runtime: nodeRuntime,
      ramSize: saved?.ramSize ?? cli.memory,
      cpus: saved?.cpus ?? cli.smp,
      features: saved?.features ?? cli.cpu,
      seed: saved?.seed ?? cli.seed,
      engine: engineKind(cli),
      clock: cli.clock === 'host' ? fromNow() : undefined,
      emitted,
      console,
      cards,
      virtioOn: cli.virtio,
      model: saved?.model ?? cli.machine,
      noReboot: cli.reboot === false,
    });
    if (snapshot) restoreSnapshot(machine, snapshot, cli.snapshot!);
    else machine.load(images.files);
    const chooser = chooserOf(cli);
    if (chooser) machine.perturbation.begin(chooser);
    const observed = (observers: readonly Stateful[]): void => {
      if (snapshot?.observers.length) restoreObservers(observers, snapshot, cli.snapshot!);
    };
    return Object.defineProperties(
      { machine, cable, outside, restoreObservers: observed } as Booted,
      Object.getOwnPropertyDescriptors(images),
    );
  });
}

/** Where the decisions of a perturbed run come from. @throws UsageError */
function chooserOf({ explore, decisions, clock }: MachineCli): Chooser | undefined {
  if (explore && clock === 'host')
    throw new UsageError('--explore: runs in real time do not repeat: use --clock virtual, or leave it out');
  if (decisions) return new ListedChooser(decisions);
  return explore && new SeededChooser(explore.seed, explore.dials);
}

/** The files of a machine from a snapshot, with the symbols that it has kept. */
function snapshotImages({ files, symbols = [], hypervisor }: MachineImage, file: string): BootImages {
  const own = symbols.filter((packed) => packed.file === undefined);
  const tables = own.map((packed) => ({ world: packed.world, table: new SymbolTable(unpackSymbols(packed)) }));
  const host = tables.filter((t) => t.world < 0).map((t) => t.table);
  const first = <T>(of: readonly SymbolTable[], find: (table: SymbolTable) => T | undefined): T | undefined => {
    for (const table of of) {
      const found = find(table);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return {
    ...NAMELESS,
    files,
    symbolize: (world, address) =>
      first(
        tables.filter((t) => t.world === world).map((t) => t.table),
        (table) => table.name(address),
      ),
    symbols: {
      address: (name) => first(host, (table) => table.address(name)),
      names: () => host.flatMap((table) => table.names()),
    },
    packedSymbols: () => own,
    keptDescriptor:
      hypervisor === undefined ? undefined : asUsage(() => parseDescriptor(hypervisor, `--snapshot: ${file}`)),
    keptSymbols: symbols.filter((packed) => packed.file !== undefined),
  };
}

/** Images without symbols. */
const NAMELESS: Omit<BootImages, 'files'> = {
  symbolize: () => undefined,
  symbols: { address: () => undefined, names: () => [] },
  packedSymbols: () => [],
  keptSymbols: [],
  named: Promise.resolve(),
  imageFile: '',
  guestFiles: [],
  executable: () => undefined,
};

/** A clock that starts now, in real time. */
function fromNow(): Clock {
  const epoch = monotonicClock();
  return () => monotonicClock() - epoch;
}

/** The engine of the main machine. With `check`, a second machine has another engine. */
export const engineKind = (cli: MachineCli): EngineKind =>
  cli.engine === undefined || cli.engine === 'check' ? 'auto' : cli.engine;

/** Runs `body`, and turns an ImageError into a UsageError. */
export function asUsage<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof ImageError) throw new UsageError(error.message);
    throw error;
  }
}

export function readInitrd(cli: MachineCli): Uint8Array | undefined {
  const { initrd } = cli;
  if (initrd === undefined) return undefined;
  const data = around(cli).read(initrd);
  checkInitrd(data, initrd);
  return data;
}

/** Firmware, and the program that it starts. */
function firmwareImages(cli: MachineCli, kernel: string | undefined): BootImages {
  if (cli.guest || cli.hypervisor)
    throw new UsageError('--guest goes with the reference hypervisor: leave --firmware out');
  const { read } = around(cli);
  const content = read(cli.firmware!);
  if (content.length === 0 || content.length > PLATFORM.flash0.size)
    throw new UsageError(
      `--firmware: ${cli.firmware} has ${content.length} bytes, the flash holds 1 to ${PLATFORM.flash0.size}: give an image for loongarch64`,
    );
  if (cli.load?.some((l) => l.file === undefined))
    throw new UsageError('--load ADDRESS is for an image that starts by itself: leave it or --firmware out');
  if (cli.boot !== undefined)
    throw new UsageError('--boot says how an image is entered, and here the firmware does that: leave one of them out');
  const { placed, starts } = readLoads(cli);
  const file = kernel === undefined ? undefined : read(kernel);
  if (file && !isPe(file)) throw new UsageError(`${kernel} is no program for UEFI: give a kernel with an EFI stub`);
  return {
    ...NAMELESS,
    imageFile: cli.firmware!,
    files: {
      image: { entry: BigInt(PLATFORM.flash0.base), segments: [] },
      firmware: { content, kernel: file },
      initrd: readInitrd(cli),
      deviceTree: readDeviceTree(cli),
      commandLine: cli.append ?? '',
      extra: placed,
      starts,
      fwCfg: cli.fwCfg,
      timeOfDay: cli.timeOfDay,
      topology: cli.topology,
    },
  };
}

/** An image of any format. A raw image has a name in `.bin`, or an address is given. */
function parseImage(bytes: Uint8Array, file: string, { load, memory }: MachineCli): ElfImage {
  const [address, second] = (load ?? []).flatMap((l) => (l.file === undefined ? [l.address] : []));
  if (second !== undefined) throw new UsageError('--load: two addresses for one image: leave one of them out');
  if (address !== undefined) return rawImage(bytes, file, address);
  if (isPe(bytes)) return parseLinuxImage(bytes, file, decompress);
  if (file.endsWith('.bin') && !isElf(bytes)) return rawImage(bytes, file, RAW_ADDRESS);
  return lowered(parseElf(bytes, file), (base, size) =>
    memoryRanges(memory).some((r) => base >= r.base && base + size <= r.base + r.size),
  );
}

/** Reads the files of `--load`. @throws UsageError, ImageError */
function readLoads(cli: MachineCli): LoadedFiles {
  const { load = [], smp } = cli;
  const wrong = load.find((l) => l.cpu !== undefined && l.cpu >= smp);
  if (wrong)
    throw new UsageError(`${wrong.file}: there is no CPU ${wrong.cpu} to start it on: give a larger --smp, or another`);
  return loadFiles(
    load.flatMap(({ file, ...how }) =>
      file === undefined ? [] : [{ name: file, bytes: around(cli).read(file), ...how }],
    ),
  );
}

/** A machine without an image: its first file is where it starts. */
function loadedOnly(cli: MachineCli): BootImages {
  const { placed, starts, entry } = readLoads(cli);
  return {
    ...NAMELESS,
    files: {
      image: { entry: entry ?? 0n, segments: [] },
      commandLine: cli.append ?? '',
      initrd: readInitrd(cli),
      deviceTree: readDeviceTree(cli),
      protocol: cli.boot,
      extra: placed,
      starts,
    },
  };
}

/** @throws ImageError when the file is not a device tree */
export function readDeviceTree(cli: MachineCli): Uint8Array | undefined {
  if (cli.dtb === undefined) return undefined;
  const bytes = around(cli).read(cli.dtb);
  checkDeviceTree(bytes, cli.dtb);
  return bytes;
}

/**
 * Reads the files that the options name.
 * @throws UsageError for unusable files and impossible combinations
 */
export function bootImages(image: string | undefined, cli: MachineCli): BootImages {
  if (image !== undefined && cli.kernel !== undefined)
    throw new UsageError('two images given: use [image] or --kernel, not both');
  const own = image ?? cli.kernel;
  if (cli.firmware !== undefined) return asUsage(() => firmwareImages(cli, own));
  if (own !== undefined && cli.guest)
    throw new UsageError('--guest goes with the reference hypervisor: leave the image out');
  if (own !== undefined && cli.hypervisor)
    throw new UsageError('--hypervisor runs --guest: give either an image or these');
  if (own === undefined && !cli.hypervisor && !cli.guest && cli.load?.some((l) => l.file !== undefined))
    return asUsage(() => loadedOnly(cli));
  const file = own ?? cli.hypervisor ?? HYPERVISOR;
  const { exists, read } = around(cli);
  if (file === HYPERVISOR && !exists(file))
    throw new UsageError('the reference hypervisor is not built: run ./scripts/build-guests');
  const specs = own === undefined ? (cli.guest ?? [parseGuest('hello')]) : [];
  const guestFiles = specs.map((spec) => guestFile(spec, around(cli)));
  return asUsage(() => {
    const bytes = read(file);
    const elf = parseImage(bytes, file, cli);
    const loads = readLoads(cli);
    const deviceTree = readDeviceTree(cli);
    const initrd = readInitrd(cli);
    const guests = specs.map((spec, n) => ({ spec, data: read(guestFiles[n]!), file: guestFiles[n]! }));
    for (const g of guests) parseElf(g.data, g.file);
    const { line, placed } =
      own === undefined
        ? placeGuests(
            guests.map(({ spec, data }) => ({ ...spec, data })),
            cli.memory,
            elf,
            cli.smp,
          )
        : { line: '', placed: [] };
    const executable = (world: number): string | undefined => {
      // gdb can do nothing with an image that is no ELF file.
      const path = world >= 0 ? guestFiles[world - 1] : isElf(bytes) ? file : undefined;
      return path === undefined ? undefined : resolve(path);
    };
    const { symbolize, symbols, packedSymbols, load } = lazySymbols([bytes, ...guests.map((g) => g.data)]);
    return {
      files: {
        image: elf,
        commandLine: [line, cli.append ?? ''].filter(Boolean).join(' '),
        initrd,
        deviceTree,
        protocol: cli.boot,
        extra: [...placed, ...loads.placed],
        starts: loads.starts,
        fwCfg: cli.fwCfg,
        timeOfDay: cli.timeOfDay,
        topology: cli.topology,
      },
      symbolize,
      symbols,
      packedSymbols,
      keptSymbols: [],
      imageBytes: bytes,
      get named() {
        return load();
      },
      imageFile: file,
      guestFiles,
      executable,
    };
  });
}

/**
 * Host addresses by the image (first), guest addresses by the guest with that GID (the reference hypervisor counts
 * from 1). The tables fill in the background, once `load` has been called.
 */
function lazySymbols(
  files: readonly Uint8Array[],
): Pick<Booted, 'symbolize' | 'symbols' | 'packedSymbols'> & { readonly load: () => Promise<void> } {
  const tables = files.map(() => new SymbolTable([]));
  const byName = new Map<string, bigint>();
  let loading: Promise<void> | undefined;
  const read = (bytes: Uint8Array, n: number): void => {
    const symbols = readSymbols(bytes);
    tables[n] = new SymbolTable(symbols);
    if (n === 0) for (const s of symbols) byName.set(s.name, s.value);
  };
  return {
    load: () => (loading ??= Promise.resolve().then(() => files.forEach(read))),
    symbolize: (world, address) => tables[Math.max(world, 0)]?.name(address),
    symbols: {
      address: (name) => byName.get(name),
      names: () => [...byName.keys()],
    },
    packedSymbols: () =>
      files
        .map((bytes, n) => packSymbols(n === 0 ? -1 : n, readSymbols(bytes)))
        .filter((packed) => packed.values.length > 0),
  };
}
