/** Decodes the executable sections of an ELF file and counts its instructions; an unknown one is an error. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { isElf } from '../src/emu/boot/elf.ts';
import { elfSections } from '../src/emu/boot/elf-sections.ts';
import { decode } from '../src/emu/isa/decoder.ts';

const SHF_EXECINSTR = 4;
const SHT_PROGBITS = 1;

const [file] = process.argv.slice(2);
if (!file) {
  process.stderr.write('usage: scan-elf.ts FILE\n');
  process.exit(2);
}
const bytes = readFileSync(file);
if (!isElf(bytes) || bytes.readUInt16LE(18) !== 258) {
  process.stderr.write(`${file} is no LoongArch ELF file\n`);
  process.exit(2);
}
/** Addresses and contents of the sections that hold instructions. */
const sections = elfSections(bytes)
  .filter((x) => x.type === SHT_PROGBITS && x.flags & SHF_EXECINSTR)
  .map(({ address, data }) => ({
    address,
    words: new Uint32Array(Uint8Array.from(data.subarray(0, data.length & ~3)).buffer),
  }));
const groups = new Map<string, Map<string, number>>();
const unknown: string[] = [];
let total = 0;
for (const { address, words } of sections)
  words.forEach((word, i) => {
    total++;
    const row = decode(word);
    // Zeros pad between functions.
    if (!row && word !== 0) unknown.push(`0x${(address + BigInt(4 * i)).toString(16)}: 0x${word.toString(16)}`);
    if (!row) return;
    const group = groups.get(row.ext) ?? new Map<string, number>();
    group.set(row.name, (group.get(row.name) ?? 0) + 1);
    groups.set(row.ext, group);
  });
const out = (line: string): void => void process.stdout.write(`${line}\n`);
out(`${basename(file)}: ${total} words, ${unknown.length} unknown`);
for (const [ext, names] of groups)
  out(
    `  ${ext.padEnd(11)} ${String([...names.values()].reduce((a, b) => a + b, 0)).padStart(7)} of ${names.size} kinds`,
  );
for (const line of unknown.slice(0, 20)) out(`  unknown ${line}`);
process.exitCode = unknown.length ? 1 : 0;
