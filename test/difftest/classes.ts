/** Classes of instructions and how random programs of each are made. */
import { decode } from '../../src/emu/isa/decoder.ts';
import { OPERANDS, type OperandKind, type OperandName, operandRange } from '../../src/emu/isa/operands.ts';
import { encodeRow, type Row } from '../../src/emu/isa/row.ts';
import { Semantics } from '../../src/emu/isa/semantics.ts';
import { ROWS } from '../../src/emu/isa/table/index.ts';
import { contains } from '../../src/emu/isa/traits.ts';
import { assemble } from '../support/test-machine.ts';
import { BUFFER_MIDDLE, BUFFER_REGISTER, BUFFER_SIZE, INDEX_REGISTER, type Program, STATE_BLOCK } from './program.ts';
import { floatValue, integerValue, type Random } from './random.ts';

export interface InstructionClass {
  readonly name: string;
  readonly text: string;
  readonly rows: readonly Row[];
  /** Loads that bring fresh values in between. */
  readonly fresh: readonly Row[];
  readonly value: (r: Random) => bigint;
  /** Bits of FCSR that start at random. */
  readonly fcsr: number;
  /** Bytes of a vector register that the class defines. */
  readonly vectorBytes: 8 | 16 | 32;
  readonly kind?: 'branch' | 'word';
}

/** Instructions that a straight run of user-level code cannot hold: other modes, devices, time. */
const OUTSIDE =
  /^(ertn|idle|csr.*|gcsr.*|gtlb.*|hvcl|dbcl|tlb.*|invtlb|lddir|ldpte|iocsr.*|cacop|cpucfg|rdtime.*|.*scr.*|x86.*|setx86.*)$/;

/**
 * What QEMU 11.1.2 does otherwise than the manual, with the evidence; docs/oracle.md tells more.
 *  - fldgt, fldle, fstgt, fstle access rj + rk instead of rj;
 *  - bound checks report PC in BADV (its exception entry overwrites the address): compared without BADV;
 *  - an exact tiny result does not trap where underflow is enabled: it never is;
 *  - reserved bits of FCSR are stored: movgr2fcsr is given legal values only;
 *  - an sc compares memory with the value of the ll, so a store of the program itself to the same place makes it fail: such stores
 *    are beside it;
 *  - asrtle.d and asrtgt.d compare unsigned: left out;
 *  - an sc does not clear the LL bit, so that another one may succeed: each has its ll right in front;
 *  - ld.d of the doubleword behind the last ll, in this program or an earlier one, answers what was there then: every ll
 *    is at a multiple of 16, and no ld.d is 8 beyond one;
 *  - a misaligned ll or am* ends QEMU itself with SIGSEGV: their addresses are aligned.
 * And what the manual leaves open: sc.q behind an ll.w.
 */
const LEFT_OUT = /^(f(ld|st)(gt|le)\.[sd]|sc\.q|asrt(le|gt)\.d)$/;

const usable = ROWS.filter((r) => !OUTSIDE.test(r.name) && !LEFT_OUT.test(r.name));
const body = (r: Row): ReturnType<typeof Semantics.record> => Semantics.record(r.define);
const isBranch = (r: Row): boolean => contains(body(r), 'branch', 'jump');
const accesses = (r: Row): boolean =>
  /^pre/.test(r.name) || contains(body(r), 'load', 'store', 'linear', 'loadVector', 'storeVector');
const isFloat = (r: Row): boolean => r.unit === 'fp' || /^x?vf(?!rstp)/.test(r.name);
const byName = new Map(usable.map((r) => [r.name, r]));
const named = (...names: string[]): Row[] => names.map((n) => byName.get(n)!);

const BASE = usable.filter((r) => r.unit === undefined && !isBranch(r));
const vector = (unit: 'lsx' | 'lasx', float: boolean): Row[] =>
  usable.filter((r) => r.unit === unit && isFloat(r) === float);
const FLOAT_FRESH = named('fld.d', 'fld.s', 'fldx.d');

