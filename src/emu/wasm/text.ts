/** WebAssembly text (WebAssembly Core Specification 2.0, section 6) of emitted code, for people who read it. */
import { distinctTypes, type FuncDef, type FuncType, MOST_PAGES, type ModuleParts } from './module.ts';
import { Atomic, Float, LANES, laneOpcode, Op, Relaxed, Simd, SimdByWidth } from './opcodes.ts';

/** Names of vectors, by the binary logarithm of the bytes of an element. */
const SHAPES = ['i8x16', 'i16x8', 'i32x4', 'i64x2'] as const;

/** Names in the opcode tables for which the rule of {@link spelled} gives a spelling other than the specification's. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  v128AndNot: 'v128.andnot',
  f32x4DemoteZero: 'f32x4.demote_f64x2_zero',
  f64x2PromoteLow: 'f64x2.promote_low_f32x4',
  i64CompareExchange: 'i64.atomic.rmw.cmpxchg',
  i64CompareExchange8: 'i64.atomic.rmw8.cmpxchg_u',
  i64CompareExchange16: 'i64.atomic.rmw16.cmpxchg_u',
  i64CompareExchange32: 'i64.atomic.rmw32.cmpxchg_u',
  fence: 'atomic.fence',
  f32x4Madd: 'f32x4.relaxed_madd',
  f64x2Madd: 'f64x2.relaxed_madd',
};

const snake = (name: string): string => name.replace(/(?<=.)[A-Z]/g, '_$&').toLowerCase();

/** Spells `i64Load8S` as `i64.load8_s`. */
function spelled(name: string): string {
  const m = /^(v128|[if]\d+x\d+|[if]\d+|local)(.+)$/.exec(name);
  return EXCEPTIONS[name] ?? (m ? `${m[1]}.${snake(m[2]!)}` : snake(name));
}

/** The text of an operation on integer elements, by its name in the opcode tables. */
function spelledLane(log: number, name: string): string {
  const shape = SHAPES[log]!;
  const extend = /^extend(Low|High)([SU])$/.exec(name);
  if (extend) return `${shape}.extend_${extend[1]!.toLowerCase()}_${SHAPES[log - 1]}_${extend[2]!.toLowerCase()}`;
  const extract = /^extract([SU])$/.exec(name);
  if (extract) return `${shape}.extract_lane${log < 2 ? `_${extract[1]!.toLowerCase()}` : ''}`;
  return `${shape}.${name === 'replace' ? 'replace_lane' : snake(name)}`;
}

/** Text by opcode. Opcodes have the numbers of the opcode tables. */
const NAMES: ReadonlyMap<number, string> = (() => {
  const names = new Map<number, string>();
  for (const log of SHAPES.keys()) {
    for (const name of Object.keys(LANES) as (keyof typeof LANES)[])
      names.set(laneOpcode(log, name), spelledLane(log, name));
    // When a block of elements does not have an operation, another operation has its number.
    for (const [name, opcodes] of Object.entries(SimdByWidth))
      if (opcodes[log] !== undefined) names.set(opcodes[log], spelledLane(log, name));
  }
  for (const table of [Op, Float, Simd, Atomic, Relaxed])
    for (const [name, opcode] of Object.entries(table)) names.set(opcode, spelled(name));
  return names;
})();

/** Reads what {@link import('./module.ts').Bytes} has written. */
class Reader {
  private readonly data: Uint8Array;
  at = 0;

  constructor(data: Uint8Array) {
    this.data = data;
  }

  get done(): boolean {
    return this.at >= this.data.length;
  }

  u8(): number {
    return this.data[this.at++]!;
  }

  uleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  sleb(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(Number(shift) + 7, value);
    }
  }

  take(count: number): Uint8Array {
    this.at += count;
    return this.data.slice(this.at - count, this.at);
  }

  /** An opcode as the tables number it: a prefix byte is above the number that follows it. */
  opcode(): number {
    const byte = this.u8();
    if (byte < 0xfc) return byte;
    const number = this.uleb();
    return number > 0xff ? byte * 0x1000 + number : byte * 0x100 + number;
  }
}

