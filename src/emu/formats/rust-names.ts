/**
 * Names of Rust symbols as a programmer writes them, from the two manglings of rustc: the legacy one (`_ZN…17h…E`) and v0 (`_R…`,
 * RFC 2603). Hashes and crate disambiguators are left out. What is neither, or is malformed, stays as it is.
 */
import { decodePunycode } from './punycode.ts';

/** Deepest nesting, and the longest name. Back references could make a short symbol endless. */
const MOST_DEPTH = 100;
const MOST_CHARACTERS = 4000;

class Malformed extends Error {}

/** The name of a symbol, demangled if it is one of Rust's. */
export function rustName(symbol: string): string {
  if (!symbol.startsWith('_R') && !symbol.startsWith('_ZN')) return symbol;
  try {
    return symbol.startsWith('_R') ? new V0(symbol.slice(2)).symbol() : (legacy(symbol) ?? symbol);
  } catch (error) {
    if (error instanceof Malformed) return symbol;
    throw error;
  }
}

/** Escapes of the legacy mangling. */
const ESCAPES: Readonly<Record<string, string>> = {
  SP: '@',
  BP: '*',
  RF: '&',
  LT: '<',
  GT: '>',
  LP: '(',
  RP: ')',
  C: ',',
};

function legacyPart(text: string): string {
  const body = text.startsWith('_$') ? text.slice(1) : text;
  return body
    .replace(/\$(u[0-9a-f]{1,6}|[A-Z]{1,2})\$/g, (whole, code: string) => {
      if (!code.startsWith('u')) return ESCAPES[code] ?? whole;
      const point = Number.parseInt(code.slice(1), 16);
      return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
    })
    .replaceAll('..', '::');
}

/** Undefined for a symbol of C++: one of Rust ends in a hash. */
function legacy(symbol: string): string | undefined {
  const parts: string[] = [];
  let at = 3;
  while (symbol[at] !== 'E') {
    const digits = /^\d{1,4}/.exec(symbol.slice(at, at + 4))?.[0];
    if (digits === undefined) return undefined;
    const end = at + digits.length + Number(digits);
    if (end > symbol.length) return undefined;
    parts.push(symbol.slice(at + digits.length, end));
    at = end;
  }
  if (!/^h[0-9a-f]{16}$/.test(parts.pop() ?? '') || parts.length === 0) return undefined;
  return parts.map(legacyPart).join('::');
}

const BASIC: Readonly<Record<string, string>> = {
  a: 'i8',
  b: 'bool',
  c: 'char',
  d: 'f64',
  e: 'str',
  f: 'f32',
  h: 'u8',
  i: 'isize',
  j: 'usize',
  l: 'i32',
  m: 'u32',
  n: 'i128',
  o: 'u128',
  p: '_',
  s: 'i16',
  t: 'u16',
  u: '()',
  v: '...',
  x: 'i64',
  y: 'u64',
  z: '!',
};
const SIGNED = 'ailnsx';

interface Identifier {
  readonly name: string;
  readonly disambiguator: number;
}

/** A reader of a v0 symbol, without its prefix. Each method reads one production of the grammar, and returns its text. */
class V0 {
  private readonly text: string;
  private at = 0;
  private depth = 0;
  private made = 0;
  /** Lifetimes that are bound around this place. */
  private bound = 0;

  constructor(text: string) {
    // What the linker or LLVM has added: `.llvm.123`.
    this.text = text.replace(/\..*$/, '');
  }

  symbol(): string {
    if (/^\d/.test(this.text)) throw new Malformed('an encoding that is not known');
    const name = this.path(true);
    if (this.at < this.text.length) this.path(true);
    if (this.at < this.text.length) throw new Malformed('there is more');
    return name;
  }

  private next(): string {
    const c = this.text[this.at++];
    if (c === undefined) throw new Malformed('it ends too early');
    return c;
  }

  private eat(c: string): boolean {
    if (this.text[this.at] !== c) return false;
    this.at++;
    return true;
  }

  /** Bounds the work. */
  private nested<T>(body: () => T): T {
    if (++this.depth > MOST_DEPTH) throw new Malformed('it is nested too deeply');
    const result = body();
    this.depth--;
    return result;
  }

