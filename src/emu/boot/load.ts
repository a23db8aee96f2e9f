/**
 * The content of RAM when a machine starts without firmware, and the registers of the CPU that boots: the image, the
 * command line, the initrd, and tables that describe the machine (docs/board.md; QEMU hw/loongarch/boot.c).
 */

import { type ChosenValues, deviceTree, type Platform, type Topology } from '../board/platform.ts';
import { writeFdt } from '../formats/fdt.ts';
import { hex } from '../formats/hex.ts';
import { ImageError } from '../formats/image-error.ts';
import { HIGH_BASE, LOW_SIZE, memoryRanges, PLATFORM } from '../memory/physical-map.ts';
import type { Ram } from '../memory/ram.ts';
import { acpiTables } from './acpi/tables.ts';
import { efiTables, MEMORY } from './efi.ts';
import type { ElfImage } from './elf.ts';

/** Longest command line that fits in front of the system table; a longer one goes to another address. */
const SHORT_COMMAND_LINE = 512;
const LONG_COMMAND_LINE_AT = 0x40000;
/** Longest command line of Linux, including the final zero byte. */
export const COMMAND_LINE_SIZE = 4096;
const INITRD_ALIGN = 0x10000;
/** Free space behind the kernel, in multiples of its size: the kernel unpacks and relocates itself there. */
const KERNEL_ROOM = 4;

/** Data at a physical address. */
export interface Placed {
  readonly pa: number;
  readonly data: Uint8Array;
  /** Bytes with the zeros behind the data; default: only the data. */
  readonly size?: number | undefined;
  /** For messages. */
  readonly name?: string | undefined;
}

/** A CPU that does not wait for its mailbox: it starts at an address. */
export interface CpuStart {
  readonly cpu: number;
  readonly entry: bigint;
}

/**
 * How the image is entered. `efi`: as in QEMU's direct boot, a0 = 1, a1 = command line, a2 = EFI system table; `uhi`: as on
 * boards with the Unified Hosting Interface, a0 = -2, a1 = device tree; `none`: without any information, so all RAM is free.
 */
export const BOOT_PROTOCOLS = ['efi', 'uhi', 'none'] as const;
export type BootProtocol = (typeof BOOT_PROTOCOLS)[number];

/** The files that a machine boots. */
export interface BootFiles {
  /** Firmware: it is started instead of the image, and gets the other files through fw_cfg. */
  readonly firmware?: { readonly content: Uint8Array; readonly kernel: Uint8Array | undefined } | undefined;
  readonly protocol?: BootProtocol | undefined;
  /** A device tree that replaces the one of the board. */
  readonly deviceTree?: Uint8Array | undefined;
  readonly image: ElfImage;
  readonly commandLine: string;
  readonly initrd?: Uint8Array | undefined;
  /** Further data, such as guest images and files of `--load`. */
  readonly extra: readonly Placed[];
  /** CPUs that start at an address of their own. For CPU 0 it replaces the entry of the image. */
  readonly starts?: readonly CpuStart[] | undefined;
  /** How the CPUs are told to the program. */
  readonly topology?: Topology | undefined;
  /** Items of the firmware configuration device, by name. */
  readonly fwCfg?: readonly (readonly [name: string, data: Uint8Array])[] | undefined;
  /** The time of day at power-on, in milliseconds since 1970. Without it the machine has the real one, or the one of virtual time. */
  readonly timeOfDay?: number | undefined;
}

/** Registers of the CPU that boots. */
export interface BootRegisters {
  readonly entry: bigint;
  readonly arguments: readonly [a0: bigint, a1: bigint, a2: bigint];
  /** The other CPUs that start at once. */
  readonly starts: readonly CpuStart[];
}

interface Range {
  readonly base: number;
  readonly size: number;
}
/** Something that is put into RAM: its bytes, and zeros up to its size. */
interface Piece extends Range {
  readonly what: string;
  readonly data: Uint8Array;
  /** The board's own; `--boot none` leaves it out. */
  readonly information?: boolean;
}
const IMAGE = 'the image';
const overlap = (a: Range, b: Range): boolean =>
  a.size > 0 && b.size > 0 && a.base < b.base + b.size && b.base < a.base + a.size;
