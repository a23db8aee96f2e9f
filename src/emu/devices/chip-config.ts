import type { Stateful } from '../state/fields.ts';
import { bytesOf, type RegisterTable, registerAt, registerTable, resetOf } from './register-table.ts';

const ONES = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/** Registers of the IOCSR space that every board has. */
export const IOCSR_REGISTERS = registerTable({
  device: 'iocsr',
  source: 'Loongson 3A5000 user manual, chapter 4 (chip configuration registers); values as QEMU’s virt board has them',
  registers: [
    { offset: 0x000, width: 8, name: 'Version', access: 'ro', reset: 0x11n, text: 'complete' },
    {
      ...{ offset: 0x008, width: 8, name: 'Features', access: 'ro', reset: 0x1cn },
      text: 'MSI, extended interrupts and IPI by IOCSR: what is modelled. Guest mode is 0, because this is a bare machine',
    },
    { offset: 0x010, width: 8, name: 'Vendor', access: 'ro', reset: 0x6e6f73676e6f6f4cn, text: '“Loongson”' },
    { offset: 0x020, width: 8, name: 'Name', access: 'ro', reset: 0x0000303030354133n, text: '“3A5000”' },
    {
      ...{ offset: 0x420, width: 8, name: 'MISC_FUNC', access: 'rw', reset: 0x38000000, bits: 0x0ffffffffffffdffn },
      text: 'bit 49 (INT_encode) numbers pins in EXT_IOImap; EXT_INT_en is kept, and the EIOINTC always works; the rest is kept',
    },
  ],
});

/** Further configuration registers of the chip. Nothing depends on them: what is written is kept. */
export const CHIP_REGISTERS = registerTable({
  device: 'chip (ls3a5000 only)',
  source: 'Loongson 3A5000 user manual, chapters 4, 6 and 7, section 11.1',
  registers: [
    {
      ...{ offset: 0x180, width: 8, name: 'Function_config', access: 'rw', reset: 0x3d000f00bb003de0n, bits: ONES(48) },
      text: 'kept',
    },
    { offset: 0x188, width: 8, name: 'Pin_driver', access: 'rw', text: 'kept' },
    { offset: 0x190, width: 8, name: 'Function_sample', access: 'ro', text: '0: no core is bad' },
    { offset: 0x198, width: 8, name: 'Temperature_sample', access: 'ro', text: 'reads 0' },
    { offset: 0x1b0, width: 8, count: 2, name: 'Node_clock', access: 'rw', text: 'kept; no PLL locks' },
    { offset: 0x1c0, width: 8, name: 'Memory_clock', access: 'rw', text: 'kept; no PLL locks' },
    { offset: 0x1d0, width: 8, name: 'Core_clock', access: 'rw', reset: 0xffffn, text: 'kept' },
    { offset: 0x1d8, width: 8, name: 'Core_reset', access: 'rw', reset: 0xffn, text: 'kept; resets no core' },
    { offset: 0x400, width: 8, name: 'Routing', access: 'rw', reset: 0xc00000f0n, text: 'kept' },
    { offset: 0x408, width: 8, name: 'Node_counter', access: 'ro', text: 'reads 0' },
    { offset: 0x428, width: 8, name: 'Centigrade', access: 'ro', text: 'reads 0' },
    { offset: 0x430, width: 8, name: 'SRAM', access: 'rw', text: 'kept' },
    { offset: 0x460, width: 8, count: 4, name: 'Fuse', access: 'rw', text: 'kept' },
    {
      ...{ offset: 0x500, width: 8, name: 'GPIO_OEn', access: 'rw', reset: 0xffff0000ffffffffn },
      text: 'kept; there are no pins',
    },
    { offset: 0x508, width: 8, name: 'GPIO_IO', access: 'rw', bits: ONES(32), text: 'outputs are kept; inputs read 0' },
    { offset: 0x510, width: 8, name: 'GPIO_INT', access: 'rw', text: 'kept; no pin interrupts' },
    {
      offset: 0x1400,
      width: 1,
      count: 32,
      name: 'Entry',
      access: 'rw',
      text: 'kept; no device uses legacy interrupts',
    },
    { offset: 0x1420, width: 4, name: 'Intisr', access: 'ro', text: 'reads 0' },
    { offset: 0x1424, width: 4, name: 'Inten', access: 'ro', text: 'reads 0' },
    { offset: 0x1428, width: 4, name: 'Intenset', access: 'rw', text: 'kept' },
    { offset: 0x142c, width: 4, name: 'Intenclr', access: 'rw', text: 'kept' },
    { offset: 0x1434, width: 4, name: 'Intedge', access: 'rw', text: 'kept' },
    { offset: 0x1440, width: 8, count: 4, name: 'CORE_INTISR', access: 'ro', text: 'reads 0' },
  ],
});

/** Bytes that addresses of the chip reach. */
const SPACE = 0x10000;

/** Registers that keep what is written, in words. */
export class ChipConfig implements Stateful {
  readonly stateFields = ['kept'];
  private readonly sheets: readonly RegisterTable[];
  /** Addresses that no sheet has keep what is written, too. */
  private readonly open: boolean;
  private readonly kept = new Map<number, number>();

  /** @param whole with all registers of the chip, and not only those that every board has */
  constructor(whole: boolean) {
    this.sheets = whole ? [IOCSR_REGISTERS, CHIP_REGISTERS] : [IOCSR_REGISTERS];
    this.open = whole;
  }

  reset(): void {
    this.kept.clear();
  }

  /** Is there a declared register in the word at an offset? */
  declares(at: number): boolean {
    return this.sheets.some((s) => registerAt(s, at) !== undefined);
  }

  /** The bits of a value of 64 bits that are in the word at an offset. */
  private static part(value: number | bigint, first: number, at: number): number {
    return Number((BigInt(value) >> BigInt(8 * (at - first))) & 0xffffffffn);
  }

  /** Reads the word at an offset; undefined where nothing is. */
  read(at: number): number | undefined {
    const kept = this.kept.get(at);
    if (kept !== undefined) return kept;
    for (const s of this.sheets) {
      const r = registerAt(s, at);
      if (r) return ChipConfig.part(resetOf(r), r.offset, at) | 0;
    }
    return this.open && at >= 0 && at < SPACE ? 0 : undefined;
  }

  /** Writes those bits of the word at an offset that `mask` has. @returns false where nothing is */
  write(at: number, value: number, mask: number): boolean {
    const before = this.read(at);
    if (before === undefined) return false;
    let writable = mask;
    for (const s of this.sheets) {
      const r = registerAt(s, at);
      if (!r) continue;
      if (r.access === 'ro') return true;
      writable &= ChipConfig.part(r.bits ?? ONES(8 * bytesOf(r)), r.offset, at);
    }
    this.kept.set(at, (before & ~writable) | (value & writable));
    return true;
  }
}