  private bounded(text: string): string {
    this.made += text.length;
    if (this.made > 16 * MOST_CHARACTERS || text.length > MOST_CHARACTERS) throw new Malformed('it is too long');
    return text;
  }

  /** `_` is 0, `0_` is 1, and so on. The hash of a crate may lose bits: it is not shown. */
  private base62(): number {
    let value = 0;
    for (let first = true; ; first = false) {
      const c = this.next();
      if (c === '_') return first ? 0 : value + 1;
      const digit = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'.indexOf(c);
      value = value * 62 + digit;
      if (digit < 0) throw new Malformed('no number');
    }
  }

  private optional(tag: string): number {
    return this.eat(tag) ? this.base62() + 1 : 0;
  }

  private identifier(): Identifier {
    const disambiguator = this.optional('s');
    return { name: this.bareIdentifier(), disambiguator };
  }

  private bareIdentifier(): string {
    const puny = this.eat('u');
    const digits = /^(0|[1-9]\d{0,4})/.exec(this.text.slice(this.at, this.at + 5))?.[0];
    if (digits === undefined) throw new Malformed('no length');
    this.at += digits.length;
    this.eat('_');
    const name = this.text.slice(this.at, this.at + Number(digits));
    if (name.length < Number(digits)) throw new Malformed('it ends too early');
    this.at += name.length;
    if (!puny) return name;
    const decoded = decodePunycode(name);
    if (decoded === undefined) throw new Malformed('no punycode');
    return decoded;
  }

  /** Reads at an earlier place. */
  private backReference<T>(read: () => T): T {
    const from = this.at - 1;
    const to = this.base62();
    if (to >= from) throw new Malformed('a reference forwards');
    const back = this.at;
    this.at = to;
    const result = this.nested(read);
    this.at = back;
    return result;
  }

  /** @param value in an expression: generic arguments follow `::` */
  private path(value: boolean): string {
    return this.nested(() => this.bounded(this.pathBody(value)));
  }

  private pathBody(value: boolean): string {
    switch (this.next()) {
      case 'C':
        return this.identifier().name;
      case 'M':
        this.implPath();
        return `<${this.type()}>`;
      case 'X':
        this.implPath();
        return this.asTrait();
      case 'Y':
        return this.asTrait();
      case 'N':
        return this.nestedPath(value);
      case 'I': {
        const of = this.path(value);
        return `${of}${value ? '::' : ''}<${this.list(() => this.genericArgument())}>`;
      }
      case 'B':
        return this.backReference(() => this.path(value));
      default:
        throw new Malformed('no path');
    }
  }

  private asTrait(): string {
    const type = this.type();
    return `<${type} as ${this.path(false)}>`;
  }

  /** Where an impl stands does not belong to the name. */
  private implPath(): void {
    this.optional('s');
    this.path(false);
  }

  private nestedPath(value: boolean): string {
    const space = this.next();
    if (!/[A-Za-z]/.test(space)) throw new Malformed('no namespace');
    const outer = this.path(value);
    const { name, disambiguator } = this.identifier();
    if (space >= 'a') return name ? `${outer}::${name}` : outer;
    const kind = space === 'C' ? 'closure' : space === 'S' ? 'shim' : space;
    return `${outer}::{${kind}${name ? `:${name}` : ''}#${disambiguator}}`;
  }

  private list(item: () => string, separator = ', '): string {
    const items: string[] = [];
    while (!this.eat('E')) items.push(item());
    return items.join(separator);
  }

  private genericArgument(): string {
    if (this.eat('L')) return this.lifetime();
    return this.eat('K') ? this.constant() : this.type();
  }

  private lifetime(): string {
    const index = this.base62();
    if (index === 0) return "'_";
    const depth = this.bound - index;
    if (depth < 0) throw new Malformed('a lifetime that is not bound');
    return depth < 26 ? `'${String.fromCharCode(97 + depth)}` : `'_${depth}`;
  }

