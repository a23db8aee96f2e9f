/** The device tree and the ACPI tables, judged by the programs that others write such tables with. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { deviceTree, type Platform } from '../../src/emu/board/platform.ts';
import { acpiTables } from '../../src/emu/boot/acpi/tables.ts';
import { writeFdt } from '../../src/emu/formats/fdt.ts';
import { PLATFORM } from '../../src/emu/memory/physical-map.ts';

/** LoongArch's entries of the MADT are known to iasl since 2022. */
const IASL_VERSION = 20221020;

/** What a program says: exit status and everything it has written. */
function say(program: string, ...args: string[]): { readonly status: number | null; readonly text: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: 'utf8' });
  return { status, text: `${stdout ?? ''}${stderr ?? ''}` };
}

const folder = mkdtempSync(join(tmpdir(), 'loongscope-tables-'));
afterAll(() => rmSync(folder, { recursive: true }));
const hasDtc = say('dtc', '--version').status === 0;
const hasIasl = Number(/version (\d{8})/.exec(say('iasl', '-v').text)?.[1] ?? 0) >= IASL_VERSION;
for (const [has, name] of [
  [hasDtc, 'dtc'],
  [hasIasl, `iasl of ${IASL_VERSION} or later`],
] as const)
  if (!has) process.stderr.write(`no ${name}: tables are not judged by it\n`);

const BOARDS: readonly (readonly [string, Platform])[] = [1, 2, 8, 16].flatMap((cpus) =>
  [0, 3].map(
    (virtioMmio) =>
      [
        `${cpus} CPUs, ${virtioMmio} virtio devices on the bus`,
        { cpus, ramSize: Math.min(cpus, 8) * 2 ** 28, virtioMmio, pciSlots: 4 - virtioMmio },
      ] as const,
  ),
);

describe.skipIf(!hasDtc)('dtc', () => {
  test.each(BOARDS)('reads and makes the same device tree: %s', (_, platform) => {
    const blob = writeFdt(deviceTree(platform, { commandLine: 'quiet', initrd: { base: 2 ** 28, size: 12345 } }));
    writeFileSync(join(folder, 'board.dtb'), blob);
    expect(say('dtc', '-I', 'dtb', '-O', 'dts', '-o', 'board.dts', 'board.dtb')).toEqual({ status: 0, text: '' });
    expect(say('dtc', '-I', 'dts', '-O', 'dtb', '-o', 'again.dtb', 'board.dts')).toEqual({ status: 0, text: '' });
    expect(readFileSync(join(folder, 'again.dtb')).equals(blob)).toBe(true);
  });
});

/** The tables that the root pointer leads to, by signature. */
function listed(platform: Platform): Map<string, Uint8Array> {
  const { base } = PLATFORM.acpi;
  const { data, root } = acpiTables(platform, base);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const found = new Map<string, Uint8Array>();
  const take = (pa: number): Uint8Array => {
    const t = data.subarray(pa - base, pa - base + view.getUint32(pa - base + 4, true));
    found.set(new TextDecoder().decode(t.subarray(0, 4)), t);
    return t;
  };
  const pointer = (t: Uint8Array, at: number): number =>
    Number(new DataView(t.buffer, t.byteOffset).getBigUint64(at, true));
  const xsdt = take(pointer(data.subarray(root - base), 24));
  for (let at = 36; at < xsdt.length; at += 8) {
    const t = take(pointer(xsdt, at));
    if (found.has('FACP') && !found.has('DSDT')) take(pointer(t, 140));
  }
  return found;
}

/** Without what the compiler puts there itself: checksum, and the creator's name and version. */
const plain = (t: Uint8Array): Uint8Array => Uint8Array.from(t).fill(0, 9, 10).fill(0, 28, 36);

describe('the PCI host in the device tree', () => {
  const { children: nodes = [] } = deviceTree(BOARDS[0]![1]);
  const named = (name: string): Readonly<Record<string, unknown>> =>
    nodes.find((n) => n.name.startsWith(`${name}@`))!.properties;

  test('messages of every function lead to the MSI controller, pins to inputs 16 to 19 of the PCH-PIC', () => {
    const pcie = named('pcie');
    const [msi, pic] = [named('msi'), named('platic')].map((p) => (p.phandle as number[])[0]);
    // A function's number has 16 bits: bus, slot, function.
    expect(pcie['msi-map']).toEqual([0, msi, 0, 0x10000]);
    const map = pcie['interrupt-map'] as number[];
    const mask = pcie['interrupt-map-mask'] as number[];
    expect(mask).toEqual([3 << 11, 0, 0, 7]);
    for (let slot = 0; slot < 4; slot++)
      for (let pin = 0; pin < 4; pin++)
        expect(map.slice(7 * (4 * slot + pin), 7 * (4 * slot + pin) + 7)).toEqual([
          ...[slot << 11, 0, 0, pin + 1],
          ...[pic, PLATFORM.pciInput + ((slot + pin) % 4), 4],
        ]);
  });
});

/** What the programs that read tables cannot check: that the tables tell what the board is. */
describe('places in ACPI tables', () => {
  test('MCFG covers the whole window of configuration space: a mebibyte a bus', () => {
    const mcfg = listed(BOARDS[0]![1]).get('MCFG')!;
    const view = new DataView(mcfg.buffer, mcfg.byteOffset);
    const [first, last] = [mcfg[54]!, mcfg[55]!];
    expect([view.getBigUint64(44, true), first, (last - first + 1) * 2 ** 20]).toEqual([
      BigInt(PLATFORM.ecam.base),
      0,
      PLATFORM.ecam.size,
    ]);
  });
});