const inRam = (ramSize: number, { base, size }: Range): boolean =>
  memoryRanges(ramSize).some((r) => base >= r.base && base + size <= r.base + r.size);
const rangeOf = ({ base, size }: Range): string => `${hex(base)}..${hex(base + size)}`;

/**
 * Address of the initrd: behind the image and some free space, as on QEMU; or behind everything that is always at the beginning
 * of low RAM; or at the beginning of high RAM.
 */
function placeInitrd(ramSize: number, image: readonly Piece[], taken: readonly Piece[], size: number): number {
  const behind = memoryRanges(ramSize).flatMap((r) => {
    const here = image.filter((s) => overlap(s, r));
    if (here.length === 0) return [];
    const end = Math.max(...here.map((s) => s.base + s.size));
    return [end + Math.max(...here.map((s) => s.size)) * KERNEL_ROOM];
  });
  for (const at of [...behind, PLATFORM.deviceTree + PLATFORM.deviceTreeRoom, HIGH_BASE]) {
    const range = { base: Math.ceil(at / INITRD_ALIGN) * INITRD_ALIGN, size };
    if (inRam(ramSize, range) && !taken.some((t) => overlap(t, range))) return range.base;
  }
  throw new ImageError(`the initrd of ${size} bytes does not fit into RAM: give a larger --memory`);
}

/** RAM in the memory map: all of it is conventional memory, except the ACPI tables. */
function memoryMap(ramSize: number): { type: number; base: number; size: number }[] {
  const low = Math.min(ramSize, LOW_SIZE);
  const { acpi } = PLATFORM;
  const end = acpi.base + acpi.size;
  return [
    { type: MEMORY.conventional, base: 0, size: acpi.base },
    { type: MEMORY.acpiReclaim, ...acpi },
    { type: MEMORY.conventional, base: end, size: low - end },
    ...(ramSize > low ? [{ type: MEMORY.conventional, base: HIGH_BASE, size: ramSize - low }] : []),
  ];
}

/** @throws ImageError for the first two pieces that overlap */
function checkOverlaps(pieces: readonly Piece[]): void {
  const sorted = [...pieces].sort((a, b) => a.base - b.base);
  sorted.forEach((a, n) => {
    for (const b of sorted.slice(n + 1)) {
      if (b.base >= a.base + a.size) break;
      if ((a.what === IMAGE && b.what === IMAGE) || !overlap(a, b)) continue;
      const todo =
        a.information || b.information
          ? 'link or load it elsewhere, or leave the information for the image out with --boot none'
          : 'load one of them elsewhere';
      throw new ImageError(`${a.what} at ${rangeOf(a)} and ${b.what} at ${rangeOf(b)} overlap: ${todo}`);
    }
  });
}

/** What a machine has in RAM when it starts, and where its CPUs start. */
export interface Layout {
  readonly pieces: readonly Placed[];
  readonly registers: BootRegisters;
  /** The device tree among them. */
  readonly deviceTree: Uint8Array | undefined;
}

