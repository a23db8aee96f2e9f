/** The content of fw_cfg for firmware: the ACPI tables with instructions for their placement, and the program that it starts. */
import type { Platform } from '../board/platform.ts';
import { FW_CFG, type FwCfgContents } from '../devices/fw-cfg.ts';
import { TableBytes } from '../formats/bytes.ts';
import { memoryRanges } from '../memory/physical-map.ts';
import { acpiTables } from './acpi/tables.ts';
import { smbiosTables } from './smbios.ts';

/** The program that UEFI starts by itself. */
export interface FirmwareBoot {
  /** The unchanged file of the kernel, because firmware can load PE images. */
  readonly kernel: Uint8Array | undefined;
  readonly initrd: Uint8Array | undefined;
  readonly commandLine: string;
}

const TABLES = 'etc/acpi/tables';
const ROOT = 'etc/acpi/rsdp';
/** Commands of the table loader (QEMU hw/acpi/bios-linker-loader.c), each in an entry of 128 bytes. */
const LOADER = { allocate: 1, addPointer: 2, addChecksum: 3, entryBytes: 128, nameBytes: 56 } as const;
const ZONE = { high: 1, fseg: 2 } as const;
const TABLE_ALIGN = 64;
const ROOT_ALIGN = 16;
/** RAM in the memory map. */
const RAM_TYPE = 1;

const entry = (command: number, write: (b: TableBytes) => void): Uint8Array => {
  const b = new TableBytes().u32(command);
  write(b);
  return b.padTo(LOADER.entryBytes).finish();
};
const name = (b: TableBytes, text: string): TableBytes => b.text(text, LOADER.nameBytes);

/** The contents of the device. */
export function firmwareContents(p: Platform, boot: FirmwareBoot): FwCfgContents {
  const { data, root, pointers, checksums } = acpiTables(p, 0);
  const inRoot = (at: number): boolean => at >= root;
  const file = (at: number): readonly [string, number] => (inRoot(at) ? [ROOT, at - root] : [TABLES, at]);
  const blank = data.slice();
  for (const { at } of checksums) blank[at] = 0;
  const loader = new TableBytes();
  loader.raw(entry(LOADER.allocate, (b) => name(b, TABLES).u32(TABLE_ALIGN).u8(ZONE.high)));
  loader.raw(entry(LOADER.allocate, (b) => name(b, ROOT).u32(ROOT_ALIGN).u8(ZONE.fseg)));
  for (const { at, size } of pointers) {
    const [dest, offset] = file(at);
    loader.raw(entry(LOADER.addPointer, (b) => name(name(b, dest), TABLES).u32(offset).u8(size)));
  }
  for (const { at, start, length } of checksums) {
    const [dest, offset] = file(at);
    loader.raw(entry(LOADER.addChecksum, (b) => name(b, dest).u32(offset).u32(file(start)[1]).u32(length)));
  }
  const smbios = smbiosTables();
  const memory = new TableBytes();
  for (const { base, size } of memoryRanges(p.ramSize)) memory.u64(base).u64(size).u32(RAM_TYPE).u32(0);
  const u16 = (v: number): Uint8Array => new TableBytes().u16(v).finish();
  const u32 = (v: number): Uint8Array => new TableBytes().u32(v).finish();
  const items = new Map<number, Uint8Array>([
    [FW_CFG.ramSize, new TableBytes().u64(p.ramSize).finish()],
    [FW_CFG.cpus, u16(p.cpus)],
    [FW_CFG.maxCpus, u16(p.cpus)],
  ]);
  if (boot.kernel) {
    const line = new TextEncoder().encode(`${boot.commandLine}\0`);
    items.set(FW_CFG.kernelSize, u32(boot.kernel.length)).set(FW_CFG.kernel, boot.kernel);
    items.set(FW_CFG.commandLineSize, u32(line.length)).set(FW_CFG.commandLine, line);
    if (boot.initrd) items.set(FW_CFG.initrdSize, u32(boot.initrd.length)).set(FW_CFG.initrd, boot.initrd);
  }
  return {
    items,
    files: [
      [TABLES, blank.subarray(0, root)],
      [ROOT, blank.subarray(root)],
      ['etc/table-loader', loader.finish()],
      ['etc/memmap', memory.finish()],
      ['etc/smbios/smbios-anchor', smbios.anchor],
      ['etc/smbios/smbios-tables', smbios.tables],
    ],
  };
}
