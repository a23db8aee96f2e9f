/** `--symbols`: names for addresses from further files. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { HYPERVISOR, PROJECT_ROOT } from '../../src/cli/paths.ts';
import { parseSymbols, SymbolFiles } from '../../src/cli/symbol-files.ts';
import { SymbolTable } from '../../src/emu/debug/symbol-table.ts';
import { gdbSession, guestSpec } from '../support/gdb-session.ts';
import { tinyElf } from '../support/images.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-symbols-'));
afterAll(() => rmSync(folder, { recursive: true }));
const HELLO = join(PROJECT_ROOT, 'build', 'guests', 'hello.elf');

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
      expect.stringMatching(/^hv\.elf: \d+ symbols of the host$/),
      expect.stringMatching(/^hello\.elf: \d+ symbols of VM 1, moved by 0x1000$/),
    ]);
  });

  test.each([
    ['', /names no file/],
    ['a,in=0', /'in=0' is unknown: use in=host, in=N/],
    ['a,in=guest', /is unknown/],
    ['a,offset=x', /is unknown/],
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

  test('the monitor names what a guest executes', async () => {
    const { output } = await gdbSession({
      guests: [guestSpec(HELLO, 'mine')],
      more: { symbols: [parseSymbols(`${HELLO},in=1`)] },
      commands: ['monitor symbols', 'monitor catch vmexit HVC', 'continue', 'monitor info vcpus'],
    });
    expect(output).toMatch(/hello\.elf: \d+ symbols of VM 1\n/);
    expect(output).toMatch(/VM 1 vcpu 0: .* <hello_hypercall>/);
  });
});
