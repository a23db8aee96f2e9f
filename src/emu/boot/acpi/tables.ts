/** The ACPI tables of the board (ACPI 6.5, chapter 5), made from its declarations. Without firmware, load.ts places them in RAM. */
import { acpiDevices, type Platform, topologyOf } from '../../board/platform.ts';
import * as aml from '../../formats/aml.ts';
import { TableBytes } from '../../formats/bytes.ts';
import { memoryRanges, PLATFORM } from '../../memory/physical-map.ts';

const OEM = 'LSCOPE';
const TABLE = 'LOONGSCP';
const CREATOR = 'LSCP';
const HEADER_BYTES = 36;
/** Generic address structures. */
const SYSTEM_MEMORY = 0;
const BYTE_ACCESS = 1;

const sum = (bytes: Uint8Array): number => bytes.reduce((a, b) => (a + b) & 0xff, 0);

/** A table with its header, and a checksum that makes all bytes add up to 0. */
function table(signature: string, revision: number, body: (b: TableBytes) => void): Uint8Array {
  const b = new TableBytes().text(signature).u32(0).u8(revision, 0).text(OEM).text(TABLE).u32(1).text(CREATOR).u32(1);
  body(b);
  const out = b.finish();
  new DataView(out.buffer).setUint32(4, out.length, true);
  out[9] = -sum(out) & 0xff;
  return out;
}

/** A structure of a type and a length of one byte each. */
const entry = (type: number, body: (b: TableBytes) => void): Uint8Array => {
  const b = new TableBytes();
  body(b);
  return new TableBytes()
    .u8(type, b.length + 2)
    .raw(b.finish())
    .finish();
};

const address = (b: TableBytes, at: number): TableBytes => b.u8(SYSTEM_MEMORY, 8, 0, BYTE_ACCESS).u64(at);

/** Interrupt controllers (section 5.2.12; LoongArch entries: 5.2.12.20 and following). */
const madt = (p: Platform): Uint8Array =>
  table('APIC', 6, (b) => {
    b.u32(0).u32(1);
    for (let n = 0; n < p.cpus; n++) b.raw(entry(0x11, (e) => e.u8(1).u32(n).u32(n).u32(1)));
    b.raw(entry(0x14, (e) => e.u8(1, PLATFORM.eiointcPin, 0).u64(0xffff)));
    b.raw(
      entry(0x15, (e) =>
        e
          .u8(1)
          .u64(PLATFORM.msi.base)
          .u32(PLATFORM.msi.firstVector)
          .u32(256 - PLATFORM.msi.firstVector),
      ),
    );
    b.raw(entry(0x16, (e) => e.u8(1).u64(PLATFORM.pchPic.base).u16(0x1000).u16(0).u16(PLATFORM.gsiBase)));
  });

/** Configuration space of PCI Express. */
const mcfg = (): Uint8Array =>
  table('MCFG', 1, (b) =>
    b
      .u64(0)
      .u64(PLATFORM.ecam.base)
      .u16(0)
      .u8(0, PLATFORM.ecam.buses - 1)
      .u32(0),
  );

/** The serial console (Serial Port Console Redirection, revision 2): a 16550 at 115200 baud. */
const spcr = (): Uint8Array => {
  const uart = PLATFORM.uarts[0]!;
  return table('SPCR', 2, (b) => {
    b.u8(0, 0, 0, 0);
    address(b, uart.base);
    // No ISA interrupt, only the global one. Bit 3 of the interrupt type is not for x86, so the type is 0.
    b.u8(0, 0)
      .u32(PLATFORM.gsiBase + uart.input)
      .u8(7, 0, 1, 0, 0, 0)
      .u16(0xffff)
      .u16(0xffff)
      .u8(0, 0, 0)
      .u32(0)
      .u8(0)
      .u32(0);
  });
};

/** Processor topology (section 5.2.30): packages of cores, and of threads if a core has several. */
const pptt = (p: Platform): Uint8Array =>
  table('PPTT', 3, (b) => {
    const { sockets, cores, threads } = topologyOf(p);
    const PHYSICAL = 1;
    const LEAF = 0x0a; // a leaf with a valid processor number
    const THREAD = 0x04; // the processor is a thread
    /** Adds a node. @returns its offset in the table */
    const put = (flags: number, parent: number, id: number): number => {
      const at = HEADER_BYTES + b.length - start;
      b.raw(entry(0, (e) => e.u16(0).u32(flags).u32(parent).u32(id).u32(0)));
      return at;
    };
    const start = b.length;
    for (let s = 0, cpu = 0; s < sockets; s++) {
      const socket = put(PHYSICAL, 0, s);
      for (let k = 0; k < cores; k++) {
        const parent = threads === 1 ? socket : put(0, socket, k);
        for (let t = 0; t < threads; t++) put(threads === 1 ? LEAF : LEAF | THREAD, parent, cpu++);
      }
    }
  });

