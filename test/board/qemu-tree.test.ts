/** The device tree against QEMU's, node by node and property by property. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { boot } from '../../src/cli/boot.ts';
import { boardTree } from '../../src/cli/device-tree.ts';
import { DEFAULT_MACHINE, type MachineCli } from '../../src/cli/options.ts';
import { PLATFORM } from '../../src/emu/memory/physical-map.ts';
import { tinyElf } from '../support/images.ts';
import { type FlatTree, flatten, MACHINES, qemuTree, REFERENCE, type TreeMachine } from './qemu-tree.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-qemu-tree-'));
afterAll(() => rmSync(folder, { recursive: true }));
const qemu = process.env.LS_QEMU;
const hasDtc = spawnSync('dtc', ['--version']).status === 0;

/** Every difference, with its reason. `ours`: a value in hexadecimal that only our tree has; `length`: bytes of a value that differs. */
const CONTROLLER = 'the specification wants it of a controller that an interrupt-map leads to (2.4.3.1)';
const DIFFERENCES: Readonly<
  Record<string, { readonly ours?: string; readonly length?: number; readonly why: string }>
> = {
  '/chosen:rng-seed': { length: 32, why: 'random on QEMU; here it follows from --seed, so that runs repeat' },
  '/platic@10000000:#address-cells': { ours: '00000000', why: CONTROLLER },
  '/eiointc@1400:#address-cells': { ours: '00000000', why: CONTROLLER },
  '/cpuic:#address-cells': { ours: '00000000', why: CONTROLLER },
  '/msi@2ff00000:#address-cells': { ours: '00000000', why: CONTROLLER },
  '/msi@2ff00000:#interrupt-cells': { ours: '00000001', why: 'the binding of the controller wants it' },
  '/msi@2ff00000:msi-controller': { ours: '', why: 'the binding of the controller wants it' },
};

const ours = ({ cpus, memory }: TreeMachine): Uint8Array =>
  boardTree(undefined, { ...DEFAULT_MACHINE, smp: cpus, memory: memory * 2 ** 20 });

/** What differs, and is not listed; and what is listed, and does not differ. */
function unexplained(own: FlatTree, theirs: FlatTree): string[] {
  const out: string[] = [];
  const seen = new Set<string>();
  for (const key of new Set([...own.properties.keys(), ...theirs.properties.keys()])) {
    const [a, b] = [own.properties.get(key), theirs.properties.get(key)];
    if (a === b) continue;
    const known = DIFFERENCES[key];
    seen.add(key);
    const right =
      known?.length !== undefined
        ? a?.length === 2 * known.length && a.length === b?.length
        : b === undefined && a === known?.ours;
    if (!known || !right) out.push(`${key}: ours ${a ?? 'none'}, QEMU's ${b ?? 'none'}`);
  }
  for (const key of Object.keys(DIFFERENCES)) if (!seen.has(key)) out.push(`${key}: listed, but the same`);
  return out;
}

/** The recorded tree of a machine, as a blob. */
const recorded = ({ name }: TreeMachine): Uint8Array =>
  new Uint8Array(spawnSync('dtc', ['-q', '-I', 'dts', '-O', 'dtb', join(REFERENCE, `${name}.dts`)]).stdout);

describe.each(MACHINES)('the device tree of $name', (machine) => {
  test.skipIf(!hasDtc)("has the nodes of QEMU's in the same order, and the same properties", () => {
    const [own, theirs] = [flatten(ours(machine)), flatten(recorded(machine))];
    expect(own.nodes).toEqual(theirs.nodes);
    expect(unexplained(own, theirs)).toEqual([]);
  });

  test('has free space up to 1 MiB, as on QEMU', () => {
    const blob = ours(machine);
    expect([blob.length, new DataView(blob.buffer).getUint32(4)]).toEqual([2 ** 20, 2 ** 20]);
  });

  test.skipIf(qemu === undefined)('is what the QEMU of today writes', () => {
    const theirs = qemuTree(qemu!, machine, folder);
    const [own, flat] = [ours(machine), flatten(theirs)];
    expect(own.length).toBe(theirs.length);
    expect(flatten(own).nodes).toEqual(flat.nodes);
    expect(unexplained(flatten(own), flat)).toEqual([]);
  });
});

test.each([
  { virtio: 'mmio', console: 'virtio', net: { kind: 'isolated' } },
  { virtio: 'mmio', boot: 'uhi', append: 'quiet' },
  { smp: 3, seed: 7 },
] as Partial<MachineCli>[])('the tree in a file is the one in RAM: %j', (more) => {
  const image = join(folder, 'image.elf');
  writeFileSync(image, tinyElf());
  const cli = { ...DEFAULT_MACHINE, ...more };
  const tree = boardTree(image, cli);
  const { ram } = boot(image, cli, () => {}).machine;
  expect(Buffer.compare(ram.read(PLATFORM.deviceTree, tree.length), tree)).toBe(0);
});

test('numbers for the operating system follow from the seed', () => {
  const seedOf = (seed: number): string =>
    flatten(boardTree(undefined, { ...DEFAULT_MACHINE, seed })).properties.get('/chosen:rng-seed')!;
  expect(seedOf(1)).toBe(seedOf(1));
  expect(new Set([0, 1, 2, 3].map(seedOf)).size).toBe(4);
  expect(seedOf(0)).toMatch(/^[0-9a-f]{64}$/);
});
