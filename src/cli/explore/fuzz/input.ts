/**
 * What a hostile guest does: it sets registers, writes its memory and its page tables, and executes instructions of its choice.
 * All of it a guest may do, so nothing of it excuses a hypervisor.
 */

import { CSR } from '../../../emu/cpu/csr-table.ts';
import { xorshift } from '../../../emu/runtime/xorshift.ts';

/** One deed. Values are hexadecimal, without 0x. */
export type Deed =
  /** General register `num` has a value. */
  | { readonly kind: 'gpr'; readonly num: number; readonly value: string }
  /** So has a register of the guest's CSR bank. */
  | { readonly kind: 'csr'; readonly num: number; readonly value: string }
  /** Eight bytes at a guest physical address. */
  | { readonly kind: 'memory'; readonly gpa: string; readonly value: string }
  /** The next instruction. */
  | { readonly kind: 'code'; readonly word: number };

/** The deeds before the guest goes on. */
export type GuestInput = readonly Deed[];

/** A run with a hostile guest. */
export interface InputJob {
  /** The snapshot that it begins with. */
  readonly from: string;
  /** The CPU with the guest. */
  readonly cpu: number;
  readonly input: GuestInput;
  /** Exceptions that the hypervisor has without hostile guests, too. */
  readonly known: readonly string[];
  readonly forbid: readonly string[];
  /** Instructions of the machine at which the run ends, if not before; and for how many of them it may be in the hypervisor. */
  readonly limit: number;
  readonly longest: number;
}

/** What was seen of a guest that is not hostile. */
export interface Dictionary {
  /** Instructions that exited. */
  readonly words: readonly number[];
  /** Guest physical addresses of exits, and values of registers there; hexadecimal. */
  readonly values: readonly string[];
  /** Constants in the code of the hypervisor: it compares with them what guests give. */
  readonly constants: readonly string[];
}

/** Numbers from a seed (xorshift). */
export class Dice {
  private state: number;

  constructor(seed: number) {
    this.state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) | 1;
    for (let n = 0; n < 4; n++) this.next();
  }

  private next(): number {
    this.state = xorshift(this.state);
    return this.state >>> 0;
  }

  /** A whole number below `limit`. */
  below(limit: number): number {
    return this.next() % limit;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  bits64(): bigint {
    return (BigInt(this.next()) << 32n) | BigInt(this.next());
  }
}

const hex = (value: bigint): string => BigInt.asUintN(64, value).toString(16);

/** Registers of the guest's bank that decide where its next steps lead. */
const CSRS = [
  ...[CSR.CRMD, CSR.PRMD, CSR.EUEN, CSR.MISC, CSR.ECFG, CSR.ERA, CSR.EENTRY, CSR.TLBIDX, CSR.TLBEHI],
  ...[CSR.TLBELO0, CSR.TLBELO1, CSR.ASID, CSR.PGDL, CSR.PGDH, CSR.PWCL, CSR.PWCH, CSR.STLBPS, CSR.TCFG],
  ...[CSR.TLBRENTRY, CSR.TLBRERA, CSR.TLBRPRMD, CSR.TLBREHI, CSR.DMW0, CSR.DMW1],
] as const;

/** Where things are, and where they end. */
const CORNERS = [
  ...[0n, 1n, 2n, 3n, 4n, 5n, 7n, 8n, 15n, 16n, 31n, 32n, 63n, 64n, 127n, 128n, 255n, 256n, 0xfffn, 0x1000n, 0xffffn],
  ...[0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 0x1_0000_0000n, 0x7fff_ffff_ffff_ffffn, 1n << 63n, -1n, -2n, -8n],
  ...[1n << 40n, 1n << 47n, (1n << 48n) - 8n, 0x8000_0000_0000_0000n, 0x9000_0000_0000_0000n],
];

function value(dice: Dice, { values, constants }: Dictionary): string {
  const known = [values, constants, []][dice.below(3)]!;
  let v = known.length > 0 ? BigInt(`0x${dice.of(known)}`) : dice.of(CORNERS);
  switch (dice.below(6)) {
    case 0:
      v += BigInt(dice.below(64)) - 32n;
      break;
    case 1:
      v ^= 1n << BigInt(dice.below(64));
      break;
    case 2:
      v += BigInt(dice.below(0x2000)) << BigInt(dice.below(4));
      break;
    case 3:
      if (dice.below(4) === 0) v = dice.bits64() >> BigInt(dice.below(64));
      break;
    default:
  }
  return hex(v);
}

