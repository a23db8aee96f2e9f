/** PCI, virtio cards and Serial ATA as programs for QEMU's `virt` find them: the same programs run here and on QEMU. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { openShare, parseShare } from '../../src/cli/share.ts';
import type { Card } from '../../src/emu/board/cards.ts';
import { PCI_HEADER } from '../../src/emu/devices/pci/function.ts';
import { VirtioBlock } from '../../src/emu/devices/virtio/block.ts';
import { VirtioConsole } from '../../src/emu/devices/virtio/console.ts';
import { VirtioEntropy } from '../../src/emu/devices/virtio/entropy.ts';
import { VirtioNet } from '../../src/emu/devices/virtio/net.ts';
import { P9Session, VirtioP9 } from '../../src/emu/devices/virtio/p9.ts';
import { boardProgram, MemoryDisk, runHere, runOnQemu } from '../support/board-programs.ts';
import { readReport } from '../support/conformance.ts';
import { watched } from '../support/observers.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-pci-'));
afterAll(() => rmSync(folder, { recursive: true }));
const SECTORS = 64;
const image = (name: string): string => {
  const file = join(folder, name);
  writeFileSync(file, '');
  truncateSync(file, 512 * SECTORS);
  return file;
};

const net = (): VirtioNet => new VirtioNet([0x52, 0x54, 0, 0x12, 0x34, 0x56], { send: () => {}, connect: () => {} });
const block = (): VirtioBlock => new VirtioBlock('disk0', new MemoryDisk(SECTORS));
const share = (): VirtioP9 => new VirtioP9('host', new P9Session(openShare(parseShare(`${folder},readonly`))));
const ahci = (): Card => ({ ahci: [{ disk: new MemoryDisk(SECTORS), serial: 'LS00001' }] });

/** Programs that check what they find, each with its cards here and on QEMU. */
const PROGRAMS: readonly { readonly name: string; readonly cards: () => Card[]; readonly qemu: () => string[] }[] = [
  {
    name: 'pci',
    cards: () => [net(), block()],
    qemu: () => ['-drive', `if=none,format=raw,id=x,file=${image('pci')}`, '-device', 'virtio-blk-pci,drive=x'],
  },
  {
    name: 'ahci',
    cards: () => [net(), ahci()],
    qemu: () => [
      '-device',
      'ahci,id=ahci',
      '-drive',
      `if=none,format=raw,id=x,file=${image('ahci')}`,
      '-device',
      'ide-hd,drive=x,bus=ahci.0',
    ],
  },
];

const qemu = process.env.LS_QEMU;

describe.each(PROGRAMS)('$name', (p) => {
  const passes = (text: string): void => {
    const { failed, passed, complete } = readReport(text);
    expect([failed, complete]).toEqual([[], true]);
    expect(passed.length).toBeGreaterThan(30);
  };

  test('every check passes', () => passes(runHere(p.name, p.cards())));

  test.skipIf(!qemu || watched())('and on QEMU', async () => passes(await runOnQemu(qemu!, p.name, p.qemu())));

  test('from a command line of QEMU’s, behind the sandbox', { timeout: 60_000 }, async () => {
    const main = join(PROJECT_ROOT, 'src', 'cli', 'main.ts');
    const args = ['qemu', '-M', 'virt', '-m', '64M', '-nographic', '-kernel', boardProgram(p.name), ...p.qemu()];
    passes((await execa(process.execPath, [main, ...args], { stdin: 'ignore' })).stdout);
  });
});

/** The lines of pci-dump, by slot and offset: the value, and the bits that can be written. */
function configurations(text: string): Map<number, Map<number, { readonly value: number; readonly writable: number }>> {
  const slots = new Map<number, Map<number, { value: number; writable: number }>>();
  for (const [, slot, at, old, ones, zeros] of text.matchAll(/^(\w{2}) (\w{3}) (\w{8}) (\w{8}) (\w{8})/gm)) {
    const number = (t: string | undefined): number => Number.parseInt(t!, 16);
    const words = slots.get(number(slot)) ?? new Map();
    slots.set(number(slot), words);
    words.set(number(at), { value: number(old), writable: (number(ones) ^ number(zeros)) >>> 0 });
  }
  return slots;
}

