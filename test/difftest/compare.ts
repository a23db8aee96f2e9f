/** Comparison of what two machines leave behind, and the search for the first instruction that they differ on. */
import { disassemble } from '../../src/emu/isa/disassembler.ts';
import { GPR_NAMES } from '../../src/emu/isa/operands.ts';
import type { InstructionClass } from './classes.ts';
import { AT, BUFFER_REGISTER, type Outcome, type Program, STATE_BLOCK, type Target } from './program.ts';

/** Exceptions whose BADV is an address that the oracle reports rightly: page faults, address errors, ALE. */
const HAS_BADV = (ecode: number): boolean => ecode >= 1 && ecode <= 9;
const NOP = 0x03400000;

const hex = (v: bigint): string => `0x${v.toString(16)}`;
const quads = (data: Uint8Array): BigUint64Array =>
  new BigUint64Array(Uint8Array.from(data).buffer, 0, data.length >> 3);

/** Names and values of all that a class defines. */
export function* items(c: InstructionClass, o: Outcome): Generator<readonly [name: string, value: bigint]> {
  const state = quads(o.state);
  for (let n = 1; n < BUFFER_REGISTER; n++) yield [`$${GPR_NAMES[n]}`, state[n]!];
  yield ['$fcsr0', state[STATE_BLOCK.fcsr >> 3]! & 0x1f1f031fn];
  for (let n = 0; n < 8; n++) yield [`$fcc${n}`, state[(STATE_BLOCK.fcc >> 3) + n]!];
  const prefix = { 8: 'f', 16: 'vr', 32: 'xr' }[c.vectorBytes];
  for (let n = 0; n < 32; n++)
    for (let k = 0; k < c.vectorBytes / 8; k++)
      yield [`$${prefix}${n}${c.vectorBytes > 8 ? `.d[${k}]` : ''}`, state[(STATE_BLOCK.vector >> 3) + 4 * n + k]!];
  const buffer = quads(o.buffer);
  for (let i = 0; i < buffer.length; i++) yield [`memory 0x${(AT.buffer + 8 * i).toString(16)}`, buffer[i]!];
  const log = quads(o.log);
  for (let i = 0; i + 3 < log.length; i += 4) {
    const name = `exception ${i / 4 + 1}`;
    const estat = log[i]! & 0x7fff0000n;
    yield [`${name} ESTAT`, estat];
    yield [`${name} ERA`, log[i + 1]!];
    if (HAS_BADV(Number(estat >> 16n) & 0x3f)) yield [`${name} BADV`, log[i + 2]!];
    // QEMU gives the instruction word without its sign (docs/oracle.md).
    yield [`${name} BADI`, BigInt.asUintN(32, log[i + 3]!)];
  }
  yield ['exceptions', BigInt(log.length / 4)];
}

/** The first difference, or undefined. */
export function differences(c: InstructionClass, ours: Outcome, oracle: Outcome): string[] {
  const out: string[] = [];
  const theirs = items(c, oracle);
  for (const [name, value] of items(c, ours)) {
    const other = theirs.next();
    if (other.done || other.value[0] !== name) return [...out, 'the number of exceptions'];
    if (other.value[1] !== value) out.push(`${name}: ours ${hex(value)}, oracle ${hex(other.value[1])}`);
  }
  return out;
}

/** The program cut off behind `count` instructions; the rest does nothing. */
const shortened = (p: Program, count: number): Program => ({
  ...p,
  body: p.body.map((w, i) => (i < count ? w : NOP)),
});

/** What the first divergent instruction is and does. */
export interface Divergence {
  readonly index: number;
  readonly word: number;
  readonly text: string;
  readonly differences: readonly string[];
  /** All state before the instruction, on which both agree, that is not 0. */
  readonly before: readonly string[];
}

/** Finds the first instruction after which the machines differ: the shortest prefix of the program that differs. */
export async function firstDivergence(
  c: InstructionClass,
  program: Program,
  ours: Target,
  oracle: Target,
): Promise<Divergence> {
  const differAt = async (count: number): Promise<string[]> => {
    const p = shortened(program, count);
    return differences(c, await ours.run(p), await oracle.run(p));
  };
  let same = 0;
  let different = program.body.length;
  while (different - same > 1) {
    const middle = (same + different) >> 1;
    if ((await differAt(middle)).length) different = middle;
    else same = middle;
  }
  const word = program.body[same]!;
  const before = await ours.run(shortened(program, same));
  return {
    index: same,
    word,
    text: disassemble(word),
    differences: await differAt(same + 1),
    before: [...items(c, before)]
      .filter(([name]) => !name.startsWith('memory'))
      .map(([name, value]) => `${name} ${hex(value)}`),
  };
}