/** Decides where everything lies. @throws ImageError when something does not fit, or two things overlap */
export function layOut(files: BootFiles, platform: Platform): Layout {
  const { ramSize } = platform;
  const starts = files.starts ?? [];
  const own = starts.find((s) => s.cpu === 0)?.entry;
  const others = starts.filter((s) => s.cpu !== 0);
  const board = (chosen: ChosenValues = {}): Uint8Array =>
    files.deviceTree ?? writeFdt(deviceTree(platform, chosen), PLATFORM.deviceTreeRoom);
  const extra = files.extra.map(
    ({ pa, data, size = data.length, name = 'a guest image' }): Piece => ({ what: name, base: pa, size, data }),
  );
  const information = (what: string, base: number, data: Uint8Array): Piece => ({
    ...{ what, base, size: data.length, data },
    information: true,
  });
  const treePiece = (data: Uint8Array): Piece => information('the device tree', PLATFORM.deviceTree, data);
  if (files.firmware) {
    // Firmware gets everything else through fw_cfg.
    const tree = board();
    return finished([treePiece(tree), ...extra], tree, {
      entry: own ?? BigInt(PLATFORM.flash0.base),
      arguments: [0n, 0n, 0n],
      starts: others,
    });
  }
  const { image, commandLine, initrd, protocol = 'efi' } = files;
  const segments = image.segments.map(
    (s): Piece => ({ what: IMAGE, base: Number(s.paddr), size: s.memsz, data: s.data }),
  );
  const entry = own ?? image.entry;
  if (protocol === 'none') {
    if (initrd) throw new ImageError('with --boot none nothing tells the image of its initrd: leave one of them out');
    return finished([...segments, ...extra], undefined, { entry, arguments: [0n, 0n, 0n], starts: others });
  }
  const encoded = new TextEncoder().encode(`${commandLine}\0`);
  if (encoded.length > COMMAND_LINE_SIZE)
    throw new ImageError(
      `the command line has ${encoded.length} bytes, the board takes ${COMMAND_LINE_SIZE}: shorten it`,
    );
  const lineAt = encoded.length <= SHORT_COMMAND_LINE ? PLATFORM.commandLine : LONG_COMMAND_LINE_AT;
  const acpi = acpiTables(platform, PLATFORM.acpi.base);
  const systemTable = (at: Range | undefined): Piece =>
    information(
      'the EFI system table',
      PLATFORM.systemTable,
      efiTables({
        base: PLATFORM.systemTable,
        memory: memoryMap(ramSize),
        initrd: at,
        acpi: acpi.root,
        deviceTree: PLATFORM.deviceTree,
      }),
    );
  const fixed = [
    ...segments,
    ...extra,
    information('the command line', lineAt, encoded),
    information('the ACPI tables', PLATFORM.acpi.base, acpi.data),
  ];
  const taken = [...fixed, systemTable(undefined), treePiece(board())];
  const initrdRange =
    initrd && initrd.length > 0
      ? { base: placeInitrd(ramSize, segments, taken, initrd.length), size: initrd.length }
      : undefined;
  const initrdPiece = initrdRange ? [{ what: 'the initrd', ...initrdRange, data: initrd! }] : [];
  const uhi = protocol === 'uhi';
  // An empty command line would replace the one that an image brings with it.
  const tree = board(uhi ? { commandLine: commandLine === '' ? undefined : commandLine, initrd: initrdRange } : {});
  const UHI = 0xffff_ffff_ffff_fffen;
  return finished([...fixed, systemTable(initrdRange), treePiece(tree), ...initrdPiece], tree, {
    entry,
    arguments: uhi ? [UHI, BigInt(PLATFORM.deviceTree), 0n] : [1n, BigInt(lineAt), BigInt(PLATFORM.systemTable)],
    starts: others,
  });

  function finished(pieces: readonly Piece[], tree: Uint8Array | undefined, registers: BootRegisters): Layout {
    for (const piece of pieces) {
      if (inRam(ramSize, piece)) continue;
      throw new ImageError(
        piece.what === IMAGE
          ? `segment ${rangeOf(piece)} is not in RAM: give a larger --memory, link it elsewhere, or copy a raw image of it with --load ADDRESS`
          : `${piece.what} of ${piece.size} bytes at ${hex(piece.base)} does not fit into RAM: give a larger --memory`,
      );
    }
    checkOverlaps(pieces);
    const entries = [registers.entry, ...registers.starts.map((s) => s.entry)];
    for (const at of files.firmware ? entries.slice(1) : entries)
      if (!inRam(ramSize, { base: Number(at), size: 1 }))
        throw new ImageError(`entry 0x${at.toString(16)} is not in RAM: the image's entry point is wrong`);
    return {
      pieces: pieces.map(({ what, base, data }) => ({ pa: base, data, name: what })),
      registers,
      deviceTree: tree,
    };
  }
}

/** Writes all data to RAM. @throws ImageError when something does not fit, or two things overlap */
export function loadRam(ram: Ram, files: BootFiles, platform: Platform): BootRegisters {
  if (files.firmware) ram.placeRom(files.firmware.content);
  const { pieces, registers } = layOut(files, platform);
  for (const { pa, data } of pieces) ram.write(pa, data);
  return registers;
}