/** Where a function has no register. QEMU keeps what is written there; the data sheets say that it reads as 0. */
const capabilityWords = (words: ReadonlyMap<number, { readonly value: number }>): Set<number> => {
  const LENGTHS: Readonly<Record<number, number>> = { 5: 16, 17: 12, 18: 8 };
  const out = new Set<number>();
  const byte = (at: number): number => ((words.get(at & ~3)?.value ?? 0) >>> (8 * (at & 3))) & 0xff;
  for (let at = byte(0x34); at !== 0; at = byte(at + 1))
    for (let k = 0; k < (LENGTHS[byte(at)] ?? byte(at + 2)); k += 4) out.add(at + k);
  return out;
};

describe.skipIf(!qemu || watched())('configuration space, register by register, as on QEMU', async () => {
  const drive = qemu ? `if=none,format=raw,id=x,file=${image('dump')}` : '';
  const sata = qemu ? `if=none,format=raw,id=y,file=${image('dump-sata')}` : '';
  /** The same cards in the same slots, and what may differ: offset in the header, the reason. */
  const cards: readonly {
    readonly card: Card;
    readonly qemu: readonly string[];
    readonly differs?: Readonly<Record<number, string>>;
  }[] = [
    { card: net(), qemu: [], differs: { 48: 'no expansion ROM: the one of QEMU has a program for x86' } },
    { card: block(), qemu: ['-drive', drive, '-device', 'virtio-blk-pci,drive=x'] },
    { card: new VirtioEntropy(1), qemu: ['-device', 'virtio-rng-pci'] },
    { card: new VirtioConsole(() => {}), qemu: ['-device', 'virtio-serial-pci'] },
    {
      card: ahci(),
      qemu: ['-device', 'ahci,id=a', '-drive', sata, '-device', 'ide-hd,drive=y,bus=a.0'],
      differs: { 140: 'the data of MSI are 16 bits; QEMU also keeps what is written behind them' },
    },
    {
      card: share(),
      qemu: [
        '-fsdev',
        `local,id=f,path=${folder},security_model=none`,
        '-device',
        'virtio-9p-pci,fsdev=f,mount_tag=host',
      ],
    },
    {
      card: { virtio: new VirtioEntropy(1), interfaces: 'modern' },
      qemu: ['-device', 'virtio-rng-pci-non-transitional'],
    },
    {
      card: { virtio: new VirtioEntropy(1), interfaces: 'legacy' },
      qemu: ['-device', 'virtio-rng-pci,disable-modern=on'],
    },
    {
      card: { virtio: net(), interfaces: 'modern', slot: 20 },
      qemu: ['-device', 'virtio-net-pci,disable-legacy=on,addr=14,romfile='],
    },
  ];
  const ours = configurations(
    qemu
      ? runHere(
          'pci-dump',
          cards.map((c) => c.card),
        )
      : '',
  );
  const theirs = configurations(
    qemu
      ? await runOnQemu(
          qemu,
          'pci-dump',
          cards.flatMap((c) => c.qemu),
        )
      : '',
  );

  test('the same slots', () => {
    expect([...ours.keys()]).toEqual([...theirs.keys()]);
    expect([...ours.keys()]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 20]);
  });

  test.each([
    [0, undefined] as const,
    ...cards.map((c, n) => [c.qemu.join().includes('addr=14') ? 20 : n + 1, c] as const),
  ])('slot %i', (slot, c) => {
    const [mine, its] = [ours.get(slot)!, theirs.get(slot)!];
    const registers = new Set([...PCI_HEADER.registers.map((r) => r.offset & ~3), ...capabilityWords(its)]);
    const shown = (words: typeof mine, at: number): string => {
      const { value, writable } = words.get(at) ?? { value: 0, writable: 0 };
      return `${at.toString(16)}: ${value.toString(16)}, writable ${writable.toString(16)}`;
    };
    // The window of virtio 1 names BAR 4 from the beginning, 0 on QEMU; software writes it before it is used.
    const window = [...registers].find((at) => mine.get(at)?.value === 0x05147009);
    for (const at of registers)
      if (window !== undefined && at === window + 4)
        expect([shown(mine, at), shown(its, at)]).toEqual([
          `${at.toString(16)}: 4, writable ff`,
          `${at.toString(16)}: 0, writable ff`,
        ]);
      else if (!c?.differs?.[at]) expect(shown(mine, at)).toBe(shown(its, at));
    // Everything else can be written on QEMU, and reads as 0 here. ICH9's MAP is the only register among it.
    for (const [at, { value, writable }] of mine)
      if (!registers.has(at)) expect([at === 0x100 || value === its.get(at)?.value, writable]).toEqual([true, 0]);
  });
});
