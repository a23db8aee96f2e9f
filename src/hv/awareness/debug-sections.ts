/** Sections of debug information of an ELF file, unpacked. */
import { Buffer } from 'node:buffer';
import { inflateSync, zstdDecompressSync } from 'node:zlib';
import { elfSections } from '../../emu/boot/elf-sections.ts';

const SHF_COMPRESSED = 0x800;
const COMPRESSION_HEADER = 24;
const COMPRESSED_WITH_ZSTD = 2;

/** @returns a section by its name; empty when it is absent or damaged */
export function debugSections(bytes: Uint8Array): (name: string) => Buffer {
  const sections = elfSections(bytes);
  return (name) => {
    const s = sections.find((one) => one.name === name);
    return s ? unpacked(s.data, s.flags) : Buffer.alloc(0);
  };
}

/** The content of a section, which may be compressed. */
function unpacked(data: Uint8Array, flags: number): Buffer {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if ((flags & SHF_COMPRESSED) === 0 || bytes.length < COMPRESSION_HEADER) return bytes;
  const body = bytes.subarray(COMPRESSION_HEADER);
  try {
    return bytes.readUInt32LE(0) === COMPRESSED_WITH_ZSTD ? zstdDecompressSync(body) : inflateSync(body);
  } catch {
    return Buffer.alloc(0);
  }
}