export const CLASSES: readonly InstructionClass[] = [
  {
    name: 'integer',
    text: 'arithmetic, logic, shifts, bit fields, CRC, syscall, break',
    rows: BASE.filter((r) => !accesses(r)),
    fresh: named('ld.d', 'ld.w', 'ldx.d'),
    value: integerValue,
    fcsr: 0,
    vectorBytes: 8,
  },
  {
    name: 'memory',
    text: 'loads, stores, bound checks, aligned or not, and atomics',
    rows: BASE.filter(accesses),
    fresh: named('add.d', 'xor', 'addi.w', 'srai.d', 'bstrins.d'),
    value: integerValue,
    fcsr: 0,
    vectorBytes: 8,
  },
  {
    name: 'branch',
    text: 'branches and jumps, forward',
    rows: usable.filter(isBranch),
    fresh: named('add.d', 'slt', 'movgr2cf', 'andi', 'ld.d', 'sub.w'),
    value: integerValue,
    fcsr: 0,
    vectorBytes: 8,
    kind: 'branch',
  },
  {
    name: 'float',
    text: 'floating point, single and double, all rounding modes, trapping',
    rows: usable.filter((r) => r.unit === 'fp' && !isBranch(r)),
    fresh: FLOAT_FRESH,
    value: floatValue,
    fcsr: 0x31d,
    vectorBytes: 8,
  },
  {
    name: 'lsx',
    text: 'vectors of 128 bits, integer',
    rows: vector('lsx', false),
    fresh: named('vld', 'vldx', 'ld.d'),
    value: integerValue,
    fcsr: 0,
    vectorBytes: 16,
  },
  {
    name: 'lasx',
    text: 'vectors of 256 bits, integer',
    rows: vector('lasx', false),
    fresh: named('xvld', 'xvldx', 'ld.d'),
    value: integerValue,
    fcsr: 0,
    vectorBytes: 32,
  },
  {
    name: 'lsx-float',
    text: 'vectors of 128 bits, floating point, all rounding modes',
    rows: vector('lsx', true),
    fresh: named('vld', 'vldx'),
    value: floatValue,
    fcsr: 0x300,
    vectorBytes: 16,
  },
  {
    name: 'lasx-float',
    text: 'vectors of 256 bits, floating point, all rounding modes',
    rows: vector('lasx', true),
    fresh: named('xvld', 'xvldx'),
    value: floatValue,
    fcsr: 0x300,
    vectorBytes: 32,
  },
  {
    name: 'word',
    text: 'words that are no instruction: INE',
    rows: [],
    fresh: named('ld.d', 'add.d'),
    value: integerValue,
    fcsr: 0,
    vectorBytes: 8,
    kind: 'word',
  },
];

/** A branch jumps over fewer units than this. */
const REACH = 8;

/** Which operands of a row the instruction writes. */
const writesRd = new Map<Row, boolean>(usable.map((r) => [r, contains(body(r), 'setRd')]));
const inMemory = new Map<Row, boolean>(usable.map((r) => [r, accesses(r)]));
const atomic = new Map<Row, boolean>(usable.map((r) => [r, contains(body(r), 'linear')]));

/** One random instruction of a row with what it needs in front, for a place where its branch has `offset` bytes to go. */
type Unit = (offset: number) => number[];

/** How many words a unit has, whatever its offset. */
const sizeOf = (unit: Unit): number => unit(0).length;

