/** System Management BIOS tables (DMTF DSP0134 3.7): the identity of the machine, which firmware passes on. */

import { TableBytes } from '../formats/bytes.ts';
import { PLATFORM } from '../memory/physical-map.ts';

/** The version of the standard: 3.7. */
const VERSION = { major: 3, minor: 7 } as const;
const ANCHOR_BYTES = 24;
const TYPE = { bios: 0, system: 1, chassis: 3, end: 127 } as const;
const MAKER = 'loongscope';

/** A structure: its formatted part, then its texts. */
function structure(
  b: TableBytes,
  type: number,
  handle: number,
  body: (b: TableBytes) => void,
  texts: readonly string[],
): void {
  const inner = new TableBytes();
  body(inner);
  b.u8(type, inner.length + 4)
    .u16(handle)
    .raw(inner.finish());
  for (const t of texts) b.text(t).u8(0);
  // Two zero bytes end it, even when there is no text.
  b.u8(0);
  if (texts.length === 0) b.u8(0);
}

/** The structures, and the entry point with their address (firmware fills in the address). */
export function smbiosTables(): { readonly anchor: Uint8Array; readonly tables: Uint8Array } {
  const b = new TableBytes();
  const romBlocks = PLATFORM.flash0.size / 0x10000 - 1;
  structure(
    b,
    TYPE.bios,
    0,
    // Maker, version, no segment, date, size of the ROM, characteristics (not said; UEFI, a virtual machine), releases.
    (t) => t.u8(1, 2).u16(0).u8(3, Math.min(romBlocks, 0xff)).u64(8).u8(0, 0x18, 0xff, 0xff, 0xff, 0xff),
    [MAKER, '1', '01/01/2026'],
  );
  structure(b, TYPE.system, 0x100, (t) => t.u8(1, 2, 3, 0).raw(new Uint8Array(16)).u8(6, 0, 0), [MAKER, 'virt', '1']);
  structure(b, TYPE.chassis, 0x300, (t) => t.u8(1, 1, 0, 0, 0, 3, 3, 3, 2).u32(0).u8(0, 0, 0, 0, 0), [MAKER]);
  structure(b, TYPE.end, 0x7f00, () => {}, []);
  const tables = b.finish();
  const anchor = new TableBytes().text('_SM3_').u8(0, ANCHOR_BYTES, VERSION.major, VERSION.minor, 0, 1, 0);
  const out = anchor.u32(tables.length).u64(0).finish();
  out[5] = -out.reduce((a, x) => (a + x) & 0xff, 0) & 0xff;
  return { anchor: out, tables };
}
