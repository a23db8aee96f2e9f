/** `--symbols`: names for addresses from further files. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { HYPERVISOR, PROJECT_ROOT } from '../../src/cli/paths.ts';
import { parseSymbols, SymbolFiles } from '../../src/cli/symbol-files.ts';
import { SymbolTable } from '../../src/emu/debug/symbol-table.ts';
import { gdbSession, guestSpec } from '../support/gdb-session.ts';
import { tinyElf } from '../support/images.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-symbols-'));
afterAll(() => rmSync(folder, { recursive: true }));
const HELLO = join(PROJECT_ROOT, 'build', 'guests', 'hello.elf');

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
/** Offsets of the section headers. */
const headers = (bytes: Uint8Array): number[] =>
  Array.from(
    { length: view(bytes).getUint16(60, true) },
    (_, n) => Number(view(bytes).getBigUint64(40, true)) + 64 * n,
  );
const SYMTAB = 2;

/** Changes a field of the header of the symbol table. */
function inSection(bytes: Uint8Array, field: number, value: bigint): Uint8Array {
  const at = headers(bytes).find((h) => view(bytes).getUint32(h + 4, true) === SYMTAB)!;
  view(bytes).setBigUint64(at + field, value, true);
  return bytes;
}

/** The same file, as if it were linked to addresses that are higher by `by`. */
function linkedElsewhere(bytes: Uint8Array, by: bigint): Uint8Array {
  const v = view(bytes);
  const move = (at: number): void => v.setBigUint64(at, v.getBigUint64(at, true) + by, true);
  for (const h of headers(bytes)) {
    if (v.getBigUint64(h + 16, true) !== 0n) move(h + 16);
    if (v.getUint32(h + 4, true) !== SYMTAB) continue;
    const [from, size] = [Number(v.getBigUint64(h + 24, true)), Number(v.getBigUint64(h + 32, true))];
    for (let at = from; at < from + size; at += 24) if (v.getUint16(at + 6, true) !== 0) move(at + 8);
  }
  return bytes;
}

