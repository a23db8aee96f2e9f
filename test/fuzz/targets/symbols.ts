/** Symbols of images, and what is known of hypervisors by data files. */
import { readSymbols, symbolize } from '../../../src/emu/boot/elf.ts';
import { fromLatin1 } from '../../../src/gdbstub/framing.ts';
import { detect, parseDescriptor } from '../../../src/hv/awareness/descriptor.ts';
import { Dwarf } from '../../../src/hv/awareness/dwarf.ts';
import { headerNumbers, headerSlots, withoutFiles } from '../../../src/hv/awareness/resolve.ts';
import { Fault, guarded, isDefect, type Target } from '../oracle.ts';

const ADDRESSES = [0n, 0x200000n, 0x9000000001003000n, (1n << 64n) - 1n];

/** Runs what may say in words that something is wrong. */
function mayRefuse(body: () => void): void {
  try {
    body();
  } catch (error) {
    if (isDefect(error)) throw error;
  }
}

export const fuzz: Target = guarded({
  run: (data) => {
    const kind = data[0] ?? 0;
    const body = data.subarray(1);
    const words = new TextDecoder().decode(body);
    if (kind === 0) {
      const symbols = readSymbols(body);
      for (let n = 1; n < symbols.length; n++)
        if (symbols[n - 1]!.value > symbols[n]!.value) throw new Fault('symbols are out of order');
      for (const s of symbols.slice(0, 32)) symbolize(symbols, s.value + 1n);
      for (const address of ADDRESSES) symbolize(symbols, address);
    } else if (kind === 1) {
      mayRefuse(() => {
        const d = parseDescriptor(words, 'file');
        detect({ address: () => undefined, names: () => ['axvisor_main', '_run_guest'] }, [d]);
        withoutFiles(d);
        if (d.transition.includes('_run_guest') && d.name.length === 0) throw new Fault('a name is empty');
      });
    } else {
      headerNumbers(words);
      headerSlots(words);
      mayRefuse(() => new Dwarf(body).offsets('vm', 'a.b->c'));
    }
  },
});

/** An ELF with a table of two symbols. */
function withSymbols(): Uint8Array {
  const bytes = new Uint8Array(64 + 72 + 16 + 4 * 64);
  const v = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  v.setUint16(18, 258, true);
  const sections = 64 + 72 + 16;
  v.setBigUint64(40, BigInt(sections), true);
  v.setUint16(58, 64, true);
  v.setUint16(60, 4, true);
  v.setUint16(62, 3, true);
  for (const [n, [name, value, size]] of [
    [1, 0x200000, 16],
    [3, 0x200010, 0],
  ].entries()) {
    const at = 64 + 24 * (n + 1);
    v.setUint32(at, name!, true);
    v.setUint8(at + 4, 2);
    v.setUint16(at + 6, 1, true);
    v.setBigUint64(at + 8, BigInt(value!), true);
    v.setBigUint64(at + 16, BigInt(size!), true);
  }
  bytes.set(fromLatin1('\0a\0b\0'), 64 + 72);
  for (const [n, type, offset, size, link] of [
    [1, 2, 64, 72, 2],
    [2, 3, 136, 16, 0],
    [3, 3, 136, 16, 0],
  ] as const) {
    const at = sections + n * 64;
    v.setUint32(at, 1, true);
    v.setUint32(at + 4, type, true);
    v.setBigUint64(at + 24, BigInt(offset), true);
    v.setBigUint64(at + 32, BigInt(size), true);
    v.setUint32(at + 40, link, true);
  }
  return bytes;
}

const NAMES = ['GPR', 'PC', 'GID', 'EXIT_ESTAT', 'HOST', 'GCSR', 'SIZE'];

export const seeds = (): Uint8Array[] => [
  Uint8Array.from([0, ...withSymbols()]),
  ...[
    '{"name":"x","detect":["a","/b/"],"transition":["f"],"contexts":{"pointers":"p","most":4,"header":"./vm.h"}}',
    '{"name":"x","detect":[],"transition":[]}',
    'null',
  ].map((t) => Uint8Array.from([1, ...fromLatin1(t)])),
  Uint8Array.from([
    2,
    ...fromLatin1(
      `${NAMES.map((n, k) => `#define CTX_${n} 0x${(8 * k).toString(16)}`).join('\n')}\nX(CRMD, 0) X(PRMD, 1)\n`,
    ),
  ]),
];

export const dictionary: readonly (string | Uint8Array)[] = [
  '"name"',
  '"detect"',
  '"transition"',
  '"entry"',
  '"contexts"',
  '"pointers"',
  '"most"',
  '"header"',
  '/',
  '#define CTX_',
  'X(',
  '\x7fELF\x02\x01\x01',
  Uint8Array.of(64, 0),
  Uint8Array.of(2, 0, 0, 0),
];
