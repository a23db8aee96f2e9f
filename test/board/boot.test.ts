/** What is in memory and in registers when a machine starts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { boot } from '../../src/cli/boot.ts';
import { UsageError } from '../../src/cli/errors.ts';
import { DEFAULT_MACHINE, type LoadSpec, type MachineCli, parseLoad } from '../../src/cli/options.ts';
import { DEVICES, deviceTree, phandles } from '../../src/emu/board/platform.ts';
import { acpiTables } from '../../src/emu/boot/acpi/tables.ts';
import { writeFdt } from '../../src/emu/formats/fdt.ts';
import type { Machine } from '../../src/emu/machine/machine.ts';
import { PLATFORM } from '../../src/emu/memory/physical-map.ts';
import { tinyElf } from '../support/images.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-boot-'));
afterAll(() => rmSync(folder, { recursive: true }));
function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}
const booted = (image: string | undefined, more: Partial<MachineCli> = {}): Machine =>
  boot(image, { ...DEFAULT_MACHINE, memory: 2 ** 29, ...more }, () => {}).machine;
const registers = (m: Machine): bigint[] => [4, 5, 6].map((n) => m.cpus[0]!.gpr(n));
const words = (m: Machine, pa: number, count: number): number[] => {
  const bytes = m.ram.read(pa, 4 * count);
  return [...new Uint32Array(bytes.buffer, bytes.byteOffset, count)];
};

/** Properties of a device tree by path, read back from the blob. */
function readTree(blob: Uint8Array): Map<string, Uint8Array> {
  const v = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const out = new Map<string, Uint8Array>();
  const path: string[] = [];
  const stringAt = (at: number): string => {
    let end = at;
    while (blob[end]) end++;
    return new TextDecoder().decode(blob.subarray(at, end));
  };
  const align = (n: number): number => Math.ceil(n / 4) * 4;
  const strings = v.getUint32(12);
  for (let at = v.getUint32(8); ; ) {
    const token = v.getUint32(at);
    at += 4;
    if (token === 1) {
      const name = stringAt(at);
      path.push(name);
      at = align(at + name.length + 1);
    } else if (token === 2) path.pop();
    else if (token === 3) {
      const length = v.getUint32(at);
      const name = stringAt(strings + v.getUint32(at + 4));
      out.set(`${path.join('/')}:${name}`, blob.subarray(at + 8, at + 8 + length));
      at = align(at + 8 + length);
    } else return out;
  }
}
const asText = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes).replace(/\0$/, '');

