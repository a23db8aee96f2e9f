/**
 * Linux's own image formats for LoongArch: the flat PE/EFI-stub `Image` (Documentation/arch/loongarch/booting.rst) and the
 * zboot `vmlinuz` around a compressed one (drivers/firmware/efi/libstub/zboot-header.S).
 */

import { ImageError } from '../formats/image-error.ts';
import { viewOf } from '../formats/little-endian.ts';
import { type ElfImage, PHYSICAL_MASK } from './elf.ts';

/** "MZ", and the signature of LoongArch's header at {@link HEADER.signature}. */
const MZ = 0x5a4d;
const SIGNATURE = 0x818223cd;
const HEADER = { entry: 0x8, size: 0x10, loadOffset: 0x18, signature: 0x38, pe: 0x3c } as const;
const HEADER_BYTES = 64;
/** "PE", and two zeros. */
const PE_SIGNATURE = 0x4550;
/** zboot: "zimg", then where the payload is, and the name of its compression. */
const ZIMG = 0x676d697a;
const ZBOOT = { magic: 4, offset: 8, size: 12, compression: 24 } as const;
const COMPRESSION_BYTES = 8;
/** COFF machine numbers in messages. */
const MACHINES: Readonly<Record<number, string>> = { 34404: 'x86-64', 43620: 'arm64', 20580: 'RISC-V 64' };
const LOONGARCH64 = 0x6264;

/** Unpacks a payload; undefined when it does not know the compression. For damaged data it throws the error of the library. */
export type Decompress = (compression: string, data: Uint8Array) => Uint8Array | undefined;

/** Is this a PE image or a self-extracting one? Then {@link parseLinuxImage} decides whether it can be booted. */
export const isPe = (bytes: Uint8Array): boolean => bytes.length >= 2 && viewOf(bytes).getUint16(0, true) === MZ;

/**
 * Reads a kernel image, and unpacks it when it is compressed.
 * @param file name for messages
 * @throws ImageError when it is damaged, or for another machine
 */
export function parseLinuxImage(bytes: Uint8Array, file: string, decompress: Decompress): ElfImage {
  const bad = (what: string, todo: string): ImageError => new ImageError(`${file}: ${what}: ${todo}`);
  if (bytes.length < HEADER_BYTES) throw bad('is cut short inside its header', 'copy the file again');
  const header = viewOf(bytes);
  if (header.getUint32(ZBOOT.magic, true) === ZIMG) return parseLinuxImage(unpack(), file, decompress);
  const pe = header.getUint32(HEADER.pe, true);
  const isLinux = header.getUint32(HEADER.signature, true) === SIGNATURE;
  const hasPe = pe >= HEADER_BYTES && pe + 6 <= bytes.length && header.getUint32(pe, true) === PE_SIGNATURE;
  // Small kernels have Linux's header without a PE header, and QEMU takes them.
  if (hasPe || !isLinux) {
    const machine = hasPe ? header.getUint16(pe + 4, true) : undefined;
    if (machine !== LOONGARCH64)
      throw bad(
        `is a program for ${machine === undefined ? 'DOS' : (MACHINES[machine] ?? `PE machine 0x${machine.toString(16)}`)}`,
        'give a kernel for loongarch64, or copy the file as it is with --load ADDRESS',
      );
    if (!isLinux)
      throw bad(
        'is a UEFI program and no Linux kernel',
        'start it from the firmware (--firmware), or copy the file as it is with --load ADDRESS',
      );
  }
  const u64 = (at: number): bigint => header.getBigUint64(at, true);
  const size = Number(u64(HEADER.size));
  if (size < bytes.length - 0x1000000 || size > 2 ** 32) throw bad('has an impossible size', 'the file is damaged');
  const paddr = u64(HEADER.loadOffset) & PHYSICAL_MASK;
  return {
    entry: u64(HEADER.entry) & PHYSICAL_MASK,
    segments: [{ paddr, vaddr: paddr, memsz: Math.max(size, bytes.length), data: bytes }],
  };

  function unpack(): Uint8Array {
    const offset = header.getUint32(ZBOOT.offset, true);
    const length = header.getUint32(ZBOOT.size, true);
    if (offset + length > bytes.length)
      throw bad(`is truncated: its payload ends at byte ${offset + length} of ${bytes.length}`, 'copy the file again');
    const name = bytes.subarray(ZBOOT.compression, ZBOOT.compression + COMPRESSION_BYTES);
    const compression = String.fromCharCode(...name).replace(/\0.*$/s, '');
    let out: Uint8Array | undefined;
    try {
      out = decompress(compression, bytes.subarray(offset, offset + length));
    } catch (error) {
      throw bad(`has a damaged payload (${(error as Error).message})`, 'copy the file again');
    }
    if (!out)
      throw bad(`is compressed with '${compression}'`, 'give a kernel packed with zstd or gzip, or the Image itself');
    if (!isPe(out) || (out.length >= 8 && viewOf(out).getUint32(ZBOOT.magic, true) === ZIMG))
      throw bad('has something else than a kernel inside', 'build it again');
    return out;
  }
}
