/** Expressions of assembly: numbers, characters, symbols, `.`, and the operators of C with its precedences. */
import { type Line, wrong } from './asm-error.ts';

/** A number, or a place: a symbol with a distance. */
export interface Value {
  readonly number: bigint;
  /** A label, or a name that is not known yet. */
  readonly symbol: string | undefined;
}

/** What a name means: a value, or undefined for a symbol of another object. */
export type Lookup = (name: string) => Value | undefined;
/** The distance between two labels of one section; undefined where they are in two. */
export type Distance = (a: string, b: string) => bigint | undefined;

export interface Names {
  readonly lookup: Lookup;
  readonly distance: Distance;
}

const TOKEN =
  /\s*(0x[0-9a-f]+|0b[01]+|\d+[bf](?![\w.])|\d+|'(?:[^'\\]|\\.)'|[A-Za-z_.$][\w.$]*|<<|>>|&&|\|\||[=!<>]=|[-+*/%&|^~!<>()])/iy;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', 0: '\0', b: '\b', f: '\f' };
/** Operators of two operands, the weakest first. */
const LEVELS: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<', '>', '<=', '>='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];
const truth = (b: boolean): bigint => (b ? -1n : 0n);
const BINARY: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  '||': (a, b) => (a || b ? 1n : 0n),
  '&&': (a, b) => (a && b ? 1n : 0n),
  '|': (a, b) => a | b,
  '^': (a, b) => a ^ b,
  '&': (a, b) => a & b,
  '==': (a, b) => truth(a === b),
  '!=': (a, b) => truth(a !== b),
  '<': (a, b) => truth(a < b),
  '>': (a, b) => truth(a > b),
  '<=': (a, b) => truth(a <= b),
  '>=': (a, b) => truth(a >= b),
  '<<': (a, b) => a << (b & 63n),
  '>>': (a, b) => BigInt.asUintN(64, a) >> (b & 63n),
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
};

/** A text or a character between quotes, with its escapes as bytes. */
export function unescaped(text: string): number[] {
  const out: number[] = [];
  const encoder = new TextEncoder();
  for (const [piece, octal, hex, letter] of text.matchAll(/\\([0-7]{1,3})|\\x([0-9a-f]+)|\\([\s\S])|[^\\]+/gi))
    if (octal !== undefined) out.push(Number.parseInt(octal, 8) & 0xff);
    else if (hex !== undefined) out.push(Number.parseInt(hex, 16) & 0xff);
    else if (letter !== undefined) out.push(...encoder.encode(ESCAPES[letter] ?? letter));
    else out.push(...encoder.encode(piece));
  return out;
}

class Parser {
  private readonly words: string[] = [];
  private readonly text: string;
  private readonly line: Line;
  private readonly names: Names;
  private at = 0;

  constructor(text: string, line: Line, names: Names) {
    this.text = text;
    this.line = line;
    this.names = names;
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < text.trimEnd().length) {
      const from = TOKEN.lastIndex;
      const word = TOKEN.exec(text)?.[1];
      if (word === undefined) throw this.wrong(text.slice(from).trim());
      this.words.push(word);
    }
  }

  private wrong(word: string | undefined): Error {
    const what = word === undefined ? 'nothing more' : `'${word}'`;
    return wrong(this.line, `'${this.text.trim()}': expected a number, a symbol or an operator, found ${what}`, word);
  }

  whole(): Value {
    const value = this.level(0);
    if (this.at < this.words.length) throw this.wrong(this.words[this.at]);
    return value;
  }

  private level(n: number): Value {
    const operators = LEVELS[n];
    if (!operators) return this.unary();
    let left = this.level(n + 1);
    while (operators.includes(this.words[this.at]!)) {
      const operator = this.words[this.at++]!;
      left = this.apply(operator, left, this.level(n + 1));
    }
    return left;
  }

  private apply(operator: string, a: Value, b: Value): Value {
    if (operator === '+' && !(a.symbol && b.symbol))
      return { number: a.number + b.number, symbol: a.symbol ?? b.symbol };
    if (operator === '-' && a.symbol && !b.symbol) return { number: a.number - b.number, symbol: a.symbol };
    if (operator === '-' && a.symbol && b.symbol) {
      const distance = a.symbol === b.symbol ? 0n : this.names.distance(a.symbol, b.symbol);
      if (distance !== undefined) return { number: distance + a.number - b.number, symbol: undefined };
    }
    const place = a.symbol ?? b.symbol;
    if (place !== undefined)
      throw wrong(
        this.line,
        `'${this.text.trim()}': the address of ${place} is not known before linking, so it can only be moved by a number`,
        place,
      );
    if ((operator === '/' || operator === '%') && b.number === 0n)
      throw wrong(this.line, `'${this.text.trim()}': division by zero`, operator);
    return { number: BigInt.asIntN(64, BINARY[operator]!(a.number, b.number)), symbol: undefined };
  }

  private unary(): Value {
    const word = this.words[this.at++];
    switch (word) {
      case undefined:
        throw this.wrong(undefined);
      case '-':
      case '~':
      case '!': {
        const { number, symbol } = this.unary();
        if (symbol !== undefined) throw this.wrong(symbol);
        return { number: word === '-' ? -number : word === '~' ? ~number : number ? 0n : 1n, symbol: undefined };
      }
      case '+':
        return this.unary();
      case '(': {
        const value = this.level(0);
        if (this.words[this.at++] !== ')') throw wrong(this.line, `'${this.text.trim()}': ')' is missing`);
        return value;
      }
    }
    if (word.startsWith("'")) return { number: BigInt(unescaped(word.slice(1, -1))[0]!), symbol: undefined };
    if (/^\d+[bf]$/i.test(word) && !/^0b[01]+$/i.test(word)) return this.named(word);
    if (/^0\d/.test(word)) {
      if (!/^[0-7]+$/.test(word)) throw this.wrong(word);
      return { number: BigInt(`0o${word.slice(1)}`), symbol: undefined };
    }
    if (/^\d/.test(word)) return { number: BigInt(word), symbol: undefined };
    if (/^[A-Za-z_.$]/.test(word)) return this.named(word);
    throw this.wrong(word);
  }

  private named(name: string): Value {
    return this.names.lookup(name) ?? { number: 0n, symbol: name };
  }
}

/** @throws AsmError when it is no expression, or one that only numbers may have */
export const evaluate = (text: string, line: Line, names: Names): Value => new Parser(text, line, names).whole();