/** Proximity domains: all CPUs and all memory are in domain 0. Linux needs this table for huge pages. */
const srat = ({ cpus, ramSize }: Platform): Uint8Array =>
  table('SRAT', 3, (b) => {
    const ENABLED = 1;
    b.u32(1).u64(0);
    for (let n = 0; n < cpus; n++) b.raw(entry(0, (e) => e.u8(0, n).u32(ENABLED).u8(0, 0, 0, 0).u32(0)));
    for (const { base, size } of memoryRanges(ramSize))
      b.raw(entry(1, (e) => e.u32(0).u16(0).u64(base).u64(size).u32(0).u32(ENABLED).u64(0)));
  });

/** Fixed hardware: only the registers of the power control (section 5.2.9, a hardware-reduced machine). */
const FADT_BYTES = 268;
const HW_REDUCED = 1 << 20;
const RESET_REG_SUP = 1 << 10;
const fadt = (dsdt: number): Uint8Array => {
  const { ged } = PLATFORM;
  return table('FACP', 5, (b) => {
    b.u32(0).u32(dsdt).padTo(112);
    b.u32(HW_REDUCED | RESET_REG_SUP);
    address(b, ged.base + ged.reset)
      .u8(ged.resetValue)
      .u16(0)
      .u8(1)
      .u64(0)
      .u64(dsdt)
      .padTo(244);
    address(b, ged.base + ged.sleepControl);
    address(b, ged.base + ged.sleepStatus).padTo(FADT_BYTES);
  });
};

/** The DSDT: the devices that the operating system enumerates. */
const dsdt = (p: Platform): Uint8Array =>
  table('DSDT', 2, (b) => {
    const cpus = Array.from({ length: p.cpus }, (_, n) =>
      aml.device(
        `C${n.toString(16).toUpperCase().padStart(3, '0')}`,
        aml.name('_HID', aml.hid('ACPI0007')),
        aml.name('_UID', aml.integer(n)),
      ),
    );
    b.raw(
      aml.scope(
        '\\_SB',
        aml.device('CPUS', aml.name('_HID', aml.hid('ACPI0010')), aml.name('_CID', aml.hid('PNP0A05')), ...cpus),
        ...acpiDevices(p),
      ),
    );
    const SLEEP_TYPE_5 = 5;
    b.raw(aml.name('\\_S5', aml.list(...[SLEEP_TYPE_5, 0, 0, 0].map(aml.integer))));
  });

/** The tables, one after the other, for an address in memory. */
export interface AcpiTables {
  readonly data: Uint8Array;
  /** Physical address of the root pointer, which comes last. */
  readonly root: number;
  /** For firmware that places the tables: offsets of addresses that must be relocated, and of checksums. */
  readonly pointers: readonly { readonly at: number; readonly size: number }[];
  readonly checksums: readonly { readonly at: number; readonly start: number; readonly length: number }[];
}

const ALIGN = 64;
const CHECKSUM_AT = 9;
/** Addresses in the FADT: of the DSDT, 32 and 64 bits wide. */
const FADT_DSDT = [
  { at: 40, size: 4 },
  { at: 140, size: 8 },
] as const;
const ROOT_BYTES = 36;
/** Offsets in the root pointer: the address of the XSDT; the checksums of its first part and of all of it. */
const ROOT_XSDT = 24;
const ROOT_CHECKSUMS = [
  { at: 8, length: 20 },
  { at: 32, length: ROOT_BYTES },
] as const;

/** Makes all tables, to lie from physical address `base` on. */
export function acpiTables(p: Platform, base: number): AcpiTables {
  const b = new TableBytes();
  const pointers: { at: number; size: number }[] = [];
  const checksums: { at: number; start: number; length: number }[] = [];
  const place = (t: Uint8Array): number => {
    b.padTo(Math.ceil(b.length / ALIGN) * ALIGN);
    const at = base + b.length;
    b.raw(t);
    return at;
  };
  const placeTable = (t: Uint8Array): number => {
    const start = place(t);
    checksums.push({ at: start + CHECKSUM_AT, start, length: t.length });
    return start;
  };
  const fixed = placeTable(fadt(placeTable(dsdt(p))));
  for (const { at, size } of FADT_DSDT) pointers.push({ at: fixed + at, size });
  const listed = [fixed, ...[madt(p), pptt(p), srat(p), mcfg(), spcr()].map(placeTable)];
  const xsdt = placeTable(
    table('XSDT', 1, (t) => {
      for (const at of listed) t.u64(at);
    }),
  );
  listed.forEach((_, n) => {
    pointers.push({ at: xsdt + HEADER_BYTES + 8 * n, size: 8 });
  });
  const pointer = new TableBytes()
    .text('RSD PTR ')
    .u8(0)
    .text(OEM)
    .u8(2)
    .u32(0)
    .u32(ROOT_BYTES)
    .u64(xsdt)
    .u32(0)
    .finish();
  for (const { at, length } of ROOT_CHECKSUMS) pointer[at] = -sum(pointer.subarray(0, length)) & 0xff;
  const root = place(pointer);
  pointers.push({ at: root + ROOT_XSDT, size: 8 });
  for (const { at, length } of ROOT_CHECKSUMS) checksums.push({ at: root + at, start: root, length });
  return { data: b.finish(), root, pointers, checksums };
}
