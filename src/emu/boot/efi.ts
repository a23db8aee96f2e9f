/**
 * The EFI data that Linux expects when it is started without firmware (arch/loongarch/kernel/{efi,env}.c): a system table without
 * services, whose configuration tables describe memory, initrd, ACPI and device tree.
 */
import { TableBytes } from '../formats/bytes.ts';

/** Memory types of UEFI 2.10, section 7.2. */
export const MEMORY = { reserved: 0, conventional: 7, acpiReclaim: 9 } as const;
const WRITE_BACK = 8;
const PAGE = 4096;

/** A range of physical memory, page-aligned. */
export interface MemoryRange {
  readonly type: number;
  readonly base: number;
  readonly size: number;
}

export interface EfiContents {
  /** Address of the tables. */
  readonly base: number;
  readonly memory: readonly MemoryRange[];
  readonly initrd?: { readonly base: number; readonly size: number } | undefined;
  /** Physical address of ACPI's root pointer. */
  readonly acpi: number;
  /** Physical address of the device tree. */
  readonly deviceTree: number;
}

// biome-ignore format: one a line
const GUID = {
  memoryMap: '800f683f-d08b-423a-a293-965c3c6fe2b4',
  initrd: '5568e427-68fc-4f3d-ac74-ca555231cc68',
  acpi: '8868e871-e4f1-11d3-bc22-0080c73c8881',
  deviceTree: 'b1b621d5-f19c-41a5-830b-d9152c69aae0',
} as const;

const SYSTEM_TABLE_BYTES = 120;
const SIGNATURE = [0x49, 0x42, 0x49, 0x20, 0x53, 0x59, 0x53, 0x54];
const REVISION = 0x0002_0064;

/** A GUID as it lies in memory: the first three parts little-endian. */
function guid(text: string): number[] {
  const [a, b, c, d, e] = text.split('-').map((part) => part.match(/../g)!.map((x) => Number.parseInt(x, 16)));
  return [...a!.reverse(), ...b!.reverse(), ...c!.reverse(), ...d!, ...e!];
}

/** Makes the system table and everything that it points to, for the address `base`. The system table is first. */
export function efiTables({ base, memory, initrd, acpi, deviceTree }: EfiContents): Uint8Array {
  const vendor = [...'loongscope\0'].map((c) => c.charCodeAt(0));
  const vendorAt = base + SYSTEM_TABLE_BYTES;
  const mapAt = Math.ceil((vendorAt + 2 * vendor.length) / 8) * 8;
  const map = new TableBytes();
  const DESCRIPTOR = 40;
  map
    .u64(DESCRIPTOR * memory.length)
    .u64(DESCRIPTOR)
    .u32(1)
    .u32(0)
    .u64(0)
    .u64(DESCRIPTOR * memory.length);
  for (const r of memory)
    map
      .u32(r.type)
      .u32(0)
      .u64(r.base)
      .u64(0)
      .u64(r.size / PAGE)
      .u64(WRITE_BACK);
  const initrdAt = mapAt + map.length;
  const tablesAt = initrdAt + 16;
  const tables: (readonly [string, number])[] = [
    [GUID.memoryMap, mapAt],
    ...(initrd ? [[GUID.initrd, initrdAt] as const] : []),
    [GUID.acpi, acpi],
    [GUID.deviceTree, deviceTree],
  ];
  const b = new TableBytes().raw(SIGNATURE).u32(REVISION).u32(SYSTEM_TABLE_BYTES).u32(0).u32(0);
  b.u64(vendorAt).u32(0x10000).u32(0).padTo(0x68);
  b.u64(tables.length).u64(tablesAt);
  for (const c of vendor) b.u16(c);
  b.padTo(mapAt - base).raw(map.finish());
  b.u64(initrd?.base ?? 0).u64(initrd?.size ?? 0);
  for (const [id, at] of tables) b.raw(guid(id)).u64(at);
  return b.finish();
}