/** A float literal. To read it gives the same bits. */
function float(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  return Object.is(value, -0) ? '-0' : `${value}`;
}

/** The text after an instruction's name. `local` names a local variable. */
function immediates(name: string, r: Reader, local: (index: number) => string): string {
  switch (name) {
    case 'block':
    case 'loop':
    case 'if':
      r.u8();
      return '';
    case 'local.get':
    case 'local.set':
    case 'local.tee':
      return ` ${local(r.uleb())}`;
    case 'br':
    case 'br_if':
    case 'call':
      return ` ${r.uleb()}`;
    case 'br_table':
      return ` ${Array.from({ length: r.uleb() + 1 }, () => r.uleb()).join(' ')}`;
    case 'call_indirect':
    case 'return_call_indirect': {
      const type = r.uleb();
      return ` ${r.uleb()} (type ${type})`;
    }
    case 'i32.const':
    case 'i64.const':
      return ` ${r.sleb()}`;
    case 'f32.const':
      return ` ${float(new Float32Array(r.take(4).buffer)[0]!)}`;
    case 'f64.const':
      return ` ${float(new Float64Array(r.take(8).buffer)[0]!)}`;
    case 'v128.const':
      return ` i8x16 ${r.take(16).join(' ')}`;
    case 'i8x16.shuffle':
      return ` ${r.take(16).join(' ')}`;
    case 'atomic.fence':
      r.u8();
      return '';
  }
  if (/\.(extract|replace)_lane/.test(name)) return ` ${r.u8()}`;
  if (/\.(load|store)|\.atomic\./.test(name)) {
    const align = 2 ** r.uleb();
    const offset = r.uleb();
    return `${offset ? ` offset=${offset}` : ''} align=${align}`;
  }
  return '';
}

/** The signature `(param …) (result …)`. */
const signature = ({ params, results }: FuncType): string =>
  `${params.length ? ` (param ${params.join(' ')})` : ''}${results.length ? ` (result ${results.join(' ')})` : ''}`;

function functionText(f: FuncDef, type: number): string[] {
  const { params } = f.type;
  const local = (index: number): string => (f.names?.[index] ? `$${f.names[index]}` : `${index}`);
  const declared = (kind: string, ty: string, index: number): string =>
    `(${kind} ${f.names?.[index] ? `${local(index)} ` : ''}${ty})`;
  const out = [
    `  (func (export "${f.name}") (type ${type})`,
    `    ${params.map((ty, n) => declared('param', ty, n)).join(' ')}${f.type.results.map((ty) => ` (result ${ty})`).join('')}`,
    ...f.locals.map((ty, n) => `    ${declared('local', ty, params.length + n)}`),
  ];
  const r = new Reader(f.body);
  let depth = 2;
  while (!r.done) {
    const opcode = r.opcode();
    const name = NAMES.get(opcode);
    if (!name) throw new Error(`wasm text: opcode 0x${opcode.toString(16)} has no name`);
    if (name === 'end' || name === 'else') depth--;
    // The last `end` belongs to the function. In text it is a parenthesis.
    if (depth < 2) break;
    out.push(`${'  '.repeat(depth)}${name}${immediates(name, r, local)}`);
    if (name === 'block' || name === 'loop' || name === 'if' || name === 'else') depth++;
  }
  out.push('  )');
  return out;
}

/** A module as text. @returns text from which an assembler makes the same bytes as `assembleModule` */
export function moduleText(parts: ModuleParts): string {
  const { shared = false, tables, imports, functions } = parts;
  const types = distinctTypes(parts);
  const typeIndex = (t: FuncType): number => types.findIndex((x) => signature(x) === signature(t));
  return [
    '(module',
    ...types.map((t) => `  (type (func${signature(t)}))`),
    `  (import "env" "memory" (memory 0 ${MOST_PAGES}${shared ? ' shared' : ''}))`,
    ...tables.map((t) => `  (import "env" "${t.name}" (table ${t.size} ${t.size} funcref))`),
    ...imports.map((i) => `  (import "env" "${i.name}" (func (type ${typeIndex(i.type)})))`),
    ...functions.flatMap((f) => functionText(f, typeIndex(f.type))),
    ')',
    '',
  ].join('\n');
}
