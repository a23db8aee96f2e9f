/**
 * Records which instructions LLVM 19 knows: writes test/isa/vectors/llvm-mnemonics.json, one example word for each
 * mnemonic. test/isa/mnemonics.test.ts compares it with the instruction table, and docs/isa.md lists the absent mnemonics.
 *
 * LLVM cannot print a list of mnemonics, so all opcodes are disassembled: every value of the upper 22 bits with some values of
 * the lower ten, and all words below 0x00600000, where the longest opcodes stand.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const FEATURES = '+f,+d,+lsx,+lasx,+lvz,+lbt,+frecipe';
const LOW = [0, 0x3ff, 0x200, 0x300];
const ALL_BELOW = 0x600000;

const words = new Uint32Array(LOW.length * 2 ** 22 + ALL_BELOW);
LOW.forEach((low, k) => {
  for (let top = 0; top < 2 ** 22; top++) words[k * 2 ** 22 + top] = (top * 1024 + low) >>> 0;
});
for (let w = 0; w < ALL_BELOW; w++) words[LOW.length * 2 ** 22 + w] = w;

const dir = mkdtempSync(join(tmpdir(), 'loongscope-mnemonics-'));
try {
  writeFileSync(join(dir, 'words.bin'), new Uint8Array(words.buffer));
  writeFileSync(join(dir, 'words.s'), `.incbin "${join(dir, 'words.bin')}"\n`);
  await execa('llvm-mc-19', [
    '--triple=loongarch64',
    '-filetype=obj',
    '-o',
    join(dir, 'words.o'),
    join(dir, 'words.s'),
  ]);
  const examples = new Map<string, string>();
  let n = 0;
  const listing = execa(
    'llvm-objdump-19',
    ['-d', '--no-show-raw-insn', '--no-leading-addr', `--mattr=${FEATURES}`, join(dir, 'words.o')],
    { buffer: false },
  );
  for await (const line of listing.iterable()) {
    // Instructions are indented; what is before them is the name of the section.
    if (!/^\s+\S/.test(line)) continue;
    const word = words[n++]!;
    const mnemonic = line.trim().split(/\s/)[0]!;
    if (mnemonic.startsWith('<') || mnemonic.startsWith('.')) continue;
    if (!examples.has(mnemonic)) examples.set(mnemonic, word.toString(16).padStart(8, '0'));
  }
  if (n !== words.length) throw new Error(`llvm-objdump printed ${n} of ${words.length} words`);
  const version = /LLVM version \S+/.exec((await execa('llvm-objdump-19', ['--version'])).stdout)![0];
  const lines = [...examples].sort(([a], [b]) => (a < b ? -1 : 1)).map(([m, w]) => `${JSON.stringify(m)}: "${w}"`);
  writeFileSync(
    fileURLToPath(new URL('../test/isa/vectors/llvm-mnemonics.json', import.meta.url)),
    `{"oracle": ${JSON.stringify(version)},\n"mnemonics": {\n${lines.join(',\n')}\n}}\n`,
  );
  process.stdout.write(`${examples.size} mnemonics recorded from ${version}\n`);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