describe('vectors of MSI', () => {
  test('are the same in the device tree and in ACPI: those behind the inputs of the PCH-PIC', () => {
    const { children: nodes = [] } = deviceTree(BOARDS[0]![1]);
    const msi = nodes.find((n) => n.name.startsWith('msi@'))!.properties;
    const madt = listed(BOARDS[0]![1]).get('APIC')!;
    const view = new DataView(madt.buffer, madt.byteOffset);
    let at = 44;
    while (madt[at] !== 0x15) at += madt[at + 1]!;
    const [first, count] = [view.getUint32(at + 11, true), view.getUint32(at + 15, true)];
    expect([first, count]).toEqual([32, 224]);
    expect([msi['loongson,msi-base-vec'], msi['loongson,msi-num-vecs']]).toEqual([[first], [count]]);
  });
});

describe('CPUs in ACPI tables', () => {
  /** Kinds of the entries of a table that begin with a kind and a length, from an offset on. */
  function kinds(table: Uint8Array, first: number): number[] {
    const out: number[] = [];
    for (let at = first; at < table.length; at += table[at + 1]!) out.push(table[at]!);
    return out;
  }

  test.each(BOARDS)('each is told of once: %s', (_, platform) => {
    const { cpus } = platform;
    const tables = listed(platform);
    const count = (name: string, first: number, kind: number): number =>
      kinds(tables.get(name)!, first).filter((k) => k === kind).length;
    // Of the PPTT one entry is the package that all are in.
    expect([count('APIC', 44, 0x11), count('SRAT', 48, 0), count('PPTT', 36, 0)]).toEqual([cpus, cpus, cpus + 1]);
    const names = new TextDecoder('latin1').decode(tables.get('DSDT')).match(/C00[0-9A-F]/g) ?? [];
    expect(new Set(names).size).toBe(cpus);
  });

  test('sockets of cores of threads, in the PPTT and in the device tree', () => {
    const platform = { cpus: 16, ramSize: 2 ** 28, topology: { sockets: 2, cores: 4, threads: 2 } };
    const pptt = listed(platform).get('PPTT')!;
    const view = new DataView(pptt.buffer, pptt.byteOffset);
    const nodes = new Map<number, { flags: number; parent: number; id: number }>();
    for (let at = 36; at < pptt.length; at += pptt[at + 1]!)
      nodes.set(at, {
        flags: view.getUint32(at + 4, true),
        parent: view.getUint32(at + 8, true),
        id: view.getUint32(at + 12, true),
      });
    // Physical package 1, valid number 2, thread 4, leaf 8.
    const leaves = [...nodes.values()].filter((n) => n.flags & 8);
    expect(leaves.map((n) => [n.flags, n.id])).toEqual(Array.from({ length: 16 }, (_, n) => [0x0e, n]));
    const places = leaves.map((n) => {
      const core = nodes.get(n.parent)!;
      const socket = nodes.get(core.parent)!;
      expect([core.flags, socket.flags, socket.parent]).toEqual([0, 1, 0]);
      return [socket.id, core.id];
    });
    expect(places.slice(0, 4)).toEqual([
      [0, 0],
      [0, 0],
      [0, 1],
      [0, 1],
    ]);
    expect(places.slice(-2)).toEqual([
      [1, 3],
      [1, 3],
    ]);
    const map = deviceTree(platform)
      .children!.find((n) => n.name === 'cpus')!
      .children!.find((n) => n.name === 'cpu-map')!;
    // QEMU's order: the last of each kind comes first (`qemu -smp 16,sockets=2,cores=4,threads=2 -M virt,dumpdtb=…`).
    const below = map.children!.flatMap((s) =>
      s.children!.flatMap((c) => c.children!.map((t) => [`${s.name} ${c.name} ${t.name}`, t.properties])),
    );
    expect(below).toHaveLength(16);
    expect([below[0], below[1], below[2], below[8], below[15]]).toEqual([
      ['socket1 core3 thread1', { cpu: [0x800f] }],
      ['socket1 core3 thread0', { cpu: [0x800e] }],
      ['socket1 core2 thread1', { cpu: [0x800d] }],
      ['socket0 core3 thread1', { cpu: [0x8007] }],
      ['socket0 core0 thread0', { cpu: [0x8000] }],
    ]);
  });
});

describe.skipIf(!hasIasl)('iasl', () => {
  test.each(BOARDS)('reads every table and makes the same one: %s', (_, platform) => {
    const tables = listed(platform);
    expect([...tables.keys()].sort()).toEqual(['APIC', 'DSDT', 'FACP', 'MCFG', 'PPTT', 'SPCR', 'SRAT', 'XSDT']);
    for (const [name, table] of tables) {
      writeFileSync(join(folder, `${name}.aml`), table);
      const read = say('iasl', '-d', `${name}.aml`);
      expect(read.text, name).not.toMatch(/error|warning|invalid|unknown/i);
      expect([name, read.status]).toEqual([name, 0]);
      expect(readFileSync(join(folder, `${name}.dsl`), 'utf8'), name).not.toMatch(/error|warning|invalid|unknown/i);
      // Its compiler wants the baud rate of SPCR revision 4 in every revision, whatever its own other half has written.
      if (name === 'SPCR') continue;
      // Without optimizations, which make other code.
      const made = say('iasl', '-oa', `${name}.dsl`);
      expect(made.text, name).toMatch(/ 0 Errors, 0 Warnings, 0 Remarks/);
      const again = readFileSync(join(folder, `${name}.aml`));
      expect(Buffer.from(plain(again)).equals(plain(table)), `${name} is another one`).toBe(true);
    }
  });
});
