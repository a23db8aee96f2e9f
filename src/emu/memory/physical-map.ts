/**
 * The addresses of RAM and devices on the board, and their interrupt inputs (QEMU's `virt`; docs/board.md). RAM, devices,
 * device tree, ACPI tables and boot take their addresses from here.
 */

/** So much RAM is at physical address 0, the rest at {@link HIGH_BASE}, as on QEMU's `virt` board. */
export const LOW_SIZE = 0x10000000;
export const HIGH_BASE = 0x80000000;

/** Addresses, and inputs of the PCH-PIC. */
export const PLATFORM = {
  /** Global system interrupt of PCH-PIC input 0. */
  gsiBase: 64,
  /** ESTAT.IS bit that the interrupt controller uses. */
  eiointcPin: 3,
  pchPic: { base: 0x10000000, size: 0x400 },
  rtc: { base: 0x100d0100, size: 0x100, input: 6 },
  ged: {
    base: 0x100e0000,
    size: 0x20,
    input: 7,
    sleepControl: 0x1c,
    sleepStatus: 0x1d,
    reset: 0x1e,
    powerOffValue: 0x34,
    resetValue: 0x42,
    /** Event bit. */
    powerButton: 2,
  },
  /** The flash that firmware runs from, and the flash for its variables. */
  flash0: { base: 0x1c000000, size: 0x1000000 },
  flash1: { base: 0x1d000000, size: 0x1000000 },
  fwCfg: { base: 0x1e020000, size: 0x18 },
  uarts: [0x1fe001e0, 0x1fe002e0, 0x1fe003e0, 0x1fe004e0].map((base, n) => ({ base, input: 2 + n })),
  msi: { base: 0x2ff00000, size: 8, firstVector: 0x20 },
  /** PCI Express: configuration space, ports, memory; four interrupt lines. */
  ecam: { base: 0x20000000, size: 0x8000000, buses: 0x80 },
  pciIo: { base: 0x18004000, size: 0xc000, first: 0x4000 },
  pciMemory: { base: 0x40000000, size: 0x40000000 },
  pciInput: 16,
  /** QEMU's platform bus is empty. Here virtio devices without PCI are at its beginning. */
  platformBus: { base: 0x16000000, size: 0x2000000 },
  virtioMmio: { base: 0x16000000, size: 0x200, input: 20, most: 8 },
  /** Command line (a1) and EFI system table (a2) of a direct boot; ACPI tables, which memory maps leave out; device tree. */
  commandLine: 0x0,
  systemTable: 0x200,
  acpi: { base: 0xe0000, size: 0x20000 },
  deviceTree: 0x100000,
  /** As on QEMU, the blob has free space at its end: kernels give out memory behind it, and some edit it. */
  deviceTreeRoom: 0x100000,
} as const;

/** Where RAM lies. */
export function memoryRanges(ramSize: number): readonly { readonly base: number; readonly size: number }[] {
  const low = Math.min(ramSize, LOW_SIZE);
  return [{ base: 0, size: low }, ...(ramSize > low ? [{ base: HIGH_BASE, size: ramSize - low }] : [])];
}
