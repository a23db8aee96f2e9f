import { assemble } from './test-machine.ts';

/** An ELF with instructions at 0x200000, where it starts. */
export function elfOf(lines: readonly string[]): Uint8Array {
  const code = new Uint8Array(Uint32Array.from(lines.map(assemble)).buffer);
  const header = tinyElf().slice(0, 120);
  const v = new DataView(header.buffer);
  v.setBigUint64(64 + 32, BigInt(code.length), true);
  // Room for data behind the code.
  v.setBigUint64(64 + 40, BigInt(code.length + 0x1000), true);
  const out = new Uint8Array(120 + code.length);
  out.set(header);
  out.set(code, 120);
  return out;
}

/**
 * An ELF of two instructions at 0x200000: `word`, and a branch back to it. `b 0` (the default) is an endless loop.
 */
export function tinyElf(word = 0x50000000): Uint8Array {
  const bytes = new Uint8Array(64 + 56 + 8);
  const v = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  v.setUint16(16, 2, true);
  v.setUint16(18, 258, true);
  v.setBigUint64(24, 0x200000n, true);
  v.setBigUint64(32, 64n, true);
  v.setUint16(54, 56, true);
  v.setUint16(56, 1, true);
  v.setUint32(64, 1, true);
  v.setBigUint64(64 + 8, 120n, true);
  v.setBigUint64(64 + 16, 0x200000n, true);
  v.setBigUint64(64 + 24, 0x200000n, true);
  v.setBigUint64(64 + 32, 8n, true);
  v.setBigUint64(64 + 40, 8n, true);
  v.setUint32(120, word, true);
  v.setUint32(124, 0x53ffffff, true); // b -4
  return bytes;
}

/** `idle 0` with every interrupt off: the machine waits for ever. */
export const IDLE = 0x06488000;

/**
 * An ELF with functions at these addresses, and without their code: what `--symbols` needs of a kernel.
 * @param code where its section of eight bytes of code lies, with its entry
 */
export function symbolsElf(symbols: ReadonlyMap<string, bigint>, code = 0x200000n): Uint8Array {
  const names = Buffer.from(`\0${[...symbols.keys()].join('\0')}\0`);
  const table = Buffer.alloc(24 * (symbols.size + 1));
  let name = 1;
  [...symbols].forEach(([text, address], n) => {
    const at = 24 * (n + 1);
    table.writeUInt32LE(name, at);
    table.writeUInt8(0x12, at + 4); // global, a function
    table.writeUInt16LE(1, at + 6);
    table.writeBigUInt64LE(address, at + 8);
    name += text.length + 1;
  });
  const header = Buffer.from(tinyElf());
  const sections = Buffer.alloc(64 * 4);
  const section = (n: number, type: number, flags: number, offset: number, size: number, link: number): void => {
    sections.writeUInt32LE(type, 64 * n + 4);
    sections.writeBigUInt64LE(BigInt(flags), 64 * n + 8);
    sections.writeBigUInt64LE(BigInt(offset), 64 * n + 24);
    sections.writeBigUInt64LE(BigInt(size), 64 * n + 32);
    sections.writeUInt32LE(link, 64 * n + 40);
    sections.writeBigUInt64LE(24n, 64 * n + 56);
  };
  const [tableAt, namesAt] = [header.length, header.length + table.length];
  section(1, 1, 6, 120, 8, 0);
  for (const place of [24, 64 + 16, 64 + 24]) header.writeBigUInt64LE(code, place);
  sections.writeBigUInt64LE(code, 64 + 16);
  section(2, 2, 0, tableAt, table.length, 3);
  section(3, 3, 0, namesAt, names.length, 0);
  header.writeBigUInt64LE(BigInt(namesAt + names.length), 40);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(4, 60);
  header.writeUInt16LE(3, 62);
  return Buffer.concat([header, table, names, sections]);
}
