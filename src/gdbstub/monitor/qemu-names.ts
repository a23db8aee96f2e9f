/** Commands of QEMU's monitor that its users type: `info registers`, `info mtree`, `xp`, `system_reset`. */
import { CSR } from '../../emu/cpu/csr-table.ts';
import { parseNumber } from '../../emu/debug/decode-number.ts';
import { hex } from '../../emu/formats/hex.ts';
import { u64At } from '../../emu/formats/little-endian.ts';
import { GPR_NAMES } from '../../emu/isa/operands.ts';
import { memoryRanges } from '../../emu/memory/physical-map.ts';
import type { Target } from '../target.ts';
import { type Command, lines } from './command.ts';
import { RESET } from './settings.ts';

/** CSRs of `info registers`, by rows. */
const SHOWN = [
  ['CRMD', 'PRMD', 'EUEN'],
  ['ECFG', 'ESTAT', 'ERA'],
  ['BADV', 'BADI', 'EENTRY'],
  ['PGDL', 'PGDH', 'TLBRENTRY'],
] as const;
const wide = (v: bigint): string => BigInt.asUintN(64, v).toString(16).padStart(16, '0');

function registers(s: Target): string {
  const ctx = s.context;
  const out = [`pc=${wide(ctx.pc())}`];
  for (let n = 0; n < 32; n += 4)
    out.push(
      [0, 1, 2, 3]
        .map((k) => `r${n + k}`.padEnd(4) + `${GPR_NAMES[n + k]}`.padEnd(5) + wide(ctx.gpr(n + k)))
        .join('  '),
    );
  for (const row of SHOWN) out.push(row.map((name) => `${name.padEnd(10)}${wide(ctx.csr(CSR[name]))}`).join('  '));
  return lines(out);
}

/** The map of physical memory. */
function memoryTree(s: Target): string {
  const { machine } = s;
  const rows = [
    ...memoryRanges(machine.options.ramSize).map(({ base, size }) => ({ base, size, name: 'ram' })),
    ...machine.bus.mappings.map(({ base, device }) => ({ base, size: device.size, name: device.name })),
  ].sort((a, b) => a.base - b.base);
  return lines(rows.map(({ base, size, name }) => `${wide(BigInt(base))}-${wide(BigInt(base + size - 1))} ${name}`));
}

const SIZES: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, g: 8 };
/** Most bytes of one `xp`. */
const MOST_BYTES = 0x4000;

/** `xp /COUNTxSIZE ADDRESS`: physical memory in hexadecimal. */
function examine(s: Target, args: readonly string[]): string {
  const format = args[0]?.startsWith('/') ? args[0].slice(1) : '';
  const at = format ? args[1] : args[0];
  const m = /^(\d*)(?:x?([bhwg])?|([bhwg])x?)$/.exec(format);
  if (!m || at === undefined || args.length > (format ? 2 : 1))
    throw new Error('write xp /4xw 0x1000, with b, h, w or g');
  const size = SIZES[m[2] ?? m[3] ?? 'w']!;
  const count = Number(m[1] || 1);
  if (count * size > MOST_BYTES) throw new Error(`at most ${hex(MOST_BYTES)} bytes at a time`);
  const first = Number(parseNumber(at) & ((1n << 48n) - 1n));
  const perLine = 16 / size;
  const out: string[] = [];
  for (let n = 0; n < count; n += perLine) {
    const words: string[] = [];
    for (let k = n; k < Math.min(count, n + perLine); k++) {
      const bytes = s.machine.ram.read(first + k * size, size);
      if (bytes.length < size) return lines([...out, `${hex(first + k * size)} is no RAM`]);
      const value = u64At(Uint8Array.from({ length: 8 }, (_, i) => bytes[i] ?? 0))!;
      words.push(`0x${value.toString(16).padStart(2 * size, '0')}`);
    }
    out.push(`${wide(BigInt(first + n * size))}: ${words.join(' ')}`);
  }
  return lines(out);
}

export const QEMU_COMMANDS: readonly Command[] = [
  { name: 'info registers', args: '', help: "the selected thread's registers and its most used CSRs", run: registers },
  { name: 'info mtree', args: '', help: 'the map of physical memory: RAM and devices', run: memoryTree },
  { name: 'xp', args: '[/COUNTxb|h|w|g] ADDRESS', help: 'physical memory, in hexadecimal', run: examine },
  { name: 'system_reset', args: '', help: "power-on reset, as 'reset'", run: (s) => RESET.run(s, []) },
];
