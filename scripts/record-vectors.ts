/**
 * Records results of QEMU's LoongArch CPU: results of integer instructions and reports of exceptions. Writes
 * test/isa/vectors/qemu.json, which test/isa/oracle.test.ts replays. Run through scripts/record-vectors, which finds or
 * brings a QEMU.
 *
 * The program it builds loads the operands of each case from a table, executes the one instruction, and stores a2 and
 * what the exception handler saw (ESTAT, BADV, BADI; the handler skips the instruction). At the end it prints all of it.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { disassemble } from '../src/emu/isa/disassembler.ts';
import { OPERANDS, type OperandKind, operandRange } from '../src/emu/isa/operands.ts';
import { encodeRow, type Row } from '../src/emu/isa/row.ts';
import { ROWS } from '../src/emu/isa/table/index.ts';

const PER_ROW = 24;
/** Memory operands point here: the program's own buffer, at its start. */
const BUFFER = 0x600000n;
const FIELDS = 8;
/** Quadwords of a case in the table: a0, a1, a2, the buffer, FCSR. */
const TABLE = 6;

/**
 * Instructions that one case cannot hold: they leave the straight line, change the mode, or depend on time. And the
 * bound-checked floating-point accesses: QEMU 11.1.2 adds rk to their address; and asrtle.d, asrtgt.d, which it compares unsigned.
 */
const LEFT_OUT =
  /^(b|bl|jirl|b[egln].*|ertn|idle|csr.*|gcsr.*|gtlb.*|hvcl|dbcl|tlb.*|invtlb|lddir|ldpte|iocsr.*|cacop|cpucfg|rdtime.*|dbar|ibar|preldx?|bc..z|pcadd.*|pcalau12i|sc\..|screl\..|f(ld|st)(gt|le)\..|asrt(le|gt)\.d)$/;

/** Special numbers: zeros, infinities, NaNs of both kinds, the ends of the normal and subnormal ranges, ones. */
const DOUBLES = [
  0n,
  1n << 63n,
  0x7ff0n << 48n,
  0xfff0n << 48n,
  0x7ff8n << 48n,
  (0xfff8n << 48n) | 5n,
  (0x7ff0n << 48n) | 1n,
  (0xfff4n << 48n) | 3n,
  1n,
  (1n << 52n) - 1n,
  1n << 52n,
  0x7fefffffffffffffn,
  0x3ff0n << 48n,
  0xbff0n << 48n,
  0x4000n << 48n,
  0x3ff0000000000001n,
  0x43dfffffffffffffn,
  0xc3e0000000000000n,
  0x41dfffffffc00000n,
  0x3fe0n << 48n,
  0x36a0n << 48n,
];
const SINGLES = [
  0n,
  0x80000000n,
  0x7f800000n,
  0xff800000n,
  0x7fc00000n,
  0xffc00005n,
  0x7f800001n,
  0xffa00003n,
  1n,
  0x7fffffn,
  0x800000n,
  0x7f7fffffn,
  0x3f800000n,
  0xbf800000n,
  0x40000000n,
  0x3f800001n,
  0x4effffffn,
  0xcf000000n,
  0x5effffffn,
  0x3f000000n,
];
const SPECIAL = [0n, 1n, 0x7fffffffn, 0x80000000n, 0xffffffffn, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n];

let state = 0x2545f491;
function random(): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return state >>> 0;
}
/** A number of a format; near 1 half of the time, so that sums and products meet. */
function float(double: boolean): bigint {
  const kind = random() % 4;
  const special = double ? DOUBLES : SINGLES;
  let v = special[random() % special.length]!;
  if (kind > 1) v = double ? (BigInt(random()) << 32n) | BigInt(random()) : BigInt(random());
  if (kind === 3)
    v = double
      ? (v & ~(0x7ffn << 52n)) | (BigInt(0x3f0 + (random() % 32)) << 52n)
      : (v & ~0x7f800000n) | (BigInt(0x70 + (random() % 32)) << 23n);
  return double ? v : v | (0xffffffffn << 32n);
}
const value = (): bigint =>
  random() % 3 === 0 ? SPECIAL[random() % SPECIAL.length]! : (BigInt(random()) << 32n) | BigInt(random());

/** One case: word, a0 (rj), a1 (rk), a2 (rd before), the 16 bytes at the buffer. */
interface Case {
  readonly word: number;
  readonly a0: bigint;
  readonly a1: bigint;
  readonly a2: bigint;
  readonly memory: readonly [bigint, bigint];
  /** FCSR0 before: a rounding mode. */
  readonly fcsr: bigint;
}

/** Register operands: a0, a1, a2; fa0, fa1, fa2 and fa3 as fd; fcc0 written, fcc1 read. */
const REGISTERS: Readonly<Record<string, number>> = {
  rj: 4,
  rk: 5,
  rd: 6,
  fj: 0,
  fk: 1,
  fa: 2,
  fd: 3,
  cd: 0,
  cj: 1,
  ca: 1,
};