/** A page-table entry, or a directory: flags at both ends, and an address. */
const entry = (dice: Dice, dictionary: Dictionary): string =>
  hex((BigInt(`0x${value(dice, dictionary)}`) & ~0xfffn) | BigInt(dice.below(0x1000)) | (BigInt(dice.below(8)) << 61n));

/** Kinds of instructions that a hypervisor may have to emulate: the fixed bits, and those that are free beside rd and rj. */
const FORMS: readonly (readonly [word: number, free: number])[] = [
  [0x002b8000, 0x7fff], // hvcl code
  [0x04000000, 0x00fffc00], // csrrd, csrwr, csrxchg
  [0x06480000, 0x1c00], // iocsrrd, iocsrwr
  [0x00006c00, 0], // cpucfg
  [0x06488000, 0x7fff], // idle
  [0x06000000, 0x003fffff], // cacop
  [0x06498000, 0x7fff], // invtlb
  [0x06482000, 0x1c00], // TLB instructions
  [0x06400000, 0x3fc00], // lddir, ldpte
  [0x28000000, 0x03fffc00], // ld, st of all widths, ld.bu to ld.wu
  [0x24000000, 0x03fffc00], // ldptr, stptr
  [0x38000000, 0x003c7c00], // ldx, stx
  [0x20000000, 0x03fffc00], // ll, sc
  [0x38600000, 0x000ffc00], // am*
  [0x2b000000, 0x00fffc00], // fld, fst
  [0x002a0000, 0x1ffff], // break, dbcl, syscall
];
const HVCL = 0x002b8000;

/** Fields of rd and rj. @param set registers that have values of the guest's choice: others seldom matter */
const operandsOf = (dice: Dice, set: readonly number[]): number => {
  const one = (): number => (set.length > 0 && dice.below(4) > 0 ? dice.of(set) : register(dice));
  return one() | (one() << 5);
};

function instruction(dice: Dice, { words }: Dictionary, set: readonly number[]): number {
  const r = dice.below(8);
  if (r === 0) return Number(dice.bits64() & 0xffff_ffffn);
  if (r < 5 && words.length > 0) {
    let word = dice.of(words);
    // The same, or with other registers, or another width or number.
    if (dice.below(2) === 0) word = (word & ~0x3ff) | operandsOf(dice, set);
    if (dice.below(2) === 0) word ^= 1 << (10 + dice.below(15));
    return word >>> 0;
  }
  const [form, free] = dice.of(FORMS);
  const operands = form === HVCL ? 0 : operandsOf(dice, set);
  // Many operands are better small.
  const rest = Number(dice.bits64() & 0xffff_ffffn) & free & (dice.below(2) === 0 ? -1 : 0x1fff);
  return (form | rest | operands) >>> 0;
}

/** Arguments are in r4 to r11, and r4 to r7 are those that are used the most. */
const register = (dice: Dice): number =>
  dice.below(3) === 0 ? 1 + dice.below(31) : 4 + dice.below(dice.below(2) === 0 ? 2 : 8);

function deed(dice: Dice, dictionary: Dictionary, before: GuestInput): Deed {
  const set = before.flatMap((d) => (d.kind === 'gpr' ? [d.num] : []));
  const r = dice.below(16);
  if (r < 7) return { kind: 'gpr', num: register(dice), value: value(dice, dictionary) };
  if (r < 12) return { kind: 'code', word: instruction(dice, dictionary, set) };
  if (r < 14) return { kind: 'csr', num: dice.of(CSRS), value: value(dice, dictionary) };
  return { kind: 'memory', gpa: value(dice, dictionary), value: entry(dice, dictionary) };
}

/** Deeds of one input at most. */
const MOST = 12;

/** Another input: a known one with some deeds more, fewer, or others. */
export function mutate(parent: GuestInput, dice: Dice, dictionary: Dictionary): GuestInput {
  const list = [...parent];
  for (let n = 1 + dice.below(4); n > 0; n--) {
    const at = dice.below(list.length + 1);
    const old = list[at];
    if (old?.kind === 'gpr' && dice.below(2) === 0) list[at] = { ...old, value: value(dice, dictionary) };
    else if (old && dice.below(3) === 0) list.splice(at, 1);
    else if (list.length < MOST) list.splice(at, 0, deed(dice, dictionary, list));
  }
  // Without an instruction the guest's own one is next, with other registers.
  return list;
}
