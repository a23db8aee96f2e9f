/**
 * The content of RAM when a machine starts without firmware, and the registers of the CPU that boots: the image, the
 * command line, the initrd, and tables that describe the machine (docs/board.md; QEMU hw/loongarch/boot.c).
 */

import { deviceTree, type Platform, type Topology } from '../board/platform.ts';
import { writeFdt } from '../formats/fdt.ts';
import { hex } from '../formats/hex.ts';
import { ImageError } from '../formats/image-error.ts';
import { HIGH_BASE, LOW_SIZE, PLATFORM } from '../memory/physical-map.ts';
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
}

/**
 * How the image is entered. `efi`: as in QEMU's direct boot, a0 = 1, a1 = command line, a2 = EFI system table; `uhi`: as on
 * boards with the Unified Hosting Interface, a0 = -2, a1 = device tree.
 */
export type BootProtocol = 'efi' | 'uhi';

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
  /** Further data, such as guest images. */
  readonly extra: readonly Placed[];
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
}

interface Range {
  readonly base: number;
  readonly size: number;
}
const overlap = (a: Range, b: Range): boolean => a.base < b.base + b.size && b.base < a.base + a.size;

/** Address of the initrd: behind the kernel and its free space, or at the beginning of high RAM. */
function placeInitrd(ram: Ram, files: BootFiles, size: number): number {
  const segments = files.image.segments.map((s) => ({ base: Number(s.paddr), size: s.memsz }));
  const low = segments.filter((s) => s.base < LOW_SIZE);
  const end = Math.max(0, ...low.map((s) => s.base + s.size));
  const room = Math.max(0, ...low.map((s) => s.size)) * KERNEL_ROOM;
  const behind = Math.ceil((end + room) / INITRD_ALIGN) * INITRD_ALIGN;
  for (const base of [behind, HIGH_BASE]) {
    const range = { base, size };
    const taken = [...segments, ...files.extra.map((e) => ({ base: e.pa, size: e.data.length }))];
    if (ram.has(base) && ram.has(base + size - 1) && !taken.some((t) => overlap(t, range))) return base;
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

/** Puts data into RAM. @param what a name for the message @throws ImageError when it does not fit */
function place(ram: Ram, pa: number, data: Uint8Array, what: string): void {
  if (!ram.covers(pa, data.length))
    throw new ImageError(`${what} of ${data.length} bytes at ${hex(pa)} does not fit into RAM: give a larger --memory`);
  ram.write(pa, data);
}

/** With firmware, only the firmware and a device tree are loaded. */
function loadFirmware(ram: Ram, files: BootFiles, content: Uint8Array, platform: Platform): BootRegisters {
  ram.placeRom(content);
  place(ram, PLATFORM.deviceTree, files.deviceTree ?? writeFdt(deviceTree(platform)), 'the device tree');
  return { entry: BigInt(PLATFORM.flash0.base), arguments: [0n, 0n, 0n] };
}

/** Writes all data to RAM. @throws ImageError when something does not fit */
export function loadRam(ram: Ram, files: BootFiles, platform: Platform): BootRegisters {
  if (files.firmware) return loadFirmware(ram, files, files.firmware.content, platform);
  const { image, commandLine, initrd, extra } = files;
  const encoded = new TextEncoder().encode(`${commandLine}\0`);
  if (encoded.length > COMMAND_LINE_SIZE)
    throw new ImageError(
      `the command line has ${encoded.length} bytes, the board takes ${COMMAND_LINE_SIZE}: shorten it`,
    );
  const lineAt = encoded.length <= SHORT_COMMAND_LINE ? PLATFORM.commandLine : LONG_COMMAND_LINE_AT;
  const initrdAt = initrd && initrd.length > 0 ? placeInitrd(ram, files, initrd.length) : undefined;
  const initrdRange = initrdAt === undefined ? undefined : { base: initrdAt, size: initrd!.length };
  const acpi = acpiTables(platform, PLATFORM.acpi.base);
  const tables: (Placed & { readonly what: string })[] = [
    {
      what: 'the EFI system table',
      pa: PLATFORM.systemTable,
      data: efiTables({
        base: PLATFORM.systemTable,
        memory: memoryMap(platform.ramSize),
        initrd: initrdRange,
        acpi: acpi.root,
        deviceTree: PLATFORM.deviceTree,
      }),
    },
    { what: 'the ACPI tables', pa: PLATFORM.acpi.base, data: acpi.data },
    {
      what: 'the device tree',
      pa: PLATFORM.deviceTree,
      data:
        files.deviceTree ??
        writeFdt(deviceTree(platform, files.protocol === 'uhi' ? { commandLine, initrd: initrdRange } : {})),
    },
  ];
  const segments = image.segments.map((s) => ({ base: Number(s.paddr), size: s.memsz }));
  // A program that is linked to the address of the tables gets no tables.
  for (const { pa, data, what } of tables)
    if (!segments.some((s) => overlap(s, { base: pa, size: data.length }))) place(ram, pa, data, what);
  ram.write(lineAt, encoded);
  for (const s of image.segments) {
    const pa = Number(s.paddr);
    if (!ram.covers(pa, s.memsz))
      throw new ImageError(
        `segment ${hex(pa)}..${hex(pa + s.memsz)} is not in RAM: give a larger --memory or link it elsewhere`,
      );
    ram.write(pa, s.data);
  }
  if (!ram.has(Number(image.entry)))
    throw new ImageError(`entry 0x${image.entry.toString(16)} is not in RAM: the image's entry point is wrong`);
  if (initrdAt !== undefined) ram.write(initrdAt, initrd!);
  for (const { pa, data } of extra) place(ram, pa, data, 'an image');
  const UHI = 0xffff_ffff_ffff_fffen;
  return {
    entry: image.entry,
    arguments:
      files.protocol === 'uhi'
        ? [UHI, BigInt(PLATFORM.deviceTree), 0n]
        : [1n, BigInt(lineAt), BigInt(PLATFORM.systemTable)],
  };
}