describe('images and protocols', () => {
  test('an ELF: a0 = 1, a1 = command line, a2 = system table with its four tables', () => {
    const m = booted(file('a.elf', tinyElf()), { append: 'hello' });
    expect(registers(m)).toEqual([1n, 0n, 0x200n]);
    expect(asText(m.ram.read(0, 6))).toBe('hello');
    expect(asText(m.ram.read(0x200, 8))).toBe('IBI SYST');
    const [count] = words(m, 0x200 + 0x68, 1);
    expect(count).toBe(3);
  });

  test('a long command line has a place of its own', () => {
    const line = 'x'.repeat(3000);
    const m = booted(file('b.elf', tinyElf()), { append: line });
    const [, at] = registers(m);
    expect(asText(m.ram.read(Number(at), 3001))).toBe(line);
    expect(asText(m.ram.read(0x200, 8))).toBe('IBI SYST');
  });

  test('a raw image: at the beginning of high RAM, or where --load says', () => {
    const raw = file('c.bin', Uint8Array.of(1, 2, 3, 4));
    expect(booted(raw).cpus[0]!.pc).toBe(0x80000000n);
    const m = booted(raw, { load: [{ address: 0x300000 }] });
    expect([m.cpus[0]!.pc, words(m, 0x300000, 1)]).toEqual([0x300000n, [0x04030201]]);
  });

  test('UHI: a0 = -2, a1 = device tree, which has command line and initrd', () => {
    const initrd = file(
      'rd',
      Uint8Array.from({ length: 5000 }, (_, n) => [0x1f, 0x8b][n] ?? 0),
    );
    const m = booted(file('d.elf', tinyElf()), { boot: 'uhi', append: 'quiet', initrd });
    expect(registers(m)).toEqual([0xffff_ffff_ffff_fffen, BigInt(PLATFORM.deviceTree), 0n]);
    const tree = readTree(m.ram.read(PLATFORM.deviceTree, 0x4000));
    expect(asText(tree.get('/chosen:bootargs'))).toBe('quiet');
    const cell = (name: string): number => new DataView(tree.get(`/chosen:${name}`)!.slice().buffer).getUint32(4);
    expect(cell('linux,initrd-end') - cell('linux,initrd-start')).toBe(5000);
  });

  test('a device tree of the user’s', () => {
    const tree = writeFdt({ name: '', properties: { compatible: 'mine' } });
    const m = booted(file('e.elf', tinyElf()), { dtb: file('tree', tree) });
    expect(m.ram.read(PLATFORM.deviceTree, tree.length)).toEqual(tree);
    expect(() => booted(file('e.elf', tinyElf()), { dtb: file('no', tree.subarray(4)) })).toThrow(
      /no device tree blob/,
    );
    expect(() => booted(file('e.elf', tinyElf()), { dtb: file('cut', tree.subarray(0, 60)) })).toThrow(/truncated/);
  });

  test('what does not fit into RAM is the user’s to correct', () => {
    const tree = writeFdt({ name: '', properties: { compatible: 'mine' } });
    const large = new Uint8Array(16 << 20);
    large.set(tree);
    const refused = (image: Uint8Array, more: Partial<MachineCli>): string => {
      try {
        booted(file('large.elf', image), more);
        return 'taken';
      } catch (error) {
        return error instanceof UsageError ? error.message : String(error);
      }
    };
    // A program below the tree: one that overlaps it is refused for that.
    const below = tinyElf();
    for (const at of [24, 64 + 16, 64 + 24]) new DataView(below.buffer).setBigUint64(at, 0x1000n, true);
    expect(refused(below, { dtb: file('large', large), memory: 16 << 20 })).toMatch(
      /^the device tree of 16777216 bytes at 0x100000 does not fit into RAM/,
    );
    // From the end of low RAM to the beginning of high RAM: both ends are RAM, what is between them is not.
    const across = new Uint8Array(120 + 0x20000);
    across.set(tinyElf().subarray(0, 120));
    const v = new DataView(across.buffer);
    v.setBigUint64(64 + 24, 0xfff0000n, true);
    v.setBigUint64(64 + 32, 0x20000n, true);
    v.setBigUint64(64 + 40, 0x70020000n, true);
    expect(refused(across, {})).toMatch(/^segment 0xfff0000\.\.0x80010000 is not in RAM/);
  });
});

/** A small ELF at an address. */
function elfAt(vaddr: bigint, paddr = vaddr, size = 8n): Uint8Array {
  const elf = tinyElf();
  const v = new DataView(elf.buffer);
  v.setBigUint64(24, vaddr, true);
  v.setBigUint64(64 + 16, vaddr, true);
  v.setBigUint64(64 + 24, paddr, true);
  v.setBigUint64(64 + 40, size, true);
  return elf;
}
/** The message of a refusal. */
function refusal(image: string | undefined, more: Partial<MachineCli> = {}): string {
  try {
    boot(image, { ...DEFAULT_MACHINE, memory: 2 ** 29, ...more }, () => {});
    return 'taken';
  } catch (error) {
    return error instanceof UsageError ? error.message : String(error);
  }
}