function instruction(r: Random, row: Row): Unit {
  const before: number[] = [];
  const memory = inMemory.get(row)!;
  const values: Partial<Record<OperandName, number>> = {};
  for (const o of row.operands) {
    const kind: OperandKind = OPERANDS[o];
    const { min, max, step } = operandRange(kind);
    const any = min + r.below((max - min) / step + 1) * step;
    if (o === 'rd') values[o] = writesRd.get(row) ? r.below(INDEX_REGISTER) : r.below(BUFFER_REGISTER);
    else if (o === 'rj') values[o] = memory ? BUFFER_REGISTER : r.below(BUFFER_REGISTER);
    else if (o === 'rk' && memory && !row.operands.includes('rd') && !row.operands.some((x) => /^[vxf]d$/.test(x)))
      values[o] = INDEX_REGISTER;
    else if (o === 'rk') values[o] = r.below(BUFFER_REGISTER);
    else if (kind.type !== 'int') values[o] = any;
    else if (/^offs/.test(o)) values[o] = 0;
    else values[o] = memory && step * 0x800 > BUFFER_SIZE / 4 ? Math.trunc((any % 0x7f0) / step) * step : any;
  }
  if (memory && row.operands.includes('rk') && !atomic.get(row)) {
    if (/(gt|le)\.[bhwd]$/.test(row.name)) {
      // Bounds: the base itself and its neighbours, so that both outcomes happen.
      before.push(assemble(`addi.d $r${INDEX_REGISTER}, $r${BUFFER_REGISTER}, ${r.below(3) - 1}`));
    } else {
      before.push(assemble(`andi $r${INDEX_REGISTER}, $r${r.below(INDEX_REGISTER)}, ${0x7f0 | r.below(16)}`));
    }
    values.rk = INDEX_REGISTER;
  }
  if (atomic.get(row) && 'si14' in values) values.si14 = Math.trunc(values.si14! / 16) * 16;

  if (row.name === 'ld.d' && values.si12! % 16 === 8) values.si12 = values.si12! - 8;
  if (row.name === 'ld.d' && values.si12! % 16 === -8) values.si12 = values.si12! + 8;
  const conditional = /^sc(rel)?\.([wd])$/.exec(row.name);
  if (conditional) {
    const ll = byName.get(`ll${conditional[1] ? 'acq' : ''}.${conditional[2]}`)!;
    before.push(encodeRow(ll, { ...values, rd: r.below(INDEX_REGISTER) }));
    // Sometimes the program stores to the same line in between.
    if (r.below(3) === 0)
      before.push(
        assemble(`st.b $r${r.below(INDEX_REGISTER)}, $r${BUFFER_REGISTER}, ${(values.si14 ?? 0) + 8 + r.below(8)}`),
      );
  }
  if (row.name === 'jirl') {
    const part = r.below(100) - 50;
    values.rj = INDEX_REGISTER;
    values.offs16 = 4 * part;
    const jump = encodeRow(row, values);
    return (offset) => [assemble(`pcaddi $r${INDEX_REGISTER}, ${1 + offset / 4 - part}`), jump];
  }
  const target = row.operands.find((o) => /^offs/.test(o));
  if (target) return (offset) => [encodeRow(row, { ...values, [target]: offset })];
  if (row.name === 'movgr2fcsr') {
    const any = `$r${values.rj}`;
    const index = `$r${INDEX_REGISTER}`;
    before.push(
      ...[`lu12i.w ${index}, ${0x1f1f0}`, `ori ${index}, ${index}, ${0x31d}`, `and ${index}, ${index}, ${any}`].map(
        assemble,
      ),
    );
    values.rj = INDEX_REGISTER;
  }
  if ('msbw' in values && values.msbw! < values.lsbw!) [values.msbw, values.lsbw] = [values.lsbw!, values.msbw!];
  if ('msbd' in values && values.msbd! < values.lsbd!) [values.msbd, values.lsbd] = [values.lsbd!, values.msbd!];
  const words = [...before, encodeRow(row, values)];
  return () => words;
}

/** A word that no row has. */
function undefinedWord(r: Random): number {
  for (;;) {
    const word = r.next();
    if (!decode(word)) return word;
  }
}

/** A random program of a class, about `length` instructions long. */
export function makeProgram(c: InstructionClass, r: Random, length: number): Program {
  const units: Unit[] = [];
  for (let size = 0; size < length; size += sizeOf(units.at(-1)!)) {
    if (c.kind === 'word' && r.below(4)) {
      const word = undefinedWord(r);
      units.push(() => [word]);
    } else units.push(instruction(r, r.pick(c.rows.length === 0 || r.below(8) === 0 ? c.fresh : c.rows)));
  }
  // A branch goes to one of the next units, never into one.
  const out = units.flatMap((unit, i) => {
    const skipped = units.slice(i + 1, i + 1 + r.below(REACH));
    return unit(4 * (1 + skipped.reduce((sum, u) => sum + sizeOf(u), 0)));
  });
  const fill = (size: number): Uint8Array => {
    const words = BigUint64Array.from({ length: size / 8 }, () => BigInt.asUintN(64, c.value(r)));
    return new Uint8Array(words.buffer);
  };
  const state = fill(STATE_BLOCK.size);
  const view = new DataView(state.buffer);
  view.setBigUint64(8 * BUFFER_REGISTER, BigInt(BUFFER_MIDDLE), true);
  view.setBigUint64(8 * INDEX_REGISTER, 0n, true);
  view.setBigUint64(STATE_BLOCK.fcsr, BigInt(r.next() & c.fcsr), true);
  for (let n = 0; n < 8; n++) view.setBigUint64(STATE_BLOCK.fcc + 8 * n, BigInt(r.below(2)), true);
  return { body: out, state, buffer: fill(BUFFER_SIZE) };
}
