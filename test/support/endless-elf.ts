/** An ELF file with one instruction, `b 0`, at 0x200000. */
export function endlessElf(): Uint8Array {
  const bytes = new Uint8Array(64 + 56 + 4);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  const [EXEC, LOONGARCH, AT] = [2, 258, 0x200000n];
  view.setUint16(16, EXEC, true);
  view.setUint16(18, LOONGARCH, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, AT, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  // A segment to load: readable and executable.
  view.setUint32(64, 1, true);
  view.setUint32(68, 5, true);
  view.setBigUint64(72, 120n, true);
  view.setBigUint64(80, AT, true);
  view.setBigUint64(88, AT, true);
  view.setBigUint64(96, 4n, true);
  view.setBigUint64(104, 4n, true);
  view.setBigUint64(112, 4n, true);
  view.setUint32(120, 0x50000000, true);
  return bytes;
}