describe('what overlaps is refused, with both ranges', () => {
  const elf = file('plain.elf', tinyElf());
  const data = file('data', new Uint8Array(0x1000).fill(0xda));
  const at = (address: number): LoadSpec => ({ file: data, address, raw: true });

  test.each([
    [
      'the device tree',
      elfAt(0x1ff000n, 0x1ff000n, 0x2000n),
      /^the device tree at 0x100000\.\.0x200000 and the image at 0x1ff000\.\.0x201000 overlap: link or load it elsewhere, or .*--boot none$/,
    ],
    [
      'the ACPI tables',
      elfAt(0xe0100n),
      /^the ACPI tables at 0xe0000\.\.0x\w+ and the image at 0xe0100\.\.0xe0108 overlap/,
    ],
    [
      'the EFI system table',
      elfAt(0x200n),
      /and .*the EFI system table at 0x200\.\.0x\w+ overlap|^the EFI system table at .* overlap/,
    ],
    ['the command line', elfAt(0n), /the command line at 0x0\.\.0x1 .*overlap/],
  ])('an image on %s', (_, image, message) => {
    const path = file('on.elf', image);
    expect(refusal(path)).toMatch(message);
    // Without boot information it is where it was linked to, and nothing else is in RAM.
    const m = booted(path, { boot: 'none' });
    const { segments } = m.bootFiles!.image;
    const pa = Number(segments[0]!.paddr);
    expect([m.cpus[0]!.pc, registers(m), words(m, pa, 1)]).toEqual([BigInt(pa), [0n, 0n, 0n], [0x50000000]]);
    const other = [0, 0x200, 0xe0000, 0x100000].filter((x) => x < pa || x > pa + 8);
    expect(other.map((x) => words(m, x, 1)[0])).toEqual(other.map(() => 0));
  });

  test('files of --load on the image, on each other, on the initrd, outside RAM', () => {
    const initrd = file(
      'overlap.rd',
      Uint8Array.from({ length: 5000 }, (_, n) => [0x1f, 0x8b][n] ?? 0),
    );
    expect(refusal(elf, { load: [at(0x1ff008)] })).toMatch(
      /^the device tree at 0x100000\.\.0x200000 and .*data at 0x1ff008\.\.0x200008 overlap/,
    );
    expect(refusal(file('big.elf', elfAt(0x200000n, 0x200000n, 0x100000n)), { load: [at(0x2ff000)] })).toMatch(
      /^the image at 0x200000\.\.0x300000 and .*data at 0x2ff000\.\.0x300000 overlap: load one of them elsewhere$/,
    );
    expect(refusal(elf, { load: [at(0x400000), at(0x400fff)] })).toMatch(
      /data at 0x400000\.\.0x401000 and .*data at 0x400fff\.\.0x401fff overlap/,
    );
    expect(refusal(elf, { load: [at(0x7fffffff)] })).toMatch(/data of 4096 bytes at 0x7fffffff does not fit into RAM/);
    // An initrd goes where there is room.
    const m = booted(elf, { initrd, load: [at(0x210000)], boot: 'uhi' });
    const tree = readTree(m.ram.read(PLATFORM.deviceTree, 0x4000));
    const start = new DataView(tree.get('/chosen:linux,initrd-start')!.slice().buffer).getUint32(4);
    expect([words(m, 0x210000, 1)[0], m.ram.read(start, 2).join()]).toEqual([0xdadadada, '31,139']);
    expect(refusal(elf, { initrd, boot: 'none' })).toMatch(/nothing tells the image of its initrd/);
  });

  test('an initrd beside an image in high RAM does not lie on the boot information', () => {
    const initrd = file(
      'high.rd',
      Uint8Array.from({ length: 5000 }, (_, n) => [0x1f, 0x8b][n] ?? 0),
    );
    const m = booted(file('high.elf', elfAt(0x9000000080000000n)), { initrd, append: 'hello' });
    expect(asText(m.ram.read(0, 6))).toBe('hello');
    expect(asText(m.ram.read(0x200, 8))).toBe('IBI SYST');
    expect(m.ram.read(0x80010000, 2).join()).toBe('31,139');
  });
});

describe('several files in RAM', () => {
  const data = file('second', Uint8Array.of(1, 2, 3, 4));

  test('beside an image, and without one: then the first is where it starts', () => {
    const m = booted(file('main.elf', tinyElf()), { load: [parseLoad(`${data}@0x88000000`)] });
    expect([m.cpus[0]!.pc, words(m, 0x88000000, 1)[0]]).toEqual([0x200000n, 0x04030201]);
    const alone = booted(undefined, { load: [parseLoad(`${data}@0x300000`), parseLoad(`${data}@0x400000`)] });
    expect([alone.cpus[0]!.pc, registers(alone)]).toEqual([0x300000n, [1n, 0n, 0x200n]]);
    expect(words(alone, 0x400000, 1)).toEqual([0x04030201]);
  });

  test('on a CPU of its own, also after a reset; an ELF goes to its own addresses', () => {
    const elf = file('other.elf', elfAt(0x9000000000500000n));
    const load = [
      { file: elf, cpu: 1 },
      { file: data, address: 0x600000, cpu: 0 },
    ];
    const m = booted(file('main.elf', tinyElf()), { smp: 3, load });
    const state = (): unknown[] => m.cpus.map((c) => [c.parked, c.pc]);
    const expected = [
      [false, 0x600000n],
      [false, 0x500000n],
      [true, m.cpus[2]!.pc],
    ];
    expect(state()).toEqual(expected);
    m.run(1000);
    m.reset();
    expect(state()).toEqual(expected);
    expect(refusal(file('main.elf', tinyElf()), { load })).toMatch(/there is no CPU 1 to start it on/);
    expect(refusal(file('main.elf', tinyElf()), { load: [{ file: data }] })).toMatch(/raw image without an address/);
  });
});