describe('names of addresses', () => {
  const symbol = (
    name: string,
    value: bigint,
    size = 16,
  ): { name: string; value: bigint; size: number; isFunction: true } => ({
    ...{ name, value, size },
    isFunction: true,
  });
  const table = new SymbolTable([symbol('first', 0x9000_0000_0100_0000n), symbol('second', 0x9000_0000_0100_0010n)]);

  test.each([
    [0x9000_0000_0100_0004n, 'first+0x4'],
    // Before the program has moved to its own addresses, and through another window.
    [0x0100_0010n, 'second'],
    [0x8000_0000_0100_0018n, 'second+0x8'],
    [0x9000_0000_0100_0020n, undefined],
    [0x0200_0000n, undefined],
  ])('%d', (address, name) => {
    expect(table.name(address)).toBe(name);
  });

  test('a program at low addresses is not found in a window', () => {
    const low = new SymbolTable([symbol('main', 0x20_0000n)]);
    expect([low.name(0x20_0000n), low.name(0x9000_0000_0020_0000n)]).toEqual(['main', undefined]);
  });

  test('the monitor adds files, in place of older ones of the same name', async () => {
    const [wrong, cut] = [join(folder, 'wrong.txt'), join(folder, 'cut.elf')];
    writeFileSync(join(folder, 'hello.elf'), readFileSync(HELLO));
    writeFileSync(wrong, 'no program');
    writeFileSync(cut, readFileSync(HELLO).subarray(0, 200));
    const { output } = await gdbSession({
      guests: [guestSpec(HELLO, 'mine')],
      more: { files: folder },
      commands: [
        'monitor symbols hello.elf,in=1',
        'monitor symbols hello.elf,in=1,offset=auto',
        'monitor symbols hello.elf',
        'monitor symbols wrong.txt',
        'monitor symbols cut.elf,in=2',
        'monitor symbols nowhere.elf',
        `monitor symbols ${HELLO}`,
        'monitor symbols hello.elf,in=zero',
        'monitor catch vmexit HVC',
        'continue',
        'monitor symbols',
        'monitor info vcpus',
      ],
    });
    expect(output).toMatch(/wrong\.txt is no ELF file: give the file that the image was made from/);
    expect(output).toMatch(/cut\.elf: is truncated: its section headers end at byte/);
    expect(output).toMatch(/nowhere\.elf cannot be read/);
    expect(output).toMatch(/hello\.elf.* is not below|absolute|outside/);
    expect(output).toMatch(/'in=zero' is unknown: use in=host/);
    expect(output).not.toMatch(/--symbols: /);
    const list = output.slice(output.lastIndexOf('hello.elf: '));
    expect(output.match(/symbols of VM 1, at its own addresses \(found by its code\)/g)).toHaveLength(1);
    expect(list).toMatch(/VM 1 vcpu 0: .* <hello_hypercall>/);
  });

  test('files by world and offset', () => {
    const files = new SymbolFiles([
      { file: HYPERVISOR, world: -1, offset: 0n },
      { file: HELLO, world: 1, offset: 0x1000n },
    ]);
    expect([files.name(1, 0x20_1008n), files.name(1, 0x20_0008n), files.name(2, 0x20_1008n)]).toEqual([
      'hello_hypercall',
      undefined,
      undefined,
    ]);
    expect(files.name(-1, files.address('_guest_exit')!)).toBe('_guest_exit');
    expect(files.names()).toContain('_run_guest');
    expect(files.describe()).toEqual([
      expect.stringMatching(/^hv\.elf: \d+ symbols of the host; its code is not in memory now$/),
      expect.stringMatching(/^hello\.elf: \d+ symbols of VM 1, moved by 0x1000; its code is not in memory now$/),
    ]);
  });

  test.each([
    ['', /names no file/],
    ['a,in=0', /'in=0' is unknown: use in=host, in=N/],
    ['a,in=guest', /is unknown/],
    ['a,offset=x', /is unknown: use in=host, in=N \(the number of a VM\), offset=N or offset=auto/],
    ['a,base=1', /'base=1' is unknown/],
  ])('--symbols %s is refused', (text, reason) => {
    expect(() => parseSymbols(text)).toThrow(reason);
  });

  test('a file without symbols is refused with what to give instead', () => {
    const [text, stripped] = [join(folder, 'text'), join(folder, 'stripped.elf')];
    writeFileSync(text, 'no program');
    writeFileSync(stripped, tinyElf());
    const read = (file: string) => () => new SymbolFiles([parseSymbols(file)]);
    expect(read(text)).toThrow(/is no ELF file/);
    expect(read(stripped)).toThrow(/has no symbol table, it was stripped/);
    expect(read(join(folder, 'none'))).toThrow(/cannot read .* \(ENOENT\): check the path/);
  });

  test.each([
    ['half of a header', (b: Uint8Array) => b.subarray(0, 40), /is 40 bytes long, shorter than an ELF header: copy it/],
    ['another machine', (b: Uint8Array) => b.fill(62, 18, 19), /is for ELF machine 318, not LoongArch/],
    ['32 bits', (b: Uint8Array) => b.fill(1, 4, 5), /is not a little-endian ELF64 file: build it for loongarch64/],
    ['a cut file', (b: Uint8Array) => b.subarray(0, b.length - 100), /is truncated: its section headers end at byte/],
    [
      'odd section headers',
      (b: Uint8Array) => b.fill(7, 58, 59),
      /has section headers of 7 bytes: the file is damaged/,
    ],
    ['no sections', (b: Uint8Array) => b.fill(0, 60, 62), /has no symbol table, it was stripped: give the file before/],
    ['a section outside', (b: Uint8Array) => inSection(b, 24, 0x7fffffffn), /is truncated: section \d+ ends at byte/],
    [
      'a symbol table of odd size',
      (b: Uint8Array) => inSection(b, 32, 25n),
      /has a damaged symbol table: build it again/,
    ],
    ['names that are nowhere', (b: Uint8Array) => inSection(b, 40, 0xffffn), /has a damaged symbol table/],
  ])('%s is refused', (_what, damage, reason) => {
    const file = join(folder, 'damaged.elf');
    writeFileSync(file, damage(new Uint8Array(readFileSync(HELLO))));
    expect(() => new SymbolFiles([parseSymbols(file)])).toThrow(reason);
  });

  test('the monitor names what a guest executes', async () => {
    const { output } = await gdbSession({
      guests: [guestSpec(HELLO, 'mine')],
      more: { symbols: [parseSymbols(`${HELLO},in=1`)] },
      commands: ['monitor symbols', 'monitor catch vmexit HVC', 'continue', 'monitor info vcpus'],
    });
    expect(output).toMatch(/hello\.elf: \d+ symbols of VM 1; its code is not in memory now\n/);
    expect(output).toMatch(/VM 1 vcpu 0: .* <hello_hypercall>/);
  });

  test('names of the wrong file are not used, and a line says which file is which', async () => {
    const wrong = join(PROJECT_ROOT, 'build', 'variants', 'lazy.elf');
    const told = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      const { output } = await gdbSession({
        guests: [guestSpec('hello')],
        more: { symbols: [parseSymbols(wrong)] },
        commands: ['break *&_guest_exit', 'continue', 'monitor symbols', 'monitor info worlds'],
      });
      expect(output).toMatch(
        /lazy\.elf: \d+ symbols of the host; wrong: the code in lazy\.elf is not what is in the memory/,
      );
      expect(output).toMatch(/cpu0: host PLV0 pc 0x9\w+ <_guest_exit>/);
      const lines = told.mock.calls.map(([text]) => String(text)).filter((text) => text.includes('lazy.elf'));
      expect(lines).toEqual([
        expect.stringMatching(
          /^loongscope: warning: --symbols: the code in lazy\.elf is not what is in the memory of the host: give the file that it was made from, or offset=auto if it runs at another address; its names are not used\n$/,
        ),
      ]);
    } finally {
      told.mockRestore();
    }
  });

  test('offset=auto finds a program that runs elsewhere, by its code', async () => {
    const moved = join(folder, 'elsewhere.elf');
    writeFileSync(moved, linkedElsewhere(new Uint8Array(readFileSync(HELLO)), 0xffff_8000_1234_0000n));
    const told = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      const { output } = await gdbSession({
        guests: [guestSpec('hello')],
        more: { symbols: [parseSymbols(`${moved},in=1,offset=auto`), parseSymbols(`${HYPERVISOR},offset=auto`)] },
        commands: ['monitor symbols', 'monitor catch vmexit HVC', 'continue', 'monitor info vcpus', 'monitor symbols'],
      });
      expect(output).toMatch(
        /elsewhere\.elf: \d+ symbols of VM 1, offset=auto has found nothing: nothing has run there yet/,
      );
      expect(output).toMatch(/VM 1 vcpu 0: .* <hello_hypercall>/);
      expect(output).toMatch(/elsewhere\.elf: \d+ symbols of VM 1, moved by 0x7fffedcc0000 \(found by its code\)/);
      expect(output).toMatch(/hv\.elf: \d+ symbols of the host, .*at its own addresses/);
      expect(told.mock.calls.map(([text]) => String(text))).toContain(
        'loongscope: --symbols: elsewhere.elf runs in VM 1, moved by 0x7fffedcc0000, by its code at 0x200008\n',
      );
    } finally {
      told.mockRestore();
    }
  });

  test('a snapshot keeps them: the hypervisor is known, its world switch recognised, guests are named', async () => {
    // What the machine runs has no symbols in its image: the file of --symbols is kept.
    const [stripped, second] = [join(folder, 'stripped-hv.elf'), join(folder, 'moved.elf')];
    await execa('llvm-objcopy-19', ['--strip-all', HYPERVISOR, stripped]);
    writeFileSync(second, linkedElsewhere(new Uint8Array(readFileSync(HYPERVISOR)), 0x1000n));
    const from = {
      hypervisor: stripped,
      symbols: [parseSymbols(`${second},offset=-0x1000`), parseSymbols(`${HELLO},in=1`)],
      files: folder,
    };
    for (const [name, more] of [
      ['with', { files: folder }],
      ['given', from],
    ] as const) {
      const saved = await gdbSession({
        guests: [guestSpec(HELLO, 'own')],
        more,
        commands: ['break *&_guest_exit', 'continue', `monitor snapshot save ${name}`],
      });
      expect(saved.output).toMatch(/ MiB, at instruction/);
      const { output } = await gdbSession({
        more: { snapshot: join(folder, name), files: folder },
        commands: [
          'monitor context',
          'monitor info worlds',
          'info threads',
          'monitor catch vmexit PIS',
          'continue',
          'monitor context',
          'monitor info vcpus',
          'monitor symbols',
          `monitor snapshot save again-${name}`,
        ],
      });
      expect(output).toMatch(/^hypervisor: reference hypervisor\n/m);
      expect(output).toMatch(/cpu0: host PLV0 pc 0x9\w+ <_guest_exit>/);
      expect(output).toMatch(/Thread 1\.1 "cpu0" \(host PLV0 in transition\)/);
      expect(output).toMatch(/in transition on cpu0/);
      expect(output).toMatch(/VM 1 vcpu 0: .* <hello_mmio>/);
      if (name === 'given') expect(output).toMatch(/^hello\.elf: \d+ symbols of VM 1, kept in the snapshot$/m);
    }
  });
});