  /** Reads what a binder of lifetimes is around. */
  private withBinder(body: () => string): string {
    const count = this.optional('G');
    if (count === 0) return body();
    if (count > MOST_DEPTH) throw new Malformed('too many lifetimes');
    const names: string[] = [];
    for (let n = 0; n < count; n++) {
      const depth = this.bound + n;
      names.push(depth < 26 ? `'${String.fromCharCode(97 + depth)}` : `'_${depth}`);
    }
    this.bound += count;
    const text = body();
    this.bound -= count;
    return `for<${names.join(', ')}> ${text}`;
  }

  private type(): string {
    return this.nested(() => this.bounded(this.typeBody()));
  }

  private typeBody(): string {
    const tag = this.next();
    const basic = BASIC[tag];
    if (basic !== undefined) return basic;
    switch (tag) {
      case 'R':
      case 'Q': {
        const lifetime = this.eat('L') ? this.lifetime() : "'_";
        const mutable = tag === 'Q' ? 'mut ' : '';
        return `&${lifetime === "'_" ? '' : `${lifetime} `}${mutable}${this.type()}`;
      }
      case 'P':
        return `*const ${this.type()}`;
      case 'O':
        return `*mut ${this.type()}`;
      case 'A': {
        const of = this.type();
        return `[${of}; ${this.constant()}]`;
      }
      case 'S':
        return `[${this.type()}]`;
      case 'T': {
        const first = this.at;
        const parts = this.list(() => this.type(), ', ');
        return `(${parts}${this.isOne(first) ? ',' : ''})`;
      }
      case 'F':
        return this.withBinder(() => this.functionType());
      case 'D': {
        const bounds = this.withBinder(() => this.list(() => this.dynTrait(), ' + '));
        if (!this.eat('L')) throw new Malformed('dyn without a lifetime');
        const lifetime = this.lifetime();
        return `dyn ${bounds}${lifetime === "'_" ? '' : ` + ${lifetime}`}`;
      }
      case 'B':
        return this.backReference(() => this.type());
      default:
        this.at--;
        return this.path(false);
    }
  }

  /** Does the list of types that begins at `first`, and has just been read, have one element? */
  private isOne(first: number): boolean {
    const end = this.at;
    if (end - 1 === first) return false;
    this.at = first;
    this.nested(() => this.type());
    const one = this.at === end - 1;
    this.at = end;
    return one;
  }

  private functionType(): string {
    const unsafe = this.eat('U') ? 'unsafe ' : '';
    let abi = '';
    if (this.eat('K')) abi = this.eat('C') ? 'extern "C" ' : `extern "${this.bareIdentifier().replaceAll('_', '-')}" `;
    const parameters = this.list(() => this.type());
    const result = this.type();
    return `${unsafe}${abi}fn(${parameters})${result === '()' ? '' : ` -> ${result}`}`;
  }

  private dynTrait(): string {
    const trait = this.path(false);
    const associated: string[] = [];
    while (this.eat('p')) {
      const name = this.bareIdentifier();
      associated.push(`${name} = ${this.type()}`);
    }
    if (associated.length === 0) return trait;
    const more = associated.join(', ');
    return trait.endsWith('>') ? `${trait.slice(0, -1)}, ${more}>` : `${trait}<${more}>`;
  }

  private constant(): string {
    return this.nested(() => this.constantBody());
  }

  private constantBody(): string {
    if (this.eat('B')) return this.backReference(() => this.constant());
    const type = this.next();
    if (type === 'p') return '_';
    if (!(type in BASIC) || 'defuvz'.includes(type)) throw new Malformed('a constant of another type');
    const negative = SIGNED.includes(type) && this.eat('n');
    const digits = /^[0-9a-f]*_/.exec(this.text.slice(this.at, this.at + 34))?.[0];
    if (digits === undefined) throw new Malformed('no constant');
    this.at += digits.length;
    const value = BigInt(`0x0${digits.slice(0, -1)}`);
    if (type === 'b') return value === 0n ? 'false' : 'true';
    if (type === 'c') {
      if (value > 0x10ffffn) throw new Malformed('no character');
      return `'${String.fromCodePoint(Number(value))}'`;
    }
    return `${negative ? '-' : ''}${value}`;
  }
}