describe('kinds of images', () => {
  test.each([
    ['a window for direct mapping', 0x9000000080200000n, 0x80200000n],
    ['a linear map of all memory', 0xffff800080200000n, 0x80200000n],
    ['the last 2 GiB', 0xffffffff80200000n, 0x80200000n],
  ])('an ELF that is linked to %s, with physical addresses equal to virtual ones', (_, vaddr, pa) => {
    const m = booted(file('linked.elf', elfAt(vaddr)));
    expect([m.cpus[0]!.pc, words(m, Number(pa), 1)[0]]).toEqual([pa, 0x50000000]);
  });

  test('an ELF that is linked to no RAM at all is refused in one line', () => {
    expect(refusal(file('nowhere.elf', elfAt(0xffff900080200000n)))).toMatch(
      /^segment 0x900080200000\.\.0x900080200008 is not in RAM: give a larger --memory, link it elsewhere, or .*--load/,
    );
  });

  /** Linux's header at the beginning of a flat image that is loaded to 0x200000. */
  function flat(pe: number): Uint8Array {
    const image = new Uint8Array(0x200);
    const v = new DataView(image.buffer);
    v.setUint16(0, 0x5a4d, true);
    v.setBigUint64(8, 0x9000000000200040n, true);
    v.setBigUint64(16, 0x1000n, true);
    v.setBigUint64(24, 0x200000n, true);
    v.setUint32(0x38, 0x818223cd, true);
    v.setUint32(0x3c, pe, true);
    v.setUint32(0x40, 0x50000000, true);
    if (pe !== 0) v.setUint32(pe, 0x4550, true);
    if (pe !== 0) v.setUint16(pe + 4, 0x6264, true);
    return image;
  }

  test.each([0, 0x100])('a kernel named .bin with the header of Linux; its PE header is at %i', (pe) => {
    const m = booted(file('kernel.bin', flat(pe)));
    expect([m.cpus[0]!.pc, words(m, 0x200040, 1)[0]]).toEqual([0x200040n, 0x50000000]);
  });

  test('a program for UEFI named .bin says what can be done with it', () => {
    const uefi = flat(0x100);
    new DataView(uefi.buffer).setUint32(0x38, 0, true);
    expect(refusal(file('uefi.bin', uefi))).toMatch(/uefi\.bin: is a UEFI program .*--firmware.*--load ADDRESS$/);
    expect(refusal(file('some.data', Uint8Array.of(1, 2, 3)))).toMatch(/give an ELF64 .*--load ADDRESS$/);
  });

  test('UHI without a command line leaves the one that the image brings with it', () => {
    const tree = (append?: string): Map<string, Uint8Array> => {
      const m = booted(file('u.elf', tinyElf()), { boot: 'uhi', ...(append !== undefined && { append }) });
      return readTree(m.ram.read(PLATFORM.deviceTree, 0x4000));
    };
    expect(tree().has('/chosen:bootargs')).toBe(false);
    expect(asText(tree('root=/dev/vda').get('/chosen:bootargs'))).toBe('root=/dev/vda');
  });
});

describe('tables', () => {
  test.each([1, 4, 8])('ACPI for %i CPUs: signatures, lengths and checksums', (cpus) => {
    const base = 0xe0000;
    const { data, root } = acpiTables({ cpus, ramSize: 2 ** 30 }, base);
    expect(data.length).toBeLessThan(PLATFORM.acpi.size);
    const at = (pa: number, length: number): Uint8Array => data.subarray(pa - base, pa - base + length);
    const sum = (bytes: Uint8Array): number => bytes.reduce((a, b) => (a + b) & 0xff, 0);
    const u32 = (pa: number): number => new DataView(at(pa, 4).slice().buffer).getUint32(0, true);
    const name = (pa: number): string => new TextDecoder().decode(at(pa, 4));
    expect(sum(at(root, 20))).toBe(0);
    expect(sum(at(root, 36))).toBe(0);
    const xsdt = u32(root + 24);
    const listed = Array.from({ length: (u32(xsdt + 4) - 36) / 8 }, (_, n) => u32(xsdt + 36 + 8 * n));
    expect(listed.map(name)).toEqual(['FACP', 'APIC', 'PPTT', 'SRAT', 'MCFG', 'SPCR']);
    for (const t of [xsdt, ...listed, u32(listed[0]! + 40)])
      expect([name(t), sum(at(t, u32(t + 4)))]).toEqual([name(t), 0]);
  });

  test('the device tree has a node for each declared device, and its own handles', () => {
    const blob = writeFdt(deviceTree({ cpus: 2, ramSize: 2 ** 30 }));
    const tree = readTree(blob);
    for (const d of DEVICES)
      for (const n of d.nodes?.(phandles(2)) ?? [])
        expect(
          [...tree.keys()].some((k) => k.startsWith(`/${n.name}:`)),
          n.name,
        ).toBe(true);
    const handles = [...tree].filter(([k]) => k.endsWith(':phandle')).map(([, v]) => v.join());
    expect(new Set(handles).size).toBe(handles.length);
    expect(tree.get('/memory@80000000:reg')!.join()).toBe('0,0,0,0,128,0,0,0,0,0,0,0,48,0,0,0');
  });

  test('a device is as large as its declaration says', () => {
    const m = booted(file('h.elf', tinyElf()));
    for (const d of DEVICES) expect([d.name, m.bus.at(d.base)!.device.size]).toEqual([d.name, d.size]);
  });

  test('no two devices overlap', () => {
    const sorted = [...DEVICES].sort((a, b) => a.base - b.base);
    sorted.slice(1).forEach((d, n) => {
      expect(d.base, d.name).toBeGreaterThanOrEqual(sorted[n]!.base + sorted[n]!.size);
    });
  });
});

