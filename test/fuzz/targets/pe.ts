/** Linux's images: plain, and those that are unpacked. */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { decompress } from '../../../src/cli/decompress.ts';
import { parseLinuxImage } from '../../../src/emu/boot/linux-image.ts';
import { loadRam } from '../../../src/emu/boot/load.ts';
import { ImageError } from '../../../src/emu/formats/image-error.ts';
import { LinearMemory } from '../../../src/emu/memory/linear-memory.ts';
import { Ram } from '../../../src/emu/memory/ram.ts';
import { Fault, guarded, type Target } from '../oracle.ts';

const RAM_SIZE = 4 << 20;
/** No kernel is larger once it is unpacked. */
const MOST_UNPACKED = 256 << 20;
const ram = new Ram(new LinearMemory(1, RAM_SIZE), RAM_SIZE);
const platform = { cpus: 1, ramSize: RAM_SIZE };

export const fuzz: Target = guarded({
  ours: [ImageError],
  run: (data) => {
    let unpacked = 0;
    const image = parseLinuxImage(data, 'vmlinuz', (name, bytes) => {
      const out = decompress(name, bytes);
      unpacked = out?.length ?? 0;
      return out;
    });
    if (unpacked > MOST_UNPACKED) throw new Fault(`${data.length} bytes unpack to ${unpacked}`);
    loadRam(ram, { image, commandLine: '', extra: [] }, platform);
  },
});

/** Node's zlib frees what it has failed with in the event loop. */
export const needsEventLoop = true;

/** A kernel with the least header. */
function kernel(): Uint8Array {
  const bytes = new Uint8Array(256);
  const v = new DataView(bytes.buffer);
  v.setUint16(0, 0x5a4d, true);
  v.setBigUint64(0x8, 0x200000n, true);
  v.setBigUint64(0x10, 256n, true);
  v.setBigUint64(0x18, 0x200000n, true);
  v.setUint32(0x38, 0x818223cd, true);
  v.setUint32(0x3c, 0x40, true);
  v.setUint32(0x40, 0x4550, true);
  v.setUint16(0x44, 0x6264, true);
  return bytes;
}

/** A zboot image around a payload. */
function zboot(name: string, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(64 + payload.length);
  const v = new DataView(bytes.buffer);
  v.setUint16(0, 0x5a4d, true);
  v.setUint32(4, 0x676d697a, true);
  v.setUint32(8, 64, true);
  v.setUint32(12, payload.length, true);
  bytes.set(Buffer.from(name), 24);
  bytes.set(payload, 64);
  return bytes;
}

export const seeds = (): Uint8Array[] => [
  kernel(),
  zboot('gzip', gzipSync(kernel())),
  zboot('zstd', zstdCompressSync(kernel())),
  zboot('zstd', zstdCompressSync(new Uint8Array(1 << 24))),
  zboot('gzip', zboot('gzip', kernel())),
  zboot('lzma', kernel()),
];

export const dictionary: readonly (string | Uint8Array)[] = [
  'MZ',
  'zimg',
  'gzip\0\0\0\0',
  'zstd\0\0\0\0',
  'constructor',
  Uint8Array.of(0xcd, 0x23, 0x82, 0x81),
  Uint8Array.of(0x64, 0x62),
  Uint8Array.of(0x1f, 0x8b, 8),
  Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd),
];