function makeCase(row: Row): Case {
  const values: Record<string, number> = {};
  for (const o of row.operands) {
    const kind: OperandKind = OPERANDS[o];
    const { min, max, step } = operandRange(kind);
    values[o] = REGISTERS[o] ?? min + (random() % ((max - min) / step + 1)) * step;
  }
  if ('msbw' in values && values.msbw! < values.lsbw!) [values.msbw, values.lsbw] = [values.lsbw!, values.msbw!];
  if ('msbd' in values && values.msbd! < values.lsbd!) [values.msbd, values.lsbd] = [values.lsbd!, values.msbd!];
  const word = encodeRow(row, values);
  let [a0, a1] = [value(), value()];
  let a2 = value();
  if (row.unit === 'fp' && !/^(mov|ffint)/.test(row.name)) {
    const double = /\.d$|^fsel/.test(row.name) && row.name !== 'fcvt.s.s';
    [a0, a1, a2] = [float(double), float(double), float(double)];
    if (row.name === 'fcvt.d.s') a0 = float(false);
    if (row.name === 'fcvt.s.d') a0 = float(true);
    // QEMU takes the exponent as an int: keep it small.
    if (row.name.startsWith('fscaleb')) a1 = BigInt.asUintN(64, BigInt((random() % 4400) - 2200));
  }
  if (/^(f?ld|f?st|ll|am)/.test(row.name)) {
    // A place in the buffer, sometimes misaligned; not for atomics, whose ALE makes QEMU 11.1.2 itself die of SIGSEGV, nor for
    // bound-checked accesses, for which it raises none.
    const aligned = /^(ll|am|f?(ld|st)(gt|le))/.test(row.name);
    const place = BUFFER + BigInt(!aligned && random() % 4 === 0 ? random() % 8 : 0);
    const offset = BigInt(values.si12 ?? values.si14 ?? 0);
    if (/x\./.test(row.name)) [a0, a1] = [place, 0n];
    else if (/^f?(ld|st)(gt|le)/.test(row.name)) [a0, a1] = [place, place + BigInt(random() % 3) - 1n];
    else a0 = place - offset;
  }
  return {
    word,
    a0: BigInt.asUintN(64, a0),
    a1: BigInt.asUintN(64, a1),
    a2,
    memory: [value(), value()],
    fcsr: BigInt(random() % 4) << 8n,
  };
}

function program(cases: readonly Case[]): string {
  const quad = (v: bigint): string => `0x${v.toString(16)}`;
  return `
.section .text.boot, "ax"
.globl _start
_start:
  la.pcrel $t0, handler
  csrwr $t0, 0xc
  ori $t0, $zero, 1
  csrwr $t0, 2
  la.pcrel $s0, cases
  la.pcrel $s1, results
  li.d $s2, ${quad(BUFFER)}
${cases
  .map(
    (c) => `  ld.d $t0, $s0, 24
  st.d $t0, $s2, 0
  ld.d $t0, $s0, 32
  st.d $t0, $s2, 8
  ld.d $a0, $s0, 0
  ld.d $a1, $s0, 8
  ld.d $a2, $s0, 16
  ld.d $t0, $s0, 40
  movgr2fcsr $fcsr0, $t0
  movgr2fr.d $fa0, $a0
  movgr2fr.d $fa1, $a1
  movgr2fr.d $fa2, $a2
  movgr2fr.d $fa3, $a2
  movgr2cf $fcc0, $zero
  movgr2cf $fcc1, $a1
  move $s4, $zero
  move $s5, $zero
  move $s6, $zero
  .word 0x${c.word.toString(16)}
  st.d $a2, $s1, 0
  st.d $s4, $s1, 8
  st.d $s5, $s1, 16
  ld.d $t0, $s2, 0
  st.d $t0, $s1, 24
  ld.d $t0, $s2, 8
  st.d $t0, $s1, 32
  movfr2gr.d $t0, $fa3
  st.d $t0, $s1, 40
  movfcsr2gr $t0, $fcsr0
  st.d $t0, $s1, 48
  movcf2gr $t0, $fcc0
  st.d $t0, $s1, 56
  addi.d $s0, $s0, ${TABLE * 8}
  addi.d $s1, $s1, ${FIELDS * 8}`,
  )
  .join('\n')}
  la.pcrel $s1, results
  li.d $s3, ${cases.length * FIELDS}
  li.d $t5, 0x1fe001e0
1:
  ld.d $t0, $s1, 0
  li.d $t1, 60
2:
  srl.d $t2, $t0, $t1
  andi $t2, $t2, 15
  sltui $t3, $t2, 10
  addi.d $t4, $t2, 87
  addi.d $t2, $t2, 48
  maskeqz $t2, $t2, $t3
  masknez $t4, $t4, $t3
  or $t2, $t2, $t4
3:
  ld.bu $t6, $t5, 5
  andi $t6, $t6, 0x20
  beqz $t6, 3b
  st.b $t2, $t5, 0
  addi.d $t1, $t1, -4
  bge $t1, $zero, 2b
  addi.d $s1, $s1, 8
  addi.d $s3, $s3, -1
  bnez $s3, 1b
  li.d $t0, 0x100e001c
  li.d $t1, 0x34
  st.b $t1, $t0, 0
4: b 4b
.balign 4096
handler:
  csrrd $s4, 5
  csrrd $s5, 7
  csrrd $t0, 6
  addi.d $t0, $t0, 4
  csrwr $t0, 6
  ertn
.data
.balign 4096
cases: .quad ${cases.map((c) => [c.a0, c.a1, c.a2, ...c.memory, c.fcsr].map(quad).join(', ')).join('\n.quad ')}
results: .space ${cases.length * FIELDS * 8}
`;
}