describe('the ls3a5000 board', () => {
  const elf = file('f.elf', tinyElf());
  const m = booted(elf, { machine: 'ls3a5000', smp: 2 });
  const read = (pa: number, size: number, cpu = 0): number => {
    m.bus.master = cpu;
    expect(m.bus.read(pa, size)).toBe(true);
    return m.bus.lo >>> 0;
  };
  const write = (pa: number, size: number, lo: number, hi = 0, cpu = 0): void => {
    m.bus.master = cpu;
    expect(m.bus.write(pa, size, lo, hi)).toBe(true);
  };
  const WINDOW = 0x1fe00000;

  test('the registers of the chip are memory, and those of a core have one address for all cores', () => {
    expect(read(WINDOW + 0x10, 4)).toBe(0x6e6f6f4c);
    write(WINDOW + 0x1004, 4, 0xff, 0, 1);
    expect([read(WINDOW + 0x1004, 4, 0), read(WINDOW + 0x1004, 4, 1)]).toEqual([0xff, 0xff]);
    // Mail of 64 bits in one store: word 0 of CPU 1's first mailbox.
    write(WINDOW + 0x1048, 8, 1 << 16, 0x12345678);
    expect([read(WINDOW + 0x1020, 4, 1), read(WINDOW + 0x1120, 4, 0)]).toEqual([0, 0x12345678]);
    // ANY_SEND to COREMAP of vector 0.
    write(WINDOW + 0x1158, 8, (0xe << 27) | (1 << 16) | 0x1c00, 2);
    expect(read(WINDOW + 0x1c00, 1)).toBe(2);
  });

  test('configuration registers keep what is written, the UARTs come first', () => {
    write(WINDOW + 0x180, 4, 0xabcd);
    expect(read(WINDOW + 0x180, 4)).toBe(0xabcd);
    expect([read(WINDOW + 0x1e5, 1), read(WINDOW + 0x1ed, 1)]).toEqual([0x60, 0x60]);
  });

  test('something answers everywhere; on the virt board nothing does', () => {
    expect(read(0x1ff00000, 4)).toBe(0xffffffff);
    write(0x1ff00000, 4, 1);
    const virt = booted(elf);
    expect([virt.bus.read(0x1ff00000, 4), virt.bus.read(WINDOW + 0x10, 4)]).toEqual([false, false]);
  });

  test('RAM above 6 GiB costs what is used', () => {
    const large = booted(elf, { machine: 'ls3a5000', memory: 16 * 2 ** 30 });
    large.ram.write(0x2_4000_0000, Uint8Array.of(7));
    expect([large.ram.read(0x2_4000_0000, 1)[0], large.ram.touched <= 8 * 2 ** 20]).toEqual([7, true]);
  });
});

describe('the virt extension of the EIOINTC', () => {
  test('CPU numbers instead of one-hot cores, once that is switched on', () => {
    const m = booted(file('g.elf', tinyElf()), { smp: 8 });
    const { iocsr } = m;
    iocsr.read(0, 0x40000000, 4);
    expect(iocsr.lo).toBe(0xb);
    iocsr.write(0, 0x40000004, 4, 2 | 4 | 8, 0);
    iocsr.read(0, 0x40000004, 4);
    // Interrupt numbers are not offered.
    expect(iocsr.lo).toBe(2 | 8);
    iocsr.write(0, 0x40000004, 4, 2, 0);
    iocsr.read(0, 0x40000004, 4);
    expect(iocsr.lo).toBe(2 | 8);
    iocsr.write(0, 0x1600, 4, -1, 0);
    iocsr.write(0, 0x1c00, 1, 6, 0);
    m.bus.write(0x2ff00000, 4, 0, 0);
    expect(m.cpus.map((c) => c.lines)).toEqual([0, 0, 0, 0, 0, 0, 4, 0]);
  });
});
