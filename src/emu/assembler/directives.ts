/** Directives of assembly, by name. */
import { type Line, wrong } from './asm-error.ts';
import { commaSeparated } from './blocks.ts';
import { unescaped } from './expression.ts';
import { MOST_SECTION } from './sections.ts';

/** What a directive asks of the assembler. */
export interface Assembly {
  readonly enter: (section: string, flags: string | undefined, empty: boolean, line: Line) => void;
  /** Keeps the present section for {@link pop}. */
  readonly push: () => void;
  readonly pop: (line: Line) => void;
  readonly number: (text: string, line: Line) => bigint;
  readonly assign: (name: string, value: string, line: Line) => void;
  readonly mark: (names: readonly string[], how: 'global' | 'weak' | 'function') => void;
  readonly sized: (name: string, text: string, line: Line) => void;
  /** Values of so many bytes, which may be addresses. */
  readonly values: (texts: readonly string[], bytes: number, line: Line) => void;
  readonly bytes: (bytes: Uint8Array | readonly number[], line: Line) => void;
  readonly zeros: (count: number, line: Line) => void;
  readonly align: (to: number, fill: number | undefined, line: Line) => void;
}

type Directive = (a: Assembly, rest: string, line: Line) => void;

const valuesOf =
  (bytes: number): Directive =>
  (a, rest, line) =>
    a.values(commaSeparated(rest), bytes, line);

function text(ends: readonly number[]): Directive {
  return (a, rest, line) => {
    for (const part of commaSeparated(rest)) {
      if (!/^"([^"\\]|\\.)*"$/.test(part)) throw wrong(line, `expected a text between quotes, found '${part}'`, part);
      a.bytes([...unescaped(part.slice(1, -1)), ...ends], line);
    }
  };
}

function countOf(a: Assembly, part: string | undefined, line: Line, what: string): number {
  const count = part === undefined || part === '' ? -1n : a.number(part, line);
  if (count < 0n || count > BigInt(MOST_SECTION))
    throw wrong(line, `${what}: expected a number from 0 to ${MOST_SECTION}, found ${part ?? 'nothing'}`, part);
  return Number(count);
}

const space: Directive = (a, rest, line) => {
  const [count, fill] = commaSeparated(rest);
  const bytes = countOf(a, count, line, 'the size');
  const value = fill === undefined ? 0n : a.number(fill, line);
  if (value === 0n) a.zeros(bytes, line);
  else a.bytes(new Uint8Array(bytes).fill(Number(value & 0xffn)), line);
};

const alignment =
  (isPower: boolean): Directive =>
  (a, rest, line) => {
    const [to, fill] = commaSeparated(rest);
    const given = countOf(a, to, line, 'the alignment');
    const bytes = isPower ? 2 ** given : given;
    if (bytes < 1 || bytes > MOST_SECTION || Math.log2(bytes) % 1 !== 0)
      throw wrong(line, `the alignment must be a power of two, and is ${bytes}`, to);
    a.align(bytes, fill ? Number(a.number(fill, line) & 0xffn) : undefined, line);
  };

const assignment: Directive = (a, rest, line) => {
  const [name = '', value] = commaSeparated(rest);
  if (!/^[A-Za-z_.$][\w.$]*$/.test(name) || value === undefined)
    throw wrong(line, 'expected a name, a comma and a value: .set NAME, VALUE');
  a.assign(name, value, line);
};

const marked =
  (how: 'global' | 'weak'): Directive =>
  (a, rest) =>
    a.mark(commaSeparated(rest), how);

const entered =
  (section: string): Directive =>
  (a, _rest, line) =>
    a.enter(section, undefined, section === '.bss', line);

/** What changes nothing here: debug information, and what is for other assemblers. */
const nothing: Directive = () => {};

export const DIRECTIVES: Readonly<Record<string, Directive>> = {
  '.text': entered('.text'),
  '.data': entered('.data'),
  '.bss': entered('.bss'),
  '.section': (a, rest, line) => {
    const [name = '', flags, type] = commaSeparated(rest);
    if (!/^[\w.$-]+$/.test(name)) throw wrong(line, 'expected the name of a section: .section NAME, "flags"');
    if (flags !== undefined && !/^"[a-zA-Z]*"$/.test(flags))
      throw wrong(line, `expected the flags of the section between quotes, as "ax", found ${flags}`, flags);
    a.enter(name, flags?.slice(1, -1), type === '@nobits', line);
  },
  '.pushsection': (a, rest, line) => {
    a.push();
    DIRECTIVES['.section']!(a, rest, line);
  },
  '.popsection': (a, _rest, line) => a.pop(line),
  '.globl': marked('global'),
  '.global': marked('global'),
  '.weak': marked('weak'),
  '.local': nothing,
  '.hidden': nothing,
  '.file': nothing,
  '.ident': nothing,
  '.type': (a, rest) => {
    const [name = '', kind] = commaSeparated(rest);
    if (kind === '@function') a.mark([name], 'function');
  },
  '.size': (a, rest, line) => {
    const [name = '', size = ''] = commaSeparated(rest);
    a.sized(name, size, line);
  },
  '.balign': alignment(false),
  '.align': alignment(true),
  '.p2align': alignment(true),
  '.byte': valuesOf(1),
  '.half': valuesOf(2),
  '.short': valuesOf(2),
  '.2byte': valuesOf(2),
  '.word': valuesOf(4),
  '.long': valuesOf(4),
  '.int': valuesOf(4),
  '.4byte': valuesOf(4),
  '.dword': valuesOf(8),
  '.quad': valuesOf(8),
  '.8byte': valuesOf(8),
  '.ascii': text([]),
  '.asciz': text([0]),
  '.string': text([0]),
  '.space': space,
  '.skip': space,
  '.zero': space,
  '.fill': (a, rest, line) => {
    const [repeat, size = '1', value = '0'] = commaSeparated(rest);
    const times = countOf(a, repeat, line, 'the count');
    const bytes = countOf(a, size, line, 'the size');
    if (bytes > 8 || times * bytes > MOST_SECTION)
      throw wrong(line, `.fill of ${times} times ${bytes} bytes is too much`);
    const number = BigInt.asUintN(64, a.number(value, line));
    // Of a value, four bytes are used, and zeros behind them.
    const unit = Array.from({ length: bytes }, (_, n) => (n < 4 ? Number((number >> BigInt(8 * n)) & 0xffn) : 0));
    a.bytes(
      Uint8Array.from({ length: times * bytes }, (_, n) => unit[n % bytes]!),
      line,
    );
  },
  '.set': assignment,
  '.equ': assignment,
};
