/** ELF files without their debug information: a page shows names, and no lines. */

const SECTION_BYTES = 64;
/** Places in the ELF header (64 bits, little-endian). */
const [SHOFF, SHNUM, SHSTRNDX] = [0x28, 0x3c, 0x3e];

/** The file with zeros where its debug sections were: packed, they are almost nothing. */
export function withoutDebugInformation(file: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(file);
  const view = new DataView(bytes.buffer);
  const headers = Number(view.getBigUint64(SHOFF, true));
  const at = (n: number): number => headers + n * SECTION_BYTES;
  const place = (n: number): [number, number] => [
    Number(view.getBigUint64(at(n) + 0x18, true)),
    Number(view.getBigUint64(at(n) + 0x20, true)),
  ];
  const [names] = place(view.getUint16(SHSTRNDX, true));
  for (let n = 0; n < view.getUint16(SHNUM, true); n++) {
    const from = names + view.getUint32(at(n), true);
    const name = new TextDecoder().decode(bytes.subarray(from, bytes.indexOf(0, from)));
    const [offset, size] = place(n);
    if (name.startsWith('.debug')) bytes.fill(0, offset, offset + size);
  }
  return bytes;
}