const [qemu, ...qemuArgs] = (process.env.LS_QEMU ?? 'qemu-system-loongarch64').split(' ');
// LL rows come last: after an ll.d, QEMU 11.1.2 with sc.q answers an ld.d of the next doubleword with the value that it read there first,
// even after a store to it.
const linked = (r: Row): number => (!r.name.startsWith('ll') ? 0 : r.name.endsWith('.w') ? 1 : 2);
// Vectors have their own recordings: test/difftest/vectors/recorded.json.
const covered = (r: Row): boolean => r.unit === undefined || r.unit === 'fp';
const rows = ROWS.filter((r) => covered(r) && !LEFT_OUT.test(r.name)).sort((a, b) => linked(a) - linked(b));
const cases = rows.flatMap((r) => Array.from({ length: r.operands.length ? PER_ROW : 1 }, () => makeCase(r)));
const dir = mkdtempSync(join(tmpdir(), 'loongscope-vectors-'));
try {
  writeFileSync(join(dir, 'p.S'), program(cases));
  const clang = process.env.LS_CLANG ?? 'clang-19';
  await execa(clang, ['--target=loongarch64-unknown-linux-gnusf', '-c', join(dir, 'p.S'), '-o', join(dir, 'p.o')]);
  await execa(process.env.LS_LLD ?? 'ld.lld-19', [
    '-static',
    '-T',
    fileURLToPath(new URL('../guests/lib/link.ld', import.meta.url)),
    join(dir, 'p.o'),
    '-o',
    join(dir, 'p.elf'),
  ]);
  const { stdout } = await execa(
    qemu!,
    [
      ...qemuArgs,
      '-M',
      'virt',
      '-cpu',
      'max',
      '-m',
      '256M',
      '-display',
      'none',
      '-serial',
      'stdio',
      '-monitor',
      'none',
      '-nic',
      'none',
      '-no-reboot',
      '-kernel',
      join(dir, 'p.elf'),
    ],
    { timeout: 120_000, maxBuffer: 2 ** 28 },
  );
  const words = stdout.trim().match(/[0-9a-f]{16}/g) ?? [];
  if (words.length !== cases.length * FIELDS)
    throw new Error(`QEMU printed ${words.length} of ${cases.length * FIELDS} words`);
  const version = (await execa(qemu!, [...qemuArgs, '--version'])).stdout.split('\n')[0];
  const hex = (v: bigint): string => v.toString(16);
  const vectors = cases.map((c, i) => {
    const [a2, estat, badv, m0, m1, fd, fcsr, fcc] = words
      .slice(i * FIELDS, (i + 1) * FIELDS)
      .map((w) => BigInt(`0x${w}`));
    // ESTAT keeps the last exception; s4 is 0 when none happened in this case.
    return [
      disassemble(c.word),
      hex(BigInt(c.word)),
      hex(c.a0),
      hex(c.a1),
      hex(c.a2),
      hex(c.memory[0]),
      hex(c.memory[1]),
      hex(a2!),
      hex(estat!),
      hex(estat! ? badv! : 0n),
      hex(m0!),
      hex(m1!),
      hex(c.fcsr),
      hex(fd!),
      hex(fcsr!),
      hex(fcc!),
    ];
  });
  const out = fileURLToPath(new URL('../test/isa/vectors/qemu.json', import.meta.url));
  mkdirSync(join(out, '..'), { recursive: true });
  writeFileSync(
    out,
    `{"oracle": ${JSON.stringify(version)}, "buffer": "${hex(BUFFER)}",\n"columns": ["text","word","a0","a1","a2","m0","m1","a2'","estat'","badv'","m0'","m1'","fcsr","fd'","fcsr'","fcc0'"],\n"vectors": [\n${vectors.map((v) => JSON.stringify(v)).join(',\n')}\n]}\n`,
  );
  process.stdout.write(`${vectors.length} vectors of ${rows.length} instructions recorded from ${version}\n`);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
