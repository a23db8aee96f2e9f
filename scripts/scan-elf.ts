/** Decodes the executable sections of an ELF file and counts its instructions; an unknown one is an error. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { decode } from '../src/emu/isa/decoder.ts';

const SHF_EXECINSTR = 4n;
const SHT_PROGBITS = 1;

/** Names, addresses and contents of the sections that hold instructions. */
function executableSections(bytes: Uint8Array): { address: bigint; words: Uint32Array }[] {
  const v = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const table = Number(v.getBigUint64(40, true));
  const size = v.getUint16(58, true);
  return Array.from({ length: v.getUint16(60, true) }, (_, i) => table + i * size)
    .filter((at) => v.getUint32(at + 4, true) === SHT_PROGBITS && v.getBigUint64(at + 8, true) & SHF_EXECINSTR)
    .map((at) => {
      const offset = Number(v.getBigUint64(at + 24, true));
      const length = Number(v.getBigUint64(at + 32, true));
      return {
        address: v.getBigUint64(at + 16, true),
        words: new Uint32Array(Uint8Array.from(bytes.subarray(offset, offset + (length & ~3))).buffer),
      };
    });
}

const [file] = process.argv.slice(2);
if (!file) {
  process.stderr.write('usage: scan-elf.ts FILE\n');
  process.exit(2);
}
const bytes = readFileSync(file);
if (bytes.readUInt32BE(0) !== 0x7f454c46 || bytes.readUInt16LE(18) !== 258) {
  process.stderr.write(`${file} is no LoongArch ELF file\n`);
  process.exit(2);
}
const groups = new Map<string, Map<string, number>>();
const unknown: string[] = [];
let total = 0;
for (const { address, words } of executableSections(bytes))
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
